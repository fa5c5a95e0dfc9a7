/* SPDX-License-Identifier: MIT
 *
 * How answers are made: the button for the settings of the conversation that is shown, what of them is the user's, beside what is
 * written, and what made an answer of before. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include "ui/window/sl-settings-popover.h"

#include <glib/gi18n.h>

/* Its widgets are made when it is first opened. */
static void
fill_popover (GtkMenuButton *button,
              gpointer       data)
{
  SlWindow *self = data;
  GtkPopover *popover = gtk_menu_button_get_popover (button);

  if (popover == NULL)
    {
      popover = g_object_new (SL_TYPE_SETTINGS_POPOVER, NULL);
      gtk_menu_button_set_popover (button, GTK_WIDGET (popover));
    }
  sl_settings_popover_set_mode (SL_SETTINGS_POPOVER (popover), sl_composer_get_mode (self->composer));
  sl_settings_popover_set_conversation (SL_SETTINGS_POPOVER (popover), self->conversation);
}

void
sl_window_update_settings (SlWindow *self)
{
  const char *words = sl_conversation_get_system_text (self->conversation);
  g_autofree char *text = sl_choices_dup_text (sl_conversation_get_choices (self->conversation));
  g_autofree char *both = NULL;

  if (*words != '\0')
    both = *text != '\0' ? g_strdup_printf ("%s · %s", _("System message"), text) : g_strdup (_("System message"));
  sl_composer_set_settings_text (self->composer, both != NULL ? both : text);
}

void
sl_window_watch_settings (SlWindow *self)
{
  g_signal_connect_object (self->conversation, "choices-changed", G_CALLBACK (sl_window_update_settings), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->conversation, "choices-changed", G_CALLBACK (sl_window_queue_plan), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->conversation, "notify::system-text", G_CALLBACK (sl_window_update_settings), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (self->conversation, "notify::system-text", G_CALLBACK (sl_window_queue_plan), self, G_CONNECT_SWAPPED);
  gtk_menu_button_popdown (self->settings_button);
  sl_window_update_settings (self);
}

static void
open_settings (GtkWidget  *widget,
               const char *name,
               GVariant   *parameter)
{
  gtk_menu_button_popup (SL_WINDOW (widget)->settings_button);
}

/* --- what made an answer --------------------------------------------------- */

static void
add_line (GString    *text,
          const char *name,
          const char *value)
{
  if (value != NULL && *value != '\0')
    g_string_append_printf (text, "%s: %s\n", name, value);
}

static void
add_number (GString  *text,
            SlChoice  choice,
            double    value)
{
  g_autofree char *number = g_strdup_printf ("%.10g", value);

  add_line (text, sl_choice_get_display_name (choice), number);
}

static char *
describe (SlMessage          *answer,
          const SlGeneration *generation)
{
  GString *text = g_string_new (NULL);
  g_autofree char *seed = g_strdup_printf ("%" G_GUINT64_FORMAT, generation->seed);

  add_line (text, _("Model"), generation->model);
  add_line (text, _("Quantisation"), generation->quantisation);
  add_line (text, _("Device"), generation->device);
  add_line (text, _("Mode"), sl_mode_get_display_name (sl_message_get_mode (answer)));
  add_line (text, _("System message"), generation->system_text);
  add_number (text, SL_CHOICE_TEMPERATURE, generation->temperature);
  add_number (text, SL_CHOICE_TOP_P, generation->top_p);
  add_number (text, SL_CHOICE_TOP_K, generation->top_k);
  add_number (text, SL_CHOICE_REPETITION, generation->repetition_penalty);
  add_line (text, sl_choice_get_display_name (SL_CHOICE_SEED), seed);
  if (generation->max_tokens > 0)
    add_number (text, SL_CHOICE_LENGTH, generation->max_tokens);
  add_line (text, sl_choice_get_display_name (SL_CHOICE_BOXES), generation->constrained ? _("Yes") : _("No"));
  /* Translators: how many tiles each picture was cut into */
  add_line (text, _("Tiles"), generation->tiling);
  g_string_truncate (text, text->len - 1);
  return g_string_free (text, FALSE);
}

static void
show_origin (GtkWidget  *widget,
             const char *name,
             GVariant   *id)
{
  SlWindow *self = SL_WINDOW (widget);
  SlMessage *answer = sl_conversation_find (self->conversation, g_variant_get_int64 (id));
  const SlGeneration *generation = answer != NULL ? sl_message_get_generation (answer) : NULL;
  g_autofree char *text = NULL;
  GtkWidget *dialog, *label;

  if (generation == NULL)
    return;
  text = describe (answer, generation);
  dialog = adw_message_dialog_new (GTK_WINDOW (self), _("What Made This Answer"), NULL);
  label = gtk_label_new (text);
  gtk_label_set_selectable (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  adw_message_dialog_set_extra_child (ADW_MESSAGE_DIALOG (dialog), label);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

void
sl_window_install_settings (GtkWidgetClass *klass)
{
  gtk_widget_class_install_action (klass, "win.settings", NULL, open_settings);
  gtk_widget_class_add_binding_action (klass, GDK_KEY_e, GDK_CONTROL_MASK, "win.settings", NULL);
  gtk_widget_class_install_action (klass, "win.turn-show-origin", "x", show_origin);
}

void
sl_window_init_settings (SlWindow *self)
{
  gtk_menu_button_set_create_popup_func (self->settings_button, fill_popover, self, NULL);
}
