/* SPDX-License-Identifier: MIT
 *
 * What a row says follows from its record and from the messages of the conversation. UI thread.
 */
#include "app/folder/sl-folder-row-private.h"

struct _SlFolderRow
{
  GObject parent_instance;

  SlConversation *conversation;
  SlFolderPictureRecord *record;
  char *name;
  gboolean current;
  gboolean again; /* the answer that failed is not the last word */

  /* as last read */
  SlFolderState state;
  SlMessage *answer;
  guint n_boxes, n_undecided;
  double overlap;
};

static guint changed_signal;

G_DEFINE_FINAL_TYPE (SlFolderRow, sl_folder_row, G_TYPE_OBJECT)

static void
sl_folder_row_finalize (GObject *object)
{
  SlFolderRow *self = SL_FOLDER_ROW (object);

  g_clear_object (&self->answer);
  sl_folder_picture_record_unref (self->record);
  g_object_unref (self->conversation);
  g_free (self->name);
  G_OBJECT_CLASS (sl_folder_row_parent_class)->finalize (object);
}

static void
sl_folder_row_class_init (SlFolderRowClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_folder_row_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_folder_row_init (SlFolderRow *self)
{
  self->overlap = -1;
}

SlFolderRow *
sl_folder_row_new (SlConversation        *conversation,
                   SlFolderPictureRecord *record)
{
  SlFolderRow *self = g_object_new (SL_TYPE_FOLDER_ROW, NULL);

  self->conversation = g_object_ref (conversation);
  self->record = sl_folder_picture_record_ref (record);
  self->name = g_filename_display_name (record->path);
  sl_folder_row_update (self);
  return self;
}

void
sl_folder_row_set_record (SlFolderRow           *self,
                          SlFolderPictureRecord *record)
{
  sl_folder_picture_record_ref (record);
  sl_folder_picture_record_unref (self->record);
  self->record = record;
  sl_folder_row_update (self);
}

SlFolderPictureRecord *
sl_folder_row_get_record (SlFolderRow *self)
{
  return self->record;
}

SlMessage *
sl_folder_row_get_question (SlFolderRow *self)
{
  return self->record->question != 0 ? sl_conversation_find (self->conversation, self->record->question) : NULL;
}

static SlFolderState
read_state (SlFolderRow *self)
{
  if (self->current)
    return SL_FOLDER_ASKING;
  if (self->record->error != NULL)
    return SL_FOLDER_FAILED;
  if (self->answer == NULL)
    return SL_FOLDER_WAITING;
  switch (sl_message_get_status (self->answer))
    {
    case SL_MESSAGE_COMPLETE:
      return SL_FOLDER_ANSWERED;
    case SL_MESSAGE_FAILED:
      return self->again ? SL_FOLDER_WAITING : SL_FOLDER_FAILED;
    case SL_MESSAGE_STREAMING:
    case SL_MESSAGE_STOPPED:
    case SL_MESSAGE_INTERRUPTED:
    default:
      return SL_FOLDER_WAITING;
    }
}

static void
count_box (SlFolderRow *self,
           SlBoxItem   *box)
{
  double overlap = sl_box_item_get_overlap (box, NULL);
  int coords[4];

  if (!sl_box_item_get_coords (box, coords))
    return;
  self->n_boxes++;
  self->n_undecided += !sl_box_item_get_accepted (box);
  if (overlap >= 0 && (self->overlap < 0 || overlap < self->overlap))
    self->overlap = overlap;
}

static void
count_boxes (SlFolderRow *self)
{
  GListModel *boxes = self->state == SL_FOLDER_ANSWERED ? sl_message_get_boxes (self->answer) : NULL;
  g_autoptr (GHashTable) replaced = NULL;

  self->n_boxes = self->n_undecided = 0;
  self->overlap = -1;
  if (boxes == NULL || g_list_model_get_n_items (boxes) == 0)
    return;
  replaced = sl_box_item_find_replaced (boxes);
  for (guint i = 0; i < g_list_model_get_n_items (boxes); i++)
    {
      g_autoptr (SlBoxItem) box = g_list_model_get_item (boxes, i);

      if (!sl_box_item_is_replaced (box, replaced))
        count_box (self, box);
    }
}

/* Whether a user has touched any box of it: then, with none left to decide, it is done. */
static gboolean
has_model_box (SlFolderRow *self)
{
  GListModel *boxes = sl_message_get_boxes (self->answer);

  for (guint i = 0; i < g_list_model_get_n_items (boxes); i++)
    {
      g_autoptr (SlBoxItem) box = g_list_model_get_item (boxes, i);
      int coords[4];

      if (sl_box_item_get_kind (box) == SL_BOX_KIND_MODEL && sl_box_item_get_coords (box, coords))
        return TRUE;
    }
  return FALSE;
}

void
sl_folder_row_update (SlFolderRow *self)
{
  SlMessage *question = sl_folder_row_get_question (self);
  SlMessage *answer = question != NULL ? sl_conversation_get_answer (self->conversation, question) : NULL;

  g_set_object (&self->answer, answer);
  self->state = read_state (self);
  count_boxes (self);
  g_signal_emit (self, changed_signal, 0);
}

void
sl_folder_row_set_current (SlFolderRow *self,
                           gboolean     current)
{
  self->current = current;
  if (current)
    self->again = FALSE;
  sl_folder_row_update (self);
}

void
sl_folder_row_retry (SlFolderRow *self)
{
  self->again = TRUE;
  g_clear_pointer (&self->record->error, g_free);
  sl_folder_row_update (self);
}

/* ------------------------------------------------------------------------------------------------ public */

const char *
sl_folder_row_get_name (SlFolderRow *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), NULL);

  return self->name;
}

SlFolderState
sl_folder_row_get_state (SlFolderRow *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), SL_FOLDER_WAITING);

  return self->state;
}

const char *
sl_folder_row_get_error_text (SlFolderRow *self)
{
  const SlGeneration *generation;

  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), NULL);

  if (self->state != SL_FOLDER_FAILED)
    return NULL;
  if (self->record->error != NULL)
    return self->record->error;
  generation = sl_message_get_generation (self->answer);
  return generation != NULL && generation->error != NULL ? generation->error : "";
}

SlMessage *
sl_folder_row_get_answer (SlFolderRow *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), NULL);

  return self->answer;
}

SlMessagePart *
sl_folder_row_get_part (SlFolderRow *self)
{
  SlMessage *question;

  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), NULL);

  question = sl_folder_row_get_question (self);
  for (guint i = 0; question != NULL && i < sl_message_get_n_parts (question); i++)
    if (sl_message_part_get_kind (sl_message_get_part (question, i)) == SL_PART_PICTURE)
      return sl_message_get_part (question, i);
  return NULL;
}

guint
sl_folder_row_get_n_boxes (SlFolderRow *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), 0);

  return self->n_boxes;
}

guint
sl_folder_row_get_n_undecided (SlFolderRow *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), 0);

  return self->n_undecided;
}

double
sl_folder_row_get_overlap (SlFolderRow *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), -1);

  return self->overlap;
}

gboolean
sl_folder_row_get_reviewed (SlFolderRow *self)
{
  g_return_val_if_fail (SL_IS_FOLDER_ROW (self), FALSE);

  return self->state == SL_FOLDER_ANSWERED && self->n_undecided == 0 && (self->record->seen || has_model_box (self));
}
