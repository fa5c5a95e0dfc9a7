/* SPDX-License-Identifier: MIT
 *
 * The ids behind answers that this session generated. A later conversation carries an answer as text; as long as the text is
 * unedited its own ids are used again instead of a tokenisation that may differ, so that the cache still fits.
 * Used by session.c, generate.c and prompt.c on the inference thread.
 */
#ifndef VL2_ANSWER_IDS_H
#define VL2_ANSWER_IDS_H

#include "engine/vl2.h"

#define VL2_MAX_ANSWERS 256 /* the oldest is forgotten */

struct vl2_answer {
    uint64_t hash[2]; /* of the text without white space at its ends */
    size_t length;
    int32_t *ids;
    size_t n_ids;
};

struct vl2_answers {
    struct vl2_answer ring[VL2_MAX_ANSWERS];
    size_t next;
};

/* Forgets silently what there is no memory for: the text is then tokenised anew. */
void vl2_answers_remember(struct vl2_answers *answers, const char *text, size_t length, const int32_t *ids, size_t n_ids);

/* Takes the ids over from *answer, which then has none; an entry of the same text is replaced. */
void vl2_answers_take(struct vl2_answers *answers, struct vl2_answer *answer);

/* False: this text was not generated here. The ids belong to `answers`. */
bool vl2_answers_find(const struct vl2_answers *answers, const char *text, size_t length, const int32_t **ids, size_t *n_ids);

void vl2_answers_deinit(struct vl2_answers *answers);

/* vl2_prompt_build() that lays out a remembered answer with its own ids. answers may be NULL. (prompt.c) */
vl2_status vl2_prompt_build_reusing(const vl2_engine *engine, const vl2_conversation *conversation,
                                    const struct vl2_answers *answers, struct vl2_prompt *out, vl2_error *err);

#endif
