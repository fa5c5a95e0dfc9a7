/* SPDX-License-Identifier: MIT
 *
 * Router and experts on the GPU. One token: the router in one launch, gate and up of the chosen experts and the shared one in a
 * second, their weighted down sum in a third; the ids stay on the device. More tokens: sorted by expert (each expert's block
 * counts and writes its own pairs, so the order is that of the tokens), two grouped products, and a sum per token in the order
 * of its ids. No atomics decide an order. Called by the op table.
 */
#include "kernels/cuda/backend.cuh"
#include "kernels/cuda/gemv.cuh"

/* ------------------------------------------------------------------------------------------------ router */

enum { ROUTER_WARPS = 8, ROUTER_TOKENS = 8, PER_LANE = VLK_MAX_EXPERTS / 32 };

struct router_args {
    int32_t n, k, experts, n_group, topk_group, score, method, norm_topk, width, tokens;
    float scaling;
    struct vlk_matrix w, bias;
    const float *x;
    struct vlk_prenorm norm; /* of the one token */
    float *logits; /* [n][experts] */
    int32_t *counters, *ids;
    float *weights;
};

/* The lane and the value of the largest; ties: the lower index. NaN never wins against a number. */
static __device__ inline int warp_best(float v, int index)
{
    for (int o = 16; o; o >>= 1) {
        float other = __shfl_xor_sync(0xffffffffu, v, o);
        int at = __shfl_xor_sync(0xffffffffu, index, o);
        bool numbers = (other == other) != (v == v);

        if (numbers ? other == other : other > v || (!(v > other) && at < index)) {
            v = other;
            index = at;
        }
    }
    return index;
}

/* The index of the largest of values [n] that is not yet taken; marks it. Warp 0 only. */
static __device__ inline int take_best(const float *values, int *taken, int n)
{
    const int lane = (int)threadIdx.x & 31;
    int mine = 1 << 30, best;
    float v = NAN;

    for (int i = lane; i < n; i += 32)
        if (!taken[i] && (mine == 1 << 30 || values[i] > v || (v != v && values[i] == values[i]))) {
            v = values[i];
            mine = i;
        }
    best = warp_best(v, mine);
    __syncwarp();
    if (lane == 0 && best < n)
        taken[best] = 1;
    __syncwarp();
    return best;
}

/* Scores of one token, in shared memory; then the choice. Warp 0 of the block that finished the token's logits. */
static __device__ inline void choose_experts(const router_args &a, int token, float *scores, float *choice, int *taken, float *groups)
{
    const int lane = (int)threadIdx.x & 31, size = a.experts / max(a.n_group, 1);
    float peak = -INFINITY, sum = 0, total = 0;

    for (int e = lane; e < a.experts; e += 32)
        peak = fmaxf(peak, scores[e]);
    peak = vlk_warp_max(peak);
    for (int e = lane; e < a.experts; e += 32) {
        scores[e] = a.score == VLK_SCORE_SIGMOID ? 1.0f / (1.0f + expf(-scores[e])) : expf(scores[e] - peak);
        sum += scores[e];
    }
    sum = vlk_warp_sum(sum);
    for (int e = lane; e < a.experts; e += 32) {
        if (a.score == VLK_SCORE_SOFTMAX)
            scores[e] /= sum;
        choice[e] = scores[e] + (a.bias.data ? vlk_vector_at(a.bias, e) : 0.0f);
        taken[e] = 0;
    }
    __syncwarp();
    if (a.method != VLK_TOPK_GREEDY && a.n_group > 1) {
        for (int g = lane; g < a.n_group; g += 32) {
            float first = -INFINITY, second = -INFINITY;

            for (int i = 0; i < size; i++) {
                float v = choice[g * size + i];

                second = v > first ? first : v > second ? v : second;
                first = v > first ? v : first;
            }
            groups[g] = a.method == VLK_TOPK_NOAUX_TC && size > 1 ? first + second : first;
        }
        __syncwarp();
        for (int i = 0; i < a.topk_group && i < a.n_group; i++)
            take_best(groups, taken, a.n_group);
        for (int e = lane; e < a.n_group * size; e += 32)
            if (!taken[e / size])
                choice[e] = 0;
        __syncwarp();
        for (int g = lane; g < a.n_group; g += 32)
            taken[g] = 0;
        __syncwarp();
    }
    for (int j = 0; j < a.k; j++) {
        int best = take_best(choice, taken, a.experts);
        /* group_limited_greedy takes the masked scores, noaux_tc the unmasked and unbiased ones. */
        float v = a.method == VLK_TOPK_GROUP_LIMITED ? choice[best] : scores[best];

        total += v;
        if (lane == 0) {
            a.ids[(int64_t)token * a.k + j] = best;
            a.weights[(int64_t)token * a.k + j] = v;
        }
    }
    if (lane == 0)
        for (int j = 0; j < a.k; j++)
            a.weights[(int64_t)token * a.k + j] *= (a.norm_topk && a.k > 1 ? 1.0f / (total + 1e-20f) : 1.0f) * a.scaling;
}

/* Each warp: one expert's logits for a few tokens, in f32. The block that completes them chooses. */
static __global__ void __launch_bounds__(ROUTER_WARPS * 32) router_kernel(router_args a)
{
    __shared__ float scores[VLK_MAX_EXPERTS], choice[VLK_MAX_EXPERTS], groups[VLK_MAX_EXPERTS];
    __shared__ int taken[VLK_MAX_EXPERTS], last;
    VLK_SHARED(float, normed);
    const int warp = (int)threadIdx.x >> 5, lane = (int)threadIdx.x & 31, e = (int)blockIdx.x * ROUTER_WARPS + warp;
    const int first = (int)blockIdx.y * a.tokens, count = min(a.tokens, a.n - first);
    const float *x = a.x + (int64_t)first * a.width;
    float sum[ROUTER_TOKENS] = {0, 0, 0, 0, 0, 0, 0, 0};

    if (a.norm.w.data) {
        vlk_norm_row(a.x, a.width, a.norm, scores, [=](int i, float v) { normed[i] = v; });
        __syncthreads();
        x = normed;
    }
    if (e < a.experts) {
        const uint8_t *row = a.w.data + (size_t)e * a.w.stride;

        for (int i = lane; i < a.width; i += 32) {
            float w = vlk_element(row, a.w.dtype, a.width, i);

            VLK_UNROLL
            for (int t = 0; t < ROUTER_TOKENS; t++)
                if (t < count)
                    sum[t] += w * x[(int64_t)t * a.width + i];
        }
    }
    VLK_UNROLL
    for (int t = 0; t < ROUTER_TOKENS; t++) {
        float all = vlk_warp_sum(sum[t]);

        if (t < count && e < a.experts && lane == 0)
            a.logits[(int64_t)(first + t) * a.experts + e] = all;
    }
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last = atomicAdd(&a.counters[blockIdx.y], 1) == (int)gridDim.x - 1;
    __syncthreads();
    if (!last)
        return;
    __threadfence();
    if (threadIdx.x == 0)
        a.counters[blockIdx.y] = 0;
    for (int t = 0; t < count; t++) {
        for (int i = (int)threadIdx.x; i < a.experts; i += ROUTER_WARPS * 32)
            scores[i] = a.logits[(int64_t)(first + t) * a.experts + i];
        __syncthreads();
        if (warp == 0)
            choose_experts(a, first + t, scores, choice, taken, groups);
        __syncthreads();
    }
}

void vlk_cuda_router(struct vlk_backend *be, const struct vlk_router_args *r)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    VLK_ARGS(router_args, a);

    if (r->n <= 0)
        return;
    if (r->w.rows > VLK_MAX_EXPERTS || r->k > VLK_MAX_TOPK || r->k > r->w.rows || r->n_group > r->w.rows ||
        r->n > VLK_CUDA_COUNTERS * ROUTER_TOKENS) {
        vlk_cuda_poison(cuda, VLK_ERR_UNSUPPORTED, "The router of %d experts, %d per token, %d tokens, is beyond this backend.", r->w.rows,
                        r->k, r->n);
        return;
    }
    a.n = r->n;
    a.k = r->k;
    a.experts = r->w.rows;
    a.n_group = r->n_group;
    a.topk_group = r->topk_group;
    a.score = r->score;
    a.method = r->method;
    a.norm_topk = r->norm_topk;
    a.width = r->w.cols;
    a.tokens = r->n == 1 ? 1 : ROUTER_TOKENS;
    a.scaling = r->scaling;
    a.w = vlk_matrix_of(&r->w);
    if (r->method == VLK_TOPK_NOAUX_TC)
        a.bias = vlk_matrix_of(&r->bias);
    a.logits = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_SORT, (size_t)r->n * (size_t)r->w.rows * sizeof *a.logits);
    a.counters = cuda->counters;
    a.ids = r->expert_ids;
    a.weights = r->expert_weights;
    if (!a.logits)
        return;
    a.x = r->n == 1 ? vlk_cuda_take_norm(cuda, r->x, a.width, a.logits, (size_t)a.experts * sizeof *a.logits, &a.norm) : r->x;
    VLK_PUSH(cuda, router_kernel, dim3((unsigned)((a.experts + ROUTER_WARPS - 1) / ROUTER_WARPS), (unsigned)((a.n + a.tokens - 1) / a.tokens)),
             ROUTER_WARPS * 32, a.norm.w.data ? (size_t)a.width * sizeof(float) : 0, a);
}

/* ------------------------------------------------------------------------------------------------ few tokens */

struct gated_args {
    const struct vlk_matrix *gates, *ups; /* device tables of the experts, k > 0 */
    struct vlk_matrix gate, up;           /* shared expert, or the dense MLP */
    const int32_t *ids;
    int32_t k, experts, inter, tiles, tokens, cols, ldh, zero;
    const float *x;
    struct vlk_prenorm norm;
    float *h; /* [token][k * inter | rows of gate] at stride ldh */
    struct vlk_fault *fault;
};

static __device__ inline bool check_expert(int id, int experts, struct vlk_fault *fault)
{
    if (id >= 0 && id < experts)
        return true;
    if (threadIdx.x == 0) {
        fault->value = id;
        fault->limit = experts;
        __threadfence_system();
        fault->code = VLK_FAULT_EXPERT;
    }
    return false;
}

/* h = silu(gate x) * (up x): 16 rows of one expert, or of the shared one, per block. */
static __global__ void __launch_bounds__(VLK_GEMV_THREADS) gated_kernel(gated_args a)
{
    VLK_SHARED(uint16_t, planes);
    __shared__ float room[VLK_GEMV_WARPS * 64];
    const int padded = vlk_plane_columns(a.cols), stride = vlk_plane_stride(padded), tid = (int)threadIdx.x, warp = tid >> 5;
    const int slot = a.tiles ? min((int)blockIdx.x / a.tiles, a.k) : 0, first = ((int)blockIdx.x - slot * a.tiles) * VLK_GEMV_ROWS;
    struct vlk_matrix gate = a.gate, up = a.up;
    float g[4] = {0, 0, 0, 0}, u[4] = {0, 0, 0, 0}, gs, us;

    if (slot < a.k) {
        const int id = a.ids[slot];

        if (!check_expert(id, a.experts, a.fault))
            return;
        gate = a.gates[id];
        up = a.ups[id];
    }
    if (a.norm.w.data)
        vlk_fill_normed(planes, stride, padded, a.x, a.cols, a.norm, room);
    else
        vlk_fill_planes(planes, stride, 0, padded, a.x, a.cols, a.cols, a.tokens);
    __syncthreads();
    vlk_dot_tile(g, gate, first, 8, planes, stride, a.tokens, warp, VLK_GEMV_WARPS);
    vlk_dot_tile(u, up, first, 8, planes, stride, a.tokens, warp, VLK_GEMV_WARPS);
    gs = vlk_tile_sum(g, room);
    us = vlk_tile_sum(u, room);
    if (tid < 64 && first + tid / 4 < up.rows && tid % 4 < a.tokens)
        a.h[(int64_t)(tid % 4) * a.ldh + slot * a.inter + first + tid / 4] = vlk_silu(gs) * us;
}

struct down_args {
    const struct vlk_matrix *downs;
    struct vlk_matrix shared;
    const int32_t *ids;
    const float *weights, *h;
    float *y;
    int32_t k, experts, inter, rows;
    struct vlk_fault *fault;
};

/* y += sum_j weight_j down_j h_j + shared: 16 rows of y per block; the warps share out every expert's columns. */
static __global__ void __launch_bounds__(VLK_GEMV_THREADS) down_kernel(down_args a)
{
    VLK_SHARED(uint16_t, planes);
    __shared__ float room[VLK_GEMV_WARPS * 64];
    const int each = vlk_plane_columns(a.inter), rest = a.shared.data ? vlk_plane_columns(a.shared.cols) : 0;
    const int stride = vlk_plane_stride(a.k * each + rest), tid = (int)threadIdx.x, warp = tid >> 5, first = (int)blockIdx.x * VLK_GEMV_ROWS;
    float acc[4] = {0, 0, 0, 0}, sum;

    for (int j = 0; j < a.k; j++)
        if (!check_expert(a.ids[j], a.experts, a.fault))
            return;
    for (int j = 0; j < a.k; j++)
        vlk_fill_planes(planes, stride, j * each, each, a.h + j * a.inter, 0, a.inter, 1);
    if (rest)
        vlk_fill_planes(planes, stride, a.k * each, rest, a.h + a.k * a.inter, 0, a.shared.cols, 1);
    __syncthreads();
    for (int j = 0; j <= a.k; j++) {
        float part[4] = {0, 0, 0, 0}, weight = j < a.k ? a.weights[j] : 1.0f;

        if (j == a.k && !rest)
            break;
        vlk_dot_tile(part, j < a.k ? a.downs[a.ids[j]] : a.shared, first, 8, planes + j * each, stride, 1, (warp + j) % VLK_GEMV_WARPS,
                     VLK_GEMV_WARPS);
        for (int i = 0; i < 4; i++)
            acc[i] += weight * part[i];
    }
    sum = vlk_tile_sum(acc, room);
    if (tid < 64 && tid % 4 == 0 && first + tid / 4 < a.rows)
        a.y[first + tid / 4] += sum;
}

static void mlp_gemv(struct vlk_cuda *cuda, const struct vlk_mlp_args *m)
{
    VLK_ARGS(gated_args, a);

    a.gate = vlk_matrix_of(&m->gate);
    a.up = vlk_matrix_of(&m->up);
    a.tokens = m->n;
    a.cols = m->up.cols;
    a.ldh = m->up.rows;
    a.h = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_HIDDEN, (size_t)m->n * (size_t)m->up.rows * sizeof *a.h);
    if (!a.h)
        return;
    a.x = m->n == 1 ? vlk_cuda_take_norm(cuda, m->x, a.cols, a.h, (size_t)m->up.rows * sizeof *a.h, &a.norm) : m->x;
    VLK_PUSH(cuda, gated_kernel, dim3((unsigned)((m->up.rows + VLK_GEMV_ROWS - 1) / VLK_GEMV_ROWS)), VLK_GEMV_THREADS,
             vlk_plane_bytes(vlk_plane_columns(a.cols), a.tokens), a);
    struct vlk_linear_args down;

    memset(&down, 0, sizeof down);
    down.n = m->n;
    down.w = m->down;
    down.accumulate = m->accumulate;
    down.x = a.h;
    down.y = m->y;
    vlk_cuda_linear(&cuda->base, &down);
}

static size_t down_bytes(const struct vlk_moe_args *m)
{
    int padded = m->k * vlk_plane_columns(m->up[0].rows) + (m->shared_up.rows ? vlk_plane_columns(m->shared_up.rows) : 0);

    return vlk_plane_bytes(padded, 1);
}

static void moe_gemv(struct vlk_cuda *cuda, const struct vlk_moe_args *m)
{
    const int32_t inter = m->up[0].rows, shared = m->shared_up.rows, tiles = (inter + VLK_GEMV_ROWS - 1) / VLK_GEMV_ROWS;
    struct vlk_experts experts;
    VLK_ARGS(gated_args, a);
    VLK_ARGS(down_args, d);

    if (!vlk_cuda_experts(cuda, m, &experts))
        return;
    a.gates = experts.gate;
    a.ups = experts.up;
    a.gate = vlk_matrix_of(&m->shared_gate);
    a.up = vlk_matrix_of(&m->shared_up);
    a.ids = m->expert_ids;
    a.k = m->k;
    a.experts = m->experts;
    a.inter = inter;
    a.tiles = tiles;
    a.tokens = 1;
    a.cols = m->up[0].cols;
    a.ldh = m->k * inter + shared;
    a.x = m->x;
    a.h = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_HIDDEN, (size_t)a.ldh * sizeof *a.h);
    a.fault = cuda->fault;
    if (!a.h)
        return;
    VLK_PUSH(cuda, gated_kernel, dim3((unsigned)(m->k * tiles + (shared + VLK_GEMV_ROWS - 1) / VLK_GEMV_ROWS)), VLK_GEMV_THREADS,
             vlk_plane_bytes(vlk_plane_columns(a.cols), 1), a);
    d.downs = experts.down;
    d.shared = vlk_matrix_of(&m->shared_down);
    d.ids = m->expert_ids;
    d.weights = m->expert_weights;
    d.h = a.h;
    d.y = m->y;
    d.k = m->k;
    d.experts = m->experts;
    d.inter = inter;
    d.rows = m->down[0].rows;
    d.fault = cuda->fault;
    VLK_PUSH(cuda, down_kernel, dim3((unsigned)((d.rows + VLK_GEMV_ROWS - 1) / VLK_GEMV_ROWS)), VLK_GEMV_THREADS, down_bytes(m), d);
}

/* ------------------------------------------------------------------------------------------------ many tokens */

enum { SORT_THREADS = 256 };

struct sort_args {
    const int32_t *ids;
    int32_t pairs, k, experts, zero;
    int32_t *first, *token, *slot;
    struct vlk_fault *fault;
};

/* Block e: the pairs of expert e in the order of their tokens, behind those of all lower experts. */
static __global__ void __launch_bounds__(SORT_THREADS) sort_kernel(sort_args a)
{
    __shared__ int below[SORT_THREADS], mine[SORT_THREADS], wrong;
    const int e = (int)blockIdx.x, tid = (int)threadIdx.x, share = (a.pairs + SORT_THREADS - 1) / SORT_THREADS;
    const int from = min(tid * share, a.pairs), to = min(from + share, a.pairs);
    int lower = 0, equal = 0, at = 0;

    if (tid == 0)
        wrong = 0;
    __syncthreads();
    for (int i = from; i < to; i++) {
        const int id = a.ids[i];

        if (id < 0 || id >= a.experts) {
            wrong = 1;
            a.fault->value = id;
            a.fault->limit = a.experts;
            __threadfence_system();
            a.fault->code = VLK_FAULT_EXPERT;
        }
        lower += id < e;
        equal += id == e;
    }
    below[tid] = lower;
    mine[tid] = equal;
    __syncthreads();
    lower = 0;
    for (int i = 0; i < SORT_THREADS; i++) {
        lower += below[i];
        at += i < tid ? mine[i] : 0;
    }
    if (wrong) { /* nobody gets a token: the products that follow do nothing */
        if (tid == 0)
            a.first[e] = a.first[a.experts] = 0;
        return;
    }
    at += lower;
    for (int i = from; i < to; i++)
        if (a.ids[i] == e) {
            a.token[at] = i / a.k;
            a.slot[i] = at++;
        }
    if (tid == 0)
        a.first[e] = lower;
    if (tid == 0 && e == a.experts - 1)
        a.first[a.experts] = a.pairs;
}

struct sum_args {
    const float *out, *weights;
    const int32_t *slot, *first;
    float *y;
    int32_t k, width, experts, zero;
};

/* y += the experts' outputs of a token, in the order of its ids. */
static __global__ void __launch_bounds__(SORT_THREADS) sum_kernel(sum_args a)
{
    const int64_t token = blockIdx.x;

    if (a.first[a.experts] == 0)
        return;
    for (int i = (int)threadIdx.x; i < a.width; i += SORT_THREADS) {
        float sum = 0;

        for (int j = 0; j < a.k; j++)
            sum += a.weights[token * a.k + j] * a.out[(int64_t)a.slot[token * a.k + j] * a.width + i];
        a.y[token * a.width + i] += sum;
    }
}

/* h = silu(x gate^T) * (x up^T) as packed rows, then y (+)= h down^T: the dense MLP and the shared expert. */
static void mlp_gemm(struct vlk_cuda *cuda, int32_t n, const uint16_t *packed, const struct vlk_weight *gate, const struct vlk_weight *up,
                       const struct vlk_weight *down, bool accumulate, uint16_t *h, float *y)
{
    VLK_ARGS(vlk_gemm, g);
    VLK_ARGS(vlk_gemm, d);

    g.n = d.n = n;
    g.x = packed;
    g.ld = vlk_packed_ld(up->cols);
    g.w = vlk_matrix_of(up);
    g.gate = vlk_matrix_of(gate);
    g.half = h;
    g.ldy = vlk_packed_ld(up->rows);
    vlk_cuda_gemm(cuda, &g);
    d.x = h;
    d.ld = g.ldy;
    d.w = vlk_matrix_of(down);
    d.accumulate = accumulate;
    d.y = y;
    d.ldy = down->rows;
    vlk_cuda_gemm(cuda, &d);
}

static uint16_t *pack_tokens(struct vlk_cuda *cuda, int32_t n, int32_t cols, const float *x)
{
    uint16_t *packed = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_PACKED, (size_t)n * (size_t)vlk_packed_ld(cols) * sizeof *packed);

    if (packed)
        vlk_cuda_pack(cuda, n, cols, x, VLK_F32, cols, packed);
    return packed;
}

void vlk_cuda_mlp(struct vlk_backend *be, const struct vlk_mlp_args *m)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    uint16_t *packed, *h;

    if (m->n <= 0)
        return;
    if (m->n <= VLK_GEMV_TOKENS && vlk_plane_bytes(vlk_plane_columns(m->up.cols), m->n) + 4096 <= cuda->shared_limit) {
        mlp_gemv(cuda, m);
        return;
    }
    packed = pack_tokens(cuda, m->n, m->up.cols, m->x);
    h = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_HIDDEN, (size_t)m->n * (size_t)vlk_packed_ld(m->up.rows) * sizeof *h);
    if (packed && h)
        mlp_gemm(cuda, m->n, packed, &m->gate, &m->up, &m->down, m->accumulate, h, m->y);
}

struct sorted {
    int32_t *first, *token, *slot;
};

static bool sort_tokens(struct vlk_cuda *cuda, const struct vlk_moe_args *m, struct sorted *s)
{
    const int32_t pairs = m->n * m->k;
    int32_t *room = (int32_t *)vlk_cuda_scratch(cuda, VLK_CUDA_SORT, (size_t)(m->experts + 1 + 2 * pairs) * sizeof *room);
    VLK_ARGS(sort_args, a);

    if (!room)
        return false;
    a.ids = m->expert_ids;
    a.pairs = pairs;
    a.k = m->k;
    a.experts = m->experts;
    a.first = s->first = room;
    a.token = s->token = room + m->experts + 1;
    a.slot = s->slot = a.token + pairs;
    a.fault = cuda->fault;
    return VLK_PUSH(cuda, sort_kernel, dim3((unsigned)m->experts), SORT_THREADS, 0, a) != NULL;
}

static void moe_gemm(struct vlk_cuda *cuda, const struct vlk_moe_args *m)
{
    const int32_t pairs = m->n * m->k, inter = m->up[0].rows, width = m->down[0].rows, shared = m->shared_up.rows, ldh = vlk_packed_ld(inter);
    const size_t pair_halfs = (size_t)pairs * (size_t)ldh, shared_halfs = (size_t)m->n * (size_t)vlk_packed_ld(shared);
    struct vlk_experts experts;
    struct sorted s;
    VLK_ARGS(vlk_gemm, g);
    VLK_ARGS(vlk_gemm, d);
    VLK_ARGS(sum_args, c);
    uint16_t *packed = pack_tokens(cuda, m->n, m->up[0].cols, m->x);
    uint16_t *h = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_HIDDEN, (pair_halfs + shared_halfs) * sizeof *h);
    float *out = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_PAIRS, (size_t)pairs * (size_t)width * sizeof *out);

    if (!packed || !h || !out || !vlk_cuda_experts(cuda, m, &experts) || !sort_tokens(cuda, m, &s))
        return;
    g.n = d.n = pairs;
    g.experts = d.experts = m->experts;
    g.first = d.first = s.first;
    g.x = packed;
    g.ld = vlk_packed_ld(m->up[0].cols);
    g.gather = s.token;
    g.gates = experts.gate;
    g.ws = experts.up;
    g.half = h;
    g.ldy = ldh;
    vlk_cuda_gemm(cuda, &g);
    d.x = h;
    d.ld = ldh;
    d.ws = experts.down;
    d.y = out;
    d.ldy = width;
    vlk_cuda_gemm(cuda, &d);
    c.out = out;
    c.weights = m->expert_weights;
    c.slot = s.slot;
    c.first = s.first;
    c.y = m->y;
    c.k = m->k;
    c.width = width;
    c.experts = m->experts;
    VLK_PUSH(cuda, sum_kernel, dim3((unsigned)m->n), SORT_THREADS, 0, c);
    if (shared)
        mlp_gemm(cuda, m->n, packed, &m->shared_gate, &m->shared_up, &m->shared_down, true, h + pair_halfs, m->y);
}

void vlk_cuda_moe(struct vlk_backend *be, const struct vlk_moe_args *m)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);

    if (m->n <= 0)
        return;
    if (m->n == 1 && down_bytes(m) + 4096 <= cuda->shared_limit)
        moe_gemv(cuda, m);
    else
        moe_gemm(cuda, m);
}
