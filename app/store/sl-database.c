/* SPDX-License-Identifier: MIT
 *
 * Opening and closing the history: for writing, with a lock, the newest schema and an end to what a crash interrupted; for reading,
 * whatever state the folder is in. One thread at a time.
 */
#include "app/store/sl-database.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"
#include "app/store/sl-schema.h"
#include "app/store/sl-search-text.h"

#define BUSY_TIMEOUT_MS 1000

char *
sl_database_dup_plain (SlRole      role,
                       const char *text)
{
  g_autoptr (SlGrounding) grounding = NULL;

  if (role != SL_ROLE_ASSISTANT)
    return g_strdup (text);
  grounding = sl_grounding_parse_in (text, -1, &(SlBoxSpace) { SL_BOX_SCALE_AUTO }); /* boxes in any form are no words */
  return sl_grounding_dup_plain_text (grounding);
}

char *
sl_database_dup_picture_path (const char *dir,
                              const char *sha256,
                              const char *extension)
{
  g_autofree char *pictures = g_build_filename (dir, "pictures", NULL);

  return sl_picture_files_dup_path (pictures, sha256, extension);
}

static gboolean
make_folders (SlDatabase  *self,
              GError     **error)
{
  int code;

  if (g_mkdir_with_parents (self->dir, 0700) == 0 && g_mkdir_with_parents (self->pictures, 0700) == 0)
    return TRUE;
  code = errno;
  g_set_error (error, SL_STORE_ERROR, sl_sql_error_kind (SQLITE_IOERR, code), _("The folder “%s” for the history cannot be made: %s"),
               self->dir, g_strerror (code));
  return FALSE;
}

/* The lock goes with the process, however it ends. */
static gboolean
take_lock (SlDatabase  *self,
           GError     **error)
{
  g_autofree char *path = g_build_filename (self->dir, "history.lock", NULL);
  int code;

  self->lock = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (self->lock < 0)
    {
      code = errno;
      g_set_error (error, SL_STORE_ERROR, sl_sql_error_kind (SQLITE_IOERR, code), _("The history in “%s” cannot be saved: %s"),
                   self->dir, g_strerror (code));
      return FALSE;
    }
  if (flock (self->lock, LOCK_EX | LOCK_NB) == 0)
    return TRUE;
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_LOCKED, _("The history in “%s” is in use by another Sightline"), self->dir);
  return FALSE;
}

/* What a crash left as "being written" is final now: say so, let search find it, and make rows of its boxes, of which only the text
 * was kept while it streamed. */
static gboolean
settle_interrupted (SlDatabase  *self,
                    GError     **error)
{
  g_autoptr (sqlite3_stmt) statement = NULL;
  g_autoptr (GError) failure = NULL;
  gboolean ok = TRUE;

  if (!sl_sql_begin (self, error))
    return FALSE;
  statement = sl_sql_prepare (self, &failure,
                              "SELECT message.id, role, text, box_picture FROM message"
                              " JOIN message_part ON message_part.message = message.id"
                              " WHERE status = 1 AND position = 0 AND text IS NOT NULL", "");
  while (ok && statement != NULL && sl_sql_next (self, statement, &failure))
    {
      gint64 id = sqlite3_column_int64 (statement, 0);
      g_autofree char *text = sl_sql_dup_text (statement, 2);
      g_autofree char *picture = sl_sql_dup_text_or_null (statement, 3);
      g_autofree char *plain = sl_database_dup_plain (sqlite3_column_int (statement, 1), text);
      g_autofree char *words = sl_search_text_index (plain);

      ok = sl_sql_run (self, &failure, "INSERT OR REPLACE INTO message_index(rowid, body) VALUES (?, ?)", "is",
                       id, words)
           && (sqlite3_column_int (statement, 1) != SL_ROLE_ASSISTANT
               || sl_database_put_parsed_boxes (self, id, picture, text, &failure));
    }
  g_clear_pointer (&statement, sqlite3_finalize);
  ok = failure == NULL
       && sl_sql_run (self, &failure, "UPDATE message SET status = ? WHERE status = 1", "i", (gint64) SL_MESSAGE_INTERRUPTED);
  ok = sl_sql_end (self, ok, failure == NULL ? &failure : NULL);
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&failure));
  return ok;
}

static void
count_picture (const char *path,
               const char *sha256,
               gpointer    count)
{
  *(guint *) count += sha256 != NULL;
}

/* Before a list is made where one should have been: the pictures say that there was one. Its log, which SQLite would throw away, stays. */
static void
note_lost_list (SlDatabase *self)
{
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);
  g_autofree char *kept = g_strdup_printf ("%s.lost-%" G_GINT64_FORMAT, log, g_get_real_time ());
  GStatBuf info;
  guint n_pictures = 0;

  if (g_stat (self->path, &info) == 0 ? info.st_size > 0 : errno != ENOENT)
    return;
  if (g_stat (log, &info) == 0 && info.st_size > 0)
    g_rename (log, kept);
  sl_picture_files_foreach (self->pictures, count_picture, &n_pictures);
  if (n_pictures > 0)
    self->notice = g_strdup_printf (ngettext ("The history “%s” was missing or empty, though %u picture of earlier conversations is "
                                              "still there. A new one was started; nothing was removed. Put the file back to see the "
                                              "earlier conversations again.",
                                              "The history “%s” was missing or empty, though %u pictures of earlier conversations are "
                                              "still there. A new one was started; nothing was removed. Put the file back to see the "
                                              "earlier conversations again.",
                                              n_pictures),
                                    self->path, n_pictures);
}

static gboolean
open_for_writing (SlDatabase  *self,
                  GError     **error)
{
  static const char settings[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
    "PRAGMA temp_store = MEMORY;";

  if (!make_folders (self, error) || !take_lock (self, error))
    return FALSE;
  note_lost_list (self);
  if (sqlite3_open_v2 (self->path, &self->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
    {
      sl_sql_set_error (error, self->db, self->path);
      return FALSE;
    }
  sqlite3_busy_timeout (self->db, BUSY_TIMEOUT_MS);
  /* Refuse before the first write: the journal mode is written into the file. */
  return sl_schema_check_version (self->db, self->path, sl_schema_n_migrations, error)
         && sl_sql_exec (self, settings, error)
         && sl_schema_migrate (self->db, self->path, sl_schema_migrations, sl_schema_n_migrations, error)
         && settle_interrupted (self, error);
}

/* ------------------------------------------------------------------------------------------------ reading */

void
sl_database_remove_tree (const char *path)
{
  g_autoptr (GDir) handle = g_dir_open (path, 0, NULL);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      if (g_file_test (child, G_FILE_TEST_IS_DIR) && !g_file_test (child, G_FILE_TEST_IS_SYMLINK))
        sl_database_remove_tree (child);
      else
        g_unlink (child);
    }
  g_rmdir (path);
}

static gboolean
open_connection (SlDatabase *self,
                 const char *path,
                 int         flags)
{
  int code = sqlite3_open_v2 (path, &self->db, flags, NULL);

  if (code == SQLITE_OK)
    {
      sqlite3_busy_timeout (self->db, BUSY_TIMEOUT_MS);
      code = sqlite3_exec (self->db, "SELECT 1 FROM sqlite_master", NULL, NULL, NULL);
    }
  return code == SQLITE_OK;
}

static gboolean
copy_file (const char  *source,
           const char  *target,
           GError     **error)
{
  g_autoptr (GFile) from = g_file_new_for_path (source), to = g_file_new_for_path (target);
  g_autoptr (GError) failure = NULL;

  if (g_file_copy (from, to, G_FILE_COPY_TARGET_DEFAULT_PERMS, NULL, NULL, NULL, &failure))
    return TRUE;
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The history “%s” cannot be copied to read it: %s"), source,
               failure->message);
  return FALSE;
}

/* Makes the folder for it; returns the path of the copy, NULL with error. */
static char *
make_copy_folder (SlDatabase  *self,
                  GError     **error)
{
  g_autoptr (GError) failure = NULL;

  self->copy = g_dir_make_tmp ("sightline-history-XXXXXX", &failure);
  if (self->copy != NULL)
    return g_build_filename (self->copy, "history.db", NULL);
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The history “%s” cannot be copied to read it: %s"), self->path,
               failure->message);
  return NULL;
}

/* A log that a crash left belongs to the history; where its index cannot be made beside it, the two are put together elsewhere. */
static gboolean
open_with_log (SlDatabase  *self,
               const char  *log,
               GError     **error)
{
  g_autofree char *path = make_copy_folder (self, error);
  g_autofree char *log_copy = path != NULL ? g_strconcat (path, "-wal", NULL) : NULL;

  if (path == NULL || !copy_file (self->path, path, error) || !copy_file (log, log_copy, error))
    return FALSE;
  if (open_connection (self, path, SQLITE_OPEN_READWRITE))
    return TRUE;
  sl_sql_set_error (error, self->db, self->path);
  return FALSE;
}

/* An older version lacks what this program asks for, and is not brought up to date by somebody who only reads. */
static gboolean
read_older_version (SlDatabase  *self,
                    GError     **error)
{
  g_autofree char *path = NULL;
  sqlite3 *original = self->db;
  gboolean ok;

  if (self->copy != NULL)
    path = g_build_filename (self->copy, "history.db", NULL);
  else
    {
      path = make_copy_folder (self, error);
      ok = path != NULL && sl_schema_copy (original, self->path, path, error);
      sqlite3_close (original);
      self->db = NULL;
      if (!ok)
        return FALSE;
      if (!open_connection (self, path, SQLITE_OPEN_READWRITE))
        {
          sl_sql_set_error (error, self->db, self->path);
          return FALSE;
        }
    }
  return sl_schema_migrate (self->db, path, sl_schema_migrations, sl_schema_n_migrations, error);
}

static gboolean
open_unwritable (SlDatabase  *self,
                 GError     **error)
{
  g_autofree char *escaped = g_uri_escape_string (self->path, "/", FALSE);
  g_autofree char *uri = g_strconcat ("file:", escaped, "?immutable=1", NULL);
  g_autofree char *log = g_strconcat (self->path, "-wal", NULL);
  GStatBuf info;

  g_clear_pointer (&self->db, sqlite3_close);
  if (g_stat (log, &info) == 0 && info.st_size > 0)
    return open_with_log (self, log, error);
  if (open_connection (self, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI))
    return TRUE;
  sl_sql_set_error (error, self->db, self->path);
  return FALSE;
}

static gboolean
open_for_reading (SlDatabase  *self,
                  GError     **error)
{
  g_autoptr (sqlite3_stmt) version = NULL;
  g_autoptr (GError) failure = NULL;
  int code;

  if (!g_file_test (self->path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("There is no history in “%s”"), self->dir);
      return FALSE;
    }
  if (!open_connection (self, self->path, SQLITE_OPEN_READONLY))
    {
      code = sqlite3_errcode (self->db);
      if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY)
        {
          sl_sql_set_error (error, self->db, self->path);
          return FALSE;
        }
      if (!open_unwritable (self, error))
        return FALSE;
    }
  if (!sl_schema_check_version (self->db, self->path, sl_schema_n_migrations, error))
    return FALSE;
  version = sl_sql_prepare (self, &failure, "PRAGMA user_version", "");
  if (version == NULL || !sl_sql_next (self, version, &failure))
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (sqlite3_column_int (version, 0) == sl_schema_n_migrations)
    return TRUE;
  g_clear_pointer (&version, sqlite3_finalize);
  return read_older_version (self, error);
}

static SlDatabase *
new_database (const char *dir)
{
  SlDatabase *self = g_new0 (SlDatabase, 1);

  self->lock = -1;
  self->dir = g_strdup (dir);
  self->path = g_build_filename (dir, "history.db", NULL);
  self->pictures = g_build_filename (dir, "pictures", NULL);
  return self;
}

SlDatabase *
sl_database_lock (const char  *dir,
                  GError     **error)
{
  g_autoptr (SlDatabase) self = new_database (dir);

  return make_folders (self, error) && take_lock (self, error) ? g_steal_pointer (&self) : NULL;
}

SlDatabase *
sl_database_open_copy (const char  *path,
                       const char  *dir,
                       GError     **error)
{
  g_autoptr (SlDatabase) self = new_database (dir);

  if (open_connection (self, path, SQLITE_OPEN_READWRITE))
    return g_steal_pointer (&self);
  sl_sql_set_error (error, self->db, self->path);
  return NULL;
}

SlDatabase *
sl_database_open (const char        *dir,
                  SlDatabaseAccess   access,
                  GError           **error)
{
  g_autoptr (SlDatabase) self = NULL;
  gboolean ok;

  g_return_val_if_fail (dir != NULL, NULL);

  self = new_database (dir);
  ok = access == SL_DATABASE_WRITE ? open_for_writing (self, error) : open_for_reading (self, error);
  return ok ? g_steal_pointer (&self) : NULL;
}

void
sl_database_close (SlDatabase *self)
{
  if (self == NULL)
    return;
  sqlite3_close (self->db);
  if (self->lock >= 0)
    close (self->lock);
  g_free (self->dir);
  g_free (self->path);
  if (self->copy != NULL)
    sl_database_remove_tree (self->copy);
  g_free (self->pictures);
  g_free (self->copy);
  g_free (self->notice);
  g_free (self);
}

const char *
sl_database_get_notice (SlDatabase *self)
{
  return self->notice;
}
