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
  GHashTable *works; /* char → SlModelWork */
  SlDownloads *downloads;
  SlModelSetup *setup;
  GThreadPool *writer; /* one thread: what is written last was remembered last */
  GError *failure;     /* of what was written last; the writer's as long as there is one */
};

enum { PROP_0, PROP_LAST_DIR, PROP_DIRS, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint not_saved_signal;

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

  if (self->writer != NULL)
    g_thread_pool_free (self->writer, FALSE, FALSE); /* no waiting: it may be this very thread that let go last */
  g_clear_error (&self->failure);
  g_free (self->path);
  g_free (self->last_dir);
  g_ptr_array_unref (self->dirs);
  g_hash_table_unref (self->used);
  g_hash_table_unref (self->works);
  g_clear_object (&self->setup);
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
  not_saved_signal =
    g_signal_new ("not-saved", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
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
  self->works = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_object_unref);
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

/* ------------------------------------------------------------------------------------------------ writing */

/* What is to stand in the file of this program's, as of one moment. */
typedef struct
{
  char *path;
  GKeyFile *values;
} State;

static State *
state_new (SlModels *self)
{
  State *state = g_new (State, 1);
  GHashTableIter iter;
  gpointer dir, time;

  *state = (State) { .path = g_strdup (self->path), .values = g_key_file_new () };
  if (self->last_dir != NULL)
    g_key_file_set_string (state->values, GROUP, KEY, self->last_dir);
  g_key_file_set_string_list (state->values, GROUP, DIRS, (const char *const *) self->dirs->pdata, self->dirs->len);
  g_hash_table_iter_init (&iter, self->used);
  while (g_hash_table_iter_next (&iter, &dir, &time))
    {
      g_autofree char *key = dup_key (dir);

      g_key_file_set_int64 (state->values, USED, key, *(const gint64 *) time);
    }
  return state;
}

static void
state_free (State *self)
{
  g_free (self->path);
  g_key_file_unref (self->values);
  g_free (self);
}

static void
put_group (GKeyFile   *file,
           GKeyFile   *values,
           const char *group)
{
  g_auto (GStrv) keys = g_key_file_get_keys (values, group, NULL, NULL);

  for (guint i = 0; keys != NULL && keys[i] != NULL; i++)
    {
      g_autofree char *value = g_key_file_get_value (values, group, keys[i], NULL);

      g_key_file_set_value (file, group, keys[i], value);
    }
}

/* Comments and keys of others stay. */
static gboolean
write_state (const State  *self,
             GError      **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *folder = g_path_get_dirname (self->path);

  g_key_file_load_from_file (file, self->path, G_KEY_FILE_KEEP_COMMENTS, NULL);
  g_key_file_remove_key (file, GROUP, KEY, NULL);
  put_group (file, self->values, GROUP);
  put_group (file, self->values, USED);
  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      int code = errno;

      g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), _("The folder “%s” for settings cannot be made: %s"), folder,
                   g_strerror (code));
      return FALSE;
    }
  return g_key_file_save_to_file (file, self->path, error);
}

static void
on_written (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (GError) error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    g_signal_emit (source, not_saved_signal, 0, error->message);
}

/* On the writer's thread; takes the task. */
static void
write_task (gpointer data,
            gpointer failure)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;

  g_clear_error ((GError **) failure);
  if (write_state (g_task_get_task_data (task), &error))
    {
      g_task_return_boolean (task, TRUE);
      return;
    }
  *(GError **) failure = g_error_copy (error);
  g_task_return_error (task, error);
}

static void
save (SlModels *self)
{
  GTask *task = g_task_new (self, NULL, on_written, NULL);

  g_task_set_source_tag (task, save);
  g_task_set_task_data (task, state_new (self), (GDestroyNotify) state_free);
  if (self->writer == NULL)
    self->writer = g_thread_pool_new (write_task, &self->failure, 1, FALSE, NULL);
  g_thread_pool_push (self->writer, task, NULL);
}

gboolean
sl_models_flush (SlModels  *self,
                 GError   **error)
{
  g_return_val_if_fail (SL_IS_MODELS (self), FALSE);

  if (self->writer != NULL)
    g_thread_pool_free (g_steal_pointer (&self->writer), FALSE, TRUE);
  if (self->failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&self->failure));
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ folders */

static gboolean
holds_model (const char *dir)
{
  g_autofree char *files = sl_model_folder_resolve (dir);
  g_autofree char *config = g_build_filename (files, "config.json", NULL);

  return g_file_test (config, G_FILE_TEST_IS_REGULAR);
}

static void
find_start_dir (GTask        *task,
                gpointer      source,
                gpointer      last_dir,
                GCancellable *cancellable)
{
  g_task_return_pointer (task, last_dir != NULL && holds_model (last_dir) ? g_strdup (last_dir) : sl_places_dup_demo_dir (), g_free);
}

void
sl_models_find_start_dir_async (SlModels            *self,
                                GAsyncReadyCallback  callback,
                                gpointer             data)
{
  g_autoptr (GTask) task = NULL;

  g_return_if_fail (SL_IS_MODELS (self));

  task = g_task_new (self, NULL, callback, data);
  g_task_set_source_tag (task, sl_models_find_start_dir_async);
  g_task_set_task_data (task, g_strdup (self->last_dir), g_free);
  g_task_run_in_thread (task, find_start_dir);
}

char *
sl_models_find_start_dir_finish (SlModels      *self,
                                 GAsyncResult  *result,
                                 GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

const char *
sl_models_get_last_dir (SlModels *self)
{
  g_return_val_if_fail (SL_IS_MODELS (self), NULL);

  return self->last_dir;
}

void
sl_models_set_last_dir (SlModels   *self,
                        const char *dir)
{
  g_autofree char *copy = g_strdup (dir);

  g_return_if_fail (SL_IS_MODELS (self));

  if (g_strcmp0 (copy, self->last_dir) != 0)
    {
      g_free (self->last_dir);
      self->last_dir = g_steal_pointer (&copy);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LAST_DIR]);
    }
  if (dir != NULL && remember_dir (self, dir))
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
  save (self);
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

void
sl_models_add_dir (SlModels   *self,
                   const char *dir)
{
  g_return_if_fail (SL_IS_MODELS (self));

  if (!remember_dir (self, dir))
    return;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
  save (self);
}

void
sl_models_remove_dir (SlModels   *self,
                      const char *dir)
{
  guint position;

  g_return_if_fail (SL_IS_MODELS (self));

  if (!g_ptr_array_find_with_equal_func (self->dirs, dir, g_str_equal, &position))
    return;
  if (g_strcmp0 (dir, self->last_dir) == 0)
    {
      g_clear_pointer (&self->last_dir, g_free);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LAST_DIR]);
    }
  g_ptr_array_remove_index (self->dirs, position);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
  save (self);
}

void
sl_models_forget_dir (SlModels   *self,
                      const char *dir)
{
  g_return_if_fail (SL_IS_MODELS (self));

  g_hash_table_remove (self->works, dir);
  sl_models_remove_dir (self, dir);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
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
  save (self);
}

char *
sl_models_find (SlModels   *self,
                const char *name)
{
  g_auto (GStrv) dirs = sl_models_dup_dirs (self);

  return sl_library_find (name, (const char *const *) dirs);
}

/* ------------------------------------------------------------------------------------------------ work */

static void
follow_move (SlModels   *self,
             const char *from,
             const char *to)
{
  gboolean last = g_strcmp0 (self->last_dir, from) == 0;

  sl_models_remove_dir (self, from);
  if (last)
    sl_models_set_last_dir (self, to);
  else
    sl_models_add_dir (self, to);
}

static void
on_work (SlModelWork *work,
         SlModels    *self)
{
  if (sl_model_work_get_state (work) == SL_MODEL_WORK_RUNNING)
    return;
  g_signal_handlers_disconnect_by_func (work, on_work, self);
  if (sl_model_work_get_state (work) == SL_MODEL_WORK_DONE && sl_model_work_get_kind (work) == SL_MODEL_WORK_MOVE)
    follow_move (self, sl_model_work_get_dir (work), sl_model_work_get_dest (work));
  if (sl_model_work_get_kind (work) != SL_MODEL_WORK_VERIFY)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DIRS]);
}

void
sl_models_take_work (SlModels    *self,
                     SlModelWork *work)
{
  g_return_if_fail (SL_IS_MODELS (self));
  g_return_if_fail (SL_IS_MODEL_WORK (work));

  g_signal_connect_object (work, "changed", G_CALLBACK (on_work), self, 0);
  g_hash_table_replace (self->works, g_strdup (sl_model_work_get_dir (work)), work);
}

SlModelWork *
sl_models_get_work (SlModels   *self,
                    const char *dir)
{
  g_return_val_if_fail (SL_IS_MODELS (self), NULL);

  return g_hash_table_lookup (self->works, dir);
}

/* ------------------------------------------------------------------------------------------------ downloads */

static void
on_finished (SlModels       *self,
             SlDownloadItem *item)
{
  sl_models_add_dir (self, sl_download_item_get_dest (item));
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

static void
on_working (SlModels    *self,
            SlModelWork *work)
{
  sl_models_take_work (self, g_object_ref (work));
}

SlModelSetup *
sl_models_get_setup (SlModels *self)
{
  g_return_val_if_fail (SL_IS_MODELS (self), NULL);

  if (self->setup == NULL)
    {
      self->setup = sl_model_setup_new (sl_models_get_downloads (self));
      g_signal_connect_object (self->setup, "working", G_CALLBACK (on_working), self, G_CONNECT_SWAPPED);
    }
  return self->setup;
}
