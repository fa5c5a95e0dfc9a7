/* SPDX-License-Identifier: MIT
 *
 * Keeps encoded pictures by content. A conversation holds a handful of pictures, so the list is searched linearly.
 */
#include "engine/session/picture_cache.h"

#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <string.h>

struct vl2_picture_entry {
    struct vl2_picture_key key;
    struct vl2_picture_rows rows;
    uint8_t *away; /* the rows in host memory, while rows.rows is NULL */
    size_t bytes;
    uint64_t round; /* of the last use */
};

void vl2_picture_key_make(const vl2_picture *p, const struct vl2_tile_rule *rule, int32_t grid_w, int32_t grid_h,
                          struct vl2_picture_key *out) {
    const int32_t view[2] = {rule->side, rule->stretched};
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_128bits_reset(&state);
    for (int32_t y = 0; y < p->height; y++)
        XXH3_128bits_update(&state, p->rgb + (size_t)y * p->stride, (size_t)p->width * 3);
    if (rule->page)
        XXH3_128bits_update(&state, view, sizeof view);
    XXH128_hash_t hash = XXH3_128bits_digest(&state);
    *out = (struct vl2_picture_key){
        .hash = {hash.low64, hash.high64}, .width = p->width, .height = p->height, .grid_w = grid_w, .grid_h = grid_h};
}

bool vl2_picture_key_same_pixels(const struct vl2_picture_key *a, const struct vl2_picture_key *b) {
    return a->hash[0] == b->hash[0] && a->hash[1] == b->hash[1] && a->width == b->width && a->height == b->height;
}

bool vl2_picture_key_equal(const struct vl2_picture_key *a, const struct vl2_picture_key *b) {
    return vl2_picture_key_same_pixels(a, b) && a->grid_w == b->grid_w && a->grid_h == b->grid_h;
}

void vl2_picture_cache_begin(struct vl2_picture_cache *cache) {
    cache->round++;
}

static struct vl2_picture_entry *find_entry(struct vl2_picture_cache *cache, const struct vl2_picture_key *key) {
    for (size_t i = 0; i < cache->n_entries; i++)
        if (vl2_picture_key_equal(&cache->entries[i].key, key))
            return &cache->entries[i];
    return NULL;
}

bool vl2_picture_cache_send_away(const struct vl2_engine *engine, struct vl2_picture_cache *cache, bool in_use) {
    struct vlk_backend *be = engine->backend;
    struct vl2_picture_entry *oldest = NULL;
    for (size_t i = 0; i < cache->n_entries; i++) {
        struct vl2_picture_entry *entry = &cache->entries[i];
        if (!entry->away && !(in_use && entry->round == cache->round) && (!oldest || entry->round < oldest->round))
            oldest = entry;
    }
    uint8_t *away = oldest ? vlk_alloc(oldest->bytes, 1) : NULL;
    if (!away)
        return false;
    be->ops->mem_read(be, away, oldest->rows.rows, oldest->bytes);
    if (!vl2_backend_is_sound(engine)) { /* then nothing was read */
        vlk_free(away);
        return false;
    }
    be->ops->mem_free(be, oldest->rows.rows);
    oldest->rows.rows = NULL;
    oldest->away = away;
    return true;
}

static bool bring_back(const struct vl2_engine *engine, struct vl2_picture_entry *entry) {
    struct vlk_backend *be = engine->backend;
    entry->rows.rows = vl2_device_alloc(engine, entry->bytes);
    if (!entry->rows.rows)
        return false;
    be->ops->mem_write(be, entry->rows.rows, entry->away, entry->bytes);
    vlk_free(entry->away);
    entry->away = NULL;
    return true;
}

bool vl2_picture_cache_find(const struct vl2_engine *engine, struct vl2_picture_cache *cache, const struct vl2_picture_key *key,
                            struct vl2_picture_rows *out) {
    struct vl2_picture_entry *entry = find_entry(cache, key);
    if (!entry)
        return false;
    entry->round = cache->round;
    if (entry->away && !bring_back(engine, entry))
        return false;
    *out = entry->rows;
    return true;
}

static void remove_entry(const struct vl2_engine *engine, struct vl2_picture_cache *cache, struct vl2_picture_entry *entry) {
    cache->bytes -= entry->bytes;
    vl2_picture_rows_deinit(engine, &entry->rows);
    vlk_free(entry->away);
    *entry = cache->entries[--cache->n_entries];
}

static void trim(const struct vl2_engine *engine, struct vl2_picture_cache *cache) {
    while (cache->bytes > cache->budget) {
        struct vl2_picture_entry *oldest = NULL;
        for (size_t i = 0; i < cache->n_entries; i++)
            if (cache->entries[i].round < (oldest ? oldest->round : cache->round))
                oldest = &cache->entries[i];
        if (!oldest)
            return; /* all that is left is in use */
        remove_entry(engine, cache, oldest);
    }
}

vl2_status vl2_picture_cache_put(const struct vl2_engine *engine, struct vl2_picture_cache *cache,
                                 const struct vl2_picture_key *key, struct vl2_picture_rows rows, vl2_error *err) {
    struct vl2_picture_entry *same = find_entry(cache, key);
    if (same)
        remove_entry(engine, cache, same);
    if (cache->n_entries == cache->capacity) {
        size_t old = cache->capacity * sizeof *cache->entries, capacity = 2 * cache->capacity + 8;
        void *p = vlk_realloc(cache->entries, old, capacity * sizeof *cache->entries);
        if (!p) {
            vl2_picture_rows_deinit(engine, &rows);
            return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to keep an encoded picture.");
        }
        cache->entries = p;
        cache->capacity = capacity;
    }
    size_t bytes = vl2_picture_rows_bytes(&engine->config, &rows);
    cache->entries[cache->n_entries++] =
        (struct vl2_picture_entry){.key = *key, .rows = rows, .bytes = bytes, .round = cache->round};
    cache->bytes += bytes;
    trim(engine, cache);
    return VL2_OK;
}

void vl2_picture_cache_deinit(const struct vl2_engine *engine, struct vl2_picture_cache *cache) {
    while (cache->n_entries)
        remove_entry(engine, cache, &cache->entries[0]);
    vlk_free(cache->entries);
    *cache = (struct vl2_picture_cache){0};
}
