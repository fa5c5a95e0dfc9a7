/* SPDX-License-Identifier: MIT
 *
 * The quantised weight formats, defined by their scalar dequantisation, and the conversions of half-width floats.
 * Both backends obey it; the quantiser writes it. Pure functions, any thread. Knows nothing of files.
 *
 * A row of `cols` weights (cols a multiple of VLK_QUANT_GROUP) is stored as all codes, then one bf16 scale per group:
 *   I8G  codes int8[cols];       w = scale * code                        8.5 bits per weight
 *   I4G  codes uint8[cols / 2];  w = scale * (nibble - 8)                4.5 bits per weight
 * The 16 bytes of an I4G group hold elements 0…15 in their low nibbles and 16…31 in their high ones, so that two shifts
 * give two runs of consecutive elements. Rows follow each other without padding; codes and scales are read bytewise, so
 * only the alignment of the scales (2) matters.
 */
#ifndef VLK_QUANT_H
#define VLK_QUANT_H

#include "kernels/vlk.h"

#include <string.h>

#define VLK_QUANT_GROUP 32

/* Bytes of one row; 0 if cols is not a positive multiple of the group or the dtype is not quantised. */
size_t vlk_quant_row_bytes(vlk_dtype dtype, int64_t cols);

/* dst[i] = weight (col0 + i) of the row, i < n. The definition of the formats. */
void vlk_dequantise(vlk_dtype dtype, const void *row, int64_t cols, int64_t col0, int64_t n, float *dst);

/* Rounds a row of f32 to the format: per group the scale that maps the largest magnitude to the largest code.
 * NaN and infinity are refused (false), as is a cols that does not suit. */
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

#endif
