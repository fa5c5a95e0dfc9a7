/* SPDX-License-Identifier: MIT
 *
 * Members of JSON that somebody else may have written: each is of the type that it should be, or is said not to be. Any thread.
 */
#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/exchange/sl-parcel-json-private.h"

void
sl_json_reader_fail (SlJsonReader *self,
                     const char   *format,
                     ...)
{
  va_list args;

  if (self->fault != NULL)
    return;
  va_start (args, format);
  self->fault = g_strdup_vprintf (format, args);
  va_end (args);
}

static void
fail_type (SlJsonReader *self,
           const char   *key)
{
  sl_json_reader_fail (self, _("“%s” is not what it should be"), key);
}

const char *
sl_json_get_text (SlJsonReader *self,
                  const json_t *object,
                  const char   *key,
                  const char   *otherwise)
{
  const json_t *value = json_object_get (object, key);

  if (value == NULL && otherwise != NULL)
    return otherwise;
  if (json_is_string (value) && strlen (json_string_value (value)) == json_string_length (value))
    return json_string_value (value);
  fail_type (self, key);
  return "";
}

gint64
sl_json_get_integer (SlJsonReader *self,
                     const json_t *object,
                     const char   *key,
                     gint64        least,
                     gint64        most,
                     gint64        otherwise)
{
  const json_t *value = json_object_get (object, key);

  if (value == NULL)
    return otherwise;
  if (json_is_integer (value) && json_integer_value (value) >= least && json_integer_value (value) <= most)
    return json_integer_value (value);
  fail_type (self, key);
  return otherwise;
}

double
sl_json_get_number (SlJsonReader *self,
                    const json_t *object,
                    const char   *key,
                    double        otherwise)
{
  const json_t *value = json_object_get (object, key);

  if (value == NULL)
    return otherwise;
  if (json_is_number (value))
    return json_number_value (value);
  fail_type (self, key);
  return otherwise;
}

gboolean
sl_json_get_truth (SlJsonReader *self,
                   const json_t *object,
                   const char   *key)
{
  const json_t *value = json_object_get (object, key);

  if (value != NULL && !json_is_boolean (value))
    fail_type (self, key);
  return json_is_true (value);
}

const json_t *
sl_json_get_array (SlJsonReader *self,
                   const json_t *object,
                   const char   *key)
{
  const json_t *value = json_object_get (object, key);

  if (value == NULL || json_is_array (value))
    return value;
  fail_type (self, key);
  return NULL;
}

int
sl_json_get_word (SlJsonReader      *self,
                  const json_t      *object,
                  const char        *key,
                  const char *const *words,
                  guint              n_words)
{
  const char *word = sl_json_get_text (self, object, key, NULL);

  for (guint i = 0; i < n_words; i++)
    if (strcmp (word, words[i]) == 0)
      return (int) i;
  fail_type (self, key);
  return 0;
}

const char *
sl_json_get_hash (SlJsonReader *self,
                  const json_t *object,
                  const char   *key)
{
  const json_t *value = json_object_get (object, key);
  const char *hash;

  if (value == NULL || json_is_null (value))
    return NULL;
  hash = sl_json_get_text (self, object, key, NULL);
  if (strlen (hash) == 64 && strspn (hash, "0123456789abcdef") == 64)
    return hash;
  fail_type (self, key);
  return NULL;
}
