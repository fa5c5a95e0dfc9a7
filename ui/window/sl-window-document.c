/* SPDX-License-Identifier: MIT
 *
 * Documents in the window: files that come while a document model is loaded, or that are chosen as such. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include "ui/sl-choose.h"

#include <glib/gi18n.h>

static void
on_close (SlWindow *self)
{
  gtk_stack_set_visible_child_name (self->pages, "main");
  sl_document_view_set_document (self->document, NULL);
}

static void
open_paths (SlWindow  *self,
            GPtrArray *paths)
{
  g_autoptr (SlDocument) document = sl_document_new (self->engine, NULL);

  if (self->document == NULL)
    {
      self->document = SL_DOCUMENT_VIEW (sl_document_view_new (self->engine));
      g_signal_connect_swapped (self->document, "close", G_CALLBACK (on_close), self);
      g_signal_connect_swapped (self->document, "said", G_CALLBACK (sl_window_toast), self);
      gtk_stack_add_named (self->pages, GTK_WIDGET (self->document), "document");
    }
  sl_document_view_set_document (self->document, document);
  sl_document_open (document, paths);
  gtk_stack_set_visible_child_name (self->pages, "document");
}

gboolean
sl_window_open_documents (SlWindow  *self,
                          GPtrArray *files)
{
  const SlModelInfo *info = sl_engine_get_info (self->engine);
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();

  for (guint i = 0; i < files->len; i++)
    if (g_file_peek_path (files->pdata[i]) != NULL)
      g_ptr_array_add (paths, (gpointer) g_file_peek_path (files->pdata[i]));
  if (info == NULL || !info->document || paths->len == 0)
    return FALSE;
  open_paths (self, paths);
  return TRUE;
}

static void
on_chosen (GListModel *files,
           gpointer    data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; files != NULL && i < g_list_model_get_n_items (files); i++)
    {
      g_autoptr (GFile) file = g_list_model_get_item (files, i);

      if (g_file_peek_path (file) != NULL)
        g_ptr_array_add (paths, g_file_get_path (file));
    }
  if (paths->len > 0 && self->toasts != NULL)
    open_paths (self, paths);
}

void
sl_window_choose_document (GtkWidget  *widget,
                           const char *name,
                           GVariant   *parameter)
{
  g_autoptr (GtkFileFilter) pages = gtk_file_filter_new ();
  GtkFileChooser *chooser = sl_choose_new (GTK_WINDOW (widget), GTK_FILE_CHOOSER_ACTION_OPEN, _("Open a Document"), _("_Open"), on_chosen,
                                           g_object_ref (widget));

  gtk_file_chooser_set_select_multiple (chooser, TRUE);
  gtk_file_filter_set_name (pages, _("PDF documents and pictures"));
  gtk_file_filter_add_mime_type (pages, "application/pdf");
  gtk_file_filter_add_mime_type (pages, "image/*");
  gtk_file_chooser_add_filter (chooser, pages);
  gtk_native_dialog_show (GTK_NATIVE_DIALOG (chooser));
}
