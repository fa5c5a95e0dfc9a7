/* SPDX-License-Identifier: MIT
 *
 * Asks for a format and a place, and starts the export. One Export carries the choice from the dialog over the file chooser to
 * the job and ends with it. An export goes on when its window is closed, and keeps the program until it is complete.
 */
#include "ui/inspector/sl-export-dialog.h"

#include "app/exports/sl-export-job.h"
#include "ui/inspector/sl-export-progress.h"
#include "ui/sl-choose.h"

#include <adwaita.h>
#include <glib/gi18n.h>

/* What is done sooner needs no dialog. */
#define PATIENCE_MS 500

typedef enum
{
  SCOPE_BOX,
  SCOPE_ANSWER,
  SCOPE_CONVERSATION,
} Scope;

typedef struct
{
  GtkWindow *parent; /* weak */
  SlConversation *conversation; /* NULL: it is collected */
  SlMessage *answer;
  SlBoxItem *box;
  SlExportCollect collect;
  gpointer data;
  GDestroyNotify destroy;
  SlExportDone done;

  Scope first_scope; /* of the row's first entry */
  AdwComboRow *scope_row, *format_row;
  GtkWidget *classes_row;
  GFile *classes; /* or NULL */
  SlExportJob *job;

  GApplication *application; /* held while the job runs; or NULL */
  GCancellable *cancellable;
  GtkWidget *progress; /* weak; NULL until it takes long */
  gint64 began;
  guint patience;
} Export;

static void
export_free (Export *self)
{
  g_clear_weak_pointer (&self->parent);
  g_clear_object (&self->conversation);
  if (self->destroy != NULL)
    self->destroy (self->data);
  g_clear_object (&self->answer);
  g_clear_object (&self->box);
  g_clear_object (&self->job);
  g_clear_object (&self->classes);
  g_clear_handle_id (&self->patience, g_source_remove);
  g_clear_object (&self->cancellable);
  if (self->progress != NULL)
    gtk_window_destroy (GTK_WINDOW (self->progress));
  g_clear_weak_pointer (&self->progress);
  if (self->application != NULL)
    g_application_release (self->application);
  g_clear_object (&self->application);
  g_free (self);
}

/* --- doing ----------------------------------------------------------------- */

static void
on_written (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  Export *self = data;
  g_autoptr (GError) error = NULL;
  gboolean written = sl_export_job_run_finish (SL_EXPORT_JOB (source), result, &error);
  g_autofree char *name = g_filename_display_basename (sl_export_job_get_path (self->job));
  /* Translators: a file or folder that was written */
  g_autofree char *sentence = g_strdup_printf (_("“%s” was exported"), name);
  const char *notes = written ? sl_export_job_get_notes (self->job) : NULL;
  g_autofree char *said = notes != NULL ? g_strdup_printf ("%s. %s", sentence, notes) : g_strdup (sentence);

  g_strdelimit (said, "\n", ' ');

  if (self->parent != NULL && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    self->done (self->parent, written ? said : error->message);
  export_free (self);
}

static gboolean
on_patience (gpointer data)
{
  Export *self = data;

  self->patience = 0;
  if (self->parent == NULL)
    return G_SOURCE_REMOVE;
  g_set_weak_pointer (&self->progress, sl_export_progress_new (self->parent, self->job, self->began, self->cancellable));
  gtk_window_present (GTK_WINDOW (self->progress));
  return G_SOURCE_REMOVE;
}

static void
start (Export     *self,
       const char *path)
{
  GtkApplication *application = self->parent != NULL ? gtk_window_get_application (self->parent) : NULL;

  if (application != NULL)
    {
      self->application = g_object_ref (G_APPLICATION (application));
      g_application_hold (self->application);
    }
  self->cancellable = g_cancellable_new ();
  self->began = g_get_monotonic_time ();
  self->patience = g_timeout_add (PATIENCE_MS, on_patience, self);
  sl_export_job_run_async (self->job, path, self->cancellable, on_written, self);
}

static void
on_place (GListModel *files,
          gpointer    data)
{
  Export *self = data;
  g_autofree char *place = sl_choose_dup_path (files);
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;

  if (place == NULL)
    {
      export_free (self);
      return;
    }
  if (!sl_export_job_is_file (self->job))
    {
      name = sl_export_job_dup_name (self->job);
      path = g_build_filename (place, name, NULL);
    }
  start (self, path != NULL ? path : place);
}

static void
ask_for_place (Export *self)
{
  gboolean is_file = sl_export_job_is_file (self->job);
  g_autofree char *name = sl_export_job_dup_name (self->job);
  GtkFileChooser *chooser = sl_choose_new (self->parent,
                                           is_file ? GTK_FILE_CHOOSER_ACTION_SAVE : GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER,
                                           is_file ? _("Export") : _("Choose Where the Folder Goes"), _("_Export"), on_place, self);

  if (is_file)
    gtk_file_chooser_set_current_name (chooser, name);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

static void
go_on (Export *self)
{
  if (self->parent != NULL && sl_export_job_get_n_pictures (self->job) > 0)
    {
      ask_for_place (self);
      return;
    }
  if (self->parent != NULL)
    self->done (self->parent, _("There are no boxes to export"));
  export_free (self);
}

static void
on_classes_read (GObject      *source,
                 GAsyncResult *result,
                 gpointer      data)
{
  Export *self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) list = g_file_load_bytes_finish (G_FILE (source), result, NULL, &error);

  if (list != NULL)
    {
      sl_export_job_set_classes (self->job, list, g_file_peek_path (G_FILE (source)));
      go_on (self);
      return;
    }
  if (self->parent != NULL)
    self->done (self->parent, error->message);
  export_free (self);
}

static void
on_response (AdwMessageDialog *dialog,
             const char       *response,
             Export           *self)
{
  Scope scope = self->scope_row != NULL ? self->first_scope + adw_combo_row_get_selected (self->scope_row) : SCOPE_CONVERSATION;
  SlExportFormat format = adw_combo_row_get_selected (self->format_row);

  if (!g_str_equal (response, "export") || self->parent == NULL)
    {
      export_free (self);
      return;
    }
  if (self->answer == NULL)
    scope = SCOPE_CONVERSATION;
  self->job = sl_export_job_new (format);
  if (self->collect != NULL)
    self->collect (self->job, self->data);
  else if (scope == SCOPE_CONVERSATION)
    sl_export_job_add_conversation (self->job, self->conversation);
  else
    sl_export_job_add_answer (self->job, self->conversation, self->answer,
                              scope == SCOPE_BOX ? self->box : NULL);
  if (self->classes != NULL && sl_export_format_is_set (format))
    g_file_load_bytes_async (self->classes, NULL, on_classes_read, self);
  else
    go_on (self);
}

/* --- asking ---------------------------------------------------------------- */

static AdwComboRow *
add_row (AdwPreferencesGroup *group,
         const char          *title,
         GtkStringList       *entries)
{
  GtkWidget *row = adw_combo_row_new ();

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (entries));
  adw_preferences_group_add (group, row);
  return ADW_COMBO_ROW (row);
}

/* Classes of a set have numbers; a list keeps them the same from one export to the next. */
static void
on_classes_chosen (GListModel *files,
                   gpointer    data)
{
  Export *self = data; /* may be gone where nothing was chosen: the dialog was closed */
  g_autofree char *name = NULL;

  if (files == NULL)
    return;
  g_clear_object (&self->classes);
  self->classes = g_list_model_get_item (files, 0);
  name = g_file_get_basename (self->classes);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->classes_row), name);
}

static void
choose_classes (Export *self)
{
  GtkWindow *dialog = GTK_WINDOW (gtk_widget_get_root (self->classes_row));
  GtkFileChooser *chooser = sl_choose_new (dialog, GTK_FILE_CHOOSER_ACTION_OPEN, _("Choose a List of Classes"), _("_Choose"),
                                           on_classes_chosen, self);

  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

static void
show_classes_row (AdwComboRow *formats,
                  GParamSpec  *pspec,
                  GtkWidget   *classes_row)
{
  guint format = adw_combo_row_get_selected (formats);

  gtk_widget_set_visible (classes_row, format < SL_N_EXPORT_FORMATS && sl_export_format_is_set (format));
}

static GtkWidget *
make_classes_row (Export *self)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (_("C_hoose…"));

  self->classes_row = adw_action_row_new ();
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->classes_row), _("List of classes"));
  adw_action_row_set_subtitle (ADW_ACTION_ROW (self->classes_row), _("None: numbered as they appear"));
  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix (ADW_ACTION_ROW (self->classes_row), button);
  g_signal_connect_swapped (button, "clicked", G_CALLBACK (choose_classes), self);
  g_signal_connect_object (self->format_row, "notify::selected", G_CALLBACK (show_classes_row), self->classes_row, 0);
  show_classes_row (self->format_row, NULL, self->classes_row);
  return self->classes_row;
}

static void
add_scopes (Export              *self,
            AdwPreferencesGroup *group)
{
  g_autoptr (GtkStringList) scopes = gtk_string_list_new (NULL);

  self->first_scope = self->box != NULL ? SCOPE_BOX : SCOPE_ANSWER;
  if (self->box != NULL)
    gtk_string_list_append (scopes, _("This box"));
  if (self->answer != NULL)
    gtk_string_list_append (scopes, _("This answer"));
  gtk_string_list_append (scopes, _("The whole conversation"));
  self->scope_row = add_row (group, _("Boxes of"), scopes);
}

static GtkWidget *
make_choices (Export *self)
{
  AdwPreferencesGroup *group = ADW_PREFERENCES_GROUP (adw_preferences_group_new ());
  g_autoptr (GtkStringList) formats = gtk_string_list_new (NULL);

  if (self->collect == NULL)
    add_scopes (self, group);
  for (guint i = 0; i < SL_N_EXPORT_FORMATS; i++)
    gtk_string_list_append (formats, sl_export_format_get_display_name (i));
  self->format_row = add_row (group, _("Format"), formats);
  if (self->box != NULL || self->collect != NULL)
    adw_combo_row_set_selected (self->format_row, self->box != NULL ? SL_EXPORT_CROPS : SL_EXPORT_COCO);
  adw_preferences_group_add (group, make_classes_row (self));
  return GTK_WIDGET (group);
}

/* Takes over what was filled in. */
static void
present (Export       *self,
         GtkWindow    *parent,
         const char   *what,
         SlExportDone  done)
{
  GtkWidget *dialog = adw_message_dialog_new (parent, _("Export Boxes"), what);

  g_set_weak_pointer (&self->parent, parent);
  self->done = done;
  adw_message_dialog_set_extra_child (ADW_MESSAGE_DIALOG (dialog), make_choices (self));
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Cancel"), "export",
                                    _("_Export…"), NULL);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "export");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "export",
                                              ADW_RESPONSE_SUGGESTED);
  g_signal_connect (dialog, "response", G_CALLBACK (on_response), self);
  gtk_window_present (GTK_WINDOW (dialog));
}

void
sl_export_dialog_present (GtkWindow      *parent,
                          SlConversation *conversation,
                          SlMessage      *answer,
                          SlBoxItem      *box,
                          SlExportDone    done)
{
  Export *self = g_new0 (Export, 1);

  self->conversation = g_object_ref (conversation);
  self->answer = answer ? g_object_ref (answer) : NULL;
  self->box = box ? g_object_ref (box) : NULL;
  present (self, parent, _("Hidden boxes are left out."), done);
}

void
sl_export_dialog_present_collected (GtkWindow       *parent,
                                    const char      *what,
                                    SlExportCollect  collect,
                                    gpointer         data,
                                    GDestroyNotify   destroy,
                                    SlExportDone     done)
{
  Export *self = g_new0 (Export, 1);

  self->collect = collect;
  self->data = data;
  self->destroy = destroy;
  present (self, parent, what, done);
}
