/* SPDX-License-Identifier: MIT
 *
 * Undo and redo of what a user changed about boxes. A step is a slot's state before and after it. A slot is one of the user's
 * boxes through all its lives: removing one and undoing that makes another item, but it is the same slot, so that older steps
 * still find it.
 */
#include "ui/inspector/sl-box-edits.h"

#include <string.h>

#define MAX_STEPS 500

typedef enum
{
  STATE_NONE,    /* there is no box of the user's */
  STATE_BOX,     /* label and coordinates */
  STATE_REMOVED, /* stands for the model's box, which is taken away */
} State;

typedef struct
{
  SlBoxItem *origin; /* the model's box, NULL for one that the user added */
  SlBoxItem *item;   /* borrowed from the message; NULL in STATE_NONE */
} Slot;

typedef struct
{
  State state;
  char *label;
  int coords[4];
} Look;

typedef struct
{
  Slot *slot;
  Look before, after;
} Step;

struct _SlBoxEdits
{
  GObject parent_instance;

  SlConversation *conversation;
  SlMessage *answer;
  GPtrArray *slots; /* Slot */
  GPtrArray *steps; /* Step */
  guint done;       /* steps before this one are in effect */
};

static guint changed_signal;

G_DEFINE_FINAL_TYPE (SlBoxEdits, sl_box_edits, G_TYPE_OBJECT)

static void
slot_free (gpointer data)
{
  Slot *slot = data;

  g_clear_object (&slot->origin);
  g_free (slot);
}

static void
step_free (gpointer data)
{
  Step *step = data;

  g_free (step->before.label);
  g_free (step->after.label);
  g_free (step);
}

static void
sl_box_edits_finalize (GObject *object)
{
  SlBoxEdits *self = SL_BOX_EDITS (object);

  g_ptr_array_unref (self->steps);
  g_ptr_array_unref (self->slots);
  g_clear_object (&self->answer);
  g_clear_object (&self->conversation);
  G_OBJECT_CLASS (sl_box_edits_parent_class)->finalize (object);
}

static void
sl_box_edits_class_init (SlBoxEditsClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_box_edits_finalize;
  changed_signal = g_signal_new ("changed", SL_TYPE_BOX_EDITS, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
}

static void
sl_box_edits_init (SlBoxEdits *self)
{
  self->slots = g_ptr_array_new_with_free_func (slot_free);
  self->steps = g_ptr_array_new_with_free_func (step_free);
}

SlBoxEdits *
sl_box_edits_new (SlConversation *conversation,
                  SlMessage      *answer)
{
  SlBoxEdits *self = g_object_new (SL_TYPE_BOX_EDITS, NULL);

  self->conversation = g_object_ref (conversation);
  self->answer = g_object_ref (answer);
  return self;
}

gboolean
sl_box_edits_is_possible (SlBoxEdits *self)
{
  g_return_val_if_fail (SL_IS_BOX_EDITS (self), FALSE);
  return sl_conversation_get_answering (self->conversation) != self->answer;
}

/* --- slots ----------------------------------------------------------------- */

static SlBoxItem *
find_item (SlBoxEdits *self,
           gint64      id)
{
  GListModel *boxes = sl_message_get_boxes (self->answer);

  for (guint i = 0; id != 0 && i < g_list_model_get_n_items (boxes); i++)
    {
      g_autoptr (SlBoxItem) item = g_list_model_get_item (boxes, i);

      if (sl_box_item_get_id (item) == id)
        return item; /* the message holds it */
    }
  return NULL;
}

static Slot *
add_slot (SlBoxEdits *self,
          SlBoxItem  *origin,
          SlBoxItem  *item)
{
  Slot *slot = g_new0 (Slot, 1);

  slot->origin = origin ? g_object_ref (origin) : NULL;
  slot->item = item;
  g_ptr_array_add (self->slots, slot);
  return slot;
}

static Slot *
get_slot (SlBoxEdits *self,
          SlBoxItem  *item)
{
  gboolean edited = sl_box_item_get_kind (item) == SL_BOX_KIND_EDITED;

  for (guint i = 0; i < self->slots->len; i++)
    {
      Slot *slot = self->slots->pdata[i];

      if (slot->item == item || (!edited && slot->origin == item))
        return slot;
    }
  return edited ? add_slot (self, find_item (self, sl_box_item_get_origin (item)), item)
                : add_slot (self, item, NULL);
}

static void
read_look (Slot *slot,
           Look *look)
{
  memset (look, 0, sizeof *look);
  if (slot->item == NULL)
    return;
  look->label = g_strdup (sl_box_item_get_label (slot->item));
  look->state = sl_box_item_get_coords (slot->item, look->coords) ? STATE_BOX : STATE_REMOVED;
}

/* What is shown now, the model's box where the user has none. */
static void
read_shown (Slot *slot,
            Look *look)
{
  read_look (slot, look);
  if (look->state != STATE_NONE || slot->origin == NULL)
    return;
  look->label = g_strdup (sl_box_item_get_label (slot->origin));
  look->state = sl_box_item_get_coords (slot->origin, look->coords) ? STATE_BOX : STATE_REMOVED;
}

/* A removed box and one with a rectangle are two rows: one goes before the other comes. */
static void
apply (SlBoxEdits *self,
       Slot       *slot,
       const Look *look)
{
  int coords[4];
  gboolean visible = slot->item == NULL || sl_box_item_get_visible (slot->item);

  if (slot->item != NULL && look->state == STATE_BOX && sl_box_item_get_coords (slot->item, coords))
    {
      sl_conversation_change_box (self->conversation, self->answer, slot->item, look->label,
                                  look->coords);
      return;
    }
  if (slot->item != NULL)
    sl_conversation_remove_box (self->conversation, self->answer, slot->item);
  slot->item = NULL;
  if (look->state == STATE_BOX)
    slot->item = sl_conversation_add_box (self->conversation, self->answer, slot->origin,
                                          look->label, look->coords);
  else if (look->state == STATE_REMOVED)
    slot->item = sl_conversation_discard_box (self->conversation, self->answer, slot->origin);
  if (slot->item != NULL)
    sl_box_item_set_visible (slot->item, visible);
}

/* Takes the look. */
static SlBoxItem *
take_step (SlBoxEdits *self,
           Slot       *slot,
           Look       *look)
{
  Step *step = g_new0 (Step, 1);

  g_ptr_array_set_size (self->steps, self->done);
  if (self->steps->len >= MAX_STEPS)
    g_ptr_array_remove_index (self->steps, 0);
  step->slot = slot;
  read_look (slot, &step->before);
  step->after = *look;
  g_ptr_array_add (self->steps, step);
  self->done = self->steps->len;
  apply (self, slot, &step->after);
  g_signal_emit (self, changed_signal, 0);
  return slot->item;
}

/* --- public ---------------------------------------------------------------- */

SlBoxItem *
sl_box_edits_add (SlBoxEdits *self,
                  const char *label,
                  const int   coords[4])
{
  Look look = { .state = STATE_BOX, .label = g_strdup (label) };

  g_return_val_if_fail (SL_IS_BOX_EDITS (self), NULL);
  memcpy (look.coords, coords, sizeof look.coords);
  return take_step (self, add_slot (self, NULL, NULL), &look);
}

SlBoxItem *
sl_box_edits_change (SlBoxEdits *self,
                     SlBoxItem  *item,
                     const char *label,
                     const int   coords[4])
{
  Slot *slot;
  Look look;

  g_return_val_if_fail (SL_IS_BOX_EDITS (self), NULL);
  slot = get_slot (self, item);
  read_shown (slot, &look);
  if (label != NULL)
    {
      g_free (look.label);
      look.label = g_strdup (label);
    }
  if (coords != NULL)
    {
      memcpy (look.coords, coords, sizeof look.coords);
      look.state = STATE_BOX;
    }
  return take_step (self, slot, &look);
}

void
sl_box_edits_remove (SlBoxEdits *self,
                     SlBoxItem  *item)
{
  Slot *slot;
  Look look = { STATE_NONE };

  g_return_if_fail (SL_IS_BOX_EDITS (self));
  slot = get_slot (self, item);
  if (slot->origin != NULL)
    look.state = STATE_REMOVED;
  take_step (self, slot, &look);
}

void
sl_box_edits_revert (SlBoxEdits *self,
                     SlBoxItem  *item)
{
  Slot *slot;
  Look look = { STATE_NONE };

  g_return_if_fail (SL_IS_BOX_EDITS (self));
  slot = get_slot (self, item);
  if (slot->origin != NULL && slot->item != NULL)
    take_step (self, slot, &look);
}

gboolean
sl_box_edits_can_undo (SlBoxEdits *self)
{
  g_return_val_if_fail (SL_IS_BOX_EDITS (self), FALSE);
  return self->done > 0;
}

gboolean
sl_box_edits_can_redo (SlBoxEdits *self)
{
  g_return_val_if_fail (SL_IS_BOX_EDITS (self), FALSE);
  return self->done < self->steps->len;
}

static SlBoxItem *
go_to (SlBoxEdits *self,
       Slot       *slot,
       const Look *look)
{
  apply (self, slot, look);
  g_signal_emit (self, changed_signal, 0);
  return slot->item ? slot->item : slot->origin;
}

SlBoxItem *
sl_box_edits_undo (SlBoxEdits *self)
{
  Step *step;

  g_return_val_if_fail (SL_IS_BOX_EDITS (self), NULL);
  if (self->done == 0)
    return NULL;
  step = self->steps->pdata[--self->done];
  return go_to (self, step->slot, &step->before);
}

SlBoxItem *
sl_box_edits_redo (SlBoxEdits *self)
{
  Step *step;

  g_return_val_if_fail (SL_IS_BOX_EDITS (self), NULL);
  if (self->done >= self->steps->len)
    return NULL;
  step = self->steps->pdata[self->done++];
  return go_to (self, step->slot, &step->after);
}
