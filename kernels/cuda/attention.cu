/* SPDX-License-Identifier: MIT
 *
 * Attention on the GPU. Few new tokens: the keys are split over the blocks, so that a long cache is read by the whole GPU, and
 * the parts are put together afterwards in order. Many: blocks of 64 queries walk over the keys (flash attention), for the
 * vision tower too. Both on tensor cores with f32 sums and an online softmax; the number of keys comes from struct vlk_step.
 * Called by the op table and by mla.cu. A kernel is one pass over registers and reads better whole; so does this file.
 */
#include "kernels/cuda/backend.cuh"

static __device__ __forceinline__ float kv_at(const vlk_kv_rows &r, int64_t at)
{
    return r.dtype == VLK_BF16 ? vlk_of_bf16(((const uint16_t *)r.data)[at]) : ((const float *)r.data)[at];
}

/* Two neighbours as bf16, the second one only if it is inside. */
static __device__ __forceinline__ uint32_t kv_pair(const vlk_kv_rows &r, int64_t at, bool second)
{
    if (r.dtype == VLK_BF16) {
        const uint16_t *p = (const uint16_t *)r.data + at;
        return p[0] | (second ? (uint32_t)p[1] << 16 : 0u);
    }
    const float *p = (const float *)r.data + at;
    return vlk_pack_bf16(p[0], second ? p[1] : 0.0f);
}

/* `count` rows from `first` on as bf16 at `pitch`, columns up to `padded` and rows from `end` on zeroed. `column`: where in the
 * shared row the first element goes. 16 bytes at a time where the rows allow it. */
static __device__ inline void load_rows(uint16_t *to, int pitch, const vlk_kv_rows &r, int64_t base, int first, int count, int end, int column,
                                        int padded)
{
    const bool wide = r.dtype == VLK_BF16 && r.width % 8 == 0 && r.stride % 8 == 0 && column % 8 == 0 && base % 8 == 0 &&
                      ((uintptr_t)r.data & 15) == 0;
    const int step = wide ? 8 : 2, units = (padded + step - 1) / step;

    for (int i = (int)threadIdx.x; i < count * units; i += (int)blockDim.x) {
        const int row = i / units, col = i % units * step;
        const bool in = first + row < end && col < r.width;
        const int64_t at = base + (int64_t)(first + row) * r.stride + col;
        uint16_t *dst = to + row * pitch + column + col;

        if (wide) {
            *(uint4 *)dst = in ? *(const uint4 *)((const uint16_t *)r.data + at) : make_uint4(0, 0, 0, 0);
        } else if (column % 2 == 0 && col + 1 < padded) {
            *(uint32_t *)dst = in ? kv_pair(r, at, col + 1 < r.width) : 0;
        } else {
            dst[0] = in ? vlk_to_bf16(kv_at(r, at)) : 0;
            if (col + 1 < padded)
                dst[1] = in && col + 1 < r.width ? vlk_to_bf16(kv_at(r, at + 1)) : 0;
        }
    }
}

/* ------------------------------------------------------------------------------------------------ write */

struct write_args {
    int32_t heads, kv_heads, head_dim, half_cache;
    struct vlk_rope rope;
    const struct vlk_step *step;
    float *q;
    const float *k, *v;
    void *k_cache, *v_cache;
};

/* Block (token): rotates q in place, k on its way into the cache, and stores v. */
static __global__ void __launch_bounds__(256) mha_write_kernel(write_args a)
{
    const int half = a.rope.dim / 2, rest = a.head_dim - half, token = (int)blockIdx.x;
    const int64_t pos = a.step->pos + token, row = (int64_t)a.kv_heads * a.head_dim;
    const float *cosine = a.rope.cos + pos * half, *sine = a.rope.sin + pos * half;
    float *q = a.q + (int64_t)token * a.heads * a.head_dim;
    const float *k = a.k + token * row, *v = a.v + token * row;

    for (int i = (int)threadIdx.x; i < a.heads * half; i += (int)blockDim.x) {
        float *x = q + i / half * a.head_dim + i % half, lower = x[0], upper = x[half], c = cosine[i % half], s = sine[i % half];

        x[0] = lower * c - upper * s;
        x[half] = upper * c + lower * s;
    }
    for (int i = (int)threadIdx.x; i < a.kv_heads * rest; i += (int)blockDim.x) {
        const int64_t at = (int64_t)(i / rest) * a.head_dim + i % rest;
        const int d = i % rest;

        if (d >= half) { /* behind the rotated part */
            if (d + half < a.head_dim)
                vlk_store(a.k_cache, a.half_cache, pos * row + at + half, k[at + half]);
            continue;
        }
        vlk_store(a.k_cache, a.half_cache, pos * row + at, k[at] * cosine[d] - k[at + half] * sine[d]);
        vlk_store(a.k_cache, a.half_cache, pos * row + at + half, k[at + half] * cosine[d] + k[at] * sine[d]);
    }
    for (int i = (int)threadIdx.x; i < row; i += (int)blockDim.x)
        vlk_store(a.v_cache, a.half_cache, pos * row + i, v[i]);
}

void vlk_cuda_mha_write(struct vlk_backend *be, const struct vlk_mha_write_args *w)
{
    VLK_ARGS(write_args, a);

    if (vlk_cuda_turn_previous(vlk_cuda_of(be), w))
        return;
    a.heads = w->heads;
    a.kv_heads = w->kv_heads;
    a.head_dim = w->head_dim;
    a.half_cache = w->cache_dtype == VLK_BF16;
    a.rope.cos = w->rope.cos;
    a.rope.sin = w->rope.sin;
    a.rope.dim = w->rope.dim;
    a.step = w->step;
    a.q = w->q;
    a.k = w->k;
    a.v = w->v;
    a.k_cache = w->k_cache;
    a.v_cache = w->v_cache;
    VLK_PUSH(vlk_cuda_of(be), mha_write_kernel, dim3((unsigned)w->n), 256, 0, a);
}

/* ------------------------------------------------------------------------------------------------ few queries */

enum { SPLIT_KEYS = 32, SPLIT_WARPS = 8, SPLIT_THREADS = 256, SPLIT_ROWS = 16, SPLIT_TILES = 8, SPLITS = 64 };
enum { SCORE_PITCH = 36, PROB_PITCH = SPLIT_KEYS + 8 };

static __host__ __device__ inline int padded16(int n) { return (n + 15) / 16 * 16; }

struct split_layout { /* of the dynamic shared memory, in 2-byte elements */
    int dk, dv, pitch_k, pitch_v, q, k, v, p, total;
};

static __host__ __device__ inline split_layout split_layout_of(int k_width, int v_width, bool shared)
{
    split_layout l;

    l.dk = padded16(k_width);
    l.dv = padded16(v_width);
    l.pitch_k = l.dk + 8;
    l.pitch_v = shared ? l.pitch_k : l.dv + 8;
    l.q = 0;
    l.k = 2 * SPLIT_ROWS * l.pitch_k;
    l.v = shared ? l.k : l.k + SPLIT_KEYS * l.pitch_k;
    l.p = l.v + SPLIT_KEYS * l.pitch_v;
    l.total = l.p + 2 * SPLIT_ROWS * PROB_PITCH;
    return l;
}

/* Rows h0 … h0+rows of a token: its splits put together in their order. Every thread of the block that wrote the last of them. */
static __device__ inline void join_splits(const vlk_split &a, int token, int h0, int rows, float *scale)
{
    const int width = a.v.width, pitch = width + 2;

    for (int r = 0; r < rows; r++) {
        const int64_t row = (int64_t)token * a.heads + h0 + r;
        const float *p = a.partial + row * a.splits * pitch;
        float top = -INFINITY, total = 0;

        for (int s = 0; s < a.splits; s++)
            top = fmaxf(top, p[(int64_t)s * pitch + width]);
        __syncthreads();
        for (int s = (int)threadIdx.x; s < a.splits; s += SPLIT_THREADS)
            scale[s] = expf(p[(int64_t)s * pitch + width] - top);
        __syncthreads();
        for (int s = 0; s < a.splits; s++)
            total += p[(int64_t)s * pitch + width + 1] * scale[s];
        for (int i = (int)threadIdx.x; i < width; i += SPLIT_THREADS) {
            float sum = 0;

            for (int s = 0; s < a.splits; s++)
                sum += p[(int64_t)s * pitch + i] * scale[s];
            a.out[row * width + i] = sum / total;
        }
    }
}

/* Block (split, 16 heads of a group, token). Warps share out keys and halves of their columns for the scores, and columns of
 * the values for the result. Queries and weights are taken as high and low bf16 halves: only the cache's own rounding is left. It reads better
 * whole: its steps share what is in registers. */
static __global__ void __launch_bounds__(SPLIT_THREADS, 2) split_kernel(vlk_split a)
{
    VLK_SHARED(uint16_t, room);
    __shared__ float scores[2][SPLIT_ROWS][SCORE_PITCH], peak[SPLIT_ROWS], total[SPLIT_ROWS], shrink[SPLIT_ROWS];
    __shared__ int last;
    const bool shared_v = !a.v.data;
    const split_layout l = split_layout_of(a.k.width, a.v.width, shared_v);
    const int tid = (int)threadIdx.x, lane = tid & 31, warp = tid >> 5, group = a.heads / a.kv_heads;
    const int chunks = (group + SPLIT_ROWS - 1) / SPLIT_ROWS;
    const int kv_head = (int)blockIdx.y / chunks, h0 = kv_head * group + (int)blockIdx.y % chunks * SPLIT_ROWS, token = (int)blockIdx.z;
    const int rows = min((int)SPLIT_ROWS, (kv_head + 1) * group - h0), keys = a.step->pos + token + 1;
    const int share = ((keys + a.splits - 1) / a.splits + SPLIT_KEYS - 1) / SPLIT_KEYS * SPLIT_KEYS;
    const int from = (int)blockIdx.x * share, to = min(from + share, keys);
    uint16_t *q = room + l.q, *k = room + l.k, *v = room + l.v, *p = room + l.p;
    float acc[SPLIT_TILES][4] = {};

    for (int i = tid; i < SPLIT_ROWS * l.dk; i += SPLIT_THREADS) {
        const int r = i / l.dk, c = i % l.dk;
        float x = r < rows && c < a.k.width ? a.q[((int64_t)token * a.heads + h0 + r) * a.k.width + c] * a.scale : 0.0f;

        vlk_halves(x, q + r * l.pitch_k + c, q + (SPLIT_ROWS + r) * l.pitch_k + c);
    }
    if (tid < SPLIT_ROWS) {
        peak[tid] = -INFINITY;
        total[tid] = 0;
    }
    for (int first = from; first < to; first += SPLIT_KEYS) {
        __syncthreads();
        load_rows(k, l.pitch_k, a.k, (int64_t)kv_head * a.k.head_step, first, SPLIT_KEYS, to, 0, l.dk);
        if (!shared_v)
            load_rows(v, l.pitch_v, a.v, (int64_t)kv_head * a.v.head_step, first, SPLIT_KEYS, to, 0, l.dv);
        __syncthreads();
        { /* scores: warp = 8 keys, every second step of 16 columns */
            float s[4] = {0, 0, 0, 0};
            const int n0 = warp % 4 * 8;

            for (int c = warp / 4 * 16; c < l.dk; c += 32) {
                uint32_t x[4];
                const uint16_t *row = k + (n0 + (lane >> 2)) * l.pitch_k + c + (lane & 3) * 2;
                const uint32_t b0 = *(const uint32_t *)row, b1 = *(const uint32_t *)(row + 8);

                for (int half = 0; half < 2; half++) {
                    vlk_ldmatrix(x, q + (half * SPLIT_ROWS + (lane & 15)) * l.pitch_k + c + (lane >> 4) * 8);
                    vlk_mma(s, x, b0, b1);
                }
            }
            for (int i = 0; i < 4; i++)
                scores[warp / 4][(lane >> 2) + (i >> 1) * 8][n0 + (lane & 3) * 2 + (i & 1)] = s[i];
        }
        __syncthreads();
        for (int r = warp; r < SPLIT_ROWS; r += SPLIT_WARPS) {
            const bool in = first + lane < to;
            const float s = in ? scores[0][r][lane] + scores[1][r][lane] : -INFINITY, old = peak[r], top = fmaxf(old, vlk_warp_max(s));
            const float e = in ? expf(s - top) : 0.0f, sum = vlk_warp_sum(e);

            vlk_halves(e, p + r * PROB_PITCH + lane, p + (SPLIT_ROWS + r) * PROB_PITCH + lane);
            __syncwarp();
            if (lane == 0) {
                shrink[r] = expf(old - top);
                total[r] = total[r] * expf(old - top) + sum;
                peak[r] = top;
            }
        }
        __syncthreads();
        const float s0 = shrink[lane >> 2], s1 = shrink[(lane >> 2) + 8];
        uint32_t x[SPLIT_KEYS / 16][2][4];

        VLK_UNROLL
        for (int c = 0; c < SPLIT_KEYS / 16; c++)
            VLK_UNROLL
            for (int half = 0; half < 2; half++)
                vlk_ldmatrix(x[c][half], p + (half * SPLIT_ROWS + (lane & 15)) * PROB_PITCH + c * 16 + (lane >> 4) * 8);
        VLK_UNROLL
        for (int i = 0; i < SPLIT_TILES / 2; i++) {
            const int n0 = (warp + i * SPLIT_WARPS) * 16;

            if (n0 >= l.dv)
                continue;
            VLK_UNROLL
            for (int n = 2 * i; n < 2 * i + 2; n++) {
                acc[n][0] *= s0;
                acc[n][1] *= s0;
                acc[n][2] *= s1;
                acc[n][3] *= s1;
            }
            VLK_UNROLL
            for (int c = 0; c < SPLIT_KEYS / 16; c++) {
                uint32_t y[4];

                vlk_ldmatrix_trans(y, v + (c * 16 + (lane & 15)) * l.pitch_v + n0 + (lane >> 4) * 8);
                VLK_UNROLL
                for (int half = 0; half < 2; half++) {
                    vlk_mma(acc[2 * i], x[c][half], y[0], y[1]);
                    vlk_mma(acc[2 * i + 1], x[c][half], y[2], y[3]);
                }
            }
        }
    }
    __syncthreads();
    VLK_UNROLL
    for (int i = 0; i < SPLIT_TILES; i++)
        VLK_UNROLL
        for (int h = 0; h < 4; h++) {
            const int r = (lane >> 2) + (h >> 1) * 8, c = (warp + i / 2 * SPLIT_WARPS) * 16 + i % 2 * 8 + (lane & 3) * 2 + (h & 1);

            if (r < rows && c < a.v.width)
                a.partial[((((int64_t)token * a.heads + h0 + r) * a.splits) + blockIdx.x) * (a.v.width + 2) + c] = acc[i][h];
        }
    if (tid < rows) {
        float *at = a.partial + ((((int64_t)token * a.heads + h0 + tid) * a.splits) + blockIdx.x) * (a.v.width + 2) + a.v.width;

        at[0] = peak[tid];
        at[1] = total[tid];
    }
    if (!a.out)
        return;
    int32_t *counter = a.counters + blockIdx.z * gridDim.y + blockIdx.y;

    __threadfence();
    __syncthreads();
    if (tid == 0)
        last = atomicAdd(counter, 1) == a.splits - 1;
    __syncthreads();
    if (!last)
        return;
    __threadfence();
    if (tid == 0)
        *counter = 0;
    join_splits(a, token, h0, rows, &scores[0][0][0]);
}

/* As many splits as fill the GPU twice, but none with less than 64 keys. They depend on max_pos rounded up to a power of two,
 * so that the launch stays the same for many steps. */
bool vlk_cuda_split(struct vlk_cuda *cuda, struct vlk_split *s, int32_t max_pos)
{
    const int group = s->heads / s->kv_heads, blocks = s->n * s->kv_heads * ((group + SPLIT_ROWS - 1) / SPLIT_ROWS);
    const split_layout l = split_layout_of(s->k.width, s->v.width, !s->v.data);
    int rounded = 256, wanted = (2 * cuda->multiprocessors + blocks - 1) / blocks;

    if (l.dv > SPLIT_TILES * SPLIT_WARPS * 8) {
        vlk_cuda_poison(cuda, VLK_ERR_UNSUPPORTED, "Attention with values of %d columns is beyond this backend.", s->v.width);
        return false;
    }
    if (s->out && blocks > VLK_CUDA_COUNTERS) {
        vlk_cuda_poison(cuda, VLK_ERR_UNSUPPORTED, "Attention of %d tokens with %d heads is beyond this backend.", s->n, s->heads);
        return false;
    }
    s->counters = cuda->counters;
    while (rounded < max_pos)
        rounded *= 2;
    wanted = wanted < rounded / 64 ? wanted : rounded / 64;
    s->splits = wanted < 1 ? 1 : wanted > SPLITS ? SPLITS : wanted;
    s->partial = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_PARTIAL,
                                           (size_t)s->n * (size_t)s->heads * (size_t)s->splits * (size_t)(s->v.width + 2) * sizeof(float));
    return s->partial && VLK_PUSH(cuda, split_kernel, dim3((unsigned)s->splits, (unsigned)(blocks / s->n), (unsigned)s->n), SPLIT_THREADS,
                                  (size_t)l.total * 2, *s);
}

/* ------------------------------------------------------------------------------------------------ many queries */

enum { FLASH_ROWS = 64, FLASH_KEYS = 32, FLASH_THREADS = 128, FLASH_COLUMNS = 128 /* of values, at most */ };

/* The biases by places of a lane's scores: two rows, from row0 on, and eight keys, from `key` on. */
static __device__ inline void add_places(const vlk_flash &a, int64_t head, int row0, int key, int t, float s[FLASH_KEYS / 8][4])
{
    VLK_UNROLL
    for (int j = 0; j < FLASH_KEYS / 8; j++)
        VLK_UNROLL
        for (int i = 0; i < 4; i++) {
            const int row = row0 + (i >> 1) * 8, at = key + j * 8 + 2 * t + (i & 1);
            const int64_t place = (head * a.n + row) * a.side;

            if (row < a.n && at < a.keys)
                s[j][i] += a.down[place + at / a.side] + a.across[place + at % a.side];
        }
}

/* Block (64 tokens, head, tile); DK and DV are the widths rounded up. A warp owns 16 rows: scores, softmax and result stay in
 * its registers. Queries and softmax weights are rounded to bf16 as keys and values are. It reads better whole. */
template <int DK, int DV> static __global__ void __launch_bounds__(FLASH_THREADS) flash_kernel(vlk_flash a)
{
    constexpr int PK = DK + 8, PV = DV + 8;
    VLK_SHARED(uint16_t, room);
    uint16_t *q = room, *k = q + FLASH_ROWS * PK, *v = k + FLASH_KEYS * PK;
    const int tid = (int)threadIdx.x, lane = tid & 31, warp = tid >> 5, g = lane >> 2, t = lane & 3;
    const int first = (int)blockIdx.x * FLASH_ROWS, head = (int)blockIdx.y, kv_head = head / a.group, pos = a.step ? a.step->pos : 0;
    const int keys = a.step ? min(pos + a.n, pos + first + FLASH_ROWS) : a.keys;
    const float *qs = a.q + blockIdx.z * a.q_batch + (int64_t)head * a.q_head;
    const int width = a.k.width + (a.k2.data ? a.k2.width : 0), row0 = first + warp * 16 + g;
    const int limit0 = a.step ? pos + row0 + 1 : a.keys, limit1 = a.step ? pos + row0 + 9 : a.keys;
    float acc[DV / 8][4] = {}, top[2] = {-INFINITY, -INFINITY}, total[2] = {0, 0};

    for (int i = tid; i < FLASH_ROWS * (DK / 2); i += FLASH_THREADS) {
        const int r = i / (DK / 2), c = i % (DK / 2) * 2;
        const float *x = qs + (int64_t)(first + r) * a.q_stride + c;
        const bool in = first + r < a.n;

        *(uint32_t *)(q + r * PK + c) = vlk_pack_bf16(in && c < width ? x[0] * a.scale : 0.0f, in && c + 1 < width ? x[1] * a.scale : 0.0f);
    }
    for (int key = 0; key < keys; key += FLASH_KEYS) {
        float s[FLASH_KEYS / 8][4] = {}, peak[2] = {top[0], top[1]}, shrink[2], sum[2] = {0, 0};

        __syncthreads();
        load_rows(k, PK, a.k, blockIdx.z * a.kv_batch + (int64_t)kv_head * a.k.head_step, key, FLASH_KEYS, keys, 0,
                  a.k2.data ? a.k.width : DK);
        if (a.k2.data)
            load_rows(k, PK, a.k2, 0, key, FLASH_KEYS, keys, a.k.width, DK - a.k.width);
        load_rows(v, PV, a.v, blockIdx.z * a.kv_batch + (int64_t)kv_head * a.v.head_step, key, FLASH_KEYS, keys, 0, DV);
        __syncthreads();
        VLK_UNROLL
        for (int c = 0; c < DK; c += 16) {
            uint32_t x[4];

            vlk_ldmatrix(x, q + (warp * 16 + (lane & 15)) * PK + c + (lane >> 4) * 8);
            VLK_UNROLL
            for (int j = 0; j < FLASH_KEYS / 8; j += 2) {
                uint32_t y[4];

                vlk_ldmatrix(y, k + (j * 8 + (lane & 7) + (lane >> 4) * 8) * PK + c + (lane >> 3 & 1) * 8);
                vlk_mma(s[j], x, y[0], y[1]);
                vlk_mma(s[j + 1], x, y[2], y[3]);
            }
        }
        if (a.down)
            add_places(a, (int64_t)blockIdx.z * a.heads + head, row0, key, t, s);
        VLK_UNROLL
        for (int j = 0; j < FLASH_KEYS / 8; j++)
            VLK_UNROLL
            for (int i = 0; i < 4; i++) {
                if (key + j * 8 + 2 * t + (i & 1) >= (i < 2 ? limit0 : limit1))
                    s[j][i] = -INFINITY;
                peak[i >> 1] = fmaxf(peak[i >> 1], s[j][i]);
            }
        VLK_UNROLL
        for (int i = 0; i < 2; i++) { /* the four lanes of a row agree */
            peak[i] = fmaxf(peak[i], __shfl_xor_sync(0xffffffffu, peak[i], 1));
            peak[i] = fmaxf(peak[i], __shfl_xor_sync(0xffffffffu, peak[i], 2));
            shrink[i] = peak[i] == -INFINITY ? 1.0f : expf(top[i] - peak[i]);
            top[i] = peak[i];
        }
        VLK_UNROLL
        for (int j = 0; j < FLASH_KEYS / 8; j++)
            VLK_UNROLL
            for (int i = 0; i < 4; i++) {
                s[j][i] = s[j][i] == -INFINITY ? 0.0f : expf(s[j][i] - top[i >> 1]);
                sum[i >> 1] += s[j][i];
            }
        VLK_UNROLL
        for (int i = 0; i < 2; i++) {
            sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], 1);
            sum[i] += __shfl_xor_sync(0xffffffffu, sum[i], 2);
            total[i] = total[i] * shrink[i] + sum[i];
        }
        VLK_UNROLL
        for (int n = 0; n < DV / 8; n++)
            VLK_UNROLL
            for (int i = 0; i < 4; i++)
                acc[n][i] *= shrink[i >> 1];
        VLK_UNROLL
        for (int c = 0; c < FLASH_KEYS; c += 16) {
            const uint32_t x[4] = {vlk_pack_bf16(s[c / 8][0], s[c / 8][1]), vlk_pack_bf16(s[c / 8][2], s[c / 8][3]),
                                   vlk_pack_bf16(s[c / 8 + 1][0], s[c / 8 + 1][1]), vlk_pack_bf16(s[c / 8 + 1][2], s[c / 8 + 1][3])};
            VLK_UNROLL
            for (int n = 0; n < DV / 8; n += 2) {
                uint32_t y[4];

                vlk_ldmatrix_trans(y, v + (c + (lane & 15)) * PV + n * 8 + (lane >> 4) * 8);
                vlk_mma(acc[n], x, y[0], y[1]);
                vlk_mma(acc[n + 1], x, y[2], y[3]);
            }
        }
    }
    VLK_UNROLL
    for (int n = 0; n < DV / 8; n++)
        VLK_UNROLL
        for (int i = 0; i < 4; i++) {
            const int row = row0 + (i >> 1) * 8, c = n * 8 + 2 * t + (i & 1);

            if (row < a.n && c < a.v.width)
                a.out[blockIdx.z * a.out_batch + (int64_t)row * a.out_stride + (int64_t)head * a.out_head + c] = acc[n][i] / total[i >> 1];
        }
}

template <int DK, int DV> static bool push_flash(struct vlk_cuda *cuda, const char *name, const struct vlk_flash *f, int width, int32_t batch)
{
    if (width > DK || f->v.width > DV)
        return false;
    vlk_push(cuda, name, flash_kernel<DK, DV>, dim3((unsigned)((f->n + FLASH_ROWS - 1) / FLASH_ROWS), (unsigned)f->heads, (unsigned)batch),
             FLASH_THREADS, (size_t)((FLASH_ROWS + FLASH_KEYS) * (DK + 8) + FLASH_KEYS * (DV + 8)) * 2, *f);
    return true;
}

void vlk_cuda_flash(struct vlk_cuda *cuda, const struct vlk_flash *f, int32_t batch)
{
    const int width = f->k.width + (f->k2.data ? f->k2.width : 0);

    if (!push_flash<32, 32>(cuda, "flash_kernel 32x32", f, width, batch) && !push_flash<80, 80>(cuda, "flash_kernel 80x80", f, width, batch) &&
        !push_flash<128, 128>(cuda, "flash_kernel 128x128", f, width, batch) &&
        !push_flash<192, 128>(cuda, "flash_kernel 192x128", f, width, batch))
        vlk_cuda_poison(cuda, VLK_ERR_UNSUPPORTED, "Attention with heads of %d and %d columns is beyond this backend.", width, f->v.width);
}

/* ------------------------------------------------------------------------------------------------ probabilities */

static __device__ float probs_score(const vlk_probs &a, const float *q, int head, int key)
{
    const int64_t at = (int64_t)key * a.k.stride + (int64_t)(head / a.group) * a.k.head_step;
    float s = 0;

    for (int c = 0; c < a.k.width; c++)
        s += q[c] * kv_at(a.k, at + c);
    return s * a.scale;
}

/* Block (head, token): scores, then softmax, in the row of the result itself; entries behind the row's keys are 0. Keys behind the
 * row's end have a part in the sum and are scored once more for it: they are the few that came after what is asked about. */
static __global__ void __launch_bounds__(128) probs_kernel(vlk_probs a)
{
    __shared__ float room[32];
    const int head = (int)blockIdx.x, token = (int)blockIdx.y, keys = a.step->pos + token + 1, kept = min(keys, a.stride), tid = (int)threadIdx.x;
    const float *q = a.q + ((int64_t)token * a.heads + head) * a.k.width;
    float *p = a.probs + ((int64_t)token * a.heads + head) * a.stride, top = -INFINITY, sum = 0, all;

    for (int i = tid; i < max(keys, a.stride); i += (int)blockDim.x) {
        const float s = i < keys ? probs_score(a, q, head, i) : 0.0f;

        if (i < a.stride)
            p[i] = s;
        top = i < keys ? fmaxf(top, s) : top;
    }
    top = vlk_warp_max(top);
    if ((tid & 31) == 0)
        room[tid >> 5] = top;
    __syncthreads();
    for (int w = 0; w < (int)blockDim.x / 32; w++)
        top = fmaxf(top, room[w]);
    for (int i = tid; i < keys; i += (int)blockDim.x) {
        const float e = expf((i < kept ? p[i] : probs_score(a, q, head, i)) - top);

        if (i < kept)
            p[i] = e;
        sum += e;
    }
    all = vlk_block_sum(sum, room);
    for (int i = tid; i < kept; i += (int)blockDim.x)
        p[i] /= all;
}

void vlk_cuda_probs(struct vlk_cuda *cuda, const struct vlk_probs *p)
{
    VLK_PUSH(cuda, probs_kernel, dim3((unsigned)p->heads, (unsigned)p->n), 128, 0, *p);
}

/* ------------------------------------------------------------------------------------------------ ops */

enum { FEW_QUERIES = 8 };

void vlk_cuda_mha_attend(struct vlk_backend *be, const struct vlk_mha_attend_args *m)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    const int32_t row = m->kv_heads * m->head_dim, width = m->heads * m->head_dim;
    VLK_ARGS(vlk_kv_rows, k);
    struct vlk_kv_rows v;

    if (m->n <= 0)
        return;
    k.data = m->k_cache;
    k.dtype = m->cache_dtype;
    k.stride = row;
    k.head_step = k.width = m->head_dim;
    memcpy(&v, &k, sizeof v);
    v.data = m->v_cache;
    if (m->n <= FEW_QUERIES || m->head_dim > FLASH_COLUMNS) {
        VLK_ARGS(vlk_split, s);

        s.n = m->n;
        s.heads = m->heads;
        s.kv_heads = m->kv_heads;
        s.scale = m->scale;
        s.step = m->step;
        s.q = m->q;
        memcpy(&s.k, &k, sizeof k);
        memcpy(&s.v, &v, sizeof v);
        s.out = m->out;
        if (!vlk_cuda_split(cuda, &s, m->max_pos))
            return;
    } else {
        VLK_ARGS(vlk_flash, f);

        f.n = m->n;
        f.heads = m->heads;
        f.group = m->heads / m->kv_heads;
        f.scale = m->scale;
        f.step = m->step;
        f.q = m->q;
        f.out = m->out;
        f.q_stride = f.out_stride = width;
        f.q_head = f.out_head = m->head_dim;
        memcpy(&f.k, &k, sizeof k);
        memcpy(&f.v, &v, sizeof v);
        vlk_cuda_flash(cuda, &f, 1);
    }
    if (m->probs) {
        VLK_ARGS(vlk_probs, p);

        p.n = m->n;
        p.heads = m->heads;
        p.group = m->heads / m->kv_heads;
        p.stride = m->probs_stride;
        p.scale = m->scale;
        p.step = m->step;
        p.q = m->q;
        memcpy(&p.k, &k, sizeof k);
        p.probs = m->probs;
        vlk_cuda_probs(cuda, &p);
    }
}

void vlk_cuda_vit_attend(struct vlk_backend *be, const struct vlk_vit_attend_args *v)
{
    const int32_t width = v->heads * v->head_dim, row = 3 * width;
    VLK_ARGS(vlk_flash, f);

    if (v->n <= 0)
        return;
    f.n = f.keys = v->tokens;
    f.heads = v->heads;
    f.group = 1;
    f.scale = 1 / sqrtf((float)v->head_dim);
    f.q = v->qkv;
    f.out = v->out;
    f.q_stride = row;
    f.out_stride = width;
    f.q_head = f.out_head = v->head_dim;
    f.q_batch = f.kv_batch = (int64_t)v->tokens * row;
    f.out_batch = (int64_t)v->tokens * width;
    f.k.data = v->qkv + width;
    f.v.data = v->qkv + 2 * width;
    f.k.dtype = f.v.dtype = VLK_F32;
    f.k.stride = f.v.stride = row;
    f.k.head_step = f.v.head_step = f.k.width = f.v.width = v->head_dim;
    vlk_cuda_flash(vlk_cuda_of(be), &f, v->n);
}
