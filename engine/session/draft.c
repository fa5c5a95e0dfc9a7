/* SPDX-License-Identifier: MIT
 *
 * Guessing, weighing and learning of drafts (engine/session/draft.h). A guess costs a search backwards through the timeline, some
 * microseconds beside the milliseconds of a pass.
 */
#include "engine/session/draft.h"

#include <string.h>

static const float spot_rate = 1.0f / 4, match_rate = 1.0f / 8, cost_rate = 1.0f / 8;
static const float first_chance = 0.5f;   /* of what came once */
static const float tokenised_chance = 0.9f; /* of brackets and commas as the tokenizer writes them */
static const float gain = 1.02f;          /* what a longer draft has to be worth */
static const float forgetting = 0.01f;    /* of a bad cost, per pass that did without */
static const double outlier = 2;          /* a pass that took longer was disturbed, and counts as this */

static float first_cost(int32_t n) {
    return 1 + 0.25f * (float)(n - 1);
}

/* Walks a block as the tokenizer writes it: what is no number will come like that. */
static vl2_status learn_brackets(struct vl2_draft *d, const vl2_tokenizer *tokenizer, vl2_error *err) {
    static const char block[] = "<|det|>[[100, 200, 300, 400], [500, 600, 700, 800]]<|/det|>";
    struct vl2_box_state state = {0};
    struct vl2_box_number number;
    int32_t *ids = NULL;
    size_t n = 0;
    vl2_status status = vl2_tokenizer_encode(tokenizer, block, sizeof block - 1, VL2_MARKUP_GROUNDING, &ids, &n, err);
    for (size_t i = 0; status == VL2_OK && i < n; i++) {
        int spot = vl2_box_grammar_spot(&state);
        if (spot && !d->spots[spot].chance && !vl2_box_grammar_number(d->grammar, &state, ids[i], &number))
            d->spots[spot] = (struct vl2_draft_spot){ids[i], tokenised_chance};
        vl2_box_grammar_feed(d->grammar, &state, ids[i]);
    }
    vl2_free(ids);
    return status;
}

vl2_status vl2_draft_init(struct vl2_draft *d, const struct vl2_box_grammar *grammar, const vl2_tokenizer *tokenizer, vl2_error *err) {
    *d = (struct vl2_draft){.grammar = grammar};
    for (int i = 1; i <= VL2_DRAFT_MATCH; i++)
        d->chances[0][i] = d->chances[1][i] = 0.2f * (float)(i < 4 ? i : 4);
    for (int32_t n = 1; n <= VL2_DRAFT_MOST + 1; n++)
        d->cost[n] = first_cost(n);
    return grammar && tokenizer ? learn_brackets(d, tokenizer, err) : VL2_OK;
}

/* Where in ids the longest run that ends them ended before, the latest of equals; *match is its length, 0: nowhere. */
static size_t find_match(const int32_t *ids, size_t n, int *match) {
    size_t found = 0;
    *match = 0;
    for (size_t end = n - 1; end > 0 && *match < VL2_DRAFT_MATCH; end--) {
        int length = 0;
        while (length < VL2_DRAFT_MATCH && (size_t)length < end && ids[end - 1 - (size_t)length] == ids[n - 1 - (size_t)length])
            length++;
        if (length > *match) {
            *match = length;
            found = end;
        }
    }
    return found;
}

/* Where a guess comes from. */
struct source {
    int32_t id;    /* -1: nowhere */
    float *chance; /* of its kind; NULL: it is certain */
};

/* The likeliest token behind ids[0 … n). */
static struct source guess(struct vl2_draft *d, const int32_t *ids, size_t n, const struct vl2_box_state *state) {
    int spot = vl2_box_grammar_spot(state), match;
    int32_t only = d->grammar ? vl2_box_grammar_only(d->grammar, state) : -1;
    if (only >= 0)
        return (struct source){only, NULL};
    if (spot && d->spots[spot].chance > first_chance)
        return (struct source){d->spots[spot].id, &d->spots[spot].chance};
    size_t at = find_match(ids, n, &match);
    return (struct source){match ? ids[at] : -1, &d->chances[spot != 0][match]};
}

int32_t vl2_draft_make(struct vl2_draft *d, int32_t *ids, size_t n, const struct vl2_box_state *state, int32_t most) {
    struct vl2_box_state ahead = *state;
    float tokens = 1, reached = 1, best = gain;
    int32_t kept = 0;
    for (int32_t k = 1; k <= most && k <= VL2_DRAFT_MOST; k++) {
        struct source next = guess(d, ids, n + (size_t)k - 1, &ahead);
        if (next.id < 0)
            break;
        ids[n + (size_t)k - 1] = next.id;
        if (d->grammar)
            vl2_box_grammar_feed(d->grammar, &ahead, next.id);
        reached *= next.chance ? *next.chance : 1;
        tokens += reached;
        if (tokens / d->cost[k + 1] > best) {
            best = tokens / d->cost[k + 1];
            kept = k;
        }
    }
    for (int32_t k = kept + 1; k <= VL2_DRAFT_MOST; k++)
        d->cost[k + 1] += forgetting * (first_cost(k + 1) - d->cost[k + 1]);
    return kept;
}

void vl2_draft_learn(struct vl2_draft *d, const int32_t *ids, size_t n, const struct vl2_box_state *state, int32_t id) {
    struct vl2_draft_spot *spot = &d->spots[vl2_box_grammar_spot(state)];
    struct source guessed = guess(d, ids, n, state);
    if (guessed.id >= 0 && guessed.chance && guessed.chance != &spot->chance)
        *guessed.chance += match_rate * ((guessed.id == id ? 1.0f : 0.0f) - *guessed.chance);
    if (spot == d->spots)
        return;
    bool again = spot->chance > 0 && spot->id == id;
    spot->chance += spot_rate * ((again ? 1.0f : 0.0f) - spot->chance);
    if (!again && spot->chance <= first_chance)
        *spot = (struct vl2_draft_spot){id, spot->chance > 0 ? spot->chance : first_chance};
}

void vl2_draft_timed(struct vl2_draft *d, int32_t n, double ms) {
    double usual = d->one_ms * (double)d->cost[n];
    if (d->one_ms > 0 && ms > outlier * usual)
        ms = outlier * usual;
    if (n == 1)
        d->one_ms += (d->one_ms > 0 ? (double)cost_rate : 1) * (ms - d->one_ms);
    else if (d->one_ms > 0)
        d->cost[n] += cost_rate * ((float)(ms / d->one_ms) - d->cost[n]);
}
