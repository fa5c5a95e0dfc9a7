/* SPDX-License-Identifier: MIT
 *
 * Rotary tables and the attention scale that goes with them. Pure functions of the config; used by engine.c.
 */
#ifndef VL2_ROPE_H
#define VL2_ROPE_H

#include "engine/model/model.h"

/* Rotated dims per head: qk_rope_head_dim (MLA) or head_dim (MHA). */
int32_t vl2_rope_dim(const struct vl2_config *config);

/* Fills cos and sin [positions][vl2_rope_dim() / 2]. `frequencies` is room for vl2_rope_dim() / 2 floats. */
void vl2_rope_fill(const struct vl2_config *config, int32_t positions, float *frequencies, float *cos_table, float *sin_table);

/* Factor of the decoder's attention scores.   modeling_deepseek.py: DeepseekV2Attention.__init__ (softmax_scale) */
float vl2_attention_scale(const struct vl2_config *config);

#endif
