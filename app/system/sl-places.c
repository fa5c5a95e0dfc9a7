/* SPDX-License-Identifier: MIT
 *
 * Finds the files that come with Sightline. A build folder is told by data/build-folder in it, which holds the path of the
 * source tree.
 */
#include "app/system/sl-places.h"

#include <string.h>

#define SCHEMA_ID "io.github.sightline.Sightline"
#define MARKER    "data/build-folder"

/* The programs are one or two folders below the build folder. */
static char *
find_build_dir (char **source_dir)
{
  g_autofree char *dir = g_file_read_link ("/proc/self/exe", NULL);

  for (int level = 0; dir != NULL && level < 4; level++)
    {
      char *parent = g_path_get_dirname (dir);
      g_autofree char *marker = g_build_filename (parent, MARKER, NULL);

      g_free (dir);
      dir = parent;
      if (level > 0 && g_file_get_contents (marker, source_dir, NULL, NULL))
        {
          g_strchomp (*source_dir);
          return g_steal_pointer (&dir);
        }
    }
  return NULL;
}

char *
sl_places_dup_build_dir (void)
{
  g_autofree char *source_dir = NULL;

  return find_build_dir (&source_dir);
}

char *
sl_places_dup_data_dir (void)
{
  const char *chosen = g_getenv ("SIGHTLINE_DATA");
  g_autofree char *source_dir = NULL;
  g_autofree char *build_dir = NULL;

  if (chosen != NULL && chosen[0] != '\0')
    return g_strdup (chosen);
  build_dir = find_build_dir (&source_dir);
  return build_dir != NULL ? g_build_filename (source_dir, "data", NULL) : g_strdup (SL_INSTALLED_DATA_DIR);
}

char *
sl_places_dup_demo_dir (void)
{
  g_autofree char *data = sl_places_dup_data_dir ();
  g_autofree char *dir = g_build_filename (data, "demo-model", NULL);
  g_autofree char *config = g_build_filename (dir, "config.json", NULL);

  return g_file_test (config, G_FILE_TEST_IS_REGULAR) ? g_steal_pointer (&dir) : NULL;
}

char *
sl_places_dup_locale_dir (void)
{
  g_autofree char *build_dir = sl_places_dup_build_dir ();

  return build_dir != NULL ? g_build_filename (build_dir, "po", NULL) : g_strdup (SL_INSTALLED_LOCALE_DIR);
}

/* A schema of another version may lack a key, and asking for it would end the program. */
static gboolean
is_complete (GSettingsSchema *schema)
{
  static const char *const keys[] = { "device", "idle-minutes", "notify", "keep-awake", "serve", "serve-port", "accepted-licences" };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (!g_settings_schema_has_key (schema, keys[i]))
      return FALSE;
  return TRUE;
}

GSettings *
sl_places_open_settings (void)
{
  g_autofree char *build_dir = sl_places_dup_build_dir ();
  g_autofree char *dir = build_dir != NULL ? g_build_filename (build_dir, "data", NULL) : g_strdup (SL_INSTALLED_SCHEMA_DIR);
  GSettingsSchemaSource *parent = g_settings_schema_source_get_default ();
  g_autoptr (GSettingsSchemaSource) source = g_settings_schema_source_new_from_directory (dir, parent, FALSE, NULL);
  g_autoptr (GSettingsSchema) schema = NULL;

  if (source != NULL)
    schema = g_settings_schema_source_lookup (source, SCHEMA_ID, TRUE);
  else if (parent != NULL)
    schema = g_settings_schema_source_lookup (parent, SCHEMA_ID, TRUE);
  return schema != NULL && is_complete (schema) ? g_settings_new_full (schema, NULL, NULL) : NULL;
}
