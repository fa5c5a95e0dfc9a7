/* SPDX-License-Identifier: MIT
 *
 * Products with up to four vectors, bound by the reading of the weights: 16 weight rows against x on the tensor cores. Each
 * vector is two columns of the product, the high and the low bf16 half of its f32 values, so that nothing of x is lost (2^-16)
 * and rows of weights go from memory into the fragments without arithmetic. A block's eight warps share the columns out and add
 * up in a fixed order. Included by linear.cu, moe.cu and mla.cu.
 */
#ifndef VLK_CUDA_GEMV_CUH
#define VLK_CUDA_GEMV_CUH

#include "kernels/cuda/backend.cuh"

enum { VLK_GEMV_WARPS = 8, VLK_GEMV_THREADS = 256, VLK_GEMV_ROWS = 16, VLK_GEMV_TOKENS = 4, VLK_GEMV_AHEAD = 4 };

/* Elements of one plane: columns up to a multiple of every dtype's block, and a shift that keeps the planes on other banks. */
static __host__ __device__ inline int vlk_plane_columns(int cols) { return (cols + 127) / 128 * 128; }
static __host__ __device__ inline int vlk_plane_stride(int padded) { return padded + 16; }
static inline size_t vlk_plane_bytes(int padded, int tokens) { return (size_t)(2 * tokens) * (size_t)vlk_plane_stride(padded) * 2; }

/* Columns at … at + padded of the planes = x[token * ldx + 0 … cols), zeros behind. All threads; the caller synchronises. */
static __device__ inline void vlk_fill_planes(uint16_t *planes, int stride, int at, int padded, const float *x, int64_t ldx, int cols, int tokens)
{
    for (int i = (int)threadIdx.x; i < padded * tokens; i += (int)blockDim.x) {
        int token = i / padded, col = i % padded;
        uint16_t *plane = planes + 2 * token * stride + at + col;

        vlk_halves(col < cols ? x[token * ldx + col] : 0.0f, plane, plane + stride);
    }
}

/* keep(column, value) for every column of a row that is normalised as norm_kernel does it; the first block writes the result too.
 * A block of as many threads as norm_kernel's, so that the sum is the same. room: 32 floats. The caller synchronises. */
template <class K>
static __device__ inline void vlk_norm_row(const float *x, int cols, const struct vlk_prenorm &norm, float *room, K keep)
{
    float square = 0, r;

    for (int i = (int)threadIdx.x; i < cols; i += (int)blockDim.x)
        square += x[i] * x[i];
    r = 1.0f / sqrtf(vlk_block_sum(square, room) / (float)cols + norm.eps);
    for (int i = (int)threadIdx.x; i < cols; i += (int)blockDim.x) {
        const float v = x[i] * r * vlk_vector_at(norm.w, i);

        keep(i, v);
        if (blockIdx.x == 0)
            norm.y[i] = v;
    }
}

/* The planes of one such row. */
static __device__ inline void vlk_fill_normed(uint16_t *planes, int stride, int padded, const float *x, int cols, const struct vlk_prenorm &norm,
                                              float *room)
{
    for (int i = cols + (int)threadIdx.x; i < padded; i += (int)blockDim.x)
        planes[i] = planes[stride + i] = 0;
    vlk_norm_row(x, cols, norm, room, [=](int i, float v) { vlk_halves(v, planes + i, planes + stride + i); });
}

static __device__ __forceinline__ uint2 vlk_columns4(const uint16_t *plane, bool used)
{
    return used ? *(const uint2 *)plane : make_uint2(0, 0);
}

/* Pairs of f32 as their high and low halves. */
static __device__ __forceinline__ void vlk_split_pair(float a, float b, uint32_t *high, uint32_t *low)
{
    *high = vlk_pack_bf16(a, b);
    *low = vlk_pack_bf16(a - vlk_low(*high), b - vlk_high(*high));
}

/* Four columns of floats that bf16 does not hold: two products. u, v: rows g and g+8. */
static __device__ __forceinline__ void vlk_wide_step(float acc[4], const float u[4], const float v[4], uint2 x)
{
    uint32_t high[4], low[4];

    vlk_split_pair(u[0], u[1], &high[0], &low[0]);
    vlk_split_pair(v[0], v[1], &high[1], &low[1]);
    vlk_split_pair(u[2], u[3], &high[2], &low[2]);
    vlk_split_pair(v[2], v[3], &high[3], &low[3]);
    vlk_mma(acc, high, x.x, x.y);
    vlk_mma(acc, low, x.x, x.y);
}

/* One block of 64 bytes of rows g (u) and g+8 (v); x: this lane's column of the planes at the block's first element. The formats
 * side by side read better whole. */
template <int DTYPE>
static __device__ __forceinline__ void vlk_dot_block(float acc[4], const uint4 &u4, const uint4 &v4, const uint8_t *row0, const uint8_t *row1,
                                                     int blocks, int block, const uint16_t *x, bool used, int t)
{
    const uint32_t u[4] = {u4.x, u4.y, u4.z, u4.w}, v[4] = {v4.x, v4.y, v4.z, v4.w};

    if (DTYPE == VLK_BF16) {
        VLK_UNROLL
        for (int i = 0; i < 2; i++) {
            uint2 b = vlk_columns4(x + 8 * t + 4 * i, used);
            const uint32_t a[4] = {u[2 * i], v[2 * i], u[2 * i + 1], v[2 * i + 1]};

            vlk_mma(acc, a, b.x, b.y);
        }
    } else if (DTYPE == VLK_F32) {
        const float p[4] = {__uint_as_float(u[0]), __uint_as_float(u[1]), __uint_as_float(u[2]), __uint_as_float(u[3])};
        const float q[4] = {__uint_as_float(v[0]), __uint_as_float(v[1]), __uint_as_float(v[2]), __uint_as_float(v[3])};

        vlk_wide_step(acc, p, q, vlk_columns4(x + 4 * t, used));
    } else if (DTYPE == VLK_F16) {
        VLK_UNROLL
        for (int i = 0; i < 2; i++) {
            float p[4], q[4];

VLK_UNROLL

            for (int k = 0; k < 4; k++) {
                p[k] = vlk_of_f16((uint16_t)(u[2 * i + k / 2] >> 16 * (k & 1)));
                q[k] = vlk_of_f16((uint16_t)(v[2 * i + k / 2] >> 16 * (k & 1)));
            }
            vlk_wide_step(acc, p, q, vlk_columns4(x + 8 * t + 4 * i, used));
        }
    } else if (DTYPE == VLK_I8G) {
        VLK_UNROLL
        for (int i = 0; i < 2; i++) {
            float c[4] = {0, 0, 0, 0}, s0 = vlk_scale_at(row0, blocks, 2 * block + i), s1 = vlk_scale_at(row1, blocks, 2 * block + i);

VLK_UNROLL

            for (int k = 0; k < 2; k++) {
                uint2 b = vlk_columns4(x + 32 * i + 8 * t + 4 * k, used);
                uint32_t a[4];

                vlk_bytes_to_bf16(u[2 * i + k], &a[0], &a[2]);
                vlk_bytes_to_bf16(v[2 * i + k], &a[1], &a[3]);
                vlk_mma(c, a, b.x, b.y);
            }
            acc[0] += s0 * c[0];
            acc[1] += s0 * c[1];
            acc[2] += s1 * c[2];
            acc[3] += s1 * c[3];
        }
    } else {
        VLK_UNROLL
        for (int i = 0; i < 4; i++) {
            float c[4] = {0, 0, 0, 0}, s0 = vlk_scale_at(row0, blocks, 4 * block + i), s1 = vlk_scale_at(row1, blocks, 4 * block + i);
            uint32_t p[4], q[4];

            vlk_nibbles_to_bf16(u[i], p);
            vlk_nibbles_to_bf16(v[i], q);
            VLK_UNROLL
            for (int k = 0; k < 2; k++) {
                uint2 b = vlk_columns4(x + 32 * i + 16 * k + 4 * t, used);
                const uint32_t a[4] = {p[2 * k], q[2 * k], p[2 * k + 1], q[2 * k + 1]};

                vlk_mma(c, a, b.x, b.y);
            }
            acc[0] += s0 * c[0];
            acc[1] += s0 * c[1];
            acc[2] += s1 * c[2];
            acc[3] += s1 * c[3];
        }
    }
}

/* Blocks from, from + step, … of rows g and g+8; several loads are under way before the first is used. */
template <int DTYPE>
static __device__ __forceinline__ void vlk_dot_rows(float acc[4], const uint8_t *row0, const uint8_t *row1, int blocks, int from, int step,
                                                    const uint16_t *x, bool used, int t)
{
    for (int at = from; at < blocks; at += VLK_GEMV_AHEAD * step) {
        uint4 u[VLK_GEMV_AHEAD], v[VLK_GEMV_AHEAD];

        VLK_UNROLL
        for (int i = 0; i < VLK_GEMV_AHEAD; i++)
            if (at + i * step < blocks) {
                u[i] = vlk_stream16(row0 + (size_t)(at + i * step) * 64 + 16 * t);
                v[i] = vlk_stream16(row1 + (size_t)(at + i * step) * 64 + 16 * t);
            }
        VLK_UNROLL
        for (int i = 0; i < VLK_GEMV_AHEAD; i++)
            if (at + i * step < blocks)
                vlk_dot_block<DTYPE>(acc, u[i], v[i], row0, row1, blocks, at + i * step,
                                     x + (size_t)(at + i * step) * vlk_block_elements(DTYPE), used, t);
    }
}

/* acc += rows first … first+7 and first+apart … first+apart+7 of w times the planes, this warp's share. Afterwards lane 4g + t
 * holds token t: row first+g in acc[0] + acc[1], row first+apart+g in acc[2] + acc[3]. Rows behind the last repeat it. */
static __device__ inline void vlk_dot_tile(float acc[4], const struct vlk_matrix &w, int first, int apart, const uint16_t *planes, int stride,
                                           int tokens, int from, int step)
{
    const int lane = (int)threadIdx.x & 31, g = lane >> 2, t = lane & 3, last = w.rows - 1;
    const uint8_t *row0 = w.data + (size_t)min(first + g, last) * w.stride, *row1 = w.data + (size_t)min(first + apart + g, last) * w.stride;
    const int blocks = vlk_blocks(w.dtype, w.cols);
    const bool used = g < 2 * tokens;
    const uint16_t *x = planes + (used ? g * stride : 0);

    switch (w.dtype) {
    case VLK_F32:
        vlk_dot_rows<VLK_F32>(acc, row0, row1, blocks, from, step, x, used, t);
        break;
    case VLK_BF16:
        vlk_dot_rows<VLK_BF16>(acc, row0, row1, blocks, from, step, x, used, t);
        break;
    case VLK_F16:
        vlk_dot_rows<VLK_F16>(acc, row0, row1, blocks, from, step, x, used, t);
        break;
    case VLK_I8G:
        vlk_dot_rows<VLK_I8G>(acc, row0, row1, blocks, from, step, x, used, t);
        break;
    default:
        vlk_dot_rows<VLK_I4G>(acc, row0, row1, blocks, from, step, x, used, t);
        break;
    }
}

/* Adds the warps' shares: room [8][16][4]. Every thread calls it; threads 0 … 63 get row tid / 4 of token tid % 4. */
static __device__ inline float vlk_tile_sum(const float acc[4], float *room)
{
    const int tid = (int)threadIdx.x, lane = tid & 31, g = lane >> 2, t = lane & 3;
    float *mine = room + (tid >> 5) * 64, sum = 0;

    __syncthreads();
    mine[g * 4 + t] = acc[0] + acc[1];
    mine[(g + 8) * 4 + t] = acc[2] + acc[3];
    __syncthreads();
    for (int w = 0; w < VLK_GEMV_WARPS && tid < 64; w++)
        sum += room[w * 64 + tid];
    return sum;
}

static __device__ __forceinline__ float vlk_silu(float x) { return x / (1.0f + expf(-x)); }


static __device__ inline float vlk_activate(int act, float x)
{
    if (act == VLK_ACT_SILU)
        return vlk_silu(x);
    if (act == VLK_ACT_GELU_TANH)
        return 0.5f * x * (1.0f + tanhf(0.7978845608028654f * (x + 0.044715f * x * x * x)));
    if (act == VLK_ACT_GELU_QUICK)
        return x / (1.0f + expf(-1.702f * x));
    if (act == VLK_ACT_GELU_ERF)
        return 0.5f * x * (1.0f + erff(x * 0.7071067811865476f));
    return x;
}

#endif
