/* SPDX-License-Identifier: MIT
 *
 * Who answers the conversation that is shown: this computer or an engine on a server; the choice, the line that says where questions go,
 * and the leave that is asked for before anything goes to a host for the first time. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include <glib/gi18n.h>

SlRemoteEngine *
sl_window_get_remote (SlConversation *conversation)
{
  SlAnswerer *answerer = sl_conversation_get_answerer (conversation);

  return SL_IS_REMOTE_ENGINE (answerer) ? SL_REMOTE_ENGINE (answerer) : NULL;
}

static void
show_engine (SlWindow *self)
{
  SlRemoteEngine *remote = sl_window_get_remote (self->conversation);
  GAction *action = g_action_map_lookup_action (G_ACTION_MAP (self), "engine");
  const char *id = sl_answerer_get_id (sl_conversation_get_answerer (self->conversation));

  sl_engine_bar_set_engine (self->engine_bar, remote);
  sl_model_bar_set_wanted (self->model_bar, remote == NULL);
  sl_empty_state_set_local (self->empty, remote == NULL);
  sl_composer_set_engine (self->composer, remote == NULL ? self->engine : NULL);
  if (action != NULL)
    g_simple_action_set_state (G_SIMPLE_ACTION (action), g_variant_new_string (id));
  sl_window_update_title (self);
  sl_window_queue_plan (self);
}

void
sl_window_take_engine (SlWindow *self)
{
  const char *id = sl_conversation_get_engine_id (self->conversation);
  SlRemoteEngine *remote = self->remotes != NULL && id[0] != '\0' ? sl_remotes_find (self->remotes, id) : NULL;

  if (remote != NULL)
    sl_conversation_set_answerer (self->conversation, SL_ANSWERER (remote));
  else if (id[0] != '\0' && self->remotes != NULL)
    sl_window_warn (self, _("The engine that this conversation asked is no longer in the list. Until you choose another, this computer answers."));
  if (self->remotes != NULL)
    show_engine (self);
}

static void
on_engine (GSimpleAction *action,
           GVariant      *id,
           gpointer       data)
{
  SlWindow *self = data;
  SlRemoteEngine *remote = sl_remotes_find (self->remotes, g_variant_get_string (id, NULL));

  sl_conversation_set_answerer (self->conversation, remote != NULL ? SL_ANSWERER (remote) : NULL);
  show_engine (self);
}

/* An engine that is removed answers no more, also where it is shown. */
static void
on_removed (SlWindow *self)
{
  const char *id = sl_conversation_get_engine_id (self->conversation);

  if (id[0] == '\0' || sl_remotes_find (self->remotes, id) != NULL)
    return;
  sl_conversation_set_answerer (self->conversation, NULL);
  show_engine (self);
}

void
sl_window_set_remotes (SlWindow  *self,
                       SlRemotes *remotes)
{
  g_autoptr (GSimpleAction) action = g_simple_action_new_stateful ("engine", G_VARIANT_TYPE_STRING, g_variant_new_string (""));
  g_autoptr (GMenu) menu = sl_engine_menu_new (remotes);
  GMenuModel *primary = gtk_menu_button_get_menu_model (self->menu_button);
  g_autoptr (GMenuModel) models = g_menu_model_get_item_link (primary, 1, G_MENU_LINK_SECTION);

  self->remotes = g_object_ref (remotes);
  g_signal_connect_object (action, "activate", G_CALLBACK (on_engine), self, 0);
  g_action_map_add_action (G_ACTION_MAP (self), G_ACTION (action));
  sl_engine_bar_set_menu (self->engine_bar, G_MENU_MODEL (menu));
  g_menu_prepend_submenu (G_MENU (models), _("_Engine"), G_MENU_MODEL (menu));
  g_signal_connect_object (remotes, "items-changed", G_CALLBACK (on_removed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (remotes, "edited", G_CALLBACK (sl_window_update_title), self, G_CONNECT_SWAPPED);
}

/* --- leave ----------------------------------------------------------------- */

gboolean
sl_window_needs_leave (SlConversation *conversation)
{
  SlRemoteEngine *remote = sl_window_get_remote (conversation);

  return remote != NULL && !sl_remote_engine_get_server (remote)->confirmed;
}

GtkWidget *
sl_window_make_leave_dialog (SlWindow       *self,
                             SlConversation *conversation)
{
  SlRemoteEngine *remote = sl_window_get_remote (conversation);
  g_autofree char *host = sl_remote_server_dup_host (sl_remote_engine_get_server (remote));
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), _("Send It to Another Computer?"), NULL);

  adw_message_dialog_format_body (
    ADW_MESSAGE_DIALOG (dialog),
    _("The questions, answers and pictures of conversations with this engine go to %s, which may keep them. This is asked once for each host."),
    host);
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Cancel"), "agree", _("_Send There"), NULL);
  return dialog;
}

void
sl_window_give_leave (SlWindow       *self,
                      SlConversation *conversation)
{
  SlRemoteEngine *remote = sl_window_get_remote (conversation);
  g_autoptr (SlRemoteServer) server = sl_remote_server_copy (sl_remote_engine_get_server (remote));
  g_autoptr (GError) error = NULL;

  server->confirmed = TRUE;
  if (!sl_remotes_put (self->remotes, server, &error))
    sl_window_toast (self, error->message);
}
