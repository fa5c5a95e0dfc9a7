/* SPDX-License-Identifier: MIT
 *
 * What is being written belongs to the conversation where it is written: it is kept there half a second after the last key, and is
 * there again when the conversation is, after a crash too. A new version of an earlier question is a draft of its own beside the
 * next question, which waits meanwhile. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#define PAUSE_MS 500

static void
keep (SlWindow  *self,
      gint64     conversation,
      gint64     question,
      GPtrArray *parts)
{
  sl_history_take_draft (self->history, sl_draft_new (conversation, question, parts, sl_composer_get_mode (self->composer),
                                                      sl_composer_get_raw (self->composer)));
}

static void
forget (SlWindow *self,
        gint64    conversation,
        gint64    question)
{
  g_autoptr (GPtrArray) nothing = g_ptr_array_new ();

  keep (self, conversation, question, nothing);
}

void
sl_window_keep_draft (SlWindow *self)
{
  g_autoptr (GPtrArray) parts = NULL;
  gint64 conversation, question;

  g_clear_handle_id (&self->draft_source, g_source_remove);
  if (self->conversation == NULL || !sl_history_get_loaded (self->history))
    return;
  if (self->draft_question != 0 && self->editing == NULL)
    {
      /* The new version was asked or given up: the next question comes back. */
      forget (self, self->draft_conversation, self->draft_question);
      sl_window_show_draft (self, TRUE);
      return;
    }
  conversation = sl_window_key_of (self->conversation);
  question = self->editing != NULL ? sl_message_get_id (self->editing) : 0;
  parts = sl_composer_is_empty (self->composer) ? g_ptr_array_new () : sl_composer_dup_draft (self->composer);
  keep (self, conversation, question, parts);
  /* The first question makes a conversation of what was none; it was written there. */
  if (self->draft_conversation != conversation && self->draft_question == question)
    forget (self, self->draft_conversation, question);
  self->draft_conversation = conversation;
  self->draft_question = question;
}

static gboolean
on_pause (gpointer data)
{
  SlWindow *self = data;

  self->draft_source = 0;
  sl_window_keep_draft (self);
  return G_SOURCE_REMOVE;
}

void
sl_window_queue_draft (SlWindow *self)
{
  if (self->showing_draft)
    return;
  g_clear_handle_id (&self->draft_source, g_source_remove);
  /* What was sent or given up must not come back. */
  self->draft_source = g_timeout_add (sl_composer_is_empty (self->composer) ? 0 : PAUSE_MS, on_pause, self);
}

static SlMessage *
find_question (SlWindow *self,
               gint64    id)
{
  GListModel *messages = G_LIST_MODEL (self->conversation);

  for (guint i = 0; i < g_list_model_get_n_items (messages); i++)
    {
      g_autoptr (SlMessage) message = g_list_model_get_item (messages, i);

      if (sl_message_get_id (message) == id)
        return message; /* the conversation has it */
    }
  return NULL;
}

static void
show (SlWindow      *self,
      const SlDraft *draft,
      SlMessage     *question)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_ref (draft->parts);

  g_set_object (&self->editing, question);
  sl_composer_set_editing (self->composer, question != NULL);
  sl_composer_set_mode (self->composer, draft->mode);
  sl_composer_set_raw (self->composer, draft->raw);
  sl_composer_set_parts (self->composer, parts);
}

void
sl_window_show_draft (SlWindow *self,
                      gboolean  carry)
{
  gint64 conversation = sl_window_key_of (self->conversation);
  const SlDraft *next = sl_history_get_draft (self->history, conversation, 0);
  const SlDraft *edit = sl_history_get_draft (self->history, conversation, -1);
  SlMessage *question = edit != NULL ? find_question (self, edit->question) : NULL;
  g_autoptr (GPtrArray) carried = carry && !sl_composer_is_empty (self->composer) ? sl_composer_dup_draft (self->composer) : NULL;

  self->showing_draft = TRUE;
  if (question != NULL)
    show (self, edit, question);
  else if (next != NULL)
    show (self, next, NULL);
  else
    sl_composer_clear (self->composer);
  if (carried != NULL)
    sl_composer_add_parts (self->composer, carried);
  self->showing_draft = FALSE;
  self->draft_conversation = conversation;
  self->draft_question = question != NULL ? sl_message_get_id (question) : 0;
}

void
sl_window_leave_draft (SlWindow *self)
{
  sl_window_keep_draft (self);
  self->showing_draft = TRUE;
  g_clear_object (&self->editing);
  sl_composer_set_editing (self->composer, FALSE);
  sl_composer_clear (self->composer);
  self->showing_draft = FALSE;
}

void
sl_window_begin_edit (SlWindow  *self,
                      SlMessage *question)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new ();

  sl_window_keep_draft (self);
  for (guint i = 0; i < sl_message_get_n_parts (question); i++)
    g_ptr_array_add (parts, sl_message_get_part (question, i));
  g_set_object (&self->editing, question);
  self->draft_question = sl_message_get_id (question);
  sl_composer_set_parts (self->composer, parts);
  sl_composer_set_mode (self->composer, sl_message_get_mode (question));
  sl_composer_set_raw (self->composer, sl_message_get_raw (question));
  sl_composer_set_editing (self->composer, TRUE);
  sl_composer_grab_focus (self->composer);
}

/* The words of the n-th question from the end that has some; NULL: there are not so many. */
static const char *
find_asked (SlWindow *self,
            guint     n)
{
  GListModel *messages = G_LIST_MODEL (self->conversation);

  for (guint i = g_list_model_get_n_items (messages); i > 0; i--)
    {
      g_autoptr (SlMessage) message = g_list_model_get_item (messages, i - 1);
      const char *words = sl_message_get_text (message);

      if (sl_message_get_role (message) == SL_ROLE_USER && *words != '\0' && --n == 0)
        return words; /* the conversation has it */
    }
  return NULL;
}

gboolean
sl_window_recall (SlWindow *self,
                  int       direction)
{
  guint n = sl_composer_is_empty (self->composer) ? 0 : self->recalled;
  const char *words;

  n -= direction;
  words = n == 0 ? "" : find_asked (self, n);
  if (words == NULL)
    return FALSE;
  self->recalled = n;
  sl_composer_set_recalled (self->composer, words);
  return TRUE;
}

/* The drafts are known. While the last conversation is being opened, its own will be shown. */
static void
on_loaded (SlWindow *self)
{
  if (!self->restoring)
    sl_window_show_draft (self, TRUE);
}

void
sl_window_connect_drafts (SlWindow *self)
{
  g_signal_connect_object (self->history, "notify::loaded", G_CALLBACK (on_loaded), self, G_CONNECT_SWAPPED);
  g_signal_connect_swapped (self->composer, "changed", G_CALLBACK (sl_window_queue_draft), self);
  if (sl_history_get_loaded (self->history))
    on_loaded (self);
}
