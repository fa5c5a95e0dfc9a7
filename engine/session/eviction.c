/* SPDX-License-Identifier: MIT
 *
 * Moves what was used longest ago out of a full GPU, and back. The engine's list of sessions begins with the one unused for
 * longest; the last one is in use.
 */
#include "engine/session/eviction.h"

#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/session/session_parts.h"

static void forget(struct vl2_session *s) {
    vlk_free(s->away.rows);
    vlk_free(s->away.logits);
    s->away.rows = NULL;
    s->away.logits = NULL;
}

/* Keys and values of the timeline, and the logits that wait to be sampled: every pass writes the rest anew. */
static bool send_away(struct vl2_session *s) {
    const struct vl2_engine *e = s->engine;
    int32_t capacity = s->kv.capacity;
    vlk_dtype dtype = s->kv.dtype;
    size_t logits = (size_t)e->config.lm.vocab * sizeof(float);
    s->away.rows = vlk_alloc(vl2_kv_bytes(&e->config, (int32_t)s->length, dtype), 1);
    s->away.logits = vlk_alloc(logits, 1);
    if (!s->away.rows || !s->away.logits) {
        forget(s);
        return false;
    }
    vl2_kv_read(e, &s->kv, 0, s->length, s->away.rows);
    e->backend->ops->mem_read(e->backend, s->away.logits, s->scratch.logits, logits);
    if (!vl2_backend_is_sound(e)) { /* then nothing was read */
        forget(s);
        return false;
    }
    s->away.chunk = s->scratch.rows;
    vl2_kv_deinit(e, &s->kv);
    vl2_scratch_deinit(e, &s->scratch);
    s->kv.capacity = capacity;
    s->kv.dtype = dtype;
    return true;
}

static vl2_status restore(struct vl2_session *s, vl2_error *err) {
    const struct vl2_engine *e = s->engine;
    struct vl2_kv kv;
    vl2_device_make_room(e, vl2_kv_bytes(&e->config, s->kv.capacity, s->kv.dtype) +
                                vl2_scratch_bytes(&e->config, s->away.chunk, e->backend->traits.granule));
    vl2_status status = vl2_kv_init(e, s->kv.capacity, s->kv.dtype, &kv, err);
    if (status != VL2_OK)
        return status;
    status = vl2_scratch_init(e, s->away.chunk, &s->scratch, err);
    if (status != VL2_OK) {
        vl2_kv_deinit(e, &kv);
        return status;
    }
    s->kv = kv;
    vl2_kv_write(e, &s->kv, 0, s->length, s->away.rows, s->length, 0);
    e->backend->ops->mem_write(e->backend, s->scratch.logits, s->away.logits, (size_t)e->config.lm.vocab * sizeof(float));
    forget(s);
    return VL2_OK;
}

/* What was used longest ago, a picture before its session. */
static bool move_one(const struct vl2_engine *e) {
    for (struct vl2_session *s = e->sessions; s; s = s->newer) {
        bool in_use = !s->newer;
        if (vl2_picture_cache_send_away(e, &s->pictures, in_use) || (!in_use && !s->away.rows && send_away(s)))
            return true;
    }
    return false;
}

static void take_out(struct vl2_session *s) {
    struct vl2_session **link = &s->engine->sessions;
    while (*link && *link != s)
        link = &(*link)->newer;
    if (*link)
        *link = s->newer;
    s->newer = NULL;
}

vl2_status vl2_session_bring_back(struct vl2_session *s, vl2_error *err) {
    take_out(s);
    struct vl2_session **link = &s->engine->sessions;
    while (*link)
        link = &(*link)->newer;
    *link = s;
    s->engine->hooks.make_room = move_one;
    return s->away.rows ? restore(s, err) : VL2_OK;
}

void vl2_eviction_leave(struct vl2_session *s) {
    take_out(s);
    forget(s);
}
