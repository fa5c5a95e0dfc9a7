/* SPDX-License-Identifier: MIT
 *
 * Shows one repository and its download.
 */
#include "ui/models/sl-download-row.h"

#include "app/hub/sl-published.h"
#include "ui/models/sl-access-box.h"
#include "ui/models/sl-licence.h"
#include "ui/models/sl-progress-text.h"

#include <glib/gi18n.h>

struct _SlDownloadRow
{
  AdwPreferencesRow parent_instance;

  SlDownloads *downloads;
  SlDownloadItem *item; /* NULL until there is one */
  char *repo;
  GtkLabel *name, *about, *status;
  GtkProgressBar *bar;
  GtkWidget *begin, *first, *stop, *discard;
  SlAccessBox *access;
};

G_DEFINE_FINAL_TYPE (SlDownloadRow, sl_download_row, ADW_TYPE_PREFERENCES_ROW)

/* --- what it shows --------------------------------------------------------- */

static void
update (SlDownloadRow *self)
{
  SlDownloadItemState state = self->item != NULL ? sl_download_item_get_state (self->item) : SL_DOWNLOAD_ITEM_DONE;
  const SlDownloadProgress *progress = self->item != NULL ? sl_download_item_get_progress (self->item) : NULL;
  gboolean active = self->item != NULL && (state == SL_DOWNLOAD_ITEM_RUNNING || state == SL_DOWNLOAD_ITEM_QUEUED);
  gboolean begun = self->item != NULL && state != SL_DOWNLOAD_ITEM_DONE;
  g_autofree char *status = self->item != NULL ? sl_progress_dup_download (self->item) : NULL;

  gtk_label_set_label (self->status, status != NULL ? status : "");
  gtk_widget_set_visible (GTK_WIDGET (self->status), status != NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->bar), begun);
  if (progress != NULL && progress->total > 0)
    gtk_progress_bar_set_fraction (self->bar, (double) progress->bytes / progress->total);
  gtk_button_set_label (GTK_BUTTON (self->begin), begun ? sl_progress_get_resume (self->item) : _("Download"));
  gtk_widget_set_visible (self->begin, !active && (self->item == NULL || begun));
  gtk_widget_set_visible (self->first, self->item != NULL && sl_download_item_get_ahead (self->item) > 1);
  gtk_widget_set_visible (self->stop, active);
  gtk_widget_set_visible (self->discard, begun);
  sl_access_box_update (self->access, self->downloads, self->item);
}

/* There is an item for the repository from the moment it is asked for to its end or its being discarded. */
static void
follow (SlDownloadRow *self)
{
  SlDownloadItem *item = sl_downloads_find (self->downloads, self->repo);

  if (item != self->item)
    {
      if (self->item != NULL)
        g_signal_handlers_disconnect_by_func (self->item, update, self);
      g_set_object (&self->item, item);
      if (item != NULL)
        g_signal_connect_object (item, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
    }
  update (self);
}

/* --- actions --------------------------------------------------------------- */

static void
on_accepted (const char *repo,
             gpointer    data)
{
  sl_downloads_add (data, repo);
}

void
sl_download_row_begin (SlDownloadRow *self)
{
  g_autofree char *address = NULL;

  g_return_if_fail (SL_IS_DOWNLOAD_ROW (self));

  if (self->item != NULL)
    {
      sl_downloads_resume (self->downloads, self->item);
      return;
    }
  address = g_strdup_printf ("%s/%s", sl_downloads_get_endpoint (self->downloads), self->repo);
  sl_licence_ask_repository (GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))), self->repo, address,
                             sl_published_find (self->repo) != NULL, on_accepted, g_object_ref (self->downloads), g_object_unref);
}

static void
on_begin (GtkWidget  *widget,
          const char *action,
          GVariant   *parameter)
{
  sl_download_row_begin (SL_DOWNLOAD_ROW (widget));
}

static void
on_first (GtkWidget  *widget,
          const char *action,
          GVariant   *parameter)
{
  SlDownloadRow *self = SL_DOWNLOAD_ROW (widget);

  if (self->item != NULL)
    sl_downloads_put_first (self->downloads, self->item);
}

static void
on_stop (GtkWidget  *widget,
         const char *action,
         GVariant   *parameter)
{
  SlDownloadRow *self = SL_DOWNLOAD_ROW (widget);

  if (self->item != NULL)
    sl_downloads_stop (self->downloads, self->item);
}

static void
on_discard (GtkWidget  *widget,
            const char *action,
            GVariant   *parameter)
{
  SlDownloadRow *self = SL_DOWNLOAD_ROW (widget);

  if (self->item != NULL)
    sl_downloads_discard (self->downloads, self->item);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_download_row_dispose (GObject *object)
{
  SlDownloadRow *self = SL_DOWNLOAD_ROW (object);

  g_clear_object (&self->item);
  g_clear_object (&self->downloads);
  G_OBJECT_CLASS (sl_download_row_parent_class)->dispose (object);
}

static void
sl_download_row_finalize (GObject *object)
{
  g_free (SL_DOWNLOAD_ROW (object)->repo);
  G_OBJECT_CLASS (sl_download_row_parent_class)->finalize (object);
}

static void
sl_download_row_class_init (SlDownloadRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  g_type_ensure (SL_TYPE_ACCESS_BOX);
  object_class->dispose = sl_download_row_dispose;
  object_class->finalize = sl_download_row_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-download-row.ui");
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, name);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, about);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, status);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, bar);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, begin);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, first);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, stop);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, discard);
  gtk_widget_class_bind_template_child (widget_class, SlDownloadRow, access);
  gtk_widget_class_bind_template_callback (widget_class, sl_download_row_begin);
  gtk_widget_class_install_action (widget_class, "download.begin", NULL, on_begin);
  gtk_widget_class_install_action (widget_class, "download.first", NULL, on_first);
  gtk_widget_class_install_action (widget_class, "download.stop", NULL, on_stop);
  gtk_widget_class_install_action (widget_class, "download.discard", NULL, on_discard);
}

static void
sl_download_row_init (SlDownloadRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

static void
describe (SlDownloadRow *self,
          guint64        memory)
{
  const SlPublished *published = sl_published_find (self->repo);
  const char *name = published != NULL ? published->name : self->repo;
  g_autofree char *size = published != NULL ? g_format_size (published->bytes) : NULL;
  g_autofree char *fit = published != NULL ? sl_published_dup_fit (published, memory) : NULL;
  g_autofree char *about = NULL;
  g_autofree char *title = NULL;

  /* Translators: "DeepSeek-VL2 Tiny, 6.7 GB" */
  title = size != NULL ? g_strdup_printf (_("%s, %s"), name, size) : g_strdup (name);
  if (published != NULL && published == sl_published_recommend (memory))
    about = g_strdup_printf (_("%s. %s. Recommended for this computer."), _(published->about), fit);
  else if (published != NULL)
    about = g_strdup_printf ("%s. %s.", _(published->about), fit);
  gtk_label_set_label (self->name, title);
  gtk_label_set_label (self->about, about != NULL ? about : "");
  gtk_widget_set_visible (GTK_WIDGET (self->about), about != NULL);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), name);
}

GtkWidget *
sl_download_row_new (SlDownloads *downloads,
                     const char  *repo,
                     guint64      memory)
{
  SlDownloadRow *self = g_object_new (SL_TYPE_DOWNLOAD_ROW, NULL);

  self->downloads = g_object_ref (downloads);
  self->repo = g_strdup (repo);
  describe (self, memory);
  g_signal_connect_object (downloads, "items-changed", G_CALLBACK (follow), self, G_CONNECT_SWAPPED);
  follow (self);
  return GTK_WIDGET (self);
}

const char *
sl_download_row_get_repo (SlDownloadRow *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOAD_ROW (self), NULL);

  return self->repo;
}
