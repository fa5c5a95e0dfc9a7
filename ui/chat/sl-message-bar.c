/* SPDX-License-Identifier: MIT
 *
 * The buttons under a message.
 */
#include "ui/chat/sl-message-bar.h"

#include <glib/gi18n.h>

struct _SlMessageBar
{
  GtkWidget parent_instance;

  SlMessage *message;
  GtkWidget *box;
  GtkWidget *again;
  GtkWidget *branches;
  GtkWidget *previous;
  GtkWidget *next;
  GtkLabel *position;
};

enum
{
  COPY,
  AGAIN,
  RAW,
  SIBLING,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlMessageBar, sl_message_bar, GTK_TYPE_WIDGET)

static void
sl_message_bar_dispose (GObject *object)
{
  SlMessageBar *self = SL_MESSAGE_BAR (object);

  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->message);
  G_OBJECT_CLASS (sl_message_bar_parent_class)->dispose (object);
}

static void
sl_message_bar_class_init (SlMessageBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_message_bar_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "messagebar");
  signals[COPY] = g_signal_new ("copy", SL_TYPE_MESSAGE_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 0);
  signals[AGAIN] = g_signal_new ("again", SL_TYPE_MESSAGE_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
  signals[RAW] = g_signal_new ("raw", SL_TYPE_MESSAGE_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                               G_TYPE_NONE, 1, G_TYPE_BOOLEAN);
  signals[SIBLING] = g_signal_new ("sibling", SL_TYPE_MESSAGE_BAR, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
}

static void
name_button (GtkWidget  *button,
             const char *name)
{
  gtk_widget_add_css_class (button, "flat");
  gtk_widget_set_tooltip_text (button, name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

static GtkWidget *
add_button (GtkWidget    *box,
            const char   *icon_name,
            const char   *name,
            GCallback     clicked,
            SlMessageBar *self)
{
  GtkWidget *button = gtk_button_new_from_icon_name (icon_name);

  name_button (button, name);
  g_signal_connect_swapped (button, "clicked", clicked, self);
  gtk_box_append (GTK_BOX (box), button);
  return button;
}

static void
emit_copy (SlMessageBar *self)
{
  g_signal_emit (self, signals[COPY], 0);
}

static void
emit_again (SlMessageBar *self)
{
  g_signal_emit (self, signals[AGAIN], 0);
}

static void
emit_raw (SlMessageBar    *self,
          GtkToggleButton *button)
{
  g_signal_emit (self, signals[RAW], 0, gtk_toggle_button_get_active (button));
}

static void
emit_previous (SlMessageBar *self)
{
  g_signal_emit (self, signals[SIBLING], 0, sl_message_get_sibling (self->message) - 1);
}

static void
emit_next (SlMessageBar *self)
{
  g_signal_emit (self, signals[SIBLING], 0, sl_message_get_sibling (self->message) + 1);
}

static void
update_branches (SlMessageBar *self)
{
  guint count = sl_message_get_n_siblings (self->message);
  guint sibling = sl_message_get_sibling (self->message);
  g_autofree char *position = g_strdup_printf ("%u/%u", sibling + 1, count);
  /* Translators: which alternative of a message is shown */
  g_autofree char *name = g_strdup_printf (_("Version %u of %u"), sibling + 1, count);

  gtk_widget_set_visible (self->branches, count > 1);
  gtk_label_set_label (self->position, position);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->position), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  name, -1);
  gtk_widget_set_sensitive (self->previous, sibling > 0);
  gtk_widget_set_sensitive (self->next, sibling + 1 < count);
}

static void
sl_message_bar_init (SlMessageBar *self)
{
  self->box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
}

/* The row around it has the actions. */
static void
add_menu (SlMessageBar *self)
{
  g_autoptr (GMenu) menu = g_menu_new ();
  GtkWidget *button = gtk_menu_button_new ();

  g_menu_append (menu, _("_Compare With Another Answer"), "answer.compare");
  g_menu_append (menu, _("Answer Again With Another _Seed"), "answer.vary");
  gtk_menu_button_set_icon_name (GTK_MENU_BUTTON (button), "view-more-symbolic");
  gtk_menu_button_set_menu_model (GTK_MENU_BUTTON (button), G_MENU_MODEL (menu));
  name_button (button, _("More Actions"));
  gtk_box_append (GTK_BOX (self->box), button);
}

static void
add_branches (SlMessageBar *self)
{
  self->branches = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  self->previous = add_button (self->branches, "go-previous-symbolic", _("Previous Version"),
                               G_CALLBACK (emit_previous), self);
  self->position = GTK_LABEL (gtk_label_new (NULL));
  gtk_widget_add_css_class (GTK_WIDGET (self->position), "caption");
  gtk_widget_add_css_class (GTK_WIDGET (self->position), "numeric");
  gtk_box_append (GTK_BOX (self->branches), GTK_WIDGET (self->position));
  self->next = add_button (self->branches, "go-next-symbolic", _("Next Version"),
                           G_CALLBACK (emit_next), self);
  gtk_box_append (GTK_BOX (self->box), self->branches);
}

GtkWidget *
sl_message_bar_new (SlMessage *message)
{
  SlMessageBar *self = g_object_new (SL_TYPE_MESSAGE_BAR, NULL);
  gboolean answer;

  g_return_val_if_fail (SL_IS_MESSAGE (message), NULL);

  self->message = g_object_ref (message);
  answer = sl_message_get_role (message) == SL_ROLE_ASSISTANT;
  add_button (self->box, "edit-copy-symbolic", answer ? _("Copy Answer") : _("Copy Question"),
              G_CALLBACK (emit_copy), self);
  self->again = add_button (self->box, answer ? "view-refresh-symbolic" : "document-edit-symbolic",
                            answer ? _("Answer Again") : _("Edit and Ask Again"),
                            G_CALLBACK (emit_again), self);
  if (answer)
    {
      GtkWidget *raw = gtk_toggle_button_new ();
      gtk_button_set_icon_name (GTK_BUTTON (raw), "utilities-terminal-symbolic");
      name_button (raw, _("Show Raw Text"));
      g_signal_connect_swapped (raw, "toggled", G_CALLBACK (emit_raw), self);
      gtk_box_append (GTK_BOX (self->box), raw);
      add_menu (self);
    }
  add_branches (self);
  g_signal_connect_object (message, "notify::n-siblings", G_CALLBACK (update_branches), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (message, "notify::sibling", G_CALLBACK (update_branches), self,
                           G_CONNECT_SWAPPED);
  update_branches (self);
  return GTK_WIDGET (self);
}

void
sl_message_bar_set_busy (SlMessageBar *self,
                         gboolean      busy)
{
  g_return_if_fail (SL_IS_MESSAGE_BAR (self));
  gtk_widget_set_sensitive (self->again, !busy);
  gtk_widget_set_sensitive (self->branches, !busy);
}
