/* SPDX-License-Identifier: MIT
 *
 * Draws how full the context would be.
 */
#include "ui/composer/sl-context-meter.h"

#include <glib/gi18n.h>

struct _SlContextMeter
{
  GtkWidget parent_instance;

  GtkLevelBar *bar;
};

G_DEFINE_FINAL_TYPE (SlContextMeter, sl_context_meter, GTK_TYPE_WIDGET)

static void
append_pictures (GString      *text,
                 const SlPlan *plan)
{
  for (guint i = 0; i < plan->pictures->len; i++)
    {
      const SlPlanPicture *picture = &g_array_index (plan->pictures, SlPlanPicture, i);

      g_string_append_c (text, '\n');
      if (picture->tiled)
        /* Translators: a picture, how it is cut for the model, what it costs */
        g_string_append_printf (text, _("Picture %u: %d × %d tiles, %u tokens"), i + 1,
                                picture->grid_w, picture->grid_h, picture->tokens);
      else
        g_string_append_printf (text, _("Picture %u: read as a whole, %u tokens"), i + 1,
                                picture->tokens);
    }
}

void
sl_context_meter_set_plan (SlContextMeter *self,
                           const SlPlan   *plan)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_return_if_fail (SL_IS_CONTEXT_METER (self));

  gtk_widget_set_visible (GTK_WIDGET (self), plan != NULL && plan->capacity > 0);
  if (plan == NULL || plan->capacity == 0)
    return;
  gtk_level_bar_set_value (self->bar, MIN (1, (double) plan->tokens / plan->capacity));
  g_string_append_printf (text, plan->fits ? _("Context: %u of %u tokens")
                                           : _("Too long: %u of %u tokens"),
                          plan->tokens, plan->capacity);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->bar), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  text->str, -1);
  append_pictures (text, plan);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), text->str);
  if (plan->fits)
    gtk_widget_remove_css_class (GTK_WIDGET (self), "overfull");
  else
    gtk_widget_add_css_class (GTK_WIDGET (self), "overfull");
}

static void
sl_context_meter_dispose (GObject *object)
{
  SlContextMeter *self = SL_CONTEXT_METER (object);
  GtkWidget *bar = GTK_WIDGET (self->bar);

  self->bar = NULL;
  g_clear_pointer (&bar, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_context_meter_parent_class)->dispose (object);
}

static void
sl_context_meter_class_init (SlContextMeterClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_context_meter_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "contextmeter");
}

static void
sl_context_meter_init (SlContextMeter *self)
{
  self->bar = GTK_LEVEL_BAR (gtk_level_bar_new ());
  /* One colour: a full context is not an achievement. */
  gtk_level_bar_remove_offset_value (self->bar, GTK_LEVEL_BAR_OFFSET_LOW);
  gtk_level_bar_remove_offset_value (self->bar, GTK_LEVEL_BAR_OFFSET_HIGH);
  gtk_level_bar_remove_offset_value (self->bar, GTK_LEVEL_BAR_OFFSET_FULL);
  gtk_widget_set_valign (GTK_WIDGET (self->bar), GTK_ALIGN_CENTER);
  gtk_widget_set_hexpand (GTK_WIDGET (self), TRUE); /* GtkWidget does not ask its children */
  gtk_widget_set_parent (GTK_WIDGET (self->bar), GTK_WIDGET (self));
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
}

GtkWidget *
sl_context_meter_new (void)
{
  return g_object_new (SL_TYPE_CONTEXT_METER, NULL);
}
