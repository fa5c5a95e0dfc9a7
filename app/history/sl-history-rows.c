/* SPDX-License-Identifier: MIT
 *
 * The rows of the list: the pinned, then the others, newest first, kept in line with what the store says has changed, or could not be saved.
 */
#include "app/history/sl-history-private.h"

#include "app/history/sl-summary-private.h"
#include "app/store/sl-search-text.h"

#define SNIPPET_CHARS 120

static gboolean
find_row (SlHistory *self,
          gint64     id,
          guint     *position)
{
  for (guint i = 0; i < self->rows->len; i++)
    if (sl_summary_get_id (g_ptr_array_index (self->rows, i)) == id)
      {
        *position = i;
        return TRUE;
      }
  return FALSE;
}

SlSummary *
sl_history_get_row (SlHistory *self,
                    gint64     id)
{
  guint position;

  return find_row (self, id, &position) ? g_ptr_array_index (self->rows, position) : NULL;
}

void
sl_history_remove_row (SlHistory *self,
                       gint64     id)
{
  guint position;

  if (!find_row (self, id, &position))
    return;
  g_ptr_array_remove_index (self->rows, position);
  g_list_model_items_changed (G_LIST_MODEL (self), position, 1, 0);
}

static gboolean
precedes (SlSummary *one,
          SlSummary *other)
{
  if (sl_summary_get_pinned (one) != sl_summary_get_pinned (other))
    return sl_summary_get_pinned (one);
  return sl_summary_get_updated_us (one) > sl_summary_get_updated_us (other);
}

static void
insert_row (SlHistory *self,
            SlSummary *summary) /* taken */
{
  gint64 id = sl_summary_get_id (summary);
  SlConversation *conversation = g_hash_table_lookup (self->open, &id);
  guint position = 0;

  while (position < self->rows->len && precedes (g_ptr_array_index (self->rows, position), summary))
    position++;
  sl_summary_set_busy (summary, conversation != NULL && sl_conversation_is_busy (conversation));
  g_ptr_array_insert (self->rows, position, summary);
  g_list_model_items_changed (G_LIST_MODEL (self), position, 0, 1);
}

/* A row that is already in its place only changes. */
static void
update_row (SlHistory             *self,
            const SlSummaryRecord *record)
{
  SlSummary *summary;
  guint position;

  if (g_hash_table_contains (self->deleted, &record->id))
    return;
  if (!find_row (self, record->id, &position))
    {
      insert_row (self, sl_summary_new (record));
      return;
    }
  summary = g_ptr_array_index (self->rows, position);
  sl_summary_update (summary, record);
  if ((position == 0 || !precedes (summary, g_ptr_array_index (self->rows, position - 1)))
      && (position + 1 >= self->rows->len || !precedes (g_ptr_array_index (self->rows, position + 1), summary)))
    return;
  g_object_ref (summary);
  sl_history_remove_row (self, record->id);
  insert_row (self, summary);
}

typedef struct
{
  SlHistory *history;
  gint64 id;
} SummaryCall;

static void
on_summary (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autofree SummaryCall *call = user_data;
  g_autoptr (SlHistory) self = call->history;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlSummaryRecord) record = sl_store_summary_finish (SL_STORE (source), result, &error);

  if (record != NULL)
    update_row (self, record);
  else if (error == NULL)
    sl_history_remove_row (self, call->id);
}

static void
on_conversation_changed (SlStore   *store,
                         gint64     id,
                         SlHistory *self)
{
  SummaryCall *call;

  if (!self->loaded)
    return;
  call = g_new (SummaryCall, 1);
  call->history = g_object_ref (self);
  call->id = id;
  sl_store_summary_async (store, id, self->cancellable, on_summary, call);
}

/* What is not on disk yet is listed as it is in memory. */
static void
show_unsaved (SlHistory      *self,
              SlConversation *conversation)
{
  g_autoptr (SlSummaryRecord) record = sl_summary_record_new ();
  SlSummary *row = sl_history_get_row (self, sl_conversation_get_id (conversation));
  guint n_messages = g_list_model_get_n_items (G_LIST_MODEL (conversation));
  g_autoptr (SlMessage) leaf = g_list_model_get_item (G_LIST_MODEL (conversation), n_messages - 1);

  record->id = sl_conversation_get_id (conversation);
  record->updated = g_get_real_time ();
  record->folder = sl_conversation_get_folder (conversation) != NULL;
  record->pinned = row != NULL && sl_summary_get_pinned (row);
  record->title = g_strdup (sl_conversation_get_title (conversation));
  record->snippet = sl_search_text_snippet (leaf != NULL ? sl_message_get_text (leaf) : "", NULL, SNIPPET_CHARS);
  update_row (self, record);
}

static void
on_conversation_unsaved (SlStore   *store,
                         gint64     id,
                         SlHistory *self)
{
  SlConversation *conversation = g_hash_table_lookup (self->open, &id);

  if (conversation == NULL)
    return;
  g_hash_table_replace (self->unsaved, sl_history_box_id (id), g_object_ref (conversation));
  show_unsaved (self, conversation);
}

static void
on_pending (SlHistory *self)
{
  if (sl_store_get_pending (self->store) == 0)
    g_hash_table_remove_all (self->unsaved);
}

void
sl_history_set_pinned (SlHistory *self,
                       gint64     id,
                       gboolean   pinned)
{
  g_return_if_fail (SL_IS_HISTORY (self));

  sl_store_set_pinned (self->store, id, pinned); /* its signal moves the row */
}

void
sl_history_set_rows (SlHistory *self,
                     GPtrArray *list)
{
  guint before = self->rows->len;
  GHashTableIter iter;
  gpointer conversation;

  g_ptr_array_set_size (self->rows, 0);
  for (guint i = 0; list != NULL && i < list->len; i++)
    if (!g_hash_table_contains (self->deleted, &((SlSummaryRecord *) g_ptr_array_index (list, i))->id))
      g_ptr_array_add (self->rows, sl_summary_new (g_ptr_array_index (list, i)));
  g_list_model_items_changed (G_LIST_MODEL (self), 0, before, self->rows->len);
  g_hash_table_iter_init (&iter, self->unsaved);
  while (g_hash_table_iter_next (&iter, NULL, &conversation))
    show_unsaved (self, conversation);
}

void
sl_history_follow_store (SlHistory *self)
{
  g_signal_connect_object (self->store, "conversation-changed", G_CALLBACK (on_conversation_changed), self, 0);
  g_signal_connect_object (self->store, "conversation-unsaved", G_CALLBACK (on_conversation_unsaved), self, 0);
  g_signal_connect_object (self->store, "notify::pending", G_CALLBACK (on_pending), self, G_CONNECT_SWAPPED);
}
