/* SPDX-License-Identifier: MIT
 *
 * How an answer was made, as JSON: a table of its fields. What the model weighed token by token is base64 of the bytes that the history
 * keeps (sl-generation-format.c). Any thread.
 */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "app/exchange/sl-parcel-json-private.h"

static const char *const stop_nicks[] = { "none", "end", "length", "context", "user", "repetition", "error" };

typedef enum { TEXT, REAL, INTEGER, COUNT, TRUTH } Type;

static const struct
{
  const char *key;
  Type type;
  gsize offset;
} fields[] = {
  { "model", TEXT, offsetof (SlGeneration, model) },
  { "quantisation", TEXT, offsetof (SlGeneration, quantisation) },
  { "device", TEXT, offsetof (SlGeneration, device) },
  { "place", TEXT, offsetof (SlGeneration, place) },
  { "boxes_as", TEXT, offsetof (SlGeneration, boxes_as) },
  { "reasoning", TEXT, offsetof (SlGeneration, reasoning) },
  { "tiling", TEXT, offsetof (SlGeneration, tiling) },
  { "temperature", REAL, offsetof (SlGeneration, temperature) },
  { "top_p", REAL, offsetof (SlGeneration, top_p) },
  { "top_k", INTEGER, offsetof (SlGeneration, top_k) },
  { "repetition_penalty", REAL, offsetof (SlGeneration, repetition_penalty) },
  { "max_tokens", INTEGER, offsetof (SlGeneration, max_tokens) },
  { "constrained", TRUTH, offsetof (SlGeneration, constrained) },
  { "prompt_tokens", COUNT, offsetof (SlGeneration, prompt_tokens) },
  { "reused_tokens", COUNT, offsetof (SlGeneration, reused_tokens) },
  { "output_tokens", COUNT, offsetof (SlGeneration, output_tokens) },
  { "context_used", COUNT, offsetof (SlGeneration, context_used) },
  { "context_capacity", COUNT, offsetof (SlGeneration, context_capacity) },
  { "mask_changed", COUNT, offsetof (SlGeneration, mask_changed) },
  { "tiling_changed", TRUTH, offsetof (SlGeneration, tiling_changed) },
  { "vision_ms", REAL, offsetof (SlGeneration, vision_ms) },
  { "prefill_ms", REAL, offsetof (SlGeneration, prefill_ms) },
  { "first_token_ms", REAL, offsetof (SlGeneration, first_token_ms) },
  { "decode_ms", REAL, offsetof (SlGeneration, decode_ms) },
};

/* ------------------------------------------------------------------------------------------------ to JSON */

static void
put_field (json_t     *object,
           const char *key,
           Type        type,
           const char *at)
{
  json_t *value = NULL;

  switch (type)
    {
    case TEXT:
      if ((*(char *const *) at)[0] != '\0')
        value = json_string (*(char *const *) at);
      break;
    case REAL:
      if (*(const double *) at != 0)
        value = json_real (*(const double *) at); /* NULL where it is no number */
      break;
    case INTEGER:
      if (*(const gint32 *) at != 0)
        value = json_integer (*(const gint32 *) at);
      break;
    case COUNT:
      if (*(const guint *) at != 0)
        value = json_integer (*(const guint *) at);
      break;
    case TRUTH:
    default:
      if (*(const gboolean *) at)
        value = json_true ();
      break;
    }
  if (value != NULL)
    json_object_set_new (object, key, value);
}

static void
put_bytes (json_t     *object,
           const char *key,
           GByteArray *bytes)
{
  g_autofree char *text = bytes->len > 0 ? g_base64_encode (bytes->data, bytes->len) : NULL;

  if (text != NULL)
    json_object_set_new (object, key, json_string (text));
  g_byte_array_unref (bytes);
}

/* The name of the user's folder is nobody else's business. */
static char *
shorten_folder (const char *folder)
{
  const char *home = g_get_home_dir ();
  gsize length = home != NULL ? strlen (home) : 0;

  if (length > 1 && strncmp (folder, home, length) == 0 && (folder[length] == '/' || folder[length] == '\0'))
    return g_strconcat ("~", folder + length, NULL);
  return g_strdup (folder);
}

static char *
lengthen_folder (const char *folder)
{
  if (folder[0] == '~' && (folder[1] == '/' || folder[1] == '\0'))
    return g_strconcat (g_get_home_dir (), folder + 1, NULL);
  return g_strdup (folder);
}

json_t *
sl_generation_to_json (const SlGeneration *self)
{
  json_t *object = json_object ();
  g_autofree char *folder = shorten_folder (self->model_dir);
  g_autofree char *seed = g_strdup_printf ("%" G_GUINT64_FORMAT, self->seed);

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    put_field (object, fields[i].key, fields[i].type, (const char *) self + fields[i].offset);
  if (folder[0] != '\0')
    json_object_set_new (object, "model_folder", json_string (folder));
  json_object_set_new (object, "seed", json_string (seed)); /* of 64 bits, more than a number in JSON is sure to hold */
  json_object_set_new (object, "stop", json_string (stop_nicks[self->stop]));
  if (self->system_text != NULL)
    json_object_set_new (object, "system", json_string (self->system_text));
  if (self->error != NULL)
    json_object_set_new (object, "error", json_string (self->error));
  put_bytes (object, "tokens", sl_generation_pack_tokens (self));
  put_bytes (object, "alternatives", sl_generation_pack_alternatives (self));
  put_bytes (object, "coordinates", sl_generation_pack_coordinates (self));
  return object;
}

/* ------------------------------------------------------------------------------------------------ from JSON */

static void
get_field (SlJsonReader *reader,
           const json_t *object,
           const char   *key,
           Type          type,
           char         *at)
{
  switch (type)
    {
    case TEXT:
      g_free (*(char **) at);
      *(char **) at = g_strdup (sl_json_get_text (reader, object, key, ""));
      break;
    case REAL:
      *(double *) at = sl_json_get_number (reader, object, key, 0);
      break;
    case INTEGER:
      *(gint32 *) at = (gint32) sl_json_get_integer (reader, object, key, G_MININT32, G_MAXINT32, 0);
      break;
    case COUNT:
      *(guint *) at = (guint) sl_json_get_integer (reader, object, key, 0, G_MAXINT32, 0);
      break;
    case TRUTH:
    default:
      *(gboolean *) at = sl_json_get_truth (reader, object, key);
      break;
    }
}

typedef void (*Unpack) (SlGeneration *generation, const guint8 *bytes, gsize length);

static void
get_bytes (SlJsonReader *reader,
           const json_t *object,
           const char   *key,
           SlGeneration *generation,
           Unpack        unpack)
{
  gsize length;
  g_autofree guint8 *bytes = g_base64_decode (sl_json_get_text (reader, object, key, ""), &length);

  unpack (generation, bytes, length);
}

SlGeneration *
sl_generation_from_json (SlJsonReader *reader,
                         const json_t *object)
{
  SlGeneration *self = sl_generation_new ();

  for (guint i = 0; i < G_N_ELEMENTS (fields); i++)
    get_field (reader, object, fields[i].key, fields[i].type, (char *) self + fields[i].offset);
  g_free (self->model_dir);
  self->model_dir = lengthen_folder (sl_json_get_text (reader, object, "model_folder", ""));
  if (!g_ascii_string_to_unsigned (sl_json_get_text (reader, object, "seed", "0"), 10, 0, G_MAXUINT64, &self->seed, NULL))
    self->seed = 0;
  self->stop = sl_json_get_word (reader, object, "stop", stop_nicks, G_N_ELEMENTS (stop_nicks));
  if (json_object_get (object, "system") != NULL)
    self->system_text = g_strdup (sl_json_get_text (reader, object, "system", NULL));
  if (json_object_get (object, "error") != NULL)
    self->error = g_strdup (sl_json_get_text (reader, object, "error", NULL));
  get_bytes (reader, object, "tokens", self, sl_generation_unpack_tokens);
  get_bytes (reader, object, "alternatives", self, sl_generation_unpack_alternatives);
  get_bytes (reader, object, "coordinates", self, sl_generation_unpack_coordinates);
  return self;
}
