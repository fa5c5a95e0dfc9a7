/* SPDX-License-Identifier: MIT
 *
 * The guard against n-grams that stand there already (struct vl2_repeat_guard). Pure; used by generate.c.
 */
#ifndef VL2_REPEAT_GUARD_H
#define VL2_REPEAT_GUARD_H

#include "engine/vl2.h"

/* Takes what the guard bans behind ids [n] out of allowed [(vocab + 31) / 32], which holds a mask already where `masked`, and all tokens
 * otherwise. False: all tokens are allowed. A mask that would be left without any token stays as it was. */
bool vl2_repeat_guard_mask(const struct vl2_repeat_guard *guard, const int32_t *ids, size_t n, int32_t vocab, bool masked, uint32_t *allowed);

#endif
