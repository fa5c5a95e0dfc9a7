/* SPDX-License-Identifier: MIT
 *
 * What a user can do in the window, as a table of actions and keys; those on conversations and the smaller ones stand here.
 */
#include "ui/window/sl-window-private.h"

#include "ui/inspector/sl-export-dialog.h"
#include "ui/sl-rename.h"
#include "ui/window/sl-preferences.h"

#include <glib/gi18n.h>

/* --- conversations --------------------------------------------------------- */

static void
new_chat (GtkWidget  *widget,
          const char *name,
          GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);

  sl_window_stay (self);
  if (g_list_model_get_n_items (G_LIST_MODEL (self->conversation)) > 0)
    sl_window_set_conversation (self, NULL);
  gtk_stack_set_visible_child_name (self->pages, "main");
  if (adw_flap_get_folded (self->flap))
    adw_flap_set_reveal_flap (self->flap, FALSE);
  sl_composer_grab_focus (self->composer);
}

/* Of a conversation that is shown or listed; "" without one, NULL if there is no such conversation. */
static const char *
find_title (SlWindow *self,
            gint64    id)
{
  GListModel *list = G_LIST_MODEL (self->history);

  if (id == sl_conversation_get_id (self->conversation))
    return sl_conversation_get_title (self->conversation);
  for (guint i = 0; i < g_list_model_get_n_items (list); i++)
    {
      g_autoptr (SlSummary) summary = g_list_model_get_item (list, i);

      if (sl_summary_get_id (summary) == id)
        return sl_summary_get_title (summary);
    }
  return NULL;
}

/* What the dialog names is renamed, whatever is shown when it is answered. */
static void
on_renamed (GtkWindow  *window,
            const char *name,
            gpointer    id)
{
  g_autofree char *title = g_strdup (name);

  if (*g_strstrip (title) != '\0')
    sl_history_rename (SL_WINDOW (window)->history, g_variant_get_int64 (id), title);
}

static void
rename_conversation (GtkWidget  *widget,
                     const char *name,
                     GVariant   *id)
{
  SlWindow *self = SL_WINDOW (widget);
  const char *title = find_title (self, g_variant_get_int64 (id));

  if (title != NULL)
    sl_rename_ask (GTK_WINDOW (self), _("Rename Conversation"), _("Title"), title, on_renamed, g_variant_ref (id),
                   (GDestroyNotify) g_variant_unref);
}

static void
pin_conversation (GtkWidget  *widget,
                  const char *name,
                  GVariant   *parameter)
{
  gint64 id;
  gboolean pinned;

  g_variant_get (parameter, "(xb)", &id, &pinned);
  sl_history_set_pinned (SL_WINDOW (widget)->history, id, pinned);
}

static void
undo_delete (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  gint64 id = g_variant_get_int64 (parameter);

  sl_history_undo_delete (self->history, id);
  sl_window_open (self, id, 0);
}

static AdwToast *
make_undo_toast (gint64      id,
                 const char *title)
{
  g_autofree char *sentence = NULL;
  g_autofree char *escaped = NULL;
  AdwToast *toast;

  /* Translators: the title of a conversation */
  sentence = *title ? g_strdup_printf (_("“%s” deleted"), title) : g_strdup (_("Conversation deleted"));
  escaped = g_markup_escape_text (sentence, -1);
  toast = adw_toast_new (escaped);
  adw_toast_set_timeout (toast, SL_UNDO_SECONDS - 2);
  adw_toast_set_button_label (toast, _("_Undo"));
  adw_toast_set_action_name (toast, "win.undo-delete");
  adw_toast_set_action_target_value (toast, g_variant_new_int64 (id));
  return toast;
}

static void
delete_conversation (GtkWidget  *widget,
                     const char *name,
                     GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  gint64 id = g_variant_get_int64 (parameter);
  const char *title = find_title (self, id);
  AdwToast *toast;

  if (title == NULL)
    return;
  toast = make_undo_toast (id, title);
  sl_window_cancel_question (self, id);
  if (id == self->opening_id)
    sl_window_stay (self);
  if (id == sl_conversation_get_id (self->conversation))
    sl_window_set_conversation (self, NULL);
  sl_history_delete (self->history, id);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

/* The menu's: of the conversation that is shown. */
static void
rename_chat (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  g_autoptr (GVariant) id =
    g_variant_ref_sink (g_variant_new_int64 (sl_conversation_get_id (SL_WINDOW (widget)->conversation)));

  rename_conversation (widget, name, id);
}

static void
delete_chat (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  g_autoptr (GVariant) id =
    g_variant_ref_sink (g_variant_new_int64 (sl_conversation_get_id (SL_WINDOW (widget)->conversation)));

  if (g_list_model_get_n_items (G_LIST_MODEL (SL_WINDOW (widget)->conversation)) > 0)
    delete_conversation (widget, name, id);
}

void
sl_window_search (SlWindow   *self,
                  const char *query)
{
  g_return_if_fail (SL_IS_WINDOW (self));
  gtk_stack_set_visible_child_name (self->pages, "main");
  adw_flap_set_reveal_flap (self->flap, TRUE);
  sl_sidebar_start_search (self->sidebar, query);
}

static void
search (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  sl_window_search (SL_WINDOW (widget), NULL);
}

static void
toggle_sidebar (GtkWidget  *widget,
                const char *name,
                GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);

  adw_flap_set_reveal_flap (self->flap, !adw_flap_get_reveal_flap (self->flap));
}

/* --- pictures -------------------------------------------------------------- */

static void
attach (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  sl_window_choose_pictures (SL_WINDOW (widget));
}

static void
paste (GtkWidget  *widget,
       const char *name,
       GVariant   *parameter)
{
  sl_window_paste (SL_WINDOW (widget));
}

/* --- the rest -------------------------------------------------------------- */

static void
on_exported (GtkWindow  *window,
             const char *sentence)
{
  sl_window_toast (SL_WINDOW (window), sentence);
}

static void
stop (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  sl_window_stop (SL_WINDOW (widget));
}

static void
open_menu (GtkWidget  *widget,
           const char *name,
           GVariant   *parameter)
{
  gtk_menu_button_popup (SL_WINDOW (widget)->menu_button);
}

/* For pages of the window, which do not know it. */
static void
tell (GtkWidget  *widget,
      const char *name,
      GVariant   *sentence)
{
  sl_window_toast (SL_WINDOW (widget), g_variant_get_string (sentence, NULL));
}

static void
dismiss_warning (GtkWidget  *widget,
                 const char *name,
                 GVariant   *parameter)
{
  gtk_widget_set_visible (SL_WINDOW (widget)->warning, FALSE);
}

static void
show_preferences (SlWindow   *self,
                  const char *page)
{
  GtkWidget *window = sl_preferences_new (self->engine, self->models, self->remotes, self->server, page);

  gtk_window_set_transient_for (GTK_WINDOW (window), GTK_WINDOW (self));
  gtk_window_present (GTK_WINDOW (window));
}

static void
engines (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  show_preferences (SL_WINDOW (widget), "engines");
}

static void
preferences (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  show_preferences (SL_WINDOW (widget), "general");
}

static void
models (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  show_preferences (SL_WINDOW (widget), "models");
}

static void
diagnostics (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  show_preferences (SL_WINDOW (widget), "diagnostics");
}

void
sl_window_present_prompt (SlWindow *self,
                          SlPrompt *prompt)
{
  g_autofree char *raw = sl_prompt_dup_raw (prompt);
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), _("Raw Prompt"), NULL);
  GtkWidget *scrolled = gtk_scrolled_window_new ();
  GtkWidget *text = gtk_text_view_new ();

  gtk_text_buffer_set_text (gtk_text_view_get_buffer (GTK_TEXT_VIEW (text)), raw, -1);
  gtk_text_view_set_editable (GTK_TEXT_VIEW (text), FALSE);
  gtk_text_view_set_monospace (GTK_TEXT_VIEW (text), TRUE);
  gtk_text_view_set_wrap_mode (GTK_TEXT_VIEW (text), GTK_WRAP_WORD_CHAR);
  gtk_accessible_update_property (GTK_ACCESSIBLE (text), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Raw Prompt"), -1);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), text);
  gtk_widget_set_size_request (scrolled, 280, 320);
  adw_message_dialog_set_extra_child (ADW_MESSAGE_DIALOG (dialog), scrolled);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "close", _("_Close"));
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
show_prompt (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  g_autoptr (GPtrArray) parts = sl_composer_dup_parts (self->composer);
  g_autoptr (SlPrompt) prompt = sl_conversation_build_prompt (
    self->conversation, self->editing, parts, sl_composer_get_mode (self->composer),
    sl_composer_get_raw (self->composer), NULL);

  sl_window_present_prompt (self, prompt);
}

static void
toggle_fullscreen (GtkWidget  *widget,
                   const char *name,
                   GVariant   *parameter)
{
  if (gtk_window_is_fullscreen (GTK_WINDOW (widget)))
    gtk_window_unfullscreen (GTK_WINDOW (widget));
  else
    gtk_window_fullscreen (GTK_WINDOW (widget));
}

static void
export_conversation (GtkWidget  *widget,
                     const char *name,
                     GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);

  sl_export_dialog_present (GTK_WINDOW (self), self->conversation, NULL, NULL, on_exported);
}

/* The last answer that has something to compare. */
static void
compare (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);

  for (guint i = g_list_model_get_n_items (G_LIST_MODEL (self->conversation)); i > 0; i--)
    {
      g_autoptr (SlMessage) message = g_list_model_get_item (G_LIST_MODEL (self->conversation), i - 1);

      if (g_list_model_get_n_items (sl_message_get_boxes (message)) > 0)
        {
          sl_window_compare (self, message);
          return;
        }
    }
}

void
sl_window_update_actions (SlWindow *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  gboolean busy = sl_conversation_is_busy (self->conversation);
  gboolean some = g_list_model_get_n_items (G_LIST_MODEL (self->conversation)) > 0;
  SlEngineState state = sl_engine_get_state (self->engine);
  const SlModelInfo *info = sl_engine_get_info (self->engine);

  sl_window_update_turns (self, busy || self->asking != NULL);
  gtk_widget_action_set_enabled (widget, "win.stop", busy || self->asking != NULL);
  gtk_widget_action_set_enabled (widget, "win.rename", some);
  gtk_widget_action_set_enabled (widget, "win.export", some);
  gtk_widget_action_set_enabled (widget, "win.export-conversation", some);
  gtk_widget_action_set_enabled (widget, "win.compare", some);
  gtk_widget_action_set_enabled (widget, "win.delete", some);
  gtk_widget_action_set_enabled (widget, "win.cancel-load", state == SL_ENGINE_LOADING);
  gtk_widget_action_set_enabled (widget, "win.unload-model", state == SL_ENGINE_READY);
  gtk_widget_action_set_enabled (widget, "win.demo-model", info == NULL || !info->is_demo);
}

void
sl_window_connect_composer (SlWindow *self)
{
  g_signal_connect_swapped (self->composer, "send", G_CALLBACK (sl_window_send), self);
  g_signal_connect_swapped (self->composer, "stop", G_CALLBACK (sl_window_stop), self);
  g_signal_connect_swapped (self->composer, "paste", G_CALLBACK (sl_window_paste), self);
  g_signal_connect_swapped (self->composer, "cancel-edit", G_CALLBACK (sl_window_stop_editing), self);
  g_signal_connect_swapped (self->composer, "changed", G_CALLBACK (sl_window_queue_plan), self);
  g_signal_connect_swapped (self->composer, "recall", G_CALLBACK (sl_window_recall), self);
  g_signal_connect_swapped (self->chat, "edit", G_CALLBACK (sl_window_begin_edit), self);
  g_signal_connect_swapped (self->empty, "sample", G_CALLBACK (sl_window_ask_sample), self);
}

/* Not where GTK looks for it, which makes all of its widgets before the window is shown. */
static void
show_shortcuts (GtkWidget  *widget,
                const char *name,
                GVariant   *parameter)
{
  g_autoptr (GtkBuilder) builder = gtk_builder_new_from_resource ("/io/github/sightline/Sightline/help-overlay.ui");
  GtkWindow *overlay = GTK_WINDOW (gtk_builder_get_object (builder, "help_overlay"));

  gtk_window_set_transient_for (overlay, GTK_WINDOW (widget));
  gtk_window_present (overlay);
}

void
sl_window_install_actions (GtkWidgetClass *klass)
{
  static const struct
  {
    const char *name;
    GtkWidgetActionActivateFunc activate;
    const char *parameter;
    guint key;
    GdkModifierType modifiers;
  } actions[] = {
    { "win.new-chat", new_chat, NULL, GDK_KEY_n, GDK_CONTROL_MASK },
    { "win.rename", rename_chat, NULL, GDK_KEY_F2, 0 },
    { "win.delete", delete_chat, NULL, 0, 0 },
    { "win.rename-conversation", rename_conversation, "x", 0, 0 },
    { "win.pin-conversation", pin_conversation, "(xb)", 0, 0 },
    { "win.delete-conversation", delete_conversation, "x", 0, 0 },
    { "win.undo-delete", undo_delete, "x", 0, 0 },
    { "win.search", search, NULL, GDK_KEY_F, GDK_CONTROL_MASK | GDK_SHIFT_MASK },
    { "win.toggle-sidebar", toggle_sidebar, NULL, GDK_KEY_F9, 0 },
    { "win.attach", attach, NULL, GDK_KEY_o, GDK_CONTROL_MASK },
    { "win.open-document", sl_window_choose_document, NULL, GDK_KEY_D, GDK_CONTROL_MASK | GDK_SHIFT_MASK },
    { "win.paste", paste, NULL, GDK_KEY_v, GDK_CONTROL_MASK },
    { "win.choose-model", sl_window_model_choose, NULL, 0, 0 },
    { "win.demo-model", sl_window_model_demo, NULL, 0, 0 },
    { "win.unload-model", sl_window_model_unload, NULL, 0, 0 },
    { "win.cancel-load", sl_window_model_cancel, NULL, 0, 0 },
    { "win.stop", stop, NULL, GDK_KEY_Escape, 0 },
    { "win.fullscreen", toggle_fullscreen, NULL, GDK_KEY_F11, 0 },
    { "win.export", export_conversation, NULL, 0, 0 },
    { "win.compare", compare, NULL, GDK_KEY_d, GDK_CONTROL_MASK },
    { "win.show-prompt", show_prompt, NULL, 0, 0 },
    { "win.menu", open_menu, NULL, GDK_KEY_F10, 0 },
    { "win.tell", tell, "s", 0, 0 },
    { "win.dismiss-warning", dismiss_warning, NULL, 0, 0 },
    { "win.store-repair", sl_window_store_repair, NULL, 0, 0 },
    { "win.store-begin", sl_window_store_begin, NULL, 0, 0 },
    { "win.store-retry", sl_window_store_retry, NULL, 0, 0 },
    { "win.store-dismiss", sl_window_store_dismiss, NULL, 0, 0 },
    { "win.load-model", sl_window_model_load, "ay", 0, 0 },
    { "win.models", models, NULL, 0, 0 },
    { "win.diagnostics", diagnostics, NULL, 0, 0 },
    { "win.engines", engines, NULL, 0, 0 },
    { "win.preferences", preferences, NULL, GDK_KEY_comma, GDK_CONTROL_MASK },
    { "win.show-help-overlay", show_shortcuts, NULL, 0, 0 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    {
      gtk_widget_class_install_action (klass, actions[i].name, actions[i].parameter,
                                       actions[i].activate);
      if (actions[i].key != 0)
        gtk_widget_class_add_binding_action (klass, actions[i].key, actions[i].modifiers,
                                             actions[i].name, NULL);
    }
  sl_window_install_exchange (klass);
  sl_window_install_find (klass);
  sl_window_install_turns (klass);
  sl_window_install_folder (klass);
  sl_window_install_settings (klass);
  gtk_widget_class_add_binding_action (klass, GDK_KEY_w, GDK_CONTROL_MASK, "window.close", NULL);
}
