/* SPDX-License-Identifier: MIT
 *
 * A user's boxes beside the model's, and which picture boxes lie on. Each change is queued to the store at once. UI thread.
 */
#include "app/conversation/sl-conversation-private.h"

void
sl_conversation_number_boxes (SlConversation *self,
                              SlMessage      *message)
{
  GListModel *boxes = sl_message_get_boxes (message);

  for (guint i = 0; i < g_list_model_get_n_items (boxes); i++)
    {
      g_autoptr (SlBoxItem) box = g_list_model_get_item (boxes, i);
      SlBoxRecord *record;

      if (sl_box_item_get_id (box) != 0)
        continue;
      record = sl_box_record_copy (sl_box_item_get_record (box));
      record->id = sl_store_new_id (self->store);
      sl_box_item_take_record (box, record);
    }
}

void
sl_conversation_set_box_space (SlConversation   *self,
                               SlMessage        *answer,
                               const SlBoxSpace *space)
{
  g_autofree char *text = sl_box_space_to_text (space);

  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (SL_IS_MESSAGE (answer));

  if (answer == self->answering)
    return;
  sl_message_set_boxes_as (answer, text);
  sl_conversation_number_boxes (self, answer);
  sl_conversation_save_message (self, answer, FALSE);
}

void
sl_conversation_set_box_picture (SlConversation *self,
                                 SlMessage      *answer,
                                 const char     *sha256)
{
  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (SL_IS_MESSAGE (answer));

  sl_message_set_box_picture (answer, sha256);
  sl_store_set_box_picture (self->store, sl_message_get_id (answer), sl_message_get_box_picture (answer));
}

GPtrArray *
sl_conversation_list_pictures (SlConversation *self,
                               SlMessage      *until)
{
  GPtrArray *pictures;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  pictures = g_ptr_array_new ();
  for (SlMessage *message = until != NULL ? until : sl_conversation_get_leaf (self); message != NULL;
       message = sl_message_get_parent (message))
    for (guint p = sl_message_get_n_parts (message); p > 0; p--)
      if (sl_message_part_get_kind (sl_message_get_part (message, p - 1)) == SL_PART_PICTURE)
        g_ptr_array_insert (pictures, 0, sl_message_get_part (message, p - 1));
  return pictures;
}

SlMessagePart *
sl_conversation_find_picture (SlConversation *self,
                              SlMessage      *answer)
{
  g_autoptr (GPtrArray) parts = sl_conversation_list_pictures (self, answer);
  const char *sha256 = sl_message_get_box_picture (answer);

  for (guint i = parts->len; sha256 != NULL && i > 0; i--)
    if (g_strcmp0 (sl_message_part_get_sha256 (parts->pdata[i - 1]), sha256) == 0)
      return parts->pdata[i - 1];
  return NULL;
}

void
sl_conversation_accept_box (SlConversation *self,
                            SlMessage      *answer,
                            SlBoxItem      *box,
                            gboolean        accepted)
{
  SlBoxRecord *record;

  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (SL_IS_BOX_ITEM (box));
  g_return_if_fail (answer != self->answering);

  if (sl_box_item_get_record (box)->accepted == accepted)
    return;
  record = sl_box_record_copy (sl_box_item_get_record (box));
  record->accepted = accepted;
  sl_store_put_box (self->store, sl_message_get_id (answer), record);
  sl_box_item_take_record (box, record);
}

static void
set_rectangle (SlBoxRecord *record,
               const char  *label,
               const int    coords[4])
{
  int x1 = CLAMP (coords[0], 0, 999), y1 = CLAMP (coords[1], 0, 999);
  int x2 = CLAMP (coords[2], 0, 999), y2 = CLAMP (coords[3], 0, 999);

  g_free (record->label);
  record->label = g_utf8_make_valid (label != NULL ? label : "", -1);
  record->coords[0] = MIN (x1, x2);
  record->coords[1] = MIN (y1, y2);
  record->coords[2] = MAX (x1, x2);
  record->coords[3] = MAX (y1, y2);
}

/* A record of the user's, with everything but label and rectangle. */
static SlBoxRecord *
make_record (SlConversation *self,
             SlMessage      *answer,
             SlBoxItem      *origin,
             SlBoxStatus     status)
{
  SlBoxRecord *record = sl_box_record_new ();

  record->id = sl_store_new_id (self->store);
  record->kind = SL_BOX_KIND_EDITED;
  record->status = status;
  record->picture = g_strdup (sl_message_get_box_picture (answer));
  if (origin != NULL)
    {
      const SlBoxRecord *model = sl_box_item_get_record (origin);

      record->origin = model->id;
      record->label_index = model->label_index;
      record->start = model->start;
      record->end = model->end;
    }
  return record;
}

static SlBoxItem *
take_record (SlConversation *self,
             SlMessage      *answer,
             SlBoxRecord    *record)
{
  g_autoptr (SlBoxItem) box = sl_box_item_new (record);

  sl_store_put_box (self->store, sl_message_get_id (answer), record);
  sl_message_add_box (answer, box);
  return box; /* the message holds it */
}

SlBoxItem *
sl_conversation_add_box (SlConversation *self,
                         SlMessage      *answer,
                         SlBoxItem      *origin,
                         const char     *label,
                         const int       coords[4])
{
  SlBoxRecord *record;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (answer), NULL);
  g_return_val_if_fail (answer != self->answering, NULL);

  record = make_record (self, answer, origin, SL_BOX_OK);
  set_rectangle (record, label, coords);
  return take_record (self, answer, record);
}

SlBoxItem *
sl_conversation_discard_box (SlConversation *self,
                             SlMessage      *answer,
                             SlBoxItem      *origin)
{
  SlBoxRecord *record;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (sl_box_item_get_kind (origin) == SL_BOX_KIND_MODEL, NULL);
  g_return_val_if_fail (answer != self->answering, NULL);

  record = make_record (self, answer, origin, SL_BOX_REJECTED);
  record->label = g_strdup (sl_box_item_get_label (origin));
  return take_record (self, answer, record);
}

void
sl_conversation_change_box (SlConversation *self,
                            SlMessage      *answer,
                            SlBoxItem      *edited,
                            const char     *label,
                            const int       coords[4])
{
  SlBoxRecord *record;

  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (sl_box_item_get_kind (edited) == SL_BOX_KIND_EDITED);

  record = sl_box_record_copy (sl_box_item_get_record (edited));
  set_rectangle (record, label, coords);
  sl_store_put_box (self->store, sl_message_get_id (answer), record);
  sl_box_item_take_record (edited, record);
}

void
sl_conversation_remove_box (SlConversation *self,
                            SlMessage      *answer,
                            SlBoxItem      *edited)
{
  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (sl_box_item_get_kind (edited) == SL_BOX_KIND_EDITED);

  sl_store_remove_box (self->store, sl_box_item_get_id (edited));
  sl_message_remove_box (answer, edited);
}

static gboolean
has_place (SlMessage *answer)
{
  GListModel *boxes = sl_message_get_boxes (answer);
  int coords[4];

  for (guint i = 0; i < g_list_model_get_n_items (boxes); i++)
    {
      g_autoptr (SlBoxItem) box = g_list_model_get_item (boxes, i);

      if (sl_box_item_get_coords (box, coords))
        return TRUE;
    }
  return FALSE;
}

static int
compare_ids (gconstpointer a,
             gconstpointer b)
{
  gint64 x = sl_message_get_id (*(SlMessage *const *) a), y = sl_message_get_id (*(SlMessage *const *) b);

  return (x > y) - (x < y);
}

GPtrArray *
sl_conversation_list_located (SlConversation *self,
                              const char     *sha256)
{
  GPtrArray *answers = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer message;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), answers);

  g_hash_table_iter_init (&iter, self->messages);
  while (g_hash_table_iter_next (&iter, NULL, &message))
    if (sl_message_get_role (message) == SL_ROLE_ASSISTANT && message != self->answering && sha256 != NULL &&
        g_strcmp0 (sl_message_get_box_picture (message), sha256) == 0 && has_place (message))
      g_ptr_array_add (answers, message);
  g_ptr_array_sort (answers, compare_ids);
  return answers;
}

SlMessage *
sl_conversation_get_question (SlConversation *self,
                              SlMessage      *answer)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (answer), NULL);

  return sl_message_get_role (answer) == SL_ROLE_ASSISTANT ? sl_message_get_parent (answer) : NULL;
}

void
sl_conversation_set_detail (SlConversation *self,
                            SlMessagePart  *part,
                            SlDetail        detail)
{
  g_return_if_fail (SL_IS_CONVERSATION (self));
  g_return_if_fail (SL_IS_MESSAGE_PART (part));

  sl_message_part_set_detail (part, detail);
  for (guint i = 0; i < self->path->len; i++)
    {
      SlMessage *message = g_ptr_array_index (self->path, i);

      for (guint p = 0; p < sl_message_get_n_parts (message); p++)
        if (sl_message_get_part (message, p) == part)
          sl_store_set_detail (self->store, sl_message_get_id (message), p, detail);
    }
}
