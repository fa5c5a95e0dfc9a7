/* SPDX-License-Identifier: MIT
 *
 * The bar that finds words in the conversation that is shown: the last place first, then up and down. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include <glib/gi18n.h>

static void
find_words (SlWindow *self,
            int       direction)
{
  const char *words = gtk_editable_get_text (GTK_EDITABLE (self->find_entry));
  gboolean found = sl_chat_view_find (self->chat, words, direction);

  gtk_widget_set_visible (self->find_nothing, !found && *words != '\0');
}

static void
on_find_changed (SlWindow *self)
{
  if (gtk_search_bar_get_search_mode (self->find_bar))
    find_words (self, 0);
}

static void
on_find_up (SlWindow *self)
{
  find_words (self, -1);
}

static void
on_find_down (SlWindow *self)
{
  find_words (self, 1);
}

/* The keyboard would go to some words of the conversation, and bring them into sight. */
static void
on_find_closed (SlWindow *self)
{
  if (gtk_search_bar_get_search_mode (self->find_bar))
    return;
  gtk_widget_set_visible (self->find_nothing, FALSE);
  sl_composer_grab_focus (self->composer);
}

/* Where nothing has been said yet there is nothing to find: then among all conversations. */
static void
find (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);

  if (g_list_model_get_n_items (G_LIST_MODEL (self->conversation)) == 0)
    {
      sl_window_search (self, NULL);
      return;
    }
  gtk_stack_set_visible_child_name (self->pages, "main");
  gtk_search_bar_set_search_mode (self->find_bar, TRUE);
  gtk_widget_grab_focus (GTK_WIDGET (self->find_entry));
  gtk_editable_select_region (GTK_EDITABLE (self->find_entry), 0, -1);
}

void
sl_window_stop_finding (SlWindow *self)
{
  gtk_search_bar_set_search_mode (self->find_bar, FALSE);
}

void
sl_window_init_find (SlWindow *self)
{
  gtk_search_bar_connect_entry (self->find_bar, GTK_EDITABLE (self->find_entry));
  g_signal_connect_swapped (self->find_bar, "notify::search-mode-enabled", G_CALLBACK (on_find_closed), self);
}

void
sl_window_install_find (GtkWidgetClass *klass)
{
  gtk_widget_class_bind_template_child (klass, SlWindow, find_bar);
  gtk_widget_class_bind_template_child (klass, SlWindow, find_entry);
  gtk_widget_class_bind_template_child (klass, SlWindow, find_nothing);
  gtk_widget_class_bind_template_callback (klass, on_find_changed);
  gtk_widget_class_bind_template_callback (klass, on_find_up);
  gtk_widget_class_bind_template_callback (klass, on_find_down);
  gtk_widget_class_install_action (klass, "win.find", NULL, find);
  gtk_widget_class_add_binding_action (klass, GDK_KEY_f, GDK_CONTROL_MASK, "win.find", NULL);
}
