/* SPDX-License-Identifier: MIT
 *
 * The rows of the messages that the chat view shows, and what is asked for in them.
 */
#include "ui/chat/sl-chat-view-private.h"

#include "ui/chat/sl-answer-row.h"
#include "ui/chat/sl-question-row.h"

static SlMessage *
message_of (SlChatView *self,
            GtkWidget  *row)
{
  GHashTableIter iter;
  gpointer message, candidate;

  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &message, &candidate))
    if (candidate == row)
      return message;
  return NULL;
}

static void
fail (SlChatView *self,
      GError     *error)
{
  g_signal_emit_by_name (self, "failed", error->message);
}

static void
on_regenerate (SlChatView *self,
               GtkWidget  *row)
{
  g_autoptr (GError) error = NULL;

  self->stuck = TRUE;
  if (sl_conversation_regenerate (self->conversation, message_of (self, row), NULL, &error) == NULL)
    fail (self, error);
}

static void
on_find_again (SlChatView *self,
               const char *label,
               GtkWidget  *row)
{
  g_signal_emit_by_name (self, "find-again", message_of (self, row), label);
}

static void
on_stop (SlChatView *self)
{
  sl_conversation_stop (self->conversation);
}

static void
on_sibling (SlChatView *self,
            guint       position,
            GtkWidget  *row)
{
  SlMessage *message = message_of (self, row);

  if (message == NULL || position >= sl_message_get_n_siblings (message))
    return;
  /* What is above stays where it is, and so does the place of what is turned to. */
  self->stuck = FALSE;
  sl_conversation_select_sibling (self->conversation, message, position);
}

static void
on_edit (SlChatView *self,
         GtkWidget  *row)
{
  g_signal_emit_by_name (self, "edit", message_of (self, row));
}

static void
on_open_viewer (SlChatView *self,
                SlBoxModel *boxes,
                GtkWidget  *row)
{
  g_signal_emit_by_name (self, "open-answer", message_of (self, row), boxes);
}

static void
on_open_picture (SlChatView    *self,
                 SlMessagePart *part,
                 GtkWidget     *row)
{
  g_signal_emit_by_name (self, "open-part", message_of (self, row), part);
}

static GtkWidget *
make_row (SlChatView *self,
          SlMessage  *message)
{
  GtkWidget *row;

  if (sl_message_get_role (message) == SL_ROLE_ASSISTANT)
    {
      row = sl_answer_row_new (self->conversation, message);
      g_signal_connect_object (row, "regenerate", G_CALLBACK (on_regenerate), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (row, "find-again", G_CALLBACK (on_find_again), self,
                               G_CONNECT_SWAPPED);
      g_signal_connect_object (row, "stop", G_CALLBACK (on_stop), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (row, "open-viewer", G_CALLBACK (on_open_viewer), self,
                               G_CONNECT_SWAPPED);
    }
  else
    {
      row = sl_question_row_new (message);
      g_signal_connect_object (row, "edit", G_CALLBACK (on_edit), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (row, "open-picture", G_CALLBACK (on_open_picture), self,
                               G_CONNECT_SWAPPED);
    }
  g_signal_connect_object (row, "sibling", G_CALLBACK (on_sibling), self, G_CONNECT_SWAPPED);
  g_hash_table_insert (self->rows, g_object_ref (message), row);
  return row;
}

static gboolean
is_shown (SlChatView *self,
          SlMessage  *message)
{
  for (guint i = self->first; i < self->last; i++)
    {
      g_autoptr (SlMessage) item = g_list_model_get_item (G_LIST_MODEL (self->conversation), i);
      if (item == message)
        return TRUE;
    }
  return FALSE;
}

static void
remove_rows (SlChatView *self)
{
  GHashTableIter iter;
  gpointer message, row;

  g_hash_table_iter_init (&iter, self->rows);
  while (g_hash_table_iter_next (&iter, &message, &row))
    if (self->conversation == NULL || !is_shown (self, message))
      {
        if (row == self->reveal)
          self->reveal = NULL;
        if (row == self->marked)
          self->marked = NULL;
        gtk_box_remove (GTK_BOX (self->column), row);
        g_hash_table_iter_remove (&iter);
      }
}

/* Makes the rows be those of [first, last), keeping the ones that stay. */
void
sl_chat_view_update_rows (SlChatView *self)
{
  GtkWidget *after = NULL;

  remove_rows (self);
  for (guint i = self->first; i < self->last; i++)
    {
      g_autoptr (SlMessage) message = g_list_model_get_item (G_LIST_MODEL (self->conversation), i);
      GtkWidget *row;

      if (sl_message_get_role (message) == SL_ROLE_SYSTEM)
        continue;
      row = g_hash_table_lookup (self->rows, message);
      if (row == NULL)
        {
          row = make_row (self, message);
          gtk_box_insert_child_after (GTK_BOX (self->column), row, after);
        }
      else
        gtk_box_reorder_child_after (GTK_BOX (self->column), row, after);
      after = row;
    }
  if (self->conversation != NULL)
    sl_chat_view_update_busy (self);
}

GtkWidget *
sl_chat_view_row_at (SlChatView *self,
                     guint       position)
{
  g_autoptr (SlMessage) message = g_list_model_get_item (G_LIST_MODEL (self->conversation), position);

  return message ? g_hash_table_lookup (self->rows, message) : NULL;
}

/* Of a label somewhere in this widget; NULL where nothing is selected. */
static char *
dup_selection (GtkWidget *widget)
{
  char *selected = NULL;
  int start, end;

  if (GTK_IS_LABEL (widget) && gtk_label_get_selection_bounds (GTK_LABEL (widget), &start, &end))
    return g_utf8_substring (gtk_label_get_text (GTK_LABEL (widget)), start, end);
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL && selected == NULL;
       child = gtk_widget_get_next_sibling (child))
    selected = dup_selection (child);
  return selected;
}

char *
sl_chat_view_dup_selection (SlChatView *self,
                            SlMessage  *message)
{
  GtkWidget *row;

  g_return_val_if_fail (SL_IS_CHAT_VIEW (self), NULL);

  row = g_hash_table_lookup (self->rows, message);
  return row != NULL ? dup_selection (row) : NULL;
}
