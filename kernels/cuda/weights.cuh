/* SPDX-License-Identifier: MIT
 *
 * How weights lie in device memory, and how kernels read them. Rows are cut into blocks of 64 bytes, of which each of four lanes
 * takes 16: what a tensor-core fragment needs then comes with one load, and no lane ever looks behind a row's end, because the
 * last block is filled up with zeros. Quantised rows are rearranged at upload (kernels/quant.h defines them as files have them):
 *   f32   16 elements per block, f16 and bf16 32, in order
 *   int8  64 (two groups): lane t has elements 8t … 8t+7 of the first group, then of the second
 *   int4  128 (four groups): lane t has a word per group: the nibbles of elements 4t … 4t+3, then 16+4t … 16+4t+3
 * and the bf16 scales of a row's groups stand behind its blocks. Included by every .cu file.
 */
#ifndef VLK_CUDA_WEIGHTS_CUH
#define VLK_CUDA_WEIGHTS_CUH

#include "kernels/cuda/prims.cuh"
#include "kernels/vlk.h"
extern "C" {
#include "kernels/quant.h"
}

struct vlk_matrix {
    const uint8_t *data; /* NULL: absent */
    uint32_t stride;     /* bytes from row to row */
    int32_t rows, cols, dtype;
};

static __host__ __device__ inline int vlk_block_elements(int dtype)
{
    return dtype == VLK_F32 ? 16 : dtype == VLK_I8G ? 64 : dtype == VLK_I4G ? 128 : 32;
}
static __host__ __device__ inline int vlk_blocks(int dtype, int cols)
{
    int e = vlk_block_elements(dtype);
    return (cols + e - 1) / e;
}
/* Groups of 32 per block, 0 for floats. */
static __host__ __device__ inline int vlk_block_groups(int dtype) { return dtype == VLK_I8G ? 2 : dtype == VLK_I4G ? 4 : 0; }
static __host__ __device__ inline uint32_t vlk_device_stride(int dtype, int cols)
{
    int blocks = vlk_blocks(dtype, cols);
    return (uint32_t)(blocks * 64 + (blocks * vlk_block_groups(dtype) * 2 + 15) / 16 * 16);
}
static inline struct vlk_matrix vlk_matrix_of(const struct vlk_weight *w)
{
    struct vlk_matrix m = {};

    if (w->rows > 0) {
        m.data = (const uint8_t *)w->data;
        m.stride = vlk_device_stride(w->dtype, w->cols);
        m.rows = w->rows;
        m.cols = w->cols;
        m.dtype = w->dtype;
    }
    return m;
}

/* The scale of group g of a row. */
static __device__ __forceinline__ float vlk_scale_at(const uint8_t *row, int blocks, int g)
{
    return vlk_of_bf16(*(const uint16_t *)(row + blocks * 64 + 2 * g));
}

/* bf16 bits of a small integer, and bytes of those of four int4 codes (first, first + 1, …) as a word. */
static __host__ __device__ constexpr uint32_t vlk_small_bf16(int v)
{
    uint32_t m = (uint32_t)(v < 0 ? -v : v), e = 0;

    while (m >> (e + 1))
        e++;
    return m == 0 ? 0 : (v < 0 ? 0x8000u : 0u) | (127 + e) << 7 | (m << (7 - e) & 0x7f);
}
static __host__ __device__ constexpr uint32_t vlk_code_bytes(int first, int byte)
{
    constexpr int codes[16] = {VLK_I4_CODES};
    uint32_t word = 0;

    for (int i = 0; i < 4; i++)
        word |= (vlk_small_bf16(codes[first + i]) >> 8 * byte & 0xff) << 8 * i;
    return word;
}

/* Nibbles 0 … 3 of `word` as bf16: the table is looked up bytewise, the low and the high half of it, then of the values. */
static __device__ __forceinline__ void vlk_codes_to_bf16(uint32_t word, uint32_t *first, uint32_t *second)
{
    constexpr uint32_t l0 = vlk_code_bytes(0, 0), l1 = vlk_code_bytes(4, 0), l2 = vlk_code_bytes(8, 0), l3 = vlk_code_bytes(12, 0);
    constexpr uint32_t h0 = vlk_code_bytes(0, 1), h1 = vlk_code_bytes(4, 1), h2 = vlk_code_bytes(8, 1), h3 = vlk_code_bytes(12, 1);
    const uint32_t index = word & 0x7777u, half = 0x3210u | (word & 0x8888u) >> 1;
    const uint32_t low = __byte_perm(__byte_perm(l0, l1, index), __byte_perm(l2, l3, index), half);
    const uint32_t high = __byte_perm(__byte_perm(h0, h1, index), __byte_perm(h2, h3, index), half);

    *first = __byte_perm(low, high, 0x5140u);
    *second = __byte_perm(low, high, 0x7362u);
}
/* Eight nibbles as four pairs. */
static __device__ __forceinline__ void vlk_nibbles_to_bf16(uint32_t word, uint32_t pairs[4])
{
    vlk_codes_to_bf16(word, &pairs[0], &pairs[1]);
    vlk_codes_to_bf16(word >> 16, &pairs[2], &pairs[3]);
}
static __device__ inline uint32_t vlk_code_pair(uint32_t word, int pair)
{
    uint32_t pairs[4];

    vlk_nibbles_to_bf16(word, pairs);
    return pairs[pair];
}

/* One element; for lookups and vectors, not for products. */
static __device__ inline float vlk_element(const uint8_t *row, int dtype, int cols, int col)
{
    int in = col & 31;

    if (dtype == VLK_F32)
        return ((const float *)row)[col];
    if (dtype == VLK_BF16)
        return vlk_of_bf16(((const uint16_t *)row)[col]);
    if (dtype == VLK_F16)
        return vlk_of_f16(((const uint16_t *)row)[col]);
    if (dtype == VLK_I8G) {
        int at = col / 64 * 64 + in / 8 * 16 + (col >> 5 & 1) * 8 + in % 8;
        return vlk_scale_at(row, vlk_blocks(dtype, cols), col >> 5) * (float)((const int8_t *)row)[at];
    }
    uint32_t word = ((const uint32_t *)row)[col / 128 * 16 + in % 16 / 4 * 4 + (col >> 5 & 3)];
    uint32_t pair = vlk_code_pair(word, (in >> 4) * 2 + (in >> 1 & 1));
    return vlk_scale_at(row, vlk_blocks(dtype, cols), col >> 5) * (in & 1 ? vlk_high(pair) : vlk_low(pair));
}
static __device__ __forceinline__ float vlk_vector_at(const struct vlk_matrix &m, int col)
{
    return vlk_element(m.data, m.dtype, m.cols, col);
}

/* Element `at` of a cache, in bf16 or f32. */
static __device__ __forceinline__ void vlk_store(void *cache, int half, int64_t at, float v)
{
    if (half)
        ((uint16_t *)cache)[at] = vlk_to_bf16(v);
    else
        ((float *)cache)[at] = v;
}

/* Four signed bytes as two pairs of bf16: exact. The bytes are put into the mantissa of 2^23. */
static __device__ __forceinline__ void vlk_bytes_to_bf16(uint32_t bytes, uint32_t *first, uint32_t *second)
{
    uint32_t biased = bytes ^ 0x80808080u;
    float v[4];

    for (int i = 0; i < 4; i++)
        v[i] = __uint_as_float(__byte_perm(biased, 0x4b000000u, 0x7540u | (uint32_t)i)) - 8388736.0f;
    *first = vlk_pack_bf16(v[0], v[1]);
    *second = vlk_pack_bf16(v[2], v[3]);
}

/* x as the sum of two bf16: relative error 2^-16. */
static __device__ __forceinline__ void vlk_halves(float x, uint16_t *high, uint16_t *low)
{
    *high = vlk_to_bf16(x);
    *low = vlk_to_bf16(x - vlk_of_bf16(*high));
}

#endif
