/* SPDX-License-Identifier: MIT
 *
 * Looks ten times a second how far the job is. See the header.
 */
#include "ui/inspector/sl-export-progress.h"

#include <glib/gi18n.h>
#include <math.h>

#define INTERVAL_MS 100
#define LEAST_SECONDS 1.0 /* before there is a rate */

struct _SlExportProgress
{
  AdwMessageDialog parent_instance;

  SlExportJob *job;
  GCancellable *cancellable;
  gint64 began;
  GtkProgressBar *bar;
  GtkLabel *sentence;
  guint source;
};

G_DEFINE_FINAL_TYPE (SlExportProgress, sl_export_progress, ADW_TYPE_MESSAGE_DIALOG)

/* --- words ----------------------------------------------------------------- */

static char *
dup_time_left (double seconds)
{
  long left = lround (ceil (seconds));

  if (left < 60)
    return g_strdup_printf (ngettext ("%ld second left", "%ld seconds left", left), left);
  left = (left + 59) / 60;
  return g_strdup_printf (ngettext ("%ld minute left", "%ld minutes left", left), left);
}

char *
sl_export_progress_dup_sentence (guint  n_done,
                                 guint  n_pictures,
                                 double seconds)
{
  g_autofree char *count =
    g_strdup_printf (ngettext ("%u of %u picture", "%u of %u pictures", n_pictures), n_done, n_pictures);
  g_autofree char *left = NULL;
  double rate;

  if (seconds < LEAST_SECONDS || n_done == 0)
    return g_strconcat (count, "\n", NULL); /* so that the dialog does not grow later */
  rate = n_done / seconds;
  left = dup_time_left ((n_pictures - n_done) / rate);
  /* Translators: "12 of 40 pictures", pictures per second, "4 seconds left" */
  return g_strdup_printf (_("%s\n%.*f per second · %s"), count, rate < 1 ? 2 : rate < 10 ? 1 : 0, rate, left);
}

/* --- the dialog ------------------------------------------------------------ */

static gboolean
update (gpointer data)
{
  SlExportProgress *self = data;
  guint n_done = sl_export_job_get_n_done (self->job);
  guint n_pictures = sl_export_job_get_n_pictures (self->job);
  double seconds = (g_get_monotonic_time () - self->began) / 1e6;
  g_autofree char *sentence = sl_export_progress_dup_sentence (n_done, n_pictures, seconds);

  gtk_progress_bar_set_fraction (self->bar, (double) n_done / n_pictures);
  gtk_label_set_label (self->sentence, sentence);
  return G_SOURCE_CONTINUE;
}

static void
on_response (SlExportProgress *self)
{
  g_cancellable_cancel (self->cancellable);
}

static void
sl_export_progress_dispose (GObject *object)
{
  SlExportProgress *self = SL_EXPORT_PROGRESS (object);

  g_clear_handle_id (&self->source, g_source_remove);
  g_clear_object (&self->job);
  g_clear_object (&self->cancellable);
  G_OBJECT_CLASS (sl_export_progress_parent_class)->dispose (object);
}

static void
sl_export_progress_class_init (SlExportProgressClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = sl_export_progress_dispose;
}

static void
sl_export_progress_init (SlExportProgress *self)
{
  AdwMessageDialog *dialog = ADW_MESSAGE_DIALOG (self);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12);

  self->bar = GTK_PROGRESS_BAR (gtk_progress_bar_new ());
  self->sentence = GTK_LABEL (gtk_label_new (NULL));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->bar), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Exported pictures"), -1);
  gtk_widget_add_css_class (GTK_WIDGET (self->sentence), "numeric");
  gtk_widget_add_css_class (GTK_WIDGET (self->sentence), "dim-label");
  gtk_label_set_wrap (self->sentence, TRUE);
  gtk_label_set_justify (self->sentence, GTK_JUSTIFY_CENTER);
  gtk_widget_set_margin_top (GTK_WIDGET (self->bar), 12);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->bar));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->sentence));
  adw_message_dialog_set_heading (dialog, _("Exporting Boxes"));
  adw_message_dialog_set_extra_child (dialog, box);
  adw_message_dialog_add_response (dialog, "cancel", _("_Cancel"));
  adw_message_dialog_set_close_response (dialog, "cancel");
  g_signal_connect (self, "response", G_CALLBACK (on_response), NULL);
}

GtkWidget *
sl_export_progress_new (GtkWindow    *parent,
                        SlExportJob  *job,
                        gint64        began,
                        GCancellable *cancellable)
{
  SlExportProgress *self = g_object_new (SL_TYPE_EXPORT_PROGRESS, "transient-for", parent, "modal", FALSE, NULL);

  self->job = g_object_ref (job);
  self->cancellable = g_object_ref (cancellable);
  self->began = began;
  self->source = g_timeout_add (INTERVAL_MS, update, self);
  update (self);
  return GTK_WIDGET (self);
}
