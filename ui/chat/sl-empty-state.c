/* SPDX-License-Identifier: MIT
 *
 * How to begin, with cards that do it.
 */
#include "ui/chat/sl-empty-state.h"

#include "ui/chat/sl-sample-card.h"

#include <glib/gi18n.h>

struct _SlEmptyState
{
  GtkWidget parent_instance;

  GtkWidget *scrolled;
  GtkLabel *promise;
  GtkWidget *samples_box;
  GtkFlowBox *cards;
  GPtrArray *samples;
};

static guint sample_signal;

G_DEFINE_FINAL_TYPE (SlEmptyState, sl_empty_state, GTK_TYPE_WIDGET)

static void
on_card (GtkWidget *card,
         gpointer   index)
{
  SlEmptyState *self =
    SL_EMPTY_STATE (gtk_widget_get_ancestor (card, SL_TYPE_EMPTY_STATE));

  if (self != NULL && self->samples != NULL && GPOINTER_TO_UINT (index) < self->samples->len)
    g_signal_emit (self, sample_signal, 0, self->samples->pdata[GPOINTER_TO_UINT (index)]);
}

static void
sl_empty_state_dispose (GObject *object)
{
  SlEmptyState *self = SL_EMPTY_STATE (object);

  g_clear_pointer (&self->scrolled, gtk_widget_unparent);
  g_clear_pointer (&self->samples, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_empty_state_parent_class)->dispose (object);
}

static void
sl_empty_state_class_init (SlEmptyStateClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_empty_state_dispose;
  sample_signal = g_signal_new ("sample", SL_TYPE_EMPTY_STATE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "emptystate");
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-empty-state.ui");
  gtk_widget_class_bind_template_child (widget_class, SlEmptyState, promise);
  gtk_widget_class_bind_template_child (widget_class, SlEmptyState, scrolled);
  gtk_widget_class_bind_template_child (widget_class, SlEmptyState, samples_box);
  gtk_widget_class_bind_template_child (widget_class, SlEmptyState, cards);
}

static void
sl_empty_state_init (SlEmptyState *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

void
sl_empty_state_set_samples (SlEmptyState *self,
                            GPtrArray    *samples)
{
  g_return_if_fail (SL_IS_EMPTY_STATE (self));

  g_clear_pointer (&self->samples, g_ptr_array_unref);
  self->samples = g_ptr_array_ref (samples);
  for (guint i = 0; i < samples->len; i++)
    {
      GtkWidget *card = sl_sample_card_new (samples->pdata[i]);

      g_signal_connect (card, "clicked", G_CALLBACK (on_card), GUINT_TO_POINTER (i));
      gtk_flow_box_append (self->cards, card);
      /* The button inside takes the focus. */
      gtk_widget_set_focusable (GTK_WIDGET (gtk_flow_box_get_child_at_index (self->cards, i)), FALSE);
    }
}

void
sl_empty_state_set_local (SlEmptyState *self,
                          gboolean      local)
{
  g_return_if_fail (SL_IS_EMPTY_STATE (self));
  gtk_label_set_label (self->promise, local ? _("Drop, paste or add pictures and ask about them. Nothing leaves this computer.")
                                            : _("Drop, paste or add pictures and ask about them."));
}

void
sl_empty_state_set_samples_visible (SlEmptyState *self,
                                    gboolean      visible)
{
  g_return_if_fail (SL_IS_EMPTY_STATE (self));
  gtk_widget_set_visible (self->samples_box,
                          visible && self->samples != NULL && self->samples->len > 0);
}
