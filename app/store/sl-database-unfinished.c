/* SPDX-License-Identifier: MIT
 *
 * Files and rows in step across crashes: a file is written before its row and removed after it, and a row of `unfinished` tells of the
 * time between. So nothing is ever removed because a list does not know it. Called by the other parts and by the store's thread.
 */
#include <errno.h>
#include <utime.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"

#define MERGED_PAGES "-1000" /* of 4 KiB, in one step */

#define UNUSED_PICTURES \
  "NOT EXISTS (SELECT 1 FROM message_part WHERE picture = sha256)" \
  " AND NOT EXISTS (SELECT 1 FROM draft_part WHERE picture = sha256)" \
  " AND NOT EXISTS (SELECT 1 FROM message WHERE box_picture = sha256)" \
  " AND NOT EXISTS (SELECT 1 FROM box WHERE picture = sha256)"

/* ------------------------------------------------------------------------------------------------ arriving */

static gboolean
brings_file (const SlPartRecord *part)
{
  return part->kind == SL_PART_PICTURE && part->bytes != NULL && part->sha256 != NULL && part->extension != NULL;
}

static char *
dup_name (const SlPartRecord *part)
{
  return g_strconcat (part->sha256, ".", part->extension, NULL);
}

gboolean
sl_database_note_arriving (SlDatabase  *self,
                           GPtrArray   *parts,
                           GError     **error)
{
  for (guint i = 0; i < parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (parts, i);
      g_autofree char *name = NULL;

      if (!brings_file (part))
        continue;
      name = dup_name (part);
      if (!sl_sql_run (self, error, "INSERT OR IGNORE INTO unfinished(what, name) VALUES (?, ?)", "is",
                       (gint64) SL_UNFINISHED_ARRIVING, name))
        return FALSE;
    }
  return TRUE;
}

gboolean
sl_database_note_arrived (SlDatabase  *self,
                          GPtrArray   *parts,
                          GError     **error)
{
  for (guint i = 0; i < parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (parts, i);
      g_autofree char *name = NULL;

      if (!brings_file (part))
        continue;
      name = dup_name (part);
      /* Also one that was about to leave. */
      if (!sl_sql_run (self, error, "DELETE FROM unfinished WHERE what IN (?, ?) AND name = ?", "iis", (gint64) SL_UNFINISHED_ARRIVING,
                       (gint64) SL_UNFINISHED_LEAVING, name))
        return FALSE;
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ leaving */

gboolean
sl_database_drop_unused_pictures (SlDatabase  *self,
                                  GError     **error)
{
  return sl_sql_run (self, error,
                     "INSERT OR IGNORE INTO unfinished(what, name) SELECT ?, sha256 || '.' || extension FROM picture WHERE "
                     UNUSED_PICTURES, "i", (gint64) SL_UNFINISHED_LEAVING)
         && sl_sql_exec (self, "DELETE FROM picture WHERE " UNUSED_PICTURES, error);
}

static gboolean
forget_note (SlDatabase    *self,
             SlUnfinished   what,
             const char    *name,
             GError       **error)
{
  return sl_sql_run (self, error, "DELETE FROM unfinished WHERE what = ? AND name = ?", "is", (gint64) what, name);
}

static gboolean
remove_picture (SlDatabase  *self,
                const char  *name,
                GError     **error)
{
  g_auto (GStrv) halves = g_strsplit (name, ".", 2);

  return !sl_picture_files_valid_name (halves[0], halves[1])
         || sl_picture_files_remove (self->pictures, halves[0], halves[1], error);
}

static gboolean
remove_session (SlDatabase  *self,
                const char  *name,
                GError     **error)
{
  g_autofree char *path = g_strdup_printf ("%s/sessions/%s.session", self->dir, name);
  g_autofree char *half = g_strconcat (path, ".part", NULL);
  int code;

  g_unlink (half);
  if (g_unlink (path) == 0 || errno == ENOENT || errno == ENOTDIR)
    return TRUE;
  code = errno;
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("“%s”, what the model has read of a deleted conversation, could not be "
                                                           "removed: %s"),
               path, g_strerror (code));
  return FALSE;
}

typedef gboolean (*FinishOne) (SlDatabase *self, const char *name, GError **error);

/* TRUE: all are done, or *refused says why one of them is not. */
static gboolean
finish_each (SlDatabase    *self,
             SlUnfinished   what,
             const char    *sql,
             FinishOne      finish,
             GError       **refused,
             GError       **error)
{
  g_autoptr (GPtrArray) names = sl_sql_list_strings (self, sql, error);

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      g_autoptr (GError) failure = NULL;

      if (finish (self, name, &failure))
        {
          if (!forget_note (self, what, name, error))
            return FALSE;
        }
      else if (*refused == NULL)
        g_set_error_literal (refused, SL_STORE_ERROR, SL_STORE_ERROR_REFUSED, failure->message);
    }
  return TRUE;
}

#define NAMES_OF(what) "SELECT name FROM unfinished WHERE what = " G_STRINGIFY (what)
#define KNOWN " AND name IN (SELECT sha256 || '.' || extension FROM picture WHERE sha256 = substr(name, 1, 64))"

G_STATIC_ASSERT (SL_UNFINISHED_ARRIVING == 0 && SL_UNFINISHED_LEAVING == 1 && SL_UNFINISHED_SESSION == 2);

gboolean
sl_database_finish_files (SlDatabase  *self,
                          GError     **error)
{
  g_autoptr (GError) refused = NULL;

  /* One that has a row again stays. */
  if (!sl_sql_exec (self, "DELETE FROM unfinished WHERE what = 1" KNOWN, error)
      || !finish_each (self, SL_UNFINISHED_LEAVING, NAMES_OF (1), remove_picture, &refused, error)
      || !finish_each (self, SL_UNFINISHED_SESSION, NAMES_OF (2), remove_session, &refused, error))
    return FALSE;
  if (refused == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&refused));
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ traces */

/* Whether the log could be emptied: not while somebody reads it. */
static gboolean
empty_log (SlDatabase  *self,
           gboolean    *emptied,
           GError     **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement = sl_sql_prepare (self, &failure, "PRAGMA wal_checkpoint(TRUNCATE)", "");

  *emptied = statement != NULL && sl_sql_next (self, statement, &failure) && sqlite3_column_int (statement, 0) == 0;
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

/* FTS5 keeps removed words in its older segments until they are merged, and SQLite keeps removed rows in the log. */
gboolean
sl_database_tidy (SlDatabase  *self,
                  gboolean    *more,
                  GError     **error)
{
  g_autoptr (GPtrArray) noted = sl_sql_list_strings (self, NAMES_OF (3), error);
  gboolean emptied = FALSE;
  gint64 before;

  *more = FALSE;
  if (noted == NULL)
    return FALSE;
  if (noted->len == 0)
    return TRUE;
  before = sqlite3_total_changes (self->db);
  if (!sl_sql_exec (self, "INSERT INTO message_index(message_index, rank) VALUES('merge', " MERGED_PAGES ")", error)
      || !sl_sql_exec (self, "INSERT INTO conversation_index(conversation_index, rank) VALUES('merge', " MERGED_PAGES ")", error))
    return FALSE;
  /* FTS5 counts one change for the command itself, and more where it has merged something. */
  *more = sqlite3_total_changes (self->db) - before > 2;
  if (*more)
    return TRUE;
  return empty_log (self, &emptied, error) && (!emptied || forget_note (self, SL_UNFINISHED_TRACES, "", error));
}

/* ------------------------------------------------------------------------------------------------ after a crash */

/* The file came and its row did not: nobody has seen it, but it may be all that is left of what was asked. */
static gboolean
hold_picture (SlDatabase  *self,
              const char  *name,
              GError     **error)
{
  g_autofree char *held = g_build_filename (self->dir, "removed", "pictures", NULL);
  g_auto (GStrv) halves = g_strsplit (name, ".", 2);

  return !sl_picture_files_valid_name (halves[0], halves[1])
         || sl_picture_files_move (self->pictures, held, halves[0], halves[1], error);
}

typedef struct
{
  SlDatabase *database;
  gint64 oldest; /* s since 1970: what was put there before goes */
} Hold;

/* A held picture that a row knows (a history that was put back) returns; an old one goes. */
static void
look_at_held (const char *path,
              const char *sha256,
              gpointer    user_data)
{
  Hold *hold = user_data;
  SlDatabase *self = hold->database;
  g_autofree char *held = g_build_filename (self->dir, "removed", "pictures", NULL);
  g_autofree char *name = g_path_get_basename (path);
  g_auto (GStrv) halves = g_strsplit (name, ".", 2);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) known = NULL;
  GStatBuf info;

  if (sha256 == NULL || !sl_picture_files_valid_name (halves[0], halves[1]))
    return;
  known = sl_sql_prepare (self, &failure, "SELECT 1 FROM picture WHERE sha256 = ? AND extension = ?", "ss", halves[0], halves[1]);
  if (known != NULL && sl_sql_next (self, known, &failure))
    sl_picture_files_move (held, self->pictures, halves[0], halves[1], NULL);
  else if (failure == NULL && g_stat (path, &info) == 0 && info.st_mtime < hold->oldest)
    sl_picture_files_remove (held, halves[0], halves[1], NULL);
}

/* A backup holds what was deleted since. */
static void
remove_old_backups (SlDatabase *self,
                    gint64      oldest)
{
  g_autofree char *folder = g_build_filename (self->dir, "backups", NULL);
  g_autoptr (GDir) handle = g_dir_open (folder, 0, NULL);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      GStatBuf info;

      if (g_str_has_prefix (name, "history-v") && g_stat (path, &info) == 0 && info.st_mtime < oldest)
        g_unlink (path);
    }
}

gboolean
sl_database_sweep (SlDatabase  *self,
                   GError     **error)
{
  g_autofree char *held = g_build_filename (self->dir, "removed", "pictures", NULL);
  g_autoptr (GError) refused = NULL;
  Hold hold = { self, g_get_real_time () / G_USEC_PER_SEC - SL_DATABASE_HELD_DAYS * 24 * 60 * 60 };

  sl_picture_files_foreach (held, look_at_held, &hold);
  remove_old_backups (self, hold.oldest);
  if (!sl_sql_exec (self, "DELETE FROM unfinished WHERE what = 0" KNOWN, error)
      || !finish_each (self, SL_UNFINISHED_ARRIVING, NAMES_OF (0), hold_picture, &refused, error))
    return FALSE;
  if (refused == NULL)
    return sl_database_finish_files (self, error);
  g_propagate_error (error, g_steal_pointer (&refused));
  return FALSE;
}
