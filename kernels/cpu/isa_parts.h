/* SPDX-License-Identifier: MIT
 *
 * The functions of one level, by the file that defines them; isa.h says what each does. Included by the isa*.c alone, which are
 * compiled once per level, so that every name carries its level.
 */
#ifndef VLK_ISA_PARTS_H
#define VLK_ISA_PARTS_H

#include "kernels/cpu/simd.h"

/* isa_dot.c */
void ISA(unpack)(vlk_dtype dtype, const void *row, int cols, int col0, int n, float *dst);
void ISA(pack_bf16)(uint16_t *dst, const float *src, int64_t n);
void ISA(dot_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y,
                   size_t ldy);
void ISA(mix_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *coef, bool add, float *y);

void ISA(dot_heads)(const struct vlk_heads *h, const float *q, float *s, size_t lds);
void ISA(mix_heads)(const struct vlk_heads *h, const float *s, size_t lds, float *o);

/* isa_gemm.c */
void ISA(pack_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int col0, int k, float *panels);
void ISA(pack_cols)(vlk_dtype dtype, const void *w, size_t stride, int k, int cols, float *panels);
void ISA(pack_left)(const float *const *rows, int m, int k, float *dst);
void ISA(gemm)(int m, int n, int k, const struct vlk_tile *t);

/* isa_int8.c */
void ISA_CODES(code_row)(vlk_dtype dtype, const float *x, int cols, float *row);
void ISA_CODES(round_row)(const float *x, int cols, float *rounded);
void ISA_CODES(dot_codes)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y,
                          size_t ldy);
#if defined(CODE_LEFT_FLOATS)

/* isa_int8_gemm.c */
void ISA_CODES(pack_left_codes)(const float *const *rows, int m, int cols, float *dst);
void ISA_CODES(pack_codes)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int g0, int groups, float *panels);
void ISA_CODES(gemm_codes)(int m, int n, int groups, const struct vlk_tile *t);
#endif
#if defined(__AVX512VNNI__)

/* isa_narrow_int8.c */
extern const struct vlk_narrow ISA_CODES(narrow_int8);
float ISA_CODES(soften_row)(float *s, int n, float scale);
#endif
#if defined(__AVX2__) && !defined(__AVX512F__)

/* isa_narrow_int16.c */
extern const struct vlk_narrow ISA(narrow_int16);
#endif
#if defined(__AVX512BF16__)

/* isa_narrow_bf16.c */
extern const struct vlk_narrow ISA_BF16(narrow);
void ISA_BF16(pack_values)(const uint16_t *values, size_t ld, int keys, int width, char *blocks, size_t step);
void ISA_BF16(pair_up)(const float *scores, int keys, char *panel);
#endif

/* isa_attention.c */
bool ISA(softmax_step)(float *s, int keys, int rows, float scale, const float *limit, float *peak, float *sum, float *factor);
void ISA(relate)(float *s, int keys, int key, int side, int rows, const float *down, const float *across);
void ISA(scale_lanes)(float *o, int n, int rows, const float *factor);
void ISA(transpose)(const float *panel, int n, int rows, const float *factor, float *const *dst);

/* isa_rows.c */
float ISA(max)(const float *x, int64_t n);
double ISA(exp_sum)(float *x, int64_t n, float shift);
double ISA(exp_sum_of)(const float *x, int64_t n, float shift);
void ISA(scale)(float *x, int64_t n, float f);
void ISA(axpy)(float *y, const float *x, int64_t n, float f);
void ISA(add)(float *y, const float *x, int64_t n);
void ISA(mul)(float *y, const float *x, int64_t n);
void ISA(act)(vlk_act kind, float *y, int64_t n);
void ISA(rmsnorm)(float *y, const float *x, const float *w, int n, float eps);
void ISA(layernorm)(float *y, const float *x, const float *w, const float *b, int n, float eps);

#endif
