/* SPDX-License-Identifier: MIT
 *
 * The inner loops of the CPU backend: one table per instruction set level, all compiled from isa.c. Everything here runs on
 * one worker, allocates nothing and knows nothing of ops, threads or backends. Private to the CPU backend.
 *
 * A "panel" is nr columns of a k-long product, stored [k][nr] f32 and zero-padded: what the GEMM micro-kernel streams.
 */
#ifndef VLK_ISA_H
#define VLK_ISA_H

#include "kernels/vlk.h"

struct vlk_isa {
    const char *name;
    int nr, mr; /* columns of a panel, rows of a register block */

    /* dst[i] = element col0 + i of a weight row of `cols`, i < n */
    void (*unpack)(vlk_dtype dtype, const void *row, int cols, int col0, int n, float *dst);
    void (*pack_bf16)(uint16_t *dst, const float *src, int64_t n);

    /* y[t][r] = w[r] · x[t]; the order of a sum does not depend on rows */
    void (*dot_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx,
                     float *y, size_t ldy);
    /* y[c] (+)= sum over rows, ascending, of coef[r] * w[r][c] */
    void (*mix_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *coef, bool add, float *y);

    /* Panels of w[r][col0 + i], i < k, with the rows as columns of the product: ceil(rows/nr) panels */
    void (*pack_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int col0, int k, float *panels);
    /* Panels of w[i][c], i < k, with the columns as columns of the product: ceil(cols/nr) panels */
    void (*pack_cols)(vlk_dtype dtype, const void *w, size_t stride, int k, int cols, float *panels);
    /* c[m][n] (+)= a[m][k] · panels */
    void (*gemm)(int m, int n, int k, const float *a, size_t lda, const float *panels, float *c, size_t ldc, bool add);

    float (*max)(const float *x, int64_t n);                    /* -inf for n == 0 */
    double (*exp_sum)(float *x, int64_t n, float shift);        /* x = exp(x - shift); the sum */
    double (*exp_sum_of)(const float *x, int64_t n, float shift); /* the same sum, x unchanged */
    void (*scale)(float *x, int64_t n, float f);
    void (*axpy)(float *y, const float *x, int64_t n, float f); /* y += f * x */
    void (*add)(float *y, const float *x, int64_t n);
    void (*mul)(float *y, const float *x, int64_t n);
    void (*act)(vlk_act act, float *y, int64_t n);
    void (*rmsnorm)(float *y, const float *x, const float *w, int n, float eps);
    void (*layernorm)(float *y, const float *x, const float *w, const float *b, int n, float eps);
};

extern const struct vlk_isa vlk_isa_generic;
#ifdef VLK_HAVE_X86
extern const struct vlk_isa vlk_isa_avx2, vlk_isa_avx512;
#endif

#endif
