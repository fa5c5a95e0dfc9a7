/* SPDX-License-Identifier: MIT
 *
 * Typed reading of one JSON object. See engine/checkpoint/config_section.h.
 */
#include "engine/checkpoint/config_section.h"

#include "engine/error.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void vl2_section_refuse(struct vl2_section *r, const char *format, ...) {
    char text[sizeof r->err->text];
    if (r->failed)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    vl2_fail(r->err, VL2_ERR_MODEL, "%s", text);
    r->failed = true;
}

struct vl2_section vl2_section_open(json_t *root, const char *key, const char *where, const struct vl2_section *before) {
    struct vl2_section r = {.object = json_object_get(root, key), .where = where, .err = before->err, .failed = before->failed};
    if (!r.object || json_is_null(r.object))
        vl2_section_refuse(&r, "%s is missing.", where);
    else if (!json_is_object(r.object))
        vl2_section_refuse(&r, "%s is not an object.", where);
    return r;
}

int32_t vl2_section_int(struct vl2_section *r, const char *key, int64_t missing, int64_t min, int64_t max) {
    json_t *value = json_object_get(r->object, key);
    if (r->failed)
        return (int32_t)max;
    if (!value || json_is_null(value)) {
        if (missing == VL2_REQUIRED)
            vl2_section_refuse(r, "%s has no %s.", r->where, key);
        return missing == VL2_REQUIRED ? (int32_t)max : (int32_t)missing;
    }
    double real = json_real_value(value); /* of an integer that none can hold */
    if (fabs(real) >= 0x1p63) {
        vl2_section_refuse(r, "%s: %s is %g; %lld to %lld is accepted.", r->where, key, real, (long long)min, (long long)max);
        return (int32_t)max;
    }
    if (!json_is_integer(value)) {
        vl2_section_refuse(r, "%s: %s is not an integer.", r->where, key);
        return (int32_t)max;
    }
    int64_t number = json_integer_value(value);
    if (number < min || number > max) {
        vl2_section_refuse(r, "%s: %s is %lld; %lld to %lld is accepted.", r->where, key, (long long)number, (long long)min,
                           (long long)max);
        return (int32_t)max;
    }
    return (int32_t)number;
}

int32_t vl2_section_nullable(struct vl2_section *r, const char *key, int64_t missing, int64_t max) {
    json_t *value = json_object_get(r->object, key);
    return value && json_is_null(value) ? 0 : vl2_section_int(r, key, missing, 1, max);
}

double vl2_section_number(struct vl2_section *r, const char *key, double missing, double min, double max) {
    json_t *value = json_object_get(r->object, key);
    if (r->failed || !value || json_is_null(value))
        return missing;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= min && number <= max)) {
        vl2_section_refuse(r, "%s: %s is not a number from %g to %g.", r->where, key, min, max);
        return missing;
    }
    return number;
}

bool vl2_section_bool(struct vl2_section *r, const char *key, bool missing) {
    json_t *value = json_object_get(r->object, key);
    if (!value || json_is_null(value))
        return missing;
    if (!json_is_boolean(value))
        vl2_section_refuse(r, "%s: %s is neither true nor false.", r->where, key);
    return json_is_true(value);
}

const char *vl2_section_string(struct vl2_section *r, const char *key, const char *missing) {
    json_t *value = json_object_get(r->object, key);
    if (!value || json_is_null(value))
        return missing;
    if (!json_is_string(value))
        vl2_section_refuse(r, "%s: %s is not a string.", r->where, key);
    return json_is_string(value) ? json_string_value(value) : missing;
}

int vl2_section_choice(struct vl2_section *r, const char *key, const char *missing, const char *const *choices) {
    const char *value = vl2_section_string(r, key, missing);
    for (int i = 0; value && choices[i]; i++)
        if (strcmp(value, choices[i]) == 0)
            return i;
    vl2_section_refuse(r, "%s: %s \"%.80s\" is not implemented.", r->where, key, value ? value : "(missing)");
    return 0;
}

void vl2_section_product(struct vl2_section *r, const char *what, int64_t a, int64_t b) {
    if (a * b > VL2_MAX_PRODUCT)
        vl2_section_refuse(r, "%s: %s is %lld; at most %d is accepted.", r->where, what, (long long)(a * b), VL2_MAX_PRODUCT);
}
