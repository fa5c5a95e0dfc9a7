/* SPDX-License-Identifier: MIT
 *
 * Reads the cache's folders. Names and lists in it are another program's: what makes no sense is passed over.
 */
#include "app/hub/sl-hub-cache.h"

#include "engine/model_folder.h"

#include <string.h>

#include <glib/gstdio.h>
#include <jansson.h>

#define PREFIX        "models--"
#define TREE_FORMAT   1
#define COMMIT_DIGITS 40

/* ------------------------------------------------------------------------------------------------ where it is */

/* As the client reads it: with the home folder for a tilde. */
static char *
dup_expanded (const char *text)
{
  return g_str_has_prefix (text, "~/") ? g_build_filename (g_get_home_dir (), text + 2, NULL) : g_strdup (text);
}

char *
sl_hub_cache_dup_dir (void)
{
  static const char *const names[] = { "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE" };
  const char *home = g_getenv ("HF_HOME");
  g_autofree char *expanded = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      const char *chosen = g_getenv (names[i]);

      if (chosen != NULL && chosen[0] != '\0')
        return dup_expanded (chosen);
    }
  if (home == NULL || home[0] == '\0')
    return g_build_filename (g_get_user_cache_dir (), "huggingface", "hub", NULL);
  expanded = dup_expanded (home);
  return g_build_filename (expanded, "hub", NULL);
}

/* ------------------------------------------------------------------------------------------------ what lies in it */

void
sl_hub_cached_free (SlHubCached *self)
{
  g_free (self->repo);
  g_free (self->commit);
  g_free (self->dir);
  g_free (self);
}

/* "models--OWNER--NAME" → "OWNER/NAME"; NULL for another name. (transfer full) */
static char *
dup_repo (const char *name)
{
  g_auto (GStrv) parts = g_str_has_prefix (name, PREFIX) ? g_strsplit (name + strlen (PREFIX), "--", 2) : NULL;
  g_autofree char *repo = parts != NULL && g_strv_length (parts) == 2 ? g_strjoinv ("/", parts) : NULL;

  return repo != NULL && sl_hub_is_repo (repo) ? g_steal_pointer (&repo) : NULL;
}

static SlHubCached *
look (const char *cache,
      const char *name)
{
  g_autofree char *repo = dup_repo (name);
  g_autofree char *dir = g_build_filename (cache, name, NULL);
  g_autofree char *parent = NULL;
  char files[4096];
  SlHubCached *self;

  if (repo == NULL)
    return NULL;
  vl2_folder_find (dir, files, sizeof files);
  parent = g_path_get_dirname (files);
  if (!g_str_has_suffix (parent, G_DIR_SEPARATOR_S "snapshots"))
    return NULL;
  self = g_new0 (SlHubCached, 1);
  self->repo = g_steal_pointer (&repo);
  self->commit = g_path_get_basename (files);
  self->dir = g_strdup (files);
  return self;
}

GPtrArray *
sl_hub_cache_list (void)
{
  g_autofree char *cache = sl_hub_cache_dup_dir ();
  g_autoptr (GDir) handle = g_dir_open (cache, 0, NULL);
  GPtrArray *list = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_hub_cached_free);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      SlHubCached *cached = look (cache, name);

      if (cached != NULL)
        g_ptr_array_add (list, cached);
    }
  return list;
}

/* ------------------------------------------------------------------------------------------------ hashes */

/* Texts may have been left out on purpose; what makes the model may not. */
static gboolean
is_needed (const char *name)
{
  return g_str_has_suffix (name, ".safetensors") || g_str_has_suffix (name, ".json");
}

/* An entry of trees/COMMIT.json; NULL where it does not say what is needed. */
static SlHubFile *
read_entry (const char *name,
            json_t     *entry)
{
  const char *sha256 = json_string_value (json_object_get (entry, "lfs_sha256"));
  const char *blob = json_string_value (json_object_get (entry, "blob_id"));
  json_t *size = json_object_get (entry, sha256 != NULL ? "lfs_size" : "size");
  const char *hash = sha256 != NULL ? sha256 : blob;

  if (hash == NULL || !sl_hub_is_hash (hash, sha256 != NULL ? SL_HUB_HASH_SHA256 : SL_HUB_HASH_GIT_BLOB) || json_integer_value (size) < 0
      || !json_is_integer (size))
    return NULL;
  return sl_hub_file_new (name, json_integer_value (size), sha256 != NULL ? SL_HUB_HASH_SHA256 : SL_HUB_HASH_GIT_BLOB, hash);
}

/* FALSE where there is no list, or one of a form that is not known. */
static gboolean
read_list (const char *path,
           const char *snapshot,
           GPtrArray  *files)
{
  json_t *list = json_load_file (path, 0, NULL), *entries = json_object_get (list, "files"), *entry;
  gboolean good = json_integer_value (json_object_get (list, "format_version")) == TREE_FORMAT && json_is_object (entries);
  const char *name;

  json_object_foreach (entries, name, entry)
    {
      g_autofree char *there = g_build_filename (snapshot, name, NULL);
      gboolean wanted = sl_hub_is_part_of_checkpoint (name) && (is_needed (name) || g_file_test (there, G_FILE_TEST_EXISTS));
      SlHubFile *file = good && wanted ? read_entry (name, entry) : NULL;

      if (file != NULL)
        g_ptr_array_add (files, file);
    }
  json_decref (list);
  return good && files->len > 0;
}

/* By the blobs' names; what is no link says nothing. */
static void
read_links (const char *snapshot,
            GPtrArray  *files)
{
  g_autoptr (GDir) handle = g_dir_open (snapshot, 0, NULL);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *path = g_build_filename (snapshot, name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);
      g_autofree char *blob = target != NULL ? g_path_get_basename (target) : g_strdup ("");
      gboolean sha256 = sl_hub_is_hash (blob, SL_HUB_HASH_SHA256);
      GStatBuf info;

      if (sl_hub_is_part_of_checkpoint (name) && (sha256 || sl_hub_is_hash (blob, SL_HUB_HASH_GIT_BLOB)) && g_stat (path, &info) == 0)
        g_ptr_array_add (files, sl_hub_file_new (name, info.st_size, sha256 ? SL_HUB_HASH_SHA256 : SL_HUB_HASH_GIT_BLOB, blob));
    }
}

SlHubTree *
sl_hub_cache_read_tree (const char *snapshot)
{
  g_autofree char *commit = g_path_get_basename (snapshot);
  g_autofree char *snapshots = g_path_get_dirname (snapshot);
  g_autofree char *root = g_path_get_dirname (snapshots);
  g_autofree char *name = g_path_get_basename (root);
  g_autofree char *file = g_strconcat (commit, ".json", NULL);
  g_autofree char *list = g_build_filename (root, "trees", file, NULL);
  g_autofree char *repo = dup_repo (name);
  g_autoptr (SlHubTree) tree = g_new0 (SlHubTree, 1);

  if (repo == NULL || !g_str_has_suffix (snapshots, "snapshots") || strlen (commit) != COMMIT_DIGITS)
    return NULL;
  tree->endpoint = g_strdup (SL_HUB_ENDPOINT);
  tree->repo = g_steal_pointer (&repo);
  tree->commit = g_steal_pointer (&commit);
  tree->files = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_hub_file_free);
  if (!read_list (list, snapshot, tree->files))
    read_links (snapshot, tree->files);
  return tree->files->len > 0 ? g_steal_pointer (&tree) : NULL;
}

gboolean
sl_hub_cache_is_whole (const char      *snapshot,
                       const SlHubTree *tree)
{
  for (guint i = 0; i < tree->files->len; i++)
    {
      const SlHubFile *file = tree->files->pdata[i];
      g_autofree char *path = g_build_filename (snapshot, file->name, NULL);
      GStatBuf info;

      if (is_needed (file->name) && (g_stat (path, &info) != 0 || (guint64) info.st_size != file->size))
        return FALSE;
    }
  return TRUE;
}
