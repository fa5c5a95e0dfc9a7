/* SPDX-License-Identifier: MIT
 *
 * samples.json: an array (or an object with the array under "samples") of
 *   { "files": ["a.png", …], "prompt": "…", "mode": "chat" | "find" | "ground",
 *     "title": "…", "raw": false }
 * "prompt" and "title" may have variants for a language, as in "prompt_zh".
 */
#include "ui/chat/sl-sample.h"

#include <jansson.h>

static void
sl_sample_free (gpointer data)
{
  SlSample *sample = data;

  g_ptr_array_unref (sample->paths);
  g_free (sample->prompt);
  g_free (sample->title);
  g_free (sample);
}

/* In the user's language where the file has it. */
static const char *
get_string (json_t     *object,
            const char *key)
{
  const char *const *languages = g_get_language_names ();

  for (guint i = 0; languages[i] != NULL; i++)
    {
      g_autofree char *variant = g_strdup_printf ("%s_%s", key, languages[i]);
      const char *value = json_string_value (json_object_get (object, variant));

      if (value != NULL)
        return value;
      if (g_str_has_prefix (languages[i], "en"))
        break;
    }
  return json_string_value (json_object_get (object, key));
}

/* Only plain names inside the samples folder. */
static void
add_path (SlSample   *sample,
          const char *folder,
          const char *name)
{
  g_autofree char *path = NULL;

  if (name == NULL || strchr (name, G_DIR_SEPARATOR) != NULL)
    return;
  path = g_build_filename (folder, name, NULL);
  if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
    g_ptr_array_add (sample->paths, g_steal_pointer (&path));
}

static void
add_paths (SlSample   *sample,
           const char *folder,
           json_t     *object)
{
  json_t *file;
  size_t index;

  json_array_foreach (json_object_get (object, "files"), index, file)
    add_path (sample, folder, json_string_value (file));
}

static SlSample *
read_sample (const char *folder,
             json_t     *object)
{
  const char *prompt = get_string (object, "prompt");
  const char *title = get_string (object, "title");
  const char *mode = json_string_value (json_object_get (object, "mode"));
  SlSample *sample;

  if (prompt == NULL)
    return NULL;
  sample = g_new0 (SlSample, 1);
  sample->paths = g_ptr_array_new_with_free_func (g_free);
  sample->prompt = g_strdup (prompt);
  sample->title = g_strdup (title ? title : prompt);
  sample->raw = json_is_true (json_object_get (object, "raw"));
  if (mode == NULL || !sl_mode_from_nick (mode, &sample->mode))
    sample->mode = SL_MODE_CHAT;
  add_paths (sample, folder, object);
  if (sample->paths->len > 0)
    return sample;
  sl_sample_free (sample);
  return NULL;
}

GPtrArray *
sl_sample_load_all (const char *data_dir)
{
  GPtrArray *samples = g_ptr_array_new_with_free_func (sl_sample_free);
  g_autofree char *folder = NULL;
  g_autofree char *path = NULL;
  json_t *root, *list, *object;
  size_t index;

  if (data_dir == NULL)
    return samples;
  folder = g_build_filename (data_dir, "samples", NULL);
  path = g_build_filename (folder, "samples.json", NULL);
  root = json_load_file (path, 0, NULL);
  list = json_is_object (root) ? json_object_get (root, "samples") : root;
  json_array_foreach (list, index, object)
    {
      SlSample *sample = read_sample (folder, object);
      if (sample != NULL)
        g_ptr_array_add (samples, sample);
    }
  json_decref (root);
  return samples;
}
