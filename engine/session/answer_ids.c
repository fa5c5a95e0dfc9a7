/* SPDX-License-Identifier: MIT
 *
 * Remembers the ids of the answers that a session generated.
 */
#include "engine/session/answer_ids.h"

#include "engine/text/utf8.h"
#include "kernels/vlk.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

static struct vl2_answer make_key(const char *text, size_t length) {
    size_t start = 0, end = length;
    vl2_strip_start(text, &start, end);
    vl2_strip_end(text, start, &end);
    XXH128_hash_t hash = XXH3_128bits(text + start, end - start);
    return (struct vl2_answer){.hash = {hash.low64, hash.high64}, .length = end - start};
}

static bool same_key(const struct vl2_answer *a, const struct vl2_answer *b) {
    return a->length == b->length && a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1];
}

void vl2_answers_remember(struct vl2_answers *answers, const char *text, size_t length, const int32_t *ids, size_t n_ids) {
    struct vl2_answer answer = make_key(text, length);
    if (answer.length == 0 || n_ids == 0)
        return;
    answer.ids = vlk_alloc(n_ids, sizeof *ids);
    if (!answer.ids)
        return;
    memcpy(answer.ids, ids, n_ids * sizeof *ids);
    answer.n_ids = n_ids;
    vl2_answers_take(answers, &answer);
}

void vl2_answers_take(struct vl2_answers *answers, struct vl2_answer *answer) {
    size_t slot = answers->next;
    for (size_t i = 0; i < VL2_MAX_ANSWERS; i++)
        if (answers->ring[i].ids && same_key(&answers->ring[i], answer))
            slot = i;
    if (slot == answers->next)
        answers->next = (slot + 1) % VL2_MAX_ANSWERS;
    vlk_free(answers->ring[slot].ids);
    answers->ring[slot] = *answer;
    *answer = (struct vl2_answer){0};
}

bool vl2_answers_find(const struct vl2_answers *answers, const char *text, size_t length, const int32_t **ids, size_t *n_ids) {
    struct vl2_answer key = make_key(text, length);
    for (size_t i = 0; i < VL2_MAX_ANSWERS; i++) {
        if (!answers->ring[i].ids || !same_key(&answers->ring[i], &key))
            continue;
        *ids = answers->ring[i].ids;
        *n_ids = answers->ring[i].n_ids;
        return true;
    }
    return false;
}

void vl2_answers_deinit(struct vl2_answers *answers) {
    for (size_t i = 0; i < VL2_MAX_ANSWERS; i++)
        vlk_free(answers->ring[i].ids);
    *answers = (struct vl2_answers){0};
}
