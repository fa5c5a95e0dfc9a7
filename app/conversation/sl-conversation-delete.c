/* SPDX-License-Identifier: MIT
 *
 * Takes a message with all below it out of a conversation; for a while it can come back.
 */
#include "app/conversation/sl-conversation-private.h"

static void
drop_subtree (SlConversation *self,
              SlMessage      *message)
{
  GPtrArray *children = sl_message_get_children (message);
  gint64 id = sl_message_get_id (message);

  while (children->len > 0)
    drop_subtree (self, g_ptr_array_steal_index (children, children->len - 1));
  g_hash_table_remove (self->messages, &id);
}

void
sl_conversation_forget_deleted (SlConversation *self)
{
  g_autoptr (SlMessage) message = g_steal_pointer (&self->deleted);

  g_clear_handle_id (&self->forget_source, g_source_remove);
  if (message == NULL)
    return;
  drop_subtree (self, message);
  sl_store_purge (self->store, SL_UNDO_SECONDS);
}

static gboolean
on_forget (gpointer data)
{
  SlConversation *self = data;

  self->forget_source = 0;
  sl_conversation_forget_deleted (self);
  return G_SOURCE_REMOVE;
}

static SlMessage *
leaf_without (SlConversation *self,
              SlMessage      *parent,
              GPtrArray      *siblings,
              guint           position)
{
  if (!sl_message_is_below (sl_conversation_get_leaf (self), self->deleted))
    return sl_conversation_get_leaf (self);
  if (siblings->len > 0)
    return sl_message_newest_below (g_ptr_array_index (siblings, position > 0 ? position - 1 : 0));
  return parent;
}

void
sl_conversation_delete (SlConversation *self,
                        SlMessage      *message)
{
  GPtrArray *siblings;
  SlMessage *leaf;
  g_autofree char *session = NULL;
  guint position = 0;

  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (SL_IS_MESSAGE (message));

  if (sl_message_is_below (self->answering, message))
    sl_conversation_abandon_answer (self);
  sl_conversation_forget_deleted (self);

  siblings = sl_message_get_siblings (message);
  g_return_if_fail (g_ptr_array_find (siblings, message, &position));
  leaf = sl_conversation_get_leaf (self);
  self->deleted = g_object_ref (message);
  self->deleted_at = position;
  self->deleted_leaf = leaf != NULL ? sl_message_get_id (leaf) : 0;
  self->deleted_time = g_get_monotonic_time ();
  self->forget_source = g_timeout_add_seconds_full (G_PRIORITY_DEFAULT, SL_UNDO_SECONDS + 1, on_forget, g_object_ref (self),
                                                    g_object_unref);

  g_ptr_array_remove_index (siblings, position);
  leaf = leaf_without (self, sl_message_get_parent (message), siblings, position);
  sl_store_delete_message (self->store, sl_message_get_id (message));
  session = sl_conversation_dup_session_name (self->id);
  sl_engine_forget_session (self->engine, session);
  sl_store_set_leaf (self->store, self->id, leaf != NULL ? sl_message_get_id (leaf) : 0);
  sl_conversation_show (self, leaf);
}

gboolean
sl_conversation_undo_delete (SlConversation *self)
{
  g_autoptr (SlMessage) message = NULL;
  GPtrArray *siblings;
  SlMessage *leaf;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), FALSE);

  if (self->deleted == NULL || g_get_monotonic_time () - self->deleted_time > SL_UNDO_SECONDS * G_USEC_PER_SEC)
    return FALSE;
  g_clear_handle_id (&self->forget_source, g_source_remove);
  message = g_steal_pointer (&self->deleted);
  siblings = sl_message_get_siblings (message);
  g_ptr_array_insert (siblings, MIN (self->deleted_at, siblings->len), message);
  leaf = g_hash_table_lookup (self->messages, &self->deleted_leaf);
  sl_store_undelete_message (self->store, sl_message_get_id (message));
  sl_store_set_leaf (self->store, self->id, sl_message_get_id (leaf != NULL ? leaf : message));
  sl_conversation_show (self, leaf != NULL ? leaf : sl_message_newest_below (message));
  return TRUE;
}
