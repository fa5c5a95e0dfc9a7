/* SPDX-License-Identifier: MIT
 *
 * What a tensor is part of, by its name, and the element type that each quantised format gives it.
 * Used by quantise.c, published_shapes.c and engine.c. Pure functions.
 */
#ifndef VL2_TENSOR_PARTS_H
#define VL2_TENSOR_PARTS_H

#include "engine/vl2.h"
#include "kernels/vlk.h"

vl2_part_of vl2_part_of_tensor(const char *name, int32_t n_dims);

/* The type that a tensor of this part takes; `source` is its type so far. Whether its width pays is the caller's question. */
vlk_dtype vl2_part_dtype(vl2_part_of part, int32_t n_dims, vl2_format format, bool vision_int8, vlk_dtype source);

#endif
