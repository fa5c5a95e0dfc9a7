/* SPDX-License-Identifier: MIT
 *
 * Schema and migrations. A published migration is never edited: the next version is a new string at the end.
 */
#include "app/store/sl-schema.h"

#include <errno.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/store/sl-store-error.h"

#define APPLICATION_ID 0x534c6974 /* "SLit" */
#define KEPT_BACKUPS   3

/* Messages form a tree; a tombstone hides a row until it is purged, and every message of a deleted subtree has one that
 * names the subtree's root, so that undoing restores exactly that deletion. The index tables hold text made by sl-search-text.h under the
 * id of its row. Enumerations are the numbers of their C types, box status is its nick. */
static const char version_1[] =
  "CREATE TABLE conversation ("
  "  id INTEGER PRIMARY KEY,"
  "  created INTEGER NOT NULL,"
  "  updated INTEGER NOT NULL,"
  "  title TEXT NOT NULL DEFAULT '',"
  "  system_text TEXT NOT NULL DEFAULT '',"
  "  snippet TEXT NOT NULL DEFAULT '',"
  "  active_leaf INTEGER REFERENCES message(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);"
  "CREATE INDEX conversation_updated ON conversation(updated);"
  "CREATE INDEX conversation_leaf ON conversation(active_leaf);"

  "CREATE TABLE picture ("
  "  sha256 TEXT PRIMARY KEY,"
  "  mime_type TEXT NOT NULL,"
  "  extension TEXT NOT NULL,"
  "  width INTEGER NOT NULL,"
  "  height INTEGER NOT NULL,"
  "  created INTEGER NOT NULL) WITHOUT ROWID;"

  "CREATE TABLE message ("
  "  id INTEGER PRIMARY KEY,"
  "  conversation INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,"
  "  parent INTEGER REFERENCES message(id) ON DELETE CASCADE,"
  "  ordinal INTEGER NOT NULL,"
  "  role INTEGER NOT NULL,"
  "  mode INTEGER NOT NULL,"
  "  raw INTEGER NOT NULL,"
  "  status INTEGER NOT NULL,"
  "  created INTEGER NOT NULL,"
  "  box_picture TEXT REFERENCES picture(sha256));"
  "CREATE INDEX message_conversation ON message(conversation);"
  "CREATE INDEX message_parent ON message(parent);"
  "CREATE INDEX message_box_picture ON message(box_picture) WHERE box_picture IS NOT NULL;"
  "CREATE INDEX message_streaming ON message(status) WHERE status = 1;"

  "CREATE TABLE message_part ("
  "  message INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,"
  "  position INTEGER NOT NULL,"
  "  kind INTEGER NOT NULL,"
  "  text TEXT,"
  "  picture TEXT REFERENCES picture(sha256),"
  "  name TEXT,"
  "  detail INTEGER NOT NULL DEFAULT 0,"
  "  PRIMARY KEY (message, position),"
  "  CHECK ((text IS NULL) <> (picture IS NULL))) WITHOUT ROWID;"
  "CREATE INDEX message_part_picture ON message_part(picture) WHERE picture IS NOT NULL;"

  "CREATE TABLE generation ("
  "  message INTEGER PRIMARY KEY REFERENCES message(id) ON DELETE CASCADE,"
  "  model TEXT NOT NULL, model_dir TEXT NOT NULL, quantisation TEXT NOT NULL, device TEXT NOT NULL, tiling TEXT NOT NULL,"
  "  temperature REAL NOT NULL, top_p REAL NOT NULL, top_k INTEGER NOT NULL, repetition_penalty REAL NOT NULL,"
  "  seed INTEGER NOT NULL, max_tokens INTEGER NOT NULL, constrained INTEGER NOT NULL,"
  "  prompt_tokens INTEGER NOT NULL, reused_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,"
  "  context_used INTEGER NOT NULL, context_capacity INTEGER NOT NULL,"
  "  mask_changed INTEGER NOT NULL, tiling_changed INTEGER NOT NULL,"
  "  vision_ms REAL NOT NULL, prefill_ms REAL NOT NULL, first_token_ms REAL NOT NULL, decode_ms REAL NOT NULL,"
  "  stop INTEGER NOT NULL, error TEXT,"
  "  tokens BLOB NOT NULL);" /* per token: id i32, log-probability f32, end u32, little-endian */

  "CREATE TABLE box ("
  "  id INTEGER PRIMARY KEY,"
  "  message INTEGER NOT NULL REFERENCES message(id) ON DELETE CASCADE,"
  "  ordinal INTEGER NOT NULL,"
  "  kind INTEGER NOT NULL,"
  "  origin INTEGER REFERENCES box(id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,"
  "  picture TEXT REFERENCES picture(sha256),"
  "  label TEXT NOT NULL, label_index INTEGER NOT NULL,"
  "  x1 INTEGER NOT NULL, y1 INTEGER NOT NULL, x2 INTEGER NOT NULL, y2 INTEGER NOT NULL,"
  "  status TEXT NOT NULL, reason TEXT NOT NULL,"
  "  confidence REAL, text_start INTEGER NOT NULL, text_end INTEGER NOT NULL);"
  "CREATE INDEX box_message ON box(message);"
  "CREATE INDEX box_origin ON box(origin) WHERE origin IS NOT NULL;"
  "CREATE INDEX box_picture ON box(picture) WHERE picture IS NOT NULL;"

  "CREATE TABLE tombstone ("
  "  conversation INTEGER UNIQUE REFERENCES conversation(id) ON DELETE CASCADE,"
  "  message INTEGER UNIQUE REFERENCES message(id) ON DELETE CASCADE,"
  "  root INTEGER," /* the message whose deletion this row belongs to */
  "  created INTEGER NOT NULL,"
  "  CHECK ((conversation IS NULL) <> (message IS NULL)));"

  "CREATE VIRTUAL TABLE message_index USING fts5(body, tokenize = 'unicode61 remove_diacritics 2');"
  "CREATE VIRTUAL TABLE conversation_index USING fts5(title, tokenize = 'unicode61 remove_diacritics 2');"
  "CREATE TRIGGER message_unindex AFTER DELETE ON message BEGIN DELETE FROM message_index WHERE rowid = old.id; END;"
  "CREATE TRIGGER conversation_unindex AFTER DELETE ON conversation BEGIN"
  "  DELETE FROM conversation_index WHERE rowid = old.id; END;";

/* What the model might have written, and how sure it was of its boxes: see sl-generation-format.c. NULL in rows of version 1. */
static const char version_2[] =
  "ALTER TABLE generation ADD COLUMN alternatives BLOB;"
  "ALTER TABLE generation ADD COLUMN coordinates BLOB;";

/* A draft is what is being written: of a conversation, or (NULL) of one that has not begun; an edit of a question, or (NULL) the next
 * one. What is `unfinished` is told in sl-database-private.h. */
static const char version_3[] =
  "CREATE TABLE unfinished ("
  "  what INTEGER NOT NULL,"
  "  name TEXT NOT NULL,"
  "  PRIMARY KEY (what, name)) WITHOUT ROWID;"

  "CREATE TABLE draft ("
  "  id INTEGER PRIMARY KEY,"
  "  conversation INTEGER REFERENCES conversation(id) ON DELETE CASCADE,"
  "  question INTEGER REFERENCES message(id) ON DELETE CASCADE,"
  "  mode INTEGER NOT NULL,"
  "  raw INTEGER NOT NULL);"
  "CREATE INDEX draft_conversation ON draft(conversation);"
  "CREATE INDEX draft_question ON draft(question) WHERE question IS NOT NULL;"

  "CREATE TABLE draft_part ("
  "  draft INTEGER NOT NULL REFERENCES draft(id) ON DELETE CASCADE,"
  "  position INTEGER NOT NULL,"
  "  kind INTEGER NOT NULL,"
  "  text TEXT,"
  "  picture TEXT REFERENCES picture(sha256),"
  "  name TEXT,"
  "  detail INTEGER NOT NULL DEFAULT 0,"
  "  PRIMARY KEY (draft, position),"
  "  CHECK ((text IS NULL) <> (picture IS NULL))) WITHOUT ROWID;"
  "CREATE INDEX draft_part_picture ON draft_part(picture) WHERE picture IS NOT NULL;";

/* Engines on servers: which one a conversation is asked of ('': this computer), where an answer was made, what its boxes' numbers were
 * taken for, and what the model thought before. */
static const char version_4[] =
  "ALTER TABLE conversation ADD COLUMN engine TEXT NOT NULL DEFAULT '';"
  "ALTER TABLE generation ADD COLUMN place TEXT NOT NULL DEFAULT '';"
  "ALTER TABLE generation ADD COLUMN boxes_as TEXT NOT NULL DEFAULT '';"
  "ALTER TABLE generation ADD COLUMN reasoning TEXT NOT NULL DEFAULT '';";

/* What is chosen for the answers of a conversation (sl_choices_to_json()), and the system message that an answer was
 * made with. */
static const char version_5[] =
  "ALTER TABLE conversation ADD COLUMN choices TEXT NOT NULL DEFAULT '';"
  "ALTER TABLE generation ADD COLUMN system_text TEXT;";

/* A conversation that asks the same about each picture of a folder. Paths are bytes, those of pictures below the folder's; `question` is the
 * first message of the branch that is about the picture. `accepted`: a user has said that the box is right. */
static const char version_6[] =
  "CREATE TABLE folder ("
  "  conversation INTEGER PRIMARY KEY REFERENCES conversation(id) ON DELETE CASCADE,"
  "  path BLOB NOT NULL,"
  "  recursive INTEGER NOT NULL,"
  "  prompt TEXT NOT NULL,"
  "  mode INTEGER NOT NULL,"
  "  model TEXT NOT NULL, model_name TEXT NOT NULL);"
  "CREATE TABLE folder_picture ("
  "  folder INTEGER NOT NULL REFERENCES folder(conversation) ON DELETE CASCADE,"
  "  path BLOB NOT NULL,"
  "  sha256 TEXT NOT NULL,"
  "  size INTEGER NOT NULL, modified INTEGER NOT NULL,"
  "  question INTEGER REFERENCES message(id) ON DELETE SET NULL,"
  "  error TEXT,"
  "  seen INTEGER NOT NULL,"
  "  PRIMARY KEY (folder, path)) WITHOUT ROWID;"
  "CREATE INDEX folder_picture_question ON folder_picture(question) WHERE question IS NOT NULL;"
  "ALTER TABLE box ADD COLUMN accepted INTEGER NOT NULL DEFAULT 0;";

/* Stands above the others, however old. */
static const char version_7[] =
  "ALTER TABLE conversation ADD COLUMN pinned INTEGER NOT NULL DEFAULT 0;";

const char *const sl_schema_migrations[] = { version_1, version_2, version_3, version_4, version_5, version_6, version_7 };
const int sl_schema_n_migrations = G_N_ELEMENTS (sl_schema_migrations);
G_STATIC_ASSERT (G_N_ELEMENTS (sl_schema_migrations) == SL_DATABASE_VERSION);

/* A single number from a pragma or query; -1 with error. */
static gint64
read_number (sqlite3     *db,
             const char  *path,
             const char  *sql,
             GError     **error)
{
  sqlite3_stmt *statement = NULL;
  gint64 value = -1;

  if (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step (statement) == SQLITE_ROW)
    value = sqlite3_column_int64 (statement, 0);
  else
    sl_sql_set_error (error, db, path);
  sqlite3_finalize (statement);
  return value;
}

gboolean
sl_schema_check_version (sqlite3     *db,
                         const char  *path,
                         int          n_migrations,
                         GError     **error)
{
  gint64 version = read_number (db, path, "PRAGMA user_version", error);
  gint64 application, n_tables;

  if (version < 0)
    return FALSE;
  if (version > n_migrations)
    {
      g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_NEWER,
                   _("The history “%s” was written by a newer Sightline (its format is %d, this one knows up to %d); "
                     "it was left as it is"),
                   path, (int) version, n_migrations);
      return FALSE;
    }
  application = read_number (db, path, "PRAGMA application_id", error);
  n_tables = application < 0 ? -1 : read_number (db, path, "SELECT count(*) FROM sqlite_master", error);
  if (n_tables < 0)
    return FALSE;
  if (n_tables > 0 && (application != APPLICATION_ID || version == 0))
    {
      g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_CORRUPT,
                   _("“%s” is not a history of Sightline; it was left as it is"), path);
      return FALSE;
    }
  return TRUE;
}

static int
compare_names (gconstpointer a,
               gconstpointer b)
{
  return g_strcmp0 (*(const char *const *) a, *(const char *const *) b);
}

/* Removes all but the newest few; names sort by version, then by time. */
static void
prune_backups (const char *folder)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) handle = g_dir_open (folder, 0, NULL);
  const char *name;

  if (handle == NULL)
    return;
  while ((name = g_dir_read_name (handle)) != NULL)
    if (g_str_has_prefix (name, "history-v") && g_str_has_suffix (name, ".db"))
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  for (guint i = 0; i + KEPT_BACKUPS < names->len; i++)
    {
      g_autofree char *path = g_build_filename (folder, g_ptr_array_index (names, i), NULL);

      g_unlink (path);
    }
}

gboolean
sl_schema_copy (sqlite3     *db,
                const char  *path,
                const char  *target,
                GError     **error)
{
  g_autofree char *temporary = g_strconcat (target, ".part", NULL);
  sqlite3 *copy = NULL;
  sqlite3_backup *backup;
  gboolean ok = FALSE;

  g_unlink (temporary);
  if (sqlite3_open_v2 (temporary, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) == SQLITE_OK)
    {
      backup = sqlite3_backup_init (copy, "main", db, "main");
      if (backup != NULL)
        {
          sqlite3_backup_step (backup, -1);
          ok = sqlite3_backup_finish (backup) == SQLITE_OK;
        }
    }
  if (!ok)
    sl_sql_set_error (error, copy, temporary);
  sqlite3_close (copy);
  if (ok && g_rename (temporary, target) != 0)
    {
      g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The backup “%s” could not be written: %s"), target,
                   g_strerror (errno));
      ok = FALSE;
    }
  if (!ok)
    g_unlink (temporary);
  return ok;
}

static gboolean
back_up (sqlite3     *db,
         const char  *path,
         int          version,
         GError     **error)
{
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *folder = g_build_filename (dir, "backups", NULL);
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y%m%dT%H%M%SZ");
  g_autofree char *name = g_strdup_printf ("history-v%03d-%s.db", version, time);
  g_autofree char *target = g_build_filename (folder, name, NULL);

  if (g_mkdir_with_parents (folder, 0700) != 0)
    {
      g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The folder “%s” could not be made: %s"), folder,
                   g_strerror (errno));
      return FALSE;
    }
  if (!sl_schema_copy (db, path, target, error))
    return FALSE;
  prune_backups (folder);
  return TRUE;
}

static gboolean
run_step (sqlite3     *db,
          const char  *path,
          const char  *sql,
          int          version,
          GError     **error)
{
  g_autofree char *stamp = g_strdup_printf ("PRAGMA user_version = %d; PRAGMA application_id = %d; COMMIT", version,
                                            APPLICATION_ID);

  if (sqlite3_exec (db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK
      && sqlite3_exec (db, sql, NULL, NULL, NULL) == SQLITE_OK
      && sqlite3_exec (db, stamp, NULL, NULL, NULL) == SQLITE_OK)
    return TRUE;
  sl_sql_set_error (error, db, path);
  sqlite3_exec (db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

gboolean
sl_schema_migrate (sqlite3            *db,
                   const char         *path,
                   const char *const  *migrations,
                   int                 n_migrations,
                   GError            **error)
{
  gint64 version;

  if (!sl_schema_check_version (db, path, n_migrations, error))
    return FALSE;
  version = read_number (db, path, "PRAGMA user_version", error);
  if (version < 0)
    return FALSE;
  /* Once, whatever the number of steps: a new history has nothing to keep, and copies of steps between would drive older ones out. */
  if (version > 0 && version < n_migrations && !back_up (db, path, version, error))
    return FALSE;
  for (; version < n_migrations; version++)
    {
      if (!run_step (db, path, migrations[version], version + 1, error))
        return FALSE;
    }
  return TRUE;
}
