/* SPDX-License-Identifier: MIT
 *
 * Opening and closing the history, and the small SQL layer that the other parts use. One thread at a time.
 */
#include "app/store/sl-database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"
#include "app/store/sl-schema.h"
#include "app/store/sl-search-text.h"
#include "app/store/sl-store.h"

#define BUSY_TIMEOUT_MS  1000
#define LOCK_ATTEMPTS    40
#define LOCK_INTERVAL_US 50000

/* ------------------------------------------------------------------------------------------------ SQL with GError */

static SlStoreError
error_kind (int code,
            int system_errno)
{
  switch (code & 0xff)
    {
    case SQLITE_FULL:
      return SL_STORE_ERROR_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return SL_STORE_ERROR_READ_ONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return SL_STORE_ERROR_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return SL_STORE_ERROR_CORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return SL_STORE_ERROR_REFUSED;
    default:
      if (system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG)
        return SL_STORE_ERROR_FULL;
      if (system_errno == EROFS || system_errno == EACCES || system_errno == EPERM)
        return SL_STORE_ERROR_READ_ONLY;
      return SL_STORE_ERROR_IO;
    }
}

void
sl_sql_set_error (GError     **error,
                  sqlite3     *db,
                  const char  *path)
{
  int code = db != NULL ? sqlite3_extended_errcode (db) : SQLITE_NOMEM;
  int system_errno = db != NULL ? sqlite3_system_errno (db) : 0;
  SlStoreError kind = error_kind (code, system_errno);
  const char *reason = db != NULL ? sqlite3_errmsg (db) : "out of memory";

  switch (kind)
    {
    case SL_STORE_ERROR_FULL:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” cannot be saved: no space left on the disk"), path);
      break;
    case SL_STORE_ERROR_READ_ONLY:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” cannot be saved: it may not be written there"), path);
      break;
    case SL_STORE_ERROR_LOCKED:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” is locked by another program"), path);
      break;
    case SL_STORE_ERROR_CORRUPT:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” is damaged (%s); it was left as it is"), path, reason);
      break;
    case SL_STORE_ERROR_IO:
    case SL_STORE_ERROR_NEWER:
    case SL_STORE_ERROR_REFUSED:
    default:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” cannot be used: %s"), path,
                   system_errno != 0 ? g_strerror (system_errno) : reason);
      break;
    }
}

static void
bind_values (sqlite3_stmt *statement,
             const char   *types,
             va_list       args)
{
  for (int i = 1; *types != '\0'; types++, i++)
    {
      const char *text;
      const void *blob;
      gint64 number;

      switch (*types)
        {
        case 'i':
          sqlite3_bind_int64 (statement, i, va_arg (args, gint64));
          break;
        case 'n':
          number = va_arg (args, gint64);
          if (number != 0)
            sqlite3_bind_int64 (statement, i, number);
          break;
        case 'd':
          sqlite3_bind_double (statement, i, va_arg (args, double));
          break;
        case 's':
          text = va_arg (args, const char *);
          if (text != NULL)
            sqlite3_bind_text (statement, i, text, -1, SQLITE_STATIC);
          break;
        case 'b':
          blob = va_arg (args, const void *);
          sqlite3_bind_blob64 (statement, i, blob != NULL ? blob : "", va_arg (args, gsize), SQLITE_STATIC);
          break;
        default:
          g_return_if_reached ();
        }
    }
}

static sqlite3_stmt *
prepare_va (SlDatabase  *self,
            GError     **error,
            const char  *sql,
            const char  *types,
            va_list      args)
{
  sqlite3_stmt *statement = NULL;

  if (sqlite3_prepare_v2 (self->db, sql, -1, &statement, NULL) != SQLITE_OK)
    {
      sl_sql_set_error (error, self->db, self->path);
      return NULL;
    }
  bind_values (statement, types, args);
  return statement;
}

sqlite3_stmt *
sl_sql_prepare (SlDatabase  *self,
                GError     **error,
                const char  *sql,
                const char  *types,
                ...)
{
  sqlite3_stmt *statement;
  va_list args;

  va_start (args, types);
  statement = prepare_va (self, error, sql, types, args);
  va_end (args);
  return statement;
}

gboolean
sl_sql_next (SlDatabase    *self,
             sqlite3_stmt  *statement,
             GError       **error)
{
  int code = sqlite3_step (statement);

  if (code == SQLITE_ROW)
    return TRUE;
  if (code != SQLITE_DONE)
    sl_sql_set_error (error, self->db, self->path);
  return FALSE;
}

gboolean
sl_sql_run (SlDatabase  *self,
            GError     **error,
            const char  *sql,
            const char  *types,
            ...)
{
  g_autoptr (sqlite3_stmt) statement = NULL;
  g_autoptr (GError) failure = NULL;
  va_list args;

  va_start (args, types);
  statement = prepare_va (self, &failure, sql, types, args);
  va_end (args);
  while (statement != NULL && sl_sql_next (self, statement, &failure))
    ;
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
sl_sql_exec (SlDatabase  *self,
             const char  *sql,
             GError     **error)
{
  if (sqlite3_exec (self->db, sql, NULL, NULL, NULL) == SQLITE_OK)
    return TRUE;
  sl_sql_set_error (error, self->db, self->path);
  return FALSE;
}

gboolean
sl_sql_begin (SlDatabase  *self,
              GError     **error)
{
  return sl_sql_exec (self, "BEGIN IMMEDIATE", error);
}

gboolean
sl_sql_end (SlDatabase  *self,
            gboolean     ok,
            GError     **error)
{
  if (ok && sl_sql_exec (self, "COMMIT", error))
    return TRUE;
  /* A full disk may have rolled back already; then this says so and nothing is lost by it. */
  sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

char *
sl_sql_dup_text_or_null (sqlite3_stmt *statement,
                         int           column)
{
  const char *text = (const char *) sqlite3_column_text (statement, column);

  /* SQLite keeps whatever bytes it was given; everything behind this point counts on UTF-8. */
  return text != NULL ? g_utf8_make_valid (text, -1) : NULL;
}

char *
sl_sql_dup_text (sqlite3_stmt *statement,
                 int           column)
{
  char *text = sl_sql_dup_text_or_null (statement, column);

  return text != NULL ? text : g_strdup ("");
}

/* ------------------------------------------------------------------------------------------------ open, close */

char *
sl_database_dup_plain (SlRole      role,
                       const char *text)
{
  g_autoptr (SlGrounding) grounding = NULL;

  if (role != SL_ROLE_ASSISTANT)
    return g_strdup (text);
  grounding = sl_grounding_parse (text, -1);
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
  g_set_error (error, SL_STORE_ERROR, error_kind (SQLITE_IOERR, code), _("The folder “%s” for the history cannot be made: %s"),
               self->dir, g_strerror (code));
  return FALSE;
}

/* The lock goes with the process, however it ends. A program that is just closing gets two seconds. */
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
      g_set_error (error, SL_STORE_ERROR, error_kind (SQLITE_IOERR, code), _("The history in “%s” cannot be saved: %s"),
                   self->dir, g_strerror (code));
      return FALSE;
    }
  for (int i = 0; i < LOCK_ATTEMPTS; i++)
    {
      if (flock (self->lock, LOCK_EX | LOCK_NB) == 0)
        return TRUE;
      g_usleep (LOCK_INTERVAL_US);
    }
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_LOCKED, _("The history in “%s” is in use by another Sightline"), self->dir);
  return FALSE;
}

/* What a crash left as "being written" is final now: say so, and let search find it. */
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
                              "SELECT message.id, role, text FROM message JOIN message_part ON message_part.message = message.id"
                              " WHERE status = 1 AND position = 0 AND text IS NOT NULL", "");
  while (ok && statement != NULL && sl_sql_next (self, statement, &failure))
    {
      g_autofree char *text = sl_sql_dup_text (statement, 2);
      g_autofree char *plain = sl_database_dup_plain (sqlite3_column_int (statement, 1), text);
      g_autofree char *words = sl_search_text_index (plain);

      ok = sl_sql_run (self, &failure, "INSERT OR REPLACE INTO message_index(rowid, body) VALUES (?, ?)", "is",
                       (gint64) sqlite3_column_int64 (statement, 0), words);
    }
  g_clear_pointer (&statement, sqlite3_finalize);
  ok = failure == NULL
       && sl_sql_run (self, &failure, "UPDATE message SET status = ? WHERE status = 1", "i", (gint64) SL_MESSAGE_INTERRUPTED);
  ok = sl_sql_end (self, ok, failure == NULL ? &failure : NULL);
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&failure));
  return ok;
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

static gboolean
open_for_reading (SlDatabase  *self,
                  GError     **error)
{
  g_autofree char *escaped = g_uri_escape_string (self->path, "/", FALSE);
  g_autofree char *uri = g_strconcat ("file:", escaped, "?immutable=1", NULL);
  int code;

  if (!g_file_test (self->path, G_FILE_TEST_EXISTS))
    {
      g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("There is no history in “%s”"), self->dir);
      return FALSE;
    }
  code = sqlite3_open_v2 (self->path, &self->db, SQLITE_OPEN_READONLY, NULL);
  if (code == SQLITE_OK)
    code = sqlite3_exec (self->db, "SELECT 1 FROM sqlite_master", NULL, NULL, NULL);
  if (code == SQLITE_CANTOPEN || code == SQLITE_READONLY)
    {
      /* A folder that may not be written cannot hold the log's index; without a writer the file itself is enough. */
      g_clear_pointer (&self->db, sqlite3_close);
      code = sqlite3_open_v2 (uri, &self->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
    }
  if (code != SQLITE_OK)
    {
      sl_sql_set_error (error, self->db, self->path);
      return FALSE;
    }
  sqlite3_busy_timeout (self->db, BUSY_TIMEOUT_MS);
  return sl_schema_check_version (self->db, self->path, sl_schema_n_migrations, error);
}

SlDatabase *
sl_database_open (const char        *dir,
                  SlDatabaseAccess   access,
                  GError           **error)
{
  g_autoptr (SlDatabase) self = g_new0 (SlDatabase, 1);
  gboolean ok;

  g_return_val_if_fail (dir != NULL, NULL);

  self->lock = -1;
  self->dir = g_strdup (dir);
  self->path = g_build_filename (dir, "history.db", NULL);
  self->pictures = g_build_filename (dir, "pictures", NULL);
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
  g_free (self->pictures);
  g_free (self);
}
