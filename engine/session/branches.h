/* SPDX-License-Identifier: MIT
 *
 * Branches: timelines that a session has left, kept in host memory so that coming back costs a copy. A branch knows all of its
 * ids and pictures, but holds keys and values only from where it left the timeline on: what lies before is found in the cache
 * itself or in another branch, so that ten edits of one question about a large picture hold that picture's rows once.
 * Least recently used branches leave first when the byte budget is exceeded. A snapshot of yesterday comes in as a branch too.
 * Used by session.c and snapshot.c on the inference thread.
 */
#ifndef VL2_BRANCHES_H
#define VL2_BRANCHES_H

#include "engine/model/decoder.h"
#include "engine/session/picture_cache.h"

struct vl2_picture_span { /* a picture's place in the timeline */
    struct vl2_picture_key key;
    size_t first, count;
};

/* What stands in a cache, token by token. Borrowed. */
struct vl2_timeline {
    const int32_t *ids;
    const struct vl2_picture_span *spans; /* in order; the last one may reach beyond `length` */
    size_t length, n_spans;
};

/* The longest prefix of at most `limit` tokens that both share: equal ids, and where a picture stands, the same one, cut the
 * same way, from the same place on. *reason says what ended it: VL2_REREAD_NOTHING the limit, VL2_REREAD_NEW the end of `have`. */
size_t vl2_timeline_match(const struct vl2_timeline *have, const struct vl2_timeline *want, size_t limit, vl2_reread *reason);

struct vl2_branch {
    int32_t *ids;                   /* [length] */
    struct vl2_picture_span *spans; /* [n_spans] */
    size_t length, n_spans;
    size_t base;     /* rows of tokens base … length-1 are here */
    uint8_t *rows;   /* vl2_kv_read() of them */
    size_t bytes;    /* of rows */
    uint64_t used;   /* tick of the last use */
};

struct vl2_branches {
    struct vl2_branch *list;
    size_t n, room, bytes, budget;
    uint64_t tick;
};

/* Room for a branch of these lengths; false without memory. */
bool vl2_branch_alloc(const struct vl2_engine *engine, const struct vl2_kv *kv, size_t base, size_t length, size_t n_spans,
                      struct vl2_branch *out);
void vl2_branch_free(struct vl2_branch *branch);

/* Takes the branch over (also where it cannot be kept), in place of those that it contains; then trims to the budget. */
void vl2_branches_add(struct vl2_branches *branches, struct vl2_branch *branch);

/* Keeps tokens from … of the live timeline, as many as the budget allows. Silently nothing where memory is short: a branch is
 * only a shortcut. */
void vl2_branches_park(const struct vl2_engine *engine, struct vl2_branches *branches, const struct vl2_kv *kv,
                       const struct vl2_timeline *live, size_t from);

/* Copies rows into the cache from token `length` on as far as any branches agree with `want`, at most to `limit`. Returns the
 * new length; *reason as in vl2_timeline_match() where that moved. A branch that is wholly in the cache now is forgotten. */
size_t vl2_branches_fetch(const struct vl2_engine *engine, struct vl2_branches *branches, const struct vl2_kv *kv,
                          const struct vl2_timeline *want, size_t length, size_t limit, vl2_reread *reason);

void vl2_branches_deinit(struct vl2_branches *branches);

#endif
