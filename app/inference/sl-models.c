/* SPDX-License-Identifier: MIT
 *
 * Folders of models and the remembered choice. UI thread, except what the header allows on any.
 */
#include "app/inference/sl-models.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/hub/sl-library.h"
#include "app/inference/sl-model-folder.h"
#include "app/system/sl-places.h"

#define GROUP "model"
#define KEY   "last-dir"
#define DIRS  "dirs"
#define USED  "used" /* a group: folder = seconds of Unix time */

struct _SlModels
{
  GObject parent_instance;

  char *path; /* of the key file */
  char *last_dir;
  GPtrArray *dirs; /* of char */
  GHashTable *used; /* char → gint64 */
  SlDownloads *downloads;
};

enum { PROP_0, PROP_LAST_DIR, PROP_DIRS, N_PROPS };

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (SlModels, sl_models, G_TYPE_OBJECT)

static void
sl_models_get_property (GObject    *object,
                        guint       id,
                        GValue     *value,
                        GParamSpec *pspec)
{
  if (id == PROP_LAST_DIR)
    g_value_set_string (value, SL_MODELS (object)->last_dir);
  else if (id == PROP_DIRS)
    g_value_take_boxed (value, sl_models_dup_dirs (SL_MODELS (object)));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_models_finalize (GObject *object)
{
  SlModels *self = SL_MODELS (object);

  g_free (self->path);
  g_free (self->last_dir);
  g_ptr_array_unref (self->dirs);
  g_hash_table_unref (self->used);
  g_clear_object (&self->downloads);
  G_OBJECT_CLASS (sl_models_parent_class)->finalize (object);
}

static void
sl_models_class_init (SlModelsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = sl_models_get_property;
  object_class->finalize = sl_models_finalize;
  properties[PROP_LAST_DIR] = g_param_spec_string ("last-dir", NULL, NULL, NULL,
                                                   G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  properties[PROP_DIRS] = g_param_spec_boxed ("dirs", NULL, NULL, G_TYPE_STRV,
                                              G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

/* FALSE if it was there. */
static gboolean
remember_dir (SlModels   *self,
              const char *dir)
{
  if (g_ptr_array_find_with_equal_func (self->dirs, dir, g_str_equal, NULL))
    return FALSE;
  g_ptr_array_add (self->dirs, g_strdup (dir));
  return TRUE;
}

/* Folders are any bytes: a key file wants them escaped. */
static char *
dup_key (const char *dir)
{
  return g_uri_escape_string (dir, "/", FALSE);
}

static void
read_used (SlModels *self,
           GKeyFile *file)
{
  g_auto (GStrv) keys = g_key_file_get_keys (file, USED, NULL, NULL);

  for (guint i = 0; keys != NULL && keys[i] != NULL; i++)
    {
      g_autofree gint64 *time = g_new (gint64, 1);
      char *dir = g_uri_unescape_string (keys[i], NULL);

      *time = g_key_file_get_int64 (file, USED, keys[i], NULL);
      if (dir != NULL)
        g_hash_table_replace (self->used, dir, g_steal_pointer (&time));
    }
}

static void
sl_models_init (SlModels *self)
{
  const char *chosen = g_getenv ("SIGHTLINE_CONFIG_DIR");
  g_autofree char *folder = chosen != NULL && chosen[0] != '\0'
                              ? g_strdup (chosen)
                              : g_build_filename (g_get_user_config_dir (), "io.github.sightline.Sightline", NULL);
  g_autoptr (GKeyFile) file = g_key_file_new ();

  self->path = g_build_filename (folder, "settings.ini", NULL);
  self->dirs = g_ptr_array_new_with_free_func (g_free);
  self->used = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  /* A file that is missing or damaged means no choice. */
  if (g_key_file_load_from_file (file, self->path, G_KEY_FILE_NONE, NULL))
    {
      g_auto (GStrv) dirs = g_key_file_get_string_list (file, GROUP, DIRS, NULL, NULL);

      self->last_dir = g_key_file_get_string (file, GROUP, KEY, NULL);
      for (guint i = 0; dirs != NULL && dirs[i] != NULL; i++)
        remember_dir (self, dirs[i]);
      if (self->last_dir != NULL)
        remember_dir (self, self->last_dir);
      read_used (self, file);
    }
}

SlModels *
sl_models_new (void)
{
  return g_object_new (SL_TYPE_MODELS, NULL);
}

/* ------------------------------------------------------------------------------------------------ folders */

static gboolean
holds_model (const char *dir)
{
  g_autofree char *files = sl_model_folder_resolve (dir);
  g_autofree char *config = g_build_filename (files, "config.json", NULL);

  return g_file_test (config, G_FILE_TEST_IS_REGULAR);
}

char *
sl_models_dup_start_dir (SlModels *self)
{
  g_return_val_if_fail (SL_IS_MODELS (self), NULL);

  if (self->last_dir != NULL && holds_model (self->last_dir))
    return g_strdup (self->last_dir);
  return sl_places_dup_demo_dir ();
}

const char *
sl_models_get_last_dir (SlModels *self)
{
  g_return_val_if_fail (SL_IS_MODELS (self), NULL);

  return self->last_dir;
}

static gboolean
save (SlModels  *self,
      GError   **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *folder = g_path_get_dirname (self->path);
  GHashTableIter iter;
  gpointer dir, time;

  g_key_file_load_from_file (file, self->path, G_KEY_FILE_KEEP_COMMENTS, NULL);
  if (self->last_dir != NULL)
    g_key_file_set_string (file, GROUP, KEY, self->last_dir);
  else
    g_key_file_remove_key (file, GROUP, KEY, NULL);
  g_hash_table_iter_init (&iter, self->used);
  while (g_hash_table_iter_next (&iter, &dir, &time))
    {
      g_autofree char *key = dup_key (dir);

      g_key_file_set_int64 (file, USED, key, *(const gint64 *) time);
    }
  g_key_file_set_string_list (file, GROUP, DIRS, (const char *const *) self->dirs->pdata, self->dirs->len);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      int code = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), _("The folder “%s” for settings cannot be made: %s"), folder,
                   g_strerror (code));
      return FALSE;
    }
  return g_key_file_save_to_file (file, self->path, error);
}

gboolean
sl_models_set_last_dir (SlModels    *self,
                        const char  *dir,
                        GError     **error)
{
  g_autofree char *copy = g_strdup (dir);

  g_return_val_if_fail (SL_IS_MODELS (self), FALSE);

  if (g_strcmp0 (copy, self->last_dir) != 0)
    {
      g_free (self->last_dir);
      self->last_dir = g_steal_pointer (&copy);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LAST_DIR]);
    }
  if (dir != NULL && remember_dir (self, dir))
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
  return save (self, error);
}

char **
sl_models_dup_dirs (SlModels *self)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  g_return_val_if_fail (SL_IS_MODELS (self), NULL);

  for (guint i = 0; i < self->dirs->len; i++)
    g_strv_builder_add (builder, g_ptr_array_index (self->dirs, i));
  return g_strv_builder_end (builder);
}

gboolean
sl_models_add_dir (SlModels    *self,
                   const char  *dir,
                   GError     **error)
{
  g_return_val_if_fail (SL_IS_MODELS (self), FALSE);

  if (!remember_dir (self, dir))
    return TRUE;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
  return save (self, error);
}

gboolean
sl_models_remove_dir (SlModels    *self,
                      const char  *dir,
                      GError     **error)
{
  guint position;

  g_return_val_if_fail (SL_IS_MODELS (self), FALSE);

  if (!g_ptr_array_find_with_equal_func (self->dirs, dir, g_str_equal, &position))
    return TRUE;
  if (g_strcmp0 (dir, self->last_dir) == 0)
    {
      g_clear_pointer (&self->last_dir, g_free);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LAST_DIR]);
    }
  g_ptr_array_remove_index (self->dirs, position);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
  return save (self, error);
}

/* ------------------------------------------------------------------------------------------------ use */

gint64
sl_models_get_used (SlModels   *self,
                    const char *dir)
{
  const gint64 *time;

  g_return_val_if_fail (SL_IS_MODELS (self), 0);

  time = g_hash_table_lookup (self->used, dir);
  return time != NULL ? *time : 0;
}

void
sl_models_note_used (SlModels   *self,
                     const char *dir)
{
  gint64 *time = g_new (gint64, 1);

  g_return_if_fail (SL_IS_MODELS (self));

  *time = g_get_real_time () / G_USEC_PER_SEC;
  g_hash_table_replace (self->used, g_strdup (dir), time);
  save (self, NULL);
}

char *
sl_models_find (SlModels   *self,
                const char *name)
{
  g_auto (GStrv) dirs = sl_models_dup_dirs (self);

  return sl_library_find (name, (const char *const *) dirs);
}

/* ------------------------------------------------------------------------------------------------ downloads */

static void
on_finished (SlModels       *self,
             SlDownloadItem *item)
{
  g_autoptr (GError) error = NULL;

  if (!sl_models_add_dir (self, sl_download_item_get_dest (item), &error))
    g_warning ("%s", error->message);
}

SlDownloads *
sl_models_get_downloads (SlModels *self)
{
  g_return_val_if_fail (SL_IS_MODELS (self), NULL);

  if (self->downloads == NULL)
    {
      self->downloads = sl_downloads_new (NULL);
      g_signal_connect_object (self->downloads, "finished", G_CALLBACK (on_finished), self, G_CONNECT_SWAPPED);
    }
  return self->downloads;
}
