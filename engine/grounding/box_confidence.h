/* SPDX-License-Identifier: MIT
 *
 * How sure the model is of the numbers of a box: the distribution at the step at which each begins, read from the step's logits.
 * Used by generate.c on the inference thread. It must not know how a token was drawn, only what the model offered.
 */
#ifndef VL2_BOX_CONFIDENCE_H
#define VL2_BOX_CONFIDENCE_H

#include "engine/grounding/box_grammar.h"
#include "engine/model/model.h"

struct vl2_confidence { /* of one generation; zero-initialised = off */
    const struct vl2_engine *engine;
    float *logits;                  /* [vocab] on the host */
    struct vl2_box_number *numbers; /* [pieces of the grammar] */
    struct vl2_coordinate coordinate;
    int levels;           /* digits of the number that is being written one by one; 0: none is */
    int8_t written[3];
    double offered[4][VL2_NUMBER_ENDS + 1]; /* [levels]: what each digit was chosen from, and behind it */
};

/* The engine's grammar has to exist. */
vl2_status vl2_confidence_init(const struct vl2_engine *engine, struct vl2_confidence *out, vl2_error *err);
void vl2_confidence_deinit(struct vl2_confidence *confidence);

/* Whether a number of a box begins in token `id`, written in `state`, or one that was written digit by digit ends there; then fills
 * confidence->coordinate. logits (be) [vocab] are the step's, untouched; logprob is the token's log-probability among them, so that
 * the sum over the vocabulary is known. */
bool vl2_confidence_read(struct vl2_confidence *confidence, const struct vl2_box_state *state, int32_t id, const float *logits,
                         float logprob);

#endif
