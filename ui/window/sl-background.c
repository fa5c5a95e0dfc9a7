/* SPDX-License-Identifier: MIT
 *
 * Notifies, and keeps the computer awake, while answers are made. A notification carries the conversation's id; it is withdrawn
 * when the window is looked at again.
 */
#include "ui/window/sl-background.h"

#include "ui/sl-newer.h"

#include <glib/gi18n.h>

#define NOTIFICATION "answer-ended"

struct _SlBackground
{
  GObject parent_instance;

  GtkApplication *application; /* not owned */
  SlEngine *engine;
  GSettings *settings; /* may be NULL */
  guint inhibition;
};

G_DEFINE_FINAL_TYPE (SlBackground, sl_background, G_TYPE_OBJECT)

static gboolean
wants (SlBackground *self,
       const char  *key)
{
  return self->settings == NULL || g_settings_get_boolean (self->settings, key);
}

/* --- suspend --------------------------------------------------------------- */

static void
on_busy (SlBackground *self)
{
  gboolean busy = sl_engine_is_busy (self->engine) || sl_engine_get_queue_length (self->engine) > 0;

  if (busy && self->inhibition == 0 && wants (self, "keep-awake"))
    self->inhibition =
      gtk_application_inhibit (self->application,
                               gtk_application_get_active_window (self->application),
                               GTK_APPLICATION_INHIBIT_SUSPEND, _("An answer is being made"));
  else if (!busy && self->inhibition != 0)
    {
      gtk_application_uninhibit (self->application, self->inhibition);
      self->inhibition = 0;
    }
}

/* --- the end of an answer -------------------------------------------------- */

static const char *
describe_end (SlConversation *conversation)
{
  guint n_messages = g_list_model_get_n_items (G_LIST_MODEL (conversation));
  g_autoptr (SlMessage) last =
    n_messages ? g_list_model_get_item (G_LIST_MODEL (conversation), n_messages - 1) : NULL;

  if (last != NULL && sl_message_get_status (last) == SL_MESSAGE_FAILED)
    return _("The answer could not be finished.");
  return _("The answer is ready.");
}

static void
on_answered (SlBackground    *self,
             SlConversation *conversation)
{
  GtkWindow *window = gtk_application_get_active_window (self->application);
  const char *title = sl_conversation_get_title (conversation);
  const char *sentence = describe_end (conversation);
  g_autoptr (GNotification) notification = NULL;

  if (window != NULL)
    sl_newer_announce (GTK_WIDGET (window), sentence);
  if ((window != NULL && gtk_window_is_active (window)) || !wants (self, "notify"))
    return;
  notification = g_notification_new (*title != '\0' ? title : _("New Conversation"));
  g_notification_set_body (notification, sentence);
  g_notification_set_default_action_and_target (notification, "app.open-conversation", "x",
                                                sl_conversation_get_id (conversation));
  g_application_send_notification (G_APPLICATION (self->application), NOTIFICATION, notification);
}

static void
on_window_active (GtkWindow    *window,
                  GParamSpec   *pspec,
                  GApplication *application)
{
  if (gtk_window_is_active (window))
    g_application_withdraw_notification (application, NOTIFICATION);
}

static void
on_window_added (SlBackground *self,
                 GtkWindow   *window)
{
  g_signal_connect_object (window, "notify::is-active", G_CALLBACK (on_window_active),
                           self->application, 0);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_background_dispose (GObject *object)
{
  SlBackground *self = SL_BACKGROUND (object);

  if (self->inhibition != 0)
    gtk_application_uninhibit (self->application, self->inhibition);
  self->inhibition = 0;
  g_clear_object (&self->engine);
  g_clear_object (&self->settings);
  G_OBJECT_CLASS (sl_background_parent_class)->dispose (object);
}

static void
sl_background_class_init (SlBackgroundClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = sl_background_dispose;
}

static void
sl_background_init (SlBackground *self)
{
}

SlBackground *
sl_background_new (GtkApplication *application,
                  SlEngine       *engine,
                  SlHistory      *history,
                  GSettings      *settings)
{
  SlBackground *self = g_object_new (SL_TYPE_BACKGROUND, NULL);

  self->application = application;
  self->engine = g_object_ref (engine);
  if (settings != NULL)
    self->settings = g_object_ref (settings);
  g_signal_connect_object (engine, "notify::busy", G_CALLBACK (on_busy), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (engine, "notify::queue-length", G_CALLBACK (on_busy), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (history, "answered", G_CALLBACK (on_answered), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (application, "window-added", G_CALLBACK (on_window_added), self,
                           G_CONNECT_SWAPPED);
  return self;
}

/* ------------------------------------------------------------------------------------------------ without a window */

void
sl_background_ask_to_stay (GApplication *application,
                           const char   *reason)
{
  GDBusConnection *bus = g_application_get_dbus_connection (application);
  GVariantBuilder options;

  if (bus == NULL)
    return;
  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "reason", g_variant_new_string (reason));
  g_dbus_connection_call (bus, "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop", "org.freedesktop.portal.Background",
                          "RequestBackground", g_variant_new ("(sa{sv})", "", &options), NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL, NULL);
}
