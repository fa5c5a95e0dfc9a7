/* SPDX-License-Identifier: MIT
 *
 * What the readers of other programs' files share: parcels that grow message by message. Included by sl-import-*.c only; the thread that
 * imports. Times come from the file, never from the clock, so that importing it again finds what is there.
 */
#pragma once

#include "app/exchange/sl-import-private.h"

G_BEGIN_DECLS

/* A parcel, and how many messages hang on each of its messages (by id; 0: first ones). */
typedef struct
{
  SlParcel *parcel;
  GArray *n_below; /* of guint */
} SlGrowing;

/* µs since 1970; updated 0: not known. */
SlGrowing *sl_growing_new (const char *title, gint64 created, gint64 updated);
/* Borrowed. parent NULL: a first message; created 0: just behind its parent. place, model: which program's, of an answer (may be NULL). An
 * answer to an answer, as programs keep what came in several steps, is the same one going on. */
SlMessageRecord *sl_growing_add (SlGrowing *self, const SlMessageRecord *parent, SlRole role, gint64 created, const char *place,
                                 const char *model);
void sl_import_add_text (SlMessageRecord *message, const char *text);
/* bytes NULL: the file does not hold it. What is no picture is told, and its name stands in its place. */
void sl_import_add_picture (SlImport *self, SlGrowing *growing, SlMessageRecord *message, GBytes *bytes, const char *name);
/* Takes it; one without a message is nothing. leaf: shown last, or NULL. */
gboolean sl_import_grown (SlImport *self, SlGrowing *growing, const SlMessageRecord *leaf, GError **error);

/* Open WebUI, ChatGPT, LM Studio; and Alpaca. */
gboolean sl_import_json (SlImport *self, const char *path, GError **error);
gboolean sl_import_sqlite (SlImport *self, const char *path, GError **error);
void sl_import_set_unknown (SlImport *self, GError **error);

G_END_DECLS
