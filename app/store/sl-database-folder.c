/* SPDX-License-Identifier: MIT
 *
 * The folder that a conversation asks about, and how far it is with its pictures: their rows. The store's thread.
 */
#include <string.h>

#include "app/store/sl-database-private.h"

static gboolean
put_picture (SlDatabase                   *self,
             gint64                        conversation,
             const SlFolderPictureRecord  *record,
             GError                      **error)
{
  return sl_sql_run (self, error,
                     "INSERT INTO folder_picture(folder, path, sha256, size, modified, question, error, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT(folder, path) DO UPDATE SET sha256 = excluded.sha256, size = excluded.size,"
                     " modified = excluded.modified, question = excluded.question, error = excluded.error, seen = excluded.seen",
                     "ibsiinsi", conversation, record->path, strlen (record->path), record->sha256, record->size, record->modified,
                     record->question, record->error, (gint64) record->seen);
}

static gboolean
put_all (SlDatabase            *self,
         const SlFolderRecord  *record,
         GError               **error)
{
  if (!sl_sql_run (self, error, "DELETE FROM folder WHERE conversation = ?", "i", record->conversation)
      || !sl_sql_run (self, error,
                      "INSERT INTO folder(conversation, path, recursive, prompt, mode, model, model_name) VALUES (?, ?, ?, ?, ?, ?, ?)",
                      "ibisiss", record->conversation, record->path, strlen (record->path), (gint64) record->recursive, record->prompt,
                      (gint64) record->mode, record->model, record->model_name))
    return FALSE;
  for (guint i = 0; i < record->pictures->len; i++)
    if (!put_picture (self, record->conversation, g_ptr_array_index (record->pictures, i), error))
      return FALSE;
  return TRUE;
}

gboolean
sl_database_put_folder (SlDatabase            *self,
                        const SlFolderRecord  *record,
                        GError               **error)
{
  return sl_sql_begin (self, error) && sl_sql_end (self, put_all (self, record, error), error);
}

gboolean
sl_database_put_folder_picture (SlDatabase                   *self,
                                gint64                        conversation,
                                const SlFolderPictureRecord  *record,
                                GError                      **error)
{
  return put_picture (self, conversation, record, error);
}

/* ------------------------------------------------------------------------------------------------ reading */

static char *
dup_bytes (sqlite3_stmt *row,
           int           column)
{
  return g_strndup (sqlite3_column_bytes (row, column) > 0 ? sqlite3_column_blob (row, column) : "", sqlite3_column_bytes (row, column));
}

static void
read_picture (SlFolderRecord *folder,
              sqlite3_stmt   *row)
{
  g_autofree char *path = dup_bytes (row, 0);
  SlFolderPictureRecord *picture = sl_folder_picture_record_new (path);

  g_free (picture->sha256);
  picture->sha256 = sl_sql_dup_text (row, 1);
  picture->size = sqlite3_column_int64 (row, 2);
  picture->modified = sqlite3_column_int64 (row, 3);
  picture->question = sqlite3_column_int64 (row, 4);
  picture->error = sl_sql_dup_text_or_null (row, 5);
  picture->seen = sqlite3_column_int (row, 6) != 0;
  g_ptr_array_add (folder->pictures, picture);
}

static SlFolderRecord *
read_head (sqlite3_stmt *row,
           gint64        conversation)
{
  g_autofree char *path = dup_bytes (row, 0), *prompt = sl_sql_dup_text (row, 2);
  SlFolderRecord *folder = sl_folder_record_new (path, sqlite3_column_int (row, 1) != 0, prompt,
                                                 CLAMP (sqlite3_column_int (row, 3), 0, SL_N_MODES - 1));

  folder->conversation = conversation;
  g_free (folder->model);
  folder->model = sl_sql_dup_text (row, 4);
  g_free (folder->model_name);
  folder->model_name = sl_sql_dup_text (row, 5);
  return folder;
}

gboolean
sl_database_read_folder (SlDatabase      *self,
                         gint64           conversation,
                         SlFolderRecord **folder,
                         GError         **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) head =
    sl_sql_prepare (self, &failure, "SELECT path, recursive, prompt, mode, model, model_name FROM folder WHERE conversation = ?", "i",
                    conversation);
  g_autoptr (sqlite3_stmt) row = NULL;

  *folder = head != NULL && sl_sql_next (self, head, &failure) ? read_head (head, conversation) : NULL;
  if (*folder != NULL)
    row = sl_sql_prepare (self, &failure,
                          "SELECT path, sha256, size, modified, question, error, seen FROM folder_picture WHERE folder = ? ORDER BY path",
                          "i", conversation);
  while (row != NULL && sl_sql_next (self, row, &failure))
    read_picture (*folder, row);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}
