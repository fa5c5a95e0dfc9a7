/* SPDX-License-Identifier: MIT
 *
 * The quantised weight formats, defined by their scalar dequantisation, and the conversions of half-width floats.
 * Both backends obey it; the quantiser writes it. Pure functions, any thread. Knows nothing of files.
 *
 * A row of `cols` weights is cut into groups of VLK_QUANT_GROUP columns, the last of which may be short. It is stored as the
 * codes of all groups, then one bf16 scale per group:
 *   I8G  a group is int8[32], w = scale * code, code in -127 … 127                              8.5 bits per weight
 *   I4G  a group is uint8[16], w = scale * vlk_i4_codes[nibble], a table of 16 int8             4.5 bits per weight
 * The 16 bytes of an I4G group hold columns 0 … 15 in their low nibbles and 16 … 31 in their high ones, so that two shifts
 * give two runs of consecutive columns; a table look-up per byte makes int8 of them, so that both types end in products of
 * int8, scaled once per group. A short last group is stored whole: its surplus codes are 0 and have no meaning, so whoever
 * reads them multiplies them by zeros. Rows follow each other without padding, which leaves an alignment of 2; a backend
 * that wants another order or alignment makes it once, when it imports the weight.
 *
 * Why this int4: at 4.5 bits per weight, the squared error relative to the weights is (docs/quantisation.md has the commands)
 * 0.0074 for linear codes with the largest magnitude mapped to the largest code, 0.0066 for linear codes with the best scale,
 * 0.0066 for groups of 64 with the best scale and minimum, and 0.0053 for this table with the best scale.
 */
#ifndef VLK_QUANT_H
#define VLK_QUANT_H

#include "kernels/vlk.h"

#include <string.h>

#define VLK_QUANT_GROUP 32

/* What the 16 nibbles of I4G stand for, ascending. Made by Lloyd's algorithm: the 16 values with the least squared error on
 * normal groups of 32, each with its best signed scale, rounded to int8 (tests/kernels/make_codes.py). */
#define VLK_I4_CODES -127, -100, -79, -62, -47, -34, -21, -9, 2, 13, 25, 36, 50, 65, 83, 107
extern const int8_t vlk_i4_codes[16];

/* Groups of a row, the bytes of the codes of one and of all, which is where the scales begin. dtype is I8G or I4G, cols > 0. */
static inline int64_t vlk_quant_groups(int64_t cols)
{
    return (cols + VLK_QUANT_GROUP - 1) / VLK_QUANT_GROUP;
}

static inline int vlk_quant_group_bytes(vlk_dtype dtype)
{
    return dtype == VLK_I8G ? VLK_QUANT_GROUP : VLK_QUANT_GROUP / 2;
}

static inline size_t vlk_quant_code_bytes(vlk_dtype dtype, int64_t cols)
{
    return (size_t)vlk_quant_groups(cols) * (size_t)vlk_quant_group_bytes(dtype);
}

/* Bytes of one row; 0 if cols is not positive or the dtype is not quantised. */
size_t vlk_quant_row_bytes(vlk_dtype dtype, int64_t cols);

/* dst[i] = weight (col0 + i) of the row, i < n. The definition of the formats. */
void vlk_dequantise(vlk_dtype dtype, const void *row, int64_t cols, int64_t col0, int64_t n, float *dst);

/* Rounds a row of f32 to the format. I8G: the scale that maps the largest magnitude of a group to 127. I4G: of a few scales of
 * both signs, the one with the least squared error. NaN, infinity and values beyond bf16's range are refused (false), as is a
 * cols that does not suit. */
bool vlk_quantise(vlk_dtype dtype, const float *src, int64_t cols, void *row);

static inline float vlk_bf16_to_f32(uint16_t bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float f;

    memcpy(&f, &u, sizeof f);
    return f;
}

/* Round to nearest, ties to even; NaN stays NaN. */
static inline uint16_t vlk_f32_to_bf16(float f)
{
    uint32_t u;

    memcpy(&u, &f, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

/* Exact, subnormals included: the exponent is rebiased by a multiplication, which also normalises. */
static inline float vlk_f16_to_f32(uint16_t bits)
{
    uint32_t u = (uint32_t)(bits & 0x7fff) << 13;
    float f;

    memcpy(&f, &u, sizeof f);
    f *= 0x1p112f;
    memcpy(&u, &f, sizeof u);
    if ((bits & 0x7c00) == 0x7c00)
        u |= 0x7f800000u;
    u |= (uint32_t)(bits & 0x8000) << 16;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* What lies at `at`, which need not be aligned, as the dtype F32, BF16 or F16. */
static inline float vlk_float_at(vlk_dtype dtype, const void *at)
{
    uint16_t half;
    float f;

    if (dtype == VLK_F32) {
        memcpy(&f, at, sizeof f);
        return f;
    }
    memcpy(&half, at, sizeof half);
    return dtype == VLK_BF16 ? vlk_bf16_to_f32(half) : vlk_f16_to_f32(half);
}

#endif
