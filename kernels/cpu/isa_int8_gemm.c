/* SPDX-License-Identifier: MIT
 *
 * The register-blocked product of quantised weights with many rows of rounded activations, for the levels that gain by integers: bytes
 * where there is VNNI, pairs of 16 bits on AVX2. The others multiply the rounded values as floats. Compiled once per level; runs on
 * the workers of the CPU backend. Knows nothing of ops.
 */
#include "kernels/cpu/isa_int8.h"
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

#define MRC VLK_CODE_ROWS

#if defined(__AVX512VNNI__)

/* A group of a block of rows and of a panel. */
struct left_group {
    int32_t fours[GROUP / 4][MRC]; /* four codes each */
    int32_t sums[MRC];             /* -128 times the sum of the codes */
    float scales[MRC];
};

struct right_group {
    int32_t fours[GROUP / 4][NR]; /* four weights plus 128 each */
    float scales[NR];
};

void ISA_CODES(pack_left_codes)(const float *const *rows, int m, int cols, float *dst)
{
    struct left_group *left = (struct left_group *)(void *)dst;
    const int groups = (int)vlk_quant_groups(cols);
    int32_t codes[GROUP / 4], sums[GROUP / 4];
    float q[GROUP];

    memset(left, 0, (size_t)groups * sizeof *left);
    for (int i = 0; i < m; i++) {
        for (int g = 0; g < groups; g++) {
            float scale = round_group(rows[i] + g * GROUP, cols - g * GROUP < GROUP ? cols - g * GROUP : GROUP, q);
            int32_t sum = 0;

            if (!(scale < INFINITY))
                memset(q, 0, sizeof q);
            store_codes(q, (int8_t *)codes, sums);
            for (int j = 0; j < GROUP / 4; j++) {
                left[g].fours[j][i] = codes[j];
                sum += sums[j];
            }
            left[g].sums[i] = sum;
            left[g].scales[i] = scale;
        }
    }
}

/* W rows of weights into one half of a panel's groups, two groups at a time; the scales likewise, W groups at a time. */
INLINE void pack_half(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, int g0, int groups, int half,
                      struct right_group *right)
{
    const char *scales = w + vlk_quant_code_bytes(dtype, cols) + 2 * (size_t)g0;
    vf t[W];

    for (int g = 0; g < groups; g += 2) {
        const char *from = w + (size_t)(g0 + g) * (size_t)vlk_quant_group_bytes(dtype);

#pragma GCC unroll 16
        for (int r = 0; r < W; r++)
            t[r] = r < rows ? _mm512_castsi512_ps(load_weights(dtype, (const uint8_t *)from + r * stride, groups - g))
                            : vf_set1(0);
        vf_transpose(t);
#pragma GCC unroll 16
        for (int j = 0; j < W; j++)
            if (g + j / 8 < groups)
                vf_store((float *)(void *)right[g + j / 8].fours[j % 8] + half * W, t[j]);
    }
    for (int g = 0; g < groups; g += W) {
        int n = groups - g < W ? groups - g : W;

#pragma GCC unroll 16
        for (int r = 0; r < W; r++)
            t[r] = r < rows ? vf_load_as_part(VLK_BF16, scales + r * stride, g, n) : vf_set1(0);
        vf_transpose(t);
#pragma GCC unroll 16
        for (int j = 0; j < W; j++)
            if (j < n)
                vf_store(right[g + j].scales + half * W, t[j]);
    }
}

#else

/* A group of a block of rows and of a panel: columns two by two, as 16 bits, so that a product of two by two is one instruction that
 * cannot overflow. Products of bytes would need their signs moved from weights to activations for every pair of rows. */
struct left_group {
    int32_t twos[GROUP / 2][MRC];
    float scales[MRC];
};

struct right_group {
    int32_t twos[GROUP / 2][NR];
    float scales[NR];
};

/* Whole numbers two by two, as 16 bits. */
INLINE void store_twos(const float q[GROUP], int32_t twos[GROUP / 2])
{
    for (int i = 0; i < GROUP; i += 16) {
        __m256i v = _mm256_packs_epi32(_mm256_cvtps_epi32(_mm256_loadu_ps(q + i)), _mm256_cvtps_epi32(_mm256_loadu_ps(q + i + 8)));

        _mm256_storeu_si256((__m256i *)(void *)(twos + i / 2), _mm256_permute4x64_epi64(v, 0xd8));
    }
}

void ISA_CODES(pack_left_codes)(const float *const *rows, int m, int cols, float *dst)
{
    struct left_group *left = (struct left_group *)(void *)dst;
    const int groups = (int)vlk_quant_groups(cols);
    int32_t twos[GROUP / 2];
    float q[GROUP];

    memset(left, 0, (size_t)groups * sizeof *left);
    for (int i = 0; i < m; i++) {
        for (int g = 0; g < groups; g++) {
            float scale = round_group(rows[i] + g * GROUP, cols - g * GROUP < GROUP ? cols - g * GROUP : GROUP, q);

            left[g].scales[i] = scale;
            if (!(scale < INFINITY))
                continue;
            store_twos(q, twos);
            for (int j = 0; j < GROUP / 2; j++)
                left[g].twos[j][i] = twos[j];
        }
    }
}

/* W rows of weights into one half of a panel's groups. */
INLINE void pack_half(vlk_dtype dtype, const char *w, size_t stride, int rows, int cols, int g0, int groups, int half,
                      struct right_group *right)
{
    const char *scales = w + vlk_quant_code_bytes(dtype, cols) + 2 * (size_t)g0;
    vf low[W], high[W];

    for (int g = 0; g < groups; g++) {
        for (int r = 0; r < W; r++) {
            const uint8_t *from = (const uint8_t *)w + (size_t)r * stride + (size_t)(g0 + g) * (size_t)vlk_quant_group_bytes(dtype);
            __m256i v = r < rows ? load_weights(dtype, from) : _mm256_setzero_si256();
            uint16_t scale = 0;

            low[r] = _mm256_castsi256_ps(_mm256_cvtepi8_epi16(_mm256_castsi256_si128(v)));
            high[r] = _mm256_castsi256_ps(_mm256_cvtepi8_epi16(_mm256_extracti128_si256(v, 1)));
            if (r < rows)
                memcpy(&scale, scales + (size_t)r * stride + 2 * g, sizeof scale);
            right[g].scales[half * W + r] = vlk_bf16_to_f32(scale);
        }
        vf_transpose(low);
        vf_transpose(high);
        for (int j = 0; j < W; j++) {
            vf_store((float *)(void *)right[g].twos[j] + half * W, low[j]);
            vf_store((float *)(void *)right[g].twos[W + j] + half * W, high[j]);
        }
    }
}

#endif

_Static_assert(sizeof(struct left_group) == CODE_LEFT_FLOATS * sizeof(float), "vlk_isa says so");
_Static_assert(sizeof(struct right_group) == CODE_RIGHT_FLOATS * NR * sizeof(float), "vlk_isa says so");

void ISA_CODES(pack_codes)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int g0, int groups, float *panels)
{
    struct right_group *right = (struct right_group *)(void *)panels;

    for (int r = 0; r < rows; r += NR, right += groups) {
        for (int half = 0; half < 2; half++) {
            int from = r + half * W, n = rows - from < 0 ? 0 : rows - from < W ? rows - from : W;
            const char *at = (const char *)w + (size_t)from * stride;

            if (dtype == VLK_I8G)
                pack_half(VLK_I8G, at, stride, n, cols, g0, groups, half, right);
            else
                pack_half(VLK_I4G, at, stride, n, cols, g0, groups, half, right);
        }
    }
}

/* A finished vector to n lanes of c. */
INLINE void put_sums(float *c, vf v, int n, bool add)
{
    if (n == W && add)
        vf_store(c, v + vf_load(c));
    else if (n == W)
        vf_store(c, v);
    else if (add)
        vf_store_part(c, v + vf_load_part(c, n), n);
    else
        vf_store_part(c, v, n);
}

#if defined(__AVX512VNNI__)

/* M rows × NR columns: integer sums of a group, then one scaling. */
INLINE void micro_codes(const int M, int n, int groups, const struct left_group *a, const struct right_group *b, float *c,
                        size_t ldc, bool add)
{
    vf acc[MRC][2];

#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
        acc[i][0] = acc[i][1] = vf_set1(0);
    for (; groups > 0; groups--, a++, b++) {
        __m512i sum[MRC][2];
        vf s0 = vf_load(b->scales), s1 = vf_load(b->scales + W);

#pragma GCC unroll 8
        for (int i = 0; i < M; i++)
            sum[i][0] = sum[i][1] = _mm512_set1_epi32(a->sums[i]);
#pragma GCC unroll 8
        for (int j = 0; j < GROUP / 4; j++) {
            __m512i b0 = _mm512_loadu_si512(b->fours[j]), b1 = _mm512_loadu_si512(b->fours[j] + W);

#pragma GCC unroll 8
            for (int i = 0; i < M; i++) {
                __m512i x = _mm512_set1_epi32(a->fours[j][i]);

                sum[i][0] = dot_bytes(sum[i][0], b0, x);
                sum[i][1] = dot_bytes(sum[i][1], b1, x);
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < M; i++) {
            vf s = vf_set1(a->scales[i]);

            acc[i][0] = vf_fma(s * s0, _mm512_cvtepi32_ps(sum[i][0]), acc[i][0]);
            acc[i][1] = vf_fma(s * s1, _mm512_cvtepi32_ps(sum[i][1]), acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
        for (int half = 0; half < 2 && half * W < n; half++)
            put_sums(c + (size_t)i * ldc + half * W, acc[i][half], n - half * W < W ? n - half * W : W, add);
}

#else

/* Written out, for compilers form all products before the first sum, and have no registers for the sums then. */
INLINE __m256i add_twos(__m256i sum, __m256i a, __m256i b)
{
    __m256i product;

    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(a), "x"(b));
    return sum;
}

/* M rows × NR columns: integer sums of a group, then one scaling, whose sums do not fit the registers as well. */
INLINE void micro_codes(const int M, int n, int groups, const struct left_group *a, const struct right_group *b, float *c,
                        size_t ldc, bool add)
{
    vf acc[MRC][2];

#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
        acc[i][0] = acc[i][1] = vf_set1(0);
    for (; groups > 0; groups--, a++, b++) {
        __m256i sum[MRC][2];
        vf s0 = vf_load(b->scales), s1 = vf_load(b->scales + W);

#pragma GCC unroll 8
        for (int i = 0; i < M; i++)
            sum[i][0] = sum[i][1] = _mm256_setzero_si256();
        for (int j = 0; j < GROUP / 2; j++) {
            __m256i b0 = _mm256_loadu_si256((const __m256i *)(const void *)b->twos[j]);
            __m256i b1 = _mm256_loadu_si256((const __m256i *)(const void *)(b->twos[j] + W));

#pragma GCC unroll 8
            for (int i = 0; i < M; i++) {
                __m256i x = _mm256_set1_epi32(a->twos[j][i]);

                sum[i][0] = add_twos(sum[i][0], x, b0);
                sum[i][1] = add_twos(sum[i][1], x, b1);
            }
        }
#pragma GCC unroll 8
        for (int i = 0; i < M; i++) {
            vf s = vf_set1(a->scales[i]);

            acc[i][0] = vf_fma(s * s0, _mm256_cvtepi32_ps(sum[i][0]), acc[i][0]);
            acc[i][1] = vf_fma(s * s1, _mm256_cvtepi32_ps(sum[i][1]), acc[i][1]);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
        for (int half = 0; half < 2 && half * W < n; half++)
            put_sums(c + (size_t)i * ldc + half * W, acc[i][half], n - half * W < W ? n - half * W : W, add);
}

#endif

typedef void micro_fn(int n, int groups, const struct left_group *a, const struct right_group *b, float *c, size_t ldc, bool add);

#define MICRO(M)                                                                                                           \
    static void micro_##M(int n, int groups, const struct left_group *a, const struct right_group *b, float *c,            \
                          size_t ldc, bool add)                                                                            \
    {                                                                                                                      \
        micro_codes(M, n, groups, a, b, c, ldc, add);                                                                      \
    }

MICRO(1)
MICRO(2)
MICRO(3)
MICRO(4)
MICRO(5)
MICRO(6)

void ISA_CODES(gemm_codes)(int m, int n, int groups, const struct vlk_tile *t)
{
    static micro_fn *const micro_of[MRC] = { micro_1, micro_2, micro_3, micro_4, micro_5, micro_6 };

    for (int i = 0; i < m; i += MRC) {
        const float *a = t->a + (size_t)(i / MRC) * t->a_step;
        int rows = m - i < MRC ? m - i : MRC;

        for (int j = 0; j < n; j += NR)
            micro_of[rows - 1](n - j < NR ? n - j : NR, groups, (const struct left_group *)(const void *)a,
                               (const struct right_group *)(const void *)(t->b + (size_t)(j / NR) * t->b_step),
                               t->c + (size_t)i * t->ldc + j, t->ldc, t->add);
    }
}
