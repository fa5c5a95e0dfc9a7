/* SPDX-License-Identifier: MIT
 *
 * What is left of a damaged history, and room for a new one. Nothing of the old one is changed: it is read as a copy and kept. The
 * store's thread, or nobody else's.
 */
#include <errno.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-schema.h"

static void
set_error (GError     **error,
           const char  *path,
           const char  *reason)
{
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("“%s” cannot be kept aside: %s"), path, reason);
}

/* kept/<time>, new; NULL with error. */
static char *
make_kept_folder (const char  *dir,
                  GError     **error)
{
  g_autofree char *kept = g_build_filename (dir, "kept", NULL);
  g_autoptr (GDateTime) now = g_date_time_new_now_utc ();
  g_autofree char *time = g_date_time_format (now, "%Y%m%dT%H%M%SZ");

  if (g_mkdir_with_parents (kept, 0700) == 0)
    for (guint i = 1; i < 1000; i++)
      {
        g_autofree char *name = i > 1 ? g_strdup_printf ("%s-%u", time, i) : g_strdup (time);
        g_autofree char *folder = g_build_filename (kept, name, NULL);

        if (g_mkdir (folder, 0700) == 0)
          return g_steal_pointer (&folder);
        if (errno != EEXIST)
          break;
      }
  set_error (error, kept, g_strerror (errno));
  return NULL;
}

/* What is not there is moved. */
static gboolean
move (const char  *dir,
      const char  *name,
      const char  *folder,
      GError     **error)
{
  g_autofree char *source = g_build_filename (dir, name, NULL);
  g_autofree char *target = g_build_filename (folder, name, NULL);

  if (g_rename (source, target) == 0 || errno == ENOENT)
    return TRUE;
  set_error (error, source, g_strerror (errno));
  return FALSE;
}

char *
sl_database_set_aside (const char  *dir,
                       GError     **error)
{
  static const char *const names[] = { "history.db", "history.db-wal", "history.db-shm", "pictures", "sessions", "backups", "removed" };
  g_autoptr (SlDatabase) lock = sl_database_lock (dir, error);
  g_autofree char *kept = lock != NULL ? make_kept_folder (dir, error) : NULL;

  if (kept == NULL)
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (!move (dir, names[i], kept, error))
      {
        while (i-- > 0)
          move (kept, names[i], dir, NULL);
        g_rmdir (kept);
        return NULL;
      }
  return g_strdup_printf (_("A new history was started. The old one is kept in “%s”."), kept);
}

/* ------------------------------------------------------------------------------------------------ finding what can be read */

typedef struct
{
  SlDatabase *old, *fresh;
  GHashTable *messages;      /* id → its conversation */
  GHashTable *conversations; /* ids */
  GHashTable *deleted;       /* ids of either */
  guint n_conversations, n_messages;
} Salvage;

static gint64 *
box_id (gint64 id)
{
  return g_memdup2 (&id, sizeof id);
}

static void
note_message (Salvage      *salvage,
              sqlite3_stmt *row)
{
  g_hash_table_insert (salvage->messages, box_id (sqlite3_column_int64 (row, 0)), box_id (sqlite3_column_int64 (row, 1)));
  g_hash_table_add (salvage->conversations, box_id (sqlite3_column_int64 (row, 1)));
}

static void
note_conversation (Salvage      *salvage,
                   sqlite3_stmt *row)
{
  g_hash_table_add (salvage->conversations, box_id (sqlite3_column_int64 (row, 0)));
}

static void
note_deleted (Salvage      *salvage,
              sqlite3_stmt *row)
{
  g_hash_table_add (salvage->deleted, box_id (sqlite3_column_int64 (row, 0)));
}

static void
copy_picture (Salvage      *salvage,
              sqlite3_stmt *row)
{
  g_autofree char *sha256 = sl_sql_dup_text (row, 0), *mime = sl_sql_dup_text (row, 1), *extension = sl_sql_dup_text (row, 2);

  sl_sql_run (salvage->fresh, NULL,
              "INSERT OR IGNORE INTO picture(sha256, mime_type, extension, width, height, created) VALUES (?, ?, ?, ?, ?, ?)", "sssiii",
              sha256, mime, extension, (gint64) sqlite3_column_int64 (row, 3), (gint64) sqlite3_column_int64 (row, 4),
              (gint64) sqlite3_column_int64 (row, 5));
}

/* Damage stops a walk: from both ends, everything but what lies in the middle of it is reached. Each goes along the table and along an
 * index, which rarely are damaged at the same row. */
static void
walk_all (Salvage *salvage)
{
  static const struct
  {
    const char *rows, *order;
    void (*note) (Salvage *salvage, sqlite3_stmt *row);
  } walks[] = {
    { "SELECT conversation FROM tombstone WHERE conversation IS NOT NULL", "rowid", note_deleted },
    { "SELECT message FROM tombstone WHERE message IS NOT NULL", "rowid", note_deleted },
    { "SELECT id FROM conversation NOT INDEXED", "id", note_conversation },
    { "SELECT id FROM conversation INDEXED BY conversation_updated", "updated", note_conversation },
    { "SELECT id, conversation FROM message NOT INDEXED", "id", note_message },
    { "SELECT id, conversation FROM message INDEXED BY message_conversation", "conversation", note_message },
    { "SELECT sha256, mime_type, extension, width, height, created FROM picture", "sha256", copy_picture },
  };
  static const char *const directions[] = { "ASC", "DESC" };

  for (guint i = 0; i < G_N_ELEMENTS (walks); i++)
    for (guint d = 0; d < G_N_ELEMENTS (directions); d++)
      {
        g_autofree char *sql = g_strdup_printf ("%s ORDER BY %s %s", walks[i].rows, walks[i].order, directions[d]);
        g_autoptr (GError) failure = NULL;
        g_autoptr (sqlite3_stmt) row = sl_sql_prepare (salvage->old, &failure, sql, "");

        while (row != NULL && sl_sql_next (salvage->old, row, &failure))
          walks[i].note (salvage, row);
        if (failure == NULL)
          break;
      }
}

/* ------------------------------------------------------------------------------------------------ writing it anew */

static void
save_conversation (Salvage *salvage,
                   gint64   id)
{
  SlConversationRecord record = { .id = id, .created = id, .updated = id };
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) row = sl_sql_prepare (salvage->old, &failure,
                                                 "SELECT created, updated, title, system_text, engine, choices, pinned FROM conversation"
                                                 " WHERE id = ?", "i", id);
  g_autofree char *title = NULL, *system_text = NULL, *engine = NULL, *choices = NULL;
  gboolean pinned = FALSE;

  if (row != NULL && sl_sql_next (salvage->old, row, &failure))
    {
      record.created = sqlite3_column_int64 (row, 0);
      record.updated = sqlite3_column_int64 (row, 1);
      record.title = title = sl_sql_dup_text (row, 2);
      record.system_text = system_text = sl_sql_dup_text (row, 3);
      record.engine = engine = sl_sql_dup_text (row, 4);
      record.choices = choices = sl_sql_dup_text (row, 5);
      pinned = sqlite3_column_int (row, 6) != 0;
    }
  salvage->n_conversations += sl_database_put_conversation (salvage->fresh, &record, NULL);
  if (pinned)
    sl_database_set_pinned (salvage->fresh, id, TRUE, NULL);
}

/* A row of a picture that is lost would refuse the message. */
static char *
dup_known_picture (Salvage    *salvage,
                   const char *sha256)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) row = sl_sql_prepare (salvage->fresh, &failure, "SELECT sha256 FROM picture WHERE sha256 = ?", "s", sha256);

  return sha256 != NULL && row != NULL && sl_sql_next (salvage->fresh, row, &failure) ? g_strdup (sha256) : NULL;
}

static void
keep_known_pictures (Salvage         *salvage,
                     SlMessageRecord *message)
{
  g_autofree char *shown = message->box_picture;

  message->box_picture = dup_known_picture (salvage, shown);
  for (guint i = 0; i < message->boxes->len; i++)
    {
      SlBoxRecord *box = g_ptr_array_index (message->boxes, i);
      g_autofree char *picture = box->picture;

      box->picture = dup_known_picture (salvage, picture);
    }
  if (message->parts->len == 0)
    {
      SlPartRecord *part = sl_part_record_new (SL_PART_TEXT);

      part->text = g_strdup (_("(damaged)"));
      g_ptr_array_add (message->parts, part);
    }
}

static void
save_message (Salvage *salvage,
              gint64   id)
{
  const gint64 *conversation = g_hash_table_lookup (salvage->messages, &id);
  g_autoptr (SlMessageRecord) message = NULL;

  if (g_hash_table_contains (salvage->deleted, &id) || g_hash_table_contains (salvage->deleted, conversation))
    return;
  message = sl_database_salvage_message (salvage->old, id);
  if (message == NULL)
    return;
  message->conversation = *conversation;
  if (message->parent != 0 && !g_hash_table_contains (salvage->messages, &message->parent))
    message->parent = 0;
  keep_known_pictures (salvage, message);
  if (sl_database_put_message (salvage->fresh, message, FALSE, NULL))
    salvage->n_messages++;
  else if (message->parent != 0)
    {
      message->parent = 0; /* its parent could not be saved */
      salvage->n_messages += sl_database_put_message (salvage->fresh, message, FALSE, NULL);
    }
}

/* Where a question is lost, its picture is one that waits. */
static void
save_folder (Salvage *salvage,
             gint64   id)
{
  g_autoptr (SlFolderRecord) folder = NULL;

  sl_database_read_folder (salvage->old, id, &folder, NULL);
  if (folder == NULL)
    return;
  for (guint i = 0; i < folder->pictures->len; i++)
    {
      SlFolderPictureRecord *picture = g_ptr_array_index (folder->pictures, i);

      if (!g_hash_table_contains (salvage->messages, &picture->question))
        picture->question = 0;
    }
  if (!sl_database_put_folder (salvage->fresh, folder, NULL))
    {
      for (guint i = 0; i < folder->pictures->len; i++)
        ((SlFolderPictureRecord *) g_ptr_array_index (folder->pictures, i))->question = 0;
      sl_database_put_folder (salvage->fresh, folder, NULL);
    }
}

static int
compare_ids (gconstpointer a,
             gconstpointer b)
{
  gint64 x = **(const gint64 *const *) a, y = **(const gint64 *const *) b;

  return (x > y) - (x < y);
}

static GPtrArray *
sort_keys (GHashTable *table)
{
  GPtrArray *keys = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    g_ptr_array_add (keys, key);
  g_ptr_array_sort (keys, compare_ids);
  return keys;
}

/* Times of change, and the paths that were shown, are the old ones where they are known. */
static void
restore_lines (Salvage *salvage)
{
  GHashTableIter iter;
  gpointer id;

  g_hash_table_iter_init (&iter, salvage->conversations);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    {
      g_autoptr (GError) failure = NULL;
      g_autoptr (sqlite3_stmt) row = sl_sql_prepare (salvage->old, &failure, "SELECT updated, active_leaf FROM conversation WHERE id = ?",
                                                     "i", *(gint64 *) id);

      if (row != NULL && sl_sql_next (salvage->old, row, &failure))
        sl_sql_run (salvage->fresh, NULL,
                    "UPDATE conversation SET updated = ?, active_leaf = (SELECT id FROM message WHERE id = ?) WHERE id = ?", "iii",
                    (gint64) sqlite3_column_int64 (row, 0), (gint64) sqlite3_column_int64 (row, 1), *(gint64 *) id);
    }
}

static gboolean
salvage_all (Salvage  *salvage,
             GError  **error)
{
  g_autoptr (GPtrArray) conversations = NULL, messages = NULL;

  /* It is not the history before it is whole. */
  if (!sl_sql_exec (salvage->fresh, "PRAGMA synchronous = OFF", error))
    return FALSE;
  walk_all (salvage);
  conversations = sort_keys (salvage->conversations);
  messages = sort_keys (salvage->messages);
  for (guint i = 0; i < conversations->len; i++)
    if (!g_hash_table_contains (salvage->deleted, g_ptr_array_index (conversations, i)))
      save_conversation (salvage, *(gint64 *) g_ptr_array_index (conversations, i));
  for (guint i = 0; i < messages->len; i++)
    save_message (salvage, *(gint64 *) g_ptr_array_index (messages, i));
  for (guint i = 0; i < conversations->len; i++)
    if (!g_hash_table_contains (salvage->deleted, g_ptr_array_index (conversations, i)))
      save_folder (salvage, *(gint64 *) g_ptr_array_index (conversations, i));
  restore_lines (salvage);
  if (salvage->n_conversations > 0)
    return sl_sql_exec (salvage->fresh, "PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)", error);
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_CORRUPT, _("Nothing of the history “%s” can be read any more"), salvage->old->path);
  return FALSE;
}

static gboolean
knows_tables (SlDatabase *self)
{
  return sl_sql_run (self, NULL, "SELECT count(*) FROM sqlite_master", "");
}

/* The copy of the history, with the list of tables of a new one where its own cannot be read. */
static SlDatabase *
open_damaged (const char  *old,
              const char  *dir,
              GError     **error)
{
  g_autoptr (SlDatabase) damaged = sl_database_open_copy (old, dir, NULL);
  g_autofree char *work = g_path_get_dirname (old);
  g_autofree char *model = g_build_filename (work, "model", NULL), *model_file = g_build_filename (model, "history.db", NULL);
  g_autofree char *name = g_build_filename (dir, "history.db", NULL);
  SlDatabase *fresh;

  if (damaged != NULL && knows_tables (damaged))
    return g_steal_pointer (&damaged);
  g_clear_pointer (&damaged, sl_database_close);
  fresh = sl_database_open (model, SL_DATABASE_WRITE, error);
  if (fresh == NULL)
    return NULL;
  sl_database_close (fresh);
  return sl_database_graft (old, model_file, name, error) ? sl_database_open_copy (old, dir, error) : NULL;
}

static gboolean
salvage_into (const char  *old,
              const char  *dir,
              const char  *target,
              Salvage     *salvage,
              GError     **error)
{
  g_autoptr (SlDatabase) damaged = open_damaged (old, dir, error);
  g_autoptr (SlDatabase) fresh = damaged != NULL ? sl_database_open (target, SL_DATABASE_WRITE, error) : NULL;
  g_autoptr (GHashTable) messages = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  g_autoptr (GHashTable) conversations = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_autoptr (GHashTable) deleted = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);

  /* One of an older version lacks columns; where that cannot be mended, they are read as missing. */
  if (damaged != NULL)
    sl_schema_migrate (damaged->db, old, sl_schema_migrations, sl_schema_n_migrations, NULL);
  *salvage = (Salvage) { damaged, fresh, messages, conversations, deleted };
  return fresh != NULL && salvage_all (salvage, error);
}

/* ------------------------------------------------------------------------------------------------ in the place of the old one */

static gboolean
copy_there (const char  *dir,
            const char  *name,
            const char  *folder,
            GError     **error)
{
  g_autofree char *source = g_build_filename (dir, name, NULL), *target = g_build_filename (folder, name, NULL);
  g_autoptr (GFile) from = g_file_new_for_path (source), to = g_file_new_for_path (target);
  g_autoptr (GError) failure = NULL;

  if (g_file_copy (from, to, G_FILE_COPY_NONE, NULL, NULL, NULL, &failure)
      || g_error_matches (failure, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  set_error (error, source, failure->message);
  return FALSE;
}

/* The old file has its second name before the new one takes the first: at no moment is there none. Its log must not be taken for the
 * new one's. */
static gboolean
exchange (const char  *dir,
          const char  *fresh,
          const char  *kept,
          GError     **error)
{
  g_autofree char *old = g_build_filename (dir, "history.db", NULL), *aside = g_build_filename (kept, "history.db", NULL);
  g_autofree char *index = g_build_filename (dir, "history.db-shm", NULL);

  if (link (old, aside) != 0 && !copy_there (dir, "history.db", kept, error))
    return FALSE;
  if (!move (dir, "history.db-wal", kept, error))
    return FALSE;
  g_unlink (index);
  if (g_rename (fresh, old) == 0)
    return TRUE;
  set_error (error, old, g_strerror (errno));
  return FALSE;
}

char *
sl_database_repair (const char  *dir,
                    GError     **error)
{
  g_autoptr (SlDatabase) lock = sl_database_lock (dir, error);
  g_autofree char *work = lock != NULL ? g_build_filename (dir, "repair", NULL) : NULL;
  g_autofree char *fresh = g_build_filename (dir, "repair", "new", NULL), *fresh_file = g_build_filename (fresh, "history.db", NULL);
  g_autofree char *old = g_build_filename (dir, "repair", "history.db", NULL), *kept = NULL;
  Salvage salvage;
  gboolean ok;

  if (lock == NULL)
    return NULL;
  sl_database_remove_tree (work); /* of an attempt that was killed */
  if (g_mkdir_with_parents (work, 0700) != 0)
    {
      set_error (error, work, g_strerror (errno));
      return NULL;
    }
  ok = copy_there (dir, "history.db", work, error) && copy_there (dir, "history.db-wal", work, error)
       && salvage_into (old, dir, fresh, &salvage, error)
       && (kept = make_kept_folder (dir, error)) != NULL
       && exchange (dir, fresh_file, kept, error);
  sl_database_remove_tree (work);
  if (!ok)
    return NULL;
  return g_strdup_printf (_("Recovered: %u conversations, %u messages. The damaged history is kept in “%s”."), salvage.n_conversations,
                          salvage.n_messages, kept);
}
