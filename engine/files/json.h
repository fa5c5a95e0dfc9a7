/* SPDX-License-Identifier: MIT
 *
 * The JSON of a model folder, as the programs that write it mean it: a byte order mark is no part of it, and a number that no
 * integer can hold is a real. Used by whatever reads a file of the folder, on the inference thread. It must not know what a key
 * means.
 */
#ifndef VL2_JSON_H
#define VL2_JSON_H

#include "engine/vl2.h"

#include <jansson.h>

#define VL2_MAX_JSON_BYTES (64u << 20)

/* Parses text [length] as one JSON object and nothing after it: no key twice, no NaN. `what` names the text in the sentence.
 * *out is released with json_decref(). */
vl2_status vl2_json_parse(const char *text, size_t length, const char *what, json_t **out, vl2_error *err);

/* The same of the file dir/name, of at most VL2_MAX_JSON_BYTES. */
vl2_status vl2_json_load(const char *dir, const char *name, json_t **out, vl2_error *err);

#endif
