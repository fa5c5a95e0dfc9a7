/* SPDX-License-Identifier: MIT
 *
 * Tables of positions for grids other than the one that they were learned on. Used by document_encoder.c; pure, f32.
 */
#ifndef VL2_POSITION_TABLES_H
#define VL2_POSITION_TABLES_H

#include "engine/model/model.h"

/* A square table [from²][cols] → [to²][cols], bicubic with antialiasing; the same sides: a copy. Freed with vlk_free(); NULL without
 * memory.   deepencoder/sam_vary_sdpa.py, clip_sdpa.py: get_abs_pos (F.interpolate mode "bicubic", antialias) */
float *vl2_resize_square_table(const float *table, int32_t from, int32_t to, int32_t cols);

/* A table of differences [2·from − 1][cols] → [2·to − 1][cols], linear between neighbours.
 * deepencoder/sam_vary_sdpa.py: get_rel_pos (F.interpolate mode "linear") */
float *vl2_resize_difference_table(const float *table, int32_t from, int32_t to, int32_t cols);

#endif
