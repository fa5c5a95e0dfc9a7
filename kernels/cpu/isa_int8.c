/* SPDX-License-Identifier: MIT
 *
 * Products of quantised weights with activations that are rounded to int8 themselves: per 32 columns one scale and exact sums
 * of integers, so that all levels agree but for the order in which groups are added. Here the product with few rows; isa_int8_gemm.c
 * has the one with many. Compiled once per level; runs on the workers of the CPU backend. Knows nothing of ops.
 */
#include "kernels/cpu/isa_int8.h"
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

#define RUN 16 /* groups whose scales are multiplied together */

#if defined(__AVX512VNNI__)

/* The order in which a row of int4 meets its activations: of four groups each, columns 0 … 15 of all four, which are the low nibbles
 * of 64 bytes, then 16 … 31 of all four. Their sums are those of the lanes that add up both. */
static void order_for_nibbles(const struct vlk_codes *c, int groups)
{
    const __m512i low = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13), high = _mm512_setr_epi64(2, 3, 6, 7, 10, 11, 14, 15);

    for (int g = 0; g < groups; g += 4) {
        int8_t *codes = c->codes + g * GROUP;
        int32_t *sums = c->sums + g * (GROUP / 4);
        __m512i a = _mm512_loadu_si512(codes), b = _mm512_loadu_si512(codes + 64);

        _mm512_storeu_si512(codes, _mm512_permutex2var_epi64(a, low, b));
        _mm512_storeu_si512(codes + 64, _mm512_permutex2var_epi64(a, high, b));
        a = _mm512_loadu_si512(sums);
        b = _mm512_loadu_si512(sums + 16);
        _mm512_storeu_si512(sums, _mm512_add_epi32(_mm512_permutex2var_epi64(a, low, b), _mm512_permutex2var_epi64(a, high, b)));
    }
}

#endif

void ISA_CODES(code_row)(vlk_dtype dtype, const float *x, int cols, float *row)
{
    struct vlk_codes c = vlk_codes_of(row, cols);
    const int groups = (int)vlk_quant_groups(cols), padded = vlk_padded_groups(cols);
    float q[GROUP];

    for (int g = 0; g < groups; g++) {
        c.scales[g] = round_group(x + g * GROUP, cols - g * GROUP < GROUP ? cols - g * GROUP : GROUP, q);
        if (!(c.scales[g] < INFINITY))
            memset(q, 0, sizeof q);
        store_codes(q, c.codes + g * GROUP, c.sums + g * (GROUP / 4));
    }
    memset(c.codes + groups * GROUP, 0, (size_t)(padded - groups) * GROUP);
    memset(c.sums + groups * (GROUP / 4), 0, (size_t)(padded - groups) * GROUP);
    memset(c.scales + groups, 0, (size_t)(padded - groups) * sizeof *c.scales);
#if defined(__AVX512VNNI__)
    if (dtype == VLK_I4G)
        order_for_nibbles(&c, padded);
#endif
}

void ISA_CODES(round_row)(const float *x, int cols, float *rounded)
{
    float q[GROUP];

    for (int at = 0; at < cols; at += GROUP) {
        int n = cols - at < GROUP ? cols - at : GROUP;
        float scale = round_group(x + at, n, q);

        for (int i = 0; i < n; i++)
            rounded[at + i] = scale * q[i];
    }
}

/* ------------------------------------------------------------------------------------------------ matrix × one vector */

#if defined(__AVX512VNNI__)

/* A line of the rows behind these R, which is one stretch of memory: in the order in which memory likes to be read. */
INLINE void prefetch_line(const uint8_t *w, size_t stride, const int R, int line)
{
    __builtin_prefetch((const void *)((uintptr_t)w + (size_t)R * stride + (size_t)line * 64), 0, 3);
}

/* Two groups of int8: their sums times a scale each, spread over eight lanes. */
INLINE void dot_two_of_bytes(const uint8_t *w, size_t stride, const int R, int left, const struct vlk_codes *x, int g,
                             const vf *scales, int at, vf *acc)
{
    const __m512i pair = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    const __m512i codes = _mm512_loadu_si512(x->codes + g * GROUP), sums = _mm512_loadu_si512(x->sums + g * (GROUP / 4));

#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
        __m512i sum = dot_bytes(sums, load_weights(VLK_I8G, w + r * stride + g * GROUP, left), codes);

        prefetch_line(w, stride, R, g / 2 * R + r);
        acc[r] = vf_fma(_mm512_permutexvar_ps(_mm512_add_epi32(pair, _mm512_set1_epi32(at)), scales[r]), _mm512_cvtepi32_ps(sum),
                        acc[r]);
    }
}

/* Four groups of int4, a group in each quarter of the vector: columns 0 … 15 of all four from the low nibbles, 16 … 31 from the high. */
INLINE void dot_four_of_nibbles(const uint8_t *w, size_t stride, const int R, int left, const struct vlk_codes *x, int g,
                                const vf *scales, int at, vf *acc)
{
    const __m512i table = _mm512_broadcast_i32x4(_mm_xor_si128(_mm_setr_epi8(VLK_I4_CODES), _mm_set1_epi8(-128)));
    const __m512i four = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3), nibble = _mm512_set1_epi8(15);
    const __m512i sums = _mm512_loadu_si512(x->sums + g * (GROUP / 4));
    const __m512i low = _mm512_loadu_si512(x->codes + g * GROUP), high = _mm512_loadu_si512(x->codes + g * GROUP + 64);

#pragma GCC unroll 4
    for (int r = 0; r < R; r++) {
        const uint8_t *from = w + r * stride + g * (GROUP / 2);
        __m512i v = left >= 4 ? _mm512_loadu_si512(from) : _mm512_maskz_loadu_epi64((__mmask8)((1 << 2 * left) - 1), from);
        __m512i sum = dot_bytes(sums, _mm512_shuffle_epi8(table, _mm512_and_si512(v, nibble)), low);

        sum = dot_bytes(sum, _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble)), high);
        prefetch_line(w, stride, R, g / 4 * R + r);
        acc[r] = vf_fma(_mm512_permutexvar_ps(_mm512_add_epi32(four, _mm512_set1_epi32(at)), scales[r]), _mm512_cvtepi32_ps(sum),
                        acc[r]);
    }
}

/* The sums of four vectors. */
INLINE void store_totals(const vf *v, float *y)
{
    __m512 a = _mm512_unpacklo_ps(v[0], v[1]) + _mm512_unpackhi_ps(v[0], v[1]);
    __m512 b = _mm512_unpacklo_ps(v[2], v[3]) + _mm512_unpackhi_ps(v[2], v[3]);
    __m512d c = _mm512_castps_pd(a), d = _mm512_castps_pd(b);
    __m512 all = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d)) + _mm512_castpd_ps(_mm512_unpackhi_pd(c, d));
    __m256 half = _mm512_castps512_ps256(all) + _mm512_extractf32x8_ps(all, 1);

    _mm_storeu_ps(y, _mm256_castps256_ps128(half) + _mm256_extractf128_ps(half, 1));
}

/* R rows side by side, so that their sums do not wait for each other. */
INLINE void dot_some(vlk_dtype dtype, const uint8_t *w, size_t stride, const int R, int cols, const struct vlk_codes *x, float *y)
{
    const uint8_t *scales_at = w + vlk_quant_code_bytes(dtype, cols);
    const int groups = (int)vlk_quant_groups(cols), step = dtype == VLK_I8G ? 2 : 4;
    vf acc[4] = { vf_set1(0), vf_set1(0), vf_set1(0), vf_set1(0) }, scales[4];

#define DOT(left, g, at) (dtype == VLK_I8G ? dot_two_of_bytes(w, stride, R, left, x, g, scales, at, acc)                         \
                                           : dot_four_of_nibbles(w, stride, R, left, x, g, scales, at, acc))
    for (int g0 = 0; g0 < groups; g0 += RUN) {
        const int n = groups - g0 < RUN ? groups - g0 : RUN;

#pragma GCC unroll 4
        for (int r = 0; r < R; r++) {
            const uint8_t *from = scales_at + r * stride;

            scales[r] = (n == RUN ? vf_from_bf16(from + 2 * g0) : vf_load_as_part(VLK_BF16, from, g0, n)) * vf_load(x->scales + g0);
            prefetch_line(w, stride, R, groups / step * R + (g0 / RUN * R + r) / 2);
        }
        if (n == RUN) {
#pragma GCC unroll 8
            for (int g = 0; g < RUN; g += step)
                DOT(step, g0 + g, g);
        } else {
#pragma GCC unroll 8
            for (int g = 0; g < RUN; g += step)
                if (g < n)
                    DOT(n - g, g0 + g, g);
        }
    }
#undef DOT
    if (R == 4)
        store_totals(acc, y);
    else
        *y = vf_sum(acc[0]);
}

INLINE void dot_all(vlk_dtype dtype, const uint8_t *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y,
                    size_t ldy)
{
    for (int t = 0; t < nx; t++) {
        const struct vlk_codes codes = vlk_codes_of((float *)x + (size_t)t * ldx, cols);
        int r = 0;

        for (; r + 4 <= rows; r += 4)
            dot_some(dtype, w + r * stride, stride, 4, cols, &codes, y + (size_t)t * ldy + r);
        for (; r < rows; r++)
            dot_some(dtype, w + r * stride, stride, 1, cols, &codes, y + (size_t)t * ldy + r);
    }
}

#else

/* Scales of n groups of a weight row times those of the vector; 0 from n on. */
INLINE void multiply_scales(const uint8_t *scales, const float *x, int n, float out[RUN])
{
    for (int i = 0; i < RUN; i += W) {
        int left = n - i;
        vf s = vf_set1(0);

        if (left >= W)
            s = vf_from_bf16(scales + 2 * i);
        else if (left > 0)
            s = vf_load_as_part(VLK_BF16, scales, i, left);
        vf_store(out + i, s * vf_load(x + i));
    }
}

#define MOST_SUMS 4 /* rows times vectors that are multiplied side by side */

#if defined(__AVX2__)

typedef __m256 sums_t;

/* The run of groups from g0 on, of R rows and N vectors. Signs move to the activations; two products of 127 · 127 still fit 16 bits. */
INLINE void dot_run(vlk_dtype dtype, const uint8_t *w, size_t stride, const int R, const struct vlk_codes *x, const int N, int g0, int n,
                    const float (*scales)[RUN], sums_t *acc)
{
    for (int g = 0; g < n; g++) {
#pragma GCC unroll 4
        for (int r = 0; r < R; r++) {
            const uint8_t *from = w + r * stride + (size_t)(g0 + g) * (size_t)vlk_quant_group_bytes(dtype);
            __m256i v = load_weights(dtype, from), size = _mm256_abs_epi8(v);

            __builtin_prefetch((const void *)((uintptr_t)from + R * stride), 0, 3);
#pragma GCC unroll 4
            for (int t = 0; t < N; t++) {
                __m256i codes = _mm256_loadu_si256((const __m256i *)(const void *)(x[t].codes + (g0 + g) * GROUP));
                __m256i twos = _mm256_maddubs_epi16(size, _mm256_sign_epi8(codes, v));
                __m256 sum = _mm256_cvtepi32_ps(_mm256_madd_epi16(twos, _mm256_set1_epi16(1)));

                acc[r * N + t] = _mm256_fmadd_ps(_mm256_set1_ps(scales[r * N + t][g]), sum, acc[r * N + t]);
            }
        }
    }
}

INLINE float total_of(sums_t v)
{
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

#else

typedef float sums_t;

INLINE void dot_run(vlk_dtype dtype, const uint8_t *w, size_t stride, const int R, const struct vlk_codes *x, const int N, int g0, int n,
                    const float (*scales)[RUN], sums_t *acc)
{
    for (int g = 0; g < n; g++) {
        for (int i = 0; i < R * N; i++) {
            const int8_t *codes = x[i % N].codes + (g0 + g) * GROUP;
            const uint8_t *from = w + i / N * stride + (size_t)(g0 + g) * (size_t)vlk_quant_group_bytes(dtype);
            int32_t sum = 0;

            for (int j = 0; j < GROUP / 2; j++) {
                int low = dtype == VLK_I8G ? (int8_t)from[j] : vlk_i4_codes[from[j] & 15];
                int high = dtype == VLK_I8G ? (int8_t)from[j + 16] : vlk_i4_codes[from[j] >> 4];

                sum += low * codes[j] + high * codes[j + 16];
            }
            acc[i] += scales[i][g] * (float)sum;
        }
    }
}

INLINE float total_of(sums_t v)
{
    return v;
}

#endif

/* R rows and N vectors side by side: their sums do not wait for each other, and a vector gets the one that it gets alone. */
INLINE void dot_some(vlk_dtype dtype, const uint8_t *w, size_t stride, const int R, int cols, const struct vlk_codes *x, const int N,
                     float *y, size_t ldy)
{
    const uint8_t *scales_at = w + vlk_quant_code_bytes(dtype, cols);
    const int groups = (int)vlk_quant_groups(cols);
    float scales[MOST_SUMS][RUN];
    sums_t acc[MOST_SUMS] = { 0 };

    for (int g0 = 0; g0 < groups; g0 += RUN) {
        int n = groups - g0 < RUN ? groups - g0 : RUN;

        for (int i = 0; i < R * N; i++) {
            const uint8_t *from = scales_at + (size_t)(i / N) * stride + 2 * (size_t)g0;

            multiply_scales(from, x[i % N].scales + g0, n, scales[i]);
            __builtin_prefetch((const void *)((uintptr_t)from + (size_t)R * stride), 0, 3);
        }
        dot_run(dtype, w, stride, R, x, N, g0, n, scales, acc);
    }
    for (int i = 0; i < R * N; i++)
        y[(size_t)(i % N) * ldy + i / N] = total_of(acc[i]);
}

/* All rows with N vectors. */
INLINE void dot_vectors(vlk_dtype dtype, const uint8_t *w, size_t stride, int rows, int cols, const struct vlk_codes *x, const int N,
                        float *y, size_t ldy)
{
    const int together = MOST_SUMS / N;
    int r = 0;

    for (; r + together <= rows; r += together)
        dot_some(dtype, w + r * stride, stride, together, cols, x, N, y + r, ldy);
    for (; r < rows; r++)
        dot_some(dtype, w + r * stride, stride, 1, cols, x, N, y + r, ldy);
}

INLINE void dot_all(vlk_dtype dtype, const uint8_t *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y,
                    size_t ldy)
{
    for (int t = 0; t < nx; t += 4) {
        struct vlk_codes codes[4];
        const int n = nx - t < 4 ? nx - t : 4;
        float *to = y + (size_t)t * ldy;

        for (int i = 0; i < n; i++)
            codes[i] = vlk_codes_of((float *)x + (size_t)(t + i) * ldx, cols);
        switch (n) {
        case 1:
            dot_vectors(dtype, w, stride, rows, cols, codes, 1, to, ldy);
            break;
        case 2:
            dot_vectors(dtype, w, stride, rows, cols, codes, 2, to, ldy);
            break;
        case 3:
            dot_vectors(dtype, w, stride, rows, cols, codes, 3, to, ldy);
            break;
        default:
            dot_vectors(dtype, w, stride, rows, cols, codes, 4, to, ldy);
        }
    }
}

#endif

void ISA_CODES(dot_codes)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y,
                          size_t ldy)
{
    enum { TOGETHER = 8 }; /* rows that are still in the first cache when the next vectors come */

    for (int r = 0; r < rows; r += TOGETHER) {
        const uint8_t *at = (const uint8_t *)w + (size_t)r * stride;
        const int n = rows - r < TOGETHER ? rows - r : TOGETHER;

        if (dtype == VLK_I8G)
            dot_all(VLK_I8G, at, stride, n, cols, x, ldx, nx, y + r, ldy);
        else
            dot_all(VLK_I4G, at, stride, n, cols, x, ldx, nx, y + r, ldy);
    }
}
