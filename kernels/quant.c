/* SPDX-License-Identifier: MIT
 *
 * Scalar quantisation and dequantisation: the definition that every kernel is compared with.
 * Called by the quantiser, by tests, and by kernels where speed does not matter. Any thread.
 */
#include "kernels/quant.h"

#include <math.h>

size_t vlk_quant_row_bytes(vlk_dtype dtype, int64_t cols)
{
    if (cols <= 0 || cols % VLK_QUANT_GROUP || (dtype != VLK_I8G && dtype != VLK_I4G))
        return 0;
    return (size_t)(dtype == VLK_I8G ? cols : cols / 2) + (size_t)(cols / VLK_QUANT_GROUP) * 2;
}

void vlk_dequantise(vlk_dtype dtype, const void *row, int64_t cols, int64_t col0, int64_t n, float *dst)
{
    const uint8_t *codes = row;
    const uint8_t *scales = codes + (dtype == VLK_I8G ? cols : cols / 2);

    for (int64_t i = 0; i < n; i++) {
        int64_t col = col0 + i, group = col / VLK_QUANT_GROUP, at = col % VLK_QUANT_GROUP;
        uint16_t scale;
        int code;

        memcpy(&scale, scales + 2 * group, 2);
        if (dtype == VLK_I8G) {
            code = (int8_t)codes[col];
        } else {
            uint8_t byte = codes[group * 16 + at % 16];

            code = (at < 16 ? byte & 15 : byte >> 4) - 8;
        }
        dst[i] = vlk_bf16_to_f32(scale) * (float)code;
    }
}

/* The bf16 scale of a group. int4 has one code more on the negative side, so its scale takes the sign that lets the
 * largest magnitude use it. */
static uint16_t group_scale(vlk_dtype dtype, const float *src)
{
    float peak = 0;

    for (int i = 0; i < VLK_QUANT_GROUP; i++)
        if (fabsf(src[i]) > fabsf(peak))
            peak = src[i];
    return vlk_f32_to_bf16(dtype == VLK_I8G ? fabsf(peak) / 127 : peak / -8);
}

bool vlk_quantise(vlk_dtype dtype, const float *src, int64_t cols, void *row)
{
    uint8_t *codes = row, *scales = codes + (dtype == VLK_I8G ? cols : cols / 2);
    const int low = dtype == VLK_I8G ? -127 : -8, high = dtype == VLK_I8G ? 127 : 7;

    if (!vlk_quant_row_bytes(dtype, cols))
        return false;
    for (int64_t i = 0; i < cols; i++)
        if (!isfinite(src[i]))
            return false;
    memset(row, 0, vlk_quant_row_bytes(dtype, cols));
    for (int64_t g = 0; g < cols / VLK_QUANT_GROUP; g++) {
        const float *x = src + g * VLK_QUANT_GROUP;
        uint16_t bits = group_scale(dtype, x);
        float scale = vlk_bf16_to_f32(bits);

        memcpy(scales + 2 * g, &bits, 2);
        for (int i = 0; i < VLK_QUANT_GROUP; i++) {
            float q = scale != 0 ? rintf(x[i] / scale) : 0;
            int code = q < (float)low ? low : q > (float)high ? high : (int)q;

            if (dtype == VLK_I8G)
                codes[g * VLK_QUANT_GROUP + i] = (uint8_t)code;
            else
                codes[g * 16 + i % 16] |= (uint8_t)((code + 8) << (i < 16 ? 0 : 4));
        }
    }
    return true;
}
