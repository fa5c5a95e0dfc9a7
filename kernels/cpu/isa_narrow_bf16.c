/* SPDX-License-Identifier: MIT
 *
 * Products of bf16 weights with activations rounded to bf16, two columns to a lane, summed in f32; and what attention needs to be
 * such products: values as a left operand, probabilities as a right one. Compiled for levels with AVX512-BF16; runs on the workers of
 * the CPU backend. Knows nothing of ops.
 */
#include "kernels/cpu/isa_narrow.h"
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

#define ROWS VLK_NARROW_ROWS

typedef uint32_t left_pairs[ROWS];
typedef uint32_t right_pairs[NR];

static int pairs_of(int k)
{
    return (k + 1) / 2;
}

static size_t block_bytes(int k)
{
    return (size_t)pairs_of(k) * sizeof(left_pairs);
}

static size_t panel_bytes(int k)
{
    return (size_t)pairs_of(k) * sizeof(right_pairs);
}

/* ------------------------------------------------------------------------------------------------ operands */

/* 2 W values of a row as bf16, zeros from n on. */
INLINE vf round_pairs(const float *x, int n)
{
    vf low = n >= W ? vf_load(x) : vf_load_part(x, n);
    vf high = n >= 2 * W ? vf_load(x + W) : n > W ? vf_load_part(x + W, n - W) : vf_set1(0);

    return (vf)_mm512_cvtne2ps_pbh(high, low);
}

static void code_block(const float *const *rows, int m, int k, char *block)
{
    left_pairs *left = (left_pairs *)(void *)block;
    vf t[W];

    for (int at = 0; at < k; at += 2 * W) {
        const int pairs = pairs_of(k - at) < W ? pairs_of(k - at) : W;

        for (int i = 0; i < W; i++)
            t[i] = i < m ? round_pairs(rows[i] + at, k - at) : vf_set1(0);
        vf_transpose(t);
#pragma GCC unroll 16
        for (int j = 0; j < W; j++)
            if (j < pairs)
                vf_store_part((float *)(void *)left[at / 2 + j], t[j], ROWS);
    }
}

INLINE vf load_pairs(const uint16_t *w, int n)
{
    return (vf)(n >= 2 * W ? _mm512_loadu_si512(w) : _mm512_maskz_loadu_epi16((1u << n) - 1, w));
}

static void pack_panel(const void *w, size_t stride, int rows, int cols, int col0, int k, char *panel)
{
    right_pairs *right = (right_pairs *)(void *)panel;
    vf t[W];

    for (int half = 0; half < NR; half += W) {
        for (int at = 0; at < k; at += 2 * W) {
            const int pairs = pairs_of(k - at) < W ? pairs_of(k - at) : W;

            for (int r = 0; r < W; r++)
                t[r] = half + r < rows ? load_pairs((const uint16_t *)(const void *)((const char *)w + (size_t)(half + r) * stride) +
                                                        col0 + at, k - at)
                                       : vf_set1(0);
            vf_transpose(t);
#pragma GCC unroll 16
            for (int j = 0; j < W; j++)
                if (j < pairs)
                    vf_store((float *)(void *)(right[at / 2 + j] + half), t[j]);
        }
    }
}

void ISA_BF16(pack_values)(const uint16_t *values, size_t ld, int keys, int width, char *blocks, size_t step)
{
    for (int key = 0; key < keys; key += 2, values += 2 * ld) {
        for (int c = 0; c < width; c += ROWS) {
            const __mmask16 some = vf_first(width - c < ROWS ? width - c : ROWS);
            __m512i even = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, values + c)), odd = _mm512_setzero_si512();

            if (key + 1 < keys)
                odd = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(some, values + ld + c));
            vf_store_part((float *)(void *)(blocks + (size_t)(c / ROWS) * step + (size_t)(key / 2) * sizeof(left_pairs)),
                          (vf)_mm512_or_si512(even, _mm512_slli_epi32(odd, 16)), ROWS);
        }
    }
}

void ISA_BF16(pair_up)(const float *scores, int keys, char *panel)
{
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4,
                                           19, 3, 18, 2, 17, 1, 16, 0);
    right_pairs *right = (right_pairs *)(void *)panel;

    for (int key = 0; key < keys; key += 2, scores += 2 * NR) {
        for (int half = 0; half < NR; half += W) {
            vf even = vf_load(scores + half), odd = key + 1 < keys ? vf_load(scores + NR + half) : vf_set1(0);

            _mm512_storeu_si512(right[key / 2] + half, _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(odd, even)));
        }
    }
}

/* ------------------------------------------------------------------------------------------------ product */

/* Written out, for compilers copy the accumulators of the intrinsic. */
INLINE vf dot_pairs(vf sum, vf a, vf b)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}

static void multiply_block(int m, int n, int pairs, const left_pairs *a, const right_pairs *b, const struct vlk_narrow_tile *t,
                           size_t row)
{
    vf acc[ROWS][2];

#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++)
        acc[i][0] = acc[i][1] = vf_set1(0);
    for (int j = 0; j < pairs; j++) {
        vf b0 = vf_load((const float *)(const void *)b[j]), b1 = vf_load((const float *)(const void *)(b[j] + W));

#pragma GCC unroll 12
        for (int i = 0; i < ROWS; i++) {
            vf x = (vf)_mm512_set1_epi32((int)a[j][i]);

            acc[i][0] = dot_pairs(acc[i][0], x, b0);
            acc[i][1] = dot_pairs(acc[i][1], x, b1);
        }
    }
#pragma GCC unroll 12
    for (int i = 0; i < ROWS; i++) {
        if (i >= m)
            break;
        for (int half = 0; half < 2 && half * W < n; half++)
            put_lanes(acc[i][half], t, row + (size_t)i, half * W, n - half * W < W ? n - half * W : W);
    }
}

static void gemm(int m, int n, int k, const struct vlk_narrow_tile *t)
{
    for (int i = 0; i < m; i += ROWS)
        multiply_block(m - i < ROWS ? m - i : ROWS, n, pairs_of(k),
                       (const left_pairs *)(const void *)(t->a + (size_t)(i / ROWS) * t->a_step),
                       (const right_pairs *)(const void *)t->b, t, (size_t)i);
}

const struct vlk_narrow ISA_BF16(narrow) = { block_bytes, panel_bytes, code_block, pack_panel, NULL, gemm };
