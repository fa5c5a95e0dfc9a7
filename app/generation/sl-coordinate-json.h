/* SPDX-License-Identifier: MIT
 *
 * What one number of a box was drawn from, as JSON: `ask --json`, the server's field “boxes” and who reads it.
 *
 *   {"token": 17, "mass": 0.99, "expected": 412.5, "deviation": 3.1}     of a number that is known whole
 *   {"token": 17, "mass": 0.99, "first_digit": [p("0"), … p("9")]}       else
 *
 * Pure; any thread.
 */
#pragma once

#include <jansson.h>

#include "app/generation/sl-generation.h"

G_BEGIN_DECLS

/* A new reference. */
json_t *sl_coordinate_to_json (const SlCoordinate *self);
/* index: its place in the box, which the list that it stands in tells. FALSE (out untouched) for what is none. */
gboolean sl_coordinate_from_json (json_t *json, guint index, SlCoordinate *out);

G_END_DECLS
