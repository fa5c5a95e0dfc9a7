/* SPDX-License-Identifier: MIT
 *
 * Reads and writes the small key file of the window. Values from the file are checked: it may come from anywhere.
 */
#include "ui/window/sl-window-state.h"

#include <gio/gio.h>

#define GROUP "window"

static char *
dup_dir (void)
{
  const char *dir = g_getenv ("SIGHTLINE_CONFIG_DIR");

  return dir ? g_strdup (dir)
             : g_build_filename (g_get_user_config_dir (), "io.github.sightline.Sightline", NULL);
}

static int
get_size (GKeyFile   *file,
          const char *key,
          int         fallback)
{
  int size = g_key_file_get_integer (file, GROUP, key, NULL);

  return size >= 200 && size <= 16384 ? size : fallback;
}

static gboolean
get_boolean (GKeyFile   *file,
             const char *key,
             gboolean    fallback)
{
  g_autoptr (GError) error = NULL;
  gboolean value = g_key_file_get_boolean (file, GROUP, key, &error);

  return error ? fallback : value;
}

void
sl_window_state_load (SlWindowState *state)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *dir = dup_dir ();
  g_autofree char *path = g_build_filename (dir, "window.ini", NULL);
  g_autofree char *mode = NULL;

  g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, NULL);
  state->width = get_size (file, "width", 1100);
  state->height = get_size (file, "height", 760);
  state->maximized = get_boolean (file, "maximized", FALSE);
  state->sidebar = get_boolean (file, "sidebar", TRUE);
  state->conversation = g_key_file_get_int64 (file, GROUP, "conversation", NULL);
  mode = g_key_file_get_string (file, GROUP, "mode", NULL);
  if (mode == NULL || !sl_mode_from_nick (mode, &state->mode))
    state->mode = SL_MODE_CHAT;
}

void
sl_window_state_save (const SlWindowState *state)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *dir = dup_dir ();
  g_autofree char *path = g_build_filename (dir, "window.ini", NULL);

  g_key_file_set_integer (file, GROUP, "width", state->width);
  g_key_file_set_integer (file, GROUP, "height", state->height);
  g_key_file_set_boolean (file, GROUP, "maximized", state->maximized);
  g_key_file_set_boolean (file, GROUP, "sidebar", state->sidebar);
  g_key_file_set_string (file, GROUP, "mode", sl_mode_get_nick (state->mode));
  g_key_file_set_int64 (file, GROUP, "conversation", state->conversation);
  g_mkdir_with_parents (dir, 0700);
  g_key_file_save_to_file (file, path, NULL);
}

/* One at a time: they write the same file. */
static void
save_in_thread (GTask        *task,
                gpointer      source,
                gpointer      state,
                GCancellable *cancellable)
{
  static GMutex lock;

  g_mutex_lock (&lock);
  sl_window_state_save (state);
  g_mutex_unlock (&lock);
  g_task_return_boolean (task, TRUE);
}

void
sl_window_state_save_soon (const SlWindowState *state)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, NULL, NULL);

  g_task_set_task_data (task, g_memdup2 (state, sizeof *state), g_free);
  g_task_run_in_thread (task, save_in_thread);
}
