/* SPDX-License-Identifier: MIT
 *
 * What an answer is likely to go on with, so that one pass can read several tokens: inside a block of boxes what followed the same
 * spot before, elsewhere what followed the same words in the question or the answer. A draft is a guess and never a choice: each
 * token is drawn from its own logits, and what was guessed wrong is forgotten. Used by generate.c on the inference thread; knows
 * nothing of passes but how long they took.
 *
 * How many tokens a draft has is weighed: what each guess of its kind was worth so far against what a longer pass costs. Where
 * drafting loses, drafts are empty, but for a rare try.
 */
#ifndef VL2_DRAFT_H
#define VL2_DRAFT_H

#include "engine/grounding/box_grammar.h"

enum { VL2_DRAFT_MOST = 3, VL2_DRAFT_MATCH = 8 };

struct vl2_draft_spot {
    int32_t id;   /* what came last */
    float chance; /* that it comes again */
};

struct vl2_draft { /* of one generation */
    const struct vl2_box_grammar *grammar; /* NULL: boxes are not followed */
    struct vl2_draft_spot spots[VL2_BOX_SPOTS];
    float chances[2][VL2_DRAFT_MATCH + 1]; /* of a token behind so many equal ones; [1]: within a block */
    float cost[VL2_DRAFT_MOST + 2];     /* of a pass over so many tokens, in passes over one */
    double one_ms;                      /* of a pass over one; 0: none was timed */
};

/* grammar and tokenizer may be NULL: nothing is known of blocks then. */
vl2_status vl2_draft_init(struct vl2_draft *draft, const struct vl2_box_grammar *grammar, const vl2_tokenizer *tokenizer, vl2_error *err);

/* Writes up to `most` (at most VL2_DRAFT_MOST) guesses behind ids[0 … n), in place; returns how many. state: behind ids[n - 1]. */
int32_t vl2_draft_make(struct vl2_draft *draft, int32_t *ids, size_t n, const struct vl2_box_state *state, int32_t most);

/* Token `id` was drawn behind ids[0 … n), in `state`: what would have been guessed there learns from it. */
void vl2_draft_learn(struct vl2_draft *draft, const int32_t *ids, size_t n, const struct vl2_box_state *state, int32_t id);

/* A pass over n tokens took so long. */
void vl2_draft_timed(struct vl2_draft *draft, int32_t n, double ms);

#endif
