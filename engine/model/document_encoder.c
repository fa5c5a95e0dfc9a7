/* SPDX-License-Identifier: MIT
 *
 * The two towers of a document model and what lies between them. Everything of one size of views is made once per call: scratch, and
 * tables of positions, which are small beside the towers' work.
 */
#include "engine/model/document_encoder.h"

#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/model/position_tables.h"

#include <string.h>

static const float sam_eps = 1e-6f, clip_eps = 1e-5f;

struct table { /* a resized table, imported for the time of a call */
    float *host;
    struct vlk_weight weight;
};

struct pass { /* views of one size; all float pointers (be) */
    const struct vl2_engine *e;
    const struct vl2_vision_work *work;
    int32_t batch, side, grid, half, cells; /* sides: in pixels, patches, behind the first convolution, behind both */
    uint8_t *views;
    float *x, *h, *wide, *mid;  /* [batch·grid²] of width, width, 3·width and more, mlp and more */
    float *both;                /* [batch·(1 + cells²)][clip.width], then the maps [batch·cells²][clip.width] */
    float *clip_h, *clip_qkv, *clip_mid, *joined, *start; /* start [1 + cells²][clip.width]: class row and positions */
    int32_t *ids;
    struct table pos, *down, *across; /* [vision.layers] */
};

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

struct sizes { /* floats per view */
    size_t x, wide, mid, both, clip_h, clip_qkv, clip_mid, joined;
};

static struct sizes sizes_of(const struct vl2_config *c, int32_t side) {
    const int32_t grid = side / c->vision.patch, half = vlk_unfolded(grid, 3, 2, 1), last = vlk_unfolded(half, 3, 2, 1);
    const size_t n = (size_t)grid * (size_t)grid, m = (size_t)half * (size_t)half, cells = (size_t)last * (size_t)last;
    const size_t width = (size_t)c->vision.width, neck = (size_t)c->document.neck, clip = (size_t)c->document.clip_width;
    return (struct sizes){.x = n * most(width, neck),
                          .wide = most(n * most(3 * width, 9 * neck), most(m * 9 * neck, cells * 9 * (size_t)c->document.channels[0])),
                          .mid = most(n * (size_t)c->vision.mlp, m * (size_t)c->document.channels[0]),
                          .both = (1 + 2 * cells) * clip,
                          .clip_h = (1 + cells) * clip,
                          .clip_qkv = 3 * (1 + cells) * clip,
                          .clip_mid = (1 + cells) * (size_t)c->document.clip_mlp,
                          .joined = 2 * cells * clip};
}

size_t vl2_document_view_floats(const struct vl2_config *c, int32_t side) {
    const struct sizes s = sizes_of(c, side);
    return 2 * s.x + s.wide + s.mid + s.both + s.clip_h + s.clip_qkv + s.clip_mid + s.joined;
}

/* ------------------------------------------------------------------------------------------------ making ready */

static bool import_table(const struct vl2_engine *e, struct table *t, const float *host, int32_t rows, int32_t cols) {
    t->weight = e->backend->ops->weight_import(e->backend, VLK_F32, rows, cols, host, VLK_PLACE_DEVICE);
    return t->weight.data != NULL;
}

/* The differences of places that block i knows, for its window. */
static bool make_difference_table(const struct pass *p, int32_t i, const float *learned, struct table *t) {
    const struct vl2_config *c = &p->e->config;
    const int32_t cols = c->vision.width / c->vision.heads;
    if (!(c->document.whole >> i & 1))
        return import_table(p->e, t, learned, 2 * c->document.window - 1, cols);
    t->host = vl2_resize_difference_table(learned, c->vision.grid, p->grid, cols);
    return t->host && import_table(p->e, t, t->host, 2 * p->grid - 1, cols);
}

/* What stands in the second tower's rows before the map is added: the class row and the positions. */
static bool make_start(struct pass *p) {
    const struct vl2_config *c = &p->e->config;
    const struct vl2_document_weights *w = &p->e->weights.document;
    const size_t width = (size_t)c->document.clip_width, cells = (size_t)p->cells * (size_t)p->cells;
    float *host = vlk_alloc((1 + cells) * width, sizeof *host);
    float *places = vl2_resize_square_table(w->clip_pos + width, c->document.clip_grid, p->cells, c->document.clip_width);
    bool ok = host && places && p->start;
    if (ok) {
        memcpy(host, w->class_row, width * sizeof *host);
        for (size_t i = 0; i < width; i++)
            host[i] += w->clip_pos[i];
        memcpy(host + width, places, cells * width * sizeof *host);
        p->e->backend->ops->mem_write(p->e->backend, p->start, host, (1 + cells) * width * sizeof *host);
    }
    vlk_free(host);
    vlk_free(places);
    return ok;
}

static bool make_tables(struct pass *p) {
    const struct vl2_config *c = &p->e->config;
    const struct vl2_document_weights *w = &p->e->weights.document;
    p->down = vlk_alloc((size_t)c->vision.layers, sizeof *p->down);
    p->across = vlk_alloc((size_t)c->vision.layers, sizeof *p->across);
    p->pos.host = vl2_resize_square_table(w->pos, c->vision.grid, p->grid, c->vision.width);
    if (!p->down || !p->across || !p->pos.host || !import_table(p->e, &p->pos, p->pos.host, p->grid * p->grid, c->vision.width))
        return false;
    for (int32_t i = 0; i < c->vision.layers; i++)
        if (!make_difference_table(p, i, w->down[i], &p->down[i]) || !make_difference_table(p, i, w->across[i], &p->across[i]))
            return false;
    return make_start(p);
}

static bool make_scratch(struct pass *p) {
    const struct sizes s = sizes_of(&p->e->config, p->side);
    const size_t n = (size_t)p->batch, f = sizeof(float), cells = (size_t)p->cells * (size_t)p->cells;
    p->views = vl2_device_alloc(p->e, n * 3 * (size_t)p->side * (size_t)p->side);
    p->x = vl2_device_alloc(p->e, n * s.x * f);
    p->h = vl2_device_alloc(p->e, n * s.x * f);
    p->wide = vl2_device_alloc(p->e, n * s.wide * f);
    p->mid = vl2_device_alloc(p->e, n * s.mid * f);
    p->both = vl2_device_alloc(p->e, n * s.both * f);
    p->clip_h = vl2_device_alloc(p->e, n * s.clip_h * f);
    p->clip_qkv = vl2_device_alloc(p->e, n * s.clip_qkv * f);
    p->clip_mid = vl2_device_alloc(p->e, n * s.clip_mid * f);
    p->joined = vl2_device_alloc(p->e, n * s.joined * f);
    p->start = vl2_device_alloc(p->e, s.clip_h * f);
    p->ids = vl2_device_alloc(p->e, n * (1 + 2 * cells) * sizeof *p->ids);
    return p->views && p->x && p->h && p->wide && p->mid && p->both && p->clip_h && p->clip_qkv && p->clip_mid && p->joined && p->start &&
           p->ids;
}

static void drop_table(struct vlk_backend *be, struct table *t) {
    if (t->weight.data)
        be->ops->weight_release(be, &t->weight);
    vlk_free(t->host);
}

static void tear_down(struct pass *p) {
    struct vlk_backend *be = p->e->backend;
    void *const parts[] = {p->views, p->x, p->h, p->wide, p->mid, p->both, p->clip_h, p->clip_qkv, p->clip_mid, p->joined, p->start, p->ids};
    for (int32_t i = 0; i < p->e->config.vision.layers; i++) {
        if (p->down)
            drop_table(be, &p->down[i]);
        if (p->across)
            drop_table(be, &p->across[i]);
    }
    drop_table(be, &p->pos);
    vlk_free(p->down);
    vlk_free(p->across);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i])
            be->ops->mem_free(be, parts[i]);
}

/* ------------------------------------------------------------------------------------------------ blocks */

/* What both towers' blocks have in common; the caller sets what differs. */
static struct vlk_vit_block_args block_args(const struct vl2_vision_block *b) {
    return (struct vlk_vit_block_args){.norm1_w = b->norm1_w,
                                       .norm1_b = b->norm1_b,
                                       .qkv_w = b->qkv_w,
                                       .qkv_b = b->qkv_b,
                                       .proj_w = b->proj_w,
                                       .proj_b = b->proj_b,
                                       .norm2_w = b->norm2_w,
                                       .norm2_b = b->norm2_b,
                                       .fc1_w = b->fc1_w,
                                       .fc1_b = b->fc1_b,
                                       .fc2_w = b->fc2_w,
                                       .fc2_b = b->fc2_b};
}

static void run_sam_block(const struct pass *p, int32_t i, int32_t n) {
    const struct vl2_config *c = &p->e->config;
    struct vlk_vit_block_args a = block_args(&p->e->weights.vision[i]);
    a.n = n;
    a.tokens = p->grid * p->grid;
    a.width = c->vision.width;
    a.heads = c->vision.heads;
    a.mlp = c->vision.mlp;
    a.eps = sam_eps;
    a.x = p->x;
    a.h = p->h;
    a.qkv = p->wide;
    a.mid = p->mid;
    a.act = VLK_ACT_GELU_ERF;
    a.grid = p->grid;
    a.window = c->document.whole >> i & 1 ? p->grid : c->document.window;
    a.down = p->down[i].weight;
    a.across = p->across[i].weight;
    p->e->backend->ops->vit_block(p->e->backend, &a);
}

static void run_clip_block(const struct pass *p, int32_t i, int32_t n) {
    const struct vl2_config *c = &p->e->config;
    struct vlk_vit_block_args a = block_args(&p->e->weights.document.clip[i]);
    a.n = n;
    a.tokens = 1 + p->cells * p->cells;
    a.width = c->document.clip_width;
    a.heads = c->document.clip_heads;
    a.mlp = c->document.clip_mlp;
    a.eps = clip_eps;
    a.x = p->both;
    a.h = p->clip_h;
    a.qkv = p->clip_qkv;
    a.mid = p->clip_mid;
    a.act = VLK_ACT_GELU_QUICK;
    p->e->backend->ops->vit_block(p->e->backend, &a);
}

/* Waits for a block, tells how far it is and what it made, and looks whether to go on. */
static vl2_status report_block(const struct pass *p, const char *tower, int32_t i, int32_t n, const float *x, int32_t rows, int32_t cols,
                          vl2_error *err) {
    const struct vl2_vision_work *w = p->work;
    vl2_status status = vl2_backend_wait(p->e, err);
    if (status != VL2_OK)
        return status;
    *w->done += (uint64_t)n;
    vl2_watch_report(w->watch, VL2_STAGE_VISION, *w->done, w->total);
    if (w->taps && w->taps->block)
        w->taps->block(tower, i, x, rows, cols, w->taps->user);
    return vl2_watch_cancelled(w->watch) ? vl2_fail(err, VL2_CANCELLED, "Reading the picture was cancelled.") : VL2_OK;
}

/* ------------------------------------------------------------------------------------------------ between the towers */

static void linear(const struct pass *p, int32_t n, struct vlk_weight w, bool add, const float *x, float *y) {
    p->e->backend->ops->linear(p->e->backend, &(struct vlk_linear_args){.n = n, .w = w, .accumulate = add, .x = x, .y = y});
}

static void norm(const struct pass *p, int32_t n, float eps, struct vlk_weight w, struct vlk_weight b, float *x) {
    p->e->backend->ops->layernorm(p->e->backend,
                                  &(struct vlk_layernorm_args){.n = n, .width = w.cols, .eps = eps, .w = w, .b = b, .x = x, .y = x});
}

/* 3×3 cells of x [n][grid²][width] side by side in p->wide, as a convolution of that stride takes them. */
static void unfold(const struct pass *p, int32_t n, int32_t grid, int32_t width, int32_t stride, const float *x) {
    p->e->backend->ops->unfold(p->e->backend, &(struct vlk_unfold_args){.n = n,
                                                                        .grid = grid,
                                                                        .width = width,
                                                                        .r = 3,
                                                                        .stride = stride,
                                                                        .pad = 1,
                                                                        .x = x,
                                                                        .out = p->wide});
}

static void embed(const struct pass *p, int32_t n, const float *rows, float *out) {
    p->e->backend->ops->embed(p->e->backend, &(struct vlk_embed_args){.n = n,
                                                                      .width = p->e->config.document.clip_width,
                                                                      .ids = p->ids,
                                                                      .rows = rows,
                                                                      .out = out});
}

/* The first tower's features (p->x) to the maps, behind `both`'s rows, and to those rows, on top of class row and positions: the last
 * convolution is formed twice, a few thousandths of the work. */
static void run_neck(const struct pass *p, int32_t n, float *maps) {
    const struct vl2_config *c = &p->e->config;
    const struct vl2_document_weights *w = &p->e->weights.document;
    const int32_t cells = p->cells * p->cells, rows = n * p->grid * p->grid, width = c->document.clip_width;
    linear(p, rows, w->neck_w[0], false, p->x, p->h);
    norm(p, rows, sam_eps, w->neck_norm_w[0], w->neck_norm_b[0], p->h);
    unfold(p, n, p->grid, c->document.neck, 1, p->h);
    linear(p, rows, w->neck_w[1], false, p->wide, p->h);
    norm(p, rows, sam_eps, w->neck_norm_w[1], w->neck_norm_b[1], p->h);
    unfold(p, n, p->grid, c->document.neck, 2, p->h);
    linear(p, n * p->half * p->half, w->conv_w[0], false, p->wide, p->mid);
    unfold(p, n, p->half, c->document.channels[0], 2, p->mid);
    linear(p, n * cells, w->conv_w[1], false, p->wide, maps);
    embed(p, n * (1 + cells), p->start, p->both);
    for (int32_t i = 0; i < n; i++)
        linear(p, cells, w->conv_w[1], true, p->wide + (size_t)i * (size_t)cells * (size_t)w->conv_w[1].cols,
               p->both + ((size_t)i * (size_t)(1 + cells) + 1) * (size_t)width);
    norm(p, n * (1 + cells), clip_eps, w->pre_norm_w, w->pre_norm_b, p->both);
}

/* Row -1 - id of what embed() is given: class row and positions, view by view; or, for the projector, a cell of both towers. */
static void write_ids(const struct pass *p, int32_t n, bool join, int32_t *host) {
    const int32_t cells = p->cells * p->cells;
    int32_t at = 0;
    for (int32_t i = 0; i < n && !join; i++)
        for (int32_t j = 0; j < 1 + cells; j++)
            host[at++] = -1 - j;
    for (int32_t i = 0; i < n && join; i++)
        for (int32_t j = 0; j < cells; j++) {
            host[at++] = -1 - (i * (1 + cells) + 1 + j);
            host[at++] = -1 - (n * (1 + cells) + i * cells + j);
        }
    p->e->backend->ops->mem_write(p->e->backend, p->ids, host, (size_t)at * sizeof *host);
}

/* ------------------------------------------------------------------------------------------------ a batch */

static vl2_status run_towers(const struct pass *p, const uint8_t *views, int32_t n, int32_t *ids, vl2_error *err) {
    const struct vl2_config *c = &p->e->config;
    struct vlk_backend *be = p->e->backend;
    const int32_t cells = p->cells * p->cells, rows = n * (1 + cells);
    vl2_status status = VL2_OK;
    be->ops->mem_write(be, p->views, views, (size_t)n * 3 * (size_t)p->side * (size_t)p->side);
    be->ops->patch_embed(be, &(struct vlk_patch_embed_args){.n = n,
                                                            .side = p->side,
                                                            .patch = c->vision.patch,
                                                            .width = c->vision.width,
                                                            .w = p->e->weights.patch_w,
                                                            .b = p->e->weights.patch_b,
                                                            .pos = p->pos.weight,
                                                            .tiles = p->views,
                                                            .out = p->x});
    for (int32_t i = 0; i < c->vision.layers && status == VL2_OK; i++) {
        run_sam_block(p, i, n);
        status = report_block(p, "sam", i, n, p->x, n * p->grid * p->grid, c->vision.width, err);
    }
    if (status != VL2_OK)
        return status;
    write_ids(p, n, false, ids);
    run_neck(p, n, p->both + (size_t)rows * (size_t)c->document.clip_width);
    for (int32_t i = 0; i < c->document.clip_layers && status == VL2_OK; i++) {
        run_clip_block(p, i, n);
        status = report_block(p, "clip", i, n, p->both, rows, c->document.clip_width, err);
    }
    return status;
}

static vl2_status run_batch(const struct pass *p, const uint8_t *views, int32_t n, int32_t first, float *out, vl2_error *err) {
    const struct vl2_config *c = &p->e->config;
    struct vlk_backend *be = p->e->backend;
    const struct vl2_vision_taps *taps = p->work->taps;
    const size_t cells = (size_t)p->cells * (size_t)p->cells, from = (size_t)first * cells, rows = (size_t)n * cells;
    const size_t hidden = (size_t)c->lm.hidden, features = (size_t)c->projector.in;
    int32_t *ids = vlk_alloc((size_t)n * (1 + 2 * cells), sizeof *ids);
    if (!ids)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to encode a page.");
    vl2_status status = run_towers(p, views, n, ids, err);
    if (status == VL2_OK) {
        write_ids(p, n, true, ids);
        embed(p, 2 * (int32_t)rows, p->both, p->joined);
        be->ops->linear(be, &(struct vlk_linear_args){.n = (int32_t)rows,
                                                      .w = p->e->weights.proj_w[0],
                                                      .b = p->e->weights.proj_b[0],
                                                      .x = p->joined,
                                                      .y = out + from * hidden});
        status = vl2_backend_wait(p->e, err);
    }
    vlk_free(ids);
    if (status == VL2_OK && taps && taps->vision)
        be->ops->mem_read(be, taps->vision + from * features, p->joined, rows * features * sizeof(float));
    if (status == VL2_OK && taps && taps->projected)
        be->ops->mem_read(be, taps->projected + from * hidden, out + from * hidden, rows * hidden * sizeof(float));
    return status;
}

vl2_status vl2_document_encode(const struct vl2_engine *e, const uint8_t *views, int32_t n, int32_t side, int32_t batch,
                               const struct vl2_vision_work *work, float *out, vl2_error *err) {
    const size_t bytes = 3 * (size_t)side * (size_t)side;
    struct pass p = {.e = e, .work = work, .batch = batch < n ? batch : n, .side = side, .grid = side / e->config.vision.patch};
    vl2_status status = VL2_OK;
    p.half = vlk_unfolded(p.grid, 3, 2, 1);
    p.cells = vlk_unfolded(p.half, 3, 2, 1);
    if (!make_scratch(&p) || !make_tables(&p))
        status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to encode a page in views of %d pixels.", side);
    for (int32_t first = 0; first < n && status == VL2_OK; first += p.batch) {
        int32_t count = n - first < p.batch ? n - first : p.batch;
        status = run_batch(&p, views + (size_t)first * bytes, count, first, out, err);
    }
    tear_down(&p);
    return status;
}
