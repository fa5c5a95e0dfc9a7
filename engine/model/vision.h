/* SPDX-License-Identifier: MIT
 *
 * Tiles → picture rows: the SigLIP tower, the projector, and which row stands at which place of a picture's tokens.
 * Used by session.c on the inference thread; knows nothing of tokens' ids or of the cache.
 */
#ifndef VL2_VISION_H
#define VL2_VISION_H

#include "engine/model/model.h"

/* The rows of one encoded picture: [n_tiles · grid²] projected patches, then the newline row, then the separator row. */
struct vl2_picture_rows {
    float *rows; /* (be) [n_rows][hidden] */
    int32_t n_rows, n_tiles, grid_w, grid_h;
};

/* Tiles that are computed for a tile grid: a 1×1 grid's local tile is the global view, bit for bit. */
int32_t vl2_vision_tile_count(int32_t grid_w, int32_t grid_h);

/* Bytes of backend memory that the rows of such a picture take. */
size_t vl2_picture_rows_bytes(const struct vl2_config *config, int32_t grid_w, int32_t grid_h);

/* Bytes of scratch, cut tiles included, that encoding a picture of n_tiles takes for a while, and rows of the largest op. */
size_t vl2_vision_scratch_bytes(const struct vl2_config *config, int32_t n_tiles);
int32_t vl2_vision_rows(const struct vl2_config *config, int32_t n_tiles);

/* Where the j-th token of a picture finds its row, 0 ≤ j < the picture's token count.
 * modeling_deepseek_vl_v2.py: DeepseekVLV2ForCausalLM.prepare_inputs_embeds */
int32_t vl2_picture_row_index(const struct vl2_config *config, const struct vl2_picture_rows *picture, int32_t j);

struct vl2_vision_taps { /* host copies for the dump; "vision" and "projected" of the tiles that were computed */
    float *vision;       /* [n_tiles · vision.tokens][vision.width] or NULL */
    float *projected;    /* [n_tiles · grid²][hidden] or NULL */
};

/* Encodes the tiles of one picture. Reports VL2_STAGE_VISION in tile-layers, *done of total, and polls the cancel flag after
 * every block. On failure nothing is kept. */
vl2_status vl2_vision_encode(const struct vl2_engine *engine, const struct vl2_tiles *tiles, const struct vl2_watch *watch,
                             uint64_t *done, uint64_t total, const struct vl2_vision_taps *taps, struct vl2_picture_rows *out,
                             vl2_error *err);
void vl2_picture_rows_deinit(const struct vl2_engine *engine, struct vl2_picture_rows *rows);

#endif
