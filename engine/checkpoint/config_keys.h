/* SPDX-License-Identifier: MIT
 *
 * The keys that a configuration may have: a file that says more than this program understands is refused instead of being read
 * wrongly. Used by config.c and config_rope.c on the inference thread.
 */
#ifndef VL2_CONFIG_KEYS_H
#define VL2_CONFIG_KEYS_H

#include "engine/checkpoint/config_section.h"

enum {
    VL2_KEYS_ROOT = 1,
    VL2_KEYS_VISION = 2,
    VL2_KEYS_PROJECTOR = 4,
    VL2_KEYS_LANGUAGE = 8,
    VL2_KEYS_ROPE = 16,
    VL2_KEYS_PROCESSOR = 32,
    VL2_KEYS_TOWER = 64, /* of a document model */
    VL2_KEYS_RING = 128  /* a window over generated tokens, of the one document model that has it */
};

/* Refuses the first key of a section that is not known there, and a known one whose value is not implemented. A key that is not
 * known passes where its value says "off" (null, false, 0, empty) or its name begins with "_". */
/* Whether the table has the key in one of these sections. */
bool vl2_config_knows_key(int which, const char *key);
void vl2_config_check_keys(struct vl2_section *section, int which);

#endif
