/* SPDX-License-Identifier: MIT
 *
 * What the history tells: the list, one conversation whole, search. Tombstones are left out. The store's thread.
 */
#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"
#include "app/store/sl-search-text.h"

#define SNIPPET_CHARS  120
#define MAX_SEARCHED   3000 /* messages looked at, newest first: bounds a query of one common letter */

/* Whether it asks about a folder: in SQL, of the conversation with this id. */
#define ASKS_FOLDER(id) "EXISTS (SELECT 1 FROM folder WHERE folder.conversation = " id ")"

static void
fill_summary (SlSummaryRecord *record,
              sqlite3_stmt    *statement)
{
  record->id = sqlite3_column_int64 (statement, 0);
  record->updated = sqlite3_column_int64 (statement, 1);
  record->title = sl_sql_dup_text (statement, 2);
  record->snippet = sl_sql_dup_text (statement, 3);
  record->folder = sqlite3_column_int (statement, 4) != 0;
  record->pinned = sqlite3_column_int (statement, 5) != 0;
}

GPtrArray *
sl_database_list (SlDatabase  *self,
                  GError     **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_summary_record_free);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement =
    sl_sql_prepare (self, &failure,
                    "SELECT id, updated, title, snippet, " ASKS_FOLDER ("id") ", pinned FROM conversation"
                    " WHERE id NOT IN (SELECT conversation FROM tombstone WHERE conversation IS NOT NULL)"
                    " ORDER BY pinned DESC, updated DESC, id DESC", "");

  while (statement != NULL && sl_sql_next (self, statement, &failure))
    {
      SlSummaryRecord *record = sl_summary_record_new ();

      fill_summary (record, statement);
      g_ptr_array_add (list, record);
    }
  if (failure == NULL)
    return g_steal_pointer (&list);
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

gint64
sl_database_get_last_id (SlDatabase *self)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement =
    sl_sql_prepare (self, &failure,
                    "SELECT max(coalesce((SELECT max(id) FROM conversation), 0), coalesce((SELECT max(id) FROM message), 0),"
                    " coalesce((SELECT max(id) FROM box), 0), coalesce((SELECT max(created) FROM tombstone), 0))", "");
  gint64 last = 0;

  /* Where it cannot be read, the clock is all there is; the next write says what is wrong. */
  if (statement != NULL && sl_sql_next (self, statement, &failure))
    last = sqlite3_column_int64 (statement, 0);
  return last < G_MAXINT64 / 2 ? last : 0;
}

SlSummaryRecord *
sl_database_get_summary (SlDatabase  *self,
                         gint64       conversation,
                         GError     **error)
{
  g_autoptr (SlSummaryRecord) record = NULL;
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement =
    sl_sql_prepare (self, &failure,
                    "SELECT id, updated, title, snippet, " ASKS_FOLDER ("id") ", pinned FROM conversation WHERE id = ?"
                    " AND id NOT IN (SELECT conversation FROM tombstone WHERE conversation IS NOT NULL)",
                    "i", conversation);

  if (statement != NULL && sl_sql_next (self, statement, &failure))
    {
      record = sl_summary_record_new ();
      fill_summary (record, statement);
    }
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  return g_steal_pointer (&record);
}

/* ------------------------------------------------------------------------------------------------ one conversation */

/* Rows of a conversation arrive grouped by message; this finds the message that a row belongs to. */
static SlMessageRecord *
find_message (GHashTable   *by_id,
              sqlite3_stmt *statement)
{
  gint64 id = sqlite3_column_int64 (statement, 0);

  return g_hash_table_lookup (by_id, &id);
}

static void
read_message (sqlite3_stmt         *statement,
              SlConversationRecord *record,
              GHashTable           *by_id)
{
  SlMessageRecord *message = sl_message_record_new ();

  message->id = sqlite3_column_int64 (statement, 0);
  message->conversation = record->id;
  message->parent = sqlite3_column_int64 (statement, 1);
  message->ordinal = sqlite3_column_int (statement, 2);
  message->role = CLAMP (sqlite3_column_int (statement, 3), SL_ROLE_SYSTEM, SL_ROLE_ASSISTANT);
  message->mode = CLAMP (sqlite3_column_int (statement, 4), 0, SL_N_MODES - 1);
  message->raw = sqlite3_column_int (statement, 5) != 0;
  message->status = CLAMP (sqlite3_column_int (statement, 6), SL_MESSAGE_COMPLETE, SL_MESSAGE_INTERRUPTED);
  message->created = sqlite3_column_int64 (statement, 7);
  message->box_picture = sl_sql_dup_text_or_null (statement, 8);
  g_ptr_array_add (record->messages, message);
  g_hash_table_insert (by_id, &message->id, message);
}

SlPartRecord *
sl_database_read_part (sqlite3_stmt *statement,
                       int           column)
{
  SlPartRecord *part = sl_part_record_new (sqlite3_column_int (statement, column) == SL_PART_PICTURE ? SL_PART_PICTURE : SL_PART_TEXT);

  part->text = sl_sql_dup_text_or_null (statement, column + 1);
  part->sha256 = sl_sql_dup_text_or_null (statement, column + 2);
  part->name = sl_sql_dup_text_or_null (statement, column + 3);
  part->detail = sqlite3_column_int (statement, column + 4) == SL_DETAIL_LOW ? SL_DETAIL_LOW : SL_DETAIL_AUTO;
  part->mime_type = sl_sql_dup_text_or_null (statement, column + 5);
  part->extension = sl_sql_dup_text_or_null (statement, column + 6);
  part->width = sqlite3_column_int (statement, column + 7);
  part->height = sqlite3_column_int (statement, column + 8);
  if (part->kind == SL_PART_PICTURE && !sl_picture_files_valid_name (part->sha256, part->extension))
    {
      /* A damaged row must not lead to a file outside of the folder: the name that the user knows is what is left. */
      part->kind = SL_PART_TEXT;
      g_free (part->text);
      part->text = g_strdup (part->name != NULL ? part->name : "");
    }
  return part;
}

static void
read_part (sqlite3_stmt    *statement,
           SlMessageRecord *message)
{
  g_ptr_array_add (message->parts, sl_database_read_part (statement, 1));
}

static void
set_column_text (char         **field,
                 sqlite3_stmt  *statement,
                 int            column)
{
  g_free (*field);
  *field = sl_sql_dup_text (statement, column);
}

static void
read_generation (sqlite3_stmt    *statement,
                 SlMessageRecord *message)
{
  SlGeneration *g = sl_generation_new ();

  set_column_text (&g->model, statement, 1);
  set_column_text (&g->model_dir, statement, 2);
  set_column_text (&g->quantisation, statement, 3);
  set_column_text (&g->device, statement, 4);
  set_column_text (&g->tiling, statement, 5);
  g->temperature = sqlite3_column_double (statement, 6);
  g->top_p = sqlite3_column_double (statement, 7);
  g->top_k = sqlite3_column_int (statement, 8);
  g->repetition_penalty = sqlite3_column_double (statement, 9);
  g->seed = (guint64) sqlite3_column_int64 (statement, 10);
  g->max_tokens = sqlite3_column_int (statement, 11);
  g->constrained = sqlite3_column_int (statement, 12);
  g->prompt_tokens = sqlite3_column_int (statement, 13);
  g->reused_tokens = sqlite3_column_int (statement, 14);
  g->output_tokens = sqlite3_column_int (statement, 15);
  g->context_used = sqlite3_column_int (statement, 16);
  g->context_capacity = sqlite3_column_int (statement, 17);
  g->mask_changed = sqlite3_column_int (statement, 18);
  g->tiling_changed = sqlite3_column_int (statement, 19);
  g->vision_ms = sqlite3_column_double (statement, 20);
  g->prefill_ms = sqlite3_column_double (statement, 21);
  g->first_token_ms = sqlite3_column_double (statement, 22);
  g->decode_ms = sqlite3_column_double (statement, 23);
  g->stop = CLAMP (sqlite3_column_int (statement, 24), SL_STOP_NONE, SL_STOP_ERROR);
  g->error = sl_sql_dup_text_or_null (statement, 25);
  sl_generation_unpack_tokens (g, sqlite3_column_blob (statement, 26), sqlite3_column_bytes (statement, 26));
  sl_generation_unpack_alternatives (g, sqlite3_column_blob (statement, 27), sqlite3_column_bytes (statement, 27));
  sl_generation_unpack_coordinates (g, sqlite3_column_blob (statement, 28), sqlite3_column_bytes (statement, 28));
  set_column_text (&g->place, statement, 29);
  set_column_text (&g->boxes_as, statement, 30);
  set_column_text (&g->reasoning, statement, 31);
  g->system_text = sl_sql_dup_text_or_null (statement, 32);
  sl_generation_free (message->generation);
  message->generation = g;
}

static void
read_box (sqlite3_stmt    *statement,
          SlMessageRecord *message)
{
  SlBoxRecord *box = sl_box_record_new ();
  g_autofree char *status = sl_sql_dup_text (statement, 11);
  g_autofree char *reason = sl_sql_dup_text (statement, 12);

  box->id = sqlite3_column_int64 (statement, 1);
  box->kind = sqlite3_column_int (statement, 2) == SL_BOX_KIND_EDITED ? SL_BOX_KIND_EDITED : SL_BOX_KIND_MODEL;
  box->origin = sqlite3_column_int64 (statement, 3);
  box->picture = sl_sql_dup_text_or_null (statement, 4);
  box->label = sl_sql_dup_text (statement, 5);
  box->label_index = sqlite3_column_int (statement, 6);
  for (int i = 0; i < 4; i++)
    box->coords[i] = CLAMP (sqlite3_column_int (statement, 7 + i), 0, 999);
  if (!sl_box_status_from_nick (status, &box->status))
    box->status = SL_BOX_REJECTED;
  box->reason = sl_box_reason_from_english (reason);
  box->confidence = sqlite3_column_type (statement, 13) == SQLITE_NULL ? -1 : sqlite3_column_double (statement, 13);
  box->start = sqlite3_column_int64 (statement, 14);
  box->end = sqlite3_column_int64 (statement, 15);
  box->accepted = sqlite3_column_int (statement, 16) != 0;
  g_ptr_array_add (message->boxes, box);
}

typedef void (*ReadRow) (sqlite3_stmt *statement, SlMessageRecord *message);

static const struct
{
  const char *columns; /* the first is the message */
  const char *order;
  ReadRow read;
} details[] = {
  { "SELECT message, kind, text, picture, name, detail, mime_type, extension, width, height FROM message_part"
    " LEFT JOIN picture ON sha256 = picture",
    "message, position", read_part },
  { "SELECT message, model, model_dir, quantisation, device, tiling, temperature, top_p, top_k, repetition_penalty, seed,"
    " max_tokens, constrained, prompt_tokens, reused_tokens, output_tokens, context_used, context_capacity, mask_changed,"
    " tiling_changed, vision_ms, prefill_ms, first_token_ms, decode_ms, stop, error, tokens, alternatives, coordinates,"
    " place, boxes_as, reasoning, system_text FROM generation", "message", read_generation },
  { "SELECT message, id, kind, origin, picture, label, label_index, x1, y1, x2, y2, status, reason, confidence, text_start,"
    " text_end, accepted FROM box", "message, ordinal, id", read_box },
};

/* Whose messages they are is one number in the middle of SQL. */
static gboolean
read_details (SlDatabase  *self,
              guint        kind,
              const char  *whose,
              gint64       number,
              GHashTable  *by_id,
              GError     **error)
{
  g_autofree char *sql = g_strconcat (details[kind].columns, " WHERE message IN (", whose, ") ORDER BY ", details[kind].order, NULL);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) rows = sl_sql_prepare (self, &failure, sql, "i", number);

  while (rows != NULL && sl_sql_next (self, rows, &failure))
    {
      SlMessageRecord *message = find_message (by_id, rows);

      if (message != NULL) /* else it has a tombstone */
        details[kind].read (rows, message);
    }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

#define MESSAGES "SELECT id, parent, ordinal, role, mode, raw, status, created, box_picture FROM message"

static gboolean
read_messages (SlDatabase            *self,
               SlConversationRecord  *record,
               GHashTable            *by_id,
               GError               **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement =
    sl_sql_prepare (self, &failure,
                    MESSAGES " WHERE conversation = ?"
                    " AND id NOT IN (SELECT message FROM tombstone WHERE message IS NOT NULL) ORDER BY id",
                    "i", record->id);

  while (statement != NULL && sl_sql_next (self, statement, &failure))
    read_message (statement, record, by_id);
  for (guint i = 0; i < G_N_ELEMENTS (details) && failure == NULL; i++)
    read_details (self, i, "SELECT id FROM message WHERE conversation = ?", record->id, by_id, &failure);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

SlMessageRecord *
sl_database_salvage_message (SlDatabase *self,
                             gint64      message)
{
  g_autoptr (SlConversationRecord) holder = sl_conversation_record_new ();
  g_autoptr (GHashTable) by_id = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement = sl_sql_prepare (self, &failure, MESSAGES " WHERE id = ?", "i", message);

  if (statement == NULL || !sl_sql_next (self, statement, &failure))
    return NULL;
  read_message (statement, holder, by_id);
  /* What is damaged of it is left out. */
  for (guint i = 0; i < G_N_ELEMENTS (details); i++)
    read_details (self, i, "?", message, by_id, NULL);
  return g_ptr_array_steal_index (holder->messages, 0);
}

SlConversationRecord *
sl_database_load (SlDatabase  *self,
                  gint64       conversation,
                  GError     **error)
{
  g_autoptr (SlConversationRecord) record = NULL;
  g_autoptr (GHashTable) by_id = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement =
    sl_sql_prepare (self, &failure,
                    "SELECT id, created, updated, active_leaf, title, system_text, engine, choices FROM conversation"
                    " WHERE id = ?"
                    " AND id NOT IN (SELECT conversation FROM tombstone WHERE conversation IS NOT NULL)",
                    "i", conversation);

  if (statement != NULL && sl_sql_next (self, statement, &failure))
    {
      record = sl_conversation_record_new ();
      record->id = sqlite3_column_int64 (statement, 0);
      record->created = sqlite3_column_int64 (statement, 1);
      record->updated = sqlite3_column_int64 (statement, 2);
      record->leaf = sqlite3_column_int64 (statement, 3);
      record->title = sl_sql_dup_text (statement, 4);
      record->system_text = sl_sql_dup_text (statement, 5);
      record->engine = sl_sql_dup_text (statement, 6);
      record->choices = sl_sql_dup_text (statement, 7);
    }
  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  if (record == NULL || !read_messages (self, record, by_id, error)
      || !sl_database_read_folder (self, record->id, &record->folder, error))
    return NULL;
  return g_steal_pointer (&record);
}

/* ------------------------------------------------------------------------------------------------ search */

static void
add_hit (GPtrArray    *hits,
         GHashTable   *seen,
         sqlite3_stmt *statement,
         const char   *query,
         gint64        message)
{
  SlSummaryRecord *record;
  gint64 id = sqlite3_column_int64 (statement, 0);

  if (g_hash_table_contains (seen, &id))
    return;
  record = sl_summary_record_new ();
  fill_summary (record, statement);
  record->message = message;
  if (message != 0)
    {
      g_autofree char *text = g_steal_pointer (&record->snippet);
      g_autofree char *plain = sl_database_dup_plain (sqlite3_column_int (statement, 7), text);

      record->snippet = sl_search_text_snippet (plain, query, SNIPPET_CHARS);
    }
  g_ptr_array_add (hits, record);
  g_hash_table_add (seen, &record->id);
}

static int
compare_updated (gconstpointer a,
                 gconstpointer b)
{
  const SlSummaryRecord *first = *(const SlSummaryRecord *const *) a;
  const SlSummaryRecord *second = *(const SlSummaryRecord *const *) b;

  return (first->updated < second->updated) - (first->updated > second->updated);
}

GPtrArray *
sl_database_search (SlDatabase  *self,
                    const char  *query,
                    guint        limit,
                    GError     **error)
{
  /* "shown" is cut off first: the text of every hit, read to be sorted away, took most of the time of a word that is everywhere. */
  static const char in_messages[] =
    "WITH hit(id) AS (SELECT rowid FROM message_index WHERE message_index MATCH ? ORDER BY rowid DESC LIMIT ?),"
    " newest(conversation, message) AS (SELECT conversation, max(message.id) FROM hit JOIN message ON message.id = hit.id"
    "   WHERE message.id NOT IN (SELECT message FROM tombstone WHERE message IS NOT NULL)"
    "   AND conversation NOT IN (SELECT conversation FROM tombstone WHERE conversation IS NOT NULL) GROUP BY conversation),"
    " shown(conversation, updated, title, pinned, message) AS (SELECT id, updated, title, pinned, message FROM newest"
    "   JOIN conversation ON id = conversation ORDER BY updated DESC LIMIT ?)"
    " SELECT shown.conversation, updated, title,"
    "  (SELECT group_concat(text, ' ') FROM (SELECT text FROM message_part WHERE message = shown.message AND text IS NOT NULL"
    "    ORDER BY position)), " ASKS_FOLDER ("shown.conversation") ", pinned, message, role"
    " FROM shown JOIN message ON message.id = shown.message ORDER BY updated DESC";
  static const char in_titles[] =
    "SELECT id, updated, conversation.title, snippet, " ASKS_FOLDER ("id") ", pinned"
    " FROM conversation_index JOIN conversation ON id = conversation_index.rowid WHERE conversation_index MATCH ?"
    "  AND id NOT IN (SELECT conversation FROM tombstone WHERE conversation IS NOT NULL) ORDER BY updated DESC LIMIT ?";
  g_autoptr (GPtrArray) hits = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_summary_record_free);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_autofree char *match = sl_search_text_query (query);
  g_autoptr (sqlite3_stmt) messages = NULL;
  g_autoptr (sqlite3_stmt) titles = NULL;
  g_autoptr (GError) failure = NULL;

  if (match == NULL)
    return g_steal_pointer (&hits);

  messages = sl_sql_prepare (self, &failure, in_messages, "sii", match, (gint64) MAX_SEARCHED, (gint64) limit);
  while (messages != NULL && sl_sql_next (self, messages, &failure))
    add_hit (hits, seen, messages, query, sqlite3_column_int64 (messages, 6));
  if (failure == NULL)
    titles = sl_sql_prepare (self, &failure, in_titles, "si", match, (gint64) limit);
  while (titles != NULL && sl_sql_next (self, titles, &failure))
    add_hit (hits, seen, titles, query, 0);
  if (failure != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
  g_ptr_array_sort (hits, compare_updated);
  if (hits->len > limit)
    g_ptr_array_set_size (hits, limit);
  return g_steal_pointer (&hits);
}
