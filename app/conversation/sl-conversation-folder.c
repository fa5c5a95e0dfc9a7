/* SPDX-License-Identifier: MIT
 *
 * The folder that a conversation asks about: its questions are first messages, one for each picture. UI thread.
 */
#include "app/conversation/sl-conversation-private.h"

SlFolderRecord *
sl_conversation_get_folder (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  return self->folder;
}

void
sl_conversation_take_folder (SlConversation *self,
                             SlFolderRecord *folder)
{
  g_autoptr (GPtrArray) none = g_ptr_array_new ();

  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (self->folder == NULL);

  self->folder = folder;
  folder->conversation = self->id;
  sl_conversation_ensure_stored (self, none);
  sl_store_put_folder (self->store, folder);
}

SlMessage *
sl_conversation_get_answer (SlConversation *self,
                            SlMessage      *question)
{
  GPtrArray *children;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (question), NULL);

  children = sl_message_get_children (question);
  return children->len > 0 ? g_ptr_array_index (children, children->len - 1) : NULL;
}
