/* SPDX-License-Identifier: MIT
 *
 * The next token of one session, or of several at once, through every layer: the pass of which an answer is made. Used by generate.c
 * and attention_map.c on the inference thread; how a token was chosen, and what becomes of the logits, is theirs to know.
 */
#ifndef VL2_STEP_H
#define VL2_STEP_H

#include "engine/session/attention_map.h"

/* How many sessions of this engine go through a pass together: at least 1. */
int32_t vl2_step_width(const struct vl2_engine *engine);

/* What the first pass of several needs, kept by the engine; nothing for a pass of one. */
vl2_status vl2_step_prepare(struct vl2_engine *engine, int32_t n, vl2_error *err);

/* The token in each session's own step through every layer and, where `logits`, to its scratch.logits and one position further: n
 * of one engine, at most its width, each with room in its cache. What a session gets does not depend on the others. tap: of the
 * session where n is 1; NULL: none. Only enqueues. */
void vl2_step_enqueue(struct vl2_session *const *sessions, int32_t n, const struct vl2_attention_tap *tap, bool logits);

/* n tokens of one session, at ids[length], at most traits.same_rows, of which only the first is known to be one: logits [n][vocab] (be)
 * get those of each, and what vl2_step_enqueue() does for that token is done for the first. Only enqueues. */
void vl2_step_ahead(struct vl2_session *session, int32_t n, float *logits);

/* Runs the position before the answer once more for its attention, where the tap is on: prefill does not keep it. The cache stays as it
 * is bit by bit, and so do the logits. */
vl2_status vl2_step_again(const struct vl2_attention_tap *tap, vl2_error *err);

#endif
