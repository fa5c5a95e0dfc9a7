/* SPDX-License-Identifier: MIT
 *
 * One picture of a job at a time: read on a worker, asked, noted. UI thread.
 */
#include "app/folder/sl-folder-job-private.h"

#include <glib/gi18n-lib.h>

#include "app/folder/sl-folder-look.h"
#include "app/pictures/sl-picture.h"

#define MOST_FAILURES 5 /* one after the other: then it is not the picture */

/* ------------------------------------------------------------------------------------------------ whom to ask */

typedef enum { ASK_NOW, ASK_LATER, ASK_NEVER } Readiness;

/* Where it cannot be asked the job pauses with the reason. */
static Readiness
check_model (SlFolderJob *self,
             const char  *identity,
             const char  *name)
{
  SlFolderRecord *record = self->record;

  if (*record->model != '\0' && !self->any_model && g_strcmp0 (record->model, identity) != 0)
    {
      g_autofree char *reason =
        g_strdup_printf (_("These pictures were asked of “%s” so far, and “%s” is loaded now"), record->model_name, name);

      sl_folder_job_set_other_model (self, TRUE);
      sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, reason);
      return ASK_NEVER;
    }
  if (g_strcmp0 (record->model, identity) == 0)
    return ASK_NOW;
  g_free (record->model);
  record->model = g_strdup (identity);
  g_free (record->model_name);
  record->model_name = g_strdup (name);
  sl_store_put_folder (sl_history_get_store (self->history), record);
  return ASK_NOW;
}

static Readiness
check_engine (SlFolderJob *self)
{
  SlEngine *engine = sl_history_get_engine (self->history);
  const SlModelInfo *info = sl_engine_get_info (engine);
  const char *reason = sl_engine_get_error_text (engine);

  sl_engine_wake (engine);
  if (sl_engine_get_state (engine) == SL_ENGINE_READY && info != NULL)
    return check_model (self, info->identity, info->is_demo ? _("Demo model") : info->name);
  if (sl_engine_get_state (engine) == SL_ENGINE_LOADING)
    return ASK_LATER;
  sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, reason != NULL ? reason : _("No model is loaded"));
  return ASK_NEVER;
}

static Readiness
check_answerer (SlFolderJob *self)
{
  SlAnswerer *answerer = sl_conversation_get_answerer (self->conversation);
  const char *id = sl_answerer_get_id (answerer);
  g_autofree char *place = sl_answerer_dup_place (answerer);

  if (g_strcmp0 (id, sl_conversation_get_engine_id (self->conversation)) != 0)
    {
      sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, _("The engine that these pictures are asked of is not there"));
      return ASK_NEVER;
    }
  return *id == '\0' ? check_engine (self) : check_model (self, id, place != NULL ? place : id);
}

/* ------------------------------------------------------------------------------------------------ one picture */

static void
leave_current (SlFolderJob *self)
{
  g_autoptr (SlFolderRow) row = g_steal_pointer (&self->current);

  self->asking = FALSE;
  if (row != NULL)
    sl_folder_row_set_current (row, FALSE);
  sl_folder_job_emit_progress (self);
}

static void
note_time (SlFolderJob *self)
{
  self->times[self->n_times++ % SL_FOLDER_N_TIMES] = (double) (g_get_monotonic_time () - self->began) / G_USEC_PER_SEC;
}

/* Many failures in a row are not those of the pictures: it pauses with the last reason. */
static void
note_end (SlFolderJob *self,
          SlFolderRow *row)
{
  SlMessage *answer = sl_folder_row_get_answer (row);
  SlMessageStatus status = answer != NULL ? sl_message_get_status (answer) : SL_MESSAGE_STOPPED;

  if (status == SL_MESSAGE_COMPLETE)
    {
      note_time (self);
      self->n_failures = 0;
    }
  else if (status == SL_MESSAGE_FAILED && ++self->n_failures >= MOST_FAILURES)
    {
      g_autofree char *reason = g_strdup (sl_folder_row_get_error_text (row));

      self->n_failures = 0;
      sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, reason);
    }
}

void
sl_folder_job_on_busy (SlFolderJob *self)
{
  g_autoptr (SlFolderJob) alive = g_object_ref (self);
  g_autoptr (SlFolderRow) row = self->current != NULL ? g_object_ref (self->current) : NULL;

  if (sl_conversation_is_busy (self->conversation) || !self->asking)
    return;
  leave_current (self);
  note_end (self, row);
  sl_folder_job_next (self);
}

static void
fail_row (SlFolderJob  *self,
          const GError *error)
{
  SlFolderPictureRecord *record = sl_folder_row_get_record (self->current);

  g_free (record->error);
  record->error = g_strdup (error->message);
  sl_folder_job_store_row (self, self->current);
  leave_current (self);
}

static void
note_question (SlFolderJob *self,
               SlMessage   *answer,
               const char  *sha256)
{
  SlFolderPictureRecord *record = sl_folder_row_get_record (self->current);

  self->asking = TRUE;
  record->question = sl_message_get_id (sl_conversation_get_question (self->conversation, answer));
  record->seen = FALSE;
  g_free (record->sha256);
  record->sha256 = g_strdup (sha256);
  sl_folder_job_store_row (self, self->current);
  sl_folder_row_update (self->current);
}

static void
ask_about (SlFolderJob *self,
           SlPicture   *picture)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  SlMessage *answer;

  g_ptr_array_add (parts, sl_message_part_new_picture (picture, SL_DETAIL_AUTO));
  g_ptr_array_add (parts, sl_message_part_new_text (self->record->prompt));
  answer = sl_conversation_ask_apart (self->conversation, parts, self->record->mode, &error);
  if (answer != NULL)
    note_question (self, answer, sl_picture_get_sha256 (picture));
  else
    {
      leave_current (self);
      sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, error->message);
    }
}

static void
on_picture (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (SlFolderJob) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPicture) picture = sl_picture_new_finish (result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->cancellable);
  if (picture == NULL)
    {
      fail_row (self, error);
      sl_folder_job_next (self);
    }
  else if (check_answerer (self) == ASK_NOW) /* another model may have come meanwhile */
    ask_about (self, picture);
  else
    leave_current (self);
}

static void
read_picture (SlFolderJob *self)
{
  g_autofree char *path = g_build_filename (self->record->path, sl_folder_row_get_record (self->current)->path, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);

  self->cancellable = g_cancellable_new ();
  sl_picture_new_from_file_async (file, self->cancellable, on_picture, g_object_ref (self));
}

/* A question that has no complete answer is asked again as it stands. */
static void
begin (SlFolderJob *self,
       SlFolderRow *row)
{
  SlMessage *question = sl_folder_row_get_question (row);
  g_autoptr (GError) error = NULL;

  self->current = g_object_ref (row);
  self->began = g_get_monotonic_time ();
  if (question == NULL)
    {
      sl_folder_row_set_current (row, TRUE);
      read_picture (self);
    }
  else if (sl_conversation_regenerate (self->conversation, question, NULL, &error) != NULL)
    {
      self->asking = TRUE;
      sl_folder_row_set_current (row, TRUE);
    }
  else
    {
      leave_current (self);
      sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, error->message);
    }
}

void
sl_folder_job_next (SlFolderJob *self)
{
  SlFolderRow *row;

  if (self->state != SL_FOLDER_JOB_RUNNING || self->current != NULL || sl_conversation_is_busy (self->conversation))
    return;
  row = sl_folder_job_find_waiting (self);
  if (row == NULL)
    sl_folder_job_set_state (self, SL_FOLDER_JOB_DONE, NULL);
  else if (check_answerer (self) == ASK_NOW)
    begin (self, row);
}

/* A question that waits for one model must not be put to another. */
void
sl_folder_job_on_engine_state (SlFolderJob *self)
{
  SlEngine *engine = sl_history_get_engine (self->history);

  if (self->asking && sl_engine_get_state (engine) != SL_ENGINE_READY
      && sl_conversation_get_answerer (self->conversation) == SL_ANSWERER (engine))
    sl_conversation_stop (self->conversation);
  sl_folder_job_next (self);
}

/* ------------------------------------------------------------------------------------------------ looking */

/* Rows whose path is the same stay the same objects. */
static void
take_pictures (SlFolderJob *self,
               GPtrArray   *pictures)
{
  g_autoptr (GHashTable) before = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GPtrArray) old = g_steal_pointer (&self->rows);

  for (guint i = 0; i < old->len; i++)
    g_hash_table_insert (before, sl_folder_row_get_record (old->pdata[i])->path, old->pdata[i]);
  self->rows = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < pictures->len; i++)
    {
      SlFolderPictureRecord *picture = pictures->pdata[i];
      SlFolderRow *row = g_hash_table_lookup (before, picture->path);

      g_ptr_array_add (self->rows, row != NULL ? g_object_ref (row) : sl_folder_row_new (self->conversation, picture));
    }
  for (guint i = 0; i < pictures->len; i++)
    sl_folder_row_set_record (self->rows->pdata[i], pictures->pdata[i]);
  g_ptr_array_unref (self->record->pictures);
  self->record->pictures = g_ptr_array_ref (pictures);
  g_list_model_items_changed (G_LIST_MODEL (self), 0, old->len, self->rows->len);
}

static void
look (GTask        *task,
      gpointer      source,
      gpointer      record,
      GCancellable *cancellable)
{
  GError *error = NULL;
  GPtrArray *pictures = sl_folder_look (record, cancellable, &error);

  if (pictures != NULL)
    g_task_return_pointer (task, pictures, (GDestroyNotify) g_ptr_array_unref);
  else
    g_task_return_error (task, error);
}

static void
on_looked (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (SlFolderJob) self = g_object_ref (SL_FOLDER_JOB (source));
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) pictures = g_task_propagate_pointer (G_TASK (result), &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&self->cancellable);
  if (pictures == NULL)
    {
      sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, error->message);
      return;
    }
  take_pictures (self, pictures);
  sl_store_put_folder (sl_history_get_store (self->history), self->record);
  sl_folder_job_set_state (self, SL_FOLDER_JOB_RUNNING, NULL);
  sl_folder_job_next (self);
}

void
sl_folder_job_run (SlFolderJob *self,
                   gboolean     any_model)
{
  g_autoptr (GTask) task = NULL;

  g_return_if_fail (SL_IS_FOLDER_JOB (self));

  if (self->state == SL_FOLDER_JOB_LOOKING || self->state == SL_FOLDER_JOB_RUNNING)
    return;
  self->any_model = any_model;
  self->n_times = self->n_failures = 0;
  sl_folder_job_set_other_model (self, FALSE);
  sl_folder_job_set_state (self, SL_FOLDER_JOB_LOOKING, NULL);
  self->cancellable = g_cancellable_new ();
  task = g_task_new (self, self->cancellable, on_looked, NULL);
  g_task_set_task_data (task, sl_folder_record_copy (self->record), (GDestroyNotify) sl_folder_record_free);
  g_task_run_in_thread (task, look);
}

void
sl_folder_job_pause (SlFolderJob *self)
{
  g_return_if_fail (SL_IS_FOLDER_JOB (self));

  if (self->state != SL_FOLDER_JOB_LOOKING && self->state != SL_FOLDER_JOB_RUNNING)
    return;
  if (self->cancellable != NULL)
    {
      g_cancellable_cancel (self->cancellable);
      g_clear_object (&self->cancellable);
      leave_current (self);
    }
  sl_conversation_stop (self->conversation);
  sl_folder_job_set_state (self, SL_FOLDER_JOB_PAUSED, NULL);
}

void
sl_folder_job_retry (SlFolderJob *self)
{
  g_return_if_fail (SL_IS_FOLDER_JOB (self));

  for (guint i = 0; i < self->rows->len; i++)
    {
      SlFolderRow *row = self->rows->pdata[i];

      if (sl_folder_row_get_state (row) == SL_FOLDER_FAILED)
        sl_folder_row_retry (row);
    }
  if (self->state == SL_FOLDER_JOB_RUNNING)
    sl_folder_job_next (self);
  else
    sl_folder_job_run (self, FALSE);
}
