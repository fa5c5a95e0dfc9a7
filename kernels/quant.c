/* SPDX-License-Identifier: MIT
 *
 * Scalar quantisation and dequantisation: the definition that every kernel is compared with.
 * Called by the quantiser, by tests, and by kernels where speed does not matter. Any thread.
 */
#include "kernels/quant.h"

#include <math.h>

#define GROUP VLK_QUANT_GROUP

const int8_t vlk_i4_codes[16] = { VLK_I4_CODES };

size_t vlk_quant_row_bytes(vlk_dtype dtype, int64_t cols)
{
    if (cols <= 0 || (dtype != VLK_I8G && dtype != VLK_I4G))
        return 0;
    return vlk_quant_code_bytes(dtype, cols) + (size_t)vlk_quant_groups(cols) * 2;
}

void vlk_dequantise(vlk_dtype dtype, const void *row, int64_t cols, int64_t col0, int64_t n, float *dst)
{
    const uint8_t *codes = row;
    const uint8_t *scales = codes + vlk_quant_code_bytes(dtype, cols);

    for (int64_t i = 0; i < n; i++) {
        int64_t col = col0 + i, group = col / GROUP, at = col % GROUP;
        uint16_t scale;
        int code;

        memcpy(&scale, scales + 2 * group, 2);
        if (dtype == VLK_I8G) {
            code = (int8_t)codes[col];
        } else {
            uint8_t byte = codes[group * 16 + at % 16];

            code = vlk_i4_codes[at < 16 ? byte & 15 : byte >> 4];
        }
        dst[i] = vlk_bf16_to_f32(scale) * (float)code;
    }
}

/* ------------------------------------------------------------------------------------------------ int8 */

static void quantise_i8(const float *x, int n, uint16_t *scale, uint8_t *codes)
{
    float peak = 0, inverse;

    for (int i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(x[i]));
    if (!(peak > 0x1p-119f)) /* the reciprocal of its scale would overflow */
        peak = 0;
    *scale = vlk_f32_to_bf16(peak / 127);
    inverse = vlk_bf16_to_f32(*scale) > 0 ? 1 / vlk_bf16_to_f32(*scale) : 0;
    for (int i = 0; i < n; i++) {
        float q = rintf(x[i] * inverse);

        codes[i] = (uint8_t)(int8_t)(q < -127 ? -127 : q > 127 ? 127 : q);
    }
}

/* ------------------------------------------------------------------------------------------------ int4 */

/* The index of the code nearest to v: the number of midpoints below it. Counting all of them has no branch. */
static int nearest_i4(float v)
{
    static const int8_t codes[16] = { VLK_I4_CODES };
    int index = 0;

    for (int i = 0; i < 15; i++)
        index += v > 0.5f * (float)(codes[i] + codes[i + 1]);
    return index;
}

/* nearest_i4() of every integer from -128 to 127, the range in which a scaled weight that matters lies. */
struct i4_table {
    uint8_t index[256];
    float code[256];
};

static void make_table(struct i4_table *t)
{
    for (int v = 0; v < 256; v++) {
        t->index[v] = (uint8_t)nearest_i4((float)(v - 128));
        t->code[v] = vlk_i4_codes[t->index[v]];
    }
}

static int table_at(float v)
{
    v = v < -127 ? -127 : v > 127 ? 127 : v;
    return (int)(v + 128.5f);
}

/* For the codes that the scale 1 / inverse gives: how much of the energy of x they can explain, (x·q)² / q·q, and the scale that
 * does so, x·q / q·q. The squared error that remains is x·x minus it. */
static float explained(const struct i4_table *t, const float *x, int n, float inverse, float *scale)
{
    float xq = 0, qq = 0;

    for (int i = 0; i < n; i++) {
        float q = t->code[table_at(x[i] * inverse)];

        xq += x[i] * q;
        qq += q * q;
    }
    *scale = xq / qq; /* no code is 0 */
    return xq * *scale;
}

/* The scales that are tried map the largest magnitude to either end of the table, or somewhat beyond: one clipped weight may
 * cost less than coarse steps for all. Each is replaced by the least-squares scale of its codes. Four per end reach within 1 % of
 * the error that an exhaustive search leaves. */
static float best_scale(const struct i4_table *t, const float *x, int n)
{
    static const float targets[] = { -148, -137, -127, -116, 128, 117, 107, 98 };
    float peak = 0, best = -1, scale = 0, candidate;

    for (int i = 0; i < n; i++)
        if (fabsf(x[i]) > fabsf(peak))
            peak = x[i];
    if (!(fabsf(peak) > 0x1p-120f)) /* its reciprocal would overflow */
        return 0;
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        float gain = explained(t, x, n, targets[i] / peak, &candidate);

        if (gain > best) {
            best = gain;
            scale = candidate;
        }
    }
    return scale;
}

static void quantise_i4(const struct i4_table *t, const float *x, int n, uint16_t *scale, uint8_t *codes)
{
    float inverse;

    *scale = vlk_f32_to_bf16(best_scale(t, x, n));
    inverse = vlk_bf16_to_f32(*scale) != 0 ? 1 / vlk_bf16_to_f32(*scale) : 0;
    for (int i = 0; i < n; i++)
        codes[i % 16] |= (uint8_t)(nearest_i4(x[i] * inverse) << (i < 16 ? 0 : 4));
}

bool vlk_quantise(vlk_dtype dtype, const float *src, int64_t cols, void *row)
{
    uint8_t *codes = row;
    struct i4_table table;

    if (!vlk_quant_row_bytes(dtype, cols))
        return false;
    for (int64_t i = 0; i < cols; i++)
        if (!(fabsf(src[i]) <= 0x1.fep127f))
            return false;
    memset(row, 0, vlk_quant_row_bytes(dtype, cols));
    if (dtype == VLK_I4G)
        make_table(&table);
    for (int64_t g = 0; g < vlk_quant_groups(cols); g++) {
        const float *x = src + g * GROUP;
        int n = cols - g * GROUP < GROUP ? (int)(cols - g * GROUP) : GROUP;
        uint16_t scale;

        if (dtype == VLK_I8G)
            quantise_i8(x, n, &scale, codes + g * GROUP);
        else
            quantise_i4(&table, x, n, &scale, codes + g * (GROUP / 2));
        memcpy(codes + vlk_quant_code_bytes(dtype, cols) + 2 * g, &scale, 2);
    }
    return true;
}
