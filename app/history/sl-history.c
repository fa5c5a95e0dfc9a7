/* SPDX-License-Identifier: MIT
 *
 * The list of conversations, kept in line with the store by its conversation-changed signal, and the conversations that are
 * open. UI thread.
 */
#include "app/history/sl-history-private.h"

#include "app/history/sl-summary-private.h"

#include <glib/gi18n-lib.h>

#define SEARCH_LIMIT 200

enum { PROP_0, PROP_LOADED, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint answered_signal, leaving_signal;

static GType
sl_history_get_item_type (GListModel *model)
{
  return SL_TYPE_SUMMARY;
}

static guint
sl_history_get_n_items (GListModel *model)
{
  return SL_HISTORY (model)->rows->len;
}

static gpointer
sl_history_get_item (GListModel *model,
                     guint       position)
{
  SlHistory *self = SL_HISTORY (model);

  return position < self->rows->len ? g_object_ref (g_ptr_array_index (self->rows, position)) : NULL;
}

static void
init_list_model (GListModelInterface *iface)
{
  iface->get_item_type = sl_history_get_item_type;
  iface->get_n_items = sl_history_get_n_items;
  iface->get_item = sl_history_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (SlHistory, sl_history, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, init_list_model))

static void
on_drafts (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (SlHistory) self = user_data;
  g_autoptr (GPtrArray) records = sl_store_drafts_finish (SL_STORE (source), result, NULL);

  for (guint i = 0; records != NULL && i < records->len; i++)
    {
      SlDraft *draft = sl_draft_new_from_record (self->store, g_ptr_array_index (records, i));

      /* What has been written meanwhile is newer. */
      if (sl_history_get_draft (self, draft->conversation, draft->question) == NULL)
        g_ptr_array_add (self->drafts, draft);
      else
        sl_draft_free (draft);
    }
  self->loaded = TRUE;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_LOADED]);
}

static void
on_listed (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (SlHistory) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) list = sl_store_list_finish (SL_STORE (source), result, &error);

  sl_history_set_rows (self, list);
  if (self->loaded)
    return;
  sl_store_drafts_async (self->store, self->cancellable, on_drafts, g_object_ref (self));
}

/* It was opened again: after it had been locked, or mended. */
static void
on_store_state (SlHistory *self)
{
  SlStoreState state = sl_store_get_state (self->store);

  if (self->loaded && (state == SL_STORE_OPEN || state == SL_STORE_READING))
    sl_store_list_async (self->store, self->cancellable, on_listed, g_object_ref (self));
}

/* ------------------------------------------------------------------------------------------------ open conversations */

static void
on_busy (SlConversation *conversation,
         GParamSpec     *pspec,
         SlHistory      *self)
{
  SlSummary *row = sl_history_get_row (self, sl_conversation_get_id (conversation));

  if (row != NULL)
    sl_summary_set_busy (row, sl_conversation_is_busy (conversation));
  /* Of a folder, one answer is like another. */
  if (!sl_conversation_is_busy (conversation) && sl_conversation_get_folder (conversation) == NULL)
    g_signal_emit (self, answered_signal, 0, conversation);
}

typedef struct
{
  SlHistory *history;
  gint64 id;
} OpenMark;

static void
on_conversation_gone (gpointer  data,
                      GObject  *object)
{
  g_autofree OpenMark *mark = data;

  g_hash_table_remove (mark->history->open, &mark->id);
}

static void
register_open (SlHistory      *self,
               SlConversation *conversation)
{
  OpenMark *mark = g_new (OpenMark, 1);

  mark->history = self;
  mark->id = sl_conversation_get_id (conversation);
  g_hash_table_insert (self->open, sl_history_box_id (mark->id), conversation);
  g_object_set_data (G_OBJECT (conversation), "sl-open-mark", mark);
  g_object_weak_ref (G_OBJECT (conversation), on_conversation_gone, mark);
  g_signal_connect_object (conversation, "notify::busy", G_CALLBACK (on_busy), self, 0);
}

static void
forget_open (SlHistory *self)
{
  GHashTableIter iter;
  gpointer conversation;

  g_hash_table_iter_init (&iter, self->open);
  while (g_hash_table_iter_next (&iter, NULL, &conversation))
    {
      g_autofree OpenMark *mark = g_object_steal_data (conversation, "sl-open-mark");

      g_object_weak_unref (conversation, on_conversation_gone, mark);
      g_hash_table_iter_remove (&iter);
    }
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_history_get_property (GObject    *object,
                         guint       id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  if (id == PROP_LOADED)
    g_value_set_boolean (value, SL_HISTORY (object)->loaded);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_history_dispose (GObject *object)
{
  SlHistory *self = SL_HISTORY (object);

  g_cancellable_cancel (self->cancellable);
  g_clear_handle_id (&self->purge_source, g_source_remove);
  g_hash_table_remove_all (self->unsaved);
  forget_open (self);
  G_OBJECT_CLASS (sl_history_parent_class)->dispose (object);
}

static void
sl_history_finalize (GObject *object)
{
  SlHistory *self = SL_HISTORY (object);

  g_ptr_array_unref (self->rows);
  g_hash_table_unref (self->open);
  g_hash_table_unref (self->deleted);
  g_hash_table_unref (self->unsaved);
  g_ptr_array_unref (self->drafts);
  g_object_unref (self->cancellable);
  g_object_unref (self->store);
  g_object_unref (self->engine);
  G_OBJECT_CLASS (sl_history_parent_class)->finalize (object);
}

static void
sl_history_class_init (SlHistoryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = sl_history_get_property;
  object_class->dispose = sl_history_dispose;
  object_class->finalize = sl_history_finalize;
  properties[PROP_LOADED] = g_param_spec_boolean ("loaded", NULL, NULL, FALSE,
                                                  G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  answered_signal = g_signal_new ("answered", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                  SL_TYPE_CONVERSATION);
  leaving_signal = g_signal_new ("leaving", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                 G_TYPE_INT64);
}

static void
sl_history_init (SlHistory *self)
{
  self->rows = g_ptr_array_new_with_free_func (g_object_unref);
  self->open = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->deleted = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_free);
  self->drafts = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_draft_free);
  self->unsaved = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_object_unref);
  self->cancellable = g_cancellable_new ();
}

SlHistory *
sl_history_new (SlStore  *store,
                SlEngine *engine)
{
  g_autofree char *sessions = NULL;
  SlHistory *self;

  g_return_val_if_fail (SL_IS_STORE (store), NULL);
  g_return_val_if_fail (SL_IS_ENGINE (engine), NULL);

  self = g_object_new (SL_TYPE_HISTORY, NULL);
  self->store = g_object_ref (store);
  self->engine = g_object_ref (engine);
  sessions = g_build_filename (sl_store_get_dir (store), "sessions", NULL);
  sl_engine_set_session_dir (engine, sessions);
  sl_history_follow_store (self);
  g_signal_connect_object (store, "notify::state", G_CALLBACK (on_store_state), self, G_CONNECT_SWAPPED);
  sl_store_list_async (store, self->cancellable, on_listed, g_object_ref (self));
  return self;
}

gboolean
sl_history_get_loaded (SlHistory *self)
{
  g_return_val_if_fail (SL_IS_HISTORY (self), FALSE);

  return self->loaded;
}

SlStore *
sl_history_get_store (SlHistory *self)
{
  g_return_val_if_fail (SL_IS_HISTORY (self), NULL);

  return self->store;
}

SlEngine *
sl_history_get_engine (SlHistory *self)
{
  g_return_val_if_fail (SL_IS_HISTORY (self), NULL);

  return self->engine;
}

SlConversation *
sl_history_create (SlHistory *self)
{
  SlConversation *conversation;

  g_return_val_if_fail (SL_IS_HISTORY (self), NULL);

  conversation = sl_conversation_new (self->store, self->engine);
  register_open (self, conversation);
  return conversation;
}

SlConversation *
sl_history_branch (SlHistory      *self,
                   SlConversation *conversation,
                   SlMessage      *last)
{
  SlConversation *branch;

  g_return_val_if_fail (SL_IS_HISTORY (self), NULL);

  branch = sl_conversation_branch (conversation, last);
  register_open (self, branch);
  return branch;
}

static void
on_loaded (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (GTask) task = user_data;
  SlHistory *self = g_task_get_source_object (task);
  GError *error = NULL;
  g_autoptr (SlConversationRecord) record = sl_store_load_finish (SL_STORE (source), result, &error);
  SlConversation *conversation;

  if (record == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  /* Two calls may have been under way: the second finds what the first made. */
  conversation = g_hash_table_lookup (self->open, &record->id);
  if (conversation != NULL)
    g_object_ref (conversation);
  else
    {
      conversation = sl_conversation_new_from_record (self->store, self->engine, record);
      register_open (self, conversation);
    }
  g_task_return_pointer (task, conversation, g_object_unref);
}

void
sl_history_open_async (SlHistory           *self,
                       gint64               id,
                       GCancellable        *cancellable,
                       GAsyncReadyCallback  callback,
                       gpointer             user_data)
{
  GTask *task;
  SlConversation *conversation;

  g_return_if_fail (SL_IS_HISTORY (self));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, sl_history_open_async);
  conversation = g_hash_table_lookup (self->open, &id);
  if (conversation == NULL)
    {
      sl_store_load_async (self->store, id, cancellable, on_loaded, task);
      return;
    }
  g_task_return_pointer (task, g_object_ref (conversation), g_object_unref);
  g_object_unref (task);
}

SlConversation *
sl_history_open_finish (SlHistory     *self,
                        GAsyncResult  *result,
                        GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

void
sl_history_rename (SlHistory  *self,
                   gint64      id,
                   const char *title)
{
  SlConversation *conversation;
  SlSummary *row;

  g_return_if_fail (SL_IS_HISTORY (self));
  g_return_if_fail (title != NULL);

  conversation = g_hash_table_lookup (self->open, &id);
  if (conversation != NULL)
    sl_conversation_set_title (conversation, title);
  else
    sl_store_set_title (self->store, id, title);
  row = sl_history_get_row (self, id);
  if (row != NULL)
    sl_summary_set_title (row, title);
}

/* ------------------------------------------------------------------------------------------------ drafts */

static gboolean
find_draft (SlHistory *self,
            gint64     conversation,
            gint64     question,
            guint     *position)
{
  for (guint i = 0; i < self->drafts->len; i++)
    {
      const SlDraft *draft = g_ptr_array_index (self->drafts, i);

      if (draft->conversation == conversation && (draft->question == question || (question < 0 && draft->question != 0)))
        {
          *position = i;
          return TRUE;
        }
    }
  return FALSE;
}

const SlDraft *
sl_history_get_draft (SlHistory *self,
                      gint64     conversation,
                      gint64     question)
{
  guint position;

  g_return_val_if_fail (SL_IS_HISTORY (self), NULL);

  return find_draft (self, conversation, question, &position) ? g_ptr_array_index (self->drafts, position) : NULL;
}

static gboolean
is_same (const SlDraft *a,
         const SlDraft *b)
{
  if (a->mode != b->mode || a->raw != b->raw || a->parts->len != b->parts->len)
    return FALSE;
  for (guint i = 0; i < a->parts->len; i++)
    {
      SlMessagePart *x = g_ptr_array_index (a->parts, i), *y = g_ptr_array_index (b->parts, i);

      if (x == y ? sl_message_part_get_kind (x) == SL_PART_PICTURE
                 : sl_message_part_get_text (x) == NULL
                   || g_strcmp0 (sl_message_part_get_text (x), sl_message_part_get_text (y)) != 0)
        return FALSE; /* a picture's detail changes in its place */
    }
  return TRUE;
}

void
sl_history_take_draft (SlHistory *self,
                       SlDraft   *draft)
{
  gboolean known;
  guint position;

  g_return_if_fail (SL_IS_HISTORY (self));

  known = find_draft (self, draft->conversation, draft->question, &position);
  if (known ? is_same (g_ptr_array_index (self->drafts, position), draft) : draft->parts->len == 0)
    {
      sl_draft_free (draft);
      return;
    }
  sl_store_take_draft (self->store, sl_draft_to_record (draft));
  if (known)
    g_ptr_array_remove_index (self->drafts, position);
  if (draft->parts->len > 0)
    g_ptr_array_add (self->drafts, draft);
  else
    sl_draft_free (draft);
}

/* ------------------------------------------------------------------------------------------------ delete, undo, search */

static gboolean
on_purge (gpointer data)
{
  SlHistory *self = data;
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer time;

  g_hash_table_iter_init (&iter, self->deleted);
  while (g_hash_table_iter_next (&iter, NULL, &time))
    if (now - *(gint64 *) time > SL_UNDO_SECONDS * G_USEC_PER_SEC)
      g_hash_table_iter_remove (&iter);
  sl_store_purge (self->store, SL_UNDO_SECONDS);
  if (g_hash_table_size (self->deleted) > 0)
    return G_SOURCE_CONTINUE;
  self->purge_source = 0;
  return G_SOURCE_REMOVE;
}

void
sl_history_delete (SlHistory *self,
                   gint64     id)
{
  SlConversation *conversation;
  g_autofree char *name = NULL;

  g_return_if_fail (SL_IS_HISTORY (self));

  g_signal_emit (self, leaving_signal, 0, id);
  conversation = g_hash_table_lookup (self->open, &id);
  if (conversation != NULL)
    sl_conversation_abandon_answer (conversation);
  g_hash_table_replace (self->deleted, sl_history_box_id (id), sl_history_box_id (g_get_monotonic_time ()));
  sl_history_remove_row (self, id);
  sl_store_delete_conversation (self->store, id);
  name = sl_conversation_dup_session_name (id);
  sl_engine_forget_session (self->engine, name);
  if (self->purge_source == 0)
    self->purge_source = g_timeout_add_seconds (SL_UNDO_SECONDS + 1, on_purge, self);
}

void
sl_history_undo_delete (SlHistory *self,
                        gint64     id)
{
  const gint64 *time;

  g_return_if_fail (SL_IS_HISTORY (self));

  time = g_hash_table_lookup (self->deleted, &id);
  if (time == NULL || g_get_monotonic_time () - *time > SL_UNDO_SECONDS * G_USEC_PER_SEC)
    return;
  g_hash_table_remove (self->deleted, &id);
  sl_store_undelete_conversation (self->store, id); /* its signal brings the row back */
}

void
sl_history_purge (SlHistory *self)
{
  g_return_if_fail (SL_IS_HISTORY (self));

  g_hash_table_remove_all (self->deleted);
  sl_store_purge (self->store, 0);
}

static void
on_found (GObject      *source,
          GAsyncResult *result,
          gpointer      user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  g_autoptr (GPtrArray) hits = sl_store_search_finish (SL_STORE (source), result, &error);
  GListStore *list;

  if (hits == NULL)
    {
      g_task_return_error (task, error);
      return;
    }
  list = g_list_store_new (SL_TYPE_SUMMARY);
  for (guint i = 0; i < hits->len; i++)
    {
      g_autoptr (SlSummary) summary = sl_summary_new (g_ptr_array_index (hits, i));

      g_list_store_append (list, summary);
    }
  g_task_return_pointer (task, list, g_object_unref);
}

void
sl_history_search_async (SlHistory           *self,
                         const char          *query,
                         GCancellable        *cancellable,
                         GAsyncReadyCallback  callback,
                         gpointer             user_data)
{
  GTask *task;

  g_return_if_fail (SL_IS_HISTORY (self));

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, sl_history_search_async);
  sl_store_search_async (self->store, query, SEARCH_LIMIT, cancellable, on_found, task);
}

GListModel *
sl_history_search_finish (SlHistory     *self,
                          GAsyncResult  *result,
                          GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

void
sl_history_shutdown (SlHistory *self)
{
  g_autoptr (GList) conversations = NULL;

  g_return_if_fail (SL_IS_HISTORY (self));

  g_signal_emit (self, leaving_signal, 0, (gint64) 0);
  conversations = g_hash_table_get_values (self->open);
  for (GList *l = conversations; l != NULL; l = l->next)
    {
      g_autoptr (SlConversation) conversation = g_object_ref (l->data);

      sl_conversation_stop (conversation);
      sl_conversation_forget_deleted (conversation);
    }
  sl_engine_shutdown (self->engine);
}
