/* SPDX-License-Identifier: MIT
 *
 * process/ngram_norepeat.py: NoRepeatNGramLogitsProcessor.__call__. See engine/session/repeat_guard.h.
 */
#include "engine/session/repeat_guard.h"

#include <string.h>

enum { MAX_CYCLE = 64, MIN_REPEATED = 128, MIN_ROUNDS = 4 };

static bool is_exempt(const struct vl2_repeat_guard *g, int32_t id) {
    for (size_t i = 0; i < g->n_exempt; i++)
        if (g->exempt[i] == id)
            return true;
    return false;
}

static bool has_token(const uint32_t *allowed, size_t words) {
    for (size_t i = 0; i < words; i++)
        if (allowed[i])
            return true;
    return false;
}

bool vl2_repeat_guard_mask(const struct vl2_repeat_guard *g, const int32_t *ids, size_t n, int32_t vocab, bool masked, uint32_t *allowed) {
    size_t gram = (size_t)g->ngram, first = n > (size_t)g->window ? n - (size_t)g->window : 0, words = ((size_t)vocab + 31) / 32;
    if (g->ngram == 0 || n < gram)
        return masked;
    const int32_t *end = ids + n - (gram - 1);
    for (size_t i = first; i + gram <= n; i++) {
        int32_t id = ids[i + gram - 1];
        if (memcmp(ids + i, end, (gram - 1) * sizeof *ids) != 0 || is_exempt(g, id))
            continue;
        if (!masked) {
            memset(allowed, 0xff, words * sizeof *allowed);
            allowed[words - 1] >>= 32 * words - (size_t)vocab;
        }
        masked = true;
        uint32_t bit = 1u << (id % 32), before = allowed[id / 32];
        allowed[id / 32] &= ~bit;
        if (!has_token(allowed, words))
            allowed[id / 32] = before;
    }
    return masked;
}

bool vl2_is_cycling(const int32_t *ids, size_t n) {
    for (size_t period = 1; period <= MAX_CYCLE; period++) {
        size_t wanted = period * MIN_ROUNDS > MIN_REPEATED ? period * MIN_ROUNDS : MIN_REPEATED, matched = period;
        if (n < wanted)
            return false;
        while (matched < wanted && ids[n - 1 - matched] == ids[n - 1 - matched + period])
            matched++;
        if (matched == wanted)
            return true;
    }
    return false;
}
