/* SPDX-License-Identifier: MIT
 *
 * Drafts between the composer's parts and the store's records. UI thread.
 */
#include "app/conversation/sl-draft.h"

#include "app/conversation/sl-message-private.h"

SlDraft *
sl_draft_new (gint64     conversation,
              gint64     question,
              GPtrArray *parts,
              SlMode     mode,
              gboolean   raw)
{
  SlDraft *self = g_new (SlDraft, 1);

  *self = (SlDraft) { conversation, question, mode, raw, g_ptr_array_ref (parts) };
  return self;
}

void
sl_draft_free (SlDraft *self)
{
  g_ptr_array_unref (self->parts);
  g_free (self);
}

SlDraft *
sl_draft_new_from_record (SlStore             *store,
                          const SlDraftRecord *record)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < record->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (record->parts, i);
      g_autofree char *path = part->kind == SL_PART_PICTURE ? sl_store_dup_picture_path (store, part->sha256, part->extension) : NULL;

      g_ptr_array_add (parts, sl_message_part_new_from_record (part, path));
    }
  return sl_draft_new (record->conversation, record->question, parts, record->mode, record->raw);
}

SlDraftRecord *
sl_draft_to_record (const SlDraft *self)
{
  SlDraftRecord *record = sl_draft_record_new ();

  record->conversation = self->conversation;
  record->question = self->question;
  record->mode = self->mode;
  record->raw = self->raw;
  for (guint i = 0; i < self->parts->len; i++)
    g_ptr_array_add (record->parts, sl_message_part_to_record (g_ptr_array_index (self->parts, i)));
  return record;
}
