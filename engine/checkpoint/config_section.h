/* SPDX-License-Identifier: MIT
 *
 * One JSON object of a configuration while it is read: typed values with defaults and ranges, and what is refused, by key and
 * value. The first failure sticks and later reads return harmless values, so that a section reads as a flat list and is checked
 * once at its end. Used by config.c and config_rope.c on the inference thread. It must not know what a value is for.
 */
#ifndef VL2_CONFIG_SECTION_H
#define VL2_CONFIG_SECTION_H

#include "engine/vl2.h"

#include <jansson.h>

enum { VL2_MAX_PRODUCT = 1 << 24 }; /* of two settings, where their product is the length of something */

struct vl2_section {
    json_t *object;
    const char *where; /* "config.json: language_config" */
    vl2_error *err;
    bool failed;
};

void vl2_section_refuse(struct vl2_section *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The object `key` of `root`, named `where`; carries on the failure of `before`. */
struct vl2_section vl2_section_open(json_t *root, const char *key, const char *where, const struct vl2_section *before);

/* Missing and null are the same to the caller, who passes VL2_REQUIRED when there is no default. */
#define VL2_REQUIRED INT64_MIN
int32_t vl2_section_int(struct vl2_section *r, const char *key, int64_t missing, int64_t min, int64_t max);
/* A key whose explicit null means "none" (0) while a missing key means the class default. */
int32_t vl2_section_nullable(struct vl2_section *r, const char *key, int64_t missing, int64_t max);
double vl2_section_number(struct vl2_section *r, const char *key, double missing, double min, double max);
bool vl2_section_bool(struct vl2_section *r, const char *key, bool missing);
const char *vl2_section_string(struct vl2_section *r, const char *key, const char *missing); /* borrowed */
/* The index of a string in a NULL-terminated list; everything else is refused by name. */
int vl2_section_choice(struct vl2_section *r, const char *key, const char *missing, const char *const *choices);
void vl2_section_product(struct vl2_section *r, const char *what, int64_t a, int64_t b);

#endif
