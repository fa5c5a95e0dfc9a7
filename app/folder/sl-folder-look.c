/* SPDX-License-Identifier: MIT
 *
 * Lists a folder and recognises its files; only what its size and time do not show to be the same is read.
 */
#include "app/folder/sl-folder-look.h"

#include <string.h>

#include <glib/gstdio.h>

#include "app/pictures/sl-picture-folder.h"

#define BLOCK 65536

typedef struct
{
  const SlFolderRecord *record;
  GHashTable *known;   /* path → SlFolderPictureRecord of the record */
  GHashTable *missing; /* those of which no file is there any more, a set */
  GPtrArray *found;    /* of SlFolderPictureRecord: path, size and time of each file */
  GCancellable *cancellable;
} Look;

/* NULL with error. */
static char *
hash_file (const Look  *look,
           const char  *below,
           GError     **error)
{
  g_autofree char *path = g_build_filename (look->record->path, below, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GFileInputStream) stream = g_file_read (file, look->cancellable, error);
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guchar *block = g_malloc (BLOCK);
  gssize n;

  if (stream == NULL)
    return NULL;
  while ((n = g_input_stream_read (G_INPUT_STREAM (stream), block, BLOCK, look->cancellable, error)) > 0)
    g_checksum_update (sum, block, n);
  return n == 0 ? g_strdup (g_checksum_get_string (sum)) : NULL;
}

static gboolean
list_files (Look    *look,
            GError **error)
{
  gsize prefix = strlen (look->record->path);
  g_autoptr (GPtrArray) paths =
    sl_picture_folder_find (look->record->path, look->record->recursive, NULL, NULL, look->cancellable, error);

  for (guint i = 0; paths != NULL && i < paths->len; i++)
    {
      const char *path = g_ptr_array_index (paths, i);
      SlFolderPictureRecord *picture;
      GStatBuf st;

      if (g_stat (path, &st) != 0) /* gone by now */
        continue;
      picture = sl_folder_picture_record_new (path + prefix + strspn (path + prefix, "/"));
      picture->size = st.st_size;
      picture->modified = st.st_mtim.tv_sec * G_USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
      g_ptr_array_add (look->found, picture);
    }
  return paths != NULL;
}

static void
find_missing (Look *look)
{
  g_autoptr (GHashTable) there = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < look->found->len; i++)
    g_hash_table_add (there, ((SlFolderPictureRecord *) g_ptr_array_index (look->found, i))->path);
  for (guint i = 0; i < look->record->pictures->len; i++)
    {
      SlFolderPictureRecord *picture = g_ptr_array_index (look->record->pictures, i);

      g_hash_table_insert (look->known, picture->path, picture);
      if (!g_hash_table_contains (there, picture->path))
        g_hash_table_add (look->missing, picture);
    }
}

/* A file of that content that was asked about under another name. */
static SlFolderPictureRecord *
find_renamed (Look                        *look,
              const SlFolderPictureRecord *file)
{
  g_autofree char *sha256 = NULL;
  GHashTableIter iter;
  gpointer picture;

  g_hash_table_iter_init (&iter, look->missing);
  while (g_hash_table_iter_next (&iter, &picture, NULL))
    {
      SlFolderPictureRecord *before = picture;

      if (before->size != file->size || before->question == 0)
        continue;
      if (sha256 == NULL)
        sha256 = hash_file (look, file->path, NULL);
      if (g_strcmp0 (sha256, before->sha256) != 0)
        continue;
      g_hash_table_iter_remove (&iter);
      return before;
    }
  return NULL;
}

/* Whether what is known of this path holds for the file. */
static gboolean
is_same (Look                        *look,
         const SlFolderPictureRecord *before,
         const SlFolderPictureRecord *file)
{
  g_autofree char *sha256 = NULL;

  if (before->size == file->size && before->modified == file->modified)
    return TRUE;
  if (before->question == 0) /* it was not read, or could not be */
    return FALSE;
  sha256 = hash_file (look, file->path, NULL);
  return g_strcmp0 (sha256, before->sha256) == 0;
}

/* Takes the file. */
static SlFolderPictureRecord *
recognise (Look                  *look,
           SlFolderPictureRecord *file)
{
  g_autoptr (SlFolderPictureRecord) now = file;
  const SlFolderPictureRecord *before = g_hash_table_lookup (look->known, file->path);
  SlFolderPictureRecord *kept;

  if (before == NULL)
    before = find_renamed (look, file);
  else if (!is_same (look, before, file))
    before = NULL;
  if (before == NULL)
    return g_steal_pointer (&now);
  kept = sl_folder_picture_record_copy (before);
  g_free (kept->path);
  kept->path = g_strdup (now->path);
  kept->size = now->size;
  kept->modified = now->modified;
  return kept;
}

static int
compare_paths (gconstpointer a,
               gconstpointer b)
{
  return strcmp ((*(SlFolderPictureRecord *const *) a)->path, (*(SlFolderPictureRecord *const *) b)->path);
}

static GPtrArray *
recognise_all (Look *look)
{
  GPtrArray *pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_folder_picture_record_unref);
  GHashTableIter iter;
  gpointer picture;

  while (look->found->len > 0)
    g_ptr_array_add (pictures, recognise (look, g_ptr_array_steal_index_fast (look->found, 0)));
  g_hash_table_iter_init (&iter, look->missing);
  while (g_hash_table_iter_next (&iter, &picture, NULL))
    if (((SlFolderPictureRecord *) picture)->question != 0)
      g_ptr_array_add (pictures, sl_folder_picture_record_copy (picture));
  g_ptr_array_sort (pictures, compare_paths);
  return pictures;
}

GPtrArray *
sl_folder_look (const SlFolderRecord  *record,
                GCancellable          *cancellable,
                GError               **error)
{
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) missing = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_folder_picture_record_unref);
  Look look = { record, known, missing, found, cancellable };
  g_autoptr (GPtrArray) pictures = NULL;

  if (!list_files (&look, error))
    return NULL;
  find_missing (&look);
  pictures = recognise_all (&look);
  return g_cancellable_set_error_if_cancelled (cancellable, error) ? NULL : g_steal_pointer (&pictures);
}
