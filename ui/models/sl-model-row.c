/* SPDX-License-Identifier: MIT
 *
 * Shows one model's folder. The name is there at once; what the folder holds comes from a thread, because it may lie on a slow disk.
 */
#include "ui/models/sl-model-row.h"

#include "app/inference/sl-model-fit.h"
#include "app/inference/sl-model-folder.h"
#include "ui/models/sl-licence.h"
#include "ui/models/sl-quantise-dialog.h"
#include "ui/models/sl-work-row.h"
#include "ui/sl-choose.h"

#include <glib/gi18n.h>

struct _SlModelRow
{
  AdwExpanderRow parent_instance;

  SlEngine *engine;
  SlModels *models;
  char *dir;
  guint64 bytes;
  gboolean bundled, own, listed, vanished, leftover, quantised; /* own: its files are Sightline's to move and delete;
                                                           listed: the user named the folder */
  GCancellable *cancellable;
  GtkWidget *load, *unload, *more;
  SlWorkRow *work;
  AdwActionRow *folder, *origin, *used, *memory;
};

static guint load_signal, failed_signal;

G_DEFINE_FINAL_TYPE (SlModelRow, sl_model_row, ADW_TYPE_EXPANDER_ROW)

/* --- buttons --------------------------------------------------------------- */

/* What is at work, or loaded, stays where it is. */
static void
update_buttons (SlModelRow *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  SlEngineState state = sl_engine_get_state (self->engine);
  gboolean loaded = (state == SL_ENGINE_READY || state == SL_ENGINE_LOADING) &&
                    g_strcmp0 (sl_engine_get_model_dir (self->engine), self->dir) == 0;
  SlModelWork *work = sl_models_get_work (self->models, self->dir);
  gboolean busy = work != NULL && sl_model_work_get_state (work) == SL_MODEL_WORK_RUNNING;

  gtk_widget_set_visible (self->load, !loaded && !self->leftover);
  gtk_widget_set_visible (self->unload, loaded);
  gtk_widget_action_set_enabled (widget, "model.reveal", !self->vanished);
  gtk_widget_action_set_enabled (widget, "model.licence", !self->bundled && !self->vanished && !self->leftover);
  gtk_widget_action_set_enabled (widget, "model.verify", !busy && !self->vanished && !self->leftover);
  gtk_widget_action_set_enabled (widget, "model.quantise", !busy && !self->vanished && !self->leftover && !self->quantised);
  gtk_widget_action_set_enabled (widget, "model.move", self->own && !busy && !loaded && !self->leftover);
  gtk_widget_action_set_enabled (widget, "model.delete", self->own && !busy && !loaded);
  gtk_widget_action_set_enabled (widget, "model.remove", self->listed && !busy);
}

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
  self->quantised = folder != NULL && folder->quantisation != NULL;
  update_buttons (self);
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
fail (SlModelRow *self,
      const char *sentence)
{
  g_signal_emit (self, failed_signal, 0, sentence);
}

static GtkWindow *
get_window (SlModelRow *self)
{
  return GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self)));
}

static void
on_licence (GtkWidget  *widget,
            const char *action,
            GVariant   *parameter)
{
  SlModelRow *self = SL_MODEL_ROW (widget);

  sl_licence_show (get_window (self), self->dir);
}

static void
on_remove (GtkWidget  *widget,
           const char *action,
           GVariant   *parameter)
{
  SlModelRow *self = SL_MODEL_ROW (widget);

  sl_models_remove_dir (self->models, self->dir);
}

static void
on_reveal (GtkWidget  *widget,
           const char *action,
           GVariant   *parameter)
{
  SlModelRow *self = SL_MODEL_ROW (widget);
  g_autofree char *files = sl_model_folder_resolve (self->dir);
  g_autofree char *uri = g_filename_to_uri (files, NULL, NULL);

  if (uri != NULL)
    gtk_show_uri (get_window (self), uri, GDK_CURRENT_TIME);
}

/* Takes the work. */
static void
begin (SlModelRow  *self,
       SlModelWork *work)
{
  sl_models_take_work (self->models, work);
  sl_work_row_set_work (self->work, work, self->own);
  g_signal_connect_object (work, "changed", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
  adw_expander_row_set_expanded (ADW_EXPANDER_ROW (self), TRUE);
  update_buttons (self);
}

static void
on_verify (GtkWidget  *widget,
           const char *action,
           GVariant   *parameter)
{
  SlModelRow *self = SL_MODEL_ROW (widget);

  begin (self, sl_model_work_new_verify (self->dir));
}

static void
on_quantise_response (SlModelRow       *self,
                      const char       *response,
                      SlQuantiseDialog *dialog)
{
  g_autofree char *dest = NULL;
  g_autofree char *files = NULL;
  SlModelWork *work;

  if (!g_str_equal (response, "quantise"))
    return;
  dest = sl_quantise_dialog_dup_dest (dialog);
  files = sl_model_folder_resolve (self->dir);
  work = sl_model_work_new_quantise (files, dest, sl_quantise_dialog_get_format (dialog), sl_quantise_dialog_get_vision_int8 (dialog));
  begin (self, work);
}

static void
on_quantise (GtkWidget  *widget,
             const char *action,
             GVariant   *parameter)
{
  SlModelRow *self = SL_MODEL_ROW (widget);
  GtkWidget *dialog = sl_quantise_dialog_new (get_window (self), self->dir);

  g_signal_connect_object (dialog, "response", G_CALLBACK (on_quantise_response), self, G_CONNECT_SWAPPED);
  gtk_window_present (GTK_WINDOW (dialog));
}

/* --- moving and deleting --------------------------------------------------- */

static void
on_place (GListModel *files,
          gpointer    data)
{
  g_autoptr (SlModelRow) self = data;
  g_autofree char *place = sl_choose_dup_path (files);
  g_autofree char *name = NULL;
  g_autofree char *dest = NULL;

  if (place == NULL)
    return;
  name = g_path_get_basename (self->dir);
  dest = g_build_filename (place, name, NULL);
  begin (self, sl_model_work_new_move (self->dir, dest));
}

static void
on_move (GtkWidget  *widget,
         const char *action,
         GVariant   *parameter)
{
  SlModelRow *self = SL_MODEL_ROW (widget);
  GtkFileChooser *chooser = sl_choose_new (get_window (self), GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER, _("Move the Model Into"), _("_Move"),
                                           on_place, g_object_ref (self));

  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

static void
on_trashed (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (SlModelRow) self = data;
  g_autoptr (SlModels) models = g_object_ref (self->models);
  g_autofree char *name = g_filename_display_name (self->dir);
  g_autofree char *sentence = NULL;
  g_autoptr (GError) error = NULL;

  if (g_file_trash_finish (G_FILE (source), result, &error))
    {
      sl_models_forget_dir (models, self->dir);
      return;
    }
  sentence = g_strdup_printf (_("“%s” cannot be put into the trash: %s."), name, error->message);
  fail (self, sentence);
}

static void
on_delete_response (SlModelRow *self,
                    const char *response)
{
  g_autoptr (GFile) file = g_file_new_for_path (self->dir);

  if (g_str_equal (response, "delete"))
    g_file_trash_async (file, G_PRIORITY_DEFAULT, NULL, on_trashed, g_object_ref (self));
}

static void
ask_delete (SlModelRow *self)
{
  g_autofree char *size = g_format_size (self->bytes);
  g_autofree char *shown = g_filename_display_basename (self->dir);
  GtkWidget *dialog = adw_message_dialog_new (get_window (self), NULL, NULL);
  AdwMessageDialog *message = ADW_MESSAGE_DIALOG (dialog);

  /* Translators: name of a model */
  adw_message_dialog_format_heading (message, _("Delete %s?"), shown);
  /* Translators: a size */
  adw_message_dialog_format_body (message, _("It goes to the trash. Emptying the trash gives %s back."), size);
  adw_message_dialog_add_responses (message, "cancel", _("_Cancel"), "delete", _("_Delete"), NULL);
  adw_message_dialog_set_response_appearance (message, "delete", ADW_RESPONSE_DESTRUCTIVE);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_delete_response), self, G_CONNECT_SWAPPED);
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
on_delete (GtkWidget  *widget,
           const char *action,
           GVariant   *parameter)
{
  ask_delete (SL_MODEL_ROW (widget));
}

static void
on_delete_original (SlModelRow *self)
{
  ask_delete (self);
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
  g_object_unref (self->models);
  g_free (self->dir);
  G_OBJECT_CLASS (sl_model_row_parent_class)->finalize (object);
}

static void
sl_model_row_class_init (SlModelRowClass *klass)
{
  static const struct
  {
    const char *name;
    GtkWidgetActionActivateFunc activate;
  } actions[] = {
    { "model.load", on_load },         { "model.unload", on_unload },     { "model.licence", on_licence },
    { "model.remove", on_remove },     { "model.reveal", on_reveal },     { "model.verify", on_verify },
    { "model.quantise", on_quantise }, { "model.move", on_move },         { "model.delete", on_delete },
  };
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  g_type_ensure (SL_TYPE_WORK_ROW);
  object_class->dispose = sl_model_row_dispose;
  object_class->finalize = sl_model_row_finalize;
  load_signal = g_signal_new ("load", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  failed_signal =
    g_signal_new ("failed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-model-row.ui");
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, load);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, unload);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, more);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, work);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, folder);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, origin);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, used);
  gtk_widget_class_bind_template_child (widget_class, SlModelRow, memory);
  gtk_widget_class_bind_template_callback (widget_class, on_delete_original);
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    gtk_widget_class_install_action (widget_class, actions[i].name, NULL, actions[i].activate);
}

static void
sl_model_row_init (SlModelRow *self)
{
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

static void
set_subtitle (AdwActionRow *row,
              const char   *text)
{
  g_autofree char *escaped = g_markup_escape_text (text, -1);

  adw_action_row_set_subtitle (row, escaped);
  gtk_widget_set_visible (GTK_WIDGET (row), TRUE);
}

static void
show_used (SlModelRow *self)
{
  gint64 used = sl_models_get_used (self->models, self->dir);
  g_autoptr (GDateTime) time = used > 0 ? g_date_time_new_from_unix_local (used) : NULL;
  g_autofree char *text = time != NULL ? g_date_time_format (time, "%x") : g_strdup (_("Not yet"));

  set_subtitle (self->used, text);
}

/* Where its files came from. */
static void
show_origin (SlModelRow           *self,
             const SlLibraryModel *model)
{
  g_autofree char *sentence = NULL;

  if (model->place == SL_LIBRARY_CACHE)
    /* Translators: a repository */
    sentence = g_strdup_printf (_("%s, in the cache of Hugging Face’s client; only read"), model->repo);
  else if (model->repo != NULL)
    sentence = g_strdup (model->repo);
  if (sentence != NULL)
    set_subtitle (self->origin, sentence);
}

static void
show (SlModelRow           *self,
      const SlLibraryModel *model)
{
  g_autofree char *name = g_filename_display_name (model->name);
  g_autofree char *title = g_markup_escape_text (self->bundled ? _("Demo model") : name, -1);
  g_autofree char *shown = g_filename_display_name (self->dir);
  g_autofree char *size = g_format_size (self->bytes);
  /* Translators: a folder, the size of its files */
  g_autofree char *folder = self->vanished ? g_strdup (shown) : g_strdup_printf (_("%s (%s)"), shown, size);
  /* Translators: name of a model */
  g_autofree char *more = g_strdup_printf (_("More about %s"), self->bundled ? _("Demo model") : name);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), title);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->more), GTK_ACCESSIBLE_PROPERTY_LABEL, more, -1);
  set_subtitle (self->folder, folder);
  show_origin (self, model);
  show_used (self);
}

GtkWidget *
sl_model_row_new (SlEngine             *engine,
                  SlModels             *models,
                  const SlLibraryModel *model,
                  gboolean              bundled)
{
  SlModelRow *self = g_object_new (SL_TYPE_MODEL_ROW, NULL);
  SlModelWork *work = sl_models_get_work (models, model->dir);

  self->engine = g_object_ref (engine);
  self->models = g_object_ref (models);
  self->dir = g_strdup (model->dir);
  self->bytes = model->bytes;
  self->bundled = bundled;
  self->own = !bundled && model->place == SL_LIBRARY_OWN;
  self->listed = !bundled && model->place == SL_LIBRARY_FOLDER;
  self->vanished = model->state == SL_LIBRARY_VANISHED;
  self->leftover = model->state == SL_LIBRARY_LEFTOVER;
  show (self, model);
  g_signal_connect_object (engine, "notify::state", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (engine, "notify::model-dir", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
  if (work != NULL)
    {
      sl_work_row_set_work (self->work, work, self->own);
      g_signal_connect_object (work, "changed", G_CALLBACK (update_buttons), self, G_CONNECT_SWAPPED);
      adw_expander_row_set_expanded (ADW_EXPANDER_ROW (self), TRUE);
    }
  update_buttons (self);
  if (self->leftover)
    adw_expander_row_set_subtitle (ADW_EXPANDER_ROW (self), _("Left by work that was ended in the middle; it can be deleted"));
  else
    look (self);
  return GTK_WIDGET (self);
}

const char *
sl_model_row_get_dir (SlModelRow *self)
{
  g_return_val_if_fail (SL_IS_MODEL_ROW (self), NULL);

  return self->dir;
}
