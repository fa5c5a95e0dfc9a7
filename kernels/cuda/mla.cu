/* SPDX-License-Identifier: MIT
 *
 * Multi-head latent attention on the GPU. The cache holds one compressed row per token. Few new tokens: W_UK is absorbed into
 * the query, all heads attend to the compressed rows, and W_UV is applied while the splits are put together. Many: rows are
 * expanded to keys and values by one product, then attention.cu runs as for plain heads. Called by the op table.
 */
#include "kernels/cuda/backend.cuh"
#include "kernels/cuda/gemv.cuh"

/* ------------------------------------------------------------------------------------------------ write */

struct mla_write_args {
    int32_t heads, nope, lora, half_cache;
    float eps;
    struct vlk_rope rope;
    struct vlk_matrix norm;
    const struct vlk_step *step;
    float *q;
    const float *kv_a;
    void *cache;
};

/* Columns i (i < rope.dim) of a head's rotated part: pairs are neighbours or half a head apart, results always half. */
static __device__ __forceinline__ float turned_at(const mla_write_args &a, const float *x, int64_t pos, int i)
{
    const int half = a.rope.dim / 2, pair = i % half, near = a.rope.interleaved ? 2 * pair : pair;
    const int far = a.rope.interleaved ? near + 1 : pair + half;
    const float c = a.rope.cos[pos * half + pair], s = a.rope.sin[pos * half + pair];

    return i < half ? x[near] * c - x[far] * s : x[far] * c + x[near] * s;
}

/* The cache row of a token, by a whole block. room: 32 floats. */
static __device__ inline void write_row(const mla_write_args &a, int token, float *room)
{
    const int64_t pos = a.step->pos + token, width = a.lora + a.rope.dim;
    const float *kv = a.kv_a + token * width;
    float square = 0, r;

    for (int i = (int)threadIdx.x; i < a.lora; i += (int)blockDim.x)
        square += kv[i] * kv[i];
    r = 1.0f / sqrtf(vlk_block_sum(square, room) / (float)a.lora + a.eps);
    for (int i = (int)threadIdx.x; i < a.lora; i += (int)blockDim.x)
        vlk_store(a.cache, a.half_cache, pos * width + i, kv[i] * r * vlk_vector_at(a.norm, i));
    for (int i = (int)threadIdx.x; i < a.rope.dim; i += (int)blockDim.x)
        vlk_store(a.cache, a.half_cache, pos * width + a.lora + i, turned_at(a, kv + a.lora, pos, i));
}

/* Block (token). The turned part of q goes through shared memory, as its order changes in place. */
static __global__ void __launch_bounds__(256) mla_write_kernel(mla_write_args a)
{
    VLK_SHARED(float, turned);
    __shared__ float room[32];
    const int token = (int)blockIdx.x, tid = (int)threadIdx.x, head = a.nope + a.rope.dim;
    float *q = a.q + (int64_t)token * a.heads * head;

    for (int i = tid; i < a.heads * a.rope.dim; i += (int)blockDim.x)
        turned[i] = turned_at(a, q + i / a.rope.dim * head + a.nope, a.step->pos + token, i % a.rope.dim);
    write_row(a, token, room); /* with a barrier */
    for (int i = tid; i < a.heads * a.rope.dim; i += (int)blockDim.x)
        q[i / a.rope.dim * head + a.nope + i % a.rope.dim] = turned[i];
}

void vlk_cuda_mla_write(struct vlk_backend *be, const struct vlk_mla_write_args *w)
{
    VLK_ARGS(mla_write_args, a);

    a.heads = w->heads;
    a.nope = w->nope;
    a.lora = w->lora;
    a.half_cache = w->cache_dtype == VLK_BF16;
    a.eps = w->eps;
    a.rope.cos = w->rope.cos;
    a.rope.sin = w->rope.sin;
    a.rope.dim = w->rope.dim;
    a.rope.interleaved = w->rope.interleaved;
    a.norm = vlk_matrix_of(&w->kv_norm);
    a.step = w->step;
    a.q = w->q;
    a.kv_a = w->kv_a;
    a.cache = w->cache;
    VLK_PUSH(vlk_cuda_of(be), mla_write_kernel, dim3((unsigned)w->n), 256, (size_t)w->heads * (size_t)w->rope.dim * sizeof(float), a);
}

/* ------------------------------------------------------------------------------------------------ absorbed */

enum { ABSORB_THREADS = 256, ABSORB_COLUMNS = 64, ABSORB_SLICES = 32, ABSORB_WIDTH = 8 };

struct absorb_args {
    int32_t heads, nope, lora, v, rope, zero;
    struct vlk_matrix kv_b;
    const float *q;
    float *out; /* [n][heads][lora + rope] */
    struct mla_write_args write; /* cache NULL: q is rotated and the rows are written */
};

/* Eight neighbours of a row, which may be short at its end. */
static __device__ inline void row_values(const vlk_matrix &w, const uint8_t *row, int col, float out[8])
{
    if (w.dtype == VLK_BF16) { /* rows are zero-filled to 64 bytes */
        const uint4 u = vlk_stream16(row + 2 * col);
        const uint32_t words[4] = {u.x, u.y, u.z, u.w};

        for (int i = 0; i < 4; i++) {
            out[2 * i] = vlk_low(words[i]);
            out[2 * i + 1] = vlk_high(words[i]);
        }
        return;
    }
    for (int i = 0; i < 8; i++)
        out[i] = col + i < w.cols ? vlk_element(row, w.dtype, w.cols, col + i) : 0.0f;
}

/* out = W_UK^T q for 64 columns of one head and token; 32 slices of rows are added up in order. The rotated part is copied, or
 * rotated by the head's first block; the cache row is written by the token's last block of the first head. */
static __global__ void __launch_bounds__(ABSORB_THREADS) absorb_kernel(absorb_args a)
{
    __shared__ float sums[ABSORB_SLICES][ABSORB_COLUMNS + 1];
    const int tid = (int)threadIdx.x, slice = tid / 8, lane = tid % 8, head = (int)blockIdx.y, token = (int)blockIdx.z;
    const int col = (int)blockIdx.x * ABSORB_COLUMNS + lane * ABSORB_WIDTH;
    const float *q = a.q + ((int64_t)token * a.heads + head) * (a.nope + a.rope);
    float *out = a.out + ((int64_t)token * a.heads + head) * (a.lora + a.rope), acc[8] = {0, 0, 0, 0, 0, 0, 0, 0};

    for (int r = slice; r < a.nope && col < a.lora; r += ABSORB_SLICES) {
        float w[8];

        row_values(a.kv_b, a.kv_b.data + (size_t)(head * (a.nope + a.v) + r) * a.kv_b.stride, col, w);
        for (int i = 0; i < 8; i++)
            acc[i] += q[r] * w[i];
    }
    for (int i = 0; i < 8; i++)
        sums[slice][lane * 8 + i] = acc[i];
    __syncthreads();
    for (int i = tid; i < ABSORB_COLUMNS && (int)blockIdx.x * ABSORB_COLUMNS + i < a.lora; i += ABSORB_THREADS) {
        float sum = 0;

        for (int s = 0; s < ABSORB_SLICES; s++)
            sum += sums[s][i];
        out[(int)blockIdx.x * ABSORB_COLUMNS + i] = sum;
    }
    if (blockIdx.x == 0 && a.write.cache) { /* rope is at most a block's threads; q changes in place, and nobody else reads this part */
        const float x = tid < a.rope ? turned_at(a.write, q + a.nope, a.write.step->pos + token, tid) : 0.0f;

        __syncthreads();
        if (tid < a.rope)
            a.write.q[q - a.q + a.nope + tid] = out[a.lora + tid] = x;
    } else if (blockIdx.x == 0) {
        for (int i = tid; i < a.rope; i += ABSORB_THREADS)
            out[a.lora + i] = q[a.nope + i];
    }
    if (a.write.cache && head == 0 && blockIdx.x == gridDim.x - 1)
        write_row(a.write, token, &sums[0][0]);
}

struct value_args {
    int32_t heads, nope, lora, v, splits, zero;
    struct vlk_matrix kv_b;
    const float *partial;
    float *out;
};

/* Puts the splits of one head together, then out = W_UV latent for 16 rows. */
static __global__ void __launch_bounds__(VLK_GEMV_THREADS) value_kernel(value_args a)
{
    VLK_SHARED(uint16_t, planes);
    __shared__ float room[VLK_GEMV_WARPS * 64];
    const int padded = vlk_plane_columns(a.lora), stride = vlk_plane_stride(padded), tid = (int)threadIdx.x;
    const int head = (int)blockIdx.y, token = (int)blockIdx.z, first = (int)blockIdx.x * VLK_GEMV_ROWS;
    const float *p = a.partial + ((int64_t)token * a.heads + head) * a.splits * (a.lora + 2);
    struct vlk_matrix w = a.kv_b;
    float top = -INFINITY, total = 0, acc[4] = {0, 0, 0, 0}, sum;

    for (int s = 0; s < a.splits; s++)
        top = fmaxf(top, p[(int64_t)s * (a.lora + 2) + a.lora]);
    for (int s = tid; s < a.splits; s += VLK_GEMV_THREADS) /* the weight of a split, once for all columns */
        room[s] = expf(p[(int64_t)s * (a.lora + 2) + a.lora] - top);
    __syncthreads();
    for (int s = 0; s < a.splits; s++)
        total += p[(int64_t)s * (a.lora + 2) + a.lora + 1] * room[s];
    for (int i = tid; i < padded; i += VLK_GEMV_THREADS) {
        float x = 0;

        for (int s = 0; s < a.splits && i < a.lora; s++)
            x += p[(int64_t)s * (a.lora + 2) + i] * room[s];
        vlk_halves(x / total, planes + i, planes + stride + i);
    }
    w.data += (size_t)(head * (a.nope + a.v) + a.nope) * w.stride;
    w.rows = a.v;
    __syncthreads();
    vlk_dot_tile(acc, w, first, 8, planes, stride, 1, tid >> 5, VLK_GEMV_WARPS);
    sum = vlk_tile_sum(acc, room);
    if (tid < 64 && tid % 4 == 0 && first + tid / 4 < a.v)
        a.out[((int64_t)token * a.heads + head) * a.v + first + tid / 4] = sum;
}

static float *absorb(struct vlk_cuda *cuda, const struct vlk_mla_attend_args *m)
{
    VLK_ARGS(absorb_args, a);

    a.heads = m->heads;
    a.nope = m->nope;
    a.lora = m->lora;
    a.v = m->v;
    a.rope = m->rope;
    a.kv_b = vlk_matrix_of(&m->kv_b);
    a.q = m->q;
    a.out = (float *)vlk_cuda_scratch(cuda, VLK_CUDA_LATENT, (size_t)m->n * (size_t)m->heads * (size_t)(m->lora + m->rope) * sizeof *a.out);
    if (!a.out)
        return NULL;
    const struct mla_write_args *w = (const struct mla_write_args *)vlk_cuda_last(cuda, (const void *)mla_write_kernel);
    if (w && w->q == m->q && w->cache == m->cache && w->step == m->step && w->rope.dim <= ABSORB_THREADS &&
        cuda->list.commands[cuda->list.count - 1].grid[0] == (uint32_t)m->n) {
        memcpy(&a.write, w, sizeof a.write);
        vlk_cuda_drop_last(cuda);
    }
    const dim3 blocks((unsigned)((m->lora + ABSORB_COLUMNS - 1) / ABSORB_COLUMNS), (unsigned)m->heads, (unsigned)m->n);
    VLK_PUSH(cuda, absorb_kernel, blocks, ABSORB_THREADS, 0, a);
    return a.out;
}

static void cache_rows(const struct vlk_mla_attend_args *m, int32_t width, struct vlk_kv_rows *rows)
{
    memset(rows, 0, sizeof *rows);
    rows->data = m->cache;
    rows->dtype = m->cache_dtype;
    rows->stride = m->lora + m->rope;
    rows->width = width;
}

static void attend_absorbed(struct vlk_cuda *cuda, const struct vlk_mla_attend_args *m, const float *q)
{
    VLK_ARGS(vlk_split, s);
    VLK_ARGS(value_args, r);

    s.n = m->n;
    s.heads = m->heads;
    s.kv_heads = 1;
    s.scale = m->scale;
    s.step = m->step;
    s.q = q;
    cache_rows(m, m->lora + m->rope, &s.k);
    cache_rows(m, m->lora, &s.v);
    s.v.data = NULL;
    if (!vlk_cuda_split(cuda, &s, m->max_pos))
        return;
    r.heads = m->heads;
    r.nope = m->nope;
    r.lora = m->lora;
    r.v = m->v;
    r.splits = s.splits;
    r.kv_b = vlk_matrix_of(&m->kv_b);
    r.partial = s.partial;
    r.out = m->out;
    VLK_PUSH(cuda, value_kernel, dim3((unsigned)((m->v + VLK_GEMV_ROWS - 1) / VLK_GEMV_ROWS), (unsigned)m->heads, (unsigned)m->n),
             VLK_GEMV_THREADS, vlk_plane_bytes(vlk_plane_columns(m->lora), 1), r);
}

/* ------------------------------------------------------------------------------------------------ expanded */

static void attend_expanded(struct vlk_cuda *cuda, const struct vlk_mla_attend_args *m)
{
    const int32_t keys = m->max_pos, row = m->heads * (m->nope + m->v), ld = vlk_packed_ld(m->lora), ldy = vlk_packed_ld(row);
    uint16_t *packed = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_PACKED, (size_t)keys * (size_t)ld * sizeof *packed);
    uint16_t *expanded = (uint16_t *)vlk_cuda_scratch(cuda, VLK_CUDA_EXPAND, (size_t)keys * (size_t)ldy * sizeof *expanded);
    VLK_ARGS(vlk_gemm, g);
    VLK_ARGS(vlk_flash, f);

    if (!packed || !expanded)
        return;
    vlk_cuda_pack(cuda, keys, m->lora, m->cache, m->cache_dtype, m->lora + m->rope, packed);
    g.n = keys;
    g.x = packed;
    g.ld = ld;
    g.w = vlk_matrix_of(&m->kv_b);
    g.half = expanded;
    g.ldy = ldy;
    vlk_cuda_gemm(cuda, &g);
    f.n = m->n;
    f.heads = m->heads;
    f.group = 1;
    f.scale = m->scale;
    f.step = m->step;
    f.q = m->q;
    f.out = m->out;
    f.q_head = m->nope + m->rope;
    f.q_stride = m->heads * f.q_head;
    f.out_head = m->v;
    f.out_stride = m->heads * m->v;
    f.k.data = expanded;
    f.k.dtype = VLK_BF16;
    f.k.stride = ldy;
    f.k.head_step = m->nope + m->v;
    f.k.width = m->nope;
    memcpy(&f.v, &f.k, sizeof f.v);
    f.v.data = expanded + m->nope;
    f.v.width = m->v;
    cache_rows(m, m->rope, &f.k2);
    f.k2.data = (const char *)m->cache + (size_t)m->lora * (m->cache_dtype == VLK_BF16 ? 2 : 4);
    vlk_cuda_flash(cuda, &f, 1);
}

/* Absorbing costs 3.4 times the multiplications per key, expanding one product over all keys: with 16 heads they meet at about
 * 64 new tokens. */
enum { ABSORB_TOKENS = 32, KEY_COLUMNS = 192, VALUE_COLUMNS = 128 /* of attention.cu's blocks of queries */ };

void vlk_cuda_mla_attend(struct vlk_backend *be, const struct vlk_mla_attend_args *m)
{
    struct vlk_cuda *cuda = vlk_cuda_of(be);
    const float *q;

    if (m->n <= 0)
        return;
    if (m->n > ABSORB_TOKENS && !m->probs && m->nope + m->rope <= KEY_COLUMNS && m->v <= VALUE_COLUMNS) {
        attend_expanded(cuda, m);
        return;
    }
    q = absorb(cuda, m);
    if (!q)
        return;
    attend_absorbed(cuda, m, q);
    if (m->probs) {
        VLK_ARGS(vlk_probs, p);

        p.n = m->n;
        p.heads = m->heads;
        p.group = m->heads;
        p.stride = m->probs_stride;
        p.scale = m->scale;
        p.step = m->step;
        p.q = q;
        cache_rows(m, m->lora + m->rope, &p.k);
        p.probs = m->probs;
        vlk_cuda_probs(cuda, &p);
    }
}
