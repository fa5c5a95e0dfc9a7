/* SPDX-License-Identifier: MIT
 *
 * The buttons under a message. Its menu is made when it is opened, of what can be done with the message then; the window has the
 * actions.
 */
#include "ui/chat/sl-message-bar.h"

#include <glib/gi18n.h>

struct _SlMessageBar
{
  GtkWidget parent_instance;

  SlMessage *message;
  GtkWidget *box;
  GtkWidget *copy, *again, *go_on, *raw; /* raw: of answers */
  GtkMenuButton *more;
  GtkWidget *branches, *previous, *next;
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

/* --- menu ------------------------------------------------------------------ */

typedef enum { EVERY = 1, QUESTION = 2, ANSWER = 4, FINISHED = 8 } Whose;

#define AGAIN_SECTION 2 /* a menu inside, so that all of it fits into a small window */

static const struct
{
  const char *label;
  const char *action; /* "win.NAME", called with the message's id and, where there is one, the text */
  const char *text;
  guint section;
  Whose whose;
} entries[] = {
  { N_("Copy as _Text"), "win.turn-copy", "text", 0, ANSWER },
  { N_("Copy as _Markdown"), "win.turn-copy", "markdown", 0, EVERY },
  { N_("Copy _Raw Model Text"), "win.turn-copy", "raw", 0, ANSWER },
  { N_("_Quote in the Next Question"), "win.turn-quote", NULL, 0, EVERY },
  { N_("Show What the Model _Reads"), "win.turn-show-raw", NULL, 0, QUESTION },
  { N_("What _Made This Answer"), "win.turn-show-origin", NULL, 1, ANSWER | FINISHED },
  { N_("_Compare With Another Answer"), "win.turn-compare", NULL, 1, ANSWER },
  { N_("Answer Again E_xactly So"), "win.turn-again", "exactly", AGAIN_SECTION, ANSWER | FINISHED },
  { N_("Answer Again With Another _Seed"), "win.turn-again", "seed", AGAIN_SECTION, ANSWER },
  { N_("Answer Again by _Chat"), "win.turn-again", "chat", AGAIN_SECTION, ANSWER },
  { N_("Answer Again by _Find"), "win.turn-again", "find", AGAIN_SECTION, ANSWER },
  { N_("Answer Again by _Ground"), "win.turn-again", "ground", AGAIN_SECTION, ANSWER },
  { N_("_Branch Into a New Conversation"), "win.turn-branch", NULL, 3, EVERY },
  { N_("_Delete From Here On"), "win.turn-delete", NULL, 3, EVERY },
};

static gboolean
is_offered (SlMessageBar *self,
            guint         entry)
{
  SlMode mode = sl_message_get_mode (self->message), other;
  SlSettings settings;

  if (entries[entry].whose & (sl_message_get_role (self->message) == SL_ROLE_ASSISTANT ? QUESTION : ANSWER))
    return FALSE;
  if (entries[entry].text != NULL && sl_mode_from_nick (entries[entry].text, &other) && other == mode)
    return FALSE;
  return !(entries[entry].whose & FINISHED) || sl_message_get_settings (self->message, &settings);
}

/* The section of an entry, at the end of the menu. */
static GMenu *
add_section (SlMessageBar *self,
             GMenu        *menu,
             guint         number)
{
  GMenu *section = g_menu_new ();
  g_autoptr (GMenu) outer = NULL;

  if (number != AGAIN_SECTION)
    g_menu_append_section (menu, NULL, G_MENU_MODEL (section));
  else if (sl_message_get_role (self->message) == SL_ROLE_ASSISTANT)
    {
      outer = g_menu_new ();
      g_menu_append_submenu (outer, _("Answer A_gain"), G_MENU_MODEL (section));
      g_menu_append_section (menu, NULL, G_MENU_MODEL (outer));
    }
  return section;
}

static void
fill_menu (GtkMenuButton *button,
           gpointer       data)
{
  SlMessageBar *self = data;
  gint64 id = sl_message_get_id (self->message);
  g_autoptr (GMenu) menu = g_menu_new ();
  g_autoptr (GMenu) section = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (entries); i++)
    {
      g_autoptr (GMenuItem) item = NULL;

      if (i == 0 || entries[i].section != entries[i - 1].section)
        {
          g_clear_object (&section);
          section = add_section (self, menu, entries[i].section);
        }
      if (!is_offered (self, i))
        continue;
      item = g_menu_item_new (_(entries[i].label), NULL);
      if (entries[i].text != NULL)
        g_menu_item_set_action_and_target (item, entries[i].action, "(xs)", id, entries[i].text);
      else
        g_menu_item_set_action_and_target (item, entries[i].action, "x", id);
      g_menu_append_item (section, item);
    }
  gtk_menu_button_set_menu_model (button, G_MENU_MODEL (menu));
}

/* --- buttons --------------------------------------------------------------- */

static void
update_go_on (SlMessageBar *self)
{
  gtk_widget_set_visible (self->go_on, sl_message_can_continue (self->message));
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
name_button (GtkWidget  *button,
             const char *name)
{
  gtk_widget_set_tooltip_text (button, name);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

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
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-message-bar.ui");
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, box);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, copy);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, again);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, go_on);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, raw);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, more);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, branches);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, previous);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, next);
  gtk_widget_class_bind_template_child (widget_class, SlMessageBar, position);
  gtk_widget_class_bind_template_callback (widget_class, emit_copy);
  gtk_widget_class_bind_template_callback (widget_class, emit_again);
  gtk_widget_class_bind_template_callback (widget_class, emit_raw);
  gtk_widget_class_bind_template_callback (widget_class, emit_previous);
  gtk_widget_class_bind_template_callback (widget_class, emit_next);
}

static void
sl_message_bar_init (SlMessageBar *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_message_bar_new (SlMessage *message)
{
  SlMessageBar *self = g_object_new (SL_TYPE_MESSAGE_BAR, NULL);
  gboolean answer;

  g_return_val_if_fail (SL_IS_MESSAGE (message), NULL);

  self->message = g_object_ref (message);
  answer = sl_message_get_role (message) == SL_ROLE_ASSISTANT;
  name_button (self->copy, answer ? _("Copy Answer") : _("Copy Question"));
  gtk_button_set_icon_name (GTK_BUTTON (self->again), answer ? "view-refresh-symbolic" : "document-edit-symbolic");
  name_button (self->again, answer ? _("Answer Again") : _("Edit and Ask Again"));
  name_button (GTK_WIDGET (self->more), answer ? _("More Actions") : _("Question Actions"));
  gtk_widget_set_visible (self->raw, answer);
  gtk_actionable_set_action_target (GTK_ACTIONABLE (self->go_on), "x", sl_message_get_id (message));
  gtk_menu_button_set_create_popup_func (self->more, fill_menu, self, NULL);
  g_signal_connect_object (message, "notify::status", G_CALLBACK (update_go_on), self, G_CONNECT_SWAPPED);
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
  update_go_on (self); /* only the last answer goes on */
}
