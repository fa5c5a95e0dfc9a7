/* SPDX-License-Identifier: MIT
 *
 * One dialog for every file or folder that is asked for. It keeps itself until it is answered.
 */
#include "ui/sl-choose.h"

typedef struct
{
  GtkFileChooserNative *native;
  GtkWindow *parent;
  SlChosen chosen;
  gpointer data;
} Asking;

/* The dialog goes first: GTK 4.8 loses what it has noted of a file that vanishes in a folder that it watches. */
static void
answer (Asking     *self,
        GListModel *files)
{
  g_signal_handlers_disconnect_by_data (self->parent, self);
  g_signal_handlers_disconnect_by_data (self->native, self);
  g_clear_object (&self->native);
  self->chosen (files != NULL && g_list_model_get_n_items (files) > 0 ? files : NULL, self->data);
  g_free (self);
}

static void
on_response (Asking *self,
             int     response)
{
  g_autoptr (GListModel) files = NULL;

  if (response == GTK_RESPONSE_ACCEPT)
    files = gtk_file_chooser_get_files (GTK_FILE_CHOOSER (self->native));
  answer (self, files);
}

static void
on_parent_destroyed (Asking *self)
{
  answer (self, NULL);
}

GtkFileChooser *
sl_choose_new (GtkWindow            *parent,
               GtkFileChooserAction  action,
               const char           *title,
               const char           *accept,
               SlChosen              chosen,
               gpointer              data)
{
  Asking *self = g_new0 (Asking, 1);

  g_return_val_if_fail (GTK_IS_WINDOW (parent), NULL);

  self->native = gtk_file_chooser_native_new (title, parent, action, accept, NULL);
  self->parent = parent;
  self->chosen = chosen;
  self->data = data;
  g_signal_connect_swapped (self->native, "response", G_CALLBACK (on_response), self);
  g_signal_connect_swapped (parent, "destroy", G_CALLBACK (on_parent_destroyed), self);
  gtk_native_dialog_set_modal (GTK_NATIVE_DIALOG (self->native), TRUE);
  return GTK_FILE_CHOOSER (self->native);
}

char *
sl_choose_dup_path (GListModel *files)
{
  g_autoptr (GFile) file = files != NULL ? g_list_model_get_item (files, 0) : NULL;

  return file != NULL ? g_file_get_path (file) : NULL;
}
