/* SPDX-License-Identifier: MIT
 *
 * The published models' shapes, and weights of noise for them. Used by engine.c; for measuring only.
 */
#ifndef VL2_PUBLISHED_SHAPES_H
#define VL2_PUBLISHED_SHAPES_H

#include "engine/bench.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/model/model.h"

/* VL2_ERR_USAGE for a name or a number of layers that does not exist. */
vl2_status vl2_shape_open(const struct vl2_shape *shape, struct vl2_config *config, vl2_checkpoint **checkpoint, vl2_error *err);

#endif
