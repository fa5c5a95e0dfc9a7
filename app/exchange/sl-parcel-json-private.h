/* SPDX-License-Identifier: MIT
 *
 * The record of an answer as JSON, both ways, and its words. Included by sl-parcel-*.c only.
 */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

#include "app/generation/sl-generation.h"

G_BEGIN_DECLS

/* What is read of an object; the first thing that is wrong is kept as part of a sentence, and everything after it gives nothing. */
typedef struct
{
  char *fault;
} SlJsonReader;

void sl_json_reader_fail (SlJsonReader *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* A member of an object, of a type. A member that is not there gives what is said for that; NULL, where text has to be there. */
const char *sl_json_get_text (SlJsonReader *self, const json_t *object, const char *key, const char *otherwise);
gint64 sl_json_get_integer (SlJsonReader *self, const json_t *object, const char *key, gint64 least, gint64 most, gint64 otherwise);
double sl_json_get_number (SlJsonReader *self, const json_t *object, const char *key, double otherwise);
gboolean sl_json_get_truth (SlJsonReader *self, const json_t *object, const char *key);
/* An array, NULL where it is not there. */
const json_t *sl_json_get_array (SlJsonReader *self, const json_t *object, const char *key);
/* The place of a member in a list of words. */
int sl_json_get_word (SlJsonReader *self, const json_t *object, const char *key, const char *const *words, guint n_words);
/* A SHA-256 in hex; NULL where it is not there or null. */
const char *sl_json_get_hash (SlJsonReader *self, const json_t *object, const char *key);

/* Leaves out what is as in a new one. */
json_t *sl_generation_to_json (const SlGeneration *self);
SlGeneration *sl_generation_from_json (SlJsonReader *reader, const json_t *object);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (json_t, json_decref)

G_END_DECLS
