/* SPDX-License-Identifier: MIT
 *
 * Products of int8 weights whose whole K is summed in integers, where two products of 16 bits and their sum are one instruction
 * (vpmaddwd) and nothing narrower is faster: AVX2. One scale per row of weights, as in isa_narrow_int8.c; the activations take as many
 * bits as the sum leaves them, so that far values need no care: beside one of 100 deviations the others are off by 4e-3. Runs on the
 * workers of the CPU backend. Knows nothing of ops.
 */
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"
#include "kernels/quant.h"

#define GROUP VLK_QUANT_GROUP
#define ROWS VLK_NARROW_ROWS
#define SUB_ROWS 6       /* whose sums fit the registers */
#define MOST_WEIGHT 255  /* the largest code of a row of weights: as exact as what is left for activations of 1,152 columns */

struct left {
    float scales[ROWS];   /* NaN: something was not finite */
    int32_t twos[][ROWS]; /* two codes each */
};

struct right {
    float scales[NR];
    int32_t twos[][NR];
};

static int twos_of(int k)
{
    return (k + 1) / 2;
}

/* The largest code of an activation with which k products fit 31 bits. */
static float most_of(int k)
{
    int most = INT32_MAX / MOST_WEIGHT / (k > 0 ? k : 1);

    return (float)(most < INT16_MAX ? most : INT16_MAX);
}

static size_t block_bytes(int k)
{
    return sizeof(struct left) + (size_t)twos_of(k) * sizeof(int32_t[ROWS]);
}

static size_t panel_bytes(int k)
{
    return sizeof(struct right) + (size_t)twos_of(k) * sizeof(int32_t[NR]);
}

/* 16 whole numbers as 16 bits each. */
INLINE __m256i narrow(vf a, vf b)
{
    return _mm256_permute4x64_epi64(_mm256_packs_epi32(_mm256_cvtps_epi32(a), _mm256_cvtps_epi32(b)), 0xd8);
}

/* ------------------------------------------------------------------------------------------------ activations */

/* The largest magnitude of a row; NaN if anything is not finite. */
static float peak_of(const float *x, int k)
{
    vf top = vf_set1(0), wild = vf_set1(0);

    for (int at = 0; at < k; at += W) {
        vf v = k - at < W ? vf_load_part(x + at, k - at) : vf_load(x + at);

        top = vf_max(vf_max(v, vf_set1(0) - v), top);
        wild = wild + v * vf_set1(0);
    }
    return vf_hmax(top) + vf_sum(wild);
}

INLINE vf load_scaled(const float *x, int n, float inverse)
{
    return (n >= W ? vf_load(x) : n > 0 ? vf_load_part(x, n) : vf_set1(0)) * vf_set1(inverse);
}

static void code_block(const float *const *rows, int m, int k, char *block)
{
    struct left *left = (struct left *)(void *)block;
    const float most = most_of(k);
    int32_t twos[W];

    memset(left, 0, block_bytes(k));
    for (int i = 0; i < m; i++) {
        const float peak = peak_of(rows[i], k), inverse = peak > 0x1p-100f ? most / peak : 0; /* of much less it would overflow */

        left->scales[i] = inverse > 0 ? peak / most : peak * 0;
        for (int at = 0; at < k && inverse > 0; at += 2 * W) {
            const int n = twos_of(k) - at / 2 < W ? twos_of(k) - at / 2 : W;

            _mm256_storeu_si256((__m256i *)(void *)twos, narrow(load_scaled(rows[i] + at, k - at, inverse),
                                                                load_scaled(rows[i] + at + W, k - at - W, inverse)));
            for (int j = 0; j < n; j++)
                left->twos[at / 2 + j][i] = twos[j];
        }
    }
}

/* ------------------------------------------------------------------------------------------------ weights */

INLINE float scale_at(const uint8_t *scales, int g)
{
    uint16_t bits;

    memcpy(&bits, scales + 2 * g, sizeof bits);
    return vlk_bf16_to_f32(bits);
}

/* The scale of n groups of a row: what the largest of theirs times 127 has to be divided by. */
static float fit_groups(const uint8_t *scales, int n)
{
    float top = 0, wild = 0;

    for (int g = 0; g < n; g++) {
        top = fabsf(scale_at(scales, g)) > top ? fabsf(scale_at(scales, g)) : top;
        wild += scale_at(scales, g) * 0;
    }
    return top * 127 / MOST_WEIGHT + wild;
}

/* The codes of half a group, in units of the row's scale. */
INLINE vf rescale(const uint8_t *codes, float part)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)codes), high = _mm_srli_si128(v, 8);

    return (vf)narrow(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(v)) * vf_set1(part),
                      _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(high)) * vf_set1(part));
}

/* W rows into one half of a panel. */
static void pack_half(const uint8_t *w, size_t stride, int rows, int cols, int col0, int k, int half, struct right *right)
{
    const uint8_t *scales = w + vlk_quant_code_bytes(VLK_I8G, cols) + 2 * (size_t)(col0 / GROUP);
    float inverse[W] = { 0 };
    vf t[W];

    for (int r = 0; r < W; r++) {
        float scale = r < rows ? fit_groups(scales + (size_t)r * stride, (k + GROUP - 1) / GROUP) : 0;

        right->scales[half * W + r] = scale;
        inverse[r] = scale > 0x1p-100f ? 1 / scale : 0;
    }
    for (int at = 0; at < k; at += 2 * W) {
        const int n = twos_of(k) - at / 2 < W ? twos_of(k) - at / 2 : W;

        for (int r = 0; r < W; r++)
            t[r] = r < rows ? rescale(w + (size_t)r * stride + col0 + at, scale_at(scales + (size_t)r * stride, at / GROUP) * inverse[r])
                            : vf_set1(0);
        vf_transpose(t);
        for (int j = 0; j < n; j++)
            vf_store((float *)(void *)right->twos[at / 2 + j] + half * W, t[j]);
    }
}

static void pack_panel(const void *w, size_t stride, int rows, int cols, int col0, int k, char *panel)
{
    for (int half = 0; half < 2; half++)
        pack_half((const uint8_t *)w + (size_t)(half * W) * stride, stride, rows - half * W, cols, col0, k, half,
                  (struct right *)(void *)panel);
}

/* ------------------------------------------------------------------------------------------------ product */

/* Written out, for compilers form all products before the first sum, and have no registers for the sums then. */
INLINE __m256i add_twos(__m256i sum, __m256i a, __m256i b)
{
    __m256i product;

    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
    return sum;
}

/* Finishes lanes c … c + n - 1 of a row. */
INLINE void put_lanes(vf v, const struct vlk_narrow_tile *t, size_t row, int c, int n)
{
    float *to = t->c + row * t->ldc + (size_t)c;

    if (t->bias)
        v = v + (n == W ? vf_load(t->bias + c) : vf_load_part(t->bias + c, n));
    if (t->add)
        v = v + (n == W ? vf_load(to) : vf_load_part(to, n));
    if (n == W)
        vf_store(to, v);
    else
        vf_store_part(to, v, n);
}

/* SUB_ROWS rows of a block from row `from` on, of which m count. */
static void multiply_rows(int from, int m, int n, int twos, const struct left *a, const struct right *b, const struct vlk_narrow_tile *t,
                          size_t row)
{
    __m256i sum[SUB_ROWS][2];

#pragma GCC unroll 6
    for (int i = 0; i < SUB_ROWS; i++)
        sum[i][0] = sum[i][1] = _mm256_setzero_si256();
    for (int j = 0; j < twos; j++) {
        __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)b->twos[j]);
        __m256i b1 = _mm256_loadu_si256((const __m256i *)(const void *)(b->twos[j] + W));

#pragma GCC unroll 6
        for (int i = 0; i < SUB_ROWS; i++) {
            __m256i x = _mm256_set1_epi32(a->twos[j][from + i]);

            sum[i][0] = add_twos(sum[i][0], x, b0);
            sum[i][1] = add_twos(sum[i][1], x, b1);
        }
    }
    for (int i = 0; i < SUB_ROWS && from + i < m; i++) {
        for (int half = 0; half < 2 && half * W < n; half++)
            put_lanes(_mm256_cvtepi32_ps(sum[i][half]) * (vf_set1(a->scales[from + i]) * vf_load(b->scales + half * W)), t,
                      row + (size_t)(from + i), half * W, n - half * W < W ? n - half * W : W);
    }
}

static void gemm(int m, int n, int k, const struct vlk_narrow_tile *t)
{
    for (int i = 0; i < m; i += ROWS)
        for (int from = 0; from < ROWS && i + from < m; from += SUB_ROWS)
            multiply_rows(from, m - i, n, twos_of(k), (const struct left *)(const void *)(t->a + (size_t)(i / ROWS) * t->a_step),
                          (const struct right *)(const void *)t->b, t, (size_t)i);
}

const struct vlk_narrow ISA(narrow_int16) = { block_bytes, panel_bytes, code_block, pack_panel, NULL, gemm };
