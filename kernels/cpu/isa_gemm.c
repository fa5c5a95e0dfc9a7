/* SPDX-License-Identifier: MIT
 *
 * The register-blocked product of f32 tiles, and the packing of its operands. Compiled once per level; runs on the workers of
 * the CPU backend. Knows nothing of ops.
 */
#include "kernels/cpu/isa_parts.h"
#include "kernels/cpu/simd.h"

#define GROUP VLK_QUANT_GROUP

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
            ISA(unpack)(dtype, w + r * stride, cols, col0 + at, n, strip[r]);
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

void ISA(pack_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int col0, int k, float *panels)
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

void ISA(pack_cols)(vlk_dtype dtype, const void *w, size_t stride, int k, int cols, float *panels)
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

            ISA(unpack)(dtype, from + i * stride, cols, c, n, dst);
            for (int j = n; j < NR; j++)
                dst[j] = 0;
        }
    }
}

/* Up to mr rows to one k-major block: dst[j * mr + i] = rows[i][j], zero where there is no row. */
void ISA(pack_left)(const float *const *rows, int m, int k, float *dst)
{
    for (int from = 0; from < MR; from += W) {
        const int lanes = MR - from < W ? MR - from : W;

        for (int at = 0; at < k; at += W) {
            int n = k - at < W ? k - at : W;
            vf t[W];

#pragma GCC unroll 16
            for (int i = 0; i < W; i++)
                t[i] = from + i >= m ? vf_set1(0) : n == W ? vf_load(rows[from + i] + at) : vf_load_part(rows[from + i] + at, n);
            vf_transpose(t);
#pragma GCC unroll 16
            for (int i = 0; i < W; i++)
                if (i < n)
                    vf_store_part(dst + (size_t)(at + i) * MR + from, t[i], lanes);
        }
    }
}

/* One block: M rows, N vectors of columns, all of k. */
INLINE void micro(const int M, const int N, const bool A_ROWS, int n, int k, const float *a, size_t lda, const float *b, float *c,
                  size_t ldc, bool add)
{
    vf acc[MR][2];

#pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        acc[i][0] = acc[i][1] = vf_set1(0);
    for (int j = 0; j < k; j++, b += NR) {
        vf b0 = vf_load(b), b1 = N > 1 ? vf_load(b + W) : b0;

#pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            vf f = vf_set1(A_ROWS ? a[(size_t)i * lda + (size_t)j] : a[i]);

            acc[i][0] = vf_fma(f, b0, acc[i][0]);
            if (N > 1)
                acc[i][1] = vf_fma(f, b1, acc[i][1]);
        }
        if (!A_ROWS)
            a += lda;
    }
#pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
        float *row = c + (size_t)i * ldc;

#pragma GCC unroll 2
        for (int half = 0; half < N; half++) {
            int left = n - half * W;
            vf v = acc[i][half];

            if (left >= W) {
                if (add)
                    v = v + vf_load(row + half * W);
                vf_store(row + half * W, v);
            } else if (left > 0) {
                if (add)
                    v = v + vf_load_part(row + half * W, left);
                vf_store_part(row + half * W, v, left);
            }
        }
    }
}

typedef void micro_fn(int n, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add);

#define MICRO_OF(name, M, N, A_ROWS)                                                                                       \
    static void name(int n, int k, const float *a, size_t lda, const float *b, float *c, size_t ldc, bool add)             \
    {                                                                                                                      \
        micro(M, N, A_ROWS, n, k, a, lda, b, c, ldc, add);                                                                 \
    }
#define MICRO(M)                                                                                                           \
    MICRO_OF(deep_##M##_1, M, 1, false)                                                                                    \
    MICRO_OF(deep_##M##_2, M, 2, false)                                                                                    \
    MICRO_OF(rows_##M##_1, M, 1, true)                                                                                     \
    MICRO_OF(rows_##M##_2, M, 2, true)

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
#define EACH_M(name) name(1), name(2), name(3), name(4), name(5), name(6), name(7), name(8), name(9), name(10), name(11), name(12)
#else
#define EACH_M(name) name(1), name(2), name(3), name(4), name(5), name(6)
#endif
#define DEEP_1(M) deep_##M##_1
#define DEEP_2(M) deep_##M##_2
#define ROWS_1(M) rows_##M##_1
#define ROWS_2(M) rows_##M##_2

void ISA(gemm)(int m, int n, int k, const struct vlk_tile *t)
{
    static micro_fn *const micro_of[2][2][MR] = { { { EACH_M(DEEP_1) }, { EACH_M(DEEP_2) } },
                                                  { { EACH_M(ROWS_1) }, { EACH_M(ROWS_2) } } };

    for (int i = 0; i < m; i += MR) {
        int rows = m - i < MR ? m - i : MR;
        const float *a = t->a_rows ? t->a + (size_t)i * t->lda : t->a + (size_t)(i / MR) * t->a_step;

        for (int j = 0; j < n; j += NR) {
            int left = n - j < NR ? n - j : NR;

            micro_of[t->a_rows][left > W][rows - 1](left, k, a, t->lda, t->b + (size_t)(j / NR) * t->b_step,
                                                    t->c + (size_t)i * t->ldc + j, t->ldc, t->add);
        }
    }
}
