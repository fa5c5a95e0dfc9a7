/* SPDX-License-Identifier: MIT
 *
 * The rows of a job, its state, how far it is. While it runs it holds a reference to itself. UI thread.
 */
#include "app/folder/sl-folder-job-private.h"

#include <glib/gi18n-lib.h>

#include "app/store/sl-search-text.h"

#define TITLE_CHARS 60

enum { PROP_0, PROP_STATE, PROP_ERROR_TEXT, PROP_OTHER_MODEL, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint progress_signal;

/* ------------------------------------------------------------------------------------------------ list model */

static GType
sl_folder_job_get_item_type (GListModel *model)
{
  return SL_TYPE_FOLDER_ROW;
}

static guint
sl_folder_job_get_n_items (GListModel *model)
{
  return SL_FOLDER_JOB (model)->rows->len;
}

static gpointer
sl_folder_job_get_item (GListModel *model,
                        guint       position)
{
  GPtrArray *rows = SL_FOLDER_JOB (model)->rows;

  return position < rows->len ? g_object_ref (rows->pdata[position]) : NULL;
}

static void
init_list_model (GListModelInterface *iface)
{
  iface->get_item_type = sl_folder_job_get_item_type;
  iface->get_n_items = sl_folder_job_get_n_items;
  iface->get_item = sl_folder_job_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (SlFolderJob, sl_folder_job, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, init_list_model))

/* ------------------------------------------------------------------------------------------------ state */

void
sl_folder_job_emit_progress (SlFolderJob *self)
{
  g_signal_emit (self, progress_signal, 0);
}

void
sl_folder_job_store_row (SlFolderJob *self,
                         SlFolderRow *row)
{
  sl_store_put_folder_picture (sl_history_get_store (self->history), sl_conversation_get_id (self->conversation),
                               sl_folder_row_get_record (row));
}

void
sl_folder_job_set_state (SlFolderJob      *self,
                         SlFolderJobState  state,
                         const char       *error_text)
{
  gboolean was_busy = self->state == SL_FOLDER_JOB_LOOKING || self->state == SL_FOLDER_JOB_RUNNING;
  gboolean is_busy = state == SL_FOLDER_JOB_LOOKING || state == SL_FOLDER_JOB_RUNNING;
  g_autofree char *before = g_steal_pointer (&self->error_text);

  self->error_text = g_strdup (error_text);
  self->state = state;
  if (is_busy && !was_busy)
    g_object_ref (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ERROR_TEXT]);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATE]);
  sl_folder_job_emit_progress (self);
  if (was_busy && !is_busy)
    g_object_unref (self); /* the last thing that is done */
}

void
sl_folder_job_set_other_model (SlFolderJob *self,
                               gboolean     other_model)
{
  if (self->other_model == other_model)
    return;
  self->other_model = other_model;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_OTHER_MODEL]);
}

SlFolderRow *
sl_folder_job_find_waiting (SlFolderJob *self)
{
  for (guint i = 0; i < self->rows->len; i++)
    if (sl_folder_row_get_state (self->rows->pdata[i]) == SL_FOLDER_WAITING)
      return self->rows->pdata[i];
  return NULL;
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_folder_job_get_property (GObject    *object,
                            guint       id,
                            GValue     *value,
                            GParamSpec *pspec)
{
  SlFolderJob *self = SL_FOLDER_JOB (object);

  switch (id)
    {
    case PROP_STATE:
      g_value_set_int (value, self->state);
      break;
    case PROP_ERROR_TEXT:
      g_value_set_string (value, self->error_text);
      break;
    case PROP_OTHER_MODEL:
      g_value_set_boolean (value, self->other_model);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_folder_job_dispose (GObject *object)
{
  SlFolderJob *self = SL_FOLDER_JOB (object);

  if (self->conversation != NULL && g_object_get_data (G_OBJECT (self->conversation), "sl-folder-job") == self)
    g_object_set_data (G_OBJECT (self->conversation), "sl-folder-job", NULL);
  g_clear_object (&self->current);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->conversation);
  g_clear_object (&self->history);
  G_OBJECT_CLASS (sl_folder_job_parent_class)->dispose (object);
}

static void
sl_folder_job_finalize (GObject *object)
{
  SlFolderJob *self = SL_FOLDER_JOB (object);

  g_ptr_array_unref (self->rows);
  g_free (self->error_text);
  G_OBJECT_CLASS (sl_folder_job_parent_class)->finalize (object);
}

static void
sl_folder_job_class_init (SlFolderJobClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_folder_job_get_property;
  object_class->dispose = sl_folder_job_dispose;
  object_class->finalize = sl_folder_job_finalize;
  properties[PROP_STATE] = g_param_spec_int ("state", NULL, NULL, 0, SL_FOLDER_JOB_DONE, 0, flags);
  properties[PROP_ERROR_TEXT] = g_param_spec_string ("error-text", NULL, NULL, NULL, flags);
  properties[PROP_OTHER_MODEL] = g_param_spec_boolean ("other-model", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  progress_signal = g_signal_new ("progress", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_folder_job_init (SlFolderJob *self)
{
  self->rows = g_ptr_array_new_with_free_func (g_object_unref);
}

static void
on_leaving (SlFolderJob *self,
            gint64       id)
{
  if (id == 0 || id == sl_conversation_get_id (self->conversation))
    sl_folder_job_pause (self);
}

SlFolderJob *
sl_folder_job_get (SlHistory      *history,
                   SlConversation *conversation)
{
  SlFolderJob *self;

  g_return_val_if_fail (sl_conversation_get_folder (conversation) != NULL, NULL);

  self = g_object_get_data (G_OBJECT (conversation), "sl-folder-job");
  if (self != NULL)
    return g_object_ref (self);
  self = g_object_new (SL_TYPE_FOLDER_JOB, NULL);
  self->history = g_object_ref (history);
  self->conversation = g_object_ref (conversation);
  self->record = sl_conversation_get_folder (conversation);
  for (guint i = 0; i < self->record->pictures->len; i++)
    g_ptr_array_add (self->rows, sl_folder_row_new (conversation, self->record->pictures->pdata[i]));
  self->state = self->rows->len == 0 || sl_folder_job_find_waiting (self) != NULL ? SL_FOLDER_JOB_PAUSED : SL_FOLDER_JOB_DONE;
  g_object_set_data (G_OBJECT (conversation), "sl-folder-job", self);
  g_signal_connect_object (history, "leaving", G_CALLBACK (on_leaving), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (conversation, "notify::busy", G_CALLBACK (sl_folder_job_on_busy), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (sl_history_get_engine (history), "notify::state", G_CALLBACK (sl_folder_job_on_engine_state), self, G_CONNECT_SWAPPED);
  return self;
}

SlFolderJob *
sl_folder_job_new (SlHistory      *history,
                   SlConversation *like,
                   const char     *path,
                   gboolean        recursive,
                   const char     *prompt,
                   SlMode          mode)
{
  g_autoptr (SlConversation) conversation = sl_history_create (history);
  g_autofree char *folder = g_filename_display_basename (path);
  g_autofree char *words = sl_search_text_snippet (prompt, NULL, TITLE_CHARS);
  /* Translators: the name of a folder, what is asked about its pictures */
  g_autofree char *title = g_strdup_printf (_("%s: %s"), folder, words);

  sl_conversation_set_title (conversation, title);
  if (like != NULL)
    {
      sl_conversation_set_answerer (conversation, sl_conversation_get_answerer (like));
      sl_conversation_set_choices (conversation, sl_conversation_get_choices (like));
      sl_conversation_set_system_text (conversation, sl_conversation_get_system_text (like));
    }
  sl_conversation_take_folder (conversation, sl_folder_record_new (path, recursive, prompt, mode));
  return sl_folder_job_get (history, conversation);
}

/* ------------------------------------------------------------------------------------------------ public */

SlConversation *
sl_folder_job_get_conversation (SlFolderJob *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_JOB (self), NULL);

  return self->conversation;
}

const SlFolderRecord *
sl_folder_job_get_record (SlFolderJob *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_JOB (self), NULL);

  return self->record;
}

SlFolderJobState
sl_folder_job_get_state (SlFolderJob *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_JOB (self), SL_FOLDER_JOB_PAUSED);

  return self->state;
}

const char *
sl_folder_job_get_error_text (SlFolderJob *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_JOB (self), NULL);

  return self->error_text;
}

gboolean
sl_folder_job_get_other_model (SlFolderJob *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_JOB (self), FALSE);

  return self->other_model;
}

static double
get_mean_time (SlFolderJob *self)
{
  guint n = MIN (self->n_times, SL_FOLDER_N_TIMES);
  double sum = 0;

  for (guint i = 0; i < n; i++)
    sum += self->times[i];
  return n > 0 ? sum / n : 0;
}

void
sl_folder_job_get_progress (SlFolderJob      *self,
                            SlFolderProgress *progress)
{
  double mean;

  g_return_if_fail (SL_IS_FOLDER_JOB (self));

  *progress = (SlFolderProgress) { .n_pictures = self->rows->len };
  for (guint i = 0; i < self->rows->len; i++)
    {
      SlFolderRow *row = self->rows->pdata[i];
      SlFolderState state = sl_folder_row_get_state (row);

      progress->n_waiting += state == SL_FOLDER_WAITING || state == SL_FOLDER_ASKING;
      progress->n_failed += state == SL_FOLDER_FAILED;
      progress->n_answered += state == SL_FOLDER_ANSWERED;
      progress->n_reviewed += sl_folder_row_get_reviewed (row);
    }
  mean = get_mean_time (self);
  progress->per_minute = mean > 0 ? 60 / mean : 0;
  progress->seconds_left = mean * progress->n_waiting;
}

void
sl_folder_job_set_seen (SlFolderJob *self,
                        SlFolderRow *row,
                        gboolean     seen)
{
  g_return_if_fail (SL_IS_FOLDER_JOB (self));
  g_return_if_fail (SL_IS_FOLDER_ROW (row));

  if (sl_folder_row_get_record (row)->seen == seen)
    return;
  sl_folder_row_get_record (row)->seen = seen;
  sl_folder_job_store_row (self, row);
  sl_folder_job_note_boxes (self, row);
}

void
sl_folder_job_note_boxes (SlFolderJob *self,
                          SlFolderRow *row)
{
  g_return_if_fail (SL_IS_FOLDER_JOB (self));
  g_return_if_fail (SL_IS_FOLDER_ROW (row));

  sl_folder_row_update (row);
  sl_folder_job_emit_progress (self);
}
