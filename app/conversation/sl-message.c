/* SPDX-License-Identifier: MIT
 *
 * One message: its parts, the stream of an answer, its links in the tree; its boxes are sl-message-boxes.c's. Changed by
 * SlConversation only; UI thread.
 */
#include "app/conversation/sl-message-private.h"

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
  g_clear_pointer (&self->reader, sl_box_reader_free);
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
  sl_message_part_append_text (g_ptr_array_index (self->parts, 0), delta);
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

SlMessage *
sl_message_newest_below (SlMessage *message)
{
  for (;;)
    {
      GPtrArray *children = sl_message_get_children (message);

      if (children->len == 0)
        return message;
      message = g_ptr_array_index (children, children->len - 1);
    }
}

gboolean
sl_message_is_below (SlMessage *message,
                     SlMessage *ancestor)
{
  for (; message != NULL; message = sl_message_get_parent (message))
    if (message == ancestor)
      return TRUE;
  return FALSE;
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

gboolean
sl_message_get_settings (SlMessage  *self,
                         SlSettings *settings)
{
  const SlGeneration *generation = sl_message_get_generation (self);

  if (generation == NULL || generation->model[0] == '\0')
    return FALSE;
  *settings = sl_settings_for_mode (self->mode);
  settings->sampling = (SlSampling) { generation->temperature, generation->top_p, generation->top_k,
                                      generation->repetition_penalty };
  settings->seed = generation->seed;
  settings->max_tokens = generation->max_tokens;
  settings->constrain_boxes = generation->constrained;
  return TRUE;
}

gboolean
sl_message_can_continue (SlMessage *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE (self), FALSE);

  if (self->role != SL_ROLE_ASSISTANT || self->children->len > 0)
    return FALSE;
  return self->status == SL_MESSAGE_STOPPED || self->status == SL_MESSAGE_INTERRUPTED
         || (self->status == SL_MESSAGE_COMPLETE && self->generation != NULL && self->generation->stop == SL_STOP_MAX_TOKENS);
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
