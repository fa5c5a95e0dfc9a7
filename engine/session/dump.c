/* SPDX-License-Identifier: MIT
 *
 * Intermediate results of one prompt, for the dump command and the parity tests: the same forward pass as sync, without reuse,
 * with host copies taken on the way. Inference thread. See engine/vl2.h.
 */
#include "engine/session/session_parts.h"

#include "engine/error.h"
#include "engine/files/system_memory.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/session/eviction.h"

#include <stdio.h>
#include <string.h>

struct dump {
    struct vl2_session *session;
    struct vl2_layout layout;
    float *vision, *projected; /* all tiles of all pictures, as the official code counts them */
    size_t n_tiles;
    struct vl2_forward_taps taps;
};

static vl2_status dump_alloc(struct dump *d, vl2_error *err) {
    const struct vl2_config *c = &d->session->engine->config;
    size_t n = d->layout.prompt.n_ids, hidden = (size_t)c->lm.hidden, vocab = (size_t)c->lm.vocab;
    size_t patches = (size_t)c->projector.grid * (size_t)c->projector.grid;
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++)
        d->n_tiles += 1 + (size_t)d->layout.prompt.pictures[i].grid_w * (size_t)d->layout.prompt.pictures[i].grid_h;
    size_t tiles_floats = d->n_tiles * ((size_t)c->vision.tokens * (size_t)c->vision.width + patches * hidden);
    size_t experts = (size_t)c->lm.layers * (size_t)c->lm.experts_per_token;
    uint64_t needed = sizeof(float) * (tiles_floats + n * (hidden * ((size_t)c->lm.layers + 1) + experts + vocab));
    if (needed > vl2_memory_available())
        return vl2_fail(err, VL2_ERR_MEMORY, "The intermediate results of %zu tokens take %llu MiB, more than is free.", n,
                        (unsigned long long)(needed >> 20));
    d->vision = vlk_alloc(d->n_tiles * (size_t)c->vision.tokens * (size_t)c->vision.width, sizeof(float));
    d->projected = vlk_alloc(d->n_tiles * patches * hidden, sizeof(float));
    d->taps.n = n;
    d->taps.embeds = vlk_alloc(n * hidden, sizeof(float));
    d->taps.layers = vlk_alloc(n * hidden * (size_t)c->lm.layers, sizeof(float));
    d->taps.experts = vlk_alloc(n * experts, sizeof(float));
    d->taps.logits = vlk_alloc(n * vocab, sizeof(float));
    d->taps.chunk_logits = vl2_device_alloc(d->session->engine, (size_t)d->session->scratch.rows * vocab * sizeof(float));
    if (!d->vision || !d->projected || !d->taps.embeds || !d->taps.layers || !d->taps.experts || !d->taps.logits || !d->taps.chunk_logits)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the intermediate results of %zu tokens.", n);
    return VL2_OK;
}

static void dump_free(struct dump *d) {
    struct vlk_backend *be = d->session->engine->backend;
    vlk_free(d->vision);
    vlk_free(d->projected);
    vlk_free(d->taps.embeds);
    vlk_free(d->taps.layers);
    vlk_free(d->taps.experts);
    vlk_free(d->taps.logits);
    if (d->taps.chunk_logits)
        be->ops->mem_free(be, d->taps.chunk_logits);
    vl2_layout_deinit(&d->layout);
}

/* Encodes picture i into tiles first_tile … of the host arrays. A 1×1 grid's local tile repeats the global view. */
static vl2_status dump_picture(struct dump *d, size_t i, size_t first_tile, const struct vl2_watch *watch, uint64_t *done,
                               uint64_t total, vl2_error *err) {
    struct vl2_session *s = d->session;
    const struct vl2_config *c = &s->engine->config;
    const struct vl2_prompt_picture *p = &d->layout.prompt.pictures[i];
    size_t features = (size_t)c->vision.tokens * (size_t)c->vision.width;
    size_t cells = (size_t)c->projector.grid * (size_t)c->projector.grid * (size_t)c->lm.hidden;
    struct vl2_vision_taps taps = {.vision = d->vision + first_tile * features, .projected = d->projected + first_tile * cells};
    struct vl2_tiles tiles = {0};
    vl2_status status = vl2_tiles_make(&c->tiles, p->picture, p->crop, &tiles, err);
    if (status != VL2_OK)
        return status;
    status = vl2_vision_encode(s->engine, &tiles, watch, done, total, &taps, &d->layout.rows[i], err);
    vl2_free(tiles.data);
    if (status != VL2_OK)
        return status;
    if (d->layout.rows[i].n_tiles == 1) {
        memcpy(taps.vision + features, taps.vision, features * sizeof(float));
        memcpy(taps.projected + cells, taps.projected, cells * sizeof(float));
    }
    return vl2_picture_cache_put(s->engine, &s->pictures, &d->layout.spans[i].key, d->layout.rows[i], err);
}

static vl2_status dump_pictures(struct dump *d, const struct vl2_watch *watch, vl2_error *err) {
    struct vl2_session *s = d->session;
    uint64_t done = 0, total = 0;
    size_t tile = 0;
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++)
        total += (uint64_t)vl2_vision_tile_count(d->layout.spans[i].key.grid_w, d->layout.spans[i].key.grid_h) *
                 (uint64_t)s->engine->config.vision.layers;
    vl2_picture_cache_begin(&s->pictures);
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++) {
        vl2_status status = dump_picture(d, i, tile, watch, &done, total, err);
        if (status != VL2_OK)
            return status;
        tile += 1 + (size_t)d->layout.spans[i].key.grid_w * (size_t)d->layout.spans[i].key.grid_h;
    }
    /* A picture that appears twice replaced its own first rows. */
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++)
        vl2_picture_cache_find(s->engine, &s->pictures, &d->layout.spans[i].key, &d->layout.rows[i]);
    return VL2_OK;
}

static void call_taps(const struct dump *d, vl2_tap_fn tap, void *user) {
    const struct vl2_config *c = &d->session->engine->config;
    size_t n = d->taps.n, hidden = (size_t)c->lm.hidden, grid = (size_t)c->projector.grid;
    size_t k = (size_t)c->lm.experts_per_token;
    tap("vision", d->vision, d->n_tiles * (size_t)c->vision.tokens, (size_t)c->vision.width, user);
    tap("projected", d->projected, d->n_tiles * grid * grid, hidden, user);
    tap("embeds", d->taps.embeds, n, hidden, user);
    for (size_t layer = 0; layer < (size_t)c->lm.layers; layer++) {
        char name[32];
        snprintf(name, sizeof name, "layer.%zu", layer);
        tap(name, d->taps.layers + layer * n * hidden, n, hidden, user);
        snprintf(name, sizeof name, "experts.%zu", layer);
        if (vl2_config_is_moe(c, (int32_t)layer))
            tap(name, d->taps.experts + layer * n * k, n, k, user);
    }
    tap("logits", d->taps.logits, n, (size_t)c->lm.vocab, user);
}

vl2_status vl2_session_dump(vl2_session *s, const vl2_conversation *conversation, vl2_tap_fn tap, void *user,
                            const struct vl2_watch *watch, vl2_error *err) {
    struct dump d = {.session = s};
    s->ready = false;
    vl2_status status = vl2_eviction_enter(s, err);
    if (status == VL2_OK)
        status = vl2_layout_make(s, conversation, &d.layout, err);
    if (status == VL2_OK)
        status = dump_alloc(&d, err);
    if (status == VL2_OK)
        status = dump_pictures(&d, watch, err);
    if (status == VL2_OK)
        status = vl2_session_adopt(s, &d.layout, 0, err);
    if (status == VL2_OK)
        status = vl2_session_prefill(s, &d.layout, watch, &d.taps, err);
    if (status == VL2_OK)
        call_taps(&d, tap, user);
    dump_free(&d);
    return status;
}
