/* SPDX-License-Identifier: MIT
 *
 * Products of int8 weights whose whole K is summed in integers: one scale per row of weights and one scale and zero point per row
 * of activations, so that nothing but integer dot products stands in the inner loop. What one scale per row would lose to a few
 * far values is kept: they are taken out of their row and added as floats. Compiled for levels with VNNI; runs on the workers
 * of the CPU backend. Knows nothing of ops.
 */
#include "kernels/cpu/isa_narrow.h"
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

#define GROUP VLK_QUANT_GROUP
#define ROWS VLK_NARROW_ROWS
#define MOST_FAR 8       /* far values of a row: each costs as much as four columns */
#define FAR_MEANS 8.0f   /* from so many times the mean magnitude on: 6.4 deviations of normal values */
#define FAR_GAIN 2.0f    /* if without them the row spans at most the part of 1 in so many */
#define STEP 64          /* columns that are coded or packed together */

struct left {
    float scales[ROWS]; /* NaN: something was not finite */
    int32_t zeros[ROWS], n_far[ROWS];
    struct {
        int32_t at;
        float value;
    } far[ROWS][MOST_FAR];
    int32_t unused[ROWS]; /* keeps the codes on a line of the cache */
    int32_t fours[][ROWS]; /* four codes each, unsigned */
};

struct right {
    float scales[NR];
    int32_t sums[NR]; /* of the codes, which times the zero point is what all codes of a row of activations are too high by */
    int32_t fours[][NR];
};

static int fours_of(int k)
{
    return (k + 3) / 4;
}

/* Of them, those of the step at column `at`. */
INLINE int fours_at(int k, int at)
{
    return k - at < STEP ? fours_of(k - at) : STEP / 4;
}

static size_t block_bytes(int k)
{
    return sizeof(struct left) + (size_t)fours_of(k) * sizeof(int32_t[ROWS]);
}

static size_t panel_bytes(int k)
{
    return sizeof(struct right) + (size_t)fours_of(k) * sizeof(int32_t[NR]);
}

/* ------------------------------------------------------------------------------------------------ activations */

INLINE vf magnitude(vf v)
{
    return vf_max(v, vf_set1(0) - v);
}

/* The mean magnitude of a row and the largest; NaN if anything is not finite. */
static float mean_magnitude(const float *x, int k, float *peak)
{
    vf sum = vf_set1(0), top = vf_set1(0);

    for (int at = 0; at < k; at += W) {
        vf v = magnitude(k - at < W ? vf_load_part(x + at, k - at) : vf_load(x + at));

        sum = sum + v;
        top = vf_max(v, top);
    }
    *peak = vf_hmax(top);
    return vf_sum(sum) * 0 + vf_sum(sum) / (float)k;
}

static int count_above(const float *x, int k, float limit)
{
    int n = 0;

    for (int at = 0; at < k; at += W) {
        vf v = magnitude(k - at < W ? vf_load_part(x + at, k - at) : vf_load(x + at));

        n += __builtin_popcount(_mm512_cmp_ps_mask(v, vf_set1(limit), _CMP_GT_OQ));
    }
    return n;
}

/* The magnitude from which on values are far ones; infinite where taking a few out would not help. */
static float far_limit(const float *x, int k, float mean, float peak)
{
    for (float limit = FAR_MEANS * mean; limit * FAR_GAIN < peak; limit *= 1.4f)
        if (count_above(x, k, limit) <= MOST_FAR)
            return limit;
    return INFINITY;
}

/* Least and largest of what is not far, 0 included; far values are noted. */
static void find_range(const float *x, int k, float limit, struct left *left, int row, float *low, float *high)
{
    vf least = vf_set1(0), most = vf_set1(0);
    int n = 0;

    for (int at = 0; at < k; at += W) {
        vf v = k - at < W ? vf_load_part(x + at, k - at) : vf_load(x + at);
        __mmask16 far = _mm512_cmp_ps_mask(magnitude(v), vf_set1(limit), _CMP_GT_OQ);

        v = _mm512_mask_mov_ps(v, far, vf_set1(0));
        least = _mm512_min_ps(least, v);
        most = _mm512_max_ps(most, v);
        for (; far && n < MOST_FAR; far &= (__mmask16)(far - 1), n++) {
            left->far[row][n].at = at + __builtin_ctz(far);
            left->far[row][n].value = x[at + __builtin_ctz(far)];
        }
    }
    left->n_far[row] = n;
    *low = _mm512_reduce_min_ps(least);
    *high = _mm512_reduce_max_ps(most);
}

/* Fixes scale, zero point and far values of a row; returns 1 / scale, 0 for a row that has no codes. */
static float fit_row(const float *x, int k, struct left *left, int row)
{
    float peak, mean = mean_magnitude(x, k, &peak), low, high, inverse;

    left->zeros[row] = left->n_far[row] = 0;
    left->scales[row] = 0;
    if (!(mean <= 0x1p120f)) {
        left->scales[row] = NAN;
        return 0;
    }
    find_range(x, k, far_limit(x, k, mean, peak), left, row, &low, &high);
    if (!(high - low > 0x1p-100f)) /* its reciprocal would overflow */
        return 0;
    inverse = 255 / (high - low);
    left->scales[row] = (high - low) / 255;
    left->zeros[row] = (int32_t)rintf(-low * inverse);
    return inverse;
}

/* STEP codes of a row. */
INLINE void code_step(const float *x, int n, float inverse, int32_t zero, uint8_t codes[STEP])
{
    const __m512i z = _mm512_set1_epi32(zero);

#pragma GCC unroll 4
    for (int i = 0; i < STEP; i += W) {
        int left = n - i;
        vf v = left >= W ? vf_load(x + i) : left > 0 ? vf_load_part(x + i, left) : vf_set1(0);
        __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(v * vf_set1(inverse)), z);

        _mm_storeu_si128((__m128i *)(void *)(codes + i), _mm512_cvtusepi32_epi8(q));
    }
}

static void code_block(const float *const *rows, int m, int k, char *block)
{
    struct left *left = (struct left *)(void *)block;
    _Alignas(64) uint8_t codes[ROWS][STEP];
    float inverse[ROWS];
    vf t[W];

    memset(left, 0, sizeof *left);
    for (int i = 0; i < m; i++)
        inverse[i] = fit_row(rows[i], k, left, i);
    for (int at = 0; at < k; at += STEP) {
        for (int i = 0; i < m; i++)
            code_step(rows[i] + at, k - at, inverse[i], left->zeros[i], codes[i]);
        for (int i = 0; i < W; i++)
            t[i] = i < m ? vf_load((const float *)(const void *)codes[i]) : vf_set1(0);
        vf_transpose(t);
#pragma GCC unroll 16
        for (int j = 0; j < W; j++)
            if (j < fours_at(k, at))
                vf_store_part((float *)(void *)left->fours[at / 4 + j], t[j], ROWS);
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < left->n_far[i]; j++)
            ((uint8_t *)&left->fours[left->far[i][j].at / 4][i])[left->far[i][j].at % 4] = (uint8_t)left->zeros[i];
}

/* ------------------------------------------------------------------------------------------------ weights */

/* The scale of n groups of a row, the largest of theirs, and how much of it each has, in parts of 2^15. */
static float fit_groups(const uint8_t *scales, int n, int16_t *parts)
{
    float top = 0, wild = 0, inverse;

    for (int g = 0; g < n; g++) {
        uint16_t bits;
        float s;

        memcpy(&bits, scales + 2 * g, 2);
        s = vlk_bf16_to_f32(bits);
        top = fabsf(s) > top ? fabsf(s) : top;
        wild += s * 0;
    }
    inverse = top > 0x1p-100f && wild == 0 ? 32768 / top : 0;
    for (int g = 0; g < n; g++) {
        uint16_t bits;
        float part;

        memcpy(&bits, scales + 2 * g, 2);
        part = inverse > 0 ? rintf(vlk_bf16_to_f32(bits) * inverse) : 0;
        parts[g] = (int16_t)(part > 32767 ? 32767 : part);
    }
    return inverse > 0 ? top : wild;
}

/* 32 codes of a group, of which n count, in units of the row's scale. */
INLINE __m256i rescale(const uint8_t *codes, int n, int16_t part)
{
    __m256i v = n >= GROUP ? _mm256_loadu_si256((const __m256i *)(const void *)codes)
                           : n > 0 ? _mm256_maskz_loadu_epi8((1u << n) - 1, codes) : _mm256_setzero_si256();

    return _mm512_cvtsepi16_epi8(_mm512_mulhrs_epi16(_mm512_cvtepi8_epi16(v), _mm512_set1_epi16(part)));
}

/* STEP codes of each of W rows, turned, into one half of a panel; returns the sums with them. */
INLINE __m512i put_step(vf t[W], int fours, struct right *right, int at, int half, __m512i sums)
{
    vf_transpose(t);
#pragma GCC unroll 16
    for (int j = 0; j < W; j++) {
        if (j >= fours)
            break;
        sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), _mm512_castps_si512(t[j]));
        vf_store((float *)(void *)right->fours[at / 4 + j] + half * W, t[j]);
    }
    return sums;
}

#define MOST_GROUPS 256 /* of a panel */

/* W rows into one half of a panel. */
static void pack_half(const uint8_t *w, size_t stride, int rows, int cols, int col0, int k, int half, struct right *right)
{
    const uint8_t *scales = w + vlk_quant_code_bytes(VLK_I8G, cols) + 2 * (size_t)(col0 / GROUP);
    int16_t parts[W][MOST_GROUPS + 1] = { 0 };
    __m512i sums = _mm512_setzero_si512();
    vf t[W];

    for (int r = 0; r < W; r++)
        right->scales[half * W + r] = r < rows ? fit_groups(scales + (size_t)r * stride, (k + GROUP - 1) / GROUP, parts[r]) : 0;
    for (int at = 0; at < k; at += STEP) {
        for (int r = 0; r < W; r++) {
            const uint8_t *from = w + (size_t)r * stride + col0 + at;
            __m256i low, high;

            if (r >= rows) {
                t[r] = vf_set1(0);
                continue;
            }
            low = rescale(from, k - at, parts[r][at / GROUP]);
            high = rescale(from + GROUP, k - at - GROUP, parts[r][at / GROUP + 1]);
            t[r] = _mm512_castsi512_ps(_mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1));
        }
        sums = put_step(t, fours_at(k, at), right, at, half, sums);
    }
    _mm512_storeu_si512(right->sums + half * W, sums);
}

static void pack_panel(const void *w, size_t stride, int rows, int cols, int col0, int k, char *panel)
{
    for (int half = 0; half < 2; half++)
        pack_half((const uint8_t *)w + (size_t)(half * W) * stride, stride, rows - half * W, cols, col0, k, half,
                  (struct right *)(void *)panel);
}

/* ------------------------------------------------------------------------------------------------ attention */

/* 1 / scale of a row whose largest magnitude becomes 127; 0 for a row that has no codes. */
static float fit_symmetric(const float *x, int k, float *scale)
{
    float peak, mean = mean_magnitude(x, k, &peak);

    *scale = mean <= 0x1p120f ? 0 : NAN;
    if (!(mean <= 0x1p120f) || !(peak > 0x1p-100f))
        return 0;
    *scale = peak / 127;
    return 127 / peak;
}

static void code_panel(const float *const *rows, int n, int k, char *panel)
{
    struct right *right = (struct right *)(void *)panel;
    _Alignas(64) uint8_t codes[STEP];
    float inverse[W];
    vf t[W];

    for (int half = 0; half < 2; half++) {
        const int some = n - half * W < W ? n - half * W : W;
        __m512i sums = _mm512_setzero_si512();

        for (int i = 0; i < W; i++)
            inverse[i] = i < some ? fit_symmetric(rows[half * W + i], k, &right->scales[half * W + i]) : 0;
        for (int i = some < 0 ? 0 : some; i < W; i++)
            right->scales[half * W + i] = 0;
        for (int at = 0; at < k; at += STEP) {
            for (int i = 0; i < W; i++) {
                t[i] = vf_set1(0);
                if (i >= some)
                    continue;
                code_step(rows[half * W + i] + at, k - at, inverse[i], 128, codes);
                t[i] = (vf)_mm512_xor_si512(_mm512_load_si512(codes), _mm512_set1_epi8(-128));
            }
            sums = put_step(t, fours_at(k, at), right, at, half, sums);
        }
        _mm512_storeu_si512(right->sums + half * W, sums);
    }
}

float ISA_CODES(soften_row)(float *s, int n, float scale)
{
    const vf slope = vf_set1(scale * 1.44269504088896341f);
    vf top = vf_set1(VLK_NO_PEAK), sum = vf_set1(0), shift;
    int at = 0;

    for (; at + W <= n; at += W)
        top = vf_max(vf_load(s + at), top);
    if (at < n)
        top = _mm512_mask_mov_ps(top, vf_first(n - at), vf_max(vf_load_part(s + at, n - at), top));
    shift = vf_set1(vf_hmax(top)) * slope;
    for (at = 0; at < n; at += W) {
        const __mmask16 some = n - at < W ? vf_first(n - at) : 0xffff;
        vf e = vf_exp2_below(vf_load_part(s + at, n - at < W ? n - at : W) * slope - shift);

        e = _mm512_maskz_mov_ps(some, e);
        _mm512_mask_storeu_ps(s + at, some, e);
        sum = sum + e;
    }
    return vf_sum(sum);
}

/* ------------------------------------------------------------------------------------------------ product */

/* Written out, for compilers copy the accumulators of the intrinsic. */
INLINE __m512i dot_bytes(__m512i sum, __m512i u8, __m512i s8)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(u8), "v"(s8));
    return sum;
}

/* The codes of one column of weights, as floats. */
INLINE vf column_of(const struct right *b, int at, int half)
{
    __m512i fours = _mm512_loadu_si512(b->fours[at / 4] + half * W);

    return _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_sll_epi32(fours, _mm_cvtsi32_si128(24 - 8 * (at % 4))), 24));
}

/* What the integer sums of row i stand for. */
INLINE vf value_of(__m512i sum, const struct left *a, const struct right *b, int i, int half)
{
    __m512i over = _mm512_mullo_epi32(_mm512_set1_epi32(a->zeros[i]), _mm512_loadu_si512(b->sums + half * W));
    vf v = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, over)) * vf_set1(a->scales[i]);

    for (int j = 0; j < a->n_far[i]; j++)
        v = vf_fma(vf_set1(a->far[i][j].value), column_of(b, a->far[i][j].at, half), v);
    return v * vf_load(b->scales + half * W);
}

static void multiply_block(int m, int n, int fours, const struct left *a, const struct right *b, const struct vlk_narrow_tile *t,
                           size_t row)
{
    __m512i acc[ROWS][2];

#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++)
        acc[i][0] = acc[i][1] = _mm512_setzero_si512();
    for (int j = 0; j < fours; j++) {
        __m512i b0 = _mm512_loadu_si512(b->fours[j]), b1 = _mm512_loadu_si512(b->fours[j] + W);

#pragma GCC unroll 12
        for (int i = 0; i < ROWS; i++) {
            __m512i x = _mm512_set1_epi32(a->fours[j][i]);

            acc[i][0] = dot_bytes(acc[i][0], x, b0);
            acc[i][1] = dot_bytes(acc[i][1], x, b1);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++) {
        if (i >= m)
            break;
        for (int half = 0; half < 2 && half * W < n; half++) {
            const int lanes = n - half * W < W ? n - half * W : W;

            put_lanes(value_of(acc[i][half], a, b, i, half), t, row + (size_t)i, half * W, lanes);
        }
    }
}

static void gemm(int m, int n, int k, const struct vlk_narrow_tile *t)
{
    for (int i = 0; i < m; i += ROWS)
        multiply_block(m - i < ROWS ? m - i : ROWS, n, fours_of(k),
                       (const struct left *)(const void *)(t->a + (size_t)(i / ROWS) * t->a_step),
                       (const struct right *)(const void *)t->b, t, (size_t)i);
}

const struct vlk_narrow ISA_CODES(narrow_int8) = { block_bytes, panel_bytes, code_block, pack_panel, code_panel, gemm };
