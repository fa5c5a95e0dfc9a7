/* SPDX-License-Identifier: MIT
 *
 * Lays the attention of a token over the pixels of the pictures. A picture's tokens are laid out by vl2_picture_row_index, a
 * view's padding by vl2_tile_content: both are what the forward pass itself uses, so that the map cannot drift away from it.
 */
#include "engine/session/attention_map.h"

#include "engine/error.h"
#include "engine/model/backend_wait.h"
#include "engine/model/device_memory.h"
#include "engine/model/vision.h"

#include <math.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ geometry */

static bool clip(double from, double to, double size, double *a, double *b) {
    *a = from > 0 ? from : 0;
    *b = to < size ? to : size;
    return *a < *b;
}

/* A rectangle of a view, in its pixels, to pixels of the original. */
static bool view_to_original(const int32_t content[4], int32_t width, int32_t height, const double view[4], double rect[4]) {
    double x = (double)width / content[2], y = (double)height / content[3], out[4];
    bool seen = clip((view[0] - content[0]) * x, (view[2] - content[0]) * x, width, &out[0], &out[2]) &&
                clip((view[1] - content[1]) * y, (view[3] - content[1]) * y, height, &out[1], &out[3]);
    if (seen)
        memcpy(rect, out, sizeof out);
    return seen;
}

/* The pixels that cell `cell` of a tile covers, g cells in a row. The last cells of an odd grid hold a patch of zeros, and the tile's rest
 * that no patch covers is never seen. A document model's cells share a view evenly. */
static void cell_rect(const struct vl2_config *c, int32_t side, int32_t g, int32_t cell, double view[4]) {
    double step = c->projector.r * c->vision.patch, end = c->vision.grid * c->vision.patch;
    if (c->family != VL2_FAMILY_VL2) {
        step = (double)side / g;
        end = side;
    }
    view[0] = cell % g * step;
    view[1] = cell / g * step;
    view[2] = view[0] + step < end ? view[0] + step : end;
    view[3] = view[1] + step < end ? view[1] + step : end;
}

static bool token_rect(const struct vl2_config *c, const struct vl2_tile_rule *rule, int32_t width, int32_t height, int32_t grid_w,
                       int32_t grid_h, int32_t j, double rect[4]) {
    const struct vl2_picture_rows layout = vl2_picture_layout(c, rule, grid_w, grid_h);
    int32_t g = layout.cells, l = layout.local, row = vl2_picture_row_index(c, &layout, j), side = rule->side;
    if (row >= layout.n_rows - 2) /* a newline or the separator */
        return false;
    int32_t tile = row < g * g ? 0 : 1 + (row - g * g) / (l * l), local = rule->local_side ? rule->local_side : side;
    int32_t column = tile > 0 ? (tile - 1) % grid_w : 0, line = tile > 0 ? (tile - 1) / grid_w : 0;
    int32_t w = tile > 0 ? grid_w * local : side, h = tile > 0 ? grid_h * local : side, content[4] = {0, 0, w, h};
    double view[4];
    cell_rect(c, tile > 0 ? local : side, tile > 0 ? l : g, tile > 0 ? (row - g * g) % (l * l) : row, view);
    for (int i = 0; i < 4; i++)
        view[i] += (double)local * (i % 2 == 0 ? column : line);
    if (!(tile > 0 ? rule->page : rule->stretched))
        vl2_tile_content(width, height, w, h, content);
    return view_to_original(content, width, height, view, rect);
}

bool vl2_engine_token_rect(const vl2_engine *engine, int32_t width, int32_t height, bool crop, int32_t j, double rect[4]) {
    int32_t grid_w, grid_h;
    if (width < 1 || height < 1 || j < 0 || j >= vl2_engine_picture_tokens(engine, width, height, crop))
        return false;
    vl2_tile_grid(&engine->config.tiles, width, height, crop, &grid_w, &grid_h);
    return token_rect(&engine->config, &engine->config.tiles, width, height, grid_w, grid_h, j, rect);
}

/* ------------------------------------------------------------------------------------------------ one picture */

static int32_t shorter_side(int32_t cells, int32_t longer, int32_t shorter) {
    int32_t n = (int32_t)lrint((double)cells * shorter / longer);
    return n < 1 ? 1 : n;
}

vl2_status vl2_patch_map_init(const struct vl2_config *c, const struct vl2_tile_rule *rule, int32_t width, int32_t height, int32_t grid_w,
                              int32_t grid_h, int32_t cells, struct vl2_patch_map *map, vl2_error *err) {
    const struct vl2_picture_rows layout = vl2_picture_layout(c, rule, grid_w, grid_h);
    *map = (struct vl2_patch_map){.cols = width >= height ? cells : shorter_side(cells, height, width),
                                  .rows = width >= height ? shorter_side(cells, width, height) : cells};
    map->count = (size_t)vl2_picture_token_count(c, &layout);
    map->rects = vlk_alloc(map->count, 4 * sizeof *map->rects);
    map->cells = vlk_alloc((size_t)map->cols * (size_t)map->rows, sizeof *map->cells);
    if (!map->rects || !map->cells) {
        vl2_patch_map_deinit(map);
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the attention to a picture.");
    }
    for (size_t j = 0; j < map->count; j++) {
        double rect[4];
        if (!token_rect(c, rule, width, height, grid_w, grid_h, (int32_t)j, rect))
            continue;
        for (int i = 0; i < 4; i++)
            map->rects[4 * j + (size_t)i] = (float)(rect[i] * (i % 2 == 0 ? map->cols : map->rows) / (i % 2 == 0 ? width : height));
    }
    return VL2_OK;
}

void vl2_patch_map_deinit(struct vl2_patch_map *map) {
    vlk_free(map->rects);
    vlk_free(map->cells);
    *map = (struct vl2_patch_map){0};
}

/* The length that [a, b) and the unit cell at `at` share. */
static float overlap(float a, float b, int32_t at) {
    float from = a > (float)at ? a : (float)at, to = b < (float)at + 1 ? b : (float)at + 1;
    return to > from ? to - from : 0;
}

static void spread_one(struct vl2_patch_map *map, const float *rect, float weight) {
    float density = weight / ((rect[2] - rect[0]) * (rect[3] - rect[1]));
    for (int32_t row = (int32_t)rect[1]; row < map->rows && (float)row < rect[3]; row++) {
        float down = density * overlap(rect[1], rect[3], row);
        for (int32_t col = (int32_t)rect[0]; col < map->cols && (float)col < rect[2]; col++)
            map->cells[(size_t)row * (size_t)map->cols + (size_t)col] += down * overlap(rect[0], rect[2], col);
    }
}

void vl2_patch_map_spread(struct vl2_patch_map *map, const float *weights, float *inside, float *outside) {
    double shown = 0, rest = 0;
    memset(map->cells, 0, (size_t)map->cols * (size_t)map->rows * sizeof *map->cells);
    for (size_t j = 0; j < map->count; j++) {
        const float *rect = &map->rects[4 * j];
        bool seen = rect[2] > rect[0] && rect[3] > rect[1];
        if (seen)
            spread_one(map, rect, weights[j]);
        shown += seen ? (double)weights[j] : 0;
        rest += seen ? 0 : (double)weights[j];
    }
    *inside = (float) shown;
    *outside = (float) rest;
}

/* ------------------------------------------------------------------------------------------------ the tap */

/* The rule by which a picture of the timeline was cut: that of the detail that makes as many tokens of it. */
static struct vl2_tile_rule rule_of(const struct vl2_config *c, const struct vl2_picture_span *span) {
    struct vl2_tile_rule rule = vl2_vision_tile_rule(c, VL2_DETAIL_AUTO);
    for (int detail = VL2_DETAIL_TINY; detail <= VL2_DETAIL_LARGE; detail++) {
        struct vl2_picture_rows layout = vl2_picture_layout(c, &rule, span->key.grid_w, span->key.grid_h);
        if ((size_t)vl2_picture_token_count(c, &layout) == span->count)
            break;
        rule = vl2_vision_tile_rule(c, (vl2_detail)detail);
    }
    return rule;
}

static vl2_status choose_layers(struct vl2_attention_tap *tap, const struct vl2_generate_options *o, vl2_error *err) {
    int32_t layers = tap->session->engine->config.lm.layers;
    tap->slots = vlk_alloc((size_t)layers, sizeof *tap->slots);
    if (!tap->slots)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the attention to pictures.");
    for (int32_t i = 0; i < layers; i++)
        tap->slots[i] = o->n_attention_layers ? -1 : tap->n_layers++;
    for (size_t i = 0; i < o->n_attention_layers; i++) {
        int32_t layer = o->attention_layers[i];
        if (layer < 0 || layer >= layers)
            return vl2_fail(err, VL2_ERR_USAGE, "The model has no layer %d; it has 0 to %d.", layer, layers - 1);
        if (tap->slots[layer] >= 0)
            return vl2_fail(err, VL2_ERR_USAGE, "Layer %d was named twice.", layer);
        tap->slots[layer] = tap->n_layers++;
    }
    return VL2_OK;
}

static size_t probs_floats(const struct vl2_attention_tap *tap) {
    return (size_t)tap->n_layers * (size_t)tap->session->engine->config.lm.heads * (size_t)tap->stride;
}

static vl2_status make_maps(struct vl2_attention_tap *tap, int32_t cells, vl2_error *err) {
    struct vl2_session *s = tap->session;
    vl2_status status = VL2_OK;
    tap->pictures = vlk_alloc(s->n_spans, sizeof *tap->pictures);
    tap->maps = vlk_alloc(s->n_spans, sizeof *tap->maps);
    if (!tap->pictures || !tap->maps)
        return vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the attention to pictures.");
    for (size_t i = 0; status == VL2_OK && i < s->n_spans; i++) {
        const struct vl2_picture_span *span = &s->spans[i];
        struct vl2_patch_map *map = &tap->pictures[i];
        struct vl2_tile_rule rule = rule_of(&s->engine->config, span);
        status = vl2_patch_map_init(&s->engine->config, &rule, span->key.width, span->key.height, span->key.grid_w, span->key.grid_h,
                                    cells, map, err);
        if (status != VL2_OK)
            break;
        map->first = span->first;
        tap->n_pictures++;
        tap->maps[i] = (struct vl2_attention){.cols = map->cols, .rows = map->rows, .cells = map->cells};
        tap->stride = (int32_t)(span->first + span->count);
    }
    return status;
}

vl2_status vl2_attention_tap_init(struct vl2_session *s, const struct vl2_generate_options *o, struct vl2_attention_tap *tap,
                                  vl2_error *err) {
    *tap = (struct vl2_attention_tap){.session = s};
    if (o->attention_cells < 0 || o->attention_cells > VL2_MAX_ATTENTION_CELLS)
        return vl2_fail(err, VL2_ERR_USAGE, "Attention in %d cells was asked for; 0 to %d are possible.", o->attention_cells,
                        VL2_MAX_ATTENTION_CELLS);
    if (o->attention_cells == 0)
        return VL2_OK;
    vl2_status status = choose_layers(tap, o, err);
    if (status == VL2_OK && s->n_spans > 0)
        status = make_maps(tap, o->attention_cells, err);
    if (status == VL2_OK && tap->n_pictures > 0) {
        tap->probs = vl2_device_alloc(s->engine, probs_floats(tap) * sizeof *tap->probs);
        tap->host = vlk_alloc(probs_floats(tap), sizeof *tap->host);
        tap->mean = vlk_alloc((size_t)tap->stride, sizeof *tap->mean);
        if (!tap->probs || !tap->host || !tap->mean)
            status = vl2_fail(err, VL2_ERR_MEMORY, "There is not enough memory for the attention of %d layers (%zu MiB).", tap->n_layers,
                              probs_floats(tap) * sizeof *tap->probs >> 20);
    }
    if (status != VL2_OK)
        vl2_attention_tap_deinit(tap);
    return status;
}

void vl2_attention_tap_deinit(struct vl2_attention_tap *tap) {
    if (!tap->session)
        return;
    struct vlk_backend *be = tap->session->engine->backend;
    for (size_t i = 0; i < tap->n_pictures; i++)
        vl2_patch_map_deinit(&tap->pictures[i]);
    be->ops->mem_free(be, tap->probs);
    tap->session->scratch.probs = NULL;
    vlk_free(tap->slots);
    vlk_free(tap->host);
    vlk_free(tap->mean);
    vlk_free(tap->pictures);
    vlk_free(tap->maps);
    *tap = (struct vl2_attention_tap){0};
}

void vl2_attention_tap_layer(const struct vl2_attention_tap *tap, int32_t layer) {
    if (!tap->probs)
        return;
    struct vl2_scratch *scratch = &tap->session->scratch;
    size_t room = (size_t)tap->session->engine->config.lm.heads * (size_t)tap->stride;
    scratch->probs = tap->slots[layer] >= 0 ? tap->probs + (size_t)tap->slots[layer] * room : NULL;
    scratch->probs_stride = tap->stride;
}

void vl2_attention_tap_read(struct vl2_attention_tap *tap) {
    if (!tap->probs)
        return;
    struct vlk_backend *be = tap->session->engine->backend;
    size_t rows = (size_t)tap->n_layers * (size_t)tap->session->engine->config.lm.heads, stride = (size_t)tap->stride;
    be->ops->mem_read(be, tap->host, tap->probs, rows * stride * sizeof *tap->host);
    memset(tap->mean, 0, stride * sizeof *tap->mean);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < stride; i++)
            tap->mean[i] += tap->host[r * stride + i];
    for (size_t i = 0; i < stride; i++)
        tap->mean[i] /= (float)rows;
    for (size_t i = 0; i < tap->n_pictures; i++)
        vl2_patch_map_spread(&tap->pictures[i], tap->mean + tap->pictures[i].first, &tap->maps[i].inside, &tap->maps[i].outside);
}
