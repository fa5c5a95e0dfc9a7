/* SPDX-License-Identifier: MIT
 *
 * The list of conversations, kept in line with the store by its conversation-changed signal, and the conversations that are
 * open. UI thread.
 */
#include "app/history/sl-history.h"

#include "app/conversation/sl-conversation.h"

#include <glib/gi18n-lib.h>

#include "app/store/sl-search-text.h"

#define SEARCH_LIMIT  200
#define SNIPPET_CHARS 120

/* ------------------------------------------------------------------------------------------------ summary */

struct _SlSummary
{
  GObject parent_instance;

  gint64 id, message, updated_us;
  char *title, *snippet;
  GDateTime *updated;
  gboolean busy;
};

enum { SUMMARY_PROP_0, PROP_TITLE, PROP_SNIPPET, PROP_UPDATED, PROP_BUSY, N_SUMMARY_PROPS };

static GParamSpec *summary_properties[N_SUMMARY_PROPS];

G_DEFINE_FINAL_TYPE (SlSummary, sl_summary, G_TYPE_OBJECT)

static void
sl_summary_get_property (GObject    *object,
                         guint       id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  SlSummary *self = SL_SUMMARY (object);

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_SNIPPET:
      g_value_set_string (value, self->snippet);
      break;
    case PROP_UPDATED:
      g_value_set_boxed (value, self->updated);
      break;
    case PROP_BUSY:
      g_value_set_boolean (value, self->busy);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_summary_finalize (GObject *object)
{
  SlSummary *self = SL_SUMMARY (object);

  g_free (self->title);
  g_free (self->snippet);
  g_clear_pointer (&self->updated, g_date_time_unref);
  G_OBJECT_CLASS (sl_summary_parent_class)->finalize (object);
}

static void
sl_summary_class_init (SlSummaryClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_summary_get_property;
  object_class->finalize = sl_summary_finalize;
  summary_properties[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, "", flags);
  summary_properties[PROP_SNIPPET] = g_param_spec_string ("snippet", NULL, NULL, "", flags);
  summary_properties[PROP_UPDATED] = g_param_spec_boxed ("updated", NULL, NULL, G_TYPE_DATE_TIME, flags);
  summary_properties[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_SUMMARY_PROPS, summary_properties);
}

static void
sl_summary_init (SlSummary *self)
{
  self->title = g_strdup ("");
  self->snippet = g_strdup ("");
}

static void
set_summary_text (SlSummary   *self,
                  char       **field,
                  const char  *text,
                  guint        property)
{
  if (g_strcmp0 (*field, text) == 0)
    return;
  g_free (*field);
  *field = g_strdup (text);
  g_object_notify_by_pspec (G_OBJECT (self), summary_properties[property]);
}

static void
fill_summary (SlSummary             *self,
              const SlSummaryRecord *record)
{
  set_summary_text (self, &self->title, record->title, PROP_TITLE);
  set_summary_text (self, &self->snippet, record->snippet, PROP_SNIPPET);
  if (self->updated == NULL || self->updated_us != record->updated)
    {
      g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (record->updated / G_USEC_PER_SEC);

      g_clear_pointer (&self->updated, g_date_time_unref);
      self->updated_us = record->updated;
      self->updated = utc != NULL ? g_date_time_to_local (utc) : g_date_time_new_now_local ();
      g_object_notify_by_pspec (G_OBJECT (self), summary_properties[PROP_UPDATED]);
    }
}

static SlSummary *
new_summary (const SlSummaryRecord *record)
{
  SlSummary *self = g_object_new (SL_TYPE_SUMMARY, NULL);

  self->id = record->id;
  self->message = record->message;
  fill_summary (self, record);
  return self;
}

static void
set_summary_busy (SlSummary *self,
                  gboolean   busy)
{
  if (self->busy == busy)
    return;
  self->busy = busy;
  g_object_notify_by_pspec (G_OBJECT (self), summary_properties[PROP_BUSY]);
}

gint64
sl_summary_get_id (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), 0);

  return self->id;
}

const char *
sl_summary_get_title (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), NULL);

  return self->title;
}

const char *
sl_summary_get_snippet (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), NULL);

  return self->snippet;
}

GDateTime *
sl_summary_get_updated (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), NULL);

  return self->updated;
}

gboolean
sl_summary_get_busy (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), FALSE);

  return self->busy;
}

gint64
sl_summary_get_message (SlSummary *self)
{
  g_return_val_if_fail (SL_IS_SUMMARY (self), 0);

  return self->message;
}

/* ------------------------------------------------------------------------------------------------ history */

struct _SlHistory
{
  GObject parent_instance;

  SlStore *store;
  SlEngine *engine;
  GPtrArray *rows;     /* of SlSummary, newest first */
  GHashTable *open;    /* id → SlConversation, not owned: a weak notify takes it out */
  GHashTable *deleted; /* id → time (monotonic µs): hidden, may come back */
  GPtrArray *drafts;   /* of SlDraft */
  GHashTable *unsaved; /* id → SlConversation, owned: its only place is here until the store can save it */
  GCancellable *cancellable;
  guint purge_source;
  gboolean loaded;
};

enum { PROP_0, PROP_LOADED, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint answered_signal;

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

static gint64 *
box_id (gint64 id)
{
  return g_memdup2 (&id, sizeof id);
}

static gboolean
find_row (SlHistory *self,
          gint64     id,
          guint     *position)
{
  for (guint i = 0; i < self->rows->len; i++)
    if (((SlSummary *) g_ptr_array_index (self->rows, i))->id == id)
      {
        *position = i;
        return TRUE;
      }
  return FALSE;
}

static void
remove_row (SlHistory *self,
            gint64     id)
{
  guint position;

  if (!find_row (self, id, &position))
    return;
  g_ptr_array_remove_index (self->rows, position);
  g_list_model_items_changed (G_LIST_MODEL (self), position, 1, 0);
}

static guint
place_for (SlHistory *self,
           gint64     updated)
{
  guint position = 0;

  while (position < self->rows->len && ((SlSummary *) g_ptr_array_index (self->rows, position))->updated_us > updated)
    position++;
  return position;
}

static void
insert_row (SlHistory *self,
            SlSummary *summary) /* taken */
{
  SlConversation *conversation = g_hash_table_lookup (self->open, &summary->id);
  guint position = place_for (self, summary->updated_us);

  summary->busy = conversation != NULL && sl_conversation_is_busy (conversation);
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
      insert_row (self, new_summary (record));
      return;
    }
  summary = g_ptr_array_index (self->rows, position);
  fill_summary (summary, record);
  if ((position == 0 || ((SlSummary *) g_ptr_array_index (self->rows, position - 1))->updated_us >= record->updated)
      && (position + 1 >= self->rows->len
          || ((SlSummary *) g_ptr_array_index (self->rows, position + 1))->updated_us <= record->updated))
    return;
  g_object_ref (summary);
  remove_row (self, record->id);
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
    remove_row (self, call->id);
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
  guint n_messages = g_list_model_get_n_items (G_LIST_MODEL (conversation));
  g_autoptr (SlMessage) leaf = g_list_model_get_item (G_LIST_MODEL (conversation), n_messages - 1);

  record->id = sl_conversation_get_id (conversation);
  record->updated = g_get_real_time ();
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
  g_hash_table_replace (self->unsaved, box_id (id), g_object_ref (conversation));
  show_unsaved (self, conversation);
}

static void
on_pending (SlHistory *self)
{
  if (sl_store_get_pending (self->store) == 0)
    g_hash_table_remove_all (self->unsaved);
}

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
  guint before = self->rows->len;
  GHashTableIter iter;
  gpointer conversation;

  g_ptr_array_set_size (self->rows, 0);
  for (guint i = 0; list != NULL && i < list->len; i++)
    if (!g_hash_table_contains (self->deleted, &((SlSummaryRecord *) g_ptr_array_index (list, i))->id))
      g_ptr_array_add (self->rows, new_summary (g_ptr_array_index (list, i)));
  g_list_model_items_changed (G_LIST_MODEL (self), 0, before, self->rows->len);
  g_hash_table_iter_init (&iter, self->unsaved);
  while (g_hash_table_iter_next (&iter, NULL, &conversation))
    show_unsaved (self, conversation);
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
  guint position;

  if (find_row (self, sl_conversation_get_id (conversation), &position))
    set_summary_busy (g_ptr_array_index (self->rows, position), sl_conversation_is_busy (conversation));
  if (!sl_conversation_is_busy (conversation))
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
  g_hash_table_insert (self->open, box_id (mark->id), conversation);
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
  g_signal_connect_object (store, "conversation-changed", G_CALLBACK (on_conversation_changed), self, 0);
  g_signal_connect_object (store, "conversation-unsaved", G_CALLBACK (on_conversation_unsaved), self, 0);
  g_signal_connect_object (store, "notify::pending", G_CALLBACK (on_pending), self, G_CONNECT_SWAPPED);
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

SlConversation *
sl_history_create (SlHistory *self)
{
  SlConversation *conversation;

  g_return_val_if_fail (SL_IS_HISTORY (self), NULL);

  conversation = sl_conversation_new (self->store, self->engine);
  register_open (self, conversation);
  return conversation;
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
  guint position;

  g_return_if_fail (SL_IS_HISTORY (self));
  g_return_if_fail (title != NULL);

  conversation = g_hash_table_lookup (self->open, &id);
  if (conversation != NULL)
    sl_conversation_set_title (conversation, title);
  else
    sl_store_set_title (self->store, id, title);
  if (find_row (self, id, &position))
    {
      SlSummary *summary = g_ptr_array_index (self->rows, position);

      set_summary_text (summary, &summary->title, title, PROP_TITLE);
    }
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

  conversation = g_hash_table_lookup (self->open, &id);
  if (conversation != NULL)
    sl_conversation_abandon_answer (conversation);
  g_hash_table_replace (self->deleted, box_id (id), box_id (g_get_monotonic_time ()));
  remove_row (self, id);
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
      g_autoptr (SlSummary) summary = new_summary (g_ptr_array_index (hits, i));

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

  conversations = g_hash_table_get_values (self->open);
  for (GList *l = conversations; l != NULL; l = l->next)
    sl_conversation_stop (l->data);
  sl_engine_shutdown (self->engine);
}
