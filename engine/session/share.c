/* SPDX-License-Identifier: MIT
 *
 * What one session has read, for another one: copies, so that either may go its way. Only whole chunks of repeatable sessions, which are the
 * same bits whoever has read them. See vl2_session_look_at().
 */
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/session/session_parts.h"

void vl2_session_look_at(struct vl2_session *s, struct vl2_session *const *others, size_t n_others) {
    s->others = others;
    s->n_others = n_others;
}

static bool is_alike(const struct vl2_session *s, const struct vl2_session *other) {
    return other != s && other->engine == s->engine && other->options.repeatable && s->options.repeatable && !other->away.rows &&
           other->scratch.rows == s->scratch.rows && other->kv.dtype == s->kv.dtype;
}

static bool copy_rows(const struct vl2_session *s, const struct vl2_session *from, size_t first, size_t n) {
    uint8_t *rows = vlk_alloc(vl2_kv_bytes(&s->engine->config, (int32_t)n, s->kv.dtype), 1);
    if (!rows)
        return false;
    vl2_kv_read(s->engine, &from->kv, first, n, rows);
    vl2_kv_write(s->engine, &s->kv, first, n, rows, n, 0);
    vlk_free(rows);
    return vl2_backend_is_sound(s->engine);
}

size_t vl2_session_share(struct vl2_session *s, const struct vl2_timeline *want, size_t limit, vl2_reread *reason) {
    const struct vl2_session *best = NULL;
    size_t most = s->length, chunk = (size_t)s->scratch.rows;
    for (size_t i = 0; i < s->n_others; i++) {
        const struct vl2_session *other = s->others[i];
        struct vl2_timeline read = {.ids = other->ids, .spans = other->spans, .length = other->whole, .n_spans = other->n_spans};
        vl2_reread why;
        size_t n = is_alike(s, other) ? vl2_timeline_match(&read, want, limit, &why) / chunk * chunk : 0;
        if (n <= most)
            continue;
        best = other;
        most = n;
        *reason = why;
    }
    return best && copy_rows(s, best, s->length, most - s->length) ? most : s->length;
}

bool vl2_session_share_picture(struct vl2_session *s, const struct vl2_picture_key *key, struct vl2_picture_rows *out) {
    struct vlk_backend *be = s->engine->backend;
    struct vl2_picture_rows theirs;
    bool found = false;
    for (size_t i = 0; !found && i < s->n_others; i++)
        found = is_alike(s, s->others[i]) && vl2_picture_cache_find(s->engine, &s->others[i]->pictures, key, &theirs);
    if (!found)
        return false;
    size_t bytes = vl2_picture_rows_bytes(&s->engine->config, &theirs);
    uint8_t *host = vlk_alloc(bytes, 1);
    if (!host)
        return false;
    be->ops->mem_read(be, host, theirs.rows, bytes); /* before there is made room for the copy, which may send theirs away */
    struct vl2_picture_rows mine = theirs;
    vl2_error unused;
    mine.rows = vl2_backend_is_sound(s->engine) ? vl2_device_alloc(s->engine, bytes) : NULL;
    if (mine.rows)
        be->ops->mem_write(be, mine.rows, host, bytes);
    vlk_free(host);
    if (!mine.rows || vl2_picture_cache_put(s->engine, &s->pictures, key, mine, &unused) != VL2_OK)
        return false;
    *out = mine;
    return true;
}
