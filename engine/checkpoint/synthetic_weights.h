/* SPDX-License-Identifier: MIT
 *
 * Generated weights, for measuring speed without a checkpoint: every tensor has memory of its own, filled with rows of a block
 * of noise per width and type, so that gigabytes are made at the speed of memory. Used by published_shapes.c.
 */
#ifndef VL2_SYNTHETIC_WEIGHTS_H
#define VL2_SYNTHETIC_WEIGHTS_H

#include "engine/checkpoint/checkpoint.h"

/* A source of at most `most` tensors in this format, the matrices of the vision tower and the projector in int8 or bf16, for
 * vl2_checkpoint_from_source(). It leaves a reserve of the memory to the system: what would go beyond it cannot be made. */
vl2_status vl2_synthetic_weights(vl2_format format, bool vision_int8, size_t most, struct vl2_tensor_source *out, vl2_error *err);

#endif
