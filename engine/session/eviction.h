/* SPDX-License-Identifier: MIT
 *
 * What leaves a full GPU. When its memory is short, what was used longest ago moves to the computer's memory and comes back by a
 * copy when it is wanted: encoded pictures, then whole sessions with keys, values and logits. Where host and device are one memory
 * nothing moves. Called by the session's entry points, and through the engine's hook by whoever allocates device memory
 * (engine/model/device_memory.h), on the inference thread.
 */
#ifndef VL2_EVICTION_H
#define VL2_EVICTION_H

#include "engine/model/model.h"

/* The session is used now: it stays until another one is, and is brought back if it was away. On failure it is still away. */
vl2_status vl2_session_bring_back(struct vl2_session *session, vl2_error *err);

/* Before the session's memory is freed. */
void vl2_eviction_leave(struct vl2_session *session);

#endif
