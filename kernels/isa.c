/* SPDX-License-Identifier: MIT
 *
 * The inner loops of kernels/isa.h, compiled once per instruction set level. Loops over a dtype are written once with the
 * dtype as a constant parameter of an always-inlined function, and instantiated by the switch of their public entry.
 * Runs on the workers of the CPU backend. Knows nothing of ops.
 */
#include "kernels/isa.h"

#include <math.h>

#include "kernels/simd.h"

#define NR (2 * W)
#define GROUP VLK_QUANT_GROUP

/* Calls CALL with the dtype as a compile-time constant. */
#define FOR_FLOAT_DTYPE(dtype, CALL)                                                                                       \
    switch (dtype) {                                                                                                       \
    case VLK_BF16:                                                                                                         \
        CALL(VLK_BF16);                                                                                                    \
        break;                                                                                                             \
    case VLK_F16:                                                                                                          \
        CALL(VLK_F16);                                                                                                     \
        break;                                                                                                             \
    default:                                                                                                               \
        CALL(VLK_F32);                                                                                                     \
    }

static bool is_quantised(vlk_dtype dtype)
{
    return dtype == VLK_I8G || dtype == VLK_I4G;
}

static size_t element_bytes(vlk_dtype dtype)
{
    return dtype == VLK_F32 ? 4 : 2;
}

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

INLINE int group_bytes(vlk_dtype dtype)
{
    return dtype == VLK_I8G ? GROUP : GROUP / 2;
}

INLINE void unpack_groups(vlk_dtype dtype, const uint8_t *codes, const uint8_t *scales, int groups, float *dst)
{
    for (int g = 0; g < groups; g++) {
        vf scale = vf_set1(load_scale(scales, g));

        for (int i = 0; i < GROUP / W; i++)
            vf_store(dst + g * GROUP + i * W, scale * load_codes(dtype, codes + g * group_bytes(dtype), i));
    }
}

static void unpack(vlk_dtype dtype, const void *row, int cols, int col0, int n, float *dst)
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
        unpack_groups(VLK_I4G, bytes + col0 / 2, bytes + vlk_quant_code_bytes(dtype, cols) + col0 / GROUP * 2, n / GROUP, dst);
    }
}

static void pack_bf16(uint16_t *dst, const float *src, int64_t n)
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

/* R rows × N vectors. Alone, a vector gets two accumulators per row to cover the latency of the FMA. */
INLINE void dot_block(vlk_dtype dtype, const char *w, size_t stride, const int R, int cols, const float *x, size_t ldx,
                      const int N, float *y, size_t ldy)
{
    vf acc[4][4] = { 0 }, odd[4] = { 0 };
    int i = 0;

    if (N == 1) {
        for (; i + 2 * W <= cols; i += 2 * W) {
            vf x0 = vf_load(x + i), x1 = vf_load(x + i + W);

#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                fetch_ahead(w, (size_t)(r + R) * stride + (size_t)i * element_bytes(dtype));
                acc[r][0] = vf_fma(vf_load_as(dtype, w + r * stride, i), x0, acc[r][0]);
                odd[r] = vf_fma(vf_load_as(dtype, w + r * stride, i + W), x1, odd[r]);
            }
        }
    }
    for (; i + W <= cols; i += W) {
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) {
            vf v = vf_load_as(dtype, w + r * stride, i);

            fetch_ahead(w, (size_t)(r + R) * stride + (size_t)i * element_bytes(dtype));
#pragma GCC unroll 4
            for (int t = 0; t < N; t++)
                acc[r][t] = vf_fma(v, vf_load(x + t * ldx + i), acc[r][t]);
        }
    }
    if (i < cols) {
        for (int r = 0; r < R; r++) {
            vf v = vf_load_as_part(dtype, w + r * stride, i, cols - i);

            for (int t = 0; t < N; t++)
                acc[r][t] = vf_fma(v, vf_load_part(x + t * ldx + i, cols - i), acc[r][t]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int t = 0; t < N; t++)
            y[t * ldy + r] = vf_sum(acc[r][t] + odd[r]);
}

/* The same for quantised rows: codes are multiplied first, the scale once per group. The scales of a run of groups are
 * converted together, so that the inner loop only broadcasts them from memory. */
INLINE void dot_block_groups(vlk_dtype dtype, const char *w, size_t stride, const int R, int cols, const float *x, size_t ldx,
                             const int N, float *y, size_t ldy)
{
    enum { RUN = 16 };
    const size_t scales_at = vlk_quant_code_bytes(dtype, cols);
    const int groups = (int)vlk_quant_groups(cols), whole = cols / GROUP;
    float scales[4][RUN], last[4][GROUP];
    vf acc[4][4] = { 0 };

    if (whole < groups) {
        for (int t = 0; t < N; t++) {
            memset(last[t], 0, sizeof last[t]);
            memcpy(last[t], x + t * ldx + whole * GROUP, (size_t)(cols - whole * GROUP) * sizeof *x);
        }
    }
    for (int g0 = 0; g0 < groups; g0 += RUN) {
        int n = groups - g0 < RUN ? groups - g0 : RUN;

        for (int r = 0; r < R; r++)
            unpack_float(VLK_BF16, w + r * stride + scales_at + 2 * (size_t)g0, n, scales[r]);
        for (int g = 0; g < n; g++) {
            const float *from = g0 + g < whole ? x + (g0 + g) * GROUP : last[0];
            const size_t step = g0 + g < whole ? ldx : GROUP;

#pragma GCC unroll 4
            for (int r = 0; r < R; r++) {
                const uint8_t *codes = (const uint8_t *)w + r * stride + (size_t)(g0 + g) * (size_t)group_bytes(dtype);
                vf sum[4] = { 0 };

                fetch_ahead(codes, R * stride);
#pragma GCC unroll 8
                for (int i = 0; i < GROUP / W; i++) {
                    vf v = load_codes(dtype, codes, i);

#pragma GCC unroll 4
                    for (int t = 0; t < N; t++)
                        sum[t] = vf_fma(v, vf_load(from + t * step + i * W), sum[t]);
                }
#pragma GCC unroll 4
                for (int t = 0; t < N; t++)
                    acc[r][t] = vf_fma(vf_set1(scales[r][g]), sum[t], acc[r][t]);
            }
        }
    }
    for (int r = 0; r < R; r++)
        for (int t = 0; t < N; t++)
            y[t * ldy + r] = vf_sum(acc[r][t]);
}

INLINE void dot_any(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, const float *x, size_t ldx, const int N,
                    float *y, size_t ldy)
{
    int r = 0;

    if (dtype == VLK_I8G || dtype == VLK_I4G) {
        for (; r + 4 <= rows; r += 4)
            dot_block_groups(dtype, w + r * stride, stride, 4, cols, x, ldx, N, y + r, ldy);
        for (; r < rows; r++)
            dot_block_groups(dtype, w + r * stride, stride, 1, cols, x, ldx, N, y + r, ldy);
        return;
    }
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
DOT_OF_DTYPE(i8g, VLK_I8G)
DOT_OF_DTYPE(i4g, VLK_I4G)

static void dot_rows(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx,
                     float *y, size_t ldy)
{
    static void (*const of_dtype[VLK_DTYPE_COUNT])(const char *, size_t, int, int, const float *, size_t, int, float *,
                                                   size_t) = { dot_f32, dot_bf16, dot_f16, dot_i8g, dot_i4g };

    /* Few rows at a time, so that they are still in the first cache when the next four vectors come. */
    for (int r = 0; r < rows; r += 8)
        for (int t = 0; t < nx; t += 4)
            of_dtype[dtype]((const char *)w + r * stride, stride, rows - r < 8 ? rows - r : 8, cols, x + t * ldx, ldx,
                            nx - t < 4 ? nx - t : 4, y + t * ldy + r, ldy);
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

static void mix_rows(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *coef, bool add, float *y)
{
    float row[GROUP];

    if (!is_quantised(dtype)) {
#define CALL(d) mix_any(d, w, stride, rows, cols, coef, add, y)
        FOR_FLOAT_DTYPE(dtype, CALL)
#undef CALL
        return;
    }
    for (int c = 0; c < cols; c += GROUP) {
        int n = cols - c < GROUP ? cols - c : GROUP;

        for (int r = 0; r < rows; r++) {
            unpack(dtype, (const char *)w + r * stride, cols, c, n, row);
            mix_any(VLK_F32, (const char *)row, sizeof row, 1, n, coef + r, add || r, y + c);
        }
    }
}

/* ------------------------------------------------------------------------------------------------ GEMM */

/* W rows × n (<= W) lanes of 4 bytes at `src`, turned: lane vectors t[0 … n-1]. Rows from `rows` on are zero. */
INLINE void load_turned(const char *src, size_t stride, int rows, int n, vf t[W])
{
    if (rows == W && n == W) {
#pragma GCC unroll 16
        for (int r = 0; r < W; r++)
            t[r] = vf_load((const float *)(const void *)(src + r * stride));
    } else {
        for (int r = 0; r < W; r++)
            t[r] = r < rows ? vf_load_part((const float *)(const void *)(src + r * stride), n) : vf_set1(0);
    }
    vf_transpose(t);
}

static void pack_f32(const char *src, size_t stride, int rows, int k, float *dst)
{
    vf t[W];

    for (int at = 0; at < k; at += W) {
        int n = k - at < W ? k - at : W;

        load_turned(src + (size_t)at * 4, stride, rows, n, t);
        for (int i = 0; i < n; i++)
            vf_store(dst + (size_t)(at + i) * NR, t[i]);
    }
}

/* Two bf16 of a row are one lane, so that a turn moves twice as many weights; halves become floats afterwards. */
static void pack_bf16_pairs(const char *src, size_t stride, int rows, int k, float *dst)
{
    vf t[W];

    for (int at = 0; at + 2 <= k; at += 2 * W) {
        int n = (k - at) / 2 < W ? (k - at) / 2 : W;

        load_turned(src + (size_t)at * 2, stride, rows, n, t);
        for (int i = 0; i < n; i++) {
            vf_store(dst + (size_t)(at + 2 * i) * NR, vf_low_bf16(t[i]));
            vf_store(dst + (size_t)(at + 2 * i + 1) * NR, vf_high_bf16(t[i]));
        }
    }
    for (int r = 0; r < W && k % 2; r++)
        dst[(size_t)(k - 1) * NR + (size_t)r] =
            r < rows ? vlk_bf16_to_f32(((const uint16_t *)(const void *)(src + r * stride))[k - 1]) : 0;
}

/* The other dtypes go through a strip of f32 rows that stays in the first cache. */
static void pack_strips(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, int col0, int k, float *dst)
{
    enum { STRIP = 4 * GROUP };
    float strip[W][STRIP];

    for (int at = 0; at < k; at += STRIP) {
        int n = k - at < STRIP ? k - at : STRIP;

        for (int r = 0; r < rows; r++)
            unpack(dtype, w + r * stride, cols, col0 + at, n, strip[r]);
        pack_f32((const char *)strip, sizeof strip[0], rows, n, dst + (size_t)at * NR);
    }
}

/* W rows into one half of a panel. */
static void pack_half(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, int col0, int k, float *dst)
{
    if (dtype == VLK_F32)
        pack_f32(w + (size_t)col0 * 4, stride, rows, k, dst);
    else if (dtype == VLK_BF16)
        pack_bf16_pairs(w + (size_t)col0 * 2, stride, rows, k, dst);
    else
        pack_strips(dtype, w, stride, rows, cols, col0, k, dst);
}

static void pack_rows(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int col0, int k, float *panels)
{
    for (int r = 0; r < rows; r += NR) {
        for (int half = 0; half < 2; half++) {
            int from = r + half * W, n = rows - from < 0 ? 0 : rows - from < W ? rows - from : W;

            pack_half(dtype, (const char *)w + from * stride, stride, n, cols, col0, k,
                      panels + (size_t)r * (size_t)k + half * W);
        }
    }
}

INLINE void pack_cols_any(vlk_dtype dtype, const char *w, size_t stride, int k, int n, float *dst)
{
    for (int i = 0; i < k; i++, w += stride, dst += NR) {
        if (n == NR) {
            vf_store(dst, vf_load_as(dtype, w, 0));
            vf_store(dst + W, vf_load_as(dtype, w, W));
        } else {
            vf_store(dst, n >= W ? vf_load_as(dtype, w, 0) : vf_load_as_part(dtype, w, 0, n));
            vf_store(dst + W, n > W ? vf_load_as_part(dtype, w, W, n - W) : vf_set1(0));
        }
    }
}

static void pack_cols(vlk_dtype dtype, const void *w, size_t stride, int k, int cols, float *panels)
{
    for (int c = 0; c < cols; c += NR) {
        float *panel = panels + (size_t)c * (size_t)k;
        const char *from = (const char *)w + (is_quantised(dtype) ? 0 : (size_t)c * element_bytes(dtype));
        int n = cols - c < NR ? cols - c : NR;

        if (!is_quantised(dtype)) {
#define CALL(d) pack_cols_any(d, from, stride, k, n, panel)
            FOR_FLOAT_DTYPE(dtype, CALL)
#undef CALL
            continue;
        }
        for (int i = 0; i < k; i++) {
            float *dst = panel + (size_t)i * NR;

            unpack(dtype, from + i * stride, cols, c, n, dst);
            for (int j = n; j < NR; j++)
                dst[j] = 0;
        }
    }
}

INLINE void micro(const int M, int n, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add)
{
    vf acc[MR][2];

#pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        acc[i][0] = acc[i][1] = vf_set1(0);
    for (int j = 0; j < k; j++) {
        vf b0 = vf_load(b + (size_t)j * NR), b1 = vf_load(b + (size_t)j * NR + W);

#pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            vf f = vf_set1(a[(size_t)i * lda + (size_t)j]);

            acc[i][0] = vf_fma(f, b0, acc[i][0]);
            acc[i][1] = vf_fma(f, b1, acc[i][1]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
        float *row = c + (size_t)i * ldc;

        for (int half = 0, left = n; half < 2 && left > 0; half++, left -= W) {
            vf v = acc[i][half];

            if (left >= W) {
                if (add)
                    v = v + vf_load(row + half * W);
                vf_store(row + half * W, v);
            } else {
                if (add)
                    v = v + vf_load_part(row + half * W, left);
                vf_store_part(row + half * W, v, left);
            }
        }
    }
}

#define MICRO(M)                                                                                                           \
    static void micro_##M(int n, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add)        \
    {                                                                                                                      \
        micro(M, n, k, a, lda, b, c, ldc, add);                                                                            \
    }

MICRO(1)
MICRO(2)
MICRO(3)
MICRO(4)
MICRO(5)
MICRO(6)
#if MR == 12
MICRO(7)
MICRO(8)
MICRO(9)
MICRO(10)
MICRO(11)
MICRO(12)
#endif

static void gemm(int m, int n, int k, const float *a, size_t lda, const float *panels, float *c, size_t ldc, bool add)
{
    static void (*const micro_of[MR])(int, int, const float *, size_t, const float *, float *, size_t, bool) = {
        micro_1, micro_2, micro_3, micro_4, micro_5, micro_6,
#if MR == 12
        micro_7, micro_8, micro_9, micro_10, micro_11, micro_12,
#endif
    };

    for (int i = 0; i < m; i += MR) {
        int rows = m - i < MR ? m - i : MR;

        for (int j = 0; j < n; j += NR)
            micro_of[rows - 1](n - j < NR ? n - j : NR, k, a + (size_t)i * lda, lda, panels + (size_t)j * (size_t)k,
                               c + (size_t)i * ldc + j, ldc, add);
    }
}

/* ------------------------------------------------------------------------------------------------ rows of floats */

static float row_max(const float *x, int64_t n)
{
    vf best = vf_set1(-INFINITY);
    float result;
    int64_t i = 0;

    for (; i + W <= n; i += W)
        best = vf_max(vf_load(x + i), best);
    result = vf_hmax(best);
    for (; i < n; i++)
        result = x[i] > result ? x[i] : result;
    return result;
}

/* Sums in f32 per lane over short runs, in double over the runs: exact enough for a vocabulary. */
INLINE double exp_rows(const float *x, float *out, int64_t n, float shift)
{
    enum { RUN = 32 * W };
    vf s = vf_set1(shift);
    double total = 0;

    for (int64_t from = 0; from < n; from += RUN) {
        int64_t to = n - from < RUN ? n : from + RUN, i = from;
        vf sum = vf_set1(0);

        for (; i + W <= to; i += W) {
            vf e = vf_exp(vf_load(x + i) - s);

            if (out)
                vf_store(out + i, e);
            sum = sum + e;
        }
        total += (double)vf_sum(sum);
        if (i < to) {
            float last[W];

            vf_store(last, vf_exp(vf_load_part(x + i, (int)(to - i)) - s));
            for (int64_t j = i; j < to; j++) {
                if (out)
                    out[j] = last[j - i];
                total += (double)last[j - i];
            }
        }
    }
    return total;
}

static double exp_sum(float *x, int64_t n, float shift)
{
    return exp_rows(x, x, n, shift);
}

static double exp_sum_of(const float *x, int64_t n, float shift)
{
    return exp_rows(x, NULL, n, shift);
}

#define EACH_VECTOR(n, y, EXPR_FULL, EXPR_PART)                                                                            \
    do {                                                                                                                   \
        int64_t i = 0;                                                                                                     \
        int part;                                                                                                          \
                                                                                                                           \
        for (; i + W <= (n); i += W)                                                                                       \
            vf_store((y) + i, EXPR_FULL);                                                                                  \
        part = (int)((n) - i);                                                                                             \
        if (part)                                                                                                          \
            vf_store_part((y) + i, EXPR_PART, part);                                                                       \
    } while (0)

static void scale_row(float *x, int64_t n, float f)
{
    vf v = vf_set1(f);

    EACH_VECTOR(n, x, v * vf_load(x + i), v * vf_load_part(x + i, part));
}

static void axpy(float *y, const float *x, int64_t n, float f)
{
    vf v = vf_set1(f);

    EACH_VECTOR(n, y, vf_fma(v, vf_load(x + i), vf_load(y + i)),
                vf_fma(v, vf_load_part(x + i, part), vf_load_part(y + i, part)));
}

static void add_row(float *y, const float *x, int64_t n)
{
    EACH_VECTOR(n, y, vf_load(y + i) + vf_load(x + i), vf_load_part(y + i, part) + vf_load_part(x + i, part));
}

static void mul_row(float *y, const float *x, int64_t n)
{
    EACH_VECTOR(n, y, vf_load(y + i) * vf_load(x + i), vf_load_part(y + i, part) * vf_load_part(x + i, part));
}

INLINE vf silu(vf x)
{
    return x / (vf_set1(1) + vf_exp(vf_set1(0) - x));
}

/* 0.5 x (1 + tanh(u)) = x / (1 + exp(-2u)), u = sqrt(2/pi) (x + 0.044715 x^3) */
INLINE vf gelu_tanh(vf x)
{
    vf u = x * vf_fma(x * x, vf_set1(0.044715f), vf_set1(1));

    return x / (vf_set1(1) + vf_exp(vf_set1(-1.5957691216057308f) * u));
}

static void act(vlk_act kind, float *y, int64_t n)
{
    switch (kind) {
    case VLK_ACT_SILU:
        EACH_VECTOR(n, y, silu(vf_load(y + i)), silu(vf_load_part(y + i, part)));
        break;
    case VLK_ACT_GELU_TANH:
        EACH_VECTOR(n, y, gelu_tanh(vf_load(y + i)), gelu_tanh(vf_load_part(y + i, part)));
        break;
    case VLK_ACT_GELU_ERF:
        for (int64_t i = 0; i < n; i++)
            y[i] = 0.5f * y[i] * (1 + erff(y[i] * 0.70710678118654752f));
        break;
    default:
        break;
    }
}

static void rmsnorm(float *y, const float *x, const float *w, int n, float eps)
{
    vf sum = vf_set1(0), f;
    int at = 0;

    for (; at + W <= n; at += W)
        sum = vf_fma(vf_load(x + at), vf_load(x + at), sum);
    if (at < n) {
        vf v = vf_load_part(x + at, n - at);

        sum = vf_fma(v, v, sum);
    }
    f = vf_set1(1 / sqrtf(vf_sum(sum) / (float)n + eps));
    EACH_VECTOR(n, y, vf_load(x + i) * f * vf_load(w + i), vf_load_part(x + i, part) * f * vf_load_part(w + i, part));
}

static void layernorm(float *y, const float *x, const float *w, const float *b, int n, float eps)
{
    vf sum = vf_set1(0), square = vf_set1(0), mean, f;
    int at = 0;

    for (; at + W <= n; at += W)
        sum = sum + vf_load(x + at);
    if (at < n)
        sum = sum + vf_load_part(x + at, n - at);
    mean = vf_set1(vf_sum(sum) / (float)n);
    for (at = 0; at + W <= n; at += W) {
        vf d = vf_load(x + at) - mean;

        square = vf_fma(d, d, square);
    }
    if (at < n) {
        float d[W] = { 0 };

        vf_store_part(d, vf_load_part(x + at, n - at) - mean, n - at);
        square = vf_fma(vf_load(d), vf_load(d), square);
    }
    f = vf_set1(1 / sqrtf(vf_sum(square) / (float)n + eps));
    EACH_VECTOR(n, y, vf_fma((vf_load(x + i) - mean) * f, vf_load(w + i), vf_load(b + i)),
                vf_fma((vf_load_part(x + i, part) - mean) * f, vf_load_part(w + i, part), vf_load_part(b + i, part)));
}

const struct vlk_isa LEVEL = {
    .name = LEVEL_NAME,
    .nr = NR,
    .mr = MR,
    .unpack = unpack,
    .pack_bf16 = pack_bf16,
    .dot_rows = dot_rows,
    .mix_rows = mix_rows,
    .pack_rows = pack_rows,
    .pack_cols = pack_cols,
    .gemm = gemm,
    .max = row_max,
    .exp_sum = exp_sum,
    .exp_sum_of = exp_sum_of,
    .scale = scale_row,
    .axpy = axpy,
    .add = add_row,
    .mul = mul_row,
    .act = act,
    .rmsnorm = rmsnorm,
    .layernorm = layernorm,
};
