/* SPDX-License-Identifier: MIT
 *
 * The chip's ground is painted in its boxes' colour, thin enough for the text
 * colour of either style to stay readable; the number never is colour alone.
 */
#include "ui/composer/sl-chip.h"

#include <glib/gi18n.h>

struct _SlChip
{
  GtkButton parent_instance;

  SlBoxModel *model;
  int label_index;
  gboolean colored;
  SlBoxColor color;

  GtkWidget *again; /* an icon: a click finds the label again */
  GtkLabel *number;
  GtkLabel *label;
};

G_DEFINE_FINAL_TYPE (SlChip, sl_chip, GTK_TYPE_BUTTON)

static void
append_rounded (GtkSnapshot           *snapshot,
                const graphene_rect_t *rect,
                float                  radius,
                const GdkRGBA         *color)
{
  GskRoundedRect rounded;

  gsk_rounded_rect_init_from_rect (&rounded, rect, radius);
  gtk_snapshot_push_rounded_clip (snapshot, &rounded);
  gtk_snapshot_append_color (snapshot, color, rect);
  gtk_snapshot_pop (snapshot);
}

static void
sl_chip_snapshot (GtkWidget   *widget,
                  GtkSnapshot *snapshot)
{
  SlChip *self = SL_CHIP (widget);
  graphene_rect_t bounds;

  /* Padding included: a widget's own coordinates begin inside of it. */
  if (self->colored && gtk_widget_compute_bounds (widget, widget, &bounds))
    {
      gboolean lit = sl_box_model_is_label_lit (self->model, self->label_index);
      GdkRGBA color = { self->color.red, self->color.green, self->color.blue, lit ? 0.45 : 0.2 };
      graphene_rect_t badge;

      append_rounded (snapshot, &bounds, bounds.size.height / 2.f, &color);
      if (gtk_widget_compute_bounds (GTK_WIDGET (self->number), widget, &badge))
        {
          color.alpha = 1;
          append_rounded (snapshot, &badge, badge.size.height / 2.f, &color);
        }
    }
  GTK_WIDGET_CLASS (sl_chip_parent_class)->snapshot (widget, snapshot);
}

static void
light (SlChip *self)
{
  sl_box_model_light_label (self->model, self->label_index);
}

static void
put_out (SlChip *self)
{
  if (sl_box_model_is_label_lit (self->model, self->label_index))
    sl_box_model_light_label (self->model, -1);
}

static void
sl_chip_dispose (GObject *object)
{
  g_clear_object (&SL_CHIP (object)->model);
  G_OBJECT_CLASS (sl_chip_parent_class)->dispose (object);
}

static void
sl_chip_class_init (SlChipClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = sl_chip_dispose;
  GTK_WIDGET_CLASS (klass)->snapshot = sl_chip_snapshot;
}

static void
sl_chip_init (SlChip *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 4);
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkEventController *focus = gtk_event_controller_focus_new ();

  self->again = gtk_image_new_from_icon_name ("view-refresh-symbolic");
  gtk_widget_set_margin_start (self->again, 4);
  gtk_widget_set_visible (self->again, FALSE);
  gtk_box_append (GTK_BOX (box), self->again);
  self->number = GTK_LABEL (gtk_label_new (NULL));
  gtk_widget_add_css_class (GTK_WIDGET (self->number), "chip-number");
  gtk_widget_set_valign (GTK_WIDGET (self->number), GTK_ALIGN_CENTER);
  self->label = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_ellipsize (self->label, PANGO_ELLIPSIZE_END);
  gtk_label_set_max_width_chars (self->label, 28);
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->number));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->label));
  gtk_button_set_child (GTK_BUTTON (self), box);
  gtk_widget_add_css_class (GTK_WIDGET (self), "chip");
  gtk_widget_add_css_class (GTK_WIDGET (self), "flat");

  g_signal_connect_swapped (motion, "enter", G_CALLBACK (light), self);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (put_out), self);
  gtk_widget_add_controller (GTK_WIDGET (self), motion);
  g_signal_connect_swapped (focus, "enter", G_CALLBACK (light), self);
  g_signal_connect_swapped (focus, "leave", G_CALLBACK (put_out), self);
  gtk_widget_add_controller (GTK_WIDGET (self), focus);
}

/* Accessible name and tooltip: box number, label; or what a click does. */
static char *
dup_name (SlChip     *self,
          const char *numbers,
          const char *words)
{
  if (self->colored)
    /* Translators: accessible name of a label in an answer: box number, label */
    return g_strdup_printf (_("Box %s: %s"), numbers, words);
  if (sl_chip_offers_again (self))
    /* Translators: a label whose boxes came out incomplete */
    return g_strdup_printf (_("Incomplete: find “%s” again"), words);
  return g_strdup (words);
}

gboolean
sl_chip_offers_again (SlChip *self)
{
  g_return_val_if_fail (SL_IS_CHIP (self), FALSE);
  return gtk_widget_get_visible (self->again);
}

void
sl_chip_update (SlChip  *self,
                gboolean finished)
{
  g_autofree char *numbers = NULL;
  g_autofree char *name = NULL;
  const char *words;

  g_return_if_fail (SL_IS_CHIP (self));

  words = sl_grounding_get_label (sl_box_model_get_grounding (self->model), self->label_index);
  numbers = sl_box_model_dup_label_numbers (self->model, self->label_index);
  self->colored = sl_box_model_get_label_color (self->model, self->label_index, &self->color);
  if (self->colored && 0.299 * self->color.red + 0.587 * self->color.green +
                         0.114 * self->color.blue > 0.55)
    gtk_widget_add_css_class (GTK_WIDGET (self), "light-badge");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "light-badge");

  words = words ? words : "";
  gtk_label_set_label (self->label, words);
  gtk_label_set_label (self->number, numbers);
  gtk_widget_set_visible (GTK_WIDGET (self->number), *numbers != '\0');
  gtk_widget_set_visible (self->again, finished && *words != '\0' &&
                                         sl_box_model_is_label_broken (self->model, self->label_index));
  name = dup_name (self, numbers, words);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), name);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

GtkWidget *
sl_chip_new (SlBoxModel *model,
             int         label_index)
{
  SlChip *self = g_object_new (SL_TYPE_CHIP, NULL);

  g_return_val_if_fail (SL_IS_BOX_MODEL (model), NULL);

  self->model = g_object_ref (model);
  self->label_index = label_index;
  g_signal_connect_object (model, "lit-changed", G_CALLBACK (gtk_widget_queue_draw), self,
                           G_CONNECT_SWAPPED);
  sl_chip_update (self, FALSE);
  return GTK_WIDGET (self);
}

int
sl_chip_get_label_index (SlChip *self)
{
  g_return_val_if_fail (SL_IS_CHIP (self), -1);
  return self->label_index;
}
