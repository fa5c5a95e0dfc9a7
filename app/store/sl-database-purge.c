/* SPDX-License-Identifier: MIT
 *
 * Forgetting for good, and checking that what is there is sound. The store's thread, and `sightline-cli history check`.
 */
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"
#include "app/store/sl-store.h"

#define UNUSED_PICTURES \
  "NOT EXISTS (SELECT 1 FROM message_part WHERE picture = sha256)" \
  " AND NOT EXISTS (SELECT 1 FROM message WHERE box_picture = sha256)" \
  " AND NOT EXISTS (SELECT 1 FROM box WHERE picture = sha256)"

/* Strings of the first column. */
static GPtrArray *
list_strings (SlDatabase  *self,
              const char  *sql,
              GError     **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement = sl_sql_prepare (self, &failure, sql, "");

  while (statement != NULL && sl_sql_next (self, statement, &failure))
    g_ptr_array_add (list, sl_sql_dup_text (statement, 0));
  if (failure == NULL)
    return g_steal_pointer (&list);
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

/* SQLite goes down a chain of cascades only so far (1000 by default), and a long conversation is one chain from parent to child:
 * what goes anyway is unlinked first, so that every row goes by itself. */
static gboolean
unlink_rows (SlDatabase  *self,
             gint64       until,
             GError     **error)
{
  return sl_sql_run (self, error,
                     "UPDATE message SET parent = NULL WHERE parent IS NOT NULL AND (conversation IN"
                     "  (SELECT conversation FROM tombstone WHERE conversation IS NOT NULL AND created <= ?)"
                     " OR id IN (SELECT message FROM tombstone WHERE message IS NOT NULL AND created <= ?1))",
                     "i", until);
}

static gboolean
remove_rows (SlDatabase  *self,
             gint64       until,
             GPtrArray  **unused,
             GError     **error)
{
  gboolean ok;

  if (!sl_sql_begin (self, error))
    return FALSE;
  ok = unlink_rows (self, until, error)
       && sl_sql_run (self, error, "DELETE FROM conversation WHERE id IN (SELECT conversation FROM tombstone WHERE created <= ?)",
                   "i", until)
       && sl_sql_run (self, error, "DELETE FROM message WHERE id IN (SELECT message FROM tombstone WHERE created <= ?)", "i", until)
       && (*unused = list_strings (self, "SELECT sha256 || '.' || extension FROM picture WHERE " UNUSED_PICTURES, error)) != NULL
       && sl_sql_exec (self, "DELETE FROM picture WHERE " UNUSED_PICTURES, error);
  return sl_sql_end (self, ok, error);
}

/* FTS5 keeps removed words in its older segments, and SQLite keeps removed rows in the log, until they are merged. */
static gboolean
remove_traces (SlDatabase  *self,
               GError     **error)
{
  return sl_sql_exec (self, "INSERT INTO message_index(message_index) VALUES('optimize')", error)
         && sl_sql_exec (self, "INSERT INTO conversation_index(conversation_index) VALUES('optimize')", error)
         && sl_sql_exec (self, "PRAGMA wal_checkpoint(TRUNCATE)", error);
}

gboolean
sl_database_purge (SlDatabase  *self,
                   gint64       until,
                   guint       *purged,
                   GError     **error)
{
  g_autoptr (GPtrArray) unused = NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement = NULL;
  guint dead = 0;

  if (purged != NULL)
    *purged = 0;
  statement = sl_sql_prepare (self, &failure, "SELECT count(*) FROM tombstone WHERE created <= ?", "i", until);
  if (statement != NULL && sl_sql_next (self, statement, &failure))
    dead = sqlite3_column_int (statement, 0);
  g_clear_pointer (&statement, sqlite3_finalize);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  if (dead == 0)
    return TRUE;
  if (!remove_rows (self, until, &unused, error))
    return FALSE;
  for (guint i = 0; i < unused->len; i++)
    {
      g_auto (GStrv) name = g_strsplit (g_ptr_array_index (unused, i), ".", 2);

      if (sl_picture_files_valid_name (name[0], name[1])
          && !sl_picture_files_remove (self->pictures, name[0], name[1], error))
        return FALSE;
    }
  if (purged != NULL)
    *purged = dead;
  return remove_traces (self, error);
}

/* ------------------------------------------------------------------------------------------------ files and rows */

typedef struct
{
  GHashTable *known;   /* paths that rows refer to */
  GPtrArray *strangers; /* paths that nobody refers to */
} Census;

static void
count_file (const char *path,
            const char *sha256,
            gpointer    user_data)
{
  Census *census = user_data;

  /* A file with another kind of name was not put there by us. */
  if (!g_hash_table_contains (census->known, path) && (sha256 != NULL || g_str_has_suffix (path, ".part")))
    g_ptr_array_add (census->strangers, g_strdup (path));
}

/* Paths of all pictures that have a row; (transfer full). */
static GHashTable *
list_known_files (SlDatabase  *self,
                  GError     **error)
{
  g_autoptr (GPtrArray) names = list_strings (self, "SELECT sha256 || '.' || extension FROM picture", error);
  GHashTable *known;

  if (names == NULL)
    return NULL;
  known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < names->len; i++)
    {
      g_auto (GStrv) name = g_strsplit (g_ptr_array_index (names, i), ".", 2);

      if (sl_picture_files_valid_name (name[0], name[1]))
        g_hash_table_add (known, sl_picture_files_dup_path (self->pictures, name[0], name[1]));
    }
  return known;
}

gboolean
sl_database_sweep (SlDatabase  *self,
                   GError     **error)
{
  g_autoptr (GHashTable) known = list_known_files (self, error);
  g_autoptr (GPtrArray) strangers = g_ptr_array_new_with_free_func (g_free);
  Census census = { known, strangers };

  if (known == NULL)
    return FALSE;
  sl_picture_files_foreach (self->pictures, count_file, &census);
  for (guint i = 0; i < strangers->len; i++)
    g_unlink (g_ptr_array_index (strangers, i));
  return TRUE;
}

static void
check_file (const char *path,
            GPtrArray  *faults)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *digest = NULL;
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, NULL);

  if (file == NULL)
    {
      g_ptr_array_add (faults, g_strdup_printf (_("The picture file “%s” is missing"), path));
      return;
    }
  digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guint8 *) g_mapped_file_get_contents (file),
                                        g_mapped_file_get_length (file));
  if (!g_str_has_prefix (name, digest))
    g_ptr_array_add (faults, g_strdup_printf (_("The picture file “%s” is not what was stored"), path));
}

static gboolean
check_rows (SlDatabase  *self,
            GPtrArray   *faults,
            GError     **error)
{
  static const struct
  {
    const char *sql, *sentence;
  } checks[] = {
    { "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'", N_("The database is damaged: %s") },
    { "SELECT \"table\" || ' ' || coalesce(rowid, '') FROM pragma_foreign_key_check", N_("A row refers to nothing: %s") },
    { "SELECT id FROM conversation WHERE active_leaf IN (SELECT id FROM message WHERE message.conversation <> conversation.id)",
      N_("A conversation shows a message of another one: %s") },
    { "SELECT id FROM message WHERE parent IN (SELECT p.id FROM message p WHERE p.conversation <> message.conversation)",
      N_("A message answers one of another conversation: %s") },
    { "SELECT rowid FROM message_index WHERE rowid NOT IN (SELECT id FROM message)",
      N_("The search index knows a message that is gone: %s") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (checks); i++)
    {
      g_autoptr (GPtrArray) rows = list_strings (self, checks[i].sql, error);

      if (rows == NULL)
        return FALSE;
      for (guint r = 0; r < rows->len; r++)
        {
          g_auto (GStrv) pieces = g_strsplit (_(checks[i].sentence), "%s", 2);

          g_ptr_array_add (faults, g_strjoinv (g_ptr_array_index (rows, r), pieces));
        }
    }
  return TRUE;
}

GPtrArray *
sl_database_check (SlDatabase  *self,
                   GError     **error)
{
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) strangers = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) known = NULL;
  Census census;
  GHashTableIter iter;
  gpointer path;

  if (!check_rows (self, faults, error))
    return NULL;
  known = list_known_files (self, error);
  if (known == NULL)
    return NULL;
  g_hash_table_iter_init (&iter, known);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    check_file (path, faults);
  census = (Census) { known, strangers };
  sl_picture_files_foreach (self->pictures, count_file, &census);
  for (guint i = 0; i < strangers->len; i++)
    g_ptr_array_add (faults, g_strdup_printf (_("The picture file “%s” belongs to no message"),
                                              (char *) g_ptr_array_index (strangers, i)));
  return g_steal_pointer (&faults);
}
