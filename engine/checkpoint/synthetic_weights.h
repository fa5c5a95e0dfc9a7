/* SPDX-License-Identifier: MIT
 *
 * Generated weights, for measuring speed without a checkpoint: every tensor has memory of its own, filled with rows of a block
 * of noise per width and type, so that gigabytes are made at the speed of memory. Used by checkpoint.c.
 */
#ifndef VL2_SYNTHETIC_WEIGHTS_H
#define VL2_SYNTHETIC_WEIGHTS_H

#include "engine/checkpoint/checkpoint.h"

struct vl2_noise;

struct vl2_noise *vl2_noise_new(vl2_format format, size_t most); /* NULL without memory; most: tensors to come */
void vl2_noise_free(struct vl2_noise *noise);

/* Makes the tensor and owns its data and name. False without memory, of which a reserve is left to the system. */
bool vl2_noise_tensor(struct vl2_noise *noise, const char *name, int32_t n_dims, const int64_t *dims, struct vl2_tensor *out);

#endif
