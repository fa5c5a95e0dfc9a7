/* SPDX-License-Identifier: MIT
 *
 * See sl-answer-source.h.
 */
#include "ui/chat/sl-answer-source.h"

#include <glib/gi18n.h>

struct _SlAnswerSource
{
  GtkWidget parent_instance;

  SlConversation *conversation;
  SlMessage *message;
  GtkWidget *box;
  GtkExpander *thinking;
  GtkLabel *thoughts;
  GtkMenuButton *boxes;
  GSimpleActionGroup *actions;
};

G_DEFINE_FINAL_TYPE (SlAnswerSource, sl_answer_source, GTK_TYPE_WIDGET)

static void
set_state (SlAnswerSource *self,
           const char     *name,
           const char     *state)
{
  g_simple_action_set_state (G_SIMPLE_ACTION (g_action_map_lookup_action (G_ACTION_MAP (self->actions), name)),
                             g_variant_new_string (state));
}

void
sl_answer_source_update (SlAnswerSource *self,
                         SlGrounding    *grounding)
{
  const SlGeneration *generation = sl_message_get_generation (self->message);
  const SlBoxSpace *space = sl_grounding_get_space (grounding);
  gboolean thinks = generation != NULL && generation->reasoning[0] != '\0';
  gboolean finished = sl_message_get_status (self->message) != SL_MESSAGE_STREAMING;
  gsize n_boxes;
  gboolean boxed;

  sl_grounding_get_boxes (grounding, &n_boxes);
  boxed = generation != NULL && generation->boxes_as[0] != '\0' && n_boxes > 0 && finished;
  gtk_widget_set_visible (GTK_WIDGET (self->thinking), thinks);
  gtk_widget_set_visible (GTK_WIDGET (self->boxes), boxed);
  gtk_widget_set_visible (GTK_WIDGET (self), thinks || boxed);
  if (thinks)
    gtk_label_set_label (self->thoughts, generation->reasoning);
  if (boxed)
    {
      /* Translators: the scale of numbers, which axis is first */
      g_autofree char *label = g_strdup_printf (_("Boxes read as: %s, %s"), sl_box_scale_get_display_name (space->scale),
                                                sl_box_order_get_display_name (space->order));

      gtk_menu_button_set_label (self->boxes, label);
      set_state (self, "scale", sl_box_scale_get_nick (space->scale));
      set_state (self, "order", sl_box_order_get_nick (space->order));
    }
}

/* Both nicks as one text, which is what is kept. */
static void
on_choice (GSimpleAction *action,
           GVariant      *chosen,
           gpointer       data)
{
  SlAnswerSource *self = data;
  g_autoptr (GVariant) scale = NULL;
  g_autoptr (GVariant) order = NULL;
  g_autofree char *text = NULL;
  SlBoxSpace space = { 0 };

  g_simple_action_set_state (action, chosen);
  scale = g_action_group_get_action_state (G_ACTION_GROUP (self->actions), "scale");
  order = g_action_group_get_action_state (G_ACTION_GROUP (self->actions), "order");
  text = g_strdup_printf ("%s %s", g_variant_get_string (scale, NULL), g_variant_get_string (order, NULL));
  if (sl_box_space_from_text (text, &space))
    sl_conversation_set_box_space (self->conversation, self->message, &space);
}

static void
add_choice (GMenu      *menu,
            const char *label,
            const char *action,
            const char *nick)
{
  g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);

  g_menu_item_set_action_and_target (item, action, "s", nick);
  g_menu_append_item (menu, item);
}

static GMenu *
make_menu (void)
{
  GMenu *menu = g_menu_new ();
  g_autoptr (GMenu) scales = g_menu_new ();
  g_autoptr (GMenu) orders = g_menu_new ();

  for (SlBoxScale scale = SL_BOX_SCALE_999; scale < SL_N_BOX_SCALES; scale++)
    add_choice (scales, sl_box_scale_get_display_name (scale), "source.scale", sl_box_scale_get_nick (scale));
  for (SlBoxOrder order = SL_BOX_ORDER_X_FIRST; order < SL_N_BOX_ORDERS; order++)
    add_choice (orders, sl_box_order_get_display_name (order), "source.order", sl_box_order_get_nick (order));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (scales));
  g_menu_append_section (menu, NULL, G_MENU_MODEL (orders));
  return menu;
}

static void
sl_answer_source_dispose (GObject *object)
{
  SlAnswerSource *self = SL_ANSWER_SOURCE (object);

  g_clear_object (&self->conversation);
  g_clear_object (&self->message);
  g_clear_object (&self->actions);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_answer_source_parent_class)->dispose (object);
}

static void
sl_answer_source_class_init (SlAnswerSourceClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = sl_answer_source_dispose;
  gtk_widget_class_set_layout_manager_type (GTK_WIDGET_CLASS (klass), GTK_TYPE_BIN_LAYOUT);
}

static void
sl_answer_source_init (SlAnswerSource *self)
{
  static const char *const names[] = { "scale", "order" };
  g_autoptr (GMenu) menu = make_menu ();

  self->actions = g_simple_action_group_new ();
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (GSimpleAction) action = g_simple_action_new_stateful (names[i], G_VARIANT_TYPE_STRING, g_variant_new_string (""));

      g_signal_connect_object (action, "activate", G_CALLBACK (on_choice), self, 0);
      g_action_map_add_action (G_ACTION_MAP (self->actions), G_ACTION (action));
    }
  gtk_widget_insert_action_group (GTK_WIDGET (self), "source", G_ACTION_GROUP (self->actions));

  self->thoughts = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_wrap (self->thoughts, TRUE);
  gtk_label_set_wrap_mode (self->thoughts, PANGO_WRAP_WORD_CHAR);
  gtk_label_set_xalign (self->thoughts, 0);
  gtk_label_set_selectable (self->thoughts, TRUE);
  gtk_widget_add_css_class (GTK_WIDGET (self->thoughts), "dim-label");
  self->thinking = GTK_EXPANDER (gtk_expander_new (_("Thinking")));
  gtk_expander_set_child (self->thinking, GTK_WIDGET (self->thoughts));
  self->boxes = GTK_MENU_BUTTON (gtk_menu_button_new ());
  gtk_menu_button_set_menu_model (self->boxes, G_MENU_MODEL (menu));
  gtk_widget_set_halign (GTK_WIDGET (self->boxes), GTK_ALIGN_START);
  gtk_widget_add_css_class (GTK_WIDGET (self->boxes), "flat");
  gtk_widget_add_css_class (GTK_WIDGET (self->boxes), "caption");
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3);
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->thinking));
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->boxes));
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
}

GtkWidget *
sl_answer_source_new (SlConversation *conversation,
                      SlMessage      *message)
{
  SlAnswerSource *self = g_object_new (SL_TYPE_ANSWER_SOURCE, NULL);

  self->conversation = g_object_ref (conversation);
  self->message = g_object_ref (message);
  return GTK_WIDGET (self);
}
