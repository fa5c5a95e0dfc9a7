/* SPDX-License-Identifier: MIT
 *
 * Waiting for the backend, and what can go wrong while it computed: a lost device, memory, or a model file that was cut
 * under the mapping. Used by vision.c, decoder.c and session.c on the inference thread.
 */
#ifndef VL2_BACKEND_WAIT_H
#define VL2_BACKEND_WAIT_H

#include "engine/model/model.h"

/* Starts what was enqueued and waits for it. VL2_ERR_IO when the weights' file is damaged: what was computed is worthless. */
vl2_status vl2_backend_wait(const struct vl2_engine *engine, vl2_error *err);

/* Whether nothing has failed since the last wait, without ending that wait's step: what was read back is what was there. */
bool vl2_backend_is_sound(const struct vl2_engine *engine);

bool vl2_watch_cancelled(const struct vl2_watch *watch); /* watch may be NULL */
void vl2_watch_report(const struct vl2_watch *watch, vl2_stage stage, uint64_t done, uint64_t total);
double vl2_now_ms(void);

#endif
