/* SPDX-License-Identifier: MIT
 *
 * Whether there is room for a model and a session, asked before either is made. Used by engine.c and session.c, on the inference
 * thread.
 */
#ifndef VL2_MEMORY_CHECK_H
#define VL2_MEMORY_CHECK_H

#include "engine/model/model.h"

/* VL2_ERR_MEMORY with the numbers when the model with a session that fills its context is above the engine's memory limit. */
vl2_status vl2_memory_check(const struct vl2_engine *engine, int32_t context, int32_t chunk, vl2_error *err);

#endif
