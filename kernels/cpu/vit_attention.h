/* SPDX-License-Identifier: MIT
 *
 * Private to the CPU backend: the vision tower's attention in bf16 and in int8. Called by vit_block.c on the backend's thread.
 */
#ifndef VLK_VIT_ATTENTION_H
#define VLK_VIT_ATTENTION_H

#include "kernels/cpu/cpu.h"

/* As vlk_vit_attend_args, with qkv in bf16. */
struct vlk_vit_halves {
    int32_t n, tokens, heads, head_dim;
    const uint16_t *qkv; /* [n*tokens][3*heads*head_dim] */
    float *out;          /* [n*tokens][heads*head_dim] */
};

/* Whether the level has products for it. */
bool vlk_vit_takes_halves(const struct vlk_cpu *cpu, int32_t head_dim);
void vlk_vit_attend_halves(struct vlk_cpu *cpu, const struct vlk_vit_halves *a);

/* As vlk_cpu_vit_attend, in int8, on a level with narrow_int8. */
void vlk_vit_attend_codes(struct vlk_cpu *cpu, const struct vlk_vit_attend_args *a);

#endif
