/* SPDX-License-Identifier: MIT
 *
 * siglip_vit.py: VisionTransformer.forward_features; modeling_deepseek_vl_v2.py: MlpProjector.forward. See engine/model/vision.h.
 * Tiles go through the tower in batches that keep the scratch memory small; a tile's result does not depend on its batch.
 */
#include "engine/model/vision.h"

#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/model/document_encoder.h"

#include <string.h>

static const float layernorm_eps = 1e-6f; /* siglip_vit.py: norm_layer */
enum { SCRATCH_TARGET = 64 << 20 };

struct tower { /* (be) scratch of one batch of `batch` tiles */
    int32_t batch;
    uint8_t *tiles;
    float *x, *h, *qkv, *mid; /* [rows][width], [rows][width], [rows][3·width], [rows][mlp] */
    float *cells, *p, *q;     /* [batch·grid²][projector.in], [..][projector.hidden] ×2 */
};

static bool is_document(const struct vl2_config *c) {
    return c->family != VL2_FAMILY_VL2;
}

static int32_t patches(const struct vl2_config *c) {
    return c->projector.grid * c->projector.grid;
}

/* ------------------------------------------------------------------------------------------------ layout */

struct vl2_tile_rule vl2_vision_tile_rule(const struct vl2_config *c, vl2_detail detail) {
    struct vl2_tile_rule rule = c->tiles;
    if (!is_document(c))
        return rule;
    rule.most_tiles = detail == VL2_DETAIL_AUTO ? rule.most_tiles : 0;
    rule.stretched = detail == VL2_DETAIL_TINY || detail == VL2_DETAIL_SMALL;
    rule.side = detail == VL2_DETAIL_TINY ? rule.side / 2 : detail == VL2_DETAIL_SMALL ? rule.side / 8 * 5
              : detail == VL2_DETAIL_LARGE ? rule.side / 4 * 5 : rule.side;
    return rule;
}

/* Rows along the side of a view of a document model: its patches behind two convolutions of stride 2. */
static int32_t cells_of(const struct vl2_config *c, int32_t side) {
    return vlk_unfolded(vlk_unfolded(side / c->vision.patch, 3, 2, 1), 3, 2, 1);
}

struct vl2_picture_rows vl2_picture_layout(const struct vl2_config *c, const struct vl2_tile_rule *rule, int32_t grid_w, int32_t grid_h) {
    struct vl2_picture_rows rows = {.n_tiles = grid_w == 1 && grid_h == 1 ? 1 : 1 + grid_w * grid_h,
                                    .grid_w = grid_w,
                                    .grid_h = grid_h,
                                    .cells = is_document(c) ? cells_of(c, rule->side) : c->projector.grid,
                                    .local = is_document(c) ? cells_of(c, rule->local_side) : c->projector.grid};
    rows.n_rows = rows.cells * rows.cells + (rows.n_tiles - 1) * rows.local * rows.local + 2;
    return rows;
}

/* Tokens of the tiles: rows of the whole grid, each with a newline. A page that is one view has none. */
static int64_t local_tokens(const struct vl2_config *c, const struct vl2_picture_rows *p) {
    if (is_document(c) && p->n_tiles == 1)
        return 0;
    return (int64_t)p->local * p->grid_h * ((int64_t)p->local * p->grid_w + 1);
}

int64_t vl2_picture_token_count(const struct vl2_config *c, const struct vl2_picture_rows *p) {
    return (int64_t)p->cells * (p->cells + 1) + 1 + local_tokens(c, p);
}

size_t vl2_picture_rows_bytes(const struct vl2_config *c, const struct vl2_picture_rows *p) {
    return (size_t)p->n_rows * (size_t)c->lm.hidden * sizeof(float);
}

/* Where the three parts begin. VL2: one view, separator, the other; document models: tiles, view, separator. */
static void place_parts(const struct vl2_config *c, const struct vl2_picture_rows *p, int32_t *view, int32_t *tiles, int32_t *separator) {
    int32_t n_view = p->cells * (p->cells + 1), n_tiles = (int32_t)local_tokens(c, p);
    *tiles = c->global_first ? n_view + 1 : 0;
    *view = c->global_first ? 0 : is_document(c) ? n_tiles : n_tiles + 1;
    *separator = is_document(c) ? n_tiles + n_view : c->global_first ? n_view : n_tiles;
}

int32_t vl2_picture_row_index(const struct vl2_config *c, const struct vl2_picture_rows *p, int32_t j) {
    int32_t newline = p->n_rows - 2, view, tiles, at, g = p->cells, l = p->local, line = l * p->grid_w + 1;
    place_parts(c, p, &view, &tiles, &at);
    if (j == at)
        return newline + 1;
    if (j >= view && j < view + g * (g + 1))
        return (j - view) % (g + 1) == g ? newline : (j - view) / (g + 1) * g + (j - view) % (g + 1);
    int32_t row = (j - tiles) / line, col = (j - tiles) % line;
    if (col == line - 1)
        return newline;
    int32_t first = p->n_tiles == 1 ? 0 : g * g + (row / l * p->grid_w + col / l) * l * l;
    return first + row % l * l + col % l;
}

/* ------------------------------------------------------------------------------------------------ sizes */

static void tower_deinit(struct vlk_backend *be, struct tower *t) {
    void *const parts[] = {t->tiles, t->x, t->h, t->qkv, t->mid, t->cells, t->p, t->q};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i])
            be->ops->mem_free(be, parts[i]);
}

/* Floats of scratch per tile: x, h, qkv, mid; cells, p, q. */
static size_t tile_floats(const struct vl2_config *c) {
    return (size_t)c->vision.tokens * (5 * (size_t)c->vision.width + (size_t)c->vision.mlp) +
           (size_t)patches(c) * ((size_t)c->projector.in + 2 * (size_t)c->projector.hidden);
}

/* Tiles that go through the tower together, so that its scratch stays near the target. */
static int32_t batch_tiles(const struct vl2_config *c, int32_t n_tiles, size_t target) {
    size_t fit = target / (tile_floats(c) * sizeof(float));
    return fit < 1 ? 1 : fit < (size_t)n_tiles ? (int32_t)fit : n_tiles;
}

int32_t vl2_vision_layers(const struct vl2_config *c) {
    return c->vision.layers + c->document.clip_layers;
}

/* Of a document model, where every mode is possible, the largest view and the most tiles. */
void vl2_vision_largest(const struct vl2_config *c, int32_t *tiles, size_t *rows_bytes) {
    struct vl2_tile_rule large = vl2_vision_tile_rule(c, VL2_DETAIL_LARGE);
    struct vl2_picture_rows page = vl2_picture_layout(c, &large, 1, 1);
    *tiles = 1;
    *rows_bytes = is_document(c) ? vl2_picture_rows_bytes(c, &page) : 0;
    for (int32_t i = 0; i < c->tiles.n_candidates || (i == 0 && is_document(c)); i++) {
        int32_t w = is_document(c) ? c->document.most_tiles : c->tiles.candidates[i][0] / c->tiles.side;
        int32_t h = is_document(c) ? 1 : c->tiles.candidates[i][1] / c->tiles.side;
        struct vl2_picture_rows rows = vl2_picture_layout(c, &c->tiles, w, h);
        size_t bytes = vl2_picture_rows_bytes(c, &rows);
        *tiles = rows.n_tiles > *tiles ? rows.n_tiles : *tiles;
        *rows_bytes = bytes > *rows_bytes ? bytes : *rows_bytes;
    }
}

size_t vl2_vision_scratch_bytes(const struct vl2_config *c, int32_t n_tiles) {
    if (is_document(c)) {
        size_t side = (size_t)vl2_vision_tile_rule(c, VL2_DETAIL_LARGE).side;
        return vl2_document_view_floats(c, (int32_t)side) * sizeof(float) + (size_t)n_tiles * 3 * side * side;
    }
    size_t tile = 3 * (size_t)c->vision.side * (size_t)c->vision.side, batch = (size_t)batch_tiles(c, n_tiles, SCRATCH_TARGET);
    return batch * (tile_floats(c) * sizeof(float) + tile) + (size_t)n_tiles * tile;
}

int32_t vl2_vision_rows(const struct vl2_config *c, int32_t n_tiles) {
    if (is_document(c))
        return c->vision.tokens / 16 * 25;
    return batch_tiles(c, n_tiles, SCRATCH_TARGET) * c->vision.tokens;
}

static bool tower_init(const struct vl2_engine *e, int32_t n_tiles, struct tower *t) {
    const struct vl2_config *c = &e->config;
    struct vlk_backend *be = e->backend;
    size_t tokens = (size_t)c->vision.tokens, width = (size_t)c->vision.width, cells = (size_t)patches(c);
    size_t target = be->traits.batch_bytes ? be->traits.batch_bytes : SCRATCH_TARGET;
    *t = (struct tower){.batch = batch_tiles(c, n_tiles, target)};
    size_t n = (size_t)t->batch, f = sizeof(float);
    t->tiles = vl2_device_alloc(e, n * 3 * (size_t)c->vision.side * (size_t)c->vision.side);
    t->x = vl2_device_alloc(e, n * tokens * width * f);
    t->h = vl2_device_alloc(e, n * tokens * width * f);
    t->qkv = vl2_device_alloc(e, n * tokens * 3 * width * f);
    t->mid = vl2_device_alloc(e, n * tokens * (size_t)c->vision.mlp * f);
    t->cells = vl2_device_alloc(e, n * cells * (size_t)c->projector.in * f);
    t->p = vl2_device_alloc(e, n * cells * (size_t)c->projector.hidden * f);
    t->q = vl2_device_alloc(e, n * cells * (size_t)c->projector.hidden * f);
    return t->tiles && t->x && t->h && t->qkv && t->mid && t->cells && t->p && t->q;
}

/* x += attention(norm1 x); x += mlp(norm2 x) */
static void run_block(const struct vl2_engine *e, const struct tower *t, const struct vl2_vision_block *b, int32_t n) {
    const struct vl2_config *c = &e->config;
    e->backend->ops->vit_block(e->backend, &(struct vlk_vit_block_args){.n = n,
                                                                        .tokens = c->vision.tokens,
                                                                        .width = c->vision.width,
                                                                        .heads = c->vision.heads,
                                                                        .mlp = c->vision.mlp,
                                                                        .eps = layernorm_eps,
                                                                        .norm1_w = b->norm1_w,
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
                                                                        .fc2_b = b->fc2_b,
                                                                        .x = t->x,
                                                                        .h = t->h,
                                                                        .qkv = t->qkv,
                                                                        .mid = t->mid,
                                                                        .act = VLK_ACT_GELU_TANH});
}

/* vision features (t->h) → out [n · grid²][hidden]: r × r cells, then Linears with erf GELU between them. */
static void run_projector(const struct vl2_engine *e, const struct tower *t, int32_t n, float *out) {
    const struct vl2_config *c = &e->config;
    struct vlk_backend *be = e->backend;
    int32_t rows = n * patches(c), depth = c->projector.depth;
    const float *x = t->h;
    if (c->projector.r > 1) {
        be->ops->unfold(be, &(struct vlk_unfold_args){
            .n = n, .grid = c->vision.grid, .width = c->vision.width, .r = c->projector.r, .stride = c->projector.r, .x = t->h, .out = t->cells});
        x = t->cells;
    }
    for (int32_t i = 0; i < depth; i++) {
        bool last = i == depth - 1;
        float *y = last ? out : i % 2 ? t->q : t->p;
        be->ops->linear(be, &(struct vlk_linear_args){.n = rows,
                                                      .w = e->weights.proj_w[i],
                                                      .b = e->weights.proj_b[i],
                                                      .act = last ? VLK_ACT_NONE : VLK_ACT_GELU_ERF,
                                                      .x = x,
                                                      .y = y});
        x = y;
    }
    if (depth == 0)
        be->ops->mem_copy(be, out, x, (size_t)rows * (size_t)c->lm.hidden * sizeof(float));
}

/* Tiles first … first+n through tower and projector into their rows of `out`. */
static vl2_status run_batch(const struct vl2_engine *e, const struct tower *t, const struct vl2_tiles *tiles, int32_t first,
                            int32_t n, const struct vl2_vision_work *work, float *out, vl2_error *err) {
    const struct vl2_config *c = &e->config;
    struct vlk_backend *be = e->backend;
    const struct vl2_vision_taps *taps = work->taps;
    size_t tile_bytes = 3 * (size_t)tiles->side * (size_t)tiles->side;
    be->ops->mem_write(be, t->tiles, tiles->data + (size_t)first * tile_bytes, (size_t)n * tile_bytes);
    be->ops->patch_embed(be, &(struct vlk_patch_embed_args){.n = n,
                                                            .side = tiles->side,
                                                            .patch = c->vision.patch,
                                                            .width = c->vision.width,
                                                            .w = e->weights.patch_w,
                                                            .b = e->weights.patch_b,
                                                            .pos = e->weights.pos,
                                                            .tiles = t->tiles,
                                                            .out = t->x});
    for (int32_t i = 0; i < c->vision.layers; i++) {
        run_block(e, t, &e->weights.vision[i], n);
        vl2_status status = vl2_backend_wait(e, err);
        if (status != VL2_OK)
            return status;
        *work->done += (uint64_t) n;
        vl2_watch_report(work->watch, VL2_STAGE_VISION, *work->done, work->total);
        if (vl2_watch_cancelled(work->watch))
            return vl2_fail(err, VL2_CANCELLED, "Reading the picture was cancelled.");
    }
    be->ops->layernorm(be, &(struct vlk_layernorm_args){.n = n * c->vision.tokens,
                                                        .width = c->vision.width,
                                                        .eps = layernorm_eps,
                                                        .w = e->weights.vision_norm_w,
                                                        .b = e->weights.vision_norm_b,
                                                        .x = t->x,
                                                        .y = t->h});
    size_t cells = (size_t)patches(c) * (size_t)c->lm.hidden, features = (size_t)c->vision.tokens * (size_t)c->vision.width;
    run_projector(e, t, n, out + (size_t)first * cells);
    vl2_status status = vl2_backend_wait(e, err);
    if (status == VL2_OK && taps && taps->vision)
        be->ops->mem_read(be, taps->vision + (size_t)first * features, t->h, (size_t)n * features * sizeof(float));
    if (status == VL2_OK && taps && taps->projected)
        be->ops->mem_read(be, taps->projected + (size_t)first * cells, out + (size_t)first * cells,
                          (size_t)n * cells * sizeof(float));
    return status;
}

static vl2_status encode_tiles(const struct vl2_engine *e, const struct vl2_tiles *tiles, const struct vl2_vision_work *work,
                               const struct vl2_picture_rows *out, vl2_error *err) {
    struct tower tower = {0};
    vl2_status status = VL2_OK;
    if (!tower_init(e, out->n_tiles, &tower))
        status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to encode a picture of %d tiles.", out->n_tiles);
    for (int32_t first = 0; first < out->n_tiles && status == VL2_OK; first += tower.batch) {
        int32_t n = out->n_tiles - first < tower.batch ? out->n_tiles - first : tower.batch;
        status = run_batch(e, &tower, tiles, first, n, work, out->rows, err);
    }
    tower_deinit(e->backend, &tower);
    return status;
}

/* The view of the whole page, then its tiles, each as many at a time as the scratch is meant for. */
static vl2_status encode_page(const struct vl2_engine *e, const struct vl2_tiles *tiles, const struct vl2_vision_work *work,
                              const struct vl2_picture_rows *out, vl2_error *err) {
    const struct vlk_traits *traits = &e->backend->traits;
    size_t target = traits->batch_bytes ? traits->batch_bytes : SCRATCH_TARGET, view = 3 * (size_t)tiles->side * (size_t)tiles->side;
    size_t fit = target / (vl2_document_view_floats(&e->config, tiles->local_side) * sizeof(float));
    int32_t batch = fit < 1 ? 1 : fit < (size_t)out->n_tiles ? (int32_t)fit : out->n_tiles;
    struct vl2_vision_taps behind = work->taps ? *work->taps : (struct vl2_vision_taps){0};
    struct vl2_vision_work rest = *work;
    size_t cells = (size_t)out->cells * (size_t)out->cells;
    vl2_status status = vl2_document_encode(e, tiles->data, 1, tiles->side, 1, work, out->rows, err);
    if (status != VL2_OK || out->n_tiles == 1)
        return status;
    if (behind.vision)
        behind.vision += cells * (size_t)e->config.projector.in;
    if (behind.projected)
        behind.projected += cells * (size_t)e->config.lm.hidden;
    behind.block = NULL; /* told of the view alone */
    rest.taps = &behind;
    return vl2_document_encode(e, tiles->data + view, out->n_tiles - 1, tiles->local_side, batch, &rest,
                               out->rows + cells * (size_t)e->config.lm.hidden, err);
}

vl2_status vl2_vision_encode(const struct vl2_engine *e, const struct vl2_tiles *tiles, const struct vl2_vision_work *work,
                             struct vl2_picture_rows *out, vl2_error *err) {
    const struct vl2_config *c = &e->config;
    struct vlk_backend *be = e->backend;
    const struct vl2_tile_rule rule = {.side = tiles->side, .local_side = tiles->local_side};
    vl2_status status = VL2_OK;
    *out = vl2_picture_layout(c, &rule, tiles->grid_w, tiles->grid_h);
    out->rows = vl2_device_alloc(e, vl2_picture_rows_bytes(c, out));
    if (!out->rows)
        status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to encode a picture of %d tiles.", out->n_tiles);
    if (status == VL2_OK)
        status = is_document(c) ? encode_page(e, tiles, work, out, err) : encode_tiles(e, tiles, work, out, err);
    if (status == VL2_OK) {
        size_t row = (size_t)c->lm.hidden * sizeof(float);
        be->ops->mem_write(be, out->rows + (size_t)(out->n_rows - 2) * (size_t)c->lm.hidden, e->weights.newline, row);
        be->ops->mem_write(be, out->rows + (size_t)(out->n_rows - 1) * (size_t)c->lm.hidden, e->weights.separator, row);
    } else {
        vl2_picture_rows_deinit(e, out);
    }
    return status;
}

void vl2_picture_rows_deinit(const struct vl2_engine *e, struct vl2_picture_rows *rows) {
    if (rows->rows)
        e->backend->ops->mem_free(e->backend, rows->rows);
    *rows = (struct vl2_picture_rows){0};
}
