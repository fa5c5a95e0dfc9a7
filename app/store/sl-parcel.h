/* SPDX-License-Identifier: MIT
 *
 * SlParcel: a conversation with all that belongs to it, as it leaves one history and comes into another. A plain value, owned by whoever
 * holds it. It must not know files or their formats.
 */
#pragma once

#include "app/store/sl-records.h"

G_BEGIN_DECLS

typedef struct
{
  SlConversationRecord *conversation; /* ids: those of the history it comes from, or numbers that say who belongs to whom */
  GPtrArray *drafts;                  /* of SlDraftRecord: what is being written in it */
  GPtrArray *pictures;                /* of SlPartRecord: each picture that any of them names, once; bytes where the parcel brings them */
} SlParcel;

/* What has become of a parcel in a history. */
typedef struct
{
  gint64 conversation; /* its id there */
  gboolean is_new;     /* it was not there */
  guint n_messages;    /* that were not there */
} SlMerge;

/* Takes the record. */
SlParcel *sl_parcel_new (SlConversationRecord *conversation);
void sl_parcel_free (SlParcel *self);
/* NULL if it has none of this name. */
SlPartRecord *sl_parcel_find_picture (const SlParcel *self, const char *sha256);
/* Adds what is said of a picture, without its bytes, unless it is there. */
void sl_parcel_note_picture (SlParcel *self, const SlPartRecord *part);
/* How many ids its conversation, messages and boxes need. */
guint sl_parcel_count_ids (const SlParcel *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlParcel, sl_parcel_free)

G_END_DECLS
