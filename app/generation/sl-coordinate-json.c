/* SPDX-License-Identifier: MIT
 *
 * See sl-coordinate-json.h.
 */
#include "app/generation/sl-coordinate-json.h"

#include <math.h>

json_t *
sl_coordinate_to_json (const SlCoordinate *self)
{
  json_t *json = json_pack ("{s:i,s:f}", "token", (int) self->token, "mass", (double) self->mass), *digits;

  if (self->whole)
    {
      json_object_set_new (json, "expected", json_real (self->expected));
      json_object_set_new (json, "deviation", json_real (self->deviation));
      return json;
    }
  digits = json_array ();
  for (guint i = 0; i < G_N_ELEMENTS (self->digits); i++)
    json_array_append_new (digits, json_real (self->digits[i]));
  json_object_set_new (json, "first_digit", digits);
  return json;
}

static gboolean
read_float (json_t *json,
            double  highest,
            float  *out)
{
  double value = json_is_number (json) ? json_number_value (json) : -1;

  *out = (float) value;
  return value >= 0 && value <= highest;
}

gboolean
sl_coordinate_from_json (json_t       *json,
                         guint         index,
                         SlCoordinate *out)
{
  json_t *token = json_object_get (json, "token"), *digits = json_object_get (json, "first_digit");
  SlCoordinate read = { .index = (guint8) index, .whole = digits == NULL };

  if (!json_is_integer (token) || json_integer_value (token) < 0 || json_integer_value (token) > G_MAXINT32 ||
      !read_float (json_object_get (json, "mass"), 1.001, &read.mass))
    return FALSE;
  read.token = (guint32) json_integer_value (token);
  if (read.whole && (!read_float (json_object_get (json, "expected"), 9999, &read.expected) ||
                     !read_float (json_object_get (json, "deviation"), 9999, &read.deviation)))
    return FALSE;
  for (guint i = 0; !read.whole && i < G_N_ELEMENTS (read.digits); i++)
    if (!read_float (json_array_get (digits, i), 1.001, &read.digits[i]))
      return FALSE;
  *out = read;
  return TRUE;
}
