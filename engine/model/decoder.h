/* SPDX-License-Identifier: MIT
 *
 * The language model's forward pass over n new tokens, prefill and decoding alike: the same launch sequence for any n.
 * Used by session.c and generate.c on the inference thread. Ops are only enqueued here; the caller waits.
 */
#ifndef VL2_DECODER_H
#define VL2_DECODER_H

#include "engine/model/kv_cache.h"
#include "engine/model/model.h"

/* Room for one chunk of `rows` tokens; all (be). */
struct vl2_scratch {
    int32_t rows;
    int32_t *ids;              /* [rows] */
    float *x, *h;              /* [rows][hidden]: the residual stream, its norm */
    float *q, *q_a;            /* [rows][heads·(nope+rope) | heads·head_dim], [rows][q_lora] */
    float *k, *v;              /* MLA: k is kv_a [rows][kv_lora+rope]; MHA: [rows][kv_heads·head_dim] ×2 */
    float *attended;           /* [rows][heads·v | heads·head_dim] */
    int32_t *expert_ids;       /* [rows][k] */
    float *expert_weights;     /* [rows][k] */
    float *logits;             /* [vocab], of the last token */
    struct vlk_step *step;
    /* Where old tokens leave the cache (lm.ring): pos of `seen` + 1 is how many rows of it a token sees, and a token at step->pos stands
     * `shift` rows before that place. NULL: as many as step says, in its place. */
    struct vlk_step *seen;
    size_t shift;
    struct vlk_step *ring_step; /* room for it; NULL where nothing leaves */
    float *probs;              /* borrowed: [n][heads][probs_stride], where a layer's attention goes that is wanted; else NULL */
    int32_t probs_stride;
};

/* Its bytes, each array as a backend takes it that rounds to `granule` (struct vlk_traits; 0: it does not). */
size_t vl2_scratch_bytes(const struct vl2_config *config, int32_t rows, size_t granule);
vl2_status vl2_scratch_init(const struct vl2_engine *engine, int32_t rows, struct vl2_scratch *out, vl2_error *err);
void vl2_scratch_deinit(const struct vl2_engine *engine, struct vl2_scratch *scratch);

/* Whose tokens go through a block: where what it has read is kept, and where the next token goes. */
struct vl2_sequence {
    const struct vl2_kv *kv;
    const struct vlk_step *step; /* (be) */
    const struct vlk_step *seen; /* (be) and shift: as of the scratch that they are of; NULL and 0 where nothing leaves the cache */
    size_t shift;
    int32_t max_pos;             /* a host bound on step->pos and its rows of this pass */
};

/* Block `layer` on scratch->x [n][hidden]: n tokens of one sequence, whose keys and values are written from step->pos on, or (count > 1,
 * n = count ≤ traits.together) the next token of each, computed apart: bit for bit what it gives alone. */
void vl2_decoder_layer(const struct vl2_engine *engine, const struct vl2_sequence *sequences, int32_t count,
                       const struct vl2_scratch *scratch, int32_t layer, int32_t n);

/* Tokens scratch->ids [n] of one sequence through every layer; their states are left in scratch->x. No id stands for a picture's row. */
void vl2_decoder_tokens(const struct vl2_engine *engine, const struct vl2_sequence *sequence, const struct vl2_scratch *scratch, int32_t n);

/* Final norm and lm_head of rows first … first+n of scratch->x into logits [n][vocab] (be); apart: rows of as many sequences. */
void vl2_decoder_logits(const struct vl2_engine *engine, const struct vl2_scratch *scratch, int32_t first, int32_t n, bool apart,
                        float *logits);

#endif
