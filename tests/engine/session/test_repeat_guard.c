/* SPDX-License-Identifier: MIT
 *
 * The guard against repeated n-grams by a table of what ngram_norepeat.py bans: the window's edge, exemptions, short answers, a mask
 * that is there already, and a mask that would be left empty. That whole answers are the same is in tests/parity/test_documents.c.
 */
#include "engine/session/repeat_guard.h"
#include "tests/tap.h"

enum { VOCAB = 40 };

static void check(const char *what, const struct vl2_repeat_guard *guard, const int32_t *ids, size_t n, const int32_t *banned, size_t n_banned) {
    uint32_t allowed[2] = {0};
    bool masked = vl2_repeat_guard_mask(guard, ids, n, VOCAB, false, allowed), fine = masked == (n_banned > 0);
    for (int32_t id = 0; fine && masked && id < VOCAB; id++) {
        bool wanted = true;
        for (size_t i = 0; i < n_banned; i++)
            wanted = wanted && banned[i] != id;
        fine = (allowed[id / 32] >> (id % 32) & 1) == wanted;
    }
    ok(fine && (!masked || allowed[1] >> (VOCAB - 32) == 0), "%s", what);
}

int main(void) {
    static const int32_t ids[] = {1, 2, 3, 9, 1, 2, 4, 1, 2}, exempt[] = {3, 7};
    const struct vl2_repeat_guard three = {.ngram = 3, .window = 100}, near = {.ngram = 3, .window = 5}, nearest = {.ngram = 3, .window = 4};
    const struct vl2_repeat_guard spared = {.ngram = 3, .window = 100, .exempt = exempt, .n_exempt = 2};
    uint32_t allowed[2] = {1u << 3, 0}, both[2] = {1u << 3 | 1u << 5, 0};
    check("what followed the same two tokens is banned", &three, ids, 9, (const int32_t[]){3, 4}, 2);
    check("a window of five holds the second time", &near, ids, 9, (const int32_t[]){4}, 1);
    check("a window of four does not", &nearest, ids, 9, NULL, 0);
    check("what is exempt is not banned", &spared, ids, 9, (const int32_t[]){4}, 1);
    check("two tokens are no three", &three, ids, 2, NULL, 0);
    check("nothing repeats behind three tokens", &three, ids, 3, NULL, 0);
    check("off", &(struct vl2_repeat_guard){0}, ids, 9, NULL, 0);
    ok(vl2_repeat_guard_mask(&three, ids, 9, VOCAB, true, both) && both[0] == 1u << 5, "it takes tokens out of a mask");
    ok(vl2_repeat_guard_mask(&three, ids, 9, VOCAB, true, allowed) && allowed[0] == 1u << 3, "but not the last one");
    return tap_done();
}
