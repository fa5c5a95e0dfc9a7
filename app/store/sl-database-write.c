/* SPDX-License-Identifier: MIT
 *
 * What the history is told: conversations, messages with their parts, records and boxes, tombstones. Each function is one
 * transaction. The store's thread.
 */
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"
#include "app/store/sl-search-text.h"

#define SNIPPET_CHARS 120

/* FTS5 has no upsert: an entry is removed and written again. */
static gboolean
index_text (SlDatabase  *self,
            const char  *remove_sql,
            const char  *insert_sql,
            gint64       id,
            const char  *text,
            GError     **error)
{
  g_autofree char *words = sl_search_text_index (text);

  if (!sl_sql_run (self, error, remove_sql, "i", id))
    return FALSE;
  return words[0] == '\0' || sl_sql_run (self, error, insert_sql, "is", id, words);
}

static gboolean
index_title (SlDatabase  *self,
             gint64       id,
             const char  *title,
             GError     **error)
{
  return index_text (self, "DELETE FROM conversation_index WHERE rowid = ?",
                     "INSERT INTO conversation_index(rowid, title) VALUES (?, ?)", id, title, error);
}

gboolean
sl_database_put_line (SlDatabase                  *self,
                      const SlConversationRecord  *record,
                      GError                     **error)
{
  const char *title = record->title != NULL ? record->title : "";

  return sl_sql_run (self, error,
                     "INSERT INTO conversation(id, created, updated, title, system_text, engine, choices) VALUES (?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT(id) DO UPDATE SET title = excluded.title, system_text = excluded.system_text,"
                     " engine = excluded.engine, choices = excluded.choices, updated = max(updated, excluded.updated)",
                     "iiissss", record->id, record->created, record->updated, title,
                     record->system_text != NULL ? record->system_text : "", record->engine != NULL ? record->engine : "",
                     record->choices != NULL ? record->choices : "")
         && index_title (self, record->id, title, error);
}

gboolean
sl_database_put_conversation (SlDatabase                  *self,
                              const SlConversationRecord  *record,
                              GError                     **error)
{
  return sl_sql_begin (self, error) && sl_sql_end (self, sl_database_put_line (self, record, error), error);
}

/* ------------------------------------------------------------------------------------------------ messages */

static gboolean
brings_files (GPtrArray *parts)
{
  for (guint i = 0; i < parts->len; i++)
    if (((const SlPartRecord *) g_ptr_array_index (parts, i))->bytes != NULL)
      return TRUE;
  return FALSE;
}

/* Each is noted before it is written, so that a crash between the file and its row can be ended. */
gboolean
sl_database_put_files (SlDatabase  *self,
                       GPtrArray   *parts,
                       GError     **error)
{
  if (!brings_files (parts))
    return TRUE;
  if (!sl_sql_begin (self, error) || !sl_sql_end (self, sl_database_note_arriving (self, parts, error), error))
    return FALSE;
  for (guint i = 0; i < parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (parts, i);

      if (part->kind != SL_PART_PICTURE || part->bytes == NULL)
        continue;
      if (!sl_picture_files_valid_name (part->sha256, part->extension))
        {
          g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The picture “%s” has no usable name for a file"),
                       part->name != NULL ? part->name : "");
          return FALSE;
        }
      if (!sl_picture_files_write (self->pictures, part->sha256, part->extension, part->bytes, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
sl_database_put_picture (SlDatabase          *self,
                         const SlPartRecord  *part,
                         GError             **error)
{
  return part->kind != SL_PART_PICTURE || part->bytes == NULL
         || sl_sql_run (self, error,
                        "INSERT OR IGNORE INTO picture(sha256, mime_type, extension, width, height, created)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        "sssiii", part->sha256, part->mime_type != NULL ? part->mime_type : "", part->extension,
                        (gint64) part->width, (gint64) part->height, (gint64) g_get_real_time ());
}

static gboolean
put_part (SlDatabase          *self,
          gint64               message,
          guint                position,
          const SlPartRecord  *part,
          GError             **error)
{
  gboolean is_text = part->kind == SL_PART_TEXT;

  if (!sl_database_put_picture (self, part, error))
    return FALSE;
  return sl_sql_run (self, error,
                     "INSERT INTO message_part(message, position, kind, text, picture, name, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
                     "iiisssi", message, (gint64) position, (gint64) part->kind,
                     is_text ? (part->text != NULL ? part->text : "") : NULL, is_text ? NULL : part->sha256, part->name,
                     (gint64) part->detail);
}

static gboolean
put_parts (SlDatabase             *self,
           const SlMessageRecord  *record,
           GError                **error)
{
  if (!sl_sql_run (self, error, "DELETE FROM message_part WHERE message = ?", "i", record->id))
    return FALSE;
  for (guint i = 0; i < record->parts->len; i++)
    if (!put_part (self, record->id, i, g_ptr_array_index (record->parts, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
put_generation (SlDatabase          *self,
                gint64               message,
                const SlGeneration  *g,
                GError             **error)
{
  g_autoptr (GByteArray) tokens = sl_generation_pack_tokens (g);
  g_autoptr (GByteArray) alternatives = sl_generation_pack_alternatives (g);
  g_autoptr (GByteArray) coordinates = sl_generation_pack_coordinates (g);

  return sl_sql_run (self, error,
                     "INSERT OR REPLACE INTO generation(message, model, model_dir, quantisation, device, tiling,"
                     " temperature, top_p, top_k, repetition_penalty, seed, max_tokens, constrained,"
                     " prompt_tokens, reused_tokens, output_tokens, context_used, context_capacity, mask_changed,"
                     " tiling_changed, vision_ms, prefill_ms, first_token_ms, decode_ms, stop, error, tokens,"
                     " alternatives, coordinates, place, boxes_as, reasoning, system_text)"
                     " VALUES (?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,  ?, ?, ?, ?)",
                     "isssss" "ddidiii" "iiiiii" "iddddisbbb" "ssss",
                     message, g->model, g->model_dir, g->quantisation, g->device, g->tiling,
                     g->temperature, g->top_p, (gint64) g->top_k, g->repetition_penalty, (gint64) g->seed,
                     (gint64) g->max_tokens, (gint64) g->constrained,
                     (gint64) g->prompt_tokens, (gint64) g->reused_tokens, (gint64) g->output_tokens,
                     (gint64) g->context_used, (gint64) g->context_capacity, (gint64) g->mask_changed,
                     (gint64) g->tiling_changed, g->vision_ms, g->prefill_ms, g->first_token_ms, g->decode_ms,
                     (gint64) g->stop, g->error, tokens->data, (gsize) tokens->len,
                     alternatives->data, (gsize) alternatives->len, coordinates->data, (gsize) coordinates->len,
                     g->place, g->boxes_as, g->reasoning, g->system_text);
}

static gboolean
put_box (SlDatabase         *self,
         gint64              message,
         const SlBoxRecord  *box,
         GError            **error)
{
  return sl_sql_run (self, error,
                     "INSERT INTO box(id, message, ordinal, kind, origin, picture, label, label_index, x1, y1, x2, y2, status,"
                     " reason, confidence, text_start, text_end, accepted)"
                     " VALUES (?, ?, (SELECT count(*) FROM box WHERE message = ?2), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT(id) DO UPDATE SET origin = excluded.origin, picture = excluded.picture,"
                     " label = excluded.label, label_index = excluded.label_index, x1 = excluded.x1, y1 = excluded.y1,"
                     " x2 = excluded.x2, y2 = excluded.y2, status = excluded.status, reason = excluded.reason,"
                     " confidence = excluded.confidence, text_start = excluded.text_start, text_end = excluded.text_end,"
                     " accepted = excluded.accepted",
                     "iiinss" "iiiiissdiii", box->id, message, (gint64) box->kind, box->origin, box->picture,
                     box->label != NULL ? box->label : "", (gint64) box->label_index, (gint64) box->coords[0],
                     (gint64) box->coords[1], (gint64) box->coords[2], (gint64) box->coords[3],
                     sl_box_status_get_nick (box->status), sl_box_reason_get_english (box->reason), box->confidence,
                     (gint64) box->start, (gint64) box->end, (gint64) box->accepted);
}

static SlBoxRecord
record_of (const SlBox *box,
           gint64       id,
           const char  *picture)
{
  SlBoxRecord record = { .id = id, .kind = SL_BOX_KIND_MODEL, .label = (char *) box->label, .picture = (char *) picture,
                         .label_index = box->label_index, .status = box->status, .reason = box->reason, .confidence = -1,
                         .start = box->start, .end = box->end };

  if (box->status == SL_BOX_OK || box->status == SL_BOX_CLAMPED)
    memcpy (record.coords, box->coords, sizeof record.coords);
  return record;
}

/* An answer that was being continued has rows of what came before; the last of them may have been cut then. */
gboolean
sl_database_put_parsed_boxes (SlDatabase  *self,
                              gint64       message,
                              const char  *picture,
                              const char  *text,
                              GError     **error)
{
  g_autoptr (SlGrounding) grounding = sl_grounding_parse (text, -1);
  g_autofree char *sql = g_strdup_printf ("SELECT id FROM box WHERE message = %" G_GINT64_FORMAT " AND kind = %d ORDER BY ordinal, id",
                                          message, SL_BOX_KIND_MODEL);
  g_autoptr (GPtrArray) before = sl_sql_list_strings (self, sql, error);
  gint64 last = sl_database_get_last_id (self);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

  if (before == NULL)
    return FALSE;
  for (gsize i = before->len > 0 ? before->len - 1 : 0; i < n_boxes; i++)
    {
      gint64 id = i < before->len ? g_ascii_strtoll (g_ptr_array_index (before, i), NULL, 10) : ++last;
      SlBoxRecord box = record_of (&boxes[i], id, picture);

      if (!put_box (self, message, &box, error))
        return FALSE;
    }
  return TRUE;
}

/* The record's boxes are all that the message has; rows keep their ids so that edited boxes keep their origin. */
static gboolean
put_boxes (SlDatabase             *self,
           const SlMessageRecord  *record,
           GError                **error)
{
  g_autoptr (GString) sql = g_string_new ("DELETE FROM box WHERE message = ? AND id NOT IN (0");

  for (guint i = 0; i < record->boxes->len; i++)
    {
      const SlBoxRecord *box = g_ptr_array_index (record->boxes, i);

      g_string_append_printf (sql, ", %" G_GINT64_FORMAT, box->id);
    }
  g_string_append_c (sql, ')');
  if (!sl_sql_run (self, error, sql->str, "i", record->id))
    return FALSE;
  for (guint i = 0; i < record->boxes->len; i++)
    if (!put_box (self, record->id, g_ptr_array_index (record->boxes, i), error))
      return FALSE;
  return TRUE;
}

static char *
dup_words (const SlMessageRecord *record)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < record->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (record->parts, i);

      if (part->kind != SL_PART_TEXT || part->text == NULL)
        continue;
      if (text->len > 0)
        g_string_append_c (text, '\n');
      g_string_append (text, part->text);
    }
  return sl_database_dup_plain (record->role, text->str);
}

gboolean
sl_database_put_rows (SlDatabase             *self,
                      const SlMessageRecord  *record,
                      GError                **error)
{
  return sl_sql_run (self, error,
                     "INSERT INTO message(id, conversation, parent, ordinal, role, mode, raw, status, created)"
                     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                     " ON CONFLICT(id) DO UPDATE SET status = excluded.status, mode = excluded.mode, raw = excluded.raw",
                     "iiniiiiii", record->id, record->conversation, record->parent, (gint64) record->ordinal,
                     (gint64) record->role, (gint64) record->mode, (gint64) record->raw, (gint64) record->status,
                     record->created)
         && put_parts (self, record, error)
         && sl_sql_run (self, error, "UPDATE message SET box_picture = ? WHERE id = ?", "si", record->box_picture, record->id)
         && (record->generation == NULL || put_generation (self, record->id, record->generation, error))
         && put_boxes (self, record, error);
}

char *
sl_database_index_message (SlDatabase             *self,
                           const SlMessageRecord  *record,
                           GError                **error)
{
  g_autofree char *words = dup_words (record);

  if (!index_text (self, "DELETE FROM message_index WHERE rowid = ?",
                   "INSERT INTO message_index(rowid, body) VALUES (?, ?)", record->id, words, error))
    return NULL;
  return sl_search_text_snippet (words, NULL, SNIPPET_CHARS);
}

/* The conversation's line in the list, and the index of the words. */
static gboolean
put_traces (SlDatabase             *self,
            const SlMessageRecord  *record,
            gboolean                leaf,
            GError                **error)
{
  g_autofree char *snippet = sl_database_index_message (self, record, error);

  return snippet != NULL
         && sl_sql_run (self, error,
                        "UPDATE conversation SET updated = max(updated, ?),"
                        " snippet = CASE WHEN ? <> '' THEN ?2 ELSE snippet END WHERE id = ?",
                        "isi", (gint64) g_get_real_time (), snippet, record->conversation)
         && (!leaf || sl_sql_run (self, error, "UPDATE conversation SET active_leaf = ? WHERE id = ?", "ii", record->id,
                                  record->conversation));
}

gboolean
sl_database_put_message (SlDatabase             *self,
                         const SlMessageRecord  *record,
                         gboolean                leaf,
                         GError                **error)
{
  gboolean ok;

  if (!sl_database_put_files (self, record->parts, error) || !sl_sql_begin (self, error))
    return FALSE;
  ok = sl_database_put_rows (self, record, error) && sl_database_note_arrived (self, record->parts, error)
       && put_traces (self, record, leaf, error);
  return sl_sql_end (self, ok, error);
}

gboolean
sl_database_put_progress (SlDatabase  *self,
                          gint64       message,
                          const char  *text,
                          GError     **error)
{
  return sl_sql_run (self, error, "UPDATE message_part SET text = ? WHERE message = ? AND position = 0 AND kind = ?", "sii", text,
                     message, (gint64) SL_PART_TEXT);
}

/* ------------------------------------------------------------------------------------------------ small changes */

gboolean
sl_database_set_title (SlDatabase  *self,
                       gint64       conversation,
                       const char  *title,
                       GError     **error)
{
  gboolean ok;

  if (!sl_sql_begin (self, error))
    return FALSE;
  ok = sl_sql_run (self, error, "UPDATE conversation SET title = ? WHERE id = ?", "si", title, conversation)
       && index_title (self, conversation, title, error);
  return sl_sql_end (self, ok, error);
}

gboolean
sl_database_set_pinned (SlDatabase  *self,
                        gint64       conversation,
                        gboolean     pinned,
                        GError     **error)
{
  return sl_sql_run (self, error, "UPDATE conversation SET pinned = ? WHERE id = ?", "ii", (gint64) pinned, conversation);
}

gboolean
sl_database_set_leaf (SlDatabase  *self,
                      gint64       conversation,
                      gint64       message,
                      GError     **error)
{
  return sl_sql_run (self, error, "UPDATE conversation SET active_leaf = ? WHERE id = ?", "ni", message, conversation);
}

gboolean
sl_database_set_detail (SlDatabase  *self,
                        gint64       message,
                        guint        position,
                        SlDetail     detail,
                        GError     **error)
{
  return sl_sql_run (self, error, "UPDATE message_part SET detail = ? WHERE message = ? AND position = ?", "iii",
                     (gint64) detail, message, (gint64) position);
}

gboolean
sl_database_set_box_picture (SlDatabase  *self,
                             gint64       message,
                             const char  *sha256,
                             GError     **error)
{
  gboolean ok;

  if (!sl_sql_begin (self, error))
    return FALSE;
  ok = sl_sql_run (self, error, "UPDATE message SET box_picture = ? WHERE id = ?", "si", sha256, message)
       && sl_sql_run (self, error, "UPDATE box SET picture = ? WHERE message = ?", "si", sha256, message);
  return sl_sql_end (self, ok, error);
}

gboolean
sl_database_put_box (SlDatabase         *self,
                     gint64              message,
                     const SlBoxRecord  *record,
                     GError            **error)
{
  return put_box (self, message, record, error);
}

gboolean
sl_database_remove_box (SlDatabase  *self,
                        gint64       box,
                        GError     **error)
{
  return sl_sql_run (self, error, "DELETE FROM box WHERE id = ?", "i", box);
}

/* ------------------------------------------------------------------------------------------------ tombstones */

gboolean
sl_database_delete_conversation (SlDatabase  *self,
                                 gint64       conversation,
                                 gint64       when,
                                 GError     **error)
{
  return sl_sql_run (self, error,
                     "INSERT OR IGNORE INTO tombstone(conversation, created) SELECT id, ? FROM conversation WHERE id = ?", "ii",
                     when, conversation);
}

gboolean
sl_database_undelete_conversation (SlDatabase  *self,
                                   gint64       conversation,
                                   GError     **error)
{
  return sl_sql_run (self, error, "DELETE FROM tombstone WHERE conversation = ?", "i", conversation);
}

gboolean
sl_database_delete_message (SlDatabase  *self,
                            gint64       message,
                            gint64       when,
                            GError     **error)
{
  return sl_sql_run (self, error,
                     "WITH RECURSIVE below(id) AS (SELECT id FROM message WHERE id = ?"
                     "  UNION ALL SELECT message.id FROM message JOIN below ON message.parent = below.id)"
                     " INSERT OR IGNORE INTO tombstone(message, root, created) SELECT id, ?1, ? FROM below",
                     "ii", message, when);
}

gboolean
sl_database_undelete_message (SlDatabase  *self,
                              gint64       message,
                              GError     **error)
{
  return sl_sql_run (self, error, "DELETE FROM tombstone WHERE root = ?", "i", message);
}
