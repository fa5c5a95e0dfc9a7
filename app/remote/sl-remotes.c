/* SPDX-License-Identifier: MIT
 *
 * A key file with a group for each engine, named by its id. What is damaged in it is left out.
 */
#include "app/remote/sl-remotes.h"

#include <errno.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

struct _SlRemotes
{
  GObject parent_instance;

  char *path;
  GListStore *engines;
};

static guint edited_signal;

static void init_list_model (GListModelInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SlRemotes, sl_remotes, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, init_list_model))

static GType
sl_remotes_get_item_type (GListModel *model)
{
  return SL_TYPE_REMOTE_ENGINE;
}

static guint
sl_remotes_get_n_items (GListModel *model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (SL_REMOTES (model)->engines));
}

static gpointer
sl_remotes_get_item (GListModel *model,
                     guint       position)
{
  return g_list_model_get_item (G_LIST_MODEL (SL_REMOTES (model)->engines), position);
}

static void
init_list_model (GListModelInterface *iface)
{
  iface->get_item_type = sl_remotes_get_item_type;
  iface->get_n_items = sl_remotes_get_n_items;
  iface->get_item = sl_remotes_get_item;
}

/* ------------------------------------------------------------------------------------------------ file */

static char *
read_text (GKeyFile   *file,
           const char *group,
           const char *key)
{
  char *text = g_key_file_get_string (file, group, key, NULL);

  return text != NULL ? text : g_strdup ("");
}

static SlRemoteServer *
read_server (GKeyFile   *file,
             const char *group)
{
  g_autofree char *address = read_text (file, group, "address");
  g_autofree char *preset_nick = read_text (file, group, "preset");
  g_autofree char *boxes = read_text (file, group, "boxes");
  g_autofree char *ca_file = read_text (file, group, "ca-file");
  g_autofree char *normal = sl_remote_server_normalise (address, NULL);
  SlRemotePreset preset = SL_REMOTE_OTHER;
  SlRemoteServer *server;

  if (normal == NULL)
    return NULL;
  sl_remote_preset_from_nick (preset_nick, &preset);
  server = sl_remote_server_new (preset);
  g_free (server->id);
  g_free (server->name);
  g_free (server->address);
  g_free (server->model);
  server->id = g_strdup (group);
  server->name = read_text (file, group, "name");
  server->address = g_steal_pointer (&normal);
  server->model = read_text (file, group, "model");
  server->ca_file = ca_file[0] != '\0' ? g_steal_pointer (&ca_file) : NULL;
  server->ask = CLAMP (g_key_file_get_integer (file, group, "ask", NULL), 0, SL_REMOTE_ASK_JSON);
  sl_box_space_from_text (boxes, &server->space);
  server->max_pictures = MAX (g_key_file_get_integer (file, group, "max-pictures", NULL), 0);
  server->plain_allowed = g_key_file_get_boolean (file, group, "plain-allowed", NULL);
  server->confirmed = g_key_file_get_boolean (file, group, "confirmed", NULL);
  return server;
}

static void
write_server (GKeyFile             *file,
              const SlRemoteServer *server)
{
  g_autofree char *boxes = sl_box_space_to_text (&server->space);

  g_key_file_set_string (file, server->id, "name", server->name);
  g_key_file_set_string (file, server->id, "address", server->address);
  g_key_file_set_string (file, server->id, "model", server->model);
  g_key_file_set_string (file, server->id, "preset", sl_remote_preset_get_traits (server->preset)->nick);
  g_key_file_set_integer (file, server->id, "ask", server->ask);
  g_key_file_set_string (file, server->id, "boxes", boxes);
  g_key_file_set_string (file, server->id, "ca-file", server->ca_file != NULL ? server->ca_file : "");
  g_key_file_set_integer (file, server->id, "max-pictures", (int) server->max_pictures);
  g_key_file_set_boolean (file, server->id, "plain-allowed", server->plain_allowed);
  g_key_file_set_boolean (file, server->id, "confirmed", server->confirmed);
}

static gboolean
save (SlRemotes  *self,
      GError    **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *folder = g_path_get_dirname (self->path);
  g_autoptr (GError) cause = NULL;

  for (guint i = 0; i < sl_remotes_get_n_items (G_LIST_MODEL (self)); i++)
    {
      g_autoptr (SlRemoteEngine) engine = g_list_model_get_item (G_LIST_MODEL (self), i);

      write_server (file, sl_remote_engine_get_server (engine));
    }
  if (g_mkdir_with_parents (folder, 0700) == 0 && g_key_file_save_to_file (file, self->path, &cause))
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("The list of engines cannot be written: %s"),
               cause != NULL ? cause->message : g_strerror (errno));
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_remotes_finalize (GObject *object)
{
  SlRemotes *self = SL_REMOTES (object);

  g_free (self->path);
  g_object_unref (self->engines);
  G_OBJECT_CLASS (sl_remotes_parent_class)->finalize (object);
}

static void
sl_remotes_class_init (SlRemotesClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_remotes_finalize;
  edited_signal = g_signal_new ("edited", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_remotes_init (SlRemotes *self)
{
  const char *chosen = g_getenv ("SIGHTLINE_CONFIG_DIR");
  g_autofree char *folder = chosen != NULL && chosen[0] != '\0'
                              ? g_strdup (chosen)
                              : g_build_filename (g_get_user_config_dir (), "io.github.sightline.Sightline", NULL);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_auto (GStrv) groups = NULL;

  self->path = g_build_filename (folder, "engines.ini", NULL);
  self->engines = g_list_store_new (SL_TYPE_REMOTE_ENGINE);
  g_signal_connect_swapped (self->engines, "items-changed", G_CALLBACK (g_list_model_items_changed), self);
  if (!g_key_file_load_from_file (file, self->path, G_KEY_FILE_NONE, NULL))
    return;
  groups = g_key_file_get_groups (file, NULL);
  for (char **group = groups; *group != NULL; group++)
    {
      SlRemoteServer *server = read_server (file, *group);
      g_autoptr (SlRemoteEngine) engine = server != NULL ? sl_remote_engine_new (server) : NULL;

      if (engine == NULL)
        continue;
      g_list_store_append (self->engines, engine);
      sl_remote_server_unref (server);
    }
}

SlRemotes *
sl_remotes_new (void)
{
  return g_object_new (SL_TYPE_REMOTES, NULL);
}

static SlRemoteEngine *
find (SlRemotes  *self,
      const char *id,
      guint      *position)
{
  for (guint i = 0; i < sl_remotes_get_n_items (G_LIST_MODEL (self)); i++)
    {
      g_autoptr (SlRemoteEngine) engine = g_list_model_get_item (G_LIST_MODEL (self), i);

      *position = i;
      if (g_strcmp0 (sl_remote_engine_get_server (engine)->id, id) == 0)
        return engine; /* the list holds it */
    }
  return NULL;
}

SlRemoteEngine *
sl_remotes_find (SlRemotes  *self,
                 const char *id)
{
  guint position;

  g_return_val_if_fail (SL_IS_REMOTES (self), NULL);

  return find (self, id, &position);
}

gboolean
sl_remotes_put (SlRemotes       *self,
                SlRemoteServer  *server,
                GError         **error)
{
  guint position;
  SlRemoteEngine *engine;

  g_return_val_if_fail (SL_IS_REMOTES (self), FALSE);

  engine = find (self, server->id, &position);
  if (engine != NULL)
    {
      sl_remote_engine_set_server (engine, server);
      g_signal_emit (self, edited_signal, 0);
    }
  else
    {
      g_autoptr (SlRemoteEngine) added = sl_remote_engine_new (server);

      g_list_store_append (self->engines, added);
    }
  return save (self, error);
}

gboolean
sl_remotes_remove (SlRemotes   *self,
                   const char  *id,
                   GError     **error)
{
  guint position;

  g_return_val_if_fail (SL_IS_REMOTES (self), FALSE);

  if (find (self, id, &position) != NULL)
    g_list_store_remove (self->engines, position);
  return save (self, error);
}
