/* SPDX-License-Identifier: MIT
 *
 * What is being written and not asked yet: its rows, and the pictures in it. The store's thread.
 */
#include "app/store/sl-database-private.h"

static gboolean
put_parts (SlDatabase           *self,
           const SlDraftRecord  *record,
           GError              **error)
{
  gint64 id = sqlite3_last_insert_rowid (self->db);

  for (guint i = 0; i < record->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (record->parts, i);
      gboolean is_text = part->kind == SL_PART_TEXT;

      if (!sl_database_put_picture (self, part, error)
          || !sl_sql_run (self, error,
                          "INSERT INTO draft_part(draft, position, kind, text, picture, name, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
                          "iiisssi", id, (gint64) i, (gint64) part->kind, is_text ? (part->text != NULL ? part->text : "") : NULL,
                          is_text ? NULL : part->sha256, part->name, (gint64) part->detail))
        return FALSE;
    }
  return TRUE;
}

gboolean
sl_database_insert_draft (SlDatabase           *self,
                          const SlDraftRecord  *record,
                          GError              **error)
{
  return sl_sql_run (self, error, "INSERT INTO draft(conversation, question, mode, raw) VALUES (?, ?, ?, ?)", "nnii",
                     record->conversation, record->question, (gint64) record->mode, (gint64) record->raw)
         && put_parts (self, record, error);
}

static gboolean
replace (SlDatabase           *self,
         const SlDraftRecord  *record,
         GError              **error)
{
  return sl_sql_run (self, error, "DELETE FROM draft WHERE conversation IS ? AND question IS ?", "nn", record->conversation,
                     record->question)
         && (record->parts->len == 0 || sl_database_insert_draft (self, record, error));
}

static gboolean
has_pictures (SlDatabase           *self,
              const SlDraftRecord  *record,
              gboolean             *has,
              GError              **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) row = sl_sql_prepare (self, &failure,
                                                 "SELECT 1 FROM draft JOIN draft_part ON draft = draft.id"
                                                 " WHERE conversation IS ? AND question IS ? AND picture IS NOT NULL",
                                                 "nn", record->conversation, record->question);

  *has = row != NULL && sl_sql_next (self, row, &failure);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
sl_database_put_draft (SlDatabase           *self,
                       const SlDraftRecord  *record,
                       GError              **error)
{
  gboolean ok, had = FALSE;

  if (!has_pictures (self, record, &had, error) || !sl_database_put_files (self, record->parts, error) || !sl_sql_begin (self, error))
    return FALSE;
  ok = replace (self, record, error) && sl_database_note_arrived (self, record->parts, error)
       && (!had || sl_database_drop_unused_pictures (self, error));
  return sl_sql_end (self, ok, error) && (!had || sl_database_finish_files (self, error));
}

GPtrArray *
sl_database_read_drafts (SlDatabase  *self,
                         gint64       conversation,
                         GError     **error)
{
  g_autoptr (GPtrArray) drafts = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_draft_record_free);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) row =
    sl_sql_prepare (self, &failure,
                    "SELECT draft.id, draft.conversation, question, mode, raw, kind, text, picture, name, detail, mime_type, extension,"
                    " width, height FROM draft JOIN draft_part ON draft = draft.id LEFT JOIN picture ON sha256 = picture"
                    " WHERE ? IN (0, draft.conversation) ORDER BY draft.id, position", "i", conversation);
  SlDraftRecord *draft = NULL;
  gint64 id = 0;

  while (row != NULL && sl_sql_next (self, row, &failure))
    {
      if (draft == NULL || sqlite3_column_int64 (row, 0) != id)
        {
          draft = sl_draft_record_new ();
          id = sqlite3_column_int64 (row, 0);
          draft->conversation = sqlite3_column_int64 (row, 1);
          draft->question = sqlite3_column_int64 (row, 2);
          draft->mode = CLAMP (sqlite3_column_int (row, 3), 0, SL_N_MODES - 1);
          draft->raw = sqlite3_column_int (row, 4) != 0;
          g_ptr_array_add (drafts, draft);
        }
      g_ptr_array_add (draft->parts, sl_database_read_part (row, 5));
    }
  if (failure == NULL)
    return g_steal_pointer (&drafts);
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

GPtrArray *
sl_database_list_drafts (SlDatabase  *self,
                         GError     **error)
{
  return sl_database_read_drafts (self, 0, error);
}
