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
    size_t features, cells;    /* rows of both */
    struct vl2_forward_taps taps;
    vl2_tap_fn tap;
    void *user;
    vl2_status block_status; /* of what is told while pictures are encoded */
};

/* The rows of a picture's features and of what is projected. The official code of VL2 computes a 1×1 grid's tile, which repeats the
 * view. */
struct extent {
    size_t features, cells;
};

static size_t feature_width(const struct vl2_config *c) {
    return (size_t)(c->family == VL2_FAMILY_VL2 ? c->vision.width : c->projector.in);
}

static struct extent extent_of(const struct vl2_config *c, const struct vl2_prompt_picture *p) {
    struct vl2_picture_rows layout = vl2_picture_layout(c, &p->rule, p->grid_w, p->grid_h);
    size_t cells = (size_t)layout.n_rows - 2, tiles = 1 + (size_t)p->grid_w * (size_t)p->grid_h;
    if (c->family != VL2_FAMILY_VL2)
        return (struct extent){cells, cells};
    return (struct extent){tiles * (size_t)c->vision.tokens, tiles * (size_t)c->projector.grid * (size_t)c->projector.grid};
}

static vl2_status dump_alloc(struct dump *d, vl2_error *err) {
    const struct vl2_config *c = &d->session->engine->config;
    size_t n = d->layout.prompt.n_ids, hidden = (size_t)c->lm.hidden, vocab = (size_t)c->lm.vocab;
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++) {
        struct extent e = extent_of(c, &d->layout.prompt.pictures[i]);
        d->features += e.features;
        d->cells += e.cells;
    }
    size_t experts = (size_t)c->lm.layers * (size_t)c->lm.experts_per_token, rows = d->features * feature_width(c) + d->cells * hidden;
    uint64_t needed = sizeof(float) * (rows + n * (hidden * ((size_t)c->lm.layers + 1) + experts + vocab));
    if (needed > vl2_memory_available())
        return vl2_fail(err, VL2_ERR_MEMORY, "The intermediate results of %zu tokens take %llu MiB, more than is free.", n,
                        (unsigned long long)(needed >> 20));
    d->vision = vlk_alloc(d->features * feature_width(c), sizeof(float));
    d->projected = vlk_alloc(d->cells * hidden, sizeof(float));
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

/* A block of a document model's towers: "sam.3", "clip.0", of the first page's view. */
static void tell_block(const char *tower, int32_t i, const float *x, int32_t rows, int32_t cols, void *user) {
    struct dump *d = user;
    struct vlk_backend *be = d->session->engine->backend;
    size_t bytes = (size_t)rows * (size_t)cols * sizeof(float);
    char name[32];
    float *host = vlk_alloc(bytes, 1);
    if (!host) {
        d->block_status = VL2_ERR_MEMORY;
        return;
    }
    be->ops->mem_read(be, host, x, bytes);
    snprintf(name, sizeof name, "%s.%d", tower, (int)i);
    d->tap(name, host, (size_t)rows, (size_t)cols, d->user);
    vlk_free(host);
}

/* Encodes picture i into the host arrays from those rows on, through the taps of the work. */
static vl2_status dump_picture(struct dump *d, size_t i, const struct extent *from, struct vl2_vision_work *work,
                               struct vl2_vision_taps *taps, vl2_error *err) {
    struct vl2_session *s = d->session;
    const struct vl2_config *c = &s->engine->config;
    const struct vl2_prompt_picture *p = &d->layout.prompt.pictures[i];
    size_t features = (size_t)c->vision.tokens * feature_width(c);
    size_t cells = (size_t)c->projector.grid * (size_t)c->projector.grid * (size_t)c->lm.hidden;
    struct vl2_tiles tiles = {0};
    vl2_status status = vl2_tiles_make(&p->rule, p->picture, p->crop, &tiles, err);
    if (status != VL2_OK)
        return status;
    taps->vision = d->vision + from->features * feature_width(c);
    taps->projected = d->projected + from->cells * (size_t)c->lm.hidden;
    taps->block = i == 0 ? tell_block : NULL;
    status = vl2_vision_encode(s->engine, &tiles, work, &d->layout.rows[i], err);
    vl2_free(tiles.data);
    if (status != VL2_OK)
        return status;
    if (d->layout.rows[i].n_tiles == 1 && c->family == VL2_FAMILY_VL2) {
        memcpy(taps->vision + features, taps->vision, features * sizeof(float));
        memcpy(taps->projected + cells, taps->projected, cells * sizeof(float));
    }
    return vl2_picture_cache_put(s->engine, &s->pictures, &d->layout.spans[i].key, d->layout.rows[i], err);
}

static vl2_status dump_pictures(struct dump *d, const struct vl2_watch *watch, vl2_error *err) {
    struct vl2_session *s = d->session;
    const struct vl2_config *c = &s->engine->config;
    uint64_t done = 0;
    struct vl2_vision_taps taps = {.user = d};
    struct vl2_vision_work work = {.watch = watch, .done = &done, .taps = &taps};
    struct extent at = {0};
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++) {
        const struct vl2_prompt_picture *p = &d->layout.prompt.pictures[i];
        work.total += (uint64_t)vl2_vision_layers(c) * (uint64_t)vl2_picture_layout(c, &p->rule, p->grid_w, p->grid_h).n_tiles;
    }
    vl2_picture_cache_begin(&s->pictures);
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++) {
        struct extent e = extent_of(c, &d->layout.prompt.pictures[i]);
        vl2_status status = dump_picture(d, i, &at, &work, &taps, err);
        if (status == VL2_OK && d->block_status != VL2_OK)
            status = vl2_fail(err, d->block_status, "There is not enough memory for the intermediate results of a page.");
        if (status != VL2_OK)
            return status;
        at.features += e.features;
        at.cells += e.cells;
    }
    /* A picture that appears twice replaced its own first rows. */
    for (size_t i = 0; i < d->layout.prompt.n_pictures; i++)
        vl2_picture_cache_find(s->engine, &s->pictures, &d->layout.spans[i].key, &d->layout.rows[i]);
    return VL2_OK;
}

static void call_taps(const struct dump *d, vl2_tap_fn tap, void *user) {
    const struct vl2_config *c = &d->session->engine->config;
    size_t n = d->taps.n, hidden = (size_t)c->lm.hidden, k = (size_t)c->lm.experts_per_token;
    tap("vision", d->vision, d->features, feature_width(c), user);
    tap("projected", d->projected, d->cells, hidden, user);
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
    struct dump d = {.session = s, .tap = tap, .user = user};
    s->ready = false;
    vl2_status status = vl2_session_bring_back(s, err);
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
