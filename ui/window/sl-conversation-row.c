/* SPDX-License-Identifier: MIT
 *
 * A row of the list of conversations: what it shows is bound in the list's template, its menu is made when it is opened.
 */
#include "ui/window/sl-conversation-row.h"

#include <glib/gi18n.h>

struct _SlConversationRow
{
  GtkBox parent_instance;

  SlSummary *summary;
  GtkWidget *menu; /* while it is open, or NULL */
};

enum { PROP_0, PROP_SUMMARY, N_PROPS };

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (SlConversationRow, sl_conversation_row, GTK_TYPE_BOX)

static void
append (GMenu      *menu,
        const char *label,
        const char *action,
        GVariant   *target)
{
  g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);

  g_menu_item_set_action_and_target_value (item, action, target);
  g_menu_append_item (menu, item);
}

static GMenuModel *
make_menu (SlSummary *summary)
{
  g_autoptr (GMenu) menu = g_menu_new ();
  gint64 id = sl_summary_get_id (summary);
  gboolean pinned = sl_summary_get_pinned (summary);

  append (menu, pinned ? _("Un_pin") : _("_Pin Above the Others"), "win.pin-conversation", g_variant_new ("(xb)", id, !pinned));
  append (menu, _("_Rename Conversation…"), "win.rename-conversation", g_variant_new_int64 (id));
  append (menu, _("_Export…"), "win.export-listed", g_variant_new_int64 (id));
  append (menu, _("_Delete Conversation"), "win.delete-conversation", g_variant_new_int64 (id));
  return G_MENU_MODEL (g_steal_pointer (&menu));
}

/* Not while the entry that closed it has yet to act. */
static gboolean
drop_menu (gpointer menu)
{
  gtk_widget_unparent (menu);
  return G_SOURCE_REMOVE;
}

static void
on_closed (SlConversationRow *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT_IDLE, drop_menu, g_object_ref (g_steal_pointer (&self->menu)), g_object_unref);
}

static void
open_menu (SlConversationRow *self,
           double             x,
           double             y)
{
  g_autoptr (GMenuModel) model = NULL;

  if (self->summary == NULL || self->menu != NULL)
    return;
  model = make_menu (self->summary);
  self->menu = gtk_popover_menu_new_from_model (model);
  gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
  gtk_popover_set_pointing_to (GTK_POPOVER (self->menu), &(GdkRectangle) { (int) x, (int) y, 1, 1 });
  gtk_popover_set_has_arrow (GTK_POPOVER (self->menu), FALSE);
  gtk_widget_set_halign (self->menu, GTK_ALIGN_START);
  g_signal_connect_object (self->menu, "closed", G_CALLBACK (on_closed), self, G_CONNECT_SWAPPED);
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

void
sl_conversation_row_open_menu (SlConversationRow *self)
{
  g_return_if_fail (SL_IS_CONVERSATION_ROW (self));
  open_menu (self, gtk_widget_get_width (GTK_WIDGET (self)) / 2, gtk_widget_get_height (GTK_WIDGET (self)) / 2);
}

static void
on_second_button (SlConversationRow *self,
                  int                n_press,
                  double             x,
                  double             y,
                  GtkGesture        *gesture)
{
  gtk_gesture_set_state (gesture, GTK_EVENT_SEQUENCE_CLAIMED);
  open_menu (self, x, y);
}

static void
on_long_press (SlConversationRow *self,
               double             x,
               double             y,
               GtkGesture        *gesture)
{
  gtk_gesture_set_state (gesture, GTK_EVENT_SEQUENCE_CLAIMED);
  open_menu (self, x, y);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_conversation_row_get_property (GObject    *object,
                                  guint       id,
                                  GValue     *value,
                                  GParamSpec *pspec)
{
  if (id == PROP_SUMMARY)
    g_value_set_object (value, SL_CONVERSATION_ROW (object)->summary);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_conversation_row_set_property (GObject      *object,
                                  guint         id,
                                  const GValue *value,
                                  GParamSpec   *pspec)
{
  SlConversationRow *self = SL_CONVERSATION_ROW (object);

  if (id != PROP_SUMMARY)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
  else if (g_set_object (&self->summary, g_value_get_object (value)))
    g_object_notify_by_pspec (object, properties[PROP_SUMMARY]);
}

static void
sl_conversation_row_dispose (GObject *object)
{
  SlConversationRow *self = SL_CONVERSATION_ROW (object);

  g_clear_pointer (&self->menu, gtk_widget_unparent);
  g_clear_object (&self->summary);
  G_OBJECT_CLASS (sl_conversation_row_parent_class)->dispose (object);
}

static void
sl_conversation_row_class_init (SlConversationRowClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = sl_conversation_row_get_property;
  object_class->set_property = sl_conversation_row_set_property;
  object_class->dispose = sl_conversation_row_dispose;
  properties[PROP_SUMMARY] = g_param_spec_object ("summary", NULL, NULL, SL_TYPE_SUMMARY,
                                                  G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
sl_conversation_row_init (SlConversationRow *self)
{
  GtkGesture *click = gtk_gesture_click_new ();
  GtkGesture *press = gtk_gesture_long_press_new ();

  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect_swapped (click, "pressed", G_CALLBACK (on_second_button), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
  gtk_gesture_single_set_touch_only (GTK_GESTURE_SINGLE (press), TRUE);
  g_signal_connect_swapped (press, "pressed", G_CALLBACK (on_long_press), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (press));
}
