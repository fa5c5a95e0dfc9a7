/* SPDX-License-Identifier: MIT
 *
 * The inner loops of the CPU backend: one table per instruction set level, all compiled from the same isa*.c. Everything here
 * runs on one worker, allocates nothing and knows nothing of ops, threads or backends. Private to the CPU backend.
 *
 * A "panel" is nr columns of a k-long product, stored [k][nr] f32 and zero-padded: what the GEMM micro-kernel streams.
 */
#ifndef VLK_ISA_H
#define VLK_ISA_H

#include "kernels/vlk.h"

/* A row of activations rounded to int8 for quantised weights: groups of 32 with one scale each (NaN where a value is not finite),
 * the largest magnitude becoming 127; groups are padded with zeros to a multiple of 16. */
struct vlk_codes {
    int8_t *codes;  /* [32 * groups] */
    int32_t *sums;  /* [8 * groups]: -128 times the sum of four codes */
    float *scales;  /* [groups] */
};

static inline int vlk_padded_groups(int cols)
{
    return (cols + 511) / 512 * 16;
}

/* Floats that such a row takes, and its parts. */
static inline size_t vlk_coded_floats(int cols)
{
    return (size_t)vlk_padded_groups(cols) * 17;
}

static inline struct vlk_codes vlk_codes_of(float *row, int cols)
{
    const size_t groups = (size_t)vlk_padded_groups(cols);

    return (struct vlk_codes){ (int8_t *)(row + 9 * groups), (int32_t *)(void *)(row + groups), row };
}

#define VLK_MAX_NR 32   /* columns of a panel on the widest level */
#define VLK_CODE_ROWS 6 /* rows of a block of codes */

#define VLK_NO_PEAK (-1e30f) /* below any score */

/* Operands of c[m][n] (+)= a[m][k] · b[k][n]. Element (i, j) of `a` is a[i * lda + j] where it lies by rows, otherwise in
 * blocks of mr rows: a[i / mr * a_step + j * lda + i % mr]. `b` is panels, b_step floats apart. */
struct vlk_tile {
    const float *a;
    size_t lda, a_step;
    bool a_rows;
    const float *b;
    size_t b_step;
    float *c;
    size_t ldc;
    bool add;
};

/* Cache rows of several heads side by side: element c of head h of key i is element c at data + i * stride + h * step. */
struct vlk_heads {
    vlk_dtype dtype; /* f32, bf16 or f16 */
    const void *data;
    size_t stride, step;
    int keys, heads, width, rows; /* rows: of queries per head, a few */
};

/* Products that run the whole of K in narrow numbers, for the vision tower: int8 codes with one scale per row of activations and
 * per row of weights, or pairs of bf16. Rows of activations lie in blocks of VLK_NARROW_ROWS, weights in panels of nr rows; the
 * sizes of both depend on K alone. */
#define VLK_NARROW_ROWS 12

/* c[m][n] (+)= a b + bias, the blocks of `a` a_step bytes apart, n at most nr; to `half` as bf16 where it is not NULL. */
struct vlk_narrow_tile {
    const char *a, *b;
    size_t a_step;
    const float *bias; /* [n] or NULL */
    float *c;
    uint16_t *half;
    size_t ldc; /* of c or half */
    bool add;   /* to c */
};

struct vlk_narrow {
    size_t (*block_bytes)(int k);
    size_t (*panel_bytes)(int k);
    /* Rounds up to VLK_NARROW_ROWS rows to a block; a row with anything not finite makes its results NaN */
    void (*code_block)(const float *const *rows, int m, int k, char *block);
    /* A panel of elements col0 … col0 + k - 1 of up to nr rows of weights of the type that this is for, `cols` long; col0 is a
     * multiple of 32 */
    void (*pack_panel)(const void *w, size_t stride, int rows, int cols, int col0, int k, char *panel);
    /* A panel of up to nr rows of activations, the largest magnitude of each becoming 127; NULL: none */
    void (*code_panel)(const float *const *rows, int n, int k, char *panel);
    void (*gemm)(int m, int n, int k, const struct vlk_narrow_tile *t);
};

struct vlk_isa {
    const char *name;
    int nr, mr; /* columns of a panel, at most VLK_MAX_NR; rows of a register block */

    /* dst[i] = element col0 + i of a weight row of `cols`, i < n */
    void (*unpack)(vlk_dtype dtype, const void *row, int cols, int col0, int n, float *dst);
    void (*pack_bf16)(uint16_t *dst, const float *src, int64_t n);

    /* y[t][r] = w[r] · x[t] for f32, bf16 and f16; the order of a sum does not depend on rows */
    void (*dot_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx,
                     float *y, size_t ldy);
    /* y[c] (+)= sum over rows, ascending, of coef[r] * w[r][c] */
    void (*mix_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *coef, bool add, float *y);

    /* Panels of w[r][col0 + i], i < k, with the rows as columns of the product: ceil(rows/nr) panels */
    void (*pack_rows)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int col0, int k, float *panels);
    /* Panels of w[i][c], i < k, with the columns as columns of the product: ceil(cols/nr) panels */
    void (*pack_cols)(vlk_dtype dtype, const void *w, size_t stride, int k, int cols, float *panels);
    /* Up to mr rows as one block [k][mr] of `a`, zero-padded */
    void (*pack_left)(const float *const *rows, int m, int k, float *dst);
    void (*gemm)(int m, int n, int k, const struct vlk_tile *t);

    /* Products of quantised weights with rounded activations. dot_codes: y[t][r] = w[r] · x[t], which was coded for this dtype (the
     * order of the codes is the level's own); a vector gets beside others what it gets alone */
    void (*code_row)(vlk_dtype dtype, const float *x, int cols, float *row);
    void (*dot_codes)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, const float *x, size_t ldx, int nx, float *y,
                      size_t ldy);
    /* What code_row rounds to, as floats, for levels without what follows (NULL there); rounded may be x */
    void (*round_row)(const float *x, int cols, float *rounded);
    /* Up to VLK_CODE_ROWS rows as a block of groups; panels of groups g0 … of w's rows, `groups` · right_floats · nr floats each;
     * their product, where a_step is between blocks and lda does not matter */
    int left_floats, right_floats; /* of a group: of a block, and per column of a panel */
    void (*pack_left_codes)(const float *const *rows, int m, int cols, float *dst);
    void (*pack_codes)(vlk_dtype dtype, const void *w, size_t stride, int rows, int cols, int g0, int groups, float *panels);
    void (*gemm_codes)(int m, int n, int groups, const struct vlk_tile *t);

    const struct vlk_narrow *narrow_int8, *narrow_bf16; /* for I8G and BF16 weights; NULL: none */
    /* For attention as products of narrow_int8: scores of one query become exp((score - largest) * scale); returns their sum. NULL
     * where narrow_int8 has no code_panel. */
    float (*soften_row)(float *s, int n, float scale);
    /* Attention as products of narrow_bf16: values [keys][width], rows ld apart, as blocks of columns, each with all keys, step bytes
     * apart; a panel of scores [keys][nr] as a panel of weights. NULL where there is no narrow_bf16. */
    void (*pack_values)(const uint16_t *values, size_t ld, int keys, int width, char *blocks, size_t step);
    void (*pair_up)(const float *scores, int keys, char *panel);

    /* For few query rows, all heads of a key before the next key, so that the cache is read in order:
     * s[(h * rows + r) * lds + i] = q[h][r] · key i of head h;  o[h][r][c] += sum over keys of s * element c of value i */
    void (*dot_heads)(const struct vlk_heads *h, const float *q, float *s, size_t lds);
    void (*mix_heads)(const struct vlk_heads *h, const float *s, size_t lds, float *o);

    /* On a panel of scores [keys][nr], lanes being query rows: scores become exp((score - peak) * scale), peak and sum move on, and factor is
     * what earlier sums have to be multiplied with; true if any factor is not 1. Where limit is not NULL, row i sees the first
     * limit[i] keys. Peaks start at VLK_NO_PEAK. */
    bool (*softmax_step)(float *s, int keys, int rows, float scale, const float *limit, float *peak, float *sum, float *factor);
    /* s[j] += down[(key + j) / side] + across[(key + j) % side], lane by lane; all panels of rows of nr lanes */
    void (*relate)(float *s, int keys, int key, int side, int rows, const float *down, const float *across);
    void (*scale_lanes)(float *o, int n, int rows, const float *factor); /* o[n][nr]: lane i times factor[i] */
    /* dst[i][c] = panel[c][i] * factor[i], c < n, i < rows */
    void (*transpose)(const float *panel, int n, int rows, const float *factor, float *const *dst);

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

extern const struct vlk_isa vlk_generic_table;
#ifdef VLK_HAVE_X86
extern const struct vlk_isa vlk_avx2_table, vlk_avx512_table, vlk_avx512vnni_table, vlk_avx512bf16_table;
#endif

#endif
