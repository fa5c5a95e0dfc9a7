/* SPDX-License-Identifier: MIT
 *
 * Making and freeing parcels, and the pictures in them. Pure values; the thread that owns one calls.
 */
#include "app/store/sl-parcel.h"

SlParcel *
sl_parcel_new (SlConversationRecord *conversation)
{
  SlParcel *self = g_new0 (SlParcel, 1);

  self->conversation = conversation;
  self->drafts = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_draft_record_free);
  self->pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_part_record_free);
  return self;
}

void
sl_parcel_free (SlParcel *self)
{
  if (self == NULL)
    return;
  sl_conversation_record_free (self->conversation);
  g_ptr_array_unref (self->drafts);
  g_ptr_array_unref (self->pictures);
  g_free (self);
}

SlPartRecord *
sl_parcel_find_picture (const SlParcel *self,
                        const char     *sha256)
{
  for (guint i = 0; i < self->pictures->len; i++)
    {
      SlPartRecord *picture = g_ptr_array_index (self->pictures, i);

      if (g_strcmp0 (picture->sha256, sha256) == 0)
        return picture;
    }
  return NULL;
}

void
sl_parcel_note_picture (SlParcel           *self,
                        const SlPartRecord *part)
{
  SlPartRecord *picture;

  if (sl_parcel_find_picture (self, part->sha256) != NULL)
    return;
  picture = sl_part_record_copy (part);
  g_clear_pointer (&picture->text, g_free);
  g_clear_pointer (&picture->name, g_free);
  g_clear_pointer (&picture->bytes, g_bytes_unref);
  picture->detail = SL_DETAIL_AUTO;
  g_ptr_array_add (self->pictures, picture);
}

guint
sl_parcel_count_ids (const SlParcel *self)
{
  guint n = 1 + self->conversation->messages->len;

  for (guint i = 0; i < self->conversation->messages->len; i++)
    n += ((const SlMessageRecord *) g_ptr_array_index (self->conversation->messages, i))->boxes->len;
  return n;
}
