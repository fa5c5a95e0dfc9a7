/* SPDX-License-Identifier: MIT
 *
 * The writes of SlStore: each public call makes a queued operation of a record's copy, each run_* carries one out. The calls belong
 * to the UI thread, run_* to the writer thread; neither knows the queue between them (sl-store.c).
 */
#include "app/store/sl-store-private.h"

static gboolean
run_put_conversation (SlDatabase  *database,
                      SlStoreOp   *op,
                      GError     **error)
{
  return sl_database_put_conversation (database, op->record, error);
}

void
sl_store_put_conversation (SlStore                    *self,
                           const SlConversationRecord *record)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_put_conversation, record->id);
  op->record = sl_conversation_record_copy (record);
  op->free_record = (GDestroyNotify) sl_conversation_record_free;
  op->changes = record->id;
  sl_store_push_write (self, op);
}

static gboolean
run_put_message (SlDatabase  *database,
                 SlStoreOp   *op,
                 GError     **error)
{
  return sl_database_put_message (database, op->record, op->flag, error);
}

void
sl_store_put_message (SlStore               *self,
                      const SlMessageRecord *record,
                      gboolean               leaf)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_put_message, record->id);
  op->record = sl_message_record_copy (record);
  op->free_record = (GDestroyNotify) sl_message_record_free;
  op->flag = leaf;
  op->changes = record->conversation;
  sl_store_push_write (self, op);
}

static gboolean
run_put_progress (SlDatabase  *database,
                  SlStoreOp   *op,
                  GError     **error)
{
  return sl_database_put_progress (database, op->id, op->text, error);
}

void
sl_store_put_progress (SlStore    *self,
                       gint64      message,
                       const char *text)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  if (sl_store_replace_write (self, run_put_progress, message, text))
    return;
  op = sl_store_write_op (run_put_progress, message);
  op->text = g_strdup (text);
  sl_store_push_write (self, op);
}

static gboolean
run_set_title (SlDatabase  *database,
               SlStoreOp   *op,
               GError     **error)
{
  return sl_database_set_title (database, op->id, op->text, error);
}

void
sl_store_set_title (SlStore    *self,
                    gint64      conversation,
                    const char *title)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_set_title, conversation);
  op->text = g_strdup (title);
  op->changes = conversation;
  sl_store_push_write (self, op);
}

static gboolean
run_set_pinned (SlDatabase  *database,
                SlStoreOp   *op,
                GError     **error)
{
  return sl_database_set_pinned (database, op->id, op->second != 0, error);
}

void
sl_store_set_pinned (SlStore  *self,
                     gint64    conversation,
                     gboolean  pinned)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_set_pinned, conversation);
  op->second = pinned;
  op->changes = conversation;
  sl_store_push_write (self, op);
}

static gboolean
run_set_leaf (SlDatabase  *database,
              SlStoreOp   *op,
              GError     **error)
{
  return sl_database_set_leaf (database, op->id, op->second, error);
}

void
sl_store_set_leaf (SlStore *self,
                   gint64   conversation,
                   gint64   message)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_set_leaf, conversation);
  op->second = message;
  sl_store_push_write (self, op);
}

static gboolean
run_set_detail (SlDatabase  *database,
                SlStoreOp   *op,
                GError     **error)
{
  return sl_database_set_detail (database, op->id, op->number, op->flag ? SL_DETAIL_LOW : SL_DETAIL_AUTO, error);
}

void
sl_store_set_detail (SlStore  *self,
                     gint64    message,
                     guint     position,
                     SlDetail  detail)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_set_detail, message);
  op->number = position;
  op->flag = detail == SL_DETAIL_LOW;
  sl_store_push_write (self, op);
}

static gboolean
run_set_box_picture (SlDatabase  *database,
                     SlStoreOp   *op,
                     GError     **error)
{
  return sl_database_set_box_picture (database, op->id, op->text, error);
}

void
sl_store_set_box_picture (SlStore    *self,
                          gint64      message,
                          const char *sha256)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_set_box_picture, message);
  op->text = g_strdup (sha256);
  sl_store_push_write (self, op);
}

static gboolean
run_put_box (SlDatabase  *database,
             SlStoreOp   *op,
             GError     **error)
{
  return sl_database_put_box (database, op->id, op->record, error);
}

void
sl_store_put_box (SlStore           *self,
                  gint64             message,
                  const SlBoxRecord *record)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_put_box, message);
  op->record = sl_box_record_copy (record);
  op->free_record = (GDestroyNotify) sl_box_record_free;
  sl_store_push_write (self, op);
}

static gboolean
run_remove_box (SlDatabase  *database,
                SlStoreOp   *op,
                GError     **error)
{
  return sl_database_remove_box (database, op->id, error);
}

void
sl_store_remove_box (SlStore *self,
                     gint64   box)
{
  g_return_if_fail (SL_IS_STORE (self));

  sl_store_push_write (self, sl_store_write_op (run_remove_box, box));
}

static gboolean
run_put_folder (SlDatabase  *database,
                SlStoreOp   *op,
                GError     **error)
{
  return sl_database_put_folder (database, op->record, error);
}

void
sl_store_put_folder (SlStore              *self,
                     const SlFolderRecord *record)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_put_folder, record->conversation);
  op->changes = record->conversation;
  op->record = sl_folder_record_copy (record);
  op->free_record = (GDestroyNotify) sl_folder_record_free;
  sl_store_push_write (self, op);
}

static gboolean
run_put_folder_picture (SlDatabase  *database,
                        SlStoreOp   *op,
                        GError     **error)
{
  return sl_database_put_folder_picture (database, op->id, op->record, error);
}

void
sl_store_put_folder_picture (SlStore                     *self,
                             gint64                       conversation,
                             const SlFolderPictureRecord *record)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_put_folder_picture, conversation);
  op->record = sl_folder_picture_record_copy (record);
  op->free_record = (GDestroyNotify) sl_folder_picture_record_unref;
  sl_store_push_write (self, op);
}

static gboolean
run_put_draft (SlDatabase  *database,
               SlStoreOp   *op,
               GError     **error)
{
  return sl_database_put_draft (database, op->record, error);
}

void
sl_store_take_draft (SlStore       *self,
                     SlDraftRecord *record)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_put_draft, record->conversation);
  op->second = record->question;
  op->record = record;
  op->free_record = (GDestroyNotify) sl_draft_record_free;
  sl_store_push_newest (self, op);
}

static gboolean
run_delete_conversation (SlDatabase  *database,
                         SlStoreOp   *op,
                         GError     **error)
{
  return sl_database_delete_conversation (database, op->id, op->second, error);
}

void
sl_store_delete_conversation (SlStore *self,
                              gint64   conversation)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_delete_conversation, conversation);
  op->second = sl_store_note_deletion (self);
  op->changes = conversation;
  sl_store_push_write (self, op);
}

static gboolean
run_undelete_conversation (SlDatabase  *database,
                           SlStoreOp   *op,
                           GError     **error)
{
  return sl_database_undelete_conversation (database, op->id, error);
}

void
sl_store_undelete_conversation (SlStore *self,
                                gint64   conversation)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_undelete_conversation, conversation);
  op->changes = conversation;
  sl_store_push_write (self, op);
}

static gboolean
run_delete_message (SlDatabase  *database,
                    SlStoreOp   *op,
                    GError     **error)
{
  return sl_database_delete_message (database, op->id, op->second, error);
}

void
sl_store_delete_message (SlStore *self,
                         gint64   message)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_write_op (run_delete_message, message);
  op->second = sl_store_note_deletion (self);
  sl_store_push_write (self, op);
}

static gboolean
run_undelete_message (SlDatabase  *database,
                      SlStoreOp   *op,
                      GError     **error)
{
  return sl_database_undelete_message (database, op->id, error);
}

void
sl_store_undelete_message (SlStore *self,
                           gint64   message)
{
  g_return_if_fail (SL_IS_STORE (self));

  sl_store_push_write (self, sl_store_write_op (run_undelete_message, message));
}

static gboolean
run_purge (SlDatabase  *database,
           SlStoreOp   *op,
           GError     **error)
{
  op->untidy = TRUE;
  return sl_database_purge (database, op->second, NULL, error);
}

void
sl_store_purge (SlStore *self,
                guint    seconds)
{
  SlStoreOp *op;
  gint64 until;

  g_return_if_fail (SL_IS_STORE (self));

  until = seconds > 0 ? sl_store_last_deletion_before (self, seconds) : G_MAXINT64;
  if (until == 0)
    return;
  op = sl_store_write_op (run_purge, 0);
  op->second = until;
  op->chore = TRUE;
  sl_store_push_write (self, op);
}
