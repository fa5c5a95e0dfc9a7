/* SPDX-License-Identifier: MIT
 *
 * One path of a conversation as a conversation of its own: copies with ids of their own, on their way to the disk at once. UI thread.
 */
#include "app/conversation/sl-conversation-private.h"

static gint64
find_copy (GHashTable *copies,
           gint64      id)
{
  const gint64 *copy = g_hash_table_lookup (copies, &id);

  return copy != NULL ? *copy : 0;
}

/* An edited box names the one that it came from, which stands before it. */
static void
renumber_boxes (SlStore         *store,
                SlMessageRecord *record)
{
  g_autoptr (GHashTable) copies = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);

  for (guint i = 0; i < record->boxes->len; i++)
    {
      SlBoxRecord *box = g_ptr_array_index (record->boxes, i);
      gint64 id = sl_store_new_id (store);

      g_hash_table_insert (copies, g_memdup2 (&box->id, sizeof id), g_memdup2 (&id, sizeof id));
      box->id = id;
      box->origin = find_copy (copies, box->origin);
    }
}

static SlConversationRecord *
make_record (SlConversation *self,
             SlMessage      *last)
{
  SlConversationRecord *record = sl_conversation_record_new ();

  for (SlMessage *message = last; message != NULL; message = sl_message_get_parent (message))
    g_ptr_array_insert (record->messages, 0, sl_message_to_record (message));
  record->id = sl_store_new_id (self->store);
  record->created = record->updated = g_get_real_time ();
  record->title = g_strdup (self->title);
  record->system_text = g_strdup (self->system_text);
  record->engine = g_strdup (self->engine_id);
  record->choices = sl_choices_to_json (&self->choices);
  for (guint i = 0; i < record->messages->len; i++)
    {
      SlMessageRecord *message = g_ptr_array_index (record->messages, i);

      message->conversation = record->id;
      message->parent = record->leaf;
      message->ordinal = 0;
      message->id = record->leaf = sl_store_new_id (self->store);
      renumber_boxes (self->store, message);
    }
  return record;
}

SlConversation *
sl_conversation_branch (SlConversation *self,
                        SlMessage      *last)
{
  g_autoptr (SlConversationRecord) record = NULL;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (last), NULL);
  g_return_val_if_fail (sl_message_get_status (last) != SL_MESSAGE_STREAMING, NULL);

  record = make_record (self, last);
  sl_store_put_conversation (self->store, record);
  for (guint i = 0; i < record->messages->len; i++)
    sl_store_put_message (self->store, g_ptr_array_index (record->messages, i), TRUE);
  return sl_conversation_new_from_record (self->store, self->engine, record);
}
