/* SPDX-License-Identifier: MIT
 *
 * Lists a repository: /api/models/REPO/revision/REV for the commit, /api/models/REPO/tree/COMMIT for its files. An answer is
 * data from a stranger: limited in size, checked for what it must hold, and names in it become files only where they are plain.
 */
#include "app/hub/sl-hub.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <jansson.h>

#define MAX_ANSWER (16u << 20)
#define MAX_PAGES  100
#define MAX_FILES  2000
#define MAX_NAME   200 /* bytes; a suffix is still to come */
#define MAX_SIZE   ((json_int_t) 1 << 42)
#define FORMAT     1

/* ------------------------------------------------------------------------------------------------ values */

SlHubFile *
sl_hub_file_new (const char *name,
                 guint64     size,
                 SlHubHash   kind,
                 const char *hash)
{
  SlHubFile *self = g_new0 (SlHubFile, 1);

  self->name = g_strdup (name);
  self->size = size;
  self->kind = kind;
  self->hash = g_strdup (hash);
  return self;
}

void
sl_hub_file_free (SlHubFile *self)
{
  g_free (self->name);
  g_free (self->hash);
  g_free (self);
}

void
sl_hub_tree_free (SlHubTree *self)
{
  if (self == NULL)
    return;
  g_free (self->endpoint);
  g_free (self->repo);
  g_free (self->commit);
  g_clear_pointer (&self->files, g_ptr_array_unref);
  g_free (self);
}

guint64
sl_hub_tree_get_size (const SlHubTree *self)
{
  guint64 bytes = 0;

  for (guint i = 0; i < self->files->len; i++)
    bytes += ((const SlHubFile *) self->files->pdata[i])->size;
  return bytes;
}

char *
sl_hub_dup_file_uri (const SlHubTree *self,
                     const SlHubFile *file)
{
  g_autofree char *escaped = g_uri_escape_string (file->name, NULL, FALSE);

  return g_strdup_printf ("%s/%s/resolve/%s/%s", self->endpoint, self->repo, self->commit, escaped);
}

/* ------------------------------------------------------------------------------------------------ names */

char *
sl_hub_dup_endpoint (const char  *given,
                     GError     **error)
{
  const char *wanted = given != NULL ? given : g_getenv ("HF_ENDPOINT");
  g_autoptr (GUri) uri = NULL;
  g_autofree char *text = NULL;

  if (wanted == NULL || wanted[0] == '\0')
    return g_strdup (SL_HUB_ENDPOINT);
  uri = g_uri_parse (wanted, G_URI_FLAGS_NONE, NULL);
  if (uri == NULL || g_uri_get_host (uri) == NULL || g_uri_get_host (uri)[0] == '\0'
      || !g_strv_contains ((const char *const[]){ "http", "https", NULL }, g_uri_get_scheme (uri)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("“%s” is not the address of a hub (https://…)."), wanted);
      return NULL;
    }
  if (g_str_equal (g_uri_get_scheme (uri), "http") && !sl_http_is_loopback (g_uri_get_host (uri)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("“%s” is not encrypted: only https is used beyond this computer."),
                   wanted);
      return NULL;
    }
  text = g_strdup (wanted);
  while (g_str_has_suffix (text, "/"))
    text[strlen (text) - 1] = '\0';
  return g_steal_pointer (&text);
}

char *
sl_hub_dup_host (const char *endpoint)
{
  g_autoptr (GUri) uri = g_uri_parse (endpoint, G_URI_FLAGS_NONE, NULL);

  if (uri == NULL)
    return g_strdup (endpoint);
  return g_uri_get_port (uri) > 0 ? g_strdup_printf ("%s:%d", g_uri_get_host (uri), g_uri_get_port (uri)) : g_strdup (g_uri_get_host (uri));
}

gboolean
sl_hub_is_repo (const char *repo)
{
  return g_regex_match_simple ("^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}$", repo, G_REGEX_DOLLAR_ENDONLY, 0)
         && strstr (repo, "..") == NULL;
}

gboolean
sl_hub_parse (const char  *text,
              char       **endpoint,
              char       **repo,
              char       **revision,
              GError     **error)
{
  g_autoptr (GRegex) regex = g_regex_new ("^((?:https?)://[^/]+)/([^/]+/[^/?#]+)(?:/tree/([^/?#]+))?/?$", 0, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree char *host = NULL;
  g_autofree char *name = NULL;
  g_autofree char *tree = NULL;

  *endpoint = *repo = *revision = NULL;
  if (g_utf8_validate (text, -1, NULL) && g_regex_match (regex, text, 0, &match))
    {
      host = g_match_info_fetch (match, 1);
      name = g_match_info_fetch (match, 2);
      tree = g_match_info_fetch (match, 3);
    }
  if (!sl_hub_is_repo (name != NULL ? name : text))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   _("“%s” is neither the name of a repository (OWNER/NAME) nor the address of one."), text);
      return FALSE;
    }
  if (host != NULL && (*endpoint = sl_hub_dup_endpoint (host, error)) == NULL)
    return FALSE;
  *repo = g_strdup (name != NULL ? name : text);
  *revision = tree != NULL && tree[0] != '\0' ? g_steal_pointer (&tree) : NULL;
  return TRUE;
}

static gboolean
is_hex (const char *text,
        gsize       length)
{
  return text != NULL && strlen (text) == length && strspn (text, "0123456789abcdef") == length;
}

/* Would it lead out of the folder, or hide in it? A path below the folder is harmless, and only passed over. */
static gboolean
is_hostile (const char *path)
{
  g_auto (GStrv) parts = g_strsplit (path, "/", -1);

  if (path[0] == '\0' || strlen (path) > 4096 || strchr (path, '\\') != NULL || !g_utf8_validate (path, -1, NULL))
    return TRUE;
  for (const char *p = path; *p != '\0'; p++)
    if (g_ascii_iscntrl (*p))
      return TRUE;
  for (guint i = 0; parts[i] != NULL; i++)
    if (parts[i][0] == '\0' || strlen (parts[i]) > MAX_NAME || g_str_equal (parts[i], ".") || g_str_equal (parts[i], ".."))
      return TRUE;
  return FALSE;
}

gboolean
sl_hub_is_hash (const char *text,
                SlHubHash   kind)
{
  return is_hex (text, kind == SL_HUB_HASH_SHA256 ? 64 : 40);
}

gboolean
sl_hub_is_part_of_checkpoint (const char *name)
{
  static const char *const suffixes[] = { ".json", ".safetensors", ".txt", ".model", ".md", NULL };

  if (strchr (name, '/') != NULL || name[0] == '.')
    return FALSE;
  if (g_ascii_strncasecmp (name, "LICENSE", 7) == 0 || g_ascii_strncasecmp (name, "NOTICE", 6) == 0)
    return TRUE;
  for (guint i = 0; suffixes[i] != NULL; i++)
    if (g_str_has_suffix (name, suffixes[i]))
      return TRUE;
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ answers */

static json_t *
fetch_json (SlHttp        *http,
            const char    *uri,
            char         **next,
            GCancellable  *cancellable,
            GError       **error)
{
  g_auto (SlHttpReply) reply = { 0 };
  g_autoptr (GInputStream) stream = sl_http_get (http, uri, 0, -1, NULL, &reply, cancellable, error);
  g_autoptr (GByteArray) body = g_byte_array_new ();
  guint8 buffer[16384];
  gssize n = 0;
  GError *cause = NULL;
  json_t *json;

  if (stream == NULL)
    return NULL;
  while (body->len <= MAX_ANSWER && (n = g_input_stream_read (stream, buffer, sizeof buffer, cancellable, &cause)) > 0)
    g_byte_array_append (body, buffer, n);
  if (n < 0)
    {
      sl_http_propagate (http, error, cause, uri);
      return NULL;
    }
  if (next != NULL)
    *next = g_strdup (reply.link);
  json = body->len <= MAX_ANSWER ? json_loadb ((const char *) body->data, body->len, 0, NULL) : NULL;
  if (json == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("The answer of “%s” is not a list of files."), uri);
  return json;
}

/* The address behind rel="next" of a Link header, on the same host; NULL where there is none. */
static char *
find_next (const char *link,
           const char *endpoint)
{
  g_autoptr (GRegex) regex = g_regex_new ("<([^>]+)>\\s*;[^,]*rel=\"?next\"?", G_REGEX_CASELESS, 0, NULL);
  g_autoptr (GMatchInfo) match = NULL;
  g_autofree char *uri = NULL;

  if (link == NULL || !g_regex_match (regex, link, 0, &match))
    return NULL;
  uri = g_match_info_fetch (match, 1);
  if (uri[0] == '/')
    return g_strconcat (endpoint, uri, NULL);
  return g_str_has_prefix (uri, endpoint) ? g_steal_pointer (&uri) : NULL;
}

static char *
resolve (SlHttp        *http,
         const char    *endpoint,
         const char    *repo,
         const char    *revision,
         GCancellable  *cancellable,
         GError       **error)
{
  g_autofree char *escaped = g_uri_escape_string (revision != NULL ? revision : "main", NULL, FALSE);
  g_autofree char *uri = g_strdup_printf ("%s/api/models/%s/revision/%s", endpoint, repo, escaped);
  json_t *answer = fetch_json (http, uri, NULL, cancellable, error);
  const char *commit = json_string_value (json_object_get (answer, "sha"));
  char *copy = NULL;

  if (is_hex (commit, 40))
    copy = g_strdup (commit);
  else if (answer != NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s does not say which commit “%s” of %s is."), endpoint,
                 revision != NULL ? revision : "main", repo);
  json_decref (answer);
  return copy;
}

/* One entry of a page; FALSE with error for a hostile one. */
static gboolean
add_entry (SlHubTree  *self,
           json_t     *entry,
           GError    **error)
{
  const char *path = json_string_value (json_object_get (entry, "path"));
  json_t *lfs = json_object_get (entry, "lfs"), *size = json_object_get (entry, "size");
  const char *sha256 = json_string_value (json_object_get (lfs, "oid")), *blob = json_string_value (json_object_get (entry, "oid"));

  if (path == NULL || is_hostile (path))
    {
      g_autofree char *shown = g_strndup (path != NULL ? path : "", 120);
      g_autofree char *valid = g_utf8_make_valid (shown, -1);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_FILENAME, _("%s lists a file with a name that cannot be used: “%s”."), self->repo,
                   valid);
      return FALSE;
    }
  if (g_strcmp0 (json_string_value (json_object_get (entry, "type")), "file") != 0 || !sl_hub_is_part_of_checkpoint (path))
    return TRUE;
  if (json_is_object (lfs) && json_is_integer (json_object_get (lfs, "size")))
    size = json_object_get (lfs, "size");
  if (!json_is_integer (size) || json_integer_value (size) < 0 || json_integer_value (size) >= MAX_SIZE
      || (lfs != NULL ? !sl_hub_is_hash (sha256, SL_HUB_HASH_SHA256) : !sl_hub_is_hash (blob, SL_HUB_HASH_GIT_BLOB)))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s does not say how long “%s” is, or what its hash is."), self->endpoint,
                   path);
      return FALSE;
    }
  g_ptr_array_add (self->files, sl_hub_file_new (path, json_integer_value (size),
                                                 lfs != NULL ? SL_HUB_HASH_SHA256 : SL_HUB_HASH_GIT_BLOB, lfs != NULL ? sha256 : blob));
  return TRUE;
}

static gboolean
list_pages (SlHubTree     *self,
            SlHttp        *http,
            GCancellable  *cancellable,
            GError       **error)
{
  g_autofree char *uri = g_strdup_printf ("%s/api/models/%s/tree/%s?recursive=1", self->endpoint, self->repo, self->commit);

  for (int page = 0; uri != NULL; page++)
    {
      g_autofree char *link = NULL;
      json_t *entries = fetch_json (http, uri, &link, cancellable, error), *entry;
      gboolean good = json_is_array (entries) && page < MAX_PAGES;
      gsize i;

      if (entries != NULL && !good)
        g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("The answer of “%s” is not a list of files."), uri);
      json_array_foreach (entries, i, entry)
        good = good && add_entry (self, entry, error);
      json_decref (entries);
      if (good && self->files->len > MAX_FILES)
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s lists more than %d files."), self->repo, MAX_FILES);
          good = FALSE;
        }
      if (!good)
        return FALSE;
      g_free (uri);
      uri = find_next (link, self->endpoint);
    }
  return TRUE;
}

static int
compare_files (gconstpointer a,
               gconstpointer b)
{
  const SlHubFile *x = *(const SlHubFile *const *) a, *y = *(const SlHubFile *const *) b;

  return x->size != y->size ? (x->size < y->size ? -1 : 1) : strcmp (x->name, y->name);
}

/* Names that differ only by case would be one file on some disks; twice the same is a lie. */
static gboolean
check_files (const SlHubTree  *self,
             GError          **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gboolean weights = FALSE, config = FALSE;

  for (guint i = 0; i < self->files->len; i++)
    {
      const SlHubFile *file = self->files->pdata[i];

      if (!g_hash_table_add (seen, g_utf8_casefold (file->name, -1)))
        {
          g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("%s lists “%s” twice."), self->repo, file->name);
          return FALSE;
        }
      weights = weights || g_str_has_suffix (file->name, ".safetensors");
      config = config || g_str_equal (file->name, "config.json");
    }
  if (weights && config)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("%s holds no model that Sightline reads: there is no %s in it."), self->repo,
               config ? "*.safetensors" : "config.json");
  return FALSE;
}

SlHubTree *
sl_hub_list (SlHttp        *http,
             const char    *endpoint,
             const char    *repo,
             const char    *revision,
             GCancellable  *cancellable,
             GError       **error)
{
  g_autoptr (SlHubTree) self = g_new0 (SlHubTree, 1);

  self->endpoint = g_strdup (endpoint);
  self->repo = g_strdup (repo);
  self->files = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_hub_file_free);
  self->commit = resolve (http, endpoint, repo, revision, cancellable, error);
  if (self->commit == NULL || !list_pages (self, http, cancellable, error) || !check_files (self, error))
    return NULL;
  g_ptr_array_sort (self->files, compare_files);
  return g_steal_pointer (&self);
}

/* ------------------------------------------------------------------------------------------------ searching */

#define KIND "deepseek_vl_v2" /* config.json's model_type, which hubs have as a tag */

static void
free_hit (gpointer hit)
{
  g_free (((SlHubHit *) hit)->repo);
  g_free (hit);
}

GPtrArray *
sl_hub_search (SlHttp        *http,
               const char    *endpoint,
               const char    *words,
               GCancellable  *cancellable,
               GError       **error)
{
  g_autofree char *escaped = g_uri_escape_string (words != NULL ? words : "", NULL, FALSE);
  g_autofree char *uri = g_strdup_printf ("%s/api/models?search=%s&filter=" KIND "&sort=downloads&direction=-1&limit=100", endpoint, escaped);
  json_t *answer = fetch_json (http, uri, NULL, cancellable, error), *entry;
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func (free_hit);
  gboolean good = json_is_array (answer);
  gsize i;

  if (answer != NULL && !good)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("The answer of “%s” is not a list of models."), uri);
  json_array_foreach (answer, i, entry)
    {
      const char *repo = json_string_value (json_object_get (entry, "id"));
      SlHubHit *hit;

      if (repo == NULL || !sl_hub_is_repo (repo))
        continue;
      hit = g_new0 (SlHubHit, 1);
      hit->repo = g_strdup (repo);
      hit->downloads = MAX (json_integer_value (json_object_get (entry, "downloads")), 0);
      hit->likes = MAX (json_integer_value (json_object_get (entry, "likes")), 0);
      g_ptr_array_add (hits, hit);
    }
  json_decref (answer);
  return good ? g_steal_pointer (&hits) : NULL;
}

/* ------------------------------------------------------------------------------------------------ a list as a line */

char *
sl_hub_tree_to_line (const SlHubTree *tree)
{
  json_t *files = json_array ();
  json_t *json = json_pack ("{s:i,s:s,s:s,s:s,s:o}", "format", FORMAT, "endpoint", tree->endpoint, "repo", tree->repo, "commit",
                            tree->commit, "files", files);
  char *text, *line;

  for (guint i = 0; i < tree->files->len; i++)
    {
      const SlHubFile *file = tree->files->pdata[i];

      json_array_append_new (files, json_pack ("{s:s,s:I,s:s,s:s}", "name", file->name, "size", (json_int_t) file->size, "kind",
                                               file->kind == SL_HUB_HASH_SHA256 ? "sha256" : "git", "hash", file->hash));
    }
  text = json_dumps (json, JSON_COMPACT);
  line = text != NULL ? g_strconcat (text, "\n", NULL) : NULL;
  free (text);
  json_decref (json);
  return line;
}

SlHubTree *
sl_hub_tree_from_line (const char *text)
{
  g_autoptr (SlHubTree) tree = g_new0 (SlHubTree, 1);
  json_t *json = json_loads (text, 0, NULL), *files = json_object_get (json, "files"), *entry;
  gboolean good = json_integer_value (json_object_get (json, "format")) == FORMAT && json_is_array (files);
  const char *endpoint = "", *repo = "", *commit = "";
  gsize i;

  tree->files = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_hub_file_free);
  good = good && json_unpack (json, "{s:s,s:s,s:s}", "endpoint", &endpoint, "repo", &repo, "commit", &commit) == 0;
  json_array_foreach (files, i, entry)
    {
      const char *name, *kind, *hash;
      json_int_t size;

      good = good && json_unpack (entry, "{s:s,s:I,s:s,s:s}", "name", &name, "size", &size, "kind", &kind, "hash", &hash) == 0
             && size >= 0 && size < MAX_SIZE && strchr (name, '/') == NULL && name[0] != '.';
      if (good)
        g_ptr_array_add (tree->files,
                         sl_hub_file_new (name, size, g_str_equal (kind, "git") ? SL_HUB_HASH_GIT_BLOB : SL_HUB_HASH_SHA256, hash));
    }
  tree->endpoint = g_strdup (endpoint);
  tree->repo = g_strdup (repo);
  tree->commit = g_strdup (commit);
  json_decref (json);
  return good ? g_steal_pointer (&tree) : NULL;
}
