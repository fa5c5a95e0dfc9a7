/* SPDX-License-Identifier: MIT
 *
 * Lists, finds and verifies models. The note is the hub's own list of files with their hashes, so that a copy on another disk can be
 * verified years later without the hub.
 */
#include "app/hub/sl-library.h"

#include "app/hub/sl-hub-cache.h"
#include "app/system/sl-output.h"
#include "engine/model_folder.h"
#include "engine/vl2.h"

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

guint64
sl_library_count_bytes (const char *dir)
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
new_model (const char      *name,
           const char      *dir,
           const SlHubTree *tree,
           SlLibraryPlace   place)
{
  SlLibraryModel *self = g_new0 (SlLibraryModel, 1);

  self->name = g_strdup (name);
  self->dir = g_strdup (dir);
  self->place = place;
  self->bytes = sl_library_count_bytes (dir);
  if (tree != NULL)
    {
      self->repo = g_strdup (tree->repo);
      self->commit = g_strdup (tree->commit);
      self->endpoint = g_strdup (tree->endpoint);
    }
  return self;
}

/* Is it a folder that is being filled (app/system/sl-output.h), or was left by a kill? Downloads are never called so. */
static gboolean
is_partial (const char *name)
{
  return g_regex_match_simple ("\\.[A-Za-z0-9]{6}$", name, G_REGEX_RAW | G_REGEX_DOLLAR_ENDONLY, 0);
}

static SlLibraryModel *
look_at_partial (const char *path,
                 const char *name)
{
  SlLibraryModel *self = sl_output_folder_is_held (path) ? NULL : new_model (name, path, NULL, SL_LIBRARY_OWN);

  if (self != NULL)
    self->state = SL_LIBRARY_LEFTOVER;
  return self;
}

/* A folder in the folder of models. */
static SlLibraryModel *
look_at_own (const char *folder,
             const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *config = g_build_filename (path, "config.json", NULL);
  gboolean unfinished = g_str_has_suffix (name, UNFINISHED);
  g_autofree char *finished = g_strndup (name, strlen (name) - (unfinished ? strlen (UNFINISHED) : 0));
  g_autoptr (SlHubTree) tree = read_note (path, unfinished ? "journal" : NOTE);
  SlLibraryModel *self;

  if (tree == NULL && is_partial (name) && g_file_test (path, G_FILE_TEST_IS_DIR))
    return look_at_partial (path, name);
  if (!g_file_test (path, G_FILE_TEST_IS_DIR) || (unfinished ? tree == NULL : !g_file_test (config, G_FILE_TEST_IS_REGULAR)))
    return NULL;
  self = new_model (finished, path, tree, SL_LIBRARY_OWN);
  if (unfinished)
    {
      self->state = SL_LIBRARY_UNFINISHED;
      g_free (self->dir);
      self->dir = g_build_filename (folder, finished, NULL);
    }
  return self;
}

static void
add_own (GPtrArray *list)
{
  g_autofree char *folder = sl_library_dup_dir ();
  g_autoptr (GDir) handle = g_dir_open (folder, 0, NULL);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      SlLibraryModel *model = look_at_own (folder, name);

      if (model != NULL)
        g_ptr_array_add (list, model);
    }
}

/* The cache is everybody's: of most of its models another program is the right one. */
static void
add_cached (GPtrArray *list)
{
  g_autoptr (GPtrArray) cached = sl_hub_cache_list ();

  for (guint i = 0; i < cached->len; i++)
    {
      const SlHubCached *entry = cached->pdata[i];
      g_autoptr (SlHubTree) tree = NULL;
      struct vl2_folder folder;
      SlLibraryModel *model;
      gsize problems;

      problems = vl2_folder_look (entry->dir, false, &folder, NULL, NULL);
      if (!g_str_equal (folder.model_type, "deepseek_vl_v2"))
        continue;
      tree = sl_hub_cache_read_tree (entry->dir);
      model = new_model (folder.name, entry->dir, tree, SL_LIBRARY_CACHE);
      if (problems > 0 || (tree != NULL && !sl_hub_cache_is_whole (entry->dir, tree)))
        model->state = SL_LIBRARY_UNFINISHED;
      g_ptr_array_add (list, model);
    }
}

static gboolean
is_listed (GPtrArray  *list,
           const char *dir)
{
  for (guint i = 0; i < list->len; i++)
    if (g_str_equal (((const SlLibraryModel *) list->pdata[i])->dir, dir))
      return TRUE;
  return FALSE;
}

static void
add_folder (GPtrArray  *list,
            const char *dir)
{
  g_autofree char *files = NULL;
  g_autoptr (SlHubTree) note = NULL;
  g_autoptr (SlHubTree) tree = NULL;
  char buffer[4096], name[256];
  SlLibraryModel *model;

  vl2_folder_find (dir, buffer, sizeof buffer);
  files = g_strdup (strlen (dir) < sizeof buffer ? buffer : dir);
  vl2_folder_name (dir, name, sizeof name);
  if (is_listed (list, files) || is_listed (list, dir))
    return;
  note = read_note (files, NOTE);
  tree = note != NULL ? NULL : sl_hub_cache_read_tree (files);
  model = new_model (name, dir, note != NULL ? note : tree, SL_LIBRARY_FOLDER);
  if (!g_file_test (files, G_FILE_TEST_IS_DIR))
    model->state = SL_LIBRARY_VANISHED;
  else if (!g_str_equal (files, dir))
    model->bytes = sl_library_count_bytes (files);
  g_ptr_array_add (list, model);
}

static int
compare_models (gconstpointer a,
                gconstpointer b)
{
  const SlLibraryModel *x = *(const SlLibraryModel *const *) a, *y = *(const SlLibraryModel *const *) b;
  int order = x->place != y->place ? (int) x->place - (int) y->place : strcmp (x->name, y->name);

  return order != 0 ? order : (int) x->state - (int) y->state;
}

GPtrArray *
sl_library_list (const char *const *dirs)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_library_model_free);

  add_own (list);
  add_cached (list);
  for (guint i = 0; dirs != NULL && dirs[i] != NULL; i++)
    add_folder (list, dirs[i]);
  g_ptr_array_sort (list, compare_models);
  return list;
}

GPtrArray *
sl_library_list_unfinished (void)
{
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_library_model_free);

  add_own (list);
  for (guint i = list->len; i > 0; i--)
    if (((const SlLibraryModel *) list->pdata[i - 1])->state != SL_LIBRARY_UNFINISHED)
      g_ptr_array_remove_index (list, i - 1);
  g_ptr_array_sort (list, compare_models);
  return list;
}

char *
sl_library_find (const char        *name,
                 const char *const *dirs)
{
  g_autoptr (GPtrArray) list = sl_library_list (dirs);

  for (guint i = 0; i < list->len; i++)
    {
      const SlLibraryModel *model = list->pdata[i];

      if (model->state == SL_LIBRARY_WHOLE && (g_str_equal (model->name, name) || g_strcmp0 (model->repo, name) == 0))
        return g_strdup (model->dir);
    }
  return NULL;
}

gboolean
sl_library_is_own (const char *dir)
{
  g_autofree char *folder = sl_library_dup_dir ();
  g_autofree char *whole = g_canonicalize_filename (folder, NULL);
  g_autofree char *path = g_canonicalize_filename (dir, NULL);
  g_autofree char *parent = g_path_get_dirname (path);

  return g_str_equal (parent, whole);
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

static void
tell_progress (vl2_stage stage,
               uint64_t  done,
               uint64_t  total,
               void     *user)
{
  const Verify *self = user;

  if (self->progress != NULL)
    self->progress (done, total, self->data);
}

static void
set_flag (GCancellable *cancellable,
          vl2_cancel   *flag)
{
  atomic_store (flag, true);
}

/* A quantised model carries a hash of its own. */
static gboolean
verify_contents (Verify  *self,
                 GError **error)
{
  vl2_cancel flag = false;
  const struct vl2_watch watch = { .cancel = &flag, .progress = tell_progress, .user = self };
  struct vl2_contents contents = { 0 };
  vl2_error cause = { 0 };
  vl2_status status = vl2_contents_read (self->dir, &contents, &cause);
  gulong handler;

  if (status == VL2_OK && contents.content[0] == '\0')
    {
      g_autofree char *name = g_filename_display_name (self->dir);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("“%s” did not come by a download: there are no hashes to compare it with."),
                   name);
      return FALSE;
    }
  handler = self->cancellable != NULL ? g_cancellable_connect (self->cancellable, G_CALLBACK (set_flag), &flag, NULL) : 0;
  if (status == VL2_OK)
    status = vl2_contents_verify (self->dir, &watch, &cause);
  g_cancellable_disconnect (self->cancellable, handler);
  if (status == VL2_CANCELLED)
    return !g_cancellable_set_error_if_cancelled (self->cancellable, error);
  if (status != VL2_OK)
    g_ptr_array_add (self->wrong, g_strdup (cause.text));
  return TRUE;
}

/* One file after another; FALSE for CANCELLED. */
static gboolean
verify_files (Verify          *self,
              const SlHubTree *tree,
              GError         **error)
{
  self->total = sl_hub_tree_get_size (tree);
  for (guint i = 0; i < tree->files->len; i++)
    {
      const SlHubFile *file = tree->files->pdata[i];
      g_autoptr (GError) cause = NULL;
      char hash[2 * SHA256_DIGEST_SIZE + 1];

      if (hash_file (self, file, hash, &cause))
        {
          if (!g_str_equal (hash, file->hash))
            g_ptr_array_add (self->wrong, g_strdup_printf (_("%s is not what was downloaded."), file->name));
        }
      else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&cause));
          return FALSE;
        }
      else
        g_ptr_array_add (self->wrong, g_strdup_printf (_("%s cannot be read: %s."), file->name, cause->message));
    }
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
  char files[4096];
  g_autoptr (SlHubTree) note = NULL;
  g_autoptr (SlHubTree) cached = NULL;
  Verify self = { .dir = files, .wrong = wrong, .progress = progress, .data = data, .cancellable = cancellable };

  vl2_folder_find (dir, files, sizeof files);
  note = read_note (files, NOTE);
  cached = note != NULL ? NULL : sl_hub_cache_read_tree (files);
  if (note == NULL && cached == NULL)
    return verify_contents (&self, error);
  return verify_files (&self, note != NULL ? note : cached, error);
}
