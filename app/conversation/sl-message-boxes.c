/* SPDX-License-Identifier: MIT
 *
 * A message's boxes: those that its text names, kept while it grows, and the user's own behind them.
 */
#include "app/conversation/sl-message-private.h"

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
  g_object_notify (G_OBJECT (self), "box-picture");
}

static SlBoxRecord *
describe_box (SlMessage   *self,
              const SlBox *box,
              gint64       id,
              gboolean     accepted)
{
  const SlGeneration *generation = sl_message_get_generation (self);
  SlBoxRecord *record = sl_box_record_new ();

  record->id = id;
  record->accepted = accepted;
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

/* The size of the picture that the boxes lie on: of what was said before, the last of that hash. */
static void
find_size (SlMessage  *self,
           SlBoxSpace *space)
{
  for (SlMessage *message = self->parent; message != NULL; message = message->parent)
    for (guint i = message->parts->len; i > 0; i--)
      {
        SlMessagePart *part = g_ptr_array_index (message->parts, i - 1);

        if (self->box_picture == NULL || g_strcmp0 (sl_message_part_get_sha256 (part), self->box_picture) != 0)
          continue;
        space->width = sl_message_part_get_width (part);
        space->height = sl_message_part_get_height (part);
        return;
      }
}

/* Does the text name boxes in other words than DeepSeek-VL2's? */
static gboolean
has_space (SlMessage  *self,
           SlBoxSpace *space)
{
  const SlGeneration *generation = sl_message_get_generation (self);

  return generation != NULL && sl_box_space_from_text (generation->boxes_as, space);
}

SlGrounding *
sl_message_parse (SlMessage *self)
{
  SlBoxSpace space = { 0 };

  g_return_val_if_fail (SL_IS_MESSAGE (self), NULL);

  if (!has_space (self, &space))
    return sl_grounding_parse (self->text->str, (gssize) self->text->len);
  find_size (self, &space);
  return sl_grounding_parse_in (self->text->str, (gssize) self->text->len, &space);
}

void
sl_message_set_boxes_as (SlMessage  *self,
                         const char *boxes_as)
{
  if (self->generation == NULL)
    return;
  g_free (self->generation->boxes_as);
  self->generation->boxes_as = g_strdup (boxes_as);
  sl_message_update_boxes (self);
  g_object_notify (G_OBJECT (self), "text"); /* the same words say something else */
}

/* The model's boxes from the first-th on. */
static void
set_boxes (SlMessage   *self,
           const SlBox *boxes,
           gsize        n_boxes,
           gsize        first)
{
  guint at = 0;

  for (gsize i = 0; i < first; i++, at++)
    at = next_model_box (self, at);
  for (gsize i = 0; i < n_boxes; i++, at++)
    {
      at = next_model_box (self, at);
      if (at < count_boxes (self))
        {
          SlBoxItem *box = peek_box (self, at);

          const SlBoxRecord *known = sl_box_item_get_record (box);

          sl_box_item_take_record (box, describe_box (self, &boxes[i], known->id, known->accepted));
        }
      else
        {
          g_autoptr (SlBoxItem) box = sl_box_item_new (describe_box (self, &boxes[i], 0, FALSE));

          at = end_of_model_boxes (self);
          g_list_store_insert (self->boxes, at, box);
        }
    }
  /* What looked like a box may turn out to be none. */
  while ((at = next_model_box (self, at)) < count_boxes (self))
    g_list_store_remove (self->boxes, at);
}

/* While text is appended only what is new in it is read; at the end all of it, since the record of how it was made knows more then. */
void
sl_message_update_boxes (SlMessage *self)
{
  SlBoxSpace space = { 0 };
  gsize n_boxes, first;
  const SlBox *boxes;

  if (self->status == SL_MESSAGE_STREAMING && !has_space (self, &space))
    {
      if (self->reader == NULL)
        self->reader = sl_box_reader_new ();
      boxes = sl_box_reader_read (self->reader, self->text->str, self->text->len, &first, &n_boxes);
      set_boxes (self, boxes, n_boxes, first);
    }
  else
    {
      g_autoptr (SlGrounding) grounding = sl_message_parse (self);

      g_clear_pointer (&self->reader, sl_box_reader_free);
      boxes = sl_grounding_get_boxes (grounding, &n_boxes);
      set_boxes (self, boxes, n_boxes, 0);
    }
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
