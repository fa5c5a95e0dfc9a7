/* SPDX-License-Identifier: MIT
 *
 * A block of the vision tower as a sequence of the other ops: what a backend puts into its table where it has nothing better, and
 * falls back to. Private to the backends, C and C++; called on the backend's thread.
 */
#ifndef VLK_VIT_BLOCK_H
#define VLK_VIT_BLOCK_H

#include "kernels/vlk.h"

/* y (+)= act(x w^T + b) */
static inline void vlk_vit_linear(struct vlk_backend *be, int32_t n, const struct vlk_weight *w, const struct vlk_weight *b,
                                  vlk_act act, bool accumulate, const float *x, float *y)
{
    const struct vlk_linear_args a = { n, *w, *b, act, accumulate, x, y };

    be->ops->linear(be, &a);
}

static inline void vlk_vit_norm(struct vlk_backend *be, const struct vlk_vit_block_args *a, const struct vlk_weight *w,
                                const struct vlk_weight *b)
{
    const struct vlk_layernorm_args norm = { a->n * a->tokens, a->width, a->eps, *w, *b, a->x, a->h };

    be->ops->layernorm(be, &norm);
}

/* What attention the block has: qkv → h. */
static inline void vlk_vit_mix(struct vlk_backend *be, const struct vlk_vit_block_args *a)
{
    const struct vlk_vit_attend_args all = { a->n, a->tokens, a->heads, a->width / a->heads, a->qkv, a->h };
    const struct vlk_window_attend_args windows = { a->n, a->grid, a->window, a->heads, a->width / a->heads, a->qkv_b, a->down, a->across,
                                                    a->qkv, a->h };

    if (a->window)
        be->ops->window_attend(be, &windows);
    else
        be->ops->vit_attend(be, &all);
}

static inline void vlk_vit_block_by_parts(struct vlk_backend *be, const struct vlk_vit_block_args *a)
{
    const int32_t rows = a->n * a->tokens;

    vlk_vit_norm(be, a, &a->norm1_w, &a->norm1_b);
    vlk_vit_linear(be, rows, &a->qkv_w, &a->qkv_b, VLK_ACT_NONE, false, a->h, a->qkv);
    vlk_vit_mix(be, a);
    vlk_vit_linear(be, rows, &a->proj_w, &a->proj_b, VLK_ACT_NONE, true, a->h, a->x);
    vlk_vit_norm(be, a, &a->norm2_w, &a->norm2_b);
    vlk_vit_linear(be, rows, &a->fc1_w, &a->fc1_b, a->act, false, a->h, a->mid);
    vlk_vit_linear(be, rows, &a->fc2_w, &a->fc2_b, VLK_ACT_NONE, true, a->mid, a->x);
}

#endif
