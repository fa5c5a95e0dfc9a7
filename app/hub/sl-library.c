/* SPDX-License-Identifier: MIT
 *
 * Lists, finds and verifies downloaded models. The note is the hub's own list of files with their hashes, so that a copy on another
 * disk can be verified years later without the hub.
 */
#include "app/hub/sl-library.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#define NOTE       "sightline-download.json"
#define UNFINISHED ".download"

char *
sl_library_dup_dir (void)
{
  const char *chosen = g_getenv ("SIGHTLINE_MODELS");

  if (chosen != NULL && chosen[0] != '\0')
    return g_strdup (chosen);
  return g_build_filename (g_get_user_data_dir (), "io.github.sightline.Sightline", "models", NULL);
}

/* ------------------------------------------------------------------------------------------------ notes */

static SlHubTree *
read_note (const char *dir,
           const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *text = NULL;
  char *end;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return NULL;
  end = strchr (text, '\n');
  if (end != NULL)
    *end = '\0';
  return sl_hub_tree_from_line (text);
}

gboolean
sl_library_write_note (const char       *dir,
                       const SlHubTree  *tree,
                       GError          **error)
{
  g_autofree char *path = g_build_filename (dir, NOTE, NULL);
  g_autofree char *line = sl_hub_tree_to_line (tree);

  return line != NULL && g_file_set_contents (path, line, -1, error);
}

/* ------------------------------------------------------------------------------------------------ what is there */

void
sl_library_model_free (SlLibraryModel *self)
{
  g_free (self->name);
  g_free (self->dir);
  g_free (self->repo);
  g_free (self->commit);
  g_free (self->endpoint);
  g_free (self);
}

static guint64
count_bytes (const char *dir)
{
  g_autoptr (GDir) handle = g_dir_open (dir, 0, NULL);
  const char *name;
  guint64 bytes = 0;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);
      GStatBuf info;

      if (g_stat (path, &info) == 0 && S_ISREG (info.st_mode))
        bytes += info.st_size;
    }
  return bytes;
}

static SlLibraryModel *
look (const char *dir,
      const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *config = g_build_filename (path, "config.json", NULL);
  gboolean unfinished = g_str_has_suffix (name, UNFINISHED);
  g_autoptr (SlHubTree) tree = read_note (path, unfinished ? "journal" : NOTE);
  SlLibraryModel *self;

  if (!g_file_test (path, G_FILE_TEST_IS_DIR) || (unfinished ? tree == NULL : !g_file_test (config, G_FILE_TEST_IS_REGULAR)))
    return NULL;
  self = g_new0 (SlLibraryModel, 1);
  self->unfinished = unfinished;
  self->name = unfinished ? g_strndup (name, strlen (name) - strlen (UNFINISHED)) : g_strdup (name);
  self->dir = g_build_filename (dir, self->name, NULL);
  self->bytes = count_bytes (path);
  if (tree != NULL)
    {
      self->repo = g_strdup (tree->repo);
      self->commit = g_strdup (tree->commit);
      self->endpoint = g_strdup (tree->endpoint);
    }
  return self;
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  const SlLibraryModel *x = *(const SlLibraryModel *const *) a, *y = *(const SlLibraryModel *const *) b;
  int order = strcmp (x->name, y->name);

  return order != 0 ? order : x->unfinished - y->unfinished;
}

GPtrArray *
sl_library_list (void)
{
  g_autofree char *folder = sl_library_dup_dir ();
  g_autoptr (GDir) handle = g_dir_open (folder, 0, NULL);
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_library_model_free);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      SlLibraryModel *model = look (folder, name);

      if (model != NULL)
        g_ptr_array_add (list, model);
    }
  g_ptr_array_sort (list, compare_names);
  return list;
}

char *
sl_library_find (const char *name)
{
  g_autofree char *folder = sl_library_dup_dir ();
  SlLibraryModel *model = strchr (name, '/') == NULL && name[0] != '.' && name[0] != '\0' ? look (folder, name) : NULL;
  char *dir = model != NULL && !model->unfinished ? g_strdup (model->dir) : NULL;

  if (model != NULL)
    sl_library_model_free (model);
  return dir;
}

/* Is the folder, or an unfinished download of it, another repository's? */
static gboolean
is_of_another (const char *dest,
               const char *repo)
{
  g_autofree char *unfinished = g_strconcat (dest, UNFINISHED, NULL);
  g_autoptr (SlHubTree) tree = read_note (dest, NOTE);
  g_autoptr (SlHubTree) begun = read_note (unfinished, "journal");

  if (tree != NULL)
    return !g_str_equal (tree->repo, repo);
  if (begun != NULL)
    return !g_str_equal (begun->repo, repo);
  return g_file_test (dest, G_FILE_TEST_EXISTS);
}

char *
sl_library_dup_dest (const char *repo)
{
  g_autofree char *folder = sl_library_dup_dir ();
  g_auto (GStrv) parts = g_strsplit (repo, "/", 2);
  g_autofree char *longer = g_strconcat (parts[0], "--", parts[1], NULL);
  g_autofree char *dest = g_build_filename (folder, parts[1], NULL);

  return is_of_another (dest, repo) ? g_build_filename (folder, longer, NULL) : g_steal_pointer (&dest);
}

/* ------------------------------------------------------------------------------------------------ verifying */

typedef struct
{
  const char *dir;
  GPtrArray *wrong;
  guint64 done, total;
  void (*progress) (guint64 done, guint64 total, gpointer data);
  gpointer data;
  GCancellable *cancellable;
} Verify;

static void
to_hex (const guint8 *digest,
        gsize         size,
        char         *text)
{
  for (gsize i = 0; i < size; i++)
    g_snprintf (text + 2 * i, 3, "%02x", digest[i]);
}

/* The file's hash of its kind in `text` [65]; FALSE where it cannot be read or the user has enough. */
static gboolean
hash_file (Verify          *self,
           const SlHubFile *file,
           char            *text,
           GError         **error)
{
  g_autofree char *path = g_build_filename (self->dir, file->name, NULL);
  g_autofree char *head = g_strdup_printf ("blob %" G_GUINT64_FORMAT, file->size);
  g_autofree guint8 *buffer = g_malloc (1 << 20);
  g_autoptr (GFile) handle = g_file_new_for_path (path);
  g_autoptr (GFileInputStream) stream = g_file_read (handle, self->cancellable, error);
  guint8 digest[SHA256_DIGEST_SIZE];
  struct sha256_ctx sha256;
  struct sha1_ctx sha1;
  gssize n = stream != NULL ? 1 : -1;

  sha256_init (&sha256);
  sha1_init (&sha1);
  sha1_update (&sha1, strlen (head) + 1, (const guint8 *) head);
  while (n > 0 && (n = g_input_stream_read (G_INPUT_STREAM (stream), buffer, 1 << 20, self->cancellable, error)) > 0)
    {
      if (file->kind == SL_HUB_HASH_SHA256)
        sha256_update (&sha256, n, buffer);
      else
        sha1_update (&sha1, n, buffer);
      self->done += n;
      if (self->progress != NULL)
        self->progress (self->done, self->total, self->data);
    }
  if (n < 0)
    return FALSE;
  if (file->kind == SL_HUB_HASH_SHA256)
    sha256_digest (&sha256, SHA256_DIGEST_SIZE, digest);
  else
    sha1_digest (&sha1, SHA1_DIGEST_SIZE, digest);
  to_hex (digest, file->kind == SL_HUB_HASH_SHA256 ? SHA256_DIGEST_SIZE : SHA1_DIGEST_SIZE, text);
  return TRUE;
}

gboolean
sl_library_verify (const char   *dir,
                   GPtrArray    *wrong,
                   void        (*progress) (guint64 done, guint64 total, gpointer data),
                   gpointer      data,
                   GCancellable *cancellable,
                   GError      **error)
{
  g_autoptr (SlHubTree) tree = read_note (dir, NOTE);
  Verify self = { .dir = dir, .wrong = wrong, .progress = progress, .data = data, .cancellable = cancellable };

  if (tree == NULL)
    {
      g_autofree char *name = g_filename_display_name (dir);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("“%s” did not come by a download: there are no hashes to compare it with."),
                   name);
      return FALSE;
    }
  self.total = sl_hub_tree_get_size (tree);
  for (guint i = 0; i < tree->files->len; i++)
    {
      const SlHubFile *file = tree->files->pdata[i];
      g_autoptr (GError) cause = NULL;
      char hash[2 * SHA256_DIGEST_SIZE + 1];

      if (hash_file (&self, file, hash, &cause))
        {
          if (!g_str_equal (hash, file->hash))
            g_ptr_array_add (wrong, g_strdup_printf (_("%s is not what was downloaded."), file->name));
        }
      else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&cause));
          return FALSE;
        }
      else
        g_ptr_array_add (wrong, g_strdup_printf (_("%s cannot be read: %s."), file->name, cause->message));
    }
  return TRUE;
}
