/* SPDX-License-Identifier: MIT
 *
 * The reads of SlStore: each public call queues an operation with a GTask, each run_* answers one from the database on the writer
 * thread. When they may go is decided by the queue (sl-store.c).
 */
#include "app/store/sl-store-private.h"

#include <glib/gi18n-lib.h>

static void
return_result (SlStoreOp      *op,
               gpointer        result,
               GDestroyNotify  free_result,
               GError         *error)
{
  if (error != NULL)
    {
      sl_store_report (g_task_get_source_object (op->task), error);
      g_task_return_error (op->task, error);
    }
  else
    g_task_return_pointer (op->task, result, free_result);
}

static gpointer
finish_read (SlStore       *self,
             gpointer       tag,
             GAsyncResult  *result,
             GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, tag), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

static void
run_list (SlDatabase *database,
          SlStoreOp  *op)
{
  GError *error = NULL;
  GPtrArray *list = sl_database_list (database, &error);

  return_result (op, list, (GDestroyNotify) g_ptr_array_unref, error);
}

void
sl_store_list_async (SlStore             *self,
                     GCancellable        *cancellable,
                     GAsyncReadyCallback  callback,
                     gpointer             user_data)
{
  g_return_if_fail (SL_IS_STORE (self));

  sl_store_push_read (self, sl_store_read_op (run_list), sl_store_list_async, cancellable, callback, user_data);
}

GPtrArray *
sl_store_list_finish (SlStore       *self,
                      GAsyncResult  *result,
                      GError       **error)
{
  return finish_read (self, sl_store_list_async, result, error);
}

static void
run_drafts (SlDatabase *database,
            SlStoreOp  *op)
{
  GError *error = NULL;
  GPtrArray *drafts = sl_database_list_drafts (database, &error);

  return_result (op, drafts, (GDestroyNotify) g_ptr_array_unref, error);
}

void
sl_store_drafts_async (SlStore             *self,
                       GCancellable        *cancellable,
                       GAsyncReadyCallback  callback,
                       gpointer             user_data)
{
  g_return_if_fail (SL_IS_STORE (self));

  sl_store_push_read (self, sl_store_read_op (run_drafts), sl_store_drafts_async, cancellable, callback, user_data);
}

GPtrArray *
sl_store_drafts_finish (SlStore       *self,
                        GAsyncResult  *result,
                        GError       **error)
{
  return finish_read (self, sl_store_drafts_async, result, error);
}

static void
run_summary (SlDatabase *database,
             SlStoreOp  *op)
{
  GError *error = NULL;
  SlSummaryRecord *record = sl_database_get_summary (database, op->id, &error);

  return_result (op, record, (GDestroyNotify) sl_summary_record_free, error);
}

void
sl_store_summary_async (SlStore             *self,
                        gint64               conversation,
                        GCancellable        *cancellable,
                        GAsyncReadyCallback  callback,
                        gpointer             user_data)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_read_op (run_summary);
  op->id = conversation;
  sl_store_push_read (self, op, sl_store_summary_async, cancellable, callback, user_data);
}

SlSummaryRecord *
sl_store_summary_finish (SlStore       *self,
                         GAsyncResult  *result,
                         GError       **error)
{
  return finish_read (self, sl_store_summary_async, result, error);
}

static void
run_load (SlDatabase *database,
          SlStoreOp  *op)
{
  GError *error = NULL;
  SlConversationRecord *record = sl_database_load (database, op->id, &error);

  if (record == NULL && error == NULL)
    error = g_error_new_literal (SL_STORE_ERROR, SL_STORE_ERROR_IO, _("There is no such conversation any more"));
  return_result (op, record, (GDestroyNotify) sl_conversation_record_free, error);
}

void
sl_store_load_async (SlStore             *self,
                     gint64               conversation,
                     GCancellable        *cancellable,
                     GAsyncReadyCallback  callback,
                     gpointer             user_data)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_read_op (run_load);
  op->id = conversation;
  sl_store_push_read (self, op, sl_store_load_async, cancellable, callback, user_data);
}

SlConversationRecord *
sl_store_load_finish (SlStore       *self,
                      GAsyncResult  *result,
                      GError       **error)
{
  return finish_read (self, sl_store_load_async, result, error);
}

static void
run_search (SlDatabase *database,
            SlStoreOp  *op)
{
  GError *error = NULL;
  GPtrArray *hits = sl_database_search (database, op->text, op->number, &error);

  return_result (op, hits, (GDestroyNotify) g_ptr_array_unref, error);
}

void
sl_store_search_async (SlStore             *self,
                       const char          *query,
                       guint                limit,
                       GCancellable        *cancellable,
                       GAsyncReadyCallback  callback,
                       gpointer             user_data)
{
  SlStoreOp *op;

  g_return_if_fail (SL_IS_STORE (self));

  op = sl_store_read_op (run_search);
  op->text = g_strdup (query);
  op->number = limit;
  sl_store_push_read (self, op, sl_store_search_async, cancellable, callback, user_data);
}

GPtrArray *
sl_store_search_finish (SlStore       *self,
                        GAsyncResult  *result,
                        GError       **error)
{
  return finish_read (self, sl_store_search_async, result, error);
}
