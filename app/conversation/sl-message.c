/* SPDX-License-Identifier: MIT
 *
 * One message: its parts, the stream of an answer, its boxes, its links in the tree. Changed by SlConversation only; UI thread.
 */
#include "app/conversation/sl-message.h"

#include "app/conversation/sl-message-private.h"

struct _SlMessage
{
  GObject parent_instance;

  gint64 id;
  SlRole role;
  SlMode mode;
  gboolean raw;
  SlMessageStatus status;
  GDateTime *created;
  GPtrArray *parts; /* of SlMessagePart */
  GString *text;
  SlJob *job;
  SlGeneration *generation;
  GListStore *boxes; /* of SlBoxItem */
  char *box_picture;
  guint sibling, n_siblings, ordinal;

  /* tree */
  SlMessage *parent;   /* borrowed */
  GPtrArray *children; /* borrowed messages */
  GPtrArray *siblings; /* borrowed: the parent's children or the conversation's roots */
};

enum { PROP_0, PROP_STATUS, PROP_TEXT, PROP_JOB, PROP_N_SIBLINGS, PROP_SIBLING, PROP_BOX_PICTURE, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint text_appended_signal;

G_DEFINE_FINAL_TYPE (SlMessage, sl_message, G_TYPE_OBJECT)

static void
sl_message_get_property (GObject    *object,
                         guint       id,
                         GValue     *value,
                         GParamSpec *pspec)
{
  SlMessage *self = SL_MESSAGE (object);

  switch (id)
    {
    case PROP_STATUS:
      g_value_set_int (value, self->status);
      break;
    case PROP_TEXT:
      g_value_set_string (value, self->text->str);
      break;
    case PROP_JOB:
      g_value_set_object (value, self->job);
      break;
    case PROP_N_SIBLINGS:
      g_value_set_uint (value, self->n_siblings);
      break;
    case PROP_SIBLING:
      g_value_set_uint (value, self->sibling);
      break;
    case PROP_BOX_PICTURE:
      g_value_set_string (value, self->box_picture);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_message_dispose (GObject *object)
{
  SlMessage *self = SL_MESSAGE (object);

  g_clear_object (&self->job);
  g_clear_object (&self->boxes);
  g_clear_pointer (&self->parts, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_message_parent_class)->dispose (object);
}

static void
sl_message_finalize (GObject *object)
{
  SlMessage *self = SL_MESSAGE (object);

  g_date_time_unref (self->created);
  g_string_free (self->text, TRUE);
  sl_generation_free (self->generation);
  g_free (self->box_picture);
  g_ptr_array_unref (self->children);
  G_OBJECT_CLASS (sl_message_parent_class)->finalize (object);
}

static void
sl_message_class_init (SlMessageClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_message_get_property;
  object_class->dispose = sl_message_dispose;
  object_class->finalize = sl_message_finalize;

  properties[PROP_STATUS] = g_param_spec_int ("status", NULL, NULL, 0, SL_MESSAGE_INTERRUPTED, 0, flags);
  properties[PROP_TEXT] = g_param_spec_string ("text", NULL, NULL, "", flags);
  properties[PROP_JOB] = g_param_spec_object ("job", NULL, NULL, SL_TYPE_JOB, flags);
  properties[PROP_N_SIBLINGS] = g_param_spec_uint ("n-siblings", NULL, NULL, 0, G_MAXUINT, 1, flags);
  properties[PROP_SIBLING] = g_param_spec_uint ("sibling", NULL, NULL, 0, G_MAXUINT, 0, flags);
  properties[PROP_BOX_PICTURE] = g_param_spec_string ("box-picture", NULL, NULL, NULL, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  text_appended_signal = g_signal_new ("text-appended", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                       G_TYPE_NONE, 1, G_TYPE_STRING | G_SIGNAL_TYPE_STATIC_SCOPE);
}

static void
sl_message_init (SlMessage *self)
{
  self->text = g_string_new (NULL);
  self->boxes = g_list_store_new (SL_TYPE_BOX_ITEM);
  self->children = g_ptr_array_new ();
  self->n_siblings = 1;
}

static void
join_text (SlMessage *self)
{
  g_string_truncate (self->text, 0);
  for (guint i = 0; i < self->parts->len; i++)
    {
      const char *text = sl_message_part_get_text (g_ptr_array_index (self->parts, i));

      if (text == NULL)
        continue;
      if (self->text->len > 0)
        g_string_append_c (self->text, '\n');
      g_string_append (self->text, text);
    }
}

static SlMessage *
new_message (gint64     id,
             SlRole     role,
             SlMode     mode,
             gboolean   raw,
             gint64     created,
             GPtrArray *parts)
{
  SlMessage *self = g_object_new (SL_TYPE_MESSAGE, NULL);
  g_autoptr (GDateTime) utc = g_date_time_new_from_unix_utc (created / G_USEC_PER_SEC);

  self->id = id;
  self->role = role;
  self->mode = mode;
  self->raw = raw;
  self->created = utc != NULL ? g_date_time_to_local (utc) : g_date_time_new_now_local ();
  self->parts = g_ptr_array_ref (parts);
  join_text (self);
  return self;
}

SlMessage *
sl_message_new (gint64     id,
                SlRole     role,
                SlMode     mode,
                gboolean   raw,
                GPtrArray *parts)
{
  return new_message (id, role, mode, raw, g_get_real_time (), parts);
}

SlMessage *
sl_message_new_from_record (const SlMessageRecord *record,
                            GPtrArray             *parts)
{
  SlMessage *self = new_message (record->id, record->role, record->mode, record->raw, record->created, parts);

  self->status = record->status;
  self->ordinal = record->ordinal;
  self->box_picture = g_strdup (record->box_picture);
  if (record->generation != NULL)
    self->generation = sl_generation_copy (record->generation);
  for (guint i = 0; i < record->boxes->len; i++)
    {
      SlBoxRecord *copy = sl_box_record_copy (g_ptr_array_index (record->boxes, i));
      g_autoptr (SlBoxItem) box = sl_box_item_new (copy);

      if (self->generation != NULL && copy->kind == SL_BOX_KIND_MODEL)
        copy->overlap = sl_generation_get_overlap (self->generation, copy->start, copy->end, copy->coords, copy->spread);
      sl_message_add_box (self, box);
    }
  return self;
}

SlMessageRecord *
sl_message_to_record (SlMessage *self)
{
  SlMessageRecord *record = sl_message_record_new ();

  record->id = self->id;
  record->parent = self->parent != NULL ? self->parent->id : 0;
  record->ordinal = self->ordinal;
  record->role = self->role;
  record->mode = self->mode;
  record->raw = self->raw;
  record->status = self->status;
  record->created = g_date_time_to_unix (self->created) * G_USEC_PER_SEC + g_date_time_get_microsecond (self->created);
  record->box_picture = g_strdup (self->box_picture);
  if (self->generation != NULL)
    record->generation = sl_generation_copy (self->generation);
  for (guint i = 0; i < self->parts->len; i++)
    g_ptr_array_add (record->parts, sl_message_part_to_record (g_ptr_array_index (self->parts, i)));
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->boxes)); i++)
    {
      g_autoptr (SlBoxItem) box = g_list_model_get_item (G_LIST_MODEL (self->boxes), i);

      g_ptr_array_add (record->boxes, sl_box_record_copy (sl_box_item_get_record (box)));
    }
  return record;
}

/* ------------------------------------------------------------------------------------------------ changes */

void
sl_message_append_text (SlMessage  *self,
                        const char *delta)
{
  g_string_append (self->text, delta);
  sl_message_part_set_text (g_ptr_array_index (self->parts, 0), self->text->str);
  g_signal_emit (self, text_appended_signal, 0, delta);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TEXT]);
}

void
sl_message_set_status (SlMessage       *self,
                       SlMessageStatus  status)
{
  if (self->status == status)
    return;
  self->status = status;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_STATUS]);
}

void
sl_message_set_job (SlMessage *self,
                    SlJob     *job)
{
  if (g_set_object (&self->job, job))
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_JOB]);
}

void
sl_message_take_generation (SlMessage    *self,
                            SlGeneration *generation)
{
  sl_generation_free (self->generation);
  self->generation = generation;
}

void
sl_message_set_place (SlMessage *self,
                      guint      sibling,
                      guint      n_siblings)
{
  gboolean moved = self->sibling != sibling, grown = self->n_siblings != n_siblings;

  self->sibling = sibling;
  self->n_siblings = n_siblings;
  if (moved)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SIBLING]);
  if (grown)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_N_SIBLINGS]);
}

/* ------------------------------------------------------------------------------------------------ boxes */

static SlBoxItem *
peek_box (SlMessage *self,
          guint      position)
{
  g_autoptr (SlBoxItem) box = g_list_model_get_item (G_LIST_MODEL (self->boxes), position);

  return box;
}

static guint
count_boxes (SlMessage *self)
{
  return g_list_model_get_n_items (G_LIST_MODEL (self->boxes));
}

void
sl_message_set_box_picture (SlMessage  *self,
                            const char *sha256)
{
  g_autofree char *copy = g_strdup (sha256);

  if (g_strcmp0 (copy, self->box_picture) == 0)
    return;
  g_free (self->box_picture);
  self->box_picture = g_steal_pointer (&copy);
  for (guint i = 0; i < count_boxes (self); i++)
    {
      SlBoxItem *box = peek_box (self, i);
      SlBoxRecord *record = sl_box_record_copy (sl_box_item_get_record (box));

      g_free (record->picture);
      record->picture = g_strdup (self->box_picture);
      sl_box_item_take_record (box, record);
    }
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BOX_PICTURE]);
}

static SlBoxRecord *
describe_box (SlMessage   *self,
              const SlBox *box,
              gint64       id)
{
  const SlGeneration *generation = sl_message_get_generation (self);
  SlBoxRecord *record = sl_box_record_new ();

  record->id = id;
  record->kind = SL_BOX_KIND_MODEL;
  record->label = g_strdup (box->label != NULL ? box->label : "");
  record->label_index = box->label_index;
  record->reason = box->reason;
  record->status = box->status;
  record->picture = g_strdup (self->box_picture);
  record->start = box->start;
  record->end = box->end;
  if (box->status == SL_BOX_OK || box->status == SL_BOX_CLAMPED)
    for (int i = 0; i < 4; i++)
      record->coords[i] = box->coords[i];
  /* While it streams the record counts from the last start of the answer; the end settles it. */
  if (generation != NULL && self->status != SL_MESSAGE_STREAMING)
    {
      record->confidence = sl_generation_get_confidence (generation, box->numbers_start, box->numbers_end);
      record->overlap = sl_generation_get_overlap (generation, box->numbers_start, box->numbers_end, record->coords, record->spread);
    }
  return record;
}

/* Position of the next box of the model at or behind `from`; the number of boxes if there is none. */
static guint
next_model_box (SlMessage *self,
                guint      from)
{
  guint n = count_boxes (self);

  while (from < n && sl_box_item_get_kind (peek_box (self, from)) != SL_BOX_KIND_MODEL)
    from++;
  return from;
}

/* The user's own boxes stand last, so a new box of the model goes before them. */
static guint
end_of_model_boxes (SlMessage *self)
{
  guint end = count_boxes (self);

  while (end > 0 && sl_box_item_get_kind (peek_box (self, end - 1)) == SL_BOX_KIND_EDITED
         && sl_box_item_get_origin (peek_box (self, end - 1)) == 0)
    end--;
  return end;
}

void
sl_message_update_boxes (SlMessage *self)
{
  g_autoptr (SlGrounding) grounding = sl_grounding_parse (self->text->str, self->text->len);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);
  guint at = 0;

  for (gsize i = 0; i < n_boxes; i++, at++)
    {
      at = next_model_box (self, at);
      if (at < count_boxes (self))
        {
          SlBoxItem *box = peek_box (self, at);

          sl_box_item_take_record (box, describe_box (self, &boxes[i], sl_box_item_get_id (box)));
        }
      else
        {
          g_autoptr (SlBoxItem) box = sl_box_item_new (describe_box (self, &boxes[i], 0));

          at = end_of_model_boxes (self);
          g_list_store_insert (self->boxes, at, box);
        }
    }
  /* What looked like a box may turn out to be none. */
  while ((at = next_model_box (self, at)) < count_boxes (self))
    g_list_store_remove (self->boxes, at);
}

void
sl_message_add_box (SlMessage *self,
                    SlBoxItem *box)
{
  gint64 origin = sl_box_item_get_origin (box);
  guint n = count_boxes (self);

  for (guint i = 0; origin != 0 && i < n; i++)
    if (sl_box_item_get_id (peek_box (self, i)) == origin)
      {
        g_list_store_insert (self->boxes, i + 1, box);
        return;
      }
  g_list_store_append (self->boxes, box);
}

void
sl_message_remove_box (SlMessage *self,
                       SlBoxItem *box)
{
  guint position;

  if (g_list_store_find (self->boxes, box, &position))
    g_list_store_remove (self->boxes, position);
}

/* ------------------------------------------------------------------------------------------------ tree */

SlMessage *
sl_message_get_parent (SlMessage *self)
{
  return self->parent;
}

guint
sl_message_get_ordinal (SlMessage *self)
{
  return self->ordinal;
}

void
sl_message_link (SlMessage *self,
                 SlMessage *parent,
                 GPtrArray *siblings,
                 guint      ordinal)
{
  self->parent = parent;
  self->siblings = siblings;
  self->ordinal = ordinal;
}

GPtrArray *
sl_message_get_children (SlMessage *self)
{
  return self->children;
}

GPtrArray *
sl_message_get_siblings (SlMessage *self)
{
  return self->siblings;
}

/* ------------------------------------------------------------------------------------------------ reading */

gint64
sl_message_get_id (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), 0);

  return self->id;
}

SlRole
sl_message_get_role (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), SL_ROLE_USER);

  return self->role;
}

SlMode
sl_message_get_mode (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), SL_MODE_CHAT);

  return self->mode;
}

gboolean
sl_message_get_raw (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), FALSE);

  return self->raw;
}

GDateTime *
sl_message_get_created (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);

  return self->created;
}

SlMessageStatus
sl_message_get_status (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), SL_MESSAGE_FAILED);

  return self->status;
}

guint
sl_message_get_n_parts (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), 0);

  return self->parts->len;
}

SlMessagePart *
sl_message_get_part (SlMessage *self,
                     guint      position)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);
  g_return_val_if_fail (position < self->parts->len, NULL);

  return g_ptr_array_index (self->parts, position);
}

const char *
sl_message_get_text (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);

  return self->text->str;
}

SlJob *
sl_message_get_job (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);

  return self->job;
}

const SlGeneration *
sl_message_get_generation (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);

  return self->job != NULL ? sl_job_get_generation (self->job) : self->generation;
}

GListModel *
sl_message_get_boxes (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);

  return G_LIST_MODEL (self->boxes);
}

const char *
sl_message_get_box_picture (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);

  return self->box_picture;
}

guint
sl_message_get_n_siblings (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), 0);

  return self->n_siblings;
}

guint
sl_message_get_sibling (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), 0);

  return self->sibling;
}
