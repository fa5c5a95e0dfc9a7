/* SPDX-License-Identifier: MIT
 *
 * Follows one SlModelWork.
 */
#include "ui/models/sl-work-row.h"

#include "ui/models/sl-progress-text.h"

#include <glib/gi18n.h>

struct _SlWorkRow
{
  AdwPreferencesRow parent_instance;

  SlModelWork *work; /* NULL: hidden */
  gboolean original;
  GtkLabel *what, *status;
  GtkProgressBar *bar;
  GtkWidget *cancel, *delete_original;
};

static guint delete_signal;

G_DEFINE_FINAL_TYPE (SlWorkRow, sl_work_row, ADW_TYPE_PREFERENCES_ROW)

static char *
dup_what (SlModelWork *work)
{
  switch (sl_model_work_get_kind (work))
    {
    case SL_MODEL_WORK_QUANTISE:
      /* Translators: a format, "int8" */
      return g_strdup_printf (_("Quantising to %s"), sl_format_get_name (sl_model_work_get_format (work)));
    case SL_MODEL_WORK_MOVE:
      return g_strdup (_("Moving"));
    case SL_MODEL_WORK_VERIFY:
    default:
      return g_strdup (_("Verifying"));
    }
}

static char *
dup_status (SlModelWork               *work,
            const SlModelWorkProgress *progress)
{
  g_autofree char *numbers = NULL;

  if (sl_model_work_get_state (work) != SL_MODEL_WORK_RUNNING)
    return g_strdup (sl_model_work_get_sentence (work));
  numbers = sl_progress_dup_text (progress->bytes, progress->total, progress->bytes_per_second, progress->seconds_left);
  /* Translators: "1 GB of 2 GB …" */
  return progress->reading_back ? g_strdup_printf (_("Written; reading it back: %s"), numbers) : g_steal_pointer (&numbers);
}

static void
update (SlWorkRow *self)
{
  SlModelWorkState state = sl_model_work_get_state (self->work);
  SlModelWorkProgress progress;
  g_autofree char *what = dup_what (self->work);
  g_autofree char *status = NULL;
  gboolean done = state == SL_MODEL_WORK_DONE && sl_model_work_get_kind (self->work) == SL_MODEL_WORK_QUANTISE;

  sl_model_work_get_progress (self->work, &progress);
  status = dup_status (self->work, &progress);
  gtk_label_set_label (self->what, what);
  gtk_label_set_label (self->status, status);
  gtk_widget_set_visible (GTK_WIDGET (self->bar), state == SL_MODEL_WORK_RUNNING);
  gtk_progress_bar_set_fraction (self->bar, progress.total > 0 ? (double) progress.bytes / progress.total : 0);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->bar), GTK_ACCESSIBLE_PROPERTY_LABEL, what, -1);
  gtk_widget_set_visible (self->cancel, state == SL_MODEL_WORK_RUNNING);
  gtk_widget_set_visible (self->delete_original, done && self->original);
  if (state == SL_MODEL_WORK_WRONG || state == SL_MODEL_WORK_FAILED)
    gtk_widget_add_css_class (GTK_WIDGET (self->status), "error");
}

void
sl_work_row_set_work (SlWorkRow   *self,
                      SlModelWork *work,
                      gboolean     original)
{
  g_return_if_fail (SL_IS_WORK_ROW (self));

  if (self->work != NULL)
    g_signal_handlers_disconnect_by_func (self->work, update, self);
  gtk_widget_remove_css_class (GTK_WIDGET (self->status), "error");
  g_set_object (&self->work, work);
  self->original = original;
  gtk_widget_set_visible (GTK_WIDGET (self), work != NULL);
  if (work == NULL)
    return;
  g_signal_connect_object (work, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
}

static void
on_cancel (SlWorkRow *self)
{
  sl_model_work_cancel (self->work);
}

static void
on_delete_original (SlWorkRow *self)
{
  g_signal_emit (self, delete_signal, 0);
}

static void
sl_work_row_dispose (GObject *object)
{
  g_clear_object (&SL_WORK_ROW (object)->work);
  G_OBJECT_CLASS (sl_work_row_parent_class)->dispose (object);
}

static void
sl_work_row_class_init (SlWorkRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_work_row_dispose;
  delete_signal = g_signal_new ("delete-original", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-work-row.ui");
  gtk_widget_class_bind_template_child (widget_class, SlWorkRow, what);
  gtk_widget_class_bind_template_child (widget_class, SlWorkRow, status);
  gtk_widget_class_bind_template_child (widget_class, SlWorkRow, bar);
  gtk_widget_class_bind_template_child (widget_class, SlWorkRow, cancel);
  gtk_widget_class_bind_template_child (widget_class, SlWorkRow, delete_original);
  gtk_widget_class_bind_template_callback (widget_class, on_cancel);
  gtk_widget_class_bind_template_callback (widget_class, on_delete_original);
}

static void
sl_work_row_init (SlWorkRow *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}
