/* SPDX-License-Identifier: MIT
 *
 * Two buttons.
 */
#include "ui/models/sl-access-box.h"

#include "ui/models/sl-token-dialog.h"

#include <glib/gi18n.h>

struct _SlAccessBox
{
  GtkBox parent_instance;

  char *endpoint, *address;
};

static guint again_signal;

G_DEFINE_FINAL_TYPE (SlAccessBox, sl_access_box, GTK_TYPE_BOX)

static GtkWindow *
get_window (SlAccessBox *self)
{
  return GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self)));
}

static void
on_page (SlAccessBox *self)
{
  gtk_show_uri (get_window (self), self->address, GDK_CURRENT_TIME);
}

static void
on_kept (gpointer self)
{
  g_signal_emit (self, again_signal, 0);
}

static void
on_token (SlAccessBox *self)
{
  sl_token_dialog_show (get_window (self), self->endpoint, on_kept, g_object_ref (self), g_object_unref);
}

void
sl_access_box_update (SlAccessBox    *self,
                      SlDownloads    *downloads,
                      SlDownloadItem *item)
{
  const GError *error = item != NULL ? sl_download_item_get_error (item) : NULL;
  gboolean wanted = g_error_matches (error, SL_HTTP_ERROR, SL_HTTP_ERROR_ACCESS);

  g_return_if_fail (SL_IS_ACCESS_BOX (self));

  if (wanted && self->address == NULL)
    {
      self->endpoint = g_strdup (sl_downloads_get_endpoint (downloads));
      self->address = g_strdup_printf ("%s/%s", self->endpoint, sl_download_item_get_repo (item));
    }
  gtk_widget_set_visible (GTK_WIDGET (self), wanted);
}

static void
sl_access_box_finalize (GObject *object)
{
  SlAccessBox *self = SL_ACCESS_BOX (object);

  g_free (self->endpoint);
  g_free (self->address);
  G_OBJECT_CLASS (sl_access_box_parent_class)->finalize (object);
}

static void
sl_access_box_class_init (SlAccessBoxClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_access_box_finalize;
  again_signal = g_signal_new ("again", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_access_box_init (SlAccessBox *self)
{
  GtkWidget *page = gtk_button_new_with_label (_("Open Its Page"));
  GtkWidget *token = gtk_button_new_with_label (_("Token…"));

  gtk_box_set_spacing (GTK_BOX (self), 6);
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
  g_signal_connect_object (page, "clicked", G_CALLBACK (on_page), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (token, "clicked", G_CALLBACK (on_token), self, G_CONNECT_SWAPPED);
  gtk_box_append (GTK_BOX (self), page);
  gtk_box_append (GTK_BOX (self), token);
}
