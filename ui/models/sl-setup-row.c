/* SPDX-License-Identifier: MIT
 *
 * Follows the SlModelSetup of the list of models, and the download of its repository whoever began it.
 */
#include "ui/models/sl-setup-row.h"

#include "app/hub/sl-published.h"
#include "app/inference/sl-read-rate.h"
#include "ui/models/sl-access-box.h"
#include "ui/models/sl-licence.h"
#include "ui/models/sl-progress-text.h"

#include <glib/gi18n.h>
#include <math.h>

struct _SlSetupRow
{
  AdwPreferencesRow parent_instance;

  SlModelSetup *setup;
  SlDownloads *downloads;
  const SlPublished *model;
  SlFormat format;
  guint64 memory;
  SlDownloadItem *item; /* of the model, NULL until there is one */
  GCancellable *cancellable;
  GtkLabel *name, *about, *status;
  GtkProgressBar *bar;
  GtkWidget *begin, *stop;
  SlAccessBox *access;
};

G_DEFINE_FINAL_TYPE (SlSetupRow, sl_setup_row, ADW_TYPE_PREFERENCES_ROW)

/* --- words ----------------------------------------------------------------- */

/* read_rate: 0 unknown, yet. */
static void
describe (SlSetupRow *self,
          double      read_rate)
{
  gboolean mix = self->format == SL_FORMAT_MIX;
  double words = sl_published_estimate_words (self->model, mix, read_rate);
  long shown = words < 10 ? MAX (lround (words), 1) : lround (words / 5) * 5;
  g_autofree char *size = g_format_size (mix ? self->model->mix_bytes : self->model->int8_bytes);
  g_autofree char *download = g_format_size (self->model->bytes);
  g_autofree char *memory = g_format_size (self->memory);
  g_autofree char *title = NULL;
  g_autofree char *fit = NULL;
  g_autofree char *about = NULL;

  /* Translators: a model, a format, its size: "DeepSeek-VL2 Tiny, int8, 4.1 GB" */
  title = g_strdup_printf (_("%s, %s, %s"), self->model->name, sl_format_get_name (self->format), size);
  if (self->memory == 0 || sl_published_fits (self->model, mix, self->memory))
    fit = words > 0
            /* Translators: the computer's memory, a number */
            ? g_strdup_printf (ngettext ("Fits your %s of memory, about %ld word a second.", "Fits your %s of memory, about %ld words a second.",
                                         shown), memory, shown)
            : g_strdup_printf (_("Fits your %s of memory."), memory);
  else
    fit = g_strdup_printf (_("Needs more than your %s of memory"), memory);
  /* Translators: a sentence about memory and speed, the size of a download */
  about = g_strdup_printf (_("%s Downloads %s, verifies and quantises them, and asks a first question."), fit, download);
  gtk_label_set_label (self->name, title);
  gtk_label_set_label (self->about, about);
  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (self), title);
}

static char *
dup_quantising (SlModelWork *work)
{
  SlModelWorkProgress progress;
  g_autofree char *numbers = NULL;

  sl_model_work_get_progress (work, &progress);
  numbers = sl_progress_dup_text (progress.bytes, progress.total, progress.bytes_per_second, progress.seconds_left);
  /* Translators: "1 GB of 2 GB …" */
  return g_strdup_printf (progress.reading_back ? _("Quantised; reading it back: %s") : _("Quantising: %s"), numbers);
}

static char *
dup_status (SlSetupRow     *self,
            SlDownloadItem *item)
{
  gboolean ours = g_strcmp0 (sl_model_setup_get_repo (self->setup), self->model->repo) == 0;
  SlModelSetupState state = ours ? sl_model_setup_get_state (self->setup) : SL_MODEL_SETUP_IDLE;

  switch (state)
    {
    case SL_MODEL_SETUP_LOOKING:
      return g_strdup (_("Looking at what there is…"));
    case SL_MODEL_SETUP_QUANTISING:
      return dup_quantising (sl_model_setup_get_work (self->setup));
    case SL_MODEL_SETUP_READY:
      return g_strdup (_("It is in the list below, and is loaded."));
    case SL_MODEL_SETUP_FAILED:
      return item == NULL ? g_strdup (sl_model_setup_get_error (self->setup)->message) : sl_progress_dup_download (item);
    case SL_MODEL_SETUP_IDLE:
    case SL_MODEL_SETUP_DOWNLOADING:
    default:
      return item != NULL ? sl_progress_dup_download (item) : NULL;
    }
}

/* --- what it shows --------------------------------------------------------- */

static double
get_fraction (SlSetupRow     *self,
              SlDownloadItem *item)
{
  SlModelWork *work = sl_model_setup_get_work (self->setup);
  const SlDownloadProgress *progress = item != NULL ? sl_download_item_get_progress (item) : NULL;
  SlModelWorkProgress written = { 0 };

  if (work != NULL)
    {
      sl_model_work_get_progress (work, &written);
      return written.total > 0 ? (double) written.bytes / written.total : 0;
    }
  return progress != NULL && progress->total > 0 ? (double) progress->bytes / progress->total : 0;
}

static void
update (SlSetupRow *self)
{
  SlDownloadItem *item =
    self->item != NULL && sl_download_item_get_state (self->item) != SL_DOWNLOAD_ITEM_DONE ? self->item : NULL;
  gboolean busy = sl_model_setup_is_busy (self->setup);
  g_autofree char *status = dup_status (self, item);

  gtk_label_set_label (self->status, status != NULL ? status : "");
  gtk_widget_set_visible (GTK_WIDGET (self->status), status != NULL);
  gtk_widget_set_visible (GTK_WIDGET (self->bar), busy || item != NULL);
  gtk_progress_bar_set_fraction (self->bar, get_fraction (self, item));
  gtk_button_set_label (GTK_BUTTON (self->begin), item != NULL ? _("Go On and Try It") : _("Get It and Try It"));
  gtk_widget_set_visible (self->begin, !busy);
  gtk_widget_set_visible (self->stop, busy);
  sl_access_box_update (self->access, self->downloads, item);
}

/* Somebody else may begin, stop or discard the download. */
static void
follow (SlSetupRow *self)
{
  SlDownloadItem *item = sl_downloads_find (self->downloads, self->model->repo);

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
  SlSetupRow *self = data;

  sl_model_setup_begin (self->setup, repo, self->format);
}

static void
on_again (SlSetupRow *self)
{
  on_accepted (self->model->repo, self);
}

static void
on_begin (GtkWidget  *widget,
          const char *action,
          GVariant   *parameter)
{
  SlSetupRow *self = SL_SETUP_ROW (widget);
  g_autofree char *address = NULL;

  /* What was begun was begun under the licence. */
  if (self->item != NULL)
    {
      on_again (self);
      return;
    }
  address = g_strdup_printf ("%s/%s", sl_downloads_get_endpoint (self->downloads), self->model->repo);
  sl_licence_ask_repository (GTK_WINDOW (gtk_widget_get_root (widget)), self->model->repo, address, TRUE, on_accepted,
                             g_object_ref (self), g_object_unref);
}

static void
on_stop (GtkWidget  *widget,
         const char *action,
         GVariant   *parameter)
{
  sl_model_setup_stop (SL_SETUP_ROW (widget)->setup);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_setup_row_dispose (GObject *object)
{
  SlSetupRow *self = SL_SETUP_ROW (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_object (&self->item);
  G_OBJECT_CLASS (sl_setup_row_parent_class)->dispose (object);
}

static void
sl_setup_row_finalize (GObject *object)
{
  SlSetupRow *self = SL_SETUP_ROW (object);

  g_object_unref (self->cancellable);
  g_object_unref (self->setup);
  g_object_unref (self->downloads);
  G_OBJECT_CLASS (sl_setup_row_parent_class)->finalize (object);
}

static void
sl_setup_row_class_init (SlSetupRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  g_type_ensure (SL_TYPE_ACCESS_BOX);
  G_OBJECT_CLASS (klass)->dispose = sl_setup_row_dispose;
  G_OBJECT_CLASS (klass)->finalize = sl_setup_row_finalize;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-setup-row.ui");
  gtk_widget_class_bind_template_child (widget_class, SlSetupRow, name);
  gtk_widget_class_bind_template_child (widget_class, SlSetupRow, about);
  gtk_widget_class_bind_template_child (widget_class, SlSetupRow, status);
  gtk_widget_class_bind_template_child (widget_class, SlSetupRow, bar);
  gtk_widget_class_bind_template_child (widget_class, SlSetupRow, begin);
  gtk_widget_class_bind_template_child (widget_class, SlSetupRow, stop);
  gtk_widget_class_bind_template_child (widget_class, SlSetupRow, access);
  gtk_widget_class_bind_template_callback (widget_class, on_again);
  gtk_widget_class_install_action (widget_class, "setup.begin", NULL, on_begin);
  gtk_widget_class_install_action (widget_class, "setup.stop", NULL, on_stop);
}

static void
sl_setup_row_init (SlSetupRow *self)
{
  self->cancellable = g_cancellable_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

static void
on_measured (GObject      *source,
             GAsyncResult *result,
             gpointer      data)
{
  g_autoptr (SlSetupRow) self = data;
  double rate = sl_read_rate_measure_finish (result);

  if (!g_cancellable_is_cancelled (self->cancellable))
    describe (self, rate);
}

GtkWidget *
sl_setup_row_new (SlModels *models,
                  guint64   memory)
{
  SlSetupRow *self = g_object_new (SL_TYPE_SETUP_ROW, NULL);

  self->setup = g_object_ref (sl_models_get_setup (models));
  self->downloads = g_object_ref (sl_models_get_downloads (models));
  self->memory = memory;
  self->model = sl_published_recommend (memory);
  self->format = sl_published_wants_mix (self->model, memory) ? SL_FORMAT_MIX : SL_FORMAT_INT8;
  describe (self, 0);
  sl_read_rate_measure_async (self->cancellable, on_measured, g_object_ref (self));
  g_signal_connect_object (self->setup, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->downloads, "items-changed", G_CALLBACK (follow), self, G_CONNECT_SWAPPED);
  follow (self);
  return GTK_WIDGET (self);
}
