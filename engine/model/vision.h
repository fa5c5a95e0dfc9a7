/* SPDX-License-Identifier: MIT
 *
 * Tiles → picture rows: the SigLIP tower, the projector, and which row stands at which place of a picture's tokens. Document models
 * have another encoder (document_encoder.h) and another order, behind the same functions.
 * Used by session.c on the inference thread; knows nothing of tokens' ids or of the cache.
 */
#ifndef VL2_VISION_H
#define VL2_VISION_H

#include "engine/model/model.h"
#include "engine/model/vision_work.h"

/* The rows of one encoded picture: cells² of the global view, local² of each local tile, then the newline row, then the separator. */
struct vl2_picture_rows {
    float *rows; /* (be) [n_rows][hidden] */
    int32_t n_rows, n_tiles, grid_w, grid_h; /* n_tiles: that are computed, the global view included */
    int32_t cells, local;                    /* sides of the global view and of a tile, in rows */
};

/* How a picture is cut that wants to be seen in that detail. */
struct vl2_tile_rule vl2_vision_tile_rule(const struct vl2_config *config, vl2_detail detail);

/* Everything of the rows but themselves. A 1×1 grid has no tiles beside the global view, whose rows stand for both. */
struct vl2_picture_rows vl2_picture_layout(const struct vl2_config *config, const struct vl2_tile_rule *rule, int32_t grid_w,
                                           int32_t grid_h);
/* Tokens of such a picture. */
int64_t vl2_picture_token_count(const struct vl2_config *config, const struct vl2_picture_rows *layout);

/* Bytes of backend memory that the rows take. */
size_t vl2_picture_rows_bytes(const struct vl2_config *config, const struct vl2_picture_rows *layout);

/* Of the pictures that the model can be given, the tiles and the bytes of the largest. */
void vl2_vision_largest(const struct vl2_config *config, int32_t *tiles, size_t *rows_bytes);

/* Bytes of scratch, cut tiles included, that encoding a picture of n_tiles takes for a while, and rows of the largest op. */
size_t vl2_vision_scratch_bytes(const struct vl2_config *config, int32_t n_tiles);
int32_t vl2_vision_rows(const struct vl2_config *config, int32_t n_tiles);

/* Blocks that a tile goes through: what one tile of progress is. */
int32_t vl2_vision_layers(const struct vl2_config *config);

/* Where the j-th token of a picture finds its row, 0 ≤ j < the picture's token count.
 * modeling_deepseek_vl_v2.py: DeepseekVLV2ForCausalLM.prepare_inputs_embeds; deepseek_ocr.py: _pixel_values_to_embedding */
int32_t vl2_picture_row_index(const struct vl2_config *config, const struct vl2_picture_rows *picture, int32_t j);

/* Encodes the tiles of one picture. Reports VL2_STAGE_VISION in tile-layers, *done of total, and polls the cancel flag after
 * every block. On failure nothing is kept. */
vl2_status vl2_vision_encode(const struct vl2_engine *engine, const struct vl2_tiles *tiles, const struct vl2_vision_work *work,
                             struct vl2_picture_rows *out, vl2_error *err);
void vl2_picture_rows_deinit(const struct vl2_engine *engine, struct vl2_picture_rows *rows);

#endif
