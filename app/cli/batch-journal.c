/* SPDX-License-Identifier: MIT
 *
 * The journal of a batch, read and appended: see batch-journal.h. A head further down begins the work anew: the lines above it
 * tell of files only.
 */
#include "app/cli/batch-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gi18n.h>
#include <glib/gstdio.h>

struct _CliJournal
{
  char       *dir, *path;
  SlOutputs  *outputs;
  FILE       *file;
  json_t     *head;  /* the last one */
  GPtrArray  *done;  /* json_t */
  GHashTable *keys;  /* key → its index in done */
  GHashTable *files; /* name in the folder → sha256 when it was last written */
  GHashTable *old;   /* the same, of the work before this */
};

static char *
get_name (const CliJournal *self,
          const char       *path)
{
  g_autofree char *dir = g_canonicalize_filename (self->dir, NULL);
  g_autofree char *full = g_canonicalize_filename (path, NULL);
  gsize length = strlen (dir);

  if (strncmp (full, dir, length) != 0 || (length > 1 && full[length] != '/'))
    return NULL;

  return g_strdup (full + length + (length > 1));
}

/* ------------------------------------------------------------------------------------------------ lines */

static gboolean
fail (CliJournal *self,
      GError    **error)
{
  sl_output_set_error (error, self->path, errno);

  return FALSE;
}

gboolean
cli_journal_add (CliJournal  *self,
                 json_t      *line,
                 GError     **error)
{
  char *text = json_dumps (line, JSON_COMPACT);
  gboolean written;

  errno = EINVAL;
  written = text != NULL && fprintf (self->file, "%s\n", text) >= 0 && fflush (self->file) == 0 &&
            fdatasync (fileno (self->file)) == 0;
  free (text);
  json_decref (line);

  return written || fail (self, error);
}

static gboolean
note_file (const char  *path,
           const char  *sha256,
           gpointer     user_data,
           GError     **error)
{
  CliJournal *self = user_data;
  g_autofree char *name = get_name (self, path);
  g_autofree char *valid = name != NULL ? g_filename_to_utf8 (name, -1, NULL, NULL, NULL) : NULL;

  if (valid == NULL)
    return TRUE;
  g_hash_table_insert (self->files, g_strdup (name), g_strdup (sha256));
  sl_outputs_add_own (self->outputs, path, sha256);

  return cli_journal_add (self, json_pack ("{s:s,s:s}", "file", valid, "sha256", sha256), error);
}

static void
remember_file (CliJournal *self,
               const char *name,
               const char *sha256)
{
  g_autofree char *path = g_build_filename (self->dir, name, NULL);

  sl_outputs_add_own (self->outputs, path, sha256);
  g_hash_table_insert (self->files, g_strdup (name), g_strdup (sha256));
}

static void
remember_done (CliJournal *self,
               json_t     *line)
{
  const char *key = json_string_value (json_object_get (line, "key"));

  gpointer index;

  if (g_hash_table_lookup_extended (self->keys, key, NULL, &index))
    {
      json_decref (self->done->pdata[GPOINTER_TO_UINT (index)]);
      self->done->pdata[GPOINTER_TO_UINT (index)] = json_incref (line);
      return;
    }
  g_hash_table_insert (self->keys, g_strdup (key), GUINT_TO_POINTER (self->done->len));
  g_ptr_array_add (self->done, json_incref (line));
}

static void
begin_anew (CliJournal *self,
            json_t     *head)
{
  GHashTableIter iter;
  gpointer name, sha256;

  json_decref (self->head);
  self->head = json_incref (head);
  g_ptr_array_set_size (self->done, 0);
  g_hash_table_remove_all (self->keys);
  g_hash_table_iter_init (&iter, self->files);
  while (g_hash_table_iter_next (&iter, &name, &sha256))
    {
      g_hash_table_iter_steal (&iter);
      g_hash_table_insert (self->old, name, sha256);
    }
}

static gboolean
read_line (CliJournal *self,
           json_t     *line)
{
  const char *file = json_string_value (json_object_get (line, "file"));
  const char *sha256 = json_string_value (json_object_get (line, "sha256"));

  if (g_strcmp0 (json_string_value (json_object_get (line, "format")), "sightline-batch") == 0)
    begin_anew (self, line);
  else if (self->head == NULL)
    return FALSE;
  else if (json_is_string (json_object_get (line, "key")))
    remember_done (self, line);
  else if (file != NULL && sha256 != NULL)
    remember_file (self, file, sha256);
  else
    return FALSE;

  return TRUE;
}

/* Returns the length of what is good: a line that a power cut left half written, and all behind it, is done again. */
static gsize
read_lines (CliJournal *self,
            const char *text,
            gsize       length)
{
  gsize good = 0;

  for (const char *end; (end = memchr (text + good, '\n', length - good)) != NULL; good = end + 1 - text)
    {
      g_autoptr(json_t) line = json_loadb (text + good, end - (text + good), 0, NULL);

      if (line == NULL || !read_line (self, line))
        break;
    }

  return good;
}

/* ------------------------------------------------------------------------------------------------ opening */

static gboolean
refuse (CliJournal *self,
        const char *sentence,
        const char *path,
        GError    **error)
{
  g_autofree char *name = g_filename_display_name (path);

  cli_set_error (error, CLI_USAGE, sentence, name);

  return FALSE;
}

static gboolean
resume (CliJournal  *self,
        json_t      *head,
        gboolean     again,
        GError     **error)
{
  g_autofree char *text = NULL;
  gsize length, good;

  if (!g_file_get_contents (self->path, &text, &length, error))
    return FALSE;
  good = read_lines (self, text, length);
  if (self->head == NULL)
    return refuse (self, _("“%s” is not the journal of a batch; give another --out."), self->path, error);
  if (!again && !json_equal (self->head, head))
    return refuse (self, _("“%s” holds a run with another prompt, model or format; give another --out, or --again."), self->dir, error);
  if (ftruncate (fileno (self->file), good) != 0 || fseek (self->file, 0, SEEK_END) != 0)
    return fail (self, error);
  if (!again)
    return TRUE;
  begin_anew (self, head);

  return cli_journal_add (self, json_incref (head), error);
}

static gboolean
begin (CliJournal  *self,
       json_t      *head,
       GError     **error)
{
  g_autofree char *text = json_dumps (head, JSON_COMPACT);
  g_autofree char *line = text != NULL ? g_strconcat (text, "\n", NULL) : g_strdup ("");

  self->head = json_incref (head);

  return sl_outputs_write (self->outputs, self->path, line, strlen (line), error);
}

CliJournal *
cli_journal_open (const char  *dir,
                  json_t      *head,
                  gboolean     again,
                  SlOutputs   *outputs,
                  GError     **error)
{
  g_autoptr(CliJournal) self = g_new0 (CliJournal, 1);
  gboolean known;
  int fd;

  self->dir = g_strdup (dir);
  self->path = g_build_filename (dir, CLI_JOURNAL_NAME, NULL);
  self->outputs = outputs;
  self->done = g_ptr_array_new_with_free_func ((GDestroyNotify) json_decref);
  self->keys = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->files = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->old = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);

  known = g_file_test (self->path, G_FILE_TEST_EXISTS) || g_file_test (self->path, G_FILE_TEST_IS_SYMLINK);
  if (!known && !begin (self, head, error))
    return NULL;
  fd = g_open (self->path, O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0);
  self->file = fd >= 0 ? fdopen (fd, "a+") : NULL;
  if (self->file == NULL)
    {
      fail (self, error);
      return NULL;
    }
  if (flock (fd, LOCK_EX | LOCK_NB) != 0)
    {
      refuse (self, _("Another run is at work in “%s”."), dir, error);
      return NULL;
    }
  if (known && !resume (self, head, again, error))
    return NULL;
  sl_outputs_set_note (outputs, note_file, self);

  return g_steal_pointer (&self);
}

void
cli_journal_close (CliJournal *self)
{
  sl_outputs_set_note (self->outputs, NULL, NULL);
  if (self->file != NULL)
    fclose (self->file);
  g_ptr_array_unref (self->done);
  g_hash_table_unref (self->keys);
  g_hash_table_unref (self->files);
  g_hash_table_unref (self->old);
  json_decref (self->head);
  g_free (self->dir);
  g_free (self->path);
  g_free (self);
}

GPtrArray *
cli_journal_get_done (CliJournal *self)
{
  return self->done;
}

gboolean
cli_journal_is_own (CliJournal *self,
                    const char *path)
{
  g_autofree char *name = get_name (self, path);

  return name != NULL && (g_hash_table_contains (self->files, name) || g_hash_table_contains (self->old, name));
}

void
cli_journal_drop_old (CliJournal *self)
{
  GHashTableIter iter;
  gpointer name;

  g_hash_table_iter_init (&iter, self->old);
  while (g_hash_table_iter_next (&iter, &name, NULL))
    {
      g_autofree char *path = g_build_filename (self->dir, name, NULL);

      if (!g_hash_table_contains (self->files, name) && sl_outputs_is_own (self->outputs, path))
        g_unlink (path);
    }
}
