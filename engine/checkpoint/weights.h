/* SPDX-License-Identifier: MIT
 *
 * Binds the checkpoint's tensors to struct vl2_weights. Used by engine.c and inspect.c on the inference thread.
 */
#ifndef VL2_WEIGHTS_H
#define VL2_WEIGHTS_H

#include "engine/checkpoint/checkpoint.h"
#include "engine/model/model.h"

/* Binds every tensor that the config asks for and refuses tensors that it does not know. Reports VL2_STAGE_LOAD in bytes.
 * On failure vl2_weights_deinit() releases what was bound.
 * host_layers: the routed experts of so many last layers are imported to VLK_PLACE_HOST. */
vl2_status vl2_weights_bind(struct vlk_backend *backend, const struct vl2_config *config, vl2_checkpoint *checkpoint,
                            const struct vl2_engine_options *options, int32_t host_layers, struct vl2_weights *out, vl2_error *err);
/* Bytes and elements of the tensors that binding would use, from the headers alone. */
void vl2_weights_count(vl2_checkpoint *checkpoint, uint64_t *bytes, uint64_t *parameters);

/* What vl2_weights_bind() would take of the memory of the device (room[0]) and of the host (room[1]), in its own order and with what the
 * backend rounds up. Reads no data. Fails for want of memory only. */
vl2_status vl2_weights_room(struct vlk_backend *backend, const struct vl2_config *config, vl2_checkpoint *checkpoint, int32_t host_layers,
                            struct vlk_room room[2], vl2_error *err);

/* Tells every difference between the checkpoint's tensors and those that the config asks for; reads and binds no data.
 * *parameters: of the tensors that are as they should be. Fails for want of memory only. */
vl2_status vl2_weights_survey(const struct vl2_config *config, vl2_checkpoint *checkpoint, vl2_finding_fn finding, void *user,
                              uint64_t *parameters, vl2_error *err);
void vl2_weights_deinit(struct vlk_backend *backend, const struct vl2_config *config, struct vl2_weights *weights);

#endif
