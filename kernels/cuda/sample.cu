/* SPDX-License-Identifier: MIT
 *
 * Sampling on the GPU, in one launch: many blocks apply penalty and temperature and find the largest values and the sum of the raw
 * probabilities; the one that is done last goes on alone with what is left, which for a greedy choice, masked or not, is a glance at what
 * the blocks found, and else top-k, top-p, mask and draw. Probabilities are integers relative to the largest (2^40), so that sums do not
 * depend on their order and a seed always draws the same id. Thresholds come from radix selection over the values' bits. No FP64, which
 * is a sixty-fourth of the rate on most GPUs. Called by the op table; kernels/vlk.h defines the rules.
 */
#include "kernels/cuda/backend.cuh"

#include <float.h>

typedef unsigned long long wide;

enum { SAMPLE_THREADS = 1024, SAMPLE_WARPS = 32, DIGITS = 256, SAMPLE_BLOCKS = 64 };

/* What a block finds of its share of the ids; ranks as ranked() makes them. */
struct sample_part {
    wide raw, best, allowed;
    float sum, unused; /* of exp(raw - the block's own peak) */
};

struct sample_args {
    int32_t vocab, top_k, n_alternatives, advance;
    float temperature, penalty;
    uint32_t top_p, filters; /* in 2^-32; whether it cuts anything off */
    uint64_t seed;
    const float *logits;
    const uint32_t *allowed;
    uint8_t *seen;
    struct vlk_step *step;
    struct vlk_sampled *result, *copy;
    float *values; /* [vocab] */
    struct sample_part *parts; /* [blocks] */
    int32_t *counter;
};

struct sample_room {
    wide histogram[DIGITS], sums[SAMPLE_WARPS], target;
    uint32_t counts[DIGITS], prefix;
    float floats[SAMPLE_WARPS], norm;
    int count, id, last;
    int32_t ids[VLK_MAX_ALTERNATIVES];
};

/* A finite or -inf value; -0 becomes 0, so that equal values have equal bits. */
static __device__ __forceinline__ float tame(float x)
{
    return x != x ? -INFINITY : x > FLT_MAX ? FLT_MAX : x + 0.0f;
}

/* Bits that order as the values do. */
static __device__ __forceinline__ uint32_t key_of(float x)
{
    uint32_t u = __float_as_uint(x);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}
static __device__ __forceinline__ float value_of(uint32_t key)
{
    return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

static __device__ __forceinline__ wide weight_of(float x, float peak)
{
    return (wide)(expf(x - peak) * 0x1p40f); /* a power of two: exact */
}

static __device__ inline wide warp_sum(wide v)
{
    for (int o = 16; o; o >>= 1)
        v += __shfl_xor_sync(0xffffffffu, v, o);
    return v;
}

static __device__ inline wide block_sum(sample_room &r, wide v)
{
    wide sum = 0;

    v = warp_sum(v);
    __syncthreads();
    if ((threadIdx.x & 31) == 0)
        r.sums[threadIdx.x >> 5] = v;
    __syncthreads();
    for (int w = 0; w < SAMPLE_WARPS; w++)
        sum += r.sums[w];
    return sum;
}

static __device__ inline wide block_max(sample_room &r, wide v)
{
    wide best = 0;

    for (int o = 16; o; o >>= 1)
        v = max(v, __shfl_xor_sync(0xffffffffu, v, o));
    __syncthreads();
    if ((threadIdx.x & 31) == 0)
        r.sums[threadIdx.x >> 5] = v;
    __syncthreads();
    for (int w = 0; w < SAMPLE_WARPS; w++)
        best = max(best, r.sums[w]);
    return best;
}

/* Value and id in one number: the largest value wins, then the lowest id. 0: nothing. */
static __device__ __forceinline__ wide ranked(float x, int id) { return (wide)key_of(x) << 32 | (0xffffffffu - (uint32_t)id); }
static __device__ __forceinline__ int id_of(wide rank) { return (int)(0xffffffffu - (uint32_t)rank); }

static __device__ __forceinline__ bool is_allowed(const sample_args &a, int id) { return a.allowed[id >> 5] >> (id & 31) & 1; }

/* Adds up in shared memory what the lanes of a warp give for the same digit, by one of them: the values of a distribution meet in a
 * few digits, and atomics on the same word take their turns. Every lane calls it. */
static __device__ __forceinline__ void add_count(uint32_t *counts, bool used, uint32_t digit)
{
    const uint32_t same = __match_any_sync(0xffffffffu, used ? digit : DIGITS + 0u), lane = threadIdx.x & 31;

    if (used && (same & ((1u << lane) - 1)) == 0)
        atomicAdd(&counts[digit], (uint32_t)__popc(same));
}

static __device__ __forceinline__ void add_weight(wide *sums, wide w, uint32_t digit)
{
    uint32_t left = __ballot_sync(0xffffffffu, w != 0);

    while (left) { /* a round for each digit that the warp has */
        const int from = __popc((left & (0u - left)) - 1);
        const uint32_t first = __shfl_sync(0xffffffffu, digit, from);
        const bool mine = w != 0 && digit == first;
        const wide sum = warp_sum(mine ? w : 0);

        if ((int)(threadIdx.x & 31) == from)
            atomicAdd(&sums[digit], sum);
        left &= ~__ballot_sync(0xffffffffu, mine);
    }
}

/* The digit at which what is counted from the largest down reaches *target, which becomes what is wanted of it. Thread 0. */
template <class T> static __device__ inline uint32_t find_digit(const T *counted, wide *target)
{
    int digit = DIGITS - 1;

    while (digit > 0 && counted[digit] < *target)
        *target -= counted[digit--];
    return (uint32_t)digit;
}

/* From the largest value down, the one at which the sum of weights reaches target (1 … total). *rest: what is still wanted of
 * the values equal to it. value(i), weight(i): weight 0 excludes. COUNT: every weight is 1. */
template <bool COUNT, class V, class W>
static __device__ inline uint32_t select_down(sample_room &r, int n, wide target, V value, W weight, wide *rest)
{
    uint32_t prefix = 0;

    for (int shift = 24; shift >= 0; shift -= 8) {
        __syncthreads();
        for (int i = (int)threadIdx.x; i < DIGITS; i += SAMPLE_THREADS) {
            r.histogram[i] = 0;
            r.counts[i] = 0;
        }
        __syncthreads();
        for (int base = 0; base < n; base += SAMPLE_THREADS) {
            const int i = base + (int)threadIdx.x;
            const uint32_t key = i < n ? key_of(value(i)) : 0;
            const bool used = i < n && (shift == 24 || key >> (shift + 8) == prefix >> (shift + 8));

            if (COUNT)
                add_count(r.counts, used, key >> shift & 255);
            else
                add_weight(r.histogram, used ? weight(i) : 0, key >> shift & 255);
        }
        __syncthreads();
        if (threadIdx.x == 0) {
            const uint32_t digit = COUNT ? find_digit(r.counts, &target) : find_digit(r.histogram, &target);

            r.prefix = prefix | digit << shift;
            r.target = target;
        }
        __syncthreads();
        prefix = r.prefix;
        target = r.target;
    }
    *rest = target;
    return prefix;
}

/* The first id at which the sum of weights, in the order of the ids, is above target; -1: never. Warps sum up their parts of
 * the ids, then the one that has it walks through its own. */
template <class W> static __device__ inline int first_above(sample_room &r, int n, wide target, W weight)
{
    const int warp = (int)threadIdx.x >> 5, lane = (int)threadIdx.x & 31, share = (n + SAMPLE_THREADS - 1) / SAMPLE_THREADS * 32;
    const int from = min(warp * share, n), to = min(from + share, n);
    wide sum = 0, before = 0;

    for (int i = from + lane; i < to; i += 32)
        sum += weight(i);
    sum = warp_sum(sum);
    __syncthreads();
    if (lane == 0)
        r.sums[warp] = sum;
    if (threadIdx.x == 0)
        r.id = -1;
    __syncthreads();
    for (int w = 0; w < warp; w++)
        before += r.sums[w];
    if (before <= target && target < before + sum) {
        for (int base = from; base < to; base += 32) {
            const int i = base + lane;
            wide mine = i < to ? weight(i) : 0, upto = mine;

            for (int o = 1; o < 32; o <<= 1) {
                wide v = __shfl_up_sync(0xffffffffu, upto, (unsigned)o);
                upto += lane >= o ? v : 0;
            }
            if (before + upto - mine <= target && target < before + upto)
                r.id = i;
            before += __shfl_sync(0xffffffffu, upto, 31);
        }
    }
    __syncthreads();
    return r.id;
}

/* Uniform with 53 bits, in 2^-64; the same as the CPU's. */
static __device__ inline wide uniform(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed * 0xd1342543de82ef95u + counter * 0x9e3779b97f4a7c15u + 0x9e3779b97f4a7c15u;

    for (int i = 0; i < 2; i++) {
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return z >> 11 << 11;
}

/* What the filters left: keys above `key`, and of those equal to it the ids up to `last`. */
struct kept {
    uint32_t key;
    int last;
    __device__ bool has(float x, int id) const
    {
        uint32_t k = key_of(x);
        return k > key || (k == key && id <= last);
    }
};

static __device__ inline void filter(const sample_args &a, sample_room &r, kept *k)
{
    const float *v = a.values;
    wide rest;

    k->key = 0;
    k->last = a.vocab;
    if (a.top_k > 0 && a.top_k < a.vocab)
        k->key = select_down<true>(r, a.vocab, (wide)a.top_k, [=](int i) { return v[i]; }, [](int) { return (wide)1; }, &rest);
    if (a.filters) {
        wide best = 0, sum = 0, total, target;

        for (int i = (int)threadIdx.x; i < a.vocab; i += SAMPLE_THREADS)
            best = max(best, ranked(v[i], i));
        const float peak = value_of((uint32_t)(block_max(r, best) >> 32));
        const kept before = *k;
        auto weight = [=](int i) { return before.has(v[i], i) ? weight_of(v[i], peak) : (wide)0; };

        if (peak == -INFINITY)
            return;
        for (int i = (int)threadIdx.x; i < a.vocab; i += SAMPLE_THREADS)
            sum += weight(i);
        total = block_sum(r, sum);
        target = (total >> 32) * a.top_p + ((total & 0xffffffffu) * a.top_p >> 32) + 1;
        target = target < 1 ? 1 : target > total ? total : target;
        const uint32_t key = select_down<false>(r, a.vocab, target, [=](int i) { return v[i]; }, weight, &rest);
        const wide each = weight_of(value_of(key), peak), ties = each ? (rest + each - 1) / each : 1;

        k->key = key;
        k->last = first_above(r, a.vocab, ties - 1, [=](int i) { return (wide)(key_of(v[i]) == key); });
        if (k->last < 0)
            k->last = a.vocab;
    }
}

/* One id of those that pass, by the inverse of the distribution in the order of the ids; -1: nothing has a chance. */
template <class P> static __device__ inline int draw(const sample_args &a, sample_room &r, P passes, wide u)
{
    const float *v = a.values;
    wide best = 0, sum = 0, total, target;

    for (int i = (int)threadIdx.x; i < a.vocab; i += SAMPLE_THREADS)
        if (passes(i))
            best = max(best, ranked(v[i], i));
    best = block_max(r, best);
    const float peak = value_of((uint32_t)(best >> 32));
    if (best == 0 || peak == -INFINITY)
        return -1;
    auto weight = [=](int i) { return passes(i) ? weight_of(v[i], peak) : (wide)0; };
    for (int i = (int)threadIdx.x; i < a.vocab; i += SAMPLE_THREADS)
        sum += weight(i);
    total = block_sum(r, sum);
    target = __umul64hi(u, total);
    return first_above(r, a.vocab, target < total ? target : total - 1, weight);
}

/* What the block's share of the ids comes to; the values are left as the draw wants them. */
static __device__ inline void scan(const sample_args &a, sample_room &r)
{
    const int share = (a.vocab + (int)gridDim.x - 1) / (int)gridDim.x, from = (int)blockIdx.x * share, to = min(from + share, a.vocab);
    const bool draws = a.temperature > 0;
    wide raw = 0, best = 0, allowed = 0;
    float sum = 0;

    for (int i = from + (int)threadIdx.x; i < to; i += SAMPLE_THREADS) {
        const float x = tame(a.logits[i]);
        const bool touched = a.penalty > 0 && a.penalty != 1.0f && a.seen[i];
        const float v = touched ? tame(x > 0 ? x / a.penalty : x * a.penalty) : x;

        a.values[i] = draws ? tame(v / a.temperature) : v;
        raw = max(raw, ranked(x, i));
        best = max(best, ranked(v, i));
        if (a.allowed && is_allowed(a, i))
            allowed = max(allowed, ranked(v, i));
    }
    raw = block_max(r, raw);
    best = block_max(r, best);
    allowed = block_max(r, allowed);
    const float peak = value_of((uint32_t)(raw >> 32));
    for (int i = from + (int)threadIdx.x; raw && peak != -INFINITY && i < to; i += SAMPLE_THREADS)
        sum += expf(tame(a.logits[i]) - peak);
    sum = vlk_block_sum(sum, r.floats);
    if (threadIdx.x == 0) {
        struct sample_part *p = &a.parts[blockIdx.x];

        p->raw = raw;
        p->best = best;
        p->allowed = allowed;
        p->sum = sum;
    }
}

/* The parts put together, in the order of the blocks; r.norm is the logarithm of the sum of all raw probabilities' numerators. */
static __device__ inline struct sample_part join_parts(const sample_args &a, sample_room &r)
{
    struct sample_part all = {0, 0, 0, 0, 0};

    for (int b = 0; b < (int)gridDim.x; b++) {
        all.raw = max(all.raw, a.parts[b].raw);
        all.best = max(all.best, a.parts[b].best);
        all.allowed = max(all.allowed, a.parts[b].allowed);
    }
    const float peak = value_of((uint32_t)(all.raw >> 32));
    for (int b = 0; peak != -INFINITY && b < (int)gridDim.x; b++)
        if (a.parts[b].raw)
            all.sum += a.parts[b].sum * expf(value_of((uint32_t)(a.parts[b].raw >> 32)) - peak);
    if (threadIdx.x == 0) /* who reports */
        r.norm = peak == -INFINITY ? 0.0f : peak + logf(all.sum);
    return all;
}

static __device__ inline int choose(const sample_args &a, sample_room &r, const struct sample_part &all, int *unmasked)
{
    const wide u = uniform(a.seed, a.step->rng);
    const bool masked = all.allowed != 0;
    const int id = id_of(masked ? all.allowed : all.best);
    const float *v = a.values;
    int drawn;
    kept k;

    *unmasked = id_of(all.best);
    if (!(a.temperature > 0))
        return id;
    filter(a, r, &k);
    drawn = draw(a, r, [=](int i) { return k.has(v[i], i); }, u);
    if (drawn >= 0)
        *unmasked = drawn;
    if (masked)
        drawn = draw(a, r, [=](int i) { return k.has(v[i], i) && is_allowed(a, i); }, u);
    return drawn >= 0 ? drawn : id;
}

/* The ids with the largest raw logits, in their order, into r.ids. */
static __device__ inline void find_alternatives(const sample_args &a, sample_room &r, int n)
{
    const float *logits = a.logits;
    auto value = [=](int i) { return tame(logits[i]); };
    wide rest;

    if (threadIdx.x == 0)
        r.count = 0;
    const uint32_t key = select_down<true>(r, a.vocab, (wide)n, value, [](int) { return (wide)1; }, &rest);
    const int last = first_above(r, a.vocab, rest - 1, [=](int i) { return (wide)(key_of(value(i)) == key); });
    const kept k = {key, last};

    for (int i = (int)threadIdx.x; i < a.vocab; i += SAMPLE_THREADS)
        if (k.has(value(i), i))
            r.ids[atomicAdd(&r.count, 1)] = i;
    __syncthreads();
    if (threadIdx.x)
        return;
    for (int i = 1; i < n; i++) /* gathered in any order */
        for (int j = i; j > 0 && ranked(value(r.ids[j]), r.ids[j]) > ranked(value(r.ids[j - 1]), r.ids[j - 1]); j--) {
            int swap = r.ids[j];

            r.ids[j] = r.ids[j - 1];
            r.ids[j - 1] = swap;
        }
}

/* Log-probabilities of the raw logits: of the chosen id and of the most likely ones. */
static __device__ inline void report(const sample_args &a, sample_room &r, int id, int unmasked)
{
    const int n = min(max(a.n_alternatives, 0), min((int)VLK_MAX_ALTERNATIVES, a.vocab));

    if (n)
        find_alternatives(a, r, n);
    if (threadIdx.x)
        return;
    for (int to = 0; to < 2; to++) {
        struct vlk_sampled *out = to ? a.copy : a.result;

        out->id = id;
        out->unmasked_id = unmasked;
        out->logprob = tame(a.logits[id]) - r.norm;
        out->n_alternatives = n;
        for (int i = 0; i < VLK_MAX_ALTERNATIVES; i++) {
            out->alt_id[i] = i < n ? r.ids[i] : 0;
            out->alt_logprob[i] = i < n ? tame(a.logits[r.ids[i]]) - r.norm : 0.0f;
        }
    }
    a.seen[id] = 1;
    a.step->token = id;
    a.step->rng++;
    a.step->pos += a.advance;
    __threadfence_system();
}

static __global__ void __launch_bounds__(SAMPLE_THREADS, 1) sample_kernel(sample_args a)
{
    __shared__ sample_room room;
    int unmasked, id;

    scan(a, room);
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        room.last = atomicAdd(a.counter, 1) == (int)gridDim.x - 1;
    __syncthreads();
    if (!room.last)
        return;
    __threadfence();
    if (threadIdx.x == 0)
        *a.counter = 0;
    const struct sample_part all = join_parts(a, room);
    id = choose(a, room, all, &unmasked);
    __syncthreads();
    report(a, room, id, unmasked);
}

/* The mask stays in pinned memory, which the kernel reads over the bus: 16 KB, once. Its place is free again after wait. */
static const uint32_t *keep_mask(struct vlk_cuda *cuda, const uint32_t *mask, int32_t vocab)
{
    const size_t bytes = ((size_t)vocab + 31) / 32 * 4, room = (bytes + 63) / 64 * 64;
    uint32_t *at;

    if (room > VLK_CUDA_MASK_BYTES) {
        vlk_cuda_poison(cuda, VLK_ERR_UNSUPPORTED, "A mask over %d tokens is beyond this backend.", vocab);
        return NULL;
    }
    if (cuda->masks_used + room > VLK_CUDA_MASK_BYTES)
        cuda->base.ops->wait(&cuda->base, NULL);
    at = (uint32_t *)(cuda->masks + cuda->masks_used);
    memcpy(at, mask, bytes);
    cuda->masks_used += room;
    return at;
}

void vlk_cuda_sample(struct vlk_backend *be, const struct vlk_sample_args *s)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    const int shares = (s->vocab + SAMPLE_THREADS - 1) / SAMPLE_THREADS, blocks = shares < SAMPLE_BLOCKS ? shares : SAMPLE_BLOCKS;
    VLK_ARGS(sample_args, a);

    if (s->vocab <= 0 || vlk_cuda_poisoned(cuda))
        return;
    /* First, as growing it waits, and a wait gives the place of the masks away. */
    a.parts = (struct sample_part *)vlk_cuda_scratch(cuda, VLK_CUDA_SAMPLE, SAMPLE_BLOCKS * sizeof *a.parts + (size_t)s->vocab * sizeof *a.values);
    if (!a.parts)
        return;
    a.values = (float *)(a.parts + SAMPLE_BLOCKS);
    a.vocab = s->vocab;
    a.top_k = s->top_k;
    a.n_alternatives = s->n_alternatives;
    a.temperature = s->temperature;
    a.filters = s->top_p < 1.0f;
    a.top_p = s->top_p < 1.0f ? (uint32_t)(s->top_p * 0x1p32f) : 0;
    a.penalty = s->repetition_penalty;
    a.seed = s->seed;
    a.logits = s->logits;
    a.allowed = s->allowed ? keep_mask(cuda, s->allowed, s->vocab) : NULL;
    a.seen = s->seen;
    a.step = s->step;
    a.result = s->result;
    a.copy = cuda->sampled.pinned;
    a.counter = cuda->counters;
    a.advance = vlk_cuda_take_advance(cuda, s->step);
    if (!VLK_PUSH(cuda, sample_kernel, dim3((unsigned)blocks), SAMPLE_THREADS, 0, a))
        return;
    cuda->sampled.device = s->result;
}
