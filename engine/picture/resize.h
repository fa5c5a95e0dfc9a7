/* SPDX-License-Identifier: MIT
 *
 * Bicubic resampling of RGB8 pictures, bit for bit what Pillow's Image.resize(size, BICUBIC) gives: the model was trained on its
 * results. Used by tiles.c. Pure.
 */
#ifndef VL2_RESIZE_H
#define VL2_RESIZE_H

#include "engine/vl2.h"

/* out: u8 [height][width][3]. width and height are at least 1. */
vl2_status vl2_resize_bicubic(const vl2_picture *picture, int32_t width, int32_t height, uint8_t *out, vl2_error *err);

#endif
