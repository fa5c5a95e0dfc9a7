/* SPDX-License-Identifier: MIT
 *
 * Encoded pictures of one session, kept by content: the same picture in another turn, branch or conversation is not encoded
 * again. Least recently used rows leave first when the byte budget is exceeded. Used by session.c on the inference thread.
 */
#ifndef VL2_PICTURE_CACHE_H
#define VL2_PICTURE_CACHE_H

#include "engine/model/vision.h"

/* What decides a picture's rows: its pixels and its tile grid; of a page also the size and kind of its view. */
struct vl2_picture_key {
    uint64_t hash[2]; /* XXH3-128 of the RGB8 rows, and of what of the rule decides */
    int32_t width, height, grid_w, grid_h;
};

struct vl2_picture_cache {
    struct vl2_picture_entry *entries;
    size_t n_entries, capacity, bytes, budget;
    uint64_t round; /* entries of the current round are in use and never leave */
};

void vl2_picture_key_make(const vl2_picture *picture, const struct vl2_tile_rule *rule, int32_t grid_w, int32_t grid_h,
                          struct vl2_picture_key *out);
bool vl2_picture_key_equal(const struct vl2_picture_key *a, const struct vl2_picture_key *b);
bool vl2_picture_key_same_pixels(const struct vl2_picture_key *a, const struct vl2_picture_key *b);

/* Begins a round: what is found or put from now on stays until the next one. */
void vl2_picture_cache_begin(struct vl2_picture_cache *cache);

/* False: not there, or there is no memory for it. The rows belong to the cache. */
bool vl2_picture_cache_find(const struct vl2_engine *engine, struct vl2_picture_cache *cache, const struct vl2_picture_key *key,
                            struct vl2_picture_rows *out);

/* Takes the rows over (also on failure, which frees them), replacing rows of the same key; then trims to the budget. */
vl2_status vl2_picture_cache_put(const struct vl2_engine *engine, struct vl2_picture_cache *cache,
                                 const struct vl2_picture_key *key, struct vl2_picture_rows rows, vl2_error *err);

/* Moves the entry unused for longest to host memory, from where find brings it back; in_use: none of the current round. False: there
 * is none to move, or no memory for it. */
bool vl2_picture_cache_send_away(const struct vl2_engine *engine, struct vl2_picture_cache *cache, bool in_use);
void vl2_picture_cache_deinit(const struct vl2_engine *engine, struct vl2_picture_cache *cache);

#endif
