/* SPDX-License-Identifier: MIT
 *
 * The sizes come from the headers of the weights, which a thread reads; what a format costs is SlFormat's.
 */
#include "ui/models/sl-quantise-dialog.h"

#include "app/hub/sl-library.h"
#include "app/inference/sl-model-folder.h"

#include <glib/gi18n.h>

struct _SlQuantiseDialog
{
  AdwMessageDialog parent_instance;

  char *dir, *files; /* files: where they are in a cache's folder */
  AdwComboRow *format; /* its rows are in the order of SlFormat */
  GtkSwitch *vision;
  GtkLabel *size, *loss;
  guint64 bytes[SL_N_FORMATS]; /* 0: unknown */
  guint64 room;                /* on the disk of the library, G_MAXUINT64 unknown */
  GCancellable *cancellable;
};

G_DEFINE_FINAL_TYPE (SlQuantiseDialog, sl_quantise_dialog, ADW_TYPE_MESSAGE_DIALOG)

SlFormat
sl_quantise_dialog_get_format (SlQuantiseDialog *self)
{
  g_return_val_if_fail (SL_IS_QUANTISE_DIALOG (self), SL_FORMAT_INT8);

  return MIN (adw_combo_row_get_selected (self->format), SL_N_FORMATS - 1);
}

gboolean
sl_quantise_dialog_get_vision_int8 (SlQuantiseDialog *self)
{
  g_return_val_if_fail (SL_IS_QUANTISE_DIALOG (self), FALSE);

  return gtk_switch_get_active (self->vision);
}

char *
sl_quantise_dialog_dup_dest (SlQuantiseDialog *self)
{
  g_autofree char *folder = sl_library_dup_dir ();
  g_autofree char *name = NULL;

  g_return_val_if_fail (SL_IS_QUANTISE_DIALOG (self), NULL);

  name = sl_model_folder_dup_name (self->dir);
  return g_strdup_printf ("%s/%s-%s", folder, name, sl_format_get_name (sl_quantise_dialog_get_format (self)));
}

/* --- what it says ---------------------------------------------------------- */

static void
update (SlQuantiseDialog *self)
{
  SlFormat chosen = sl_quantise_dialog_get_format (self);
  guint64 bytes = self->bytes[chosen];
  g_autofree char *dest = sl_quantise_dialog_dup_dest (self);
  g_autofree char *size = g_format_size (bytes);
  g_autofree char *room = g_format_size (self->room);
  g_autofree char *sentence = NULL;
  gboolean exists = g_file_test (dest, G_FILE_TEST_EXISTS), fits = bytes < self->room;

  if (exists)
    sentence = g_strdup (_("There is a model of this name and format already."));
  else if (bytes == 0)
    sentence = g_strdup (_("Looking at the weights…"));
  else if (!fits)
    /* Translators: two sizes */
    sentence = g_strdup_printf (_("Takes about %s, but the disk has room for %s."), size, room);
  else
    sentence = g_strdup_printf (_("Takes about %s on the disk and in memory."), size);
  gtk_label_set_label (self->size, sentence);
  gtk_label_set_label (self->loss, sl_format_get_cost (chosen));
  adw_message_dialog_set_response_enabled (ADW_MESSAGE_DIALOG (self), "quantise", bytes > 0 && fits && !exists);
}

typedef struct
{
  guint64 bytes[SL_N_FORMATS], room;
  SlFormat best;
} Look;

static void
look (GTask        *task,
      gpointer      source,
      gpointer      data,
      GCancellable *cancellable)
{
  const char *files = data;
  Look *found = g_new0 (Look, 1);
  g_autofree char *folder = sl_library_dup_dir ();
  g_autofree char *parent = g_path_get_dirname (folder);
  g_autoptr (GFile) file = g_file_new_for_path (g_file_test (folder, G_FILE_TEST_IS_DIR) ? folder : parent);
  g_autoptr (GFileInfo) info = g_file_query_filesystem_info (file, G_FILE_ATTRIBUTE_FILESYSTEM_FREE, NULL, NULL);

  for (SlFormat format = 0; format < SL_N_FORMATS; format++)
    found->bytes[format] = sl_format_estimate (files, format);
  found->room = info != NULL ? g_file_info_get_attribute_uint64 (info, G_FILE_ATTRIBUTE_FILESYSTEM_FREE) : G_MAXUINT64;
  found->best = sl_format_for (files);
  g_task_return_pointer (task, found, g_free);
}

static void
on_look (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  SlQuantiseDialog *self = SL_QUANTISE_DIALOG (source);
  g_autofree Look *found = g_task_propagate_pointer (G_TASK (result), NULL);

  if (found == NULL) /* closed meanwhile */
    return;
  memcpy (self->bytes, found->bytes, sizeof self->bytes);
  self->room = found->room;
  adw_combo_row_set_selected (self->format, found->best);
  update (self);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_quantise_dialog_dispose (GObject *object)
{
  g_cancellable_cancel (SL_QUANTISE_DIALOG (object)->cancellable);
  G_OBJECT_CLASS (sl_quantise_dialog_parent_class)->dispose (object);
}

static void
sl_quantise_dialog_finalize (GObject *object)
{
  SlQuantiseDialog *self = SL_QUANTISE_DIALOG (object);

  g_object_unref (self->cancellable);
  g_free (self->dir);
  g_free (self->files);
  G_OBJECT_CLASS (sl_quantise_dialog_parent_class)->finalize (object);
}

static void
sl_quantise_dialog_class_init (SlQuantiseDialogClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_quantise_dialog_dispose;
  G_OBJECT_CLASS (klass)->finalize = sl_quantise_dialog_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-quantise-dialog.ui");
  gtk_widget_class_bind_template_child (widget_class, SlQuantiseDialog, format);
  gtk_widget_class_bind_template_child (widget_class, SlQuantiseDialog, vision);
  gtk_widget_class_bind_template_child (widget_class, SlQuantiseDialog, size);
  gtk_widget_class_bind_template_child (widget_class, SlQuantiseDialog, loss);
  gtk_widget_class_bind_template_callback (widget_class, update);
}

static void
sl_quantise_dialog_init (SlQuantiseDialog *self)
{
  self->room = G_MAXUINT64;
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_quantise_dialog_new (GtkWindow  *parent,
                        const char *dir)
{
  SlQuantiseDialog *self = g_object_new (SL_TYPE_QUANTISE_DIALOG, "transient-for", parent, NULL);
  AdwMessageDialog *dialog = ADW_MESSAGE_DIALOG (self);
  g_autoptr (GTask) task = g_task_new (self, self->cancellable, on_look, NULL);
  g_autofree char *name = sl_model_folder_dup_name (dir);
  g_autofree char *shown = g_filename_display_name (name);

  self->dir = g_strdup (dir);
  self->files = sl_model_folder_resolve (dir);
  /* Translators: name of a model */
  adw_message_dialog_format_heading (dialog, _("Quantise %s"), shown);
  adw_message_dialog_add_responses (dialog, "cancel", _("_Cancel"), "quantise", _("_Quantise"), NULL);
  adw_message_dialog_set_response_appearance (dialog, "quantise", ADW_RESPONSE_SUGGESTED);
  update (self);
  g_task_set_source_tag (task, sl_quantise_dialog_new);
  g_task_set_task_data (task, g_strdup (self->files), g_free);
  g_task_run_in_thread (task, look);
  return GTK_WIDGET (self);
}
