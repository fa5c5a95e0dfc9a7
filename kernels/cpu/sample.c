/* SPDX-License-Identifier: MIT
 *
 * Sampling of one token on the CPU: penalty, temperature, top-k, top-p, mask, draw; log-probabilities of the raw logits.
 * The generator is counter-based: seed and counter alone determine a draw. Called on the backend's thread.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"

/* A finite or -inf value that everything below can compare and subtract. */
static inline float tame(float x)
{
    return isnan(x) ? -INFINITY : x > FLT_MAX ? FLT_MAX : x;
}

/* Uniform in [0, 1) with 53 bits; splitmix64 of a mix of seed and counter. */
static double uniform(uint64_t seed, uint64_t counter)
{
    uint64_t z = seed * 0xd1342543de82ef95u + counter * 0x9e3779b97f4a7c15u + 0x9e3779b97f4a7c15u;

    for (int i = 0; i < 2; i++) {
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return (double)(z >> 11) * 0x1p-53;
}

static bool is_allowed(const struct vlk_sample_args *a, int32_t id)
{
    return !a->allowed || (a->allowed[id >> 5] >> (id & 31) & 1);
}

/* Larger value first; equal values: lower id first. */
static inline bool before(const float *values, int32_t a, int32_t b)
{
    return values[a] > values[b] || (values[a] == values[b] && a < b);
}

/* Restores the heap whose best id is at the top, after ids[at] changed. */
static void sift_down(const float *values, int32_t *ids, int32_t n, int32_t at)
{
    for (;;) {
        int32_t child = 2 * at + 1, moved = ids[at];

        if (child >= n)
            return;
        if (child + 1 < n && before(values, ids[child + 1], ids[child]))
            child++;
        if (!before(values, ids[child], moved))
            return;
        ids[at] = ids[child];
        ids[child] = moved;
        at = child;
    }
}

static void make_heap(const float *values, int32_t *ids, int32_t n)
{
    for (int32_t i = n / 2; i-- > 0;)
        sift_down(values, ids, n, i);
}

static int32_t pop_best(const float *values, int32_t *ids, int32_t *n)
{
    int32_t best = ids[0];

    ids[0] = ids[--*n];
    sift_down(values, ids, *n, 0);
    return best;
}

/* The lowest id of the largest value. */
static int32_t largest(struct vlk_cpu *cpu, const float *values, int32_t n)
{
    float peak = cpu->isa->max(values, n);

    for (int32_t i = 0; i < n; i++)
        if (values[i] == peak)
            return i;
    return 0;
}

/* ------------------------------------------------------------------------------------------------ filters */

/* The k-th largest value, by a heap of the k largest so far with the smallest on top. */
static float kth_largest(const float *values, int32_t n, float *heap, int32_t k)
{
    for (int32_t i = 0; i < k; i++)
        heap[i] = -INFINITY;
    for (int32_t i = 0; i < n; i++) {
        int32_t at = 0;

        if (values[i] <= heap[0])
            continue;
        for (int32_t child; (child = 2 * at + 1) < k; at = child) {
            if (child + 1 < k && heap[child + 1] < heap[child])
                child++;
            if (heap[child] >= values[i])
                break;
            heap[at] = heap[child];
        }
        heap[at] = values[i];
    }
    return heap[0];
}

/* Sets everything below the k-th largest value to -inf; values equal to it stay (as TopKLogitsWarper). */
static void keep_top_k(const struct vlk_sample_args *a, float *values, float *heap)
{
    float limit = kth_largest(values, a->vocab, heap, a->top_k);

    for (int32_t i = 0; i < a->vocab; i++)
        if (values[i] < limit)
            values[i] = -INFINITY;
}

#define BUCKETS 2048
#define BUCKET_RANGE 16.0f /* natural units below the peak that the buckets divide; the last one takes what lies below */

static inline int bucket_of(float peak, float value)
{
    float at = (peak - value) * (BUCKETS / BUCKET_RANGE);

    return at < BUCKETS - 1 ? (int)at : BUCKETS - 1;
}

/* The bucket in which the cumulated mass, counted from the peak down, reaches `limit`; the mass before it. */
static int bucket_at(const float *values, const float *chances, int32_t n, float peak, double limit, double *before)
{
    double mass[BUCKETS] = { 0 }, sum = 0;
    int at = 0;

    for (int32_t i = 0; i < n; i++)
        if (chances[i] > 0)
            mass[bucket_of(peak, values[i])] += (double)chances[i];
    for (; at < BUCKETS - 1 && sum + mass[at] < limit; at++)
        sum += mass[at];
    *before = sum;
    return at;
}

/* Keeps, from the largest down, what comes before the cumulated probability reaches top_p, at least one. That is
 * TopPLogitsWarper's "ascending, drop while the cumulated probability is <= 1 - top_p" seen from the other end.
 * Only the bucket of values in which that happens has to be put in order. */
static void keep_top_p(struct vlk_cpu *cpu, const struct vlk_sample_args *a, float *values, float *chances, int32_t *heap)
{
    float peak = cpu->isa->max(values, a->vocab), least;
    double limit, sum;
    int32_t n = 0, last = -1;
    int bucket;

    if (peak == -INFINITY)
        return;
    memcpy(chances, values, (size_t)a->vocab * sizeof *chances);
    limit = (double)a->top_p * cpu->isa->exp_sum(chances, a->vocab, peak);
    bucket = bucket_at(values, chances, a->vocab, peak, limit, &sum);
    for (int32_t i = 0; i < a->vocab; i++)
        if (chances[i] > 0 && bucket_of(peak, values[i]) == bucket)
            heap[n++] = i;
    make_heap(values, heap, n);
    while (n > 0 && (last < 0 || sum < limit)) {
        last = pop_best(values, heap, &n);
        sum += (double)chances[last];
    }
    if (last < 0)
        return;
    least = values[last];
    for (int32_t i = 0; i < a->vocab; i++)
        if (values[i] < least || (values[i] == least && i > last))
            values[i] = -INFINITY;
}

/* ------------------------------------------------------------------------------------------------ draw */

/* Inverse of the cumulated distribution over ids in ascending order; values become their exponentials. -1 when nothing has a
 * chance. */
static int32_t draw(struct vlk_cpu *cpu, float *values, int32_t n, double u)
{
    float peak = cpu->isa->max(values, n);
    double total, sum = 0;
    int32_t last = -1;

    if (peak == -INFINITY)
        return -1;
    total = cpu->isa->exp_sum(values, n, peak);
    for (int32_t i = 0; i < n; i++) {
        if (values[i] > 0) {
            last = i;
            sum += (double)values[i];
            if (sum > u * total)
                return i;
        }
    }
    return last;
}

/* Removes from values what the mask forbids. */
static void apply_mask(const struct vlk_sample_args *a, float *values)
{
    for (int32_t i = 0; i < a->vocab; i++)
        if (!is_allowed(a, i))
            values[i] = -INFINITY;
}

/* ------------------------------------------------------------------------------------------------ report */

/* Log-probabilities of the raw logits: of the chosen id and of the n most likely. */
static void report(struct vlk_cpu *cpu, const struct vlk_sample_args *a, const float *raw, struct vlk_sampled *out)
{
    float peak = cpu->isa->max(raw, a->vocab);
    double norm = (double)peak + log(cpu->isa->exp_sum_of(raw, a->vocab, peak));
    int n = a->n_alternatives < 0 ? 0 : a->n_alternatives < VLK_MAX_ALTERNATIVES ? a->n_alternatives : VLK_MAX_ALTERNATIVES;
    int count = 0;

    if (peak == -INFINITY)
        norm = 0;
    n = n < a->vocab ? n : a->vocab;
    for (int32_t i = 0; i < a->vocab && n; i++) {
        int at;

        if (count == n && raw[i] <= raw[out->alt_id[n - 1]])
            continue;
        for (at = count < n ? count++ : n - 1; at > 0 && raw[i] > raw[out->alt_id[at - 1]]; at--)
            out->alt_id[at] = out->alt_id[at - 1];
        out->alt_id[at] = i;
    }
    for (int i = 0; i < count; i++)
        out->alt_logprob[i] = (float)((double)raw[out->alt_id[i]] - norm);
    out->n_alternatives = count;
    out->logprob = (float)((double)raw[out->id] - norm);
}

/* Working space of one sampling, each [vocab]. */
struct sample_space {
    float *raw, *values, *masked; /* tamed logits; with penalty and filters; the same under the mask */
    int32_t *heap;
};

static bool mask_allows_any(const struct vlk_sample_args *a)
{
    for (int32_t i = 0; a->allowed && i < a->vocab; i++)
        if (is_allowed(a, i))
            return true;
    return false;
}

/* The id under the penalised, filtered values; with the mask the same draw among what it allows. Where filters and mask
 * leave nothing in common, the best allowed value. */
static void choose(struct vlk_cpu *cpu, const struct vlk_sample_args *a, struct sample_space *s, struct vlk_sampled *out)
{
    const size_t bytes = (size_t)a->vocab * sizeof(float);
    const bool masked = mask_allows_any(a);
    double u = uniform(a->seed, a->step->rng);
    int32_t drawn;

    out->id = out->unmasked_id = largest(cpu, s->values, a->vocab);
    if (masked) {
        memcpy(s->masked, s->values, bytes);
        apply_mask(a, s->masked);
        out->id = largest(cpu, s->masked, a->vocab);
        if (!is_allowed(a, out->id)) /* all that is allowed is -inf */
            for (out->id = 0; !is_allowed(a, out->id);)
                out->id++;
    }
    if (!(a->temperature > 0))
        return;
    /* Divided, not multiplied by the reciprocal: TemperatureLogitsWarper's rounding, which the probabilities show. */
    for (int32_t i = 0; i < a->vocab; i++)
        s->values[i] = tame(s->values[i] / a->temperature);
    if (a->top_k > 0 && a->top_k < a->vocab)
        keep_top_k(a, s->values, (float *)s->heap);
    if (a->top_p < 1)
        keep_top_p(cpu, a, s->values, s->masked, s->heap);
    if (masked) {
        memcpy(s->masked, s->values, bytes);
        apply_mask(a, s->masked);
    }
    drawn = draw(cpu, s->values, a->vocab, u);
    if (drawn >= 0)
        out->unmasked_id = drawn;
    if (masked)
        drawn = draw(cpu, s->masked, a->vocab, u);
    if (drawn >= 0)
        out->id = drawn;
}

/* raw = tamed logits, values = the same with the penalty on what was seen. */
static void penalise(const struct vlk_sample_args *a, struct sample_space *s)
{
    const float penalty = a->repetition_penalty;

    for (int32_t i = 0; i < a->vocab; i++)
        s->values[i] = s->raw[i] = tame(a->logits[i]);
    if (!(penalty > 0) || penalty == 1)
        return;
    for (int32_t i = 0; i < a->vocab; i++) {
        float x = s->raw[i];

        if (a->seen[i])
            s->values[i] = tame(x > 0 ? x / penalty : x * penalty);
    }
}

void vlk_cpu_sample(struct vlk_backend *be, const struct vlk_sample_args *a)
{
    struct vlk_cpu *cpu = vlk_cpu_of(be);
    const size_t vocab = a->vocab > 0 ? (size_t)a->vocab : 0;
    struct sample_space s;

    if (vlk_cpu_poisoned(cpu) || !vocab)
        return;
    s.raw = vlk_scratch(cpu, VLK_SLOT_SAMPLE, vocab * (3 * sizeof *s.raw + sizeof *s.heap));
    if (!s.raw)
        return;
    s.values = s.raw + vocab;
    s.masked = s.values + vocab;
    s.heap = (int32_t *)(s.masked + vocab);
    penalise(a, &s);
    memset(a->result, 0, sizeof *a->result);
    choose(cpu, a, &s, a->result);
    report(cpu, a, s.raw, a->result);
    a->seen[a->result->id] = 1;
    a->step->token = a->result->id;
    a->step->rng++;
}
