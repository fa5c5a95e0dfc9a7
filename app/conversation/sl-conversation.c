/* SPDX-License-Identifier: MIT
 *
 * The message tree of a conversation and the path through it that is shown. UI thread.
 */
#include "app/conversation/sl-conversation.h"

#include "app/conversation/sl-conversation-private.h"
#include "app/store/sl-search-text.h"

#define TITLE_CHARS 60

enum { PROP_0, PROP_TITLE, PROP_BUSY, PROP_SYSTEM_TEXT, PROP_N_PICTURES, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint choices_signal;

/* ------------------------------------------------------------------------------------------------ list model */

static GType
sl_conversation_get_item_type (GListModel *model)
{
  return SL_TYPE_MESSAGE;
}

static guint
sl_conversation_get_n_items (GListModel *model)
{
  return SL_CONVERSATION (model)->path->len;
}

static gpointer
sl_conversation_get_item (GListModel *model,
                          guint       position)
{
  SlConversation *self = SL_CONVERSATION (model);

  return position < self->path->len ? g_object_ref (g_ptr_array_index (self->path, position)) : NULL;
}

static void
init_list_model (GListModelInterface *iface)
{
  iface->get_item_type = sl_conversation_get_item_type;
  iface->get_n_items = sl_conversation_get_n_items;
  iface->get_item = sl_conversation_get_item;
}

G_DEFINE_FINAL_TYPE_WITH_CODE (SlConversation, sl_conversation, G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, init_list_model))

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_conversation_get_property (GObject    *object,
                              guint       id,
                              GValue     *value,
                              GParamSpec *pspec)
{
  SlConversation *self = SL_CONVERSATION (object);

  switch (id)
    {
    case PROP_TITLE:
      g_value_set_string (value, self->title);
      break;
    case PROP_BUSY:
      g_value_set_boolean (value, sl_conversation_is_busy (self));
      break;
    case PROP_SYSTEM_TEXT:
      g_value_set_string (value, self->system_text);
      break;
    case PROP_N_PICTURES:
      g_value_set_uint (value, self->n_pictures);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_conversation_dispose (GObject *object)
{
  SlConversation *self = SL_CONVERSATION (object);

  g_clear_handle_id (&self->save_source, g_source_remove);
  g_clear_object (&self->deleted);
  g_clear_object (&self->job);
  G_OBJECT_CLASS (sl_conversation_parent_class)->dispose (object);
}

static void
sl_conversation_finalize (GObject *object)
{
  SlConversation *self = SL_CONVERSATION (object);

  g_ptr_array_unref (self->path);
  g_ptr_array_unref (self->roots);
  g_hash_table_unref (self->messages);
  sl_generation_free (self->earlier);
  g_free (self->title);
  g_free (self->system_text);
  g_free (self->engine_id);
  g_free (self->asked_text);
  sl_folder_record_free (self->folder);
  g_object_unref (self->store);
  g_object_unref (self->engine);
  g_object_unref (self->answerer);
  G_OBJECT_CLASS (sl_conversation_parent_class)->finalize (object);
}

static void
sl_conversation_class_init (SlConversationClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_conversation_get_property;
  object_class->dispose = sl_conversation_dispose;
  object_class->finalize = sl_conversation_finalize;
  properties[PROP_TITLE] = g_param_spec_string ("title", NULL, NULL, "", flags);
  properties[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, flags);
  properties[PROP_SYSTEM_TEXT] = g_param_spec_string ("system-text", NULL, NULL, "", flags);
  properties[PROP_N_PICTURES] = g_param_spec_uint ("n-pictures", NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  choices_signal = g_signal_new ("choices-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_conversation_init (SlConversation *self)
{
  self->title = g_strdup ("");
  self->system_text = g_strdup ("");
  self->engine_id = g_strdup ("");
  self->messages = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, g_object_unref);
  self->roots = g_ptr_array_new ();
  self->path = g_ptr_array_new_with_free_func (g_object_unref);
}

SlConversation *
sl_conversation_new (SlStore  *store,
                     SlEngine *engine)
{
  SlConversation *self = g_object_new (SL_TYPE_CONVERSATION, NULL);

  self->store = g_object_ref (store);
  self->engine = g_object_ref (engine);
  self->answerer = g_object_ref (SL_ANSWERER (engine));
  self->id = sl_store_new_id (store);
  self->created = g_get_real_time ();
  return self;
}

/* ------------------------------------------------------------------------------------------------ tree */

static GPtrArray *
children_of (SlConversation *self,
             SlMessage      *parent)
{
  return parent != NULL ? sl_message_get_children (parent) : self->roots;
}

static void
own (SlConversation *self,
     SlMessage      *message)
{
  gint64 id = sl_message_get_id (message);

  g_hash_table_insert (self->messages, g_memdup2 (&id, sizeof id), message);
}

SlMessage *
sl_conversation_get_leaf (SlConversation *self)
{
  return self->path->len > 0 ? g_ptr_array_index (self->path, self->path->len - 1) : NULL;
}

static void
count_pictures (SlConversation *self)
{
  g_autoptr (GPtrArray) pictures = sl_conversation_list_pictures (self, NULL);

  if (self->n_pictures == pictures->len)
    return;
  self->n_pictures = pictures->len;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_N_PICTURES]);
}

static void
place_path (SlConversation *self)
{
  for (guint i = 0; i < self->path->len; i++)
    {
      SlMessage *message = g_ptr_array_index (self->path, i);
      GPtrArray *siblings = sl_message_get_siblings (message);
      guint position = 0;

      g_ptr_array_find (siblings, message, &position);
      sl_message_set_place (message, position, siblings->len);
    }
}

void
sl_conversation_show (SlConversation *self,
                      SlMessage      *leaf)
{
  g_autoptr (GPtrArray) old = self->path;
  guint common = 0;

  self->path = g_ptr_array_new_with_free_func (g_object_unref);
  for (SlMessage *message = leaf; message != NULL; message = sl_message_get_parent (message))
    g_ptr_array_insert (self->path, 0, g_object_ref (message));
  while (common < old->len && common < self->path->len
         && g_ptr_array_index (old, common) == g_ptr_array_index (self->path, common))
    common++;
  place_path (self);
  if (old->len > common || self->path->len > common)
    g_list_model_items_changed (G_LIST_MODEL (self), common, old->len - common, self->path->len - common);
  count_pictures (self);
}

void
sl_conversation_adopt (SlConversation *self,
                       SlMessage      *message,
                       SlMessage      *parent)
{
  GPtrArray *siblings = children_of (self, parent);
  guint ordinal = siblings->len > 0 ? sl_message_get_ordinal (g_ptr_array_index (siblings, siblings->len - 1)) + 1 : 0;

  own (self, message);
  sl_message_link (message, parent, siblings, ordinal);
  g_ptr_array_add (siblings, message);
  sl_conversation_show (self, message);
}

static int
compare_ordinals (gconstpointer a,
                  gconstpointer b)
{
  SlMessage *first = *(SlMessage *const *) a, *second = *(SlMessage *const *) b;
  guint x = sl_message_get_ordinal (first), y = sl_message_get_ordinal (second);

  return (x > y) - (x < y);
}

static SlMessage *
message_from_record (SlConversation        *self,
                     const SlMessageRecord *record)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < record->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (record->parts, i);
      g_autofree char *path = part->kind == SL_PART_PICTURE && part->sha256 != NULL && part->extension != NULL
                                ? sl_store_dup_picture_path (self->store, part->sha256, part->extension)
                                : NULL;

      g_ptr_array_add (parts, sl_message_part_new_from_record (part, path));
    }
  if (parts->len == 0)
    g_ptr_array_add (parts, sl_message_part_new_text (""));
  return sl_message_new_from_record (record, parts);
}

/* They come in their order, as good as always; there may be thousands. */
static void
sort_last (GPtrArray *siblings)
{
  if (siblings->len > 1 && compare_ordinals (&siblings->pdata[siblings->len - 2], &siblings->pdata[siblings->len - 1]) > 0)
    g_ptr_array_sort (siblings, compare_ordinals);
}

SlConversation *
sl_conversation_new_from_record (SlStore                    *store,
                                 SlEngine                   *engine,
                                 const SlConversationRecord *record)
{
  SlConversation *self = sl_conversation_new (store, engine);
  SlMessage *leaf, *newest = NULL;

  self->id = record->id;
  self->created = record->created;
  self->stored = TRUE;
  g_free (self->title);
  self->title = g_strdup (record->title);
  g_free (self->system_text);
  self->system_text = g_strdup (record->system_text);
  g_free (self->engine_id);
  self->engine_id = g_strdup (record->engine != NULL ? record->engine : "");
  self->choices = sl_choices_from_json (record->choices);
  self->folder = record->folder != NULL ? sl_folder_record_copy (record->folder) : NULL;
  for (guint i = 0; i < record->messages->len; i++)
    {
      const SlMessageRecord *row = g_ptr_array_index (record->messages, i);
      SlMessage *parent = row->parent != 0 ? g_hash_table_lookup (self->messages, &row->parent) : NULL;
      SlMessage *message;

      if (row->parent != 0 && parent == NULL) /* its parent is deleted */
        continue;
      message = message_from_record (self, row);
      own (self, message);
      sl_message_link (message, parent, children_of (self, parent), row->ordinal);
      g_ptr_array_add (children_of (self, parent), message);
      sort_last (children_of (self, parent));
      newest = message;
    }
  leaf = g_hash_table_lookup (self->messages, &record->leaf);
  sl_conversation_show (self, leaf != NULL ? leaf : newest);
  return self;
}

/* ------------------------------------------------------------------------------------------------ saving */

void
sl_conversation_save_message (SlConversation *self,
                              SlMessage      *message,
                              gboolean        leaf)
{
  g_autoptr (SlMessageRecord) record = sl_message_to_record (message);

  record->conversation = self->id;
  sl_store_put_message (self->store, record, leaf);
  for (guint i = 0; i < record->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (record->parts, i);
      g_autofree char *path = NULL;

      if (part->bytes == NULL)
        continue;
      path = sl_store_dup_picture_path (self->store, part->sha256, part->extension);
      sl_message_part_set_path (sl_message_get_part (message, i), path);
    }
}

static void
save_row (SlConversation *self)
{
  g_autofree char *choices = sl_choices_to_json (&self->choices);
  SlConversationRecord record = { .id = self->id, .created = self->created, .updated = self->created, .title = self->title,
                                  .system_text = self->system_text, .engine = self->engine_id, .choices = choices };
  g_autoptr (GPtrArray) none = g_ptr_array_new ();

  record.messages = none;
  sl_store_put_conversation (self->store, &record);
}

static void
change_title (SlConversation *self,
              const char     *title)
{
  g_free (self->title);
  self->title = g_strdup (title);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TITLE]);
}

void
sl_conversation_ensure_stored (SlConversation *self,
                               GPtrArray      *parts)
{
  for (guint i = 0; i < parts->len && self->title[0] == '\0'; i++)
    {
      const char *text = sl_message_part_get_text (g_ptr_array_index (parts, i));
      g_autofree char *title = text != NULL ? sl_search_text_snippet (text, NULL, TITLE_CHARS) : NULL;

      if (title == NULL || title[0] == '\0')
        continue;
      change_title (self, title);
      if (self->stored)
        sl_store_set_title (self->store, self->id, title);
    }
  if (self->stored)
    return;
  self->stored = TRUE;
  save_row (self);
}

/* ------------------------------------------------------------------------------------------------ public */

char *
sl_conversation_dup_session_name (gint64 id)
{
  return g_strdup_printf ("%" G_GINT64_FORMAT, id);
}

gint64
sl_conversation_get_id (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), 0);

  return self->id;
}

const char *
sl_conversation_get_title (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  return self->title;
}

void
sl_conversation_set_title (SlConversation *self,
                           const char     *title)
{
  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (title != NULL);

  if (g_strcmp0 (title, self->title) == 0)
    return;
  change_title (self, title);
  if (self->stored)
    sl_store_set_title (self->store, self->id, self->title);
}

const char *
sl_conversation_get_system_text (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  return self->system_text;
}

void
sl_conversation_set_system_text (SlConversation *self,
                                 const char     *text)
{
  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (text != NULL);

  if (g_strcmp0 (text, self->system_text) == 0)
    return;
  g_free (self->system_text);
  self->system_text = g_strdup (text);
  if (self->stored)
    save_row (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SYSTEM_TEXT]);
}

SlAnswerer *
sl_conversation_get_answerer (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  return self->answerer;
}

const char *
sl_conversation_get_engine_id (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), "");

  return self->engine_id;
}

void
sl_conversation_set_answerer (SlConversation *self,
                              SlAnswerer     *answerer)
{
  SlAnswerer *chosen;
  const char *id;

  g_return_if_fail (SL_IS_CONVERSATION (self));

  chosen = answerer != NULL ? answerer : SL_ANSWERER (self->engine);
  id = sl_answerer_get_id (chosen);
  g_set_object (&self->answerer, chosen);
  if (g_strcmp0 (id, self->engine_id) == 0)
    return;
  g_free (self->engine_id);
  self->engine_id = g_strdup (id);
  if (self->stored)
    save_row (self);
}

const SlChoices *
sl_conversation_get_choices (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  return &self->choices;
}

void
sl_conversation_set_choices (SlConversation  *self,
                             const SlChoices *choices)
{
  g_return_if_fail (SL_IS_CONVERSATION (self));

  if (sl_choices_equal (&self->choices, choices))
    return;
  self->choices = *choices;
  if (self->stored)
    save_row (self);
  g_signal_emit (self, choices_signal, 0);
}

SlSettings
sl_conversation_get_settings (SlConversation *self,
                              SlMode          mode)
{
  SlSettings settings = sl_settings_for_mode (mode);

  g_return_val_if_fail (SL_IS_CONVERSATION (self), settings);

  sl_choices_apply (&self->choices, &settings);
  return settings;
}

gboolean
sl_conversation_is_busy (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), FALSE);

  return self->answering != NULL;
}

void
sl_conversation_notify_busy (SlConversation *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BUSY]);
}

SlMessage *
sl_conversation_get_answering (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  return self->answering;
}

guint
sl_conversation_get_n_pictures (SlConversation *self)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), 0);

  return self->n_pictures;
}

void
sl_conversation_select_sibling (SlConversation *self,
                                SlMessage      *message,
                                guint           position)
{
  GPtrArray *siblings;
  SlMessage *leaf;

  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (SL_IS_MESSAGE (message));

  siblings = sl_message_get_siblings (message);
  g_return_if_fail (position < siblings->len);
  leaf = sl_message_newest_below (g_ptr_array_index (siblings, position));
  sl_conversation_show (self, leaf);
  sl_store_set_leaf (self->store, self->id, sl_message_get_id (leaf));
}

SlMessage *
sl_conversation_find (SlConversation *self,
                      gint64          id)
{
  SlMessage *message;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  message = g_hash_table_lookup (self->messages, &id);
  return self->deleted != NULL && sl_message_is_below (message, self->deleted) ? NULL : message;
}

SlMessage *
sl_conversation_reveal (SlConversation *self,
                        gint64          id)
{
  SlMessage *message = sl_conversation_find (self, id), *leaf;

  if (message == NULL || g_ptr_array_find (self->path, message, NULL))
    return message;
  leaf = sl_message_newest_below (message);
  sl_conversation_show (self, leaf);
  sl_store_set_leaf (self->store, self->id, sl_message_get_id (leaf));
  return message;
}
