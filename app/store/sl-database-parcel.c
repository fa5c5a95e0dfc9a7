/* SPDX-License-Identifier: MIT
 *
 * Conversations that leave this history whole, and those that come into it from another one: what is here already is known by its content
 * (sl-content-id.h), and nothing of it is changed. The thread that owns the database.
 */
#include "app/store/sl-content-id.h"
#include "app/store/sl-database-private.h"

gboolean
sl_database_freeze (SlDatabase  *self,
                    GError     **error)
{
  /* The first read takes the picture of it. */
  return sl_sql_exec (self, "BEGIN; SELECT 1 FROM conversation", error);
}

void
sl_database_thaw (SlDatabase *self)
{
  sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
}

/* ------------------------------------------------------------------------------------------------ leaving */

/* A picture that only a box names: its row tells what it is. FALSE with error; TRUE where there is no such row. */
static gboolean
find_picture (SlDatabase  *self,
              SlParcel    *parcel,
              const char  *sha256,
              GError     **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) row = NULL;

  if (sha256 == NULL || sl_parcel_find_picture (parcel, sha256) != NULL)
    return TRUE;
  row = sl_sql_prepare (self, &failure,
                        "SELECT 1, NULL, sha256, NULL, 0, mime_type, extension, width, height FROM picture WHERE sha256 = ?", "s", sha256);
  if (row != NULL && sl_sql_next (self, row, &failure))
    {
      g_autoptr (SlPartRecord) picture = sl_database_read_part (row, 0);

      if (picture->kind == SL_PART_PICTURE)
        sl_parcel_note_picture (parcel, picture);
    }
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static void
note_pictures (SlParcel  *parcel,
               GPtrArray *parts)
{
  for (guint i = 0; i < parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (parts, i);

      if (part->kind == SL_PART_PICTURE)
        sl_parcel_note_picture (parcel, part);
    }
}

static void
forget_unknown (const SlParcel  *parcel,
                char           **sha256)
{
  if (*sha256 != NULL && sl_parcel_find_picture (parcel, *sha256) == NULL)
    g_clear_pointer (sha256, g_free);
}

static gboolean
complete_message (SlDatabase       *self,
                  SlParcel         *parcel,
                  SlMessageRecord  *message,
                  GError          **error)
{
  if (message->status == SL_MESSAGE_STREAMING)
    message->status = SL_MESSAGE_INTERRUPTED;
  if (!find_picture (self, parcel, message->box_picture, error))
    return FALSE;
  forget_unknown (parcel, &message->box_picture);
  for (guint i = 0; i < message->boxes->len; i++)
    {
      SlBoxRecord *box = g_ptr_array_index (message->boxes, i);

      if (!find_picture (self, parcel, box->picture, error))
        return FALSE;
      forget_unknown (parcel, &box->picture);
    }
  return TRUE;
}

static GHashTable *
find_ids (const SlConversationRecord *conversation)
{
  GHashTable *ids = g_hash_table_new (g_int64_hash, g_int64_equal);

  for (guint i = 0; i < conversation->messages->len; i++)
    {
      SlMessageRecord *message = g_ptr_array_index (conversation->messages, i);

      g_hash_table_insert (ids, &message->id, message);
    }
  return ids;
}

/* A draft of a question that was deleted has nowhere to go. */
static gboolean
complete_drafts (SlDatabase  *self,
                 SlParcel    *parcel,
                 GError     **error)
{
  g_autoptr (GPtrArray) drafts = sl_database_read_drafts (self, parcel->conversation->id, error);
  g_autoptr (GHashTable) ids = find_ids (parcel->conversation);

  if (drafts == NULL)
    return FALSE;
  while (drafts->len > 0)
    {
      SlDraftRecord *draft = g_ptr_array_steal_index (drafts, 0);

      if (draft->question == 0 || g_hash_table_contains (ids, &draft->question))
        {
          note_pictures (parcel, draft->parts);
          g_ptr_array_add (parcel->drafts, draft);
        }
      else
        sl_draft_record_free (draft);
    }
  return TRUE;
}

SlParcel *
sl_database_load_parcel (SlDatabase  *self,
                         gint64       conversation,
                         GError     **error)
{
  SlConversationRecord *record = sl_database_load (self, conversation, error);
  g_autoptr (SlParcel) parcel = record != NULL ? sl_parcel_new (record) : NULL;

  if (parcel == NULL)
    return NULL;
  for (guint i = 0; i < record->messages->len; i++)
    note_pictures (parcel, ((SlMessageRecord *) g_ptr_array_index (record->messages, i))->parts);
  for (guint i = 0; i < record->messages->len; i++)
    if (!complete_message (self, parcel, g_ptr_array_index (record->messages, i), error))
      return NULL;
  return complete_drafts (self, parcel, error) ? g_steal_pointer (&parcel) : NULL;
}

/* ------------------------------------------------------------------------------------------------ what is here already */

gboolean
sl_database_put_pictures (SlDatabase  *self,
                          GPtrArray   *pictures,
                          GError     **error)
{
  return sl_database_put_files (self, pictures, error);
}

typedef struct
{
  SlDatabase *database;
  SlParcel *parcel;
  SlContentIds *names;  /* of the parcel */
  SlParcel *here;       /* the same conversation in this history, or NULL */
  GHashTable *messages; /* name → the SlMessageRecord of here */
  gint64 next_id;
  gint64 *ids;          /* those that the parcel's messages have here */
  SlMerge *merge;
} Merge;

static void
merge_clear (Merge *merge)
{
  g_clear_pointer (&merge->names, sl_content_ids_free);
  g_clear_pointer (&merge->here, sl_parcel_free);
  g_clear_pointer (&merge->messages, g_hash_table_unref);
  g_clear_pointer (&merge->ids, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Merge, merge_clear)

static gboolean
is_first (const SlConversationRecord *record,
          guint                       index)
{
  return ((const SlMessageRecord *) g_ptr_array_index (record->messages, index))->parent == 0;
}

/* Another conversation may have begun in the same instant, where a clock stands still: one of its first messages has to be the same. */
static gboolean
begins_alike (Merge              *merge,
              const SlContentIds *names)
{
  if (merge->here->conversation->messages->len == 0 || merge->parcel->conversation->messages->len == 0)
    return TRUE;
  for (guint i = 0; i < merge->names->messages->len; i++)
    {
      const SlMessageRecord *same = g_hash_table_lookup (merge->messages, g_ptr_array_index (merge->names->messages, i));

      if (is_first (merge->parcel->conversation, i) && same != NULL && same->parent == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
look_at (Merge   *merge,
         gint64   conversation,
         GError **error)
{
  g_autoptr (SlContentIds) names = NULL;

  merge->here = sl_database_load_parcel (merge->database, conversation, error);
  if (merge->here == NULL)
    return FALSE;
  names = sl_content_ids_new (merge->here->conversation);
  merge->messages = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < names->messages->len; i++)
    g_hash_table_insert (merge->messages, g_strdup (g_ptr_array_index (names->messages, i)),
                         g_ptr_array_index (merge->here->conversation->messages, i));
  if (begins_alike (merge, names))
    return TRUE;
  g_clear_pointer (&merge->here, sl_parcel_free);
  g_clear_pointer (&merge->messages, g_hash_table_unref);
  return FALSE;
}

static gboolean
find_here (Merge   *merge,
           GError **error)
{
  g_autofree char *sql = g_strdup_printf ("SELECT id FROM conversation WHERE created = %" G_GINT64_FORMAT " ORDER BY id",
                                          merge->parcel->conversation->created);
  g_autoptr (GPtrArray) ids = sl_sql_list_strings (merge->database, sql, error);

  if (ids == NULL)
    return FALSE;
  for (guint i = 0; i < ids->len; i++)
    {
      g_autoptr (GError) failure = NULL;

      if (look_at (merge, g_ascii_strtoll (g_ptr_array_index (ids, i), NULL, 10), &failure))
        break;
      if (failure != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&failure));
          return FALSE;
        }
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ coming in */

/* What the boxes' `origin` says in the parcel's numbers becomes true of the ids that they get. */
static void
renumber_boxes (Merge           *merge,
                SlMessageRecord *message)
{
  g_autoptr (GHashTable) ids = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_autofree gint64 *old = g_new (gint64, message->boxes->len);

  for (guint i = 0; i < message->boxes->len; i++)
    {
      SlBoxRecord *box = g_ptr_array_index (message->boxes, i);

      old[i] = box->id;
      box->id = merge->next_id++;
      g_hash_table_insert (ids, &old[i], &box->id);
    }
  for (guint i = 0; i < message->boxes->len; i++)
    {
      SlBoxRecord *box = g_ptr_array_index (message->boxes, i);
      const gint64 *origin = g_hash_table_lookup (ids, &box->origin);

      box->origin = origin != NULL ? *origin : 0;
    }
}

static gboolean
same_box (const SlBoxRecord *a,
          const SlBoxRecord *b)
{
  for (int i = 0; i < 4; i++)
    if (a->coords[i] != b->coords[i])
      return FALSE;
  return a->kind == b->kind && g_strcmp0 (a->label, b->label) == 0 && g_strcmp0 (a->picture, b->picture) == 0;
}

static const SlBoxRecord *
find_box (const SlMessageRecord *message,
          const SlBoxRecord     *wanted)
{
  for (guint i = 0; i < message->boxes->len; i++)
    if (same_box (g_ptr_array_index (message->boxes, i), wanted))
      return g_ptr_array_index (message->boxes, i);
  return NULL;
}

/* What a user drew on another computer joins what was drawn on this one. */
static gboolean
merge_boxes (Merge                  *merge,
             const SlMessageRecord  *here,
             SlMessageRecord        *message,
             GError                **error)
{
  for (guint i = 0; i < message->boxes->len; i++)
    {
      SlBoxRecord *box = g_ptr_array_index (message->boxes, i);
      const SlBoxRecord *origin = NULL;

      if (box->kind != SL_BOX_KIND_EDITED || find_box (here, box) != NULL)
        continue;
      for (guint k = 0; k < message->boxes->len && origin == NULL; k++)
        {
          const SlBoxRecord *other = g_ptr_array_index (message->boxes, k);

          origin = other->id == box->origin ? find_box (here, other) : NULL;
        }
      box->id = merge->next_id++;
      box->origin = origin != NULL ? origin->id : 0;
      if (!sl_database_put_box (merge->database, here->id, box, error))
        return FALSE;
    }
  return TRUE;
}

static guint
next_ordinal (const Merge *merge,
              gint64       parent)
{
  guint next = 0;

  for (guint i = 0; i < merge->here->conversation->messages->len; i++)
    {
      const SlMessageRecord *message = g_ptr_array_index (merge->here->conversation->messages, i);

      if (message->parent == parent)
        next = MAX (next, message->ordinal + 1);
    }
  return next;
}

static gboolean
merge_message (Merge             *merge,
               GHashTable        *by_old_id,
               guint              index,
               SlMessageRecord  **newest,
               char             **snippet,
               GError           **error)
{
  SlMessageRecord *message = g_ptr_array_index (merge->parcel->conversation->messages, index);
  const char *name = g_ptr_array_index (merge->names->messages, index);
  const SlMessageRecord *here = merge->messages != NULL ? g_hash_table_lookup (merge->messages, name) : NULL;
  const gint64 *parent = g_hash_table_lookup (by_old_id, &message->parent);
  g_autofree char *words = NULL;

  if (here != NULL)
    {
      merge->ids[index] = here->id;
      return merge_boxes (merge, here, message, error);
    }
  merge->ids[index] = merge->next_id++;
  message->id = merge->ids[index];
  message->conversation = merge->merge->conversation;
  message->parent = parent != NULL ? *parent : 0;
  if (merge->here != NULL)
    message->ordinal = next_ordinal (merge, message->parent);
  if (message->status == SL_MESSAGE_STREAMING)
    message->status = SL_MESSAGE_INTERRUPTED;
  renumber_boxes (merge, message);
  if (!sl_database_put_rows (merge->database, message, error)
      || (words = sl_database_index_message (merge->database, message, error)) == NULL)
    return FALSE;
  if (words[0] != '\0' && (*newest == NULL || message->created >= (*newest)->created))
    {
      *newest = message;
      g_free (*snippet);
      *snippet = g_steal_pointer (&words);
    }
  if (merge->here != NULL) /* its next sibling comes behind it */
    g_ptr_array_add (merge->here->conversation->messages, sl_message_record_copy (message));
  merge->merge->n_messages++;
  return TRUE;
}

typedef struct
{
  guint index;
  gint64 time; /* not before that of what it answers */
  guint place;
} Turn;

static int
compare_turns (gconstpointer a,
               gconstpointer b)
{
  const Turn *first = a, *second = b;

  if (first->time != second->time)
    return first->time < second->time ? -1 : 1;
  return (first->place > second->place) - (first->place < second->place);
}

/* Ids are in order of creation, and a parent's is below those of what answers it. */
static GArray *
sort_by_time (Merge *merge)
{
  g_autoptr (GHashTable) times = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  GArray *turns = g_array_new (FALSE, FALSE, sizeof (Turn));

  for (guint i = 0; i < merge->names->order->len; i++)
    {
      guint index = g_array_index (merge->names->order, guint, i);
      SlMessageRecord *message = g_ptr_array_index (merge->parcel->conversation->messages, index);
      const gint64 *above = g_hash_table_lookup (times, &message->parent);
      Turn turn = { index, above != NULL ? MAX (*above, message->created) : message->created, i };

      g_hash_table_insert (times, &message->id, g_memdup2 (&turn.time, sizeof turn.time));
      g_array_append_val (turns, turn);
    }
  g_array_sort (turns, compare_turns);
  return turns;
}

static gboolean
merge_messages (Merge   *merge,
                char   **snippet,
                GError **error)
{
  const GPtrArray *messages = merge->parcel->conversation->messages;
  g_autofree gint64 *old = g_new (gint64, messages->len);
  g_autoptr (GHashTable) by_old_id = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_autoptr (GArray) turns = sort_by_time (merge);
  SlMessageRecord *newest = NULL;

  for (guint i = 0; i < messages->len; i++)
    {
      old[i] = ((const SlMessageRecord *) g_ptr_array_index (messages, i))->id;
      g_hash_table_insert (by_old_id, &old[i], &merge->ids[i]);
    }
  for (guint i = 0; i < turns->len; i++)
    if (!merge_message (merge, by_old_id, g_array_index (turns, Turn, i).index, &newest, snippet, error))
      return FALSE;
  for (guint i = 0; i < merge->parcel->drafts->len; i++)
    {
      SlDraftRecord *draft = g_ptr_array_index (merge->parcel->drafts, i);
      const gint64 *question = g_hash_table_lookup (by_old_id, &draft->question);

      draft->conversation = merge->merge->conversation;
      draft->question = question != NULL ? *question : 0;
    }
  if (merge->here == NULL)
    {
      const gint64 *leaf = g_hash_table_lookup (by_old_id, &merge->parcel->conversation->leaf);

      merge->parcel->conversation->leaf = leaf != NULL ? *leaf : 0;
    }
  return TRUE;
}

static gboolean
put_line (Merge   *merge,
          GError **error)
{
  SlConversationRecord *conversation = merge->parcel->conversation;

  merge->merge->is_new = merge->here == NULL;
  merge->merge->conversation = merge->here != NULL ? merge->here->conversation->id : merge->next_id++;
  conversation->id = merge->merge->conversation;
  return merge->here != NULL || sl_database_put_line (merge->database, conversation, error);
}

/* Behind the messages, which it tells about. */
static gboolean
complete_line (Merge       *merge,
               const char  *snippet,
               GError     **error)
{
  const SlConversationRecord *conversation = merge->parcel->conversation;

  if (merge->merge->n_messages > 0
      && !sl_sql_run (merge->database, error,
                      "UPDATE conversation SET snippet = CASE WHEN ? <> '' AND (? OR updated <= ?) THEN ?1 ELSE snippet END,"
                      " updated = max(updated, ?3) WHERE id = ?", "siii", snippet != NULL ? snippet : "",
                      (gint64) merge->merge->is_new, conversation->updated, conversation->id))
    return FALSE;
  if (!merge->merge->is_new)
    return TRUE;
  for (guint i = 0; i < merge->parcel->drafts->len; i++)
    if (!sl_database_insert_draft (merge->database, g_ptr_array_index (merge->parcel->drafts, i), error))
      return FALSE;
  return sl_sql_run (merge->database, error, "UPDATE conversation SET active_leaf = ? WHERE id = ?", "ni", conversation->leaf,
                     conversation->id);
}

/* Their rows; and their files, which came before, are not underway any more. */
static gboolean
put_pictures (Merge   *merge,
              GError **error)
{
  for (guint i = 0; i < merge->parcel->pictures->len; i++)
    {
      const SlPartRecord *picture = g_ptr_array_index (merge->parcel->pictures, i);
      g_autofree char *name = g_strconcat (picture->sha256, ".", picture->extension, NULL);

      if (!sl_sql_run (merge->database, error,
                       "INSERT OR IGNORE INTO picture(sha256, mime_type, extension, width, height, created) VALUES (?, ?, ?, ?, ?, ?)",
                       "sssiii", picture->sha256, picture->mime_type != NULL ? picture->mime_type : "", picture->extension,
                       (gint64) picture->width, (gint64) picture->height, (gint64) g_get_real_time ())
          || !sl_sql_run (merge->database, error, "DELETE FROM unfinished WHERE what IN (?, ?) AND name = ?", "iis",
                          (gint64) SL_UNFINISHED_ARRIVING, (gint64) SL_UNFINISHED_LEAVING, name))
        return FALSE;
    }
  return TRUE;
}

gboolean
sl_database_merge_parcel (SlDatabase  *self,
                          SlParcel    *parcel,
                          gint64       first_id,
                          SlMerge     *result,
                          GError     **error)
{
  g_auto (Merge) merge = { .database = self, .parcel = parcel, .next_id = first_id, .merge = result };
  g_autofree char *snippet = NULL;
  gboolean ok;

  *result = (SlMerge) { 0 };
  merge.names = sl_content_ids_new (parcel->conversation);
  merge.ids = g_new0 (gint64, parcel->conversation->messages->len + 1);
  if (!sl_sql_begin (self, error))
    return FALSE;
  ok = find_here (&merge, error) && put_pictures (&merge, error) && put_line (&merge, error)
       && merge_messages (&merge, &snippet, error) && complete_line (&merge, snippet, error);
  return sl_sql_end (self, ok, error);
}
