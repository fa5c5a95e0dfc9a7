/* SPDX-License-Identifier: MIT
 *
 * Reads the command line, opens what lives as long as the program, makes the window. A second start hands its pictures and
 * --model to the first and ends. At the end answers are stopped and saved before the store is closed.
 */
#include "ui/window/sl-application.h"

#include "app/history/sl-search-provider.h"
#include "app/system/sl-places.h"
#include "ui/inspector/sl-crop-provider.h"
#include "ui/window/sl-about.h"
#include "ui/window/sl-background.h"
#include "ui/window/sl-window.h"

#include <glib/gi18n.h>
#include <gtksourceview/gtksource.h>

#define APPLICATION_ID "io.github.sightline.Sightline"

struct _SlApplication
{
  AdwApplication parent_instance;

  SlStore *store;
  SlEngine *engine;
  SlHistory *history;
  SlModels *models;
  SlRemotes *remotes;
  SlServerSwitch *server;
  GSettings *settings; /* NULL where the schema is missing: defaults */
  SlBackground *background;
  SlSearchProvider *search_provider;
  char *model_dir;   /* from --model, before there is an engine */
  gboolean held; /* for a download */
};

G_DEFINE_FINAL_TYPE (SlApplication, sl_application, ADW_TYPE_APPLICATION)

static SlWindow *
get_window (SlApplication *self)
{
  GList *windows = gtk_application_get_windows (GTK_APPLICATION (self));

  for (GList *l = windows; l != NULL; l = l->next)
    if (SL_IS_WINDOW (l->data))
      return l->data;
  return NULL;
}

static void
start_model (SlApplication *self,
             SlWindow      *window)
{
  if (self->model_dir != NULL)
    sl_window_load_model (window, self->model_dir, FALSE);
  else
    sl_window_load_start_model (window);
}

static SlWindow *
ensure_window (SlApplication *self)
{
  SlWindow *window = get_window (self);

  if (window == NULL)
    {
      window = sl_window_new (GTK_APPLICATION (self), self->engine, self->store, self->history,
                              self->models, self->remotes, self->server);
      if (sl_engine_get_state (self->engine) == SL_ENGINE_UNLOADED)
        start_model (self, window);
    }
  gtk_window_present (GTK_WINDOW (window));
  return window;
}

static void
sl_application_activate (GApplication *application)
{
  ensure_window (SL_APPLICATION (application));
}

static void
sl_application_open (GApplication *application,
                     GFile       **files,
                     int           n_files,
                     const char   *hint)
{
  SlWindow *window = ensure_window (SL_APPLICATION (application));
  g_autoptr (GListStore) list = g_list_store_new (G_TYPE_FILE);

  for (int i = 0; i < n_files; i++)
    g_list_store_append (list, files[i]);
  sl_window_add_files (window, G_LIST_MODEL (list));
}

/* --- command line ---------------------------------------------------------- */

static void
take_model (SlApplication *self,
            const char    *given)
{
  g_autofree char *dir = g_canonicalize_filename (given, NULL);

  if (g_application_get_is_remote (G_APPLICATION (self)))
    g_action_group_activate_action (G_ACTION_GROUP (self), "load-model",
                                    g_variant_new_bytestring (dir));
  else
    {
      g_free (self->model_dir);
      self->model_dir = g_steal_pointer (&dir);
    }
}

static int
sl_application_handle_local_options (GApplication *application,
                                     GVariantDict *options)
{
  SlApplication *self = SL_APPLICATION (application);
  gboolean new_chat = g_variant_dict_contains (options, "new-chat");
  g_autoptr (GError) error = NULL;
  const char *given = NULL;

  if (g_variant_dict_contains (options, "version"))
    {
      g_print ("Sightline %s\n", SL_VERSION);
      return 0;
    }
  if (!g_variant_dict_lookup (options, "model", "^&ay", &given) && !new_chat)
    return -1;
  if (!g_application_register (application, NULL, &error))
    {
      g_printerr ("%s\n", error->message);
      return 1;
    }
  if (given != NULL)
    take_model (self, given);
  if (new_chat)
    g_action_group_activate_action (G_ACTION_GROUP (application), "new-chat", NULL);
  return -1;
}

static void
on_load_model (GSimpleAction *action,
               GVariant      *parameter,
               gpointer       data)
{
  SlApplication *self = data;

  sl_window_load_model (ensure_window (self), g_variant_get_bytestring (parameter), FALSE);
}

/* --- life ------------------------------------------------------------------ */

static void
on_about (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       data)
{
  sl_about_show (gtk_application_get_active_window (GTK_APPLICATION (data)));
}

static void
on_help (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       data)
{
  sl_about_show_guide (gtk_application_get_active_window (GTK_APPLICATION (data)), NULL);
}

static void
on_guide (GSimpleAction *action,
          GVariant      *parameter,
          gpointer       data)
{
  sl_about_show_guide (gtk_application_get_active_window (GTK_APPLICATION (data)), g_variant_get_string (parameter, NULL));
}

static void
on_new_chat (GSimpleAction *action,
             GVariant      *parameter,
             gpointer       data)
{
  gtk_widget_activate_action (GTK_WIDGET (ensure_window (data)), "win.new-chat", NULL);
}

static void
on_open_conversation (GSimpleAction *action,
                      GVariant      *parameter,
                      gpointer       data)
{
  sl_window_open (ensure_window (data), g_variant_get_int64 (parameter), 0);
}

static void
on_search (GSimpleAction *action,
           GVariant      *parameter,
           gpointer       data)
{
  sl_window_search (ensure_window (data), g_variant_get_string (parameter, NULL));
}

static void
on_quit (GSimpleAction *action,
         GVariant      *parameter,
         gpointer       data)
{
  SlWindow *window = get_window (data);

  /* Closing the window saves its state; the last window ends the program. */
  if (window != NULL)
    gtk_window_close (GTK_WINDOW (window));
  else
    g_application_quit (G_APPLICATION (data));
}

/* A download goes on after the window is closed, and ends the program's stay; so does what is set up. */
static void
on_work (SlApplication *self)
{
  gboolean busy = sl_downloads_is_busy (sl_models_get_downloads (self->models)) || sl_model_setup_is_busy (sl_models_get_setup (self->models));

  if (busy == self->held)
    return;
  self->held = busy;
  if (busy)
    g_application_hold (G_APPLICATION (self));
  else
    g_application_release (G_APPLICATION (self));
}

static void
set_limit (SlApplication *self)
{
  guint64 megabytes = g_settings_get_uint (self->settings, "download-limit");

  sl_downloads_set_limit (sl_models_get_downloads (self->models), megabytes * 1000 * 1000);
}

/* The desktop may end a program without a window that has not asked to stay. */
static void
sl_application_window_removed (GtkApplication *application,
                               GtkWindow      *window)
{
  GTK_APPLICATION_CLASS (sl_application_parent_class)->window_removed (application, window);
  if (SL_APPLICATION (application)->held && get_window (SL_APPLICATION (application)) == NULL)
    sl_background_ask_to_stay (G_APPLICATION (application), _("A model is being downloaded"));
}

/* Whoever looks sees it without. */
static void
notify (SlApplication *self,
        const char    *id,
        const char    *title,
        const char    *body)
{
  g_autoptr (GNotification) notification = g_notification_new (title);

  if (gtk_application_get_active_window (GTK_APPLICATION (self)) != NULL)
    return;
  g_notification_set_body (notification, body);
  g_application_send_notification (G_APPLICATION (self), id, notification);
}

static void
on_downloaded (SlApplication  *self,
               SlDownloadItem *item)
{
  g_autofree char *body = g_strdup_printf (_("%s was downloaded and verified."), sl_download_item_get_repo (item));

  notify (self, sl_download_item_get_dest (item), _("The model is here"), body);
}

/* The next window begins with it where there is none now. */
static void
on_set_up (SlApplication *self,
           const char    *dir)
{
  SlWindow *window = get_window (self);
  g_autofree char *name = g_filename_display_basename (dir);

  if (window != NULL)
    {
      sl_window_try_model (window, dir);
      return;
    }
  sl_models_set_last_dir (self->models, dir);
  notify (self, dir, _("The model is ready"), name);
}

static void
sl_application_startup (GApplication *application)
{
  static const GActionEntry actions[] = {
    { .name = "about", .activate = on_about },
    { .name = "quit", .activate = on_quit },
    { .name = "load-model", .activate = on_load_model, .parameter_type = "ay" },
    { .name = "help", .activate = on_help },
    { .name = "guide", .activate = on_guide, .parameter_type = "s" }, /* a page of the user guide */
    { .name = "new-chat", .activate = on_new_chat },
    { .name = "open-conversation", .activate = on_open_conversation, .parameter_type = "x" },
    { .name = "search", .activate = on_search, .parameter_type = "s" },
  };
  SlApplication *self = SL_APPLICATION (application);

  G_APPLICATION_CLASS (sl_application_parent_class)->startup (application);
  gtk_source_init ();
  sl_crop_provider_forget_files ();
  gtk_window_set_default_icon_name (APPLICATION_ID);
  g_action_map_add_action_entries (G_ACTION_MAP (self), actions, G_N_ELEMENTS (actions), self);
  gtk_application_set_accels_for_action (GTK_APPLICATION (self), "app.quit",
                                         (const char *[]) { "<Control>q", NULL });
  gtk_application_set_accels_for_action (GTK_APPLICATION (self), "app.help",
                                         (const char *[]) { "F1", NULL });
  gtk_application_set_accels_for_action (GTK_APPLICATION (self), "win.show-help-overlay",
                                         (const char *[]) { "<Control>question", NULL });
  self->store = sl_store_new (NULL);
  self->engine = sl_engine_new ();
  self->models = sl_models_new ();
  self->remotes = sl_remotes_new ();
  g_signal_connect_object (sl_models_get_downloads (self->models), "notify::busy", G_CALLBACK (on_work), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (sl_models_get_setup (self->models), "changed", G_CALLBACK (on_work), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (sl_models_get_setup (self->models), "ready", G_CALLBACK (on_set_up), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (sl_models_get_downloads (self->models), "finished", G_CALLBACK (on_downloaded), self, G_CONNECT_SWAPPED);
  self->server = sl_server_switch_new (self->engine);
  self->settings = sl_places_open_settings ();
  if (self->settings != NULL)
    {
      g_settings_bind (self->settings, "serve-port", self->server, "port", G_SETTINGS_BIND_DEFAULT);
      g_settings_bind (self->settings, "serve", self->server, "on", G_SETTINGS_BIND_DEFAULT);
      sl_engine_set_idle_seconds (self->engine, 60 * g_settings_get_uint (self->settings, "idle-minutes"));
      g_signal_connect_object (self->settings, "changed::download-limit", G_CALLBACK (set_limit), self, G_CONNECT_SWAPPED);
      set_limit (self);
    }
  self->history = sl_history_new (self->store, self->engine);
  self->background =
    sl_background_new (GTK_APPLICATION (self), self->engine, self->history, self->settings);
  sl_search_provider_set_history (self->search_provider, self->history);
}

static gboolean
sl_application_dbus_register (GApplication    *application,
                              GDBusConnection *connection,
                              const char      *path,
                              GError         **error)
{
  SlApplication *self = SL_APPLICATION (application);
  g_autofree char *provider_path = g_strconcat (path, "/SearchProvider", NULL);

  return G_APPLICATION_CLASS (sl_application_parent_class)
           ->dbus_register (application, connection, path, error) &&
         sl_search_provider_export (self->search_provider, connection, provider_path, error);
}

static void
sl_application_dbus_unregister (GApplication    *application,
                                GDBusConnection *connection,
                                const char      *path)
{
  sl_search_provider_unexport (SL_APPLICATION (application)->search_provider);
  G_APPLICATION_CLASS (sl_application_parent_class)->dbus_unregister (application, connection, path);
}

static void
sl_application_shutdown (GApplication *application)
{
  SlApplication *self = SL_APPLICATION (application);
  g_autoptr (GError) error = NULL, failure = NULL;
  SlWindow *window = get_window (self);

  if (window != NULL)
    gtk_window_destroy (GTK_WINDOW (window));
  sl_downloads_close (sl_models_get_downloads (self->models));
  if (!sl_models_flush (self->models, &failure))
    g_printerr ("%s\n", failure->message);
  if (self->server != NULL)
    {
      g_settings_unbind (self->server, "on"); /* that it ends now is no choice */
      sl_server_switch_close (self->server);
    }
  g_clear_object (&self->server);
  g_clear_object (&self->background);
  sl_search_provider_set_history (self->search_provider, NULL);
  if (self->history != NULL)
    sl_history_shutdown (self->history);
  if (self->store != NULL && !sl_store_close (self->store, &error))
    g_printerr ("%s\n", error->message);
  g_clear_object (&self->history);
  g_clear_object (&self->store);
  g_clear_object (&self->engine);
  g_clear_object (&self->models);
  g_clear_object (&self->remotes);
  g_clear_object (&self->settings);
  sl_crop_provider_forget_files ();
  gtk_source_finalize ();
  G_APPLICATION_CLASS (sl_application_parent_class)->shutdown (application);
}

static void
sl_application_finalize (GObject *object)
{
  SlApplication *self = SL_APPLICATION (object);

  g_free (self->model_dir);
  g_clear_object (&self->search_provider);
  G_OBJECT_CLASS (sl_application_parent_class)->finalize (object);
}

static void
sl_application_class_init (SlApplicationClass *klass)
{
  GApplicationClass *application_class = G_APPLICATION_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = sl_application_finalize;
  GTK_APPLICATION_CLASS (klass)->window_removed = sl_application_window_removed;
  application_class->activate = sl_application_activate;
  application_class->dbus_register = sl_application_dbus_register;
  application_class->dbus_unregister = sl_application_dbus_unregister;
  application_class->open = sl_application_open;
  application_class->handle_local_options = sl_application_handle_local_options;
  application_class->startup = sl_application_startup;
  application_class->shutdown = sl_application_shutdown;
}

static void
sl_application_init (SlApplication *self)
{
  static const GOptionEntry options[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, NULL, N_("Load the checkpoint in this folder"),
      N_("DIR") },
    { "new-chat", 0, 0, G_OPTION_ARG_NONE, NULL, N_("Start a new conversation"), NULL },
    { "version", 'v', 0, G_OPTION_ARG_NONE, NULL, N_("Show the version and exit"), NULL },
    { NULL },
  };

  self->search_provider = sl_search_provider_new (G_APPLICATION (self));
  g_application_add_main_option_entries (G_APPLICATION (self), options);
  g_application_set_option_context_parameter_string (G_APPLICATION (self), _("[PICTURE…]"));
}

SlApplication *
sl_application_new (void)
{
  return g_object_new (SL_TYPE_APPLICATION, "application-id", APPLICATION_ID, "flags",
                       G_APPLICATION_HANDLES_OPEN, "resource-base-path",
                       "/io/github/sightline/Sightline", NULL);
}
