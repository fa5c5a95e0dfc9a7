/* SPDX-License-Identifier: MIT
 *
 * Room in a GPU's memory. When it is short, what was used longest ago moves to the computer's memory and comes back by a copy when
 * it is wanted: encoded pictures, then whole sessions with keys, values and logits. Where host and device are one memory nothing
 * moves. Called by session.c and by whoever allocates backend memory, on the inference thread.
 */
#ifndef VL2_EVICTION_H
#define VL2_EVICTION_H

#include "engine/model/model.h"

/* mem_alloc of the backend; others make room where that fails. NULL: there is none left to make. */
void *vl2_room_alloc(const struct vl2_engine *engine, size_t bytes);

/* Sends others away until so much is free, and what kernels take besides. It is no error if it does not come to that. */
void vl2_room_make(const struct vl2_engine *engine, uint64_t bytes);

/* The session is used now: it stays until another one is, and is brought back if it was away. On failure it is still away. */
vl2_status vl2_room_enter(struct vl2_session *session, vl2_error *err);

/* Before the session's memory is freed. */
void vl2_room_leave(struct vl2_session *session);

#endif
