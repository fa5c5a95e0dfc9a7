/* SPDX-License-Identifier: MIT
 *
 * What is said in a conversation, for whatever form it is written in. Included by sl-transcript*.c only.
 */
#pragma once

#include "app/boxes/sl-box-painter.h"
#include "app/exchange/sl-transcript.h"
#include "app/pictures/sl-picture.h"

G_BEGIN_DECLS

/* Calls it for each conversation, frozen, with progress and cancelling. */
typedef gboolean (*SlTranscriptVisit) (const SlParcel *parcel, guint index, gpointer user_data, GError **error);
gboolean sl_transcript_foreach (const SlExport *self, SlTranscriptVisit visit, gpointer user_data, GError **error);

/* What was said, as Markdown: an answer's labels stand out and its boxes' numbers are gone. (transfer full) */
char *sl_transcript_dup_markdown (const SlMessageRecord *message);
/* Who said it. (transfer full) */
char *sl_transcript_dup_speaker (const SlMessageRecord *message);
/* "2023-11-14 22:13" where the user is. (transfer full) */
char *sl_transcript_dup_time (gint64 created);
const char *sl_transcript_get_title (const SlParcel *parcel);

/* Boxes to be seen, of SlPaintBox in pixels of the picture; labels are borrowed from the message. A model's box that a user has changed
 * gives way to that. */
GArray *sl_transcript_get_boxes (const SlMessageRecord *message, const SlPartRecord *picture);
/* The pictures that it has boxes on, of SlPartRecord; borrowed. */
GPtrArray *sl_transcript_get_boxed (const SlParcel *parcel, const SlMessageRecord *message);
/* The file's bytes; NULL where it is missing or is not what was stored, which is told. */
GBytes *sl_transcript_read_picture (const SlExport *self, const SlPartRecord *picture);

G_END_DECLS
