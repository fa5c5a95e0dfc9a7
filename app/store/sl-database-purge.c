/* SPDX-License-Identifier: MIT
 *
 * Forgetting for good what was deleted: the rows, and a note of everything that has to go with them (sl-database-unfinished.c). The
 * store's thread.
 */
#include "app/store/sl-database-private.h"

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

/* What goes with the rows, in the same transaction: picture files that nobody needs any more, what the model has read of these
 * conversations, and the words in the index and the log. Should the program end now, the next one goes on. */
static gboolean
note_leaving (SlDatabase  *self,
              gint64       until,
              GError     **error)
{
  return sl_sql_run (self, error,
                     "INSERT OR IGNORE INTO unfinished(what, name) SELECT ?, conversation FROM tombstone"
                     "  WHERE conversation IS NOT NULL AND created <= ?"
                     " UNION SELECT ?1, message.conversation FROM tombstone JOIN message ON message.id = tombstone.message"
                     "  WHERE tombstone.created <= ?2",
                     "ii", (gint64) SL_UNFINISHED_SESSION, until)
         && sl_sql_run (self, error, "INSERT OR IGNORE INTO unfinished(what, name) VALUES (?, '')", "i", (gint64) SL_UNFINISHED_TRACES);
}

static gboolean
remove_rows (SlDatabase  *self,
             gint64       until,
             GError     **error)
{
  gboolean ok;

  if (!sl_sql_begin (self, error))
    return FALSE;
  ok = note_leaving (self, until, error) && unlink_rows (self, until, error)
       && sl_sql_run (self, error, "DELETE FROM conversation WHERE id IN (SELECT conversation FROM tombstone WHERE created <= ?)",
                      "i", until)
       && sl_sql_run (self, error, "DELETE FROM message WHERE id IN (SELECT message FROM tombstone WHERE created <= ?)", "i", until)
       && sl_database_drop_unused_pictures (self, error);
  return sl_sql_end (self, ok, error);
}

gboolean
sl_database_purge (SlDatabase  *self,
                   gint64       until,
                   guint       *purged,
                   GError     **error)
{
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
  if (dead > 0 && !remove_rows (self, until, error))
    return FALSE;
  if (purged != NULL)
    *purged = dead;
  return sl_database_finish_files (self, error);
}
