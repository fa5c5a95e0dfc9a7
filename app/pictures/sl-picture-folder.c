/* SPDX-License-Identifier: MIT
 *
 * The pictures of a folder, told by their names: to open every file would take long on a slow disk.
 */
#include "app/pictures/sl-picture-folder.h"

#include <gio/gio.h>

#include <string.h>

static int
compare_paths (gconstpointer a,
               gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

GPtrArray *
sl_picture_folder_list (const char  *path,
                        GError     **error)
{
  g_autoptr(GDir) dir = g_dir_open (path, 0, error);
  GPtrArray *found;
  const char *name;

  if (dir == NULL)
    return NULL;
  found = g_ptr_array_new_with_free_func (g_free);
  while ((name = g_dir_read_name (dir)) != NULL)
    if (*name != '.')
      g_ptr_array_add (found, g_build_filename (path, name, NULL));
  g_ptr_array_sort (found, compare_paths);
  return found;
}

gboolean
sl_picture_folder_takes (const char *path)
{
  g_autofree char *type = g_content_type_guess (path, NULL, 0, NULL);
  g_autofree char *mime = g_content_type_get_mime_type (type);

  return mime != NULL && g_str_has_prefix (mime, "image/");
}
