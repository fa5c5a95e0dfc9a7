/* SPDX-License-Identifier: MIT
 *
 * linear on the GPU: up to four vectors by gemv.cuh, more by tiles of mma.sync with three stages of asynchronous copies, or by
 * cuBLAS (blas.cu) where it can be opened and suits. The tile product also runs the experts (grouped by device-side offsets: the host
 * never sees the router) and both halves of a gated MLP. Called by the op table and by the other .cu files.
 */
#include "kernels/cuda/backend.cuh"
#include "kernels/cuda/gemv.cuh"

/* ------------------------------------------------------------------------------------------------ few vectors */

enum { PARTS = 4 };

struct gemv_args {
    struct {
        struct vlk_matrix w, bias;
        float *y;
        int32_t first_tile, zero;
    } part[PARTS];
    int32_t parts, tokens, cols, act, accumulate, ldx;
    const float *x;
    struct vlk_prenorm norm;
    struct { /* parts 0, 1, 2 are queries, keys and values of plain heads: rotate, and write the caches */
        const struct vlk_step *step; /* NULL: they are not */
        const float *cos, *sin;
        void *k_cache, *v_cache;
        int32_t head_dim, half_cache;
    } rope;
};

/* What part p keeps of v, which is column `row` of a token; other: the other half of its pair. */
static __device__ inline float turn_and_keep(const gemv_args &a, int p, int row, int token, float v, float other)
{
    const int half = a.rope.head_dim / 2, d = row % a.rope.head_dim;
    const int64_t pos = a.rope.step->pos + token, at = pos * a.part[p].w.rows + row;

    if (p == 2) {
        vlk_store(a.rope.v_cache, a.rope.half_cache, at, v);
        return v;
    }
    const float c = a.rope.cos[pos * half + d % half], s = a.rope.sin[pos * half + d % half];
    const float turned = d < half ? v * c - other * s : v * c + other * s;

    if (p == 0)
        return turned;
    vlk_store(a.rope.k_cache, a.rope.half_cache, at, turned);
    return v;
}

static __global__ void __launch_bounds__(VLK_GEMV_THREADS, 2) gemv_kernel(gemv_args a)
{
    VLK_SHARED(uint16_t, planes);
    __shared__ float room[VLK_GEMV_WARPS * 64];
    const int padded = vlk_plane_columns(a.cols), stride = vlk_plane_stride(padded), tid = (int)threadIdx.x;
    float acc[4] = {0, 0, 0, 0}, v;
    int p = a.parts - 1, first, apart = 8, row;

    while (p > 0 && (int)blockIdx.x < a.part[p].first_tile)
        p--;
    first = ((int)blockIdx.x - a.part[p].first_tile) * VLK_GEMV_ROWS;
    if (a.rope.step && p < 2) { /* both rows of eight pairs */
        first = first / a.rope.head_dim * a.rope.head_dim + first % a.rope.head_dim / 2;
        apart = a.rope.head_dim / 2;
    }
    if (a.norm.w.data)
        vlk_fill_normed(planes, stride, padded, a.x, a.cols, a.norm, room);
    else
        vlk_fill_planes(planes, stride, 0, padded, a.x, a.ldx, a.cols, a.tokens);
    __syncthreads();
    vlk_dot_tile(acc, a.part[p].w, first, apart, planes, stride, a.tokens, tid >> 5, VLK_GEMV_WARPS);
    v = vlk_tile_sum(acc, room);
    row = first + (tid / 4 & 7) + (tid / 32) * apart;
    const bool mine = tid < 64 && row < a.part[p].w.rows && tid % 4 < a.tokens;
    if (mine && a.part[p].bias.data)
        v += vlk_vector_at(a.part[p].bias, row);
    if (a.rope.step) { /* uniform */
        __syncthreads();
        if (tid < 64)
            room[tid] = v;
        __syncthreads();
        if (mine)
            v = turn_and_keep(a, p, row, tid % 4, v, room[tid ^ 32]);
    }
    if (!mine)
        return;
    float *y = a.part[p].y + (int64_t)(tid % 4) * a.part[p].w.rows + row;
    v = vlk_activate(a.act, v);
    *y = a.accumulate ? *y + v : v;
}

/* q, k and v read the same vector: products that only differ in the matrix become one launch. */
static bool join_previous(struct vlk_cuda *cuda, const struct vlk_linear_args *l, int tokens)
{
    const size_t bytes = (size_t)tokens * (size_t)l->w.rows * 4, in = (size_t)tokens * (size_t)l->w.cols * 4;
    struct gemv_args *a = (struct gemv_args *)vlk_cuda_last(cuda, (const void *)gemv_kernel);

    if (!a || l->accumulate || a->parts == PARTS || (a->norm.w.data ? a->norm.y : a->x) != l->x || a->tokens != tokens || a->accumulate ||
        a->act != (int32_t)l->act || a->cols != l->w.cols || a->rope.step)
        return false;
    struct vlk_command *c = &cuda->list.commands[cuda->list.count - 1];
    if (vlk_overlap(l->y, bytes, l->x, in) || vlk_overlap(l->y, bytes, a->x, in))
        return false;
    for (int p = 0; p < a->parts; p++) {
        size_t other = (size_t)tokens * (size_t)a->part[p].w.rows * 4;

        if (vlk_overlap(l->y, bytes, a->part[p].y, other) || vlk_overlap(l->x, in, a->part[p].y, other))
            return false;
    }
    a->part[a->parts].w = vlk_matrix_of(&l->w);
    a->part[a->parts].bias = vlk_matrix_of(&l->b);
    a->part[a->parts].y = l->y;
    a->part[a->parts++].first_tile = (int32_t)c->grid[0];
    c->grid[0] += (unsigned)((l->w.rows + VLK_GEMV_ROWS - 1) / VLK_GEMV_ROWS);
    return true;
}

static void linear_gemv(struct vlk_cuda *cuda, const struct vlk_linear_args *l)
{
    const int padded = vlk_plane_columns(l->w.cols);
    VLK_ARGS(gemv_args, a);

    if (join_previous(cuda, l, l->n))
        return;
    a.part[0].w = vlk_matrix_of(&l->w);
    a.part[0].bias = vlk_matrix_of(&l->b);
    a.part[0].y = l->y;
    a.parts = 1;
    a.tokens = l->n;
    a.cols = a.ldx = l->w.cols;
    a.act = l->act;
    a.accumulate = l->accumulate;
    a.x = l->n == 1 ? vlk_cuda_take_norm(cuda, l->x, l->w.cols, l->y, (size_t)l->w.rows * sizeof *l->y, &a.norm) : l->x;
    VLK_PUSH(cuda, gemv_kernel, dim3((unsigned)((l->w.rows + VLK_GEMV_ROWS - 1) / VLK_GEMV_ROWS)), VLK_GEMV_THREADS,
             vlk_plane_bytes(padded, l->n), a);
}

/* Pairs of a head lie half a head apart: tiles take eight rows here and eight there. */
bool vlk_cuda_turn_previous(struct vlk_cuda *cuda, const struct vlk_mha_write_args *w)
{
    struct gemv_args *a = (struct gemv_args *)vlk_cuda_last(cuda, (const void *)gemv_kernel);
    const int32_t row = w->kv_heads * w->head_dim;

    if (!a || a->parts != 3 || a->part[0].y != w->q || a->part[1].y != w->k || a->part[2].y != w->v || a->tokens != w->n || a->accumulate ||
        a->act || a->rope.step || w->rope.dim != w->head_dim || w->head_dim % VLK_GEMV_ROWS || a->part[0].w.rows != w->heads * w->head_dim ||
        a->part[1].w.rows != row || a->part[2].w.rows != row)
        return false;
    a->rope.step = w->step;
    a->rope.cos = w->rope.cos;
    a->rope.sin = w->rope.sin;
    a->rope.k_cache = w->k_cache;
    a->rope.v_cache = w->v_cache;
    a->rope.head_dim = w->head_dim;
    a->rope.half_cache = w->cache_dtype == VLK_BF16;
    return true;
}

/* ------------------------------------------------------------------------------------------------ packing */

struct pack_args {
    const void *src;
    uint16_t *dst;
    int64_t n;
    int32_t cols, ld, lds, half;
};

static __global__ void pack_kernel(pack_args a)
{
    int64_t pairs = a.ld / 2, at = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;

    for (; at < a.n * pairs; at += (int64_t)gridDim.x * blockDim.x) {
        int64_t row = at / pairs, col = at % pairs * 2;
        uint32_t v = 0;

        if (a.half) {
            const uint16_t *s = (const uint16_t *)a.src + row * a.lds + col;
            v = (col < a.cols ? s[0] : 0u) | (col + 1 < a.cols ? (uint32_t)s[1] << 16 : 0u);
        } else {
            const float *s = (const float *)a.src + row * a.lds + col;
            v = vlk_pack_bf16(col < a.cols ? s[0] : 0.0f, col + 1 < a.cols ? s[1] : 0.0f);
        }
        ((uint32_t *)a.dst)[row * pairs + col / 2] = v;
    }
}

void vlk_cuda_pack(struct vlk_cuda *cuda, int32_t n, int32_t cols, const void *src, int dtype, int32_t lds, uint16_t *dst)
{
    VLK_ARGS(pack_args, a);
    int64_t blocks;

    a.src = src;
    a.dst = dst;
    a.n = n;
    a.cols = cols;
    a.ld = vlk_packed_ld(cols);
    a.lds = lds;
    a.half = dtype == VLK_BF16;
    blocks = (a.n * (a.ld / 2) + 1023) / 1024;
    VLK_PUSH(cuda, pack_kernel, dim3((unsigned)(blocks < 4096 ? blocks : 4096)), 256, 0, a);
}

/* ------------------------------------------------------------------------------------------------ many vectors */

enum { DEPTH = 32, PITCH = DEPTH + 8, STAGES = 3 };

/* The share of a weight tile that one stage holds, as bf16. Rows behind the last repeat it: their results are not written. */
static __device__ inline void load_weights(uint16_t *to, const struct vlk_matrix &w, int first, int rows, int k0)
{
    const int blocks = vlk_blocks(w.dtype, w.cols);

    for (int i = (int)threadIdx.x; i < rows * 4; i += (int)blockDim.x) {
        const int r = i >> 2, c = i & 3;
        const uint8_t *row = w.data + (size_t)min(first + r, w.rows - 1) * w.stride;
        uint16_t *dst = to + r * PITCH;

        if (w.dtype == VLK_BF16) {
            vlk_copy_async(dst + c * 8, row + 2 * (size_t)(k0 + c * 8), true);
        } else if (w.dtype == VLK_I4G) {
            uint32_t p[4];
            float s = vlk_scale_at(row, blocks, k0 / 32);

            vlk_nibbles_to_bf16(((const uint32_t *)row)[k0 / 128 * 16 + c * 4 + (k0 / 32 & 3)], p);
            for (int h = 0; h < 4; h++)
                *(uint32_t *)(dst + (h / 2) * 16 + 4 * c + (h & 1) * 2) = vlk_pack_bf16(s * vlk_low(p[h]), s * vlk_high(p[h]));
        } else if (w.dtype == VLK_I8G) {
            const uint32_t *codes = (const uint32_t *)(row + k0 / 64 * 64 + c * 16 + (k0 / 32 & 1) * 8);
            float s = vlk_scale_at(row, blocks, k0 / 32);

            for (int h = 0; h < 2; h++) {
                uint32_t p, q;

                vlk_bytes_to_bf16(codes[h], &p, &q);
                ((uint32_t *)(dst + c * 8))[2 * h] = vlk_pack_bf16(s * vlk_low(p), s * vlk_high(p));
                ((uint32_t *)(dst + c * 8))[2 * h + 1] = vlk_pack_bf16(s * vlk_low(q), s * vlk_high(q));
            }
        } else {
            for (int h = 0; h < 4; h++) {
                int k = k0 + c * 8 + 2 * h;
                bool half = w.dtype == VLK_F16, in = half || k < blocks * 16;
                float a = !in ? 0.0f : half ? vlk_of_f16(((const uint16_t *)row)[k]) : ((const float *)row)[k];
                float b = !in ? 0.0f : half ? vlk_of_f16(((const uint16_t *)row)[k + 1]) : ((const float *)row)[k + 1];

                ((uint32_t *)(dst + c * 8))[h] = vlk_pack_bf16(a, b);
            }
        }
    }
}

/* The expert and the first row of tile `tile` of the sorted order; false behind the last tile. Warp 0 looks, all are told. */
static __device__ inline bool find_group(const struct vlk_gemm &g, int tile, int height, int *expert, int *first, int *end)
{
    __shared__ int found[3];
    const int lane = (int)threadIdx.x & 31;

    if (threadIdx.x < 32) {
        int before = 0;

        if (lane == 0)
            found[0] = -1;
        __syncwarp();
        for (int base = 0; base < g.experts; base += 32) {
            int e = base + lane, from = e < g.experts ? g.first[e] : 0, to = e < g.experts ? g.first[e + 1] : 0;
            int tiles = (to - from + height - 1) / height, sum = tiles;

            for (int o = 1; o < 32; o <<= 1) {
                int v = __shfl_up_sync(0xffffffffu, sum, (unsigned)o);
                sum += lane >= o ? v : 0;
            }
            if (tile >= before + sum - tiles && tile < before + sum) {
                found[0] = e;
                found[1] = from + (tile - before - (sum - tiles)) * height;
                found[2] = to;
            }
            before += __shfl_sync(0xffffffffu, sum, 31);
        }
    }
    __syncthreads();
    *expert = found[0];
    *first = found[1];
    *end = found[2];
    return found[0] >= 0;
}

/* Reads better whole: the pipeline's stages share what is in registers. */
template <int BM, int BN, int WARPS_M, int WARPS_N, bool GATED>
static __global__ void __launch_bounds__(WARPS_M * WARPS_N * 32) gemm_kernel(vlk_gemm a)
{
    constexpr int TM = BM / WARPS_M / 16, TN = BN / WARPS_N / 8; /* fragments of a warp */
    constexpr int STAGE = (BM + (GATED ? 2 : 1) * BN) * PITCH;
    VLK_SHARED(uint16_t, room);
    const int tid = (int)threadIdx.x, lane = tid & 31, warp = tid >> 5, wm = warp / WARPS_N * TM * 16, wn = warp % WARPS_N * TN * 8;
    const int n0 = (int)blockIdx.x * BN, steps = a.ld / DEPTH;
    int m0 = (int)blockIdx.y * BM, end = a.n, expert = 0;
    float acc[GATED ? 2 : 1][TM][TN][4] = {};

    if (a.experts && !find_group(a, (int)blockIdx.y, BM, &expert, &m0, &end))
        return;
    const struct vlk_matrix w = a.experts ? a.ws[expert] : a.w, gate = !GATED ? a.w : a.experts ? a.gates[expert] : a.gate;
    auto load = [&](int step) {
        uint16_t *xs = room + step % STAGES * STAGE;

        for (int i = tid; i < BM * 4; i += (int)blockDim.x) {
            const int r = i >> 2, c = i & 3;
            const bool valid = m0 + r < end;
            const int64_t row = !valid ? 0 : a.gather ? a.gather[m0 + r] : m0 + r;

            vlk_copy_async(xs + r * PITCH + c * 8, a.x + row * a.ld + step * DEPTH + c * 8, valid);
        }
        load_weights(xs + BM * PITCH, w, n0, BN, step * DEPTH);
        if (GATED)
            load_weights(xs + (BM + BN) * PITCH, gate, n0, BN, step * DEPTH);
    };

    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps)
            load(s);
        vlk_copy_commit();
    }
    for (int step = 0; step < steps; step++) {
        const uint16_t *xs = room + step % STAGES * STAGE;

        vlk_copy_wait<STAGES - 2>();
        __syncthreads();
        if (step + STAGES - 1 < steps)
            load(step + STAGES - 1);
        vlk_copy_commit();
        for (int kk = 0; kk < DEPTH; kk += 16) {
            uint32_t xf[TM][4];

            VLK_UNROLL
            for (int i = 0; i < TM; i++)
                vlk_ldmatrix(xf[i], xs + (wm + i * 16 + (lane & 15)) * PITCH + kk + (lane >> 4) * 8);
            VLK_UNROLL
            for (int p = 0; p < (GATED ? 2 : 1); p++)
                VLK_UNROLL
                for (int j = 0; j < TN; j += 2) {
                    uint32_t wf[4];

                    vlk_ldmatrix(wf, xs + (BM + p * BN + wn + j * 8 + (lane & 7) + (lane >> 4) * 8) * PITCH + kk + (lane >> 3 & 1) * 8);
                    VLK_UNROLL
                    for (int i = 0; i < TM; i++) {
                        vlk_mma(acc[p][i][j], xf[i], wf[0], wf[1]);
                        vlk_mma(acc[p][i][j + 1], xf[i], wf[2], wf[3]);
                    }
                }
        }
    }
    VLK_UNROLL
    for (int i = 0; i < TM; i++)
        VLK_UNROLL
        for (int j = 0; j < TN; j++)
            VLK_UNROLL
            for (int h = 0; h < 4; h++) {
                const int m = m0 + wm + i * 16 + (lane >> 2) + (h >> 1) * 8, c = n0 + wn + j * 8 + (lane & 3) * 2 + (h & 1);
                float v = acc[0][i][j][h];

                if (m >= end || c >= a.ldy)
                    continue;
                if (GATED)
                    v *= vlk_silu(acc[GATED ? 1 : 0][i][j][h]);
                if (c < w.rows && a.bias.data)
                    v += vlk_vector_at(a.bias, c);
                v = vlk_activate(a.act, v);
                if (!a.y)
                    a.half[(int64_t)m * a.ldy + c] = vlk_to_bf16(c < w.rows ? v : 0.0f);
                else if (c < w.rows)
                    a.y[(int64_t)m * a.ldy + c] = a.accumulate ? a.y[(int64_t)m * a.ldy + c] + v : v;
            }
}

/* ------------------------------------------------------------------------------------------------ weights for many rows */

struct widen_args {
    struct vlk_matrix w;
    uint16_t *out; /* [rows][ld] */
    int32_t ld, zero;
};

/* A matrix as bf16, a row per block; columns behind the last one become 0. Quantised words are taken apart four or eight at a time. */
static __global__ void __launch_bounds__(256) widen_kernel(widen_args a)
{
    const uint8_t *row = a.w.data + (size_t)blockIdx.x * a.w.stride;
    uint32_t *out = (uint32_t *)(a.out + (size_t)blockIdx.x * a.ld);
    const int blocks = vlk_blocks(a.w.dtype, a.w.cols), groups = a.ld / 32;

    for (int i = (int)threadIdx.x; i < groups * 4; i += (int)blockDim.x) {
        const int group = i >> 2, t = i & 3; /* the words that lane t of a fragment has of a group of 32 columns */
        uint32_t *to = out + group * 16;

        if (a.w.dtype == VLK_I4G) {
            const float s = vlk_scale_at(row, blocks, group);
            uint32_t p[4];

            vlk_nibbles_to_bf16(((const uint32_t *)row)[group / 4 * 16 + t * 4 + (group & 3)], p);
            for (int h = 0; h < 4; h++)
                to[(h / 2) * 8 + 2 * t + (h & 1)] = vlk_pack_bf16(s * vlk_low(p[h]), s * vlk_high(p[h]));
        } else if (a.w.dtype == VLK_I8G) {
            const float s = vlk_scale_at(row, blocks, group);
            const uint32_t *codes = (const uint32_t *)(row + group / 2 * 64 + t * 16 + (group & 1) * 8);

            for (int h = 0; h < 2; h++) {
                uint32_t p, q;

                vlk_bytes_to_bf16(codes[h], &p, &q);
                to[4 * t + 2 * h] = vlk_pack_bf16(s * vlk_low(p), s * vlk_high(p));
                to[4 * t + 2 * h + 1] = vlk_pack_bf16(s * vlk_low(q), s * vlk_high(q));
            }
        } else {
            for (int h = 0; h < 4; h++) {
                const int k = group * 32 + 8 * t + 2 * h;
                const float u = k < a.w.cols ? vlk_element(row, a.w.dtype, a.w.cols, k) : 0.0f;

                to[4 * t + h] = vlk_pack_bf16(u, k + 1 < a.w.cols ? vlk_element(row, a.w.dtype, a.w.cols, k + 1) : 0.0f);
            }
        }
    }
}

/* *w as a bf16 matrix at `out`, which then takes its place. */
static void widen(struct vlk_cuda *cuda, struct vlk_matrix *w, int32_t ld, uint16_t *out)
{
    VLK_ARGS(widen_args, a);

    a.w = *w;
    a.out = out;
    a.ld = ld;
    VLK_PUSH(cuda, widen_kernel, dim3((unsigned)w->rows), 256, 0, a);
    w->data = (const uint8_t *)out;
    w->stride = (uint32_t)ld * 2;
    w->dtype = VLK_BF16;
}

/* From so many rows on a matrix that is not bf16 is made so once, rather than by every tile of rows that reads it. False: poisoned. */
enum { WIDE_ROWS = 128 };

static bool widen_weights(struct vlk_cuda *cuda, struct vlk_gemm *g)
{
    const size_t each = (size_t)g->w.rows * (size_t)g->ld;
    uint16_t *out;

    if (g->n < WIDE_ROWS || g->experts || g->w.dtype == VLK_BF16 || (g->gate.data && g->gate.dtype == VLK_BF16))
        return true;
    out = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_WIDE, each * (g->gate.data ? 2 : 1) * sizeof *out);
    if (!out)
        return false;
    widen(cuda, &g->w, g->ld, out);
    if (g->gate.data)
        widen(cuda, &g->gate, g->ld, out + each);
    return true;
}

/* ------------------------------------------------------------------------------------------------ choice of tiles */

template <int BM, int BN, int WARPS_M, int WARPS_N, bool GATED>
static struct vlk_gemm_launch tiles_of(const char *name, const struct vlk_gemm *g, int rows)
{
    const int tiles = (g->n + BM - 1) / BM + (!g->experts ? 0 : g->experts < g->n ? g->experts : g->n);

    return {name, gemm_kernel<BM, BN, WARPS_M, WARPS_N, GATED>, dim3((unsigned)((rows + BN - 1) / BN), (unsigned)tiles), WARPS_M * WARPS_N * 32,
            (size_t)STAGES * (BM + (GATED ? 2 : 1) * BN) * PITCH * sizeof(uint16_t)};
}

/* Large tiles where they fill the GPU, small ones elsewhere. */
struct vlk_gemm_launch vlk_cuda_gemm_tiles(const struct vlk_cuda *cuda, const struct vlk_gemm *g)
{
    const int rows = g->y ? (g->w.rows ? g->w.rows : g->ldy) : g->ldy;
    const int64_t large = (int64_t)((rows + 127) / 128) * ((g->n + 127) / 128);
    const bool gated = g->gate.data || g->gates;

    if (gated && (int64_t)((rows + 63) / 64) * ((g->n + 127) / 128) >= cuda->multiprocessors && !g->experts)
        return tiles_of<128, 64, 4, 2, true>("gemm_kernel 128x64 gated", g, rows);
    if (gated)
        return tiles_of<64, 64, 2, 2, true>(g->experts ? "gemm_kernel 64x64 gated grouped" : "gemm_kernel 64x64 gated", g, rows);
    if (large >= cuda->multiprocessors && !g->experts)
        return tiles_of<128, 128, 2, 4, false>("gemm_kernel 128x128", g, rows);
    return tiles_of<64, 64, 2, 2, false>(g->experts ? "gemm_kernel 64x64 grouped" : "gemm_kernel 64x64", g, rows);
}

void vlk_cuda_gemm(struct vlk_cuda *cuda, const struct vlk_gemm *given)
{
    struct vlk_gemm g;

    memcpy(&g, given, sizeof g);
    if (!widen_weights(cuda, &g) || vlk_cuda_blas_gemm(cuda, &g))
        return;
    const struct vlk_gemm_launch l = vlk_cuda_gemm_tiles(cuda, &g);
    vlk_push(cuda, l.name, l.kernel, l.grid, l.block, l.shared, g);
}

/* ------------------------------------------------------------------------------------------------ op */

static void linear_gemm(struct vlk_cuda *cuda, const struct vlk_linear_args *l)
{
    const int32_t ld = vlk_packed_ld(l->w.cols);
    uint16_t *packed = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_PACKED, (size_t)l->n * (size_t)ld * sizeof *packed);
    VLK_ARGS(vlk_gemm, g);

    if (!packed)
        return;
    vlk_cuda_pack(cuda, l->n, l->w.cols, l->x, VLK_F32, l->w.cols, packed);
    g.n = l->n;
    g.x = packed;
    g.ld = ld;
    g.w = vlk_matrix_of(&l->w);
    g.bias = vlk_matrix_of(&l->b);
    g.act = l->act;
    g.accumulate = l->accumulate;
    g.y = l->y;
    g.ldy = l->w.rows;
    vlk_cuda_gemm(cuda, &g);
}

void vlk_cuda_linear(struct vlk_backend *be, const struct vlk_linear_args *l)
{
    if (l->n <= 0)
        return;
    if (l->n <= VLK_GEMV_TOKENS && vlk_plane_bytes(vlk_plane_columns(l->w.cols), l->n) + 4096 <= vlk_cuda_of(be)->shared_limit)
        linear_gemv(vlk_cuda_of(be), l);
    else
        linear_gemm(vlk_cuda_of(be), l);
}
