/* SPDX-License-Identifier: MIT
 *
 * What a user can do about the model from the window: choose a folder, load, unload.
 */
#include "ui/window/sl-window-private.h"

#include "app/inference/sl-model-folder.h"
#include "app/system/sl-places.h"
#include "ui/models/sl-licence.h"

#include <glib/gi18n.h>

void
sl_window_load_model (SlWindow   *self,
                      const char *dir,
                      gboolean    remember)
{
  g_autoptr (GSettings) settings = sl_places_open_settings ();
  g_autofree char *device = NULL;
  SlEngineOptions options = { 0 };

  g_return_if_fail (SL_IS_WINDOW (self));
  if (remember)
    {
      sl_models_set_last_dir (self->models, sl_model_folder_is_demo (dir) ? NULL : dir);
      sl_model_bar_set_missing (self->model_bar, NULL);
    }
  options.device = device = settings ? g_settings_get_string (settings, "device") : NULL;
  sl_models_note_used (self->models, dir);
  sl_engine_load (self->engine, dir, &options);
}

static void
on_start_dir (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autofree char *dir = sl_models_find_start_dir_finish (SL_MODELS (source), result, NULL);
  const char *chosen = sl_models_get_last_dir (SL_MODELS (source));

  /* Closed meanwhile, or the user chose. */
  if (self->toasts == NULL || sl_engine_get_state (self->engine) != SL_ENGINE_UNLOADED)
    return;
  sl_model_bar_set_missing (self->model_bar, chosen != NULL && g_strcmp0 (dir, chosen) != 0 ? chosen : NULL);
  if (dir != NULL)
    sl_window_load_model (self, dir, FALSE);
}

void
sl_window_load_start_model (SlWindow *self)
{
  g_return_if_fail (SL_IS_WINDOW (self));

  sl_models_find_start_dir_async (self->models, on_start_dir, g_object_ref (self));
}

static void
on_licence_accepted (const char *dir,
                     gpointer    window)
{
  sl_window_load_model (window, dir, TRUE);
}

void
sl_window_model_load (GtkWidget  *widget,
                      const char *name,
                      GVariant   *parameter)
{
  sl_window_load_model (SL_WINDOW (widget), g_variant_get_bytestring (parameter), TRUE);
}

/* The folder may lie on a slow disk. */
static void
inspect (GTask        *task,
         gpointer      source,
         gpointer      dir,
         GCancellable *cancellable)
{
  GError *error = NULL;
  g_autoptr (SlModelFolder) found = sl_model_folder_inspect (dir, &error);

  if (found != NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
on_inspected (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (GError) error = NULL;
  gboolean found = g_task_propagate_boolean (G_TASK (result), &error);

  if (self->toasts == NULL)
    return;
  if (found)
    sl_licence_ask (GTK_WINDOW (self), g_task_get_task_data (G_TASK (result)), on_licence_accepted, g_object_ref (self),
                    g_object_unref);
  else
    sl_window_warn (self, error->message);
}

static void
on_model_response (SlWindow *self,
                   int       response)
{
  g_autoptr (GFile) folder = NULL;
  g_autoptr (GTask) task = NULL;

  if (response == GTK_RESPONSE_ACCEPT)
    folder = gtk_file_chooser_get_file (GTK_FILE_CHOOSER (self->chooser));
  g_clear_object (&self->chooser);
  if (folder == NULL || g_file_peek_path (folder) == NULL)
    return;
  task = g_task_new (NULL, NULL, on_inspected, g_object_ref (self)); /* a worker must not be the last to let the window go */
  g_task_set_task_data (task, g_strdup (g_file_peek_path (folder)), g_free);
  g_task_run_in_thread (task, inspect);
}

void
sl_window_model_choose (GtkWidget  *widget,
                        const char *name,
                        GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);

  if (self->chooser != NULL)
    return;
  self->chooser = gtk_file_chooser_native_new (_("Choose a Model Folder"), GTK_WINDOW (self),
                                               GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _("_Choose"),
                                               NULL);
  g_signal_connect_object (self->chooser, "response", G_CALLBACK (on_model_response), self,
                           G_CONNECT_SWAPPED);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->chooser), TRUE);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (self->chooser));
}

void
sl_window_model_demo (GtkWidget  *widget,
                      const char *name,
                      GVariant   *parameter)
{
  g_autofree char *dir = sl_places_dup_demo_dir ();

  if (dir != NULL)
    sl_window_load_model (SL_WINDOW (widget), dir, TRUE);
}

void
sl_window_model_unload (GtkWidget  *widget,
                        const char *name,
                        GVariant   *parameter)
{
  sl_engine_unload (SL_WINDOW (widget)->engine);
}

void
sl_window_model_cancel (GtkWidget  *widget,
                        const char *name,
                        GVariant   *parameter)
{
  sl_engine_cancel_load (SL_WINDOW (widget)->engine);
}
