/* SPDX-License-Identifier: MIT
 *
 * The pictures of a folder, told by their names: to open every file would take long on a slow disk.
 */
#include "app/pictures/sl-picture-folder.h"

#include <string.h>

#include <glib/gstdio.h>

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

typedef struct
{
  GPtrArray *pictures;
  SlPictureFolderRest rest;
  const char *except;
  gboolean recursive;
  GCancellable *cancellable;
} Search;

static gboolean
is_same_folder (const char *a,
                const char *b)
{
  GStatBuf one, other;

  return g_stat (a, &one) == 0 && g_stat (b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static gboolean add_folder (Search *search, const char *path, GError **error);

/* A link to a folder may lead round in a circle. */
static gboolean
add_entry (Search      *search,
           const char  *path,
           GError     **error)
{
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    {
      if (sl_picture_folder_takes (path))
        g_ptr_array_add (search->pictures, g_strdup (path));
      else
        search->rest.n_others++;
      return TRUE;
    }
  if (search->except != NULL && is_same_folder (path, search->except))
    return TRUE;
  if (search->recursive && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
    return add_folder (search, path, error);
  search->rest.n_folders++;
  return TRUE;
}

static gboolean
add_folder (Search      *search,
            const char  *path,
            GError     **error)
{
  g_autoptr(GPtrArray) found = sl_picture_folder_list (path, error);

  if (found == NULL)
    return FALSE;
  for (guint i = 0; i < found->len; i++)
    if (g_cancellable_set_error_if_cancelled (search->cancellable, error) || !add_entry (search, found->pdata[i], error))
      return FALSE;
  return TRUE;
}

GPtrArray *
sl_picture_folder_find (const char           *path,
                        gboolean              recursive,
                        const char           *except,
                        SlPictureFolderRest  *rest,
                        GCancellable         *cancellable,
                        GError              **error)
{
  g_autoptr(GPtrArray) pictures = g_ptr_array_new_with_free_func (g_free);
  Search search = { .pictures = pictures, .except = except, .recursive = recursive, .cancellable = cancellable };

  if (!add_folder (&search, path, error))
    return NULL;
  if (rest != NULL)
    *rest = search.rest;
  return g_steal_pointer (&pictures);
}
