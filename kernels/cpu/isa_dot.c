/* SPDX-License-Identifier: MIT
 *
 * Conversions of weights to floats, and products of a matrix with a few vectors of floats: weights are read once, in order.
 * Loops over a dtype are written once with the dtype as a constant parameter of an always-inlined function, and instantiated
 * by the switch of their public entry. Compiled once per level; runs on the workers of the CPU backend. Knows nothing of ops.
 */
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

#define GROUP VLK_QUANT_GROUP

/* ------------------------------------------------------------------------------------------------ conversions */

INLINE void unpack_float(vlk_dtype dtype, const void *row, int64_t n, float *dst)
{
    int64_t i = 0;

    for (; i + W <= n; i += W)
        vf_store(dst + i, vf_load_as(dtype, row, i));
    if (i < n)
        vf_store_part(dst + i, vf_load_as_part(dtype, row, i, (int)(n - i)), (int)(n - i));
}

/* The i-th vector of codes of a group. */
INLINE vf load_codes(vlk_dtype dtype, const uint8_t *codes, int i)
{
    if (dtype == VLK_I8G)
        return vf_from_i8(codes + i * W);
    return vf_from_nibbles(codes + i * W % 16, i * W >= 16);
}

INLINE float load_scale(const uint8_t *scales, int64_t group)
{
    uint16_t bits;

    memcpy(&bits, scales + 2 * group, 2);
    return vlk_bf16_to_f32(bits);
}

INLINE void unpack_groups(vlk_dtype dtype, const uint8_t *codes, const uint8_t *scales, int groups, float *dst)
{
    for (int g = 0; g < groups; g++) {
        vf scale = vf_set1(load_scale(scales, g));

        for (int i = 0; i < GROUP / W; i++)
            vf_store(dst + g * GROUP + i * W, scale * load_codes(dtype, codes + g * vlk_quant_group_bytes(dtype), i));
    }
}

void ISA(unpack)(vlk_dtype dtype, const void *row, int cols, int col0, int n, float *dst)
{
    const uint8_t *bytes = row;

    if (!is_quantised(dtype)) {
        bytes += (size_t)col0 * element_bytes(dtype);
#define CALL(d) unpack_float(d, bytes, n, dst)
        FOR_FLOAT_DTYPE(dtype, CALL)
#undef CALL
    } else if (col0 % GROUP || n % GROUP) {
        vlk_dequantise(dtype, row, cols, col0, n, dst);
    } else if (dtype == VLK_I8G) {
        unpack_groups(VLK_I8G, bytes + col0, bytes + vlk_quant_code_bytes(dtype, cols) + col0 / GROUP * 2, n / GROUP, dst);
    } else {
        unpack_groups(VLK_I4G, bytes + col0 / 2, bytes + vlk_quant_code_bytes(dtype, cols) + col0 / GROUP * 2, n / GROUP,
                    dst);
    }
}

void ISA(pack_bf16)(uint16_t *dst, const float *src, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = vlk_f32_to_bf16(src[i]);
}

/* ------------------------------------------------------------------------------------------------ matrix × few vectors */

/* Rows are short, so the hardware's prefetcher starts anew with each: the next block is asked for while this one is read.
 * Past the end of the weights the address is never read, and a prefetch cannot fault. */
INLINE void fetch_ahead(const void *from, size_t bytes)
{
    __builtin_prefetch((const void *)((uintptr_t)from + bytes), 0, 3);
}

/* R rows × N vectors, one accumulator each: what a vector gives does not depend on its company. Eight of them or more cover the latency
 * of the FMA. */
INLINE void dot_block(vlk_dtype dtype, const char *w, size_t stride, const int R, int cols, const float *x, size_t ldx,
                      const int N, float *y, size_t ldy)
{
    vf acc[8][4] = { 0 };
    int i = 0;

    for (; i + W <= cols; i += W) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            vf v = vf_load_as(dtype, w + r * stride, i);

            fetch_ahead(w, (size_t)(r + R) * stride + (size_t)i * element_bytes(dtype));
#pragma GCC unroll 4
            for (int t = 0; t < N; t++)
                acc[r][t] = vf_fma(v, vf_load(x + t * ldx + i), acc[r][t]);
        }
    }
    if (i < cols) {
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            vf v = vf_load_as_part(dtype, w + r * stride, i, cols - i);

#pragma GCC unroll 4
            for (int t = 0; t < N; t++)
                acc[r][t] = vf_fma(v, vf_load_part(x + t * ldx + i, cols - i), acc[r][t]);
        }
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int t = 0; t < N; t++)
            y[t * ldy + r] = vf_sum(acc[r][t]);
}

INLINE void dot_any(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, const float *x, size_t ldx, const int N,
                    float *y, size_t ldy)
{
    const int together = N == 1 ? 8 : N == 4 ? 2 : 4; /* more accumulators would not all be registers */
    int r = 0;

    for (; r + together <= rows; r += together)
        dot_block(dtype, w + r * stride, stride, together, cols, x, ldx, N, y + r, ldy);
    for (; r + 4 <= rows; r += 4)
        dot_block(dtype, w + r * stride, stride, 4, cols, x, ldx, N, y + r, ldy);
    for (; r < rows; r++)
        dot_block(dtype, w + r * stride, stride, 1, cols, x, ldx, N, y + r, ldy);
}

#define DOT_OF_DTYPE(suffix, dtype)                                                                                        \
    static void dot_##suffix(const char *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx,         \
                             float *y, size_t ldy)                                                                         \
    {                                                                                                                      \
        switch (nx) {                                                                                                      \
        case 1:                                                                                                            \
            dot_any(dtype, w, stride, rows, cols, x, ldx, 1, y, ldy);                                                      \
            break;                                                                                                         \
        case 2:                                                                                                            \
            dot_any(dtype, w, stride, rows, cols, x, ldx, 2, y, ldy);                                                      \
            break;                                                                                                         \
        case 3:                                                                                                            \
            dot_any(dtype, w, stride, rows, cols, x, ldx, 3, y, ldy);                                                      \
            break;                                                                                                         \
        default:                                                                                                           \
            dot_any(dtype, w, stride, rows, cols, x, ldx, 4, y, ldy);                                                      \
        }                                                                                                                  \
    }

DOT_OF_DTYPE(f32, VLK_F32)
DOT_OF_DTYPE(bf16, VLK_BF16)
DOT_OF_DTYPE(f16, VLK_F16)

typedef void dot_fn(const char *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y, size_t ldy);

static dot_fn *const dot_of[] = { [VLK_F32] = dot_f32, [VLK_BF16] = dot_bf16, [VLK_F16] = dot_f16 };

void ISA(dot_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y,
                   size_t ldy)
{
    /* Few rows at a time, so that they are still in the first cache when the next four vectors come. */
    for (int r = 0; r < rows; r += 8)
        for (int t = 0; t < nx; t += 4)
            dot_of[dtype]((const char *)w + r * stride, stride, rows - r < 8 ? rows - r : 8, cols, x + t * ldx, ldx,
                          nx - t < 4 ? nx - t : 4, y + t * ldy + r, ldy);
}

void ISA(dot_heads)(const struct vlk_heads *h, const float *q, float *s, size_t lds)
{
    const size_t rows = (size_t)h->rows, width = (size_t)h->width;

    for (int i = 0; i < h->keys; i += 8)
        for (size_t head = 0; head < (size_t)h->heads; head++)
            ISA(dot_rows)(h->dtype, (const char *)h->data + (size_t)i * h->stride + head * h->step, h->stride,
                          h->keys - i < 8 ? h->keys - i : 8, h->width, q + head * rows * width, width, h->rows,
                          s + head * rows * lds + i, lds);
}

INLINE void mix_any(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, const float *coef, bool add, float *y)
{
    int c = 0;

    for (; c + 4 * W <= cols; c += 4 * W) {
        vf acc[4] = { 0 };

        if (add)
            for (int i = 0; i < 4; i++)
                acc[i] = vf_load(y + c + i * W);
        for (int r = 0; r < rows; r++) {
            vf f = vf_set1(coef[r]);

            fetch_ahead(w, (size_t)(r + 8) * stride + (size_t)c * element_bytes(dtype));
            fetch_ahead(w, (size_t)(r + 8) * stride + (size_t)(c + 2 * W) * element_bytes(dtype));
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                acc[i] = vf_fma(f, vf_load_as(dtype, w + r * stride, c + i * W), acc[i]);
        }
        for (int i = 0; i < 4; i++)
            vf_store(y + c + i * W, acc[i]);
    }
    for (int n; c < cols; c += n) {
        vf acc;

        n = cols - c < W ? cols - c : W;
        acc = add ? vf_load_part(y + c, n) : vf_set1(0);
        for (int r = 0; r < rows; r++)
            acc = vf_fma(vf_set1(coef[r]), vf_load_as_part(dtype, w + r * stride, c, n), acc);
        vf_store_part(y + c, acc, n);
    }
}

/* The same for a group of quantised rows. */
INLINE void mix_group(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, int group, const float *coef, float *y)
{
    const size_t scale_at = vlk_quant_code_bytes(dtype, cols), code_at = (size_t)group * (size_t)vlk_quant_group_bytes(dtype);
    vf acc[GROUP / W];

#pragma GCC unroll 8
    for (int i = 0; i < GROUP / W; i++)
        acc[i] = vf_load(y + i * W);
    for (int r = 0; r < rows; r++, w += stride) {
        vf f = vf_set1(coef[r] * load_scale((const uint8_t *)w + scale_at, group));

#pragma GCC unroll 8
        for (int i = 0; i < GROUP / W; i++)
            acc[i] = vf_fma(f, load_codes(dtype, (const uint8_t *)w + code_at, i), acc[i]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < GROUP / W; i++)
        vf_store(y + i * W, acc[i]);
}

#define MIX_ROWS 8 /* rows that are read together, as far as mix_any fetches ahead, so that memory is read in order */

/* All groups of a few quantised rows. */
INLINE void mix_groups(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, const float *coef, bool add, float *y)
{
    for (int c = 0; c < cols; c += GROUP) {
        const size_t bytes = (size_t)(cols - c < GROUP ? cols - c : GROUP) * sizeof *y;
        float sum[GROUP] = { 0 };

        if (add)
            memcpy(sum, y + c, bytes);
        mix_group(dtype, w, stride, rows, cols, c / GROUP, coef, sum);
        memcpy(y + c, sum, bytes);
    }
}

void ISA(mix_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *coef, bool add, float *y)
{
    for (int r = 0; r < rows || !r; r += MIX_ROWS) {
        const char *from = (const char *)w + (size_t)r * stride;
        int n = rows - r < MIX_ROWS ? rows - r : MIX_ROWS;

        if (dtype == VLK_I8G) {
            mix_groups(VLK_I8G, from, stride, n, cols, coef + r, add || r, y);
        } else if (dtype == VLK_I4G) {
            mix_groups(VLK_I4G, from, stride, n, cols, coef + r, add || r, y);
        } else {
#define CALL(d) mix_any(d, from, stride, n, cols, coef + r, add || r, y)
            FOR_FLOAT_DTYPE(dtype, CALL)
#undef CALL
        }
    }
}

void ISA(mix_heads)(const struct vlk_heads *h, const float *s, size_t lds, float *o)
{
    const size_t rows = (size_t)h->rows, width = (size_t)h->width;

    for (int i = 0; i < h->keys; i += MIX_ROWS) {
        const int n = h->keys - i < MIX_ROWS ? h->keys - i : MIX_ROWS;

        for (size_t head = 0; head < (size_t)h->heads; head++) {
            const char *v = (const char *)h->data + (size_t)i * h->stride + head * h->step;

            for (size_t r = head * rows; r < (head + 1) * rows; r++) {
#define CALL(d) mix_any(d, v, h->stride, n, h->width, s + r * lds + i, true, o + r * width)
                FOR_FLOAT_DTYPE(h->dtype, CALL)
#undef CALL
            }
        }
    }
}
