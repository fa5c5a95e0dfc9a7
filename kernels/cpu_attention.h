/* SPDX-License-Identifier: MIT
 *
 * The blocked attention core that MHA, MLA and the vision tower share. Private to the CPU backend; one call runs on one
 * worker. It knows rows of queries and ranges of keys, not heads or positions.
 */
#ifndef VLK_CPU_ATTENTION_H
#define VLK_CPU_ATTENTION_H

#include "kernels/cpu.h"

#define VLK_KEY_BLOCK 128  /* keys per step of the online softmax; blocks start at multiples of it */
#define VLK_ROW_BLOCK 96   /* query rows whose scores are held at a time */
#define VLK_KEY_SPLIT 512  /* keys per item when there are few queries */

/* Rows of keys or values: element c of key i is at data + i * stride, dtype f32 or bf16. */
struct vlk_kv {
    vlk_dtype dtype;
    const void *data;
    size_t stride;
    int width;
};

/* m query rows (already scaled) against keys k0 … k1-1; row i sees keys below first_limit + i / group (group 0: all).
 * o [m][v.width], peak [m], sum [m]: unnormalised result, largest score and sum of exponentials of this range. */
struct vlk_attention {
    const struct vlk_isa *isa;
    int m;
    const float *q;
    size_t ldq;
    struct vlk_kv k, v;
    int64_t first_limit;
    int group;
    int64_t k0, k1;
    float *o, *peak, *sum;
    float *scratch; /* vlk_attention_scratch() floats */
};

size_t vlk_attention_scratch(const struct vlk_isa *isa, int k_width, int v_width);
void vlk_attention_run(const struct vlk_attention *a);

/* Softmax weights of row i < m written to probs + i * stride, `count` entries each, given the final peak and sum. */
void vlk_attention_probs(const struct vlk_attention *a, float *const *probs, int64_t count);

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
