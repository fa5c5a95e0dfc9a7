/* SPDX-License-Identifier: MIT
 *
 * The published models' settings, which inspect.c compares folders with; and weights of noise in their shapes, which engine.c opens
 * for measuring only.
 */
#ifndef VL2_PUBLISHED_SHAPES_H
#define VL2_PUBLISHED_SHAPES_H

#include "engine/bench.h"
#include "engine/checkpoint/checkpoint.h"
#include "engine/model/model.h"

enum { VL2_N_PUBLISHED = 3 };

/* The settings of tiny, small and base (0, 1, 2), in a config that stays where it is; its name. */
const char *vl2_published_config(int which, struct vl2_config *config);

/* VL2_ERR_USAGE for a name or a number of layers that does not exist. */
vl2_status vl2_shape_open(const struct vl2_shape *shape, struct vl2_config *config, vl2_checkpoint **checkpoint, vl2_error *err);

#endif
