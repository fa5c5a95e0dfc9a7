/* SPDX-License-Identifier: MIT
 *
 * Whether a model fits a GPU: what its weights, a session, the vision tower and the kernels take of the GPU's memory, and which layers'
 * experts stay in the computer's. Used by engine.c before weights are bound and by memory_plan.c; inference thread.
 */
#ifndef VL2_DEVICE_PLAN_H
#define VL2_DEVICE_PLAN_H

#include "engine/model/model.h"

/* What a session of this context and chunk takes, and what is taken while it works: picture rows, the smallest batch of tiles, and the
 * scratch of the kernels. Allocations are counted as the backend rounds them. */
uint64_t vl2_device_session_bytes(const struct vlk_backend *backend, const struct vl2_config *config, int32_t context, int32_t chunk);
uint64_t vl2_device_work_bytes(const struct vlk_backend *backend, const struct vl2_config *config, int32_t context, int32_t chunk);

/* Sets engine->host_layers, host_bytes and working_space for an opened GPU: at least `asked` layers, and as many of the last as it has
 * no room for. VL2_ERR_MEMORY with the numbers when that is not enough. */
vl2_status vl2_device_plan(struct vl2_engine *engine, int32_t asked, vl2_error *err);

#endif
