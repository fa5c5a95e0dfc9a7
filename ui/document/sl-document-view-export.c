/* SPDX-License-Identifier: MIT
 *
 * Asks for a format and a place, and writes what was read. It goes on when the view shows another document.
 */
#include "ui/document/sl-document-view-private.h"

#include "app/document/sl-page-files.h"
#include "ui/sl-choose.h"

#include <glib/gi18n.h>
#include <string.h>

static void
on_written (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (SlDocumentView) self = data;
  g_autoptr (GError) error = NULL;
  g_autofree char *sentence = NULL;

  if (sl_document_export_finish (SL_DOCUMENT (source), result, &error))
    sentence = g_strdup (_("The document was exported"));
  if (self->box != NULL)
    sl_document_view_say (self, sentence != NULL ? sentence : error->message);
}

/* What was chosen in the dialog. */
typedef struct
{
  SlDocumentView *view;
  SlDocument *document;
  SlPagesFormat format;
} Choice;

static void
on_place (GListModel *files,
          gpointer    data)
{
  g_autofree Choice *choice = data;
  g_autoptr (SlDocumentView) view = choice->view;
  g_autoptr (SlDocument) document = choice->document;
  g_autofree char *path = sl_choose_dup_path (files);
  const char *ending = sl_pages_format_get_ending (choice->format);
  gboolean asked;

  if (path == NULL)
    return;
  /* The dialog has asked about the file that it names, not about one with an ending more. */
  asked = g_str_has_suffix (path, ending);
  if (asked)
    path[strlen (path) - strlen (ending)] = '\0';
  sl_document_export_async (document, choice->format, path, asked, NULL, on_written, g_object_ref (view));
}

static char *
dup_name (const Choice *choice)
{
  g_autofree char *name = g_strdup (sl_document_get_title (choice->document));
  char *dot = strrchr (name, '.');

  if (dot != NULL && dot != name)
    *dot = '\0';
  /* Translators: part of a file's name, beside the original */
  return g_strdup_printf ("%s %s%s", name, _("(read)"), sl_pages_format_get_ending (choice->format));
}

static void
on_response (SlDocumentView   *self,
             const char       *response,
             AdwMessageDialog *dialog)
{
  AdwComboRow *row = g_object_get_data (G_OBJECT (dialog), "format");
  g_autofree char *name = NULL;
  GtkFileChooser *chooser;
  Choice *choice;

  if (!g_str_equal (response, "export") || self->document == NULL)
    return;
  choice = g_new (Choice, 1);
  *choice = (Choice) { g_object_ref (self), g_object_ref (self->document), adw_combo_row_get_selected (row) };
  name = dup_name (choice);
  chooser = sl_choose_new (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), GTK_FILE_CHOOSER_ACTION_SAVE, _("Export"), _("_Export"),
                           on_place, choice);
  gtk_file_chooser_set_current_name (chooser, name);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}

static GtkWidget *
make_choices (GtkWidget *dialog)
{
  GtkWidget *group = adw_preferences_group_new (), *row = adw_combo_row_new ();
  g_autoptr (GtkStringList) formats = gtk_string_list_new (NULL);

  for (guint i = 0; i < SL_N_PAGES_FORMATS; i++)
    gtk_string_list_append (formats, sl_pages_format_get_display_name (i));
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), _("Format"));
  adw_combo_row_set_model (ADW_COMBO_ROW (row), G_LIST_MODEL (formats));
  adw_combo_row_set_selected (ADW_COMBO_ROW (row), SL_PAGES_PDF);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), row);
  g_object_set_data (G_OBJECT (dialog), "format", row);
  return group;
}

void
sl_document_view_export (SlDocumentView *self)
{
  guint n = sl_document_count_read (self->document);
  g_autofree char *body = g_strdup_printf (ngettext ("%u page was read.", "%u pages were read.", n), n);
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), _("Export the Document"), body);

  adw_message_dialog_set_extra_child (ADW_MESSAGE_DIALOG (dialog), make_choices (dialog));
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Cancel"), "export", _("_Export…"), NULL);
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), "export");
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), "export", ADW_RESPONSE_SUGGESTED);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_response), self, G_CONNECT_SWAPPED);
  gtk_window_present (GTK_WINDOW (dialog));
}
