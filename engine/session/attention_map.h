/* SPDX-License-Identifier: MIT
 *
 * What the model looked at when it wrote a token: the attention of one position to every picture's tokens, averaged over heads and
 * chosen layers, and laid over the original pixels. Used by generate.c on the inference thread; the geometry is pure.
 *
 *   picture token ──▶ r×r patches of a tile ──▶ its place in the view ──▶ without padding ──▶ pixels of the original ──▶ cells
 */
#ifndef VL2_ATTENTION_MAP_H
#define VL2_ATTENTION_MAP_H

#include "engine/session/session_parts.h"

struct vl2_patch_map { /* one picture */
    size_t first, count;          /* its tokens in the timeline */
    float *rects;                 /* [count][4]: x0 y0 x1 y1 in cells; empty where a token shows nothing of the picture */
    float *cells;                 /* [rows][cols] */
    int32_t cols, rows;
};

struct vl2_attention_tap { /* of one generation; zero-initialised = off */
    struct vl2_session *session;
    int32_t *slots;               /* [layers]: place of the layer in `probs`, -1 where it is not wanted */
    int32_t n_layers, stride;     /* wanted layers; cache rows up to the end of the last picture */
    float *probs, *host;          /* (be) and host, [n_layers][heads][stride] */
    float *mean;                  /* [stride] */
    struct vl2_patch_map *pictures;
    struct vl2_attention *maps;   /* [n_pictures], what the caller sees */
    size_t n_pictures;
};

/* Spreads weights [map->count] over the map's cells. Returns what fell outside of the picture in *outside. */
void vl2_patch_map_spread(struct vl2_patch_map *map, const float *weights, float *inside, float *outside);
/* cells: of the longer side. */
vl2_status vl2_patch_map_init(const struct vl2_config *config, const struct vl2_tile_rule *rule, int32_t width, int32_t height,
                              int32_t grid_w, int32_t grid_h, int32_t cells, struct vl2_patch_map *out, vl2_error *err);
void vl2_patch_map_deinit(struct vl2_patch_map *map);

/* Checks the options and makes room; without pictures the tap stays off. */
vl2_status vl2_attention_tap_init(struct vl2_session *session, const struct vl2_generate_options *options,
                                  struct vl2_attention_tap *out, vl2_error *err);
void vl2_attention_tap_deinit(struct vl2_attention_tap *tap);

/* Before a layer of a pass of that session alone: its attention goes to the tap's room, where it is wanted. */
void vl2_attention_tap_layer(const struct vl2_attention_tap *tap, int32_t layer);
/* After the step has run: fills tap->maps. */
void vl2_attention_tap_read(struct vl2_attention_tap *tap);

#endif
