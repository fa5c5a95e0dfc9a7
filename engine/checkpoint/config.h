/* SPDX-License-Identifier: MIT
 *
 * config.json + processor_config.json → struct vl2_config. Used by engine.c on the inference thread.
 */
#ifndef VL2_CONFIG_H
#define VL2_CONFIG_H

#include "engine/checkpoint/config_section.h"
#include "engine/model/model.h"

/* Reads, completes with the official classes' defaults, and checks every field. What is not implemented is refused by name. */
vl2_status vl2_config_load(const char *dir, struct vl2_config *out, vl2_error *err);

/* The rotary part of a language_config: theta, scaling and its type. config_rope.c, called by config.c after the attention's form. */
void vl2_config_read_rope(struct vl2_section *language, struct vl2_config *config);

#endif
