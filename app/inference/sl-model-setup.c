/* SPDX-License-Identifier: MIT
 *
 * Looks at the disk on a thread, then waits for the download or the work that is missing.
 */
#include "app/inference/sl-model-setup.h"

#include "app/hub/sl-library.h"
#include "app/inference/sl-model-folder.h"

struct _SlModelSetup
{
  GObject parent_instance;

  SlDownloads *downloads;
  SlModelSetupState state;
  char *repo;
  SlFormat format;
  SlDownloadItem *item; /* while DOWNLOADING */
  SlModelWork *work;    /* while QUANTISING */
  GError *error;
  GCancellable *cancellable; /* of LOOKING */
};

enum { CHANGED, WORKING, READY, N_SIGNALS };

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlModelSetup, sl_model_setup, G_TYPE_OBJECT)

static void look (SlModelSetup *self);

static void
set_state (SlModelSetup      *self,
           SlModelSetupState  state)
{
  self->state = state;
  g_signal_emit (self, signals[CHANGED], 0);
}

/* Takes the error. */
static void
fail (SlModelSetup *self,
      GError       *error)
{
  g_clear_error (&self->error);
  self->error = error;
  set_state (self, SL_MODEL_SETUP_FAILED);
}

/* ------------------------------------------------------------------------------------------------ downloading */

static void
leave_item (SlModelSetup *self)
{
  if (self->item != NULL)
    g_signal_handlers_disconnect_by_data (self->item, self);
  g_clear_object (&self->item);
}

static void
on_item (SlModelSetup *self)
{
  SlDownloadItemState state = sl_download_item_get_state (self->item);
  g_autoptr (GError) error = state == SL_DOWNLOAD_ITEM_FAILED ? g_error_copy (sl_download_item_get_error (self->item)) : NULL;

  if (state == SL_DOWNLOAD_ITEM_RUNNING || state == SL_DOWNLOAD_ITEM_QUEUED)
    {
      g_signal_emit (self, signals[CHANGED], 0);
      return;
    }
  leave_item (self);
  if (state == SL_DOWNLOAD_ITEM_DONE)
    look (self);
  else if (error != NULL)
    fail (self, g_steal_pointer (&error));
  else
    set_state (self, SL_MODEL_SETUP_IDLE);
}

/* What was discarded is not in the list any more. */
static void
on_items (SlModelSetup *self)
{
  if (self->item == NULL || sl_downloads_find (self->downloads, self->repo) == self->item)
    return;
  leave_item (self);
  set_state (self, SL_MODEL_SETUP_IDLE);
}

static void
download (SlModelSetup *self)
{
  self->state = SL_MODEL_SETUP_DOWNLOADING;
  self->item = g_object_ref (sl_downloads_add (self->downloads, self->repo));
  g_signal_connect_object (self->item, "changed", G_CALLBACK (on_item), self, G_CONNECT_SWAPPED);
  g_signal_emit (self, signals[CHANGED], 0);
}

/* ------------------------------------------------------------------------------------------------ quantising */

static void
on_work (SlModelSetup *self)
{
  SlModelWorkState state = sl_model_work_get_state (self->work);
  g_autoptr (SlModelWork) work = NULL;

  if (state == SL_MODEL_WORK_RUNNING)
    {
      g_signal_emit (self, signals[CHANGED], 0);
      return;
    }
  work = g_steal_pointer (&self->work);
  g_signal_handlers_disconnect_by_data (work, self);
  if (state == SL_MODEL_WORK_DONE)
    {
      set_state (self, SL_MODEL_SETUP_READY);
      g_signal_emit (self, signals[READY], 0, sl_model_work_get_dest (work));
    }
  else if (state == SL_MODEL_WORK_CANCELLED)
    set_state (self, SL_MODEL_SETUP_IDLE);
  else
    fail (self, g_error_new_literal (G_IO_ERROR, G_IO_ERROR_FAILED, sl_model_work_get_sentence (work)));
}

static void
quantise (SlModelSetup *self,
          const char   *original,
          const char   *dest)
{
  g_autofree char *files = sl_model_folder_resolve (original);

  self->state = SL_MODEL_SETUP_QUANTISING;
  self->work = sl_model_work_new_quantise (files, dest, self->format, FALSE);
  g_signal_connect_object (self->work, "changed", G_CALLBACK (on_work), self, G_CONNECT_SWAPPED);
  g_signal_emit (self, signals[WORKING], 0, self->work);
  g_signal_emit (self, signals[CHANGED], 0);
}

/* ------------------------------------------------------------------------------------------------ looking */

typedef struct
{
  char *repo;
  SlFormat format;
  char *original, *dest; /* found: NULL where there is no original */
  gboolean made;         /* dest is there */
} Look;

static void
look_free (gpointer data)
{
  Look *look = data;

  g_free (look->repo);
  g_free (look->original);
  g_free (look->dest);
  g_free (look);
}

static void
run_look (GTask        *task,
          gpointer      source,
          gpointer      data,
          GCancellable *cancellable)
{
  Look *look = data;
  g_autofree char *folder = sl_library_dup_dir ();
  g_autofree char *wanted = sl_library_dup_dest (look->repo);
  g_autofree char *name = NULL;
  g_autofree char *config = NULL;

  look->original = sl_library_find (look->repo, NULL);
  name = sl_model_folder_dup_name (look->original != NULL ? look->original : wanted);
  look->dest = g_strdup_printf ("%s/%s-%s", folder, name, sl_format_get_name (look->format));
  config = g_build_filename (look->dest, "config.json", NULL);
  look->made = g_file_test (config, G_FILE_TEST_IS_REGULAR);
  g_task_return_boolean (task, TRUE);
}

static void
on_look (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  SlModelSetup *self = SL_MODEL_SETUP (source);
  const Look *found = g_task_get_task_data (G_TASK (result));

  if (!g_task_propagate_boolean (G_TASK (result), NULL))
    return;
  if (found->made)
    {
      set_state (self, SL_MODEL_SETUP_READY);
      g_signal_emit (self, signals[READY], 0, found->dest);
    }
  else if (found->original != NULL)
    quantise (self, found->original, found->dest);
  else
    download (self);
}

static void
look (SlModelSetup *self)
{
  g_autoptr (GTask) task = NULL;
  Look *what = g_new0 (Look, 1);

  what->repo = g_strdup (self->repo);
  what->format = self->format;
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  task = g_task_new (self, self->cancellable, on_look, NULL);
  g_task_set_source_tag (task, look);
  g_task_set_task_data (task, what, look_free);
  set_state (self, SL_MODEL_SETUP_LOOKING);
  g_task_run_in_thread (task, run_look);
}

/* ------------------------------------------------------------------------------------------------ what a user does */

gboolean
sl_model_setup_is_busy (SlModelSetup *self)
{
  g_return_val_if_fail (SL_IS_MODEL_SETUP (self), FALSE);

  return self->state == SL_MODEL_SETUP_LOOKING || self->state == SL_MODEL_SETUP_DOWNLOADING || self->state == SL_MODEL_SETUP_QUANTISING;
}

void
sl_model_setup_begin (SlModelSetup *self,
                      const char   *repo,
                      SlFormat      format)
{
  g_autofree char *copy = g_strdup (repo);

  g_return_if_fail (SL_IS_MODEL_SETUP (self));

  if (sl_model_setup_is_busy (self))
    return;
  g_free (self->repo);
  self->repo = g_steal_pointer (&copy);
  self->format = format;
  g_clear_error (&self->error);
  look (self);
}

void
sl_model_setup_stop (SlModelSetup *self)
{
  g_return_if_fail (SL_IS_MODEL_SETUP (self));

  if (self->item != NULL)
    sl_downloads_stop (self->downloads, self->item);
  else if (self->work != NULL)
    sl_model_work_cancel (self->work);
  else if (self->state == SL_MODEL_SETUP_LOOKING)
    {
      g_cancellable_cancel (self->cancellable);
      set_state (self, SL_MODEL_SETUP_IDLE);
    }
}

/* ------------------------------------------------------------------------------------------------ what it says */

SlModelSetupState
sl_model_setup_get_state (SlModelSetup *self)
{
  g_return_val_if_fail (SL_IS_MODEL_SETUP (self), SL_MODEL_SETUP_IDLE);

  return self->state;
}

const char *
sl_model_setup_get_repo (SlModelSetup *self)
{
  g_return_val_if_fail (SL_IS_MODEL_SETUP (self), NULL);

  return self->repo;
}

SlModelWork *
sl_model_setup_get_work (SlModelSetup *self)
{
  g_return_val_if_fail (SL_IS_MODEL_SETUP (self), NULL);

  return self->work;
}

const GError *
sl_model_setup_get_error (SlModelSetup *self)
{
  g_return_val_if_fail (SL_IS_MODEL_SETUP (self), NULL);

  return self->error;
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_model_setup_dispose (GObject *object)
{
  SlModelSetup *self = SL_MODEL_SETUP (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->cancellable);
  leave_item (self);
  g_clear_object (&self->work);
  g_clear_object (&self->downloads);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (sl_model_setup_parent_class)->dispose (object);
}

static void
sl_model_setup_finalize (GObject *object)
{
  g_free (SL_MODEL_SETUP (object)->repo);
  G_OBJECT_CLASS (sl_model_setup_parent_class)->finalize (object);
}

static void
sl_model_setup_class_init (SlModelSetupClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  object_class->dispose = sl_model_setup_dispose;
  object_class->finalize = sl_model_setup_finalize;
  signals[CHANGED] = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[WORKING] = g_signal_new ("working", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, SL_TYPE_MODEL_WORK);
  signals[READY] = g_signal_new ("ready", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
sl_model_setup_init (SlModelSetup *self)
{
}

SlModelSetup *
sl_model_setup_new (SlDownloads *downloads)
{
  SlModelSetup *self = g_object_new (SL_TYPE_MODEL_SETUP, NULL);

  self->downloads = g_object_ref (downloads);
  g_signal_connect_object (downloads, "items-changed", G_CALLBACK (on_items), self, G_CONNECT_SWAPPED);
  return self;
}
