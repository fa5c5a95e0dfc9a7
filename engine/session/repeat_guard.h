/* SPDX-License-Identifier: MIT
 *
 * What an answer says again: the guard against n-grams that stand there already (struct vl2_repeat_guard), and how it is known that
 * nothing else will come. Pure; used by generate.c.
 */
#ifndef VL2_REPEAT_GUARD_H
#define VL2_REPEAT_GUARD_H

#include "engine/vl2.h"

/* Takes what the guard bans behind ids [n] out of allowed [(vocab + 31) / 32], which holds a mask already where `masked`, and all tokens
 * otherwise. False: all tokens are allowed. A mask that would be left without any token stays as it was. */
bool vl2_repeat_guard_mask(const struct vl2_repeat_guard *guard, const int32_t *ids, size_t n, int32_t vocab, bool masked, uint32_t *allowed);

/* True when the end of ids is one cycle repeated so long that nothing else will come: at least four rounds of at most 64 tokens,
 * 128 in all. */
bool vl2_is_cycling(const int32_t *ids, size_t n);

#endif
