/* SPDX-License-Identifier: MIT
 *
 * siglip_vit.py: VisionTransformer.forward_features; modeling_deepseek_vl_v2.py: MlpProjector.forward. See engine/model/vision.h.
 * Tiles go through the tower in batches that keep the scratch memory small; a tile's result does not depend on its batch.
 */
#include "engine/model/vision.h"

#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"

#include <string.h>

static const float layernorm_eps = 1e-6f; /* siglip_vit.py: norm_layer */
enum { SCRATCH_TARGET = 64 << 20 };

struct tower { /* (be) scratch of one batch of `batch` tiles */
    int32_t batch;
    uint8_t *tiles;
    float *x, *h, *qkv, *mid; /* [rows][width], [rows][width], [rows][3·width], [rows][mlp] */
    float *cells, *p, *q;     /* [batch·grid²][projector.in], [..][projector.hidden] ×2 */
};

int32_t vl2_vision_tile_count(int32_t grid_w, int32_t grid_h) {
    return grid_w == 1 && grid_h == 1 ? 1 : 1 + grid_w * grid_h;
}

static int32_t patches(const struct vl2_config *c) {
    return c->projector.grid * c->projector.grid;
}

size_t vl2_picture_rows_bytes(const struct vl2_config *c, int32_t grid_w, int32_t grid_h) {
    size_t n_rows = (size_t)vl2_vision_tile_count(grid_w, grid_h) * (size_t)patches(c) + 2;
    return n_rows * (size_t)c->lm.hidden * sizeof(float);
}

int32_t vl2_picture_row_index(const struct vl2_config *c, const struct vl2_picture_rows *picture, int32_t j) {
    int32_t g = c->projector.grid, newline = picture->n_tiles * patches(c), separator = newline + 1;
    int32_t global_count = g * (g + 1), local_width = g * picture->grid_w + 1, local_count = g * picture->grid_h * local_width;
    int32_t global_start = c->global_first ? 0 : local_count + 1, local_start = c->global_first ? global_count + 1 : 0;
    if (j == (c->global_first ? global_count : local_count))
        return separator;
    if (j >= global_start && j < global_start + global_count) {
        int32_t row = (j - global_start) / (g + 1), col = (j - global_start) % (g + 1);
        return col == g ? newline : row * g + col;
    }
    int32_t row = (j - local_start) / local_width, col = (j - local_start) % local_width;
    if (col == local_width - 1)
        return newline;
    int32_t tile = picture->n_tiles == 1 ? 0 : 1 + row / g * picture->grid_w + col / g;
    return tile * patches(c) + row % g * g + col % g;
}

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

size_t vl2_vision_scratch_bytes(const struct vl2_config *c, int32_t n_tiles) {
    size_t tile = 3 * (size_t)c->vision.side * (size_t)c->vision.side, batch = (size_t)batch_tiles(c, n_tiles, SCRATCH_TARGET);
    return batch * (tile_floats(c) * sizeof(float) + tile) + (size_t)n_tiles * tile;
}

int32_t vl2_vision_rows(const struct vl2_config *c, int32_t n_tiles) {
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
                            int32_t n, const struct vl2_watch *watch, uint64_t *done, uint64_t total,
                            const struct vl2_vision_taps *taps, float *out, vl2_error *err) {
    const struct vl2_config *c = &e->config;
    struct vlk_backend *be = e->backend;
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
        *done += (uint64_t) n;
        vl2_watch_report(watch, VL2_STAGE_VISION, *done, total);
        if (vl2_watch_cancelled(watch))
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

vl2_status vl2_vision_encode(const struct vl2_engine *e, const struct vl2_tiles *tiles, const struct vl2_watch *watch,
                             uint64_t *done, uint64_t total, const struct vl2_vision_taps *taps, struct vl2_picture_rows *out,
                             vl2_error *err) {
    const struct vl2_config *c = &e->config;
    struct vlk_backend *be = e->backend;
    int32_t n_tiles = vl2_vision_tile_count(tiles->grid_w, tiles->grid_h);
    *out = (struct vl2_picture_rows){
        .n_rows = n_tiles * patches(c) + 2, .n_tiles = n_tiles, .grid_w = tiles->grid_w, .grid_h = tiles->grid_h};
    size_t bytes = vl2_picture_rows_bytes(c, tiles->grid_w, tiles->grid_h);
    struct tower tower = {0};
    vl2_status status = VL2_OK;
    out->rows = vl2_device_alloc(e, bytes);
    if (!out->rows || !tower_init(e, n_tiles, &tower))
        status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory to encode a picture of %d tiles.", n_tiles);
    for (int32_t first = 0; first < n_tiles && status == VL2_OK; first += tower.batch) {
        int32_t n = n_tiles - first < tower.batch ? n_tiles - first : tower.batch;
        status = run_batch(e, &tower, tiles, first, n, watch, done, total, taps, out->rows, err);
    }
    if (status == VL2_OK) {
        size_t row = (size_t)c->lm.hidden * sizeof(float);
        be->ops->mem_write(be, out->rows + (size_t)(out->n_rows - 2) * (size_t)c->lm.hidden, e->weights.newline, row);
        be->ops->mem_write(be, out->rows + (size_t)(out->n_rows - 1) * (size_t)c->lm.hidden, e->weights.separator, row);
    }
    tower_deinit(be, &tower);
    if (status != VL2_OK)
        vl2_picture_rows_deinit(e, out);
    return status;
}

void vl2_picture_rows_deinit(const struct vl2_engine *e, struct vl2_picture_rows *rows) {
    if (rows->rows)
        e->backend->ops->mem_free(e->backend, rows->rows);
    *rows = (struct vl2_picture_rows){0};
}
