/* SPDX-License-Identifier: MIT
 *
 * The dialog before a folder is asked about. Pictures are counted on a worker.
 */
#include "ui/folder/sl-folder-dialog.h"

#include "app/pictures/sl-picture-folder.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#define SL_TYPE_FOLDER_DIALOG (sl_folder_dialog_get_type ())

G_DECLARE_FINAL_TYPE (SlFolderDialog, sl_folder_dialog, SL, FOLDER_DIALOG, AdwMessageDialog)

struct _SlFolderDialog
{
  AdwMessageDialog parent_instance;

  char *path;
  SlFolderChosen chosen;
  GtkEditable *prompt;
  AdwComboRow *mode;
  AdwActionRow *folder;
  GtkSwitch *recursive;
  GCancellable *counting;
  guint n_pictures;
};

G_DEFINE_FINAL_TYPE (SlFolderDialog, sl_folder_dialog, ADW_TYPE_MESSAGE_DIALOG)

static void
update_response (SlFolderDialog *self)
{
  g_autofree char *words = g_strstrip (g_strdup (gtk_editable_get_text (self->prompt)));

  adw_message_dialog_set_response_enabled (ADW_MESSAGE_DIALOG (self), "ask", *words != '\0' && self->n_pictures > 0);
}

static void
count (GTask        *task,
       gpointer      source,
       gpointer      data,
       GCancellable *cancellable)
{
  SlFolderDialog *self = source;
  GError *error = NULL;
  g_autoptr (GPtrArray) found = sl_picture_folder_find (self->path, GPOINTER_TO_INT (data), NULL, NULL, cancellable, &error);

  if (found != NULL)
    g_task_return_int (task, found->len);
  else
    g_task_return_error (task, error);
}

static void
on_counted (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  SlFolderDialog *self = SL_FOLDER_DIALOG (source);
  g_autoptr (GError) error = NULL;
  gssize n = g_task_propagate_int (G_TASK (result), &error);
  g_autofree char *sentence = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->folder == NULL)
    return;
  self->n_pictures = MAX (n, 0);
  sentence = error != NULL ? g_markup_escape_text (error->message, -1)
                           : g_strdup_printf (ngettext ("%u picture", "%u pictures", self->n_pictures), self->n_pictures);
  adw_action_row_set_subtitle (self->folder, sentence);
  update_response (self);
}

static void
start_counting (SlFolderDialog *self)
{
  g_autoptr (GTask) task = NULL;

  g_cancellable_cancel (self->counting);
  g_clear_object (&self->counting);
  self->counting = g_cancellable_new ();
  task = g_task_new (self, self->counting, on_counted, NULL);
  g_task_set_task_data (task, GINT_TO_POINTER (gtk_switch_get_active (self->recursive)), NULL);
  g_task_run_in_thread (task, count);
}

static void
sl_folder_dialog_response (AdwMessageDialog *dialog,
                           const char       *response)
{
  SlFolderDialog *self = SL_FOLDER_DIALOG (dialog);
  GtkWindow *parent = gtk_window_get_transient_for (GTK_WINDOW (dialog));
  g_autofree char *words = g_strstrip (g_strdup (gtk_editable_get_text (self->prompt)));

  if (g_str_equal (response, "ask") && parent != NULL)
    self->chosen (parent, self->path, gtk_switch_get_active (self->recursive), words, adw_combo_row_get_selected (self->mode));
}

/* --- object ---------------------------------------------------------------- */

static void
sl_folder_dialog_dispose (GObject *object)
{
  SlFolderDialog *self = SL_FOLDER_DIALOG (object);

  g_cancellable_cancel (self->counting);
  self->folder = NULL;
  G_OBJECT_CLASS (sl_folder_dialog_parent_class)->dispose (object);
}

static void
sl_folder_dialog_finalize (GObject *object)
{
  SlFolderDialog *self = SL_FOLDER_DIALOG (object);

  g_clear_object (&self->counting);
  g_free (self->path);
  G_OBJECT_CLASS (sl_folder_dialog_parent_class)->finalize (object);
}

static void
sl_folder_dialog_class_init (SlFolderDialogClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = sl_folder_dialog_dispose;
  G_OBJECT_CLASS (klass)->finalize = sl_folder_dialog_finalize;
  ADW_MESSAGE_DIALOG_CLASS (klass)->response = sl_folder_dialog_response;
}

static GtkWidget *
make_mode_row (SlFolderDialog *self)
{
  g_autoptr (GtkStringList) modes = gtk_string_list_new (NULL);

  for (guint i = 0; i < SL_N_MODES; i++)
    gtk_string_list_append (modes, sl_mode_get_display_name (i));
  self->mode = ADW_COMBO_ROW (adw_combo_row_new ());
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->mode), _("Mode"));
  adw_combo_row_set_model (self->mode, G_LIST_MODEL (modes));
  return GTK_WIDGET (self->mode);
}

static GtkWidget *
make_recursive_row (SlFolderDialog *self)
{
  GtkWidget *row = adw_action_row_new ();

  self->recursive = GTK_SWITCH (gtk_switch_new ());
  gtk_widget_set_valign (GTK_WIDGET (self->recursive), GTK_ALIGN_CENTER);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _("Sub Folders Too"));
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), GTK_WIDGET (self->recursive));
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), GTK_WIDGET (self->recursive));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->recursive), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Sub Folders Too"), -1);
  g_signal_connect_swapped (self->recursive, "notify::active", G_CALLBACK (start_counting), self);
  return row;
}

static void
sl_folder_dialog_init (SlFolderDialog *self)
{
  GtkWidget *group = adw_preferences_group_new ();
  GtkWidget *prompt = adw_entry_row_new ();

  self->prompt = GTK_EDITABLE (prompt);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (prompt), _("What to Ask About Each Picture"));
  g_signal_connect_swapped (prompt, "changed", G_CALLBACK (update_response), self);
  self->folder = ADW_ACTION_ROW (adw_action_row_new ());
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), GTK_WIDGET (self->folder));
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), make_recursive_row (self));
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), prompt);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), make_mode_row (self));
  adw_message_dialog_set_extra_child (ADW_MESSAGE_DIALOG (self), group);
  adw_message_dialog_set_heading (ADW_MESSAGE_DIALOG (self), _("Ask About a Folder"));
  adw_message_dialog_set_body (ADW_MESSAGE_DIALOG (self), _("Each picture is asked about by itself. The history keeps a copy of it."));
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (self), "cancel", _("_Cancel"), "ask", _("_Ask"), NULL);
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (self), "ask", ADW_RESPONSE_SUGGESTED);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (self), "ask");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (self), "cancel");
}

void
sl_folder_dialog_present (GtkWindow      *parent,
                          const char     *path,
                          const char     *prompt,
                          SlMode          mode,
                          SlFolderChosen  chosen)
{
  SlFolderDialog *self = g_object_new (SL_TYPE_FOLDER_DIALOG, "transient-for", parent, "modal", TRUE, NULL);
  g_autofree char *name = g_filename_display_basename (path);
  g_autofree char *title = g_markup_escape_text (name, -1);

  self->path = g_strdup (path);
  self->chosen = chosen;
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self->folder), title);
  gtk_editable_set_text (self->prompt, prompt);
  adw_combo_row_set_selected (self->mode, mode);
  update_response (self);
  start_counting (self);
  gtk_widget_grab_focus (GTK_WIDGET (self->prompt));
  gtk_window_present (GTK_WINDOW (self));
}
