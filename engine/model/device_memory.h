/* SPDX-License-Identifier: MIT
 *
 * Memory of the backend for what sessions and passes need. Where a GPU is full, what waits there unused makes room first.
 * Used by whoever allocates backend memory beside the weights, on the inference thread.
 */
#ifndef VL2_DEVICE_MEMORY_H
#define VL2_DEVICE_MEMORY_H

#include "engine/model/model.h"

/* mem_alloc of the backend; others make room where that fails. NULL: there is none left to make. Released with mem_free. */
void *vl2_device_alloc(const struct vl2_engine *engine, size_t bytes);

/* Lets others make room until so much is free, and what kernels take besides. It is no error if it does not come to that. Where
 * host and device are one memory nothing happens. */
void vl2_device_make_room(const struct vl2_engine *engine, uint64_t bytes);

#endif
