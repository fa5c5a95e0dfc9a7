/* SPDX-License-Identifier: MIT
 *
 * Shows one model folder. The name is there at once; what the folder holds comes from a thread, because it may lie on a slow disk.
 */
#include "ui/models/sl-model-row.h"

#include "app/inference/sl-model-fit.h"
#include "app/inference/sl-model-folder.h"
#include "ui/models/sl-licence.h"

#include <glib/gi18n.h>

struct _SlModelRow
{
  AdwExpanderRow parent_instance;

  SlEngine *engine;
  char *dir;
  GCancellable *cancellable;
  GtkWidget *load, *unload, *licence, *remove;
  AdwActionRow *folder, *memory;
};

static guint load_signal, remove_signal;

G_DEFINE_FINAL_TYPE (SlModelRow, sl_model_row, ADW_TYPE_EXPANDER_ROW)

/* --- what the folder holds ------------------------------------------------- */

static void
on_fit (GObject      *source,
        GAsyncResult *result,
        gpointer      data)
{
  g_autoptr (SlModelRow) self = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *sentence = sl_model_fit_describe_finish (result, &error);
  g_autofree char *escaped = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  escaped = g_markup_escape_text (sentence != NULL ? sentence : error->message, -1);
  adw_action_row_set_subtitle (self->memory, escaped);
  gtk_widget_set_visible (GTK_WIDGET (self->memory), TRUE);
}

static void
inspect (GTask        *task,
         gpointer      source,
         gpointer      data,
         GCancellable *cancellable)
{
  GError *error = NULL;
  SlModelFolder *folder = sl_model_folder_inspect (data, &error);

  if (folder != NULL)
    g_task_return_pointer (task, folder, (GDestroyNotify) sl_model_folder_free);
  else
    g_task_return_error (task, error);
}

static void
on_inspected (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  SlModelRow *self = SL_MODEL_ROW (source);
  g_autoptr (GError) error = NULL;
  g_autoptr (SlModelFolder) folder = g_task_propagate_pointer (G_TASK (result), &error);
  g_autofree char *escaped = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  escaped = g_markup_escape_text (folder != NULL ? folder->description : error->message, -1);
  adw_expander_row_set_subtitle (ADW_EXPANDER_ROW (self), escaped);
  gtk_widget_set_sensitive (self->load, folder != NULL);
  if (folder != NULL)
    sl_model_fit_describe_async (self->dir, self->cancellable, on_fit, g_object_ref (self));
}

static void
look (SlModelRow *self)
{
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, on_inspected, NULL);

  g_task_set_source_tag (task, look);
  g_task_set_task_data (task, g_strdup (self->dir), g_free);
  g_task_run_in_thread (task, inspect);
}

/* --- actions --------------------------------------------------------------- */

static void
on_load (GtkWidget  *widget,
         const char *action,
         GVariant   *parameter)
{
  g_signal_emit (widget, load_signal, 0);
}

static void
on_unload (GtkWidget  *widget,
           const char *action,
           GVariant   *parameter)
{
  sl_engine_unload (SL_MODEL_ROW (widget)->engine);
}

static void
on_licence (GtkWidget  *widget,
            const char *action,
            GVariant   *parameter)
{
  sl_licence_show (GTK_WINDOW (gtk_widget_get_root (widget)), SL_MODEL_ROW (widget)->dir);
}

static void
on_remove (GtkWidget  *widget,
           const char *action,
           GVariant   *parameter)
{
  g_signal_emit (widget, remove_signal, 0);
}

static void
update_buttons (SlModelRow *self)
{
  SlEngineState state = sl_engine_get_state (self->engine);
  gboolean loaded = (state == SL_ENGINE_READY || state == SL_ENGINE_LOADING) &&
                    g_strcmp0 (sl_engine_get_model_dir (self->engine), self->dir) == 0;

  gtk_widget_set_visible (self->load, !loaded);
  gtk_widget_set_visible (self->unload, loaded);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_model_row_dispose (GObject *object)
{
  SlModelRow *self = SL_MODEL_ROW (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (sl_model_row_parent_class)->dispose (object);
}

static void
sl_model_row_finalize (GObject *object)
{
  SlModelRow *self = SL_MODEL_ROW (object);

  g_object_unref (self->cancellable);
  g_free (self->dir);
  G_OBJECT_CLASS (sl_model_row_parent_class)->finalize (object);
}

static void
sl_model_row_class_init (SlModelRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_model_row_dispose;
  object_class->finalize = sl_model_row_finalize;
  load_signal = g_signal_new ("load", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  remove_signal = g_signal_new ("remove", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-model-row.ui");
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, load);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, unload);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, licence);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, remove);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, folder);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, memory);
  gtk_widget_class_install_action (widget_class, "model.load", NULL, on_load);
  gtk_widget_class_install_action (widget_class, "model.unload", NULL, on_unload);
  gtk_widget_class_install_action (widget_class, "model.licence", NULL, on_licence);
  gtk_widget_class_install_action (widget_class, "model.remove", NULL, on_remove);
}

static void
sl_model_row_init (SlModelRow *self)
{
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_model_row_new (SlEngine   *engine,
                  const char *dir,
                  gboolean    bundled)
{
  SlModelRow *self = g_object_new (SL_TYPE_MODEL_ROW, NULL);
  g_autofree char *model = sl_model_folder_dup_name (dir);
  g_autofree char *name = g_filename_display_name (model);
  g_autofree char *title = g_markup_escape_text (bundled ? _("Demo model") : name, -1);
  g_autofree char *shown = g_filename_display_name (dir);
  g_autofree char *folder = g_markup_escape_text (shown, -1);

  self->engine = g_object_ref (engine);
  self->dir = g_strdup (dir);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), title);
  adw_action_row_set_subtitle (self->folder, folder);
  gtk_widget_set_visible (self->licence, !bundled);
  gtk_widget_set_visible (self->remove, !bundled);
  g_signal_connect_object (engine, "notify::state", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (engine, "notify::model-dir", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
  update_buttons (self);
  look (self);
  return GTK_WIDGET (self);
}

const char *
sl_model_row_get_dir (SlModelRow *self)
{
  g_return_val_if_fail (SL_IS_MODEL_ROW (self), NULL);

  return self->dir;
}
