/* SPDX-License-Identifier: MIT
 *
 * The blocked attention core that MHA, MLA and the vision tower share. Private to the CPU backend; one call runs on one
 * worker. It knows rows of queries and ranges of keys, not heads or positions.
 */
#ifndef VLK_CPU_ATTENTION_H
#define VLK_CPU_ATTENTION_H

#include "kernels/cpu/cpu.h"

#define VLK_KEY_SPLIT 192 /* keys per item when there are few queries; ranges start at multiples of it */

/* Rows of keys or values: element c of key i is at data + i * stride, dtype f32 or bf16. */
struct vlk_kv {
    vlk_dtype dtype;
    const void *data;
    size_t stride;
    int width;
};

/* m query rows against keys k0 … k1-1; row i sees keys below first_limit + i / group (group 0: all). Queries, results and
 * their sums are panels: lane i % nr of panel i / nr is row i. */
struct vlk_attention {
    const struct vlk_isa *isa;
    int m;
    struct vlk_kv k, v;
    int64_t first_limit;
    int group;
    int64_t k0, k1;
    const float *down, *across; /* [panels][side][nr] or NULL: what a score gets for the row and the column of its key, which is the
                                   key'th cell of a grid of that side */
    int side;
    float *q;          /* [panels][k.width][nr], written by vlk_attention_query */
    float *o;          /* [panels][v.width][nr]: unnormalised result of this range */
    float *peak, *sum; /* [panels][nr]: largest score, sum of exponentials */
    float *work;       /* a block of keys, values and scores */
};

/* Floats of everything that one task of m rows needs; vlk_attention_place cuts them from `memory`. */
size_t vlk_attention_floats(const struct vlk_isa *isa, int m, int k_width, int v_width);
void vlk_attention_place(struct vlk_attention *a, float *memory);

/* Writes up to nr rows of queries as panel `panel`, scaled. */
void vlk_attention_query(const struct vlk_attention *a, int panel, const float *const *rows, int n, float scale);
void vlk_attention_run(const struct vlk_attention *a);

/* The results of panel `panel` to rows dst[0 … n-1], divided by their sums or as they are. */
void vlk_attention_result(const struct vlk_attention *a, int panel, int n, bool divided, float *const *dst);

/* Softmax weights of the n rows of panel `panel`, `count` entries each, given their final peaks and sums; 0 beyond the keys. */
void vlk_attention_probs(const struct vlk_attention *a, int panel, int n, int64_t count, float *const *dst);

/* Causal attention of n tokens over one cache for the ops: rows of a task are (token, head of the group). */
struct vlk_cache_attention {
    int32_t n, kv_heads, group; /* heads = kv_heads * group */
    int64_t pos;                /* token t sees keys 0 … pos + t */
    const float *q;             /* row (t, h) at q + (t * heads + h) * ldq, scaled when used */
    size_t ldq;
    float scale;
    struct vlk_kv k, v;         /* of kv head 0; head h is k_step (v_step) bytes further */
    size_t k_step, v_step;
    float *out;                 /* row (t, h) at out + (t * heads + h) * ldo, v.width floats */
    size_t ldo;
    float *probs;               /* NULL or row (t, h) at probs + (t * heads + h) * probs_stride */
    int32_t probs_stride;
};
void vlk_cache_attend(struct vlk_cpu *cpu, const struct vlk_cache_attention *a);

#endif
