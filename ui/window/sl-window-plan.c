/* SPDX-License-Identifier: MIT
 *
 * What a question will cost, before it is asked: the meter follows what is written, and
 * where asking would change how earlier pictures are read, or does not fit, the user
 * chooses. Planning runs on a worker; the window never waits for it, and a question keeps
 * its place and its words until it is settled. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include <glib/gi18n.h>

#define PAUSE_MS 300

/* A question on its way: what was written, and where. Whatever the window shows by the time it is settled, it goes there. */
typedef struct _SlQuestion
{
  SlWindow *window;
  SlConversation *conversation;
  SlMessage *replaced; /* the question that it is a new version of, or NULL */
  GPtrArray *parts;
  SlMode mode;
  gboolean raw;
  char *written;       /* the composer's content then; NULL: it does not come from there */
  GCancellable *cancellable;
  gboolean stopped;    /* its answer is not wanted any more */
} Question;

static void
question_clear (gpointer data)
{
  Question *self = data;

  g_object_unref (self->conversation);
  g_clear_object (&self->replaced);
  g_ptr_array_unref (self->parts);
  g_free (self->written);
  g_object_unref (self->cancellable);
  g_object_unref (self->window);
}

static void
question_unref (Question *self)
{
  g_rc_box_release_full (self, question_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Question, question_unref)

static Question *
question_new (SlWindow  *window,
              GPtrArray *parts,
              SlMode     mode)
{
  Question *self = g_rc_box_new0 (Question);

  self->window = g_object_ref (window);
  self->conversation = g_object_ref (window->conversation);
  self->parts = g_ptr_array_ref (parts);
  self->mode = mode;
  self->cancellable = g_cancellable_new ();
  return self;
}

static Question *
question_new_written (SlWindow *window)
{
  g_autoptr (GPtrArray) parts = sl_composer_dup_parts (window->composer);
  Question *self = question_new (window, parts, sl_composer_get_mode (window->composer));

  self->replaced = window->editing != NULL ? g_object_ref (window->editing) : NULL;
  self->raw = sl_composer_get_raw (window->composer);
  self->written = sl_composer_dup_content (window->composer);
  return self;
}

static SlPrompt *
question_build_prompt (Question *self)
{
  return sl_conversation_build_prompt (self->conversation, self->replaced, self->parts, self->mode, self->raw, NULL);
}

static gboolean
question_is_shown (Question *self)
{
  return self->window->conversation == self->conversation;
}

/* --- the meter ------------------------------------------------------------- */

static void
on_plan (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPlan) plan = sl_engine_plan_finish (SL_ENGINE (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->toasts == NULL)
    return;
  sl_composer_set_plan (self->composer, plan);
}

static gboolean
on_pause (gpointer data)
{
  SlWindow *self = data;
  g_autoptr (Question) question = NULL;
  g_autoptr (SlPrompt) prompt = NULL;

  sl_window_cancel_plan (self);
  if (sl_engine_get_state (self->engine) != SL_ENGINE_READY || sl_window_get_remote (self->conversation) != NULL
      || sl_composer_is_empty (self->composer))
    {
      sl_composer_set_plan (self->composer, NULL);
      return G_SOURCE_REMOVE;
    }
  question = question_new_written (self);
  prompt = question_build_prompt (question);
  self->planning = g_object_ref (question->cancellable);
  sl_engine_plan_async (self->engine, prompt, self->planning, on_plan, g_object_ref (self));
  return G_SOURCE_REMOVE;
}

void
sl_window_queue_plan (SlWindow *self)
{
  g_clear_handle_id (&self->plan_source, g_source_remove);
  self->plan_source = g_timeout_add (PAUSE_MS, on_pause, self);
}

/* The meter's alone: a question that is on its way has a plan of its own. */
void
sl_window_cancel_plan (SlWindow *self)
{
  g_clear_handle_id (&self->plan_source, g_source_remove);
  g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
}

/* --- sending --------------------------------------------------------------- */

/* Nobody waits for it any more. */
static void
settle (Question *self)
{
  if (self->window->asking != self)
    return;
  self->window->asking = NULL;
  sl_window_update_actions (self->window);
  question_unref (self);
}

/* It is not sent: what was written is there again, where it was written, before what was written since. */
static void
question_put_back (Question *self)
{
  SlWindow *window = self->window;
  g_autoptr (GPtrArray) parts = NULL;
  g_autofree char *content = NULL;

  if (self->written == NULL)
    return;
  if (!question_is_shown (self))
    sl_window_set_conversation (window, self->conversation);
  content = sl_composer_dup_content (window->composer);
  if (g_str_has_prefix (content, self->written))
    return; /* it has never been away */
  parts = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < self->parts->len; i++)
    g_ptr_array_add (parts, g_object_ref (self->parts->pdata[i]));
  if (!sl_composer_is_empty (window->composer))
    {
      g_ptr_array_add (parts, sl_message_part_new_text ("\n"));
      g_ptr_array_extend_and_steal (parts, sl_composer_dup_parts (window->composer));
    }
  g_set_object (&window->editing, self->replaced);
  window->draft_question = self->replaced != NULL ? sl_message_get_id (self->replaced) : 0;
  sl_composer_set_editing (window->composer, self->replaced != NULL);
  sl_composer_set_parts (window->composer, parts);
  sl_composer_set_mode (window->composer, self->mode);
  sl_composer_set_raw (window->composer, self->raw);
}

static void
question_send (Question   *self,
               SlOverflow  overflow)
{
  SlWindow *window = self->window;
  SlSettings settings = sl_conversation_get_settings (self->conversation, self->mode);
  g_autoptr (GError) error = NULL;
  SlMessage *answer;

  settings.overflow = overflow;
  if (self->replaced != NULL)
    answer = sl_conversation_edit (self->conversation, self->replaced, self->parts, self->mode, self->raw, &settings, &error);
  else
    answer = sl_conversation_send (self->conversation, self->parts, self->mode, self->raw, &settings, &error);
  if (answer == NULL)
    {
      sl_window_toast (window, error->message);
      question_put_back (self);
      return;
    }
  if (self->stopped)
    sl_conversation_stop (self->conversation);
  if (!question_is_shown (self))
    return;
  sl_chat_view_scroll_to_end (window->chat);
  if (self->written == NULL)
    return;
  sl_window_cancel_plan (window);
  g_clear_object (&window->editing);
  sl_composer_set_editing (window->composer, FALSE);
  sl_composer_forget_content (window->composer, self->written);
}


void
sl_window_leave_question (SlWindow *self)
{
  if (self->asking != NULL && self->asking->written != NULL && question_is_shown (self->asking))
    sl_composer_forget_content (self->composer, self->asking->written);
}

/* As if it had been answered already: it is asked, and its answer is stopped at once. */
void
sl_window_stop (SlWindow *self)
{
  if (self->asking != NULL && question_is_shown (self->asking))
    self->asking->stopped = TRUE;
  else
    sl_conversation_stop (self->conversation);
}

void
sl_window_cancel_question (SlWindow *self,
                           gint64    conversation)
{
  Question *question = self->asking;

  if (question == NULL || (conversation != 0 && conversation != sl_conversation_get_id (question->conversation)))
    return;
  g_cancellable_cancel (question->cancellable);
  settle (question);
}

/* --- choices --------------------------------------------------------------- */

static void
send_to_new (Question *self)
{
  sl_window_set_conversation (self->window, NULL);
  g_set_object (&self->conversation, self->window->conversation);
  g_clear_object (&self->replaced);
  question_send (self, SL_OVERFLOW_REFUSE);
}

static void
on_choice (AdwMessageDialog *dialog,
           const char       *response,
           Question         *question)
{
  SlWindow *window = question->window;

  if (window->asking != question || window->toasts == NULL)
    return;
  if (g_str_equal (response, "ask"))
    question_send (question, SL_OVERFLOW_REFUSE);
  else if (g_str_equal (response, "agree"))
    {
      sl_window_give_leave (window, question->conversation);
      question_send (question, SL_OVERFLOW_REFUSE);
    }
  else if (g_str_equal (response, "drop"))
    question_send (question, SL_OVERFLOW_DROP_OLDEST);
  else if (g_str_equal (response, "low"))
    question_send (question, SL_OVERFLOW_LOW_DETAIL);
  else if (g_str_equal (response, "new"))
    send_to_new (question);
  else
    question_put_back (question);
  settle (question);
}

static void
release_question (gpointer  question,
                  GClosure *closure)
{
  question_unref (question);
}

static void
present (Question   *question,
         GtkWidget  *dialog,
         const char *suggested)
{
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), suggested);
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), suggested,
                                              ADW_RESPONSE_SUGGESTED);
  g_signal_connect_data (dialog, "response", G_CALLBACK (on_choice), g_rc_box_acquire (question), release_question, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
ask_about_tiling (Question     *question,
                  const SlPlan *plan)
{
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (question->window), _("Read Every Picture as a Whole?"),
                                              NULL);

  adw_message_dialog_format_body (
    ADW_MESSAGE_DIALOG (dialog),
    _("From the third picture on, a conversation's pictures are read without close-ups, the "
      "earlier ones too: small things are found less precisely. The question takes %u of %u tokens."),
    plan->tokens, plan->capacity);
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Cancel"), "new",
                                    _("_New Conversation"), "ask", _("_Ask Anyway"), NULL);
  present (question, dialog, "ask");
}

static void
ask_about_overflow (Question     *question,
                    const SlPlan *plan)
{
  const SlPlanChoice *drop = &plan->choices[SL_OVERFLOW_DROP_OLDEST];
  const SlPlanChoice *low = &plan->choices[SL_OVERFLOW_LOW_DETAIL];
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (question->window), _("The Question Does Not Fit"), NULL);

  adw_message_dialog_format_body (ADW_MESSAGE_DIALOG (dialog),
                                  _("It takes %u tokens, and the model has room for %u."),
                                  plan->tokens, plan->capacity);
  adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Shorten It"));
  if (low->possible)
    {
      g_autofree char *label = g_strdup_printf (_("_Low Detail (%u Tokens)"), low->tokens);
      adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "low", label);
    }
  if (drop->possible)
    {
      g_autofree char *label = g_strdup_printf (_("Leave Out the _Oldest (%u Tokens)"), drop->tokens);
      adw_message_dialog_add_response (ADW_MESSAGE_DIALOG (dialog), "drop", label);
    }
  present (question, dialog, drop->possible ? "drop" : low->possible ? "low" : "cancel");
}

static void
on_send_plan (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr (Question) question = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPlan) plan = sl_engine_plan_finish (SL_ENGINE (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || question->window->asking != question)
    return;
  if (plan != NULL && !plan->fits)
    ask_about_overflow (question, plan);
  else if (plan != NULL && plan->tiling_changed && question->replaced == NULL)
    ask_about_tiling (question, plan);
  else
    {
      question_send (question, SL_OVERFLOW_REFUSE); /* what is wrong, the answer will say */
      settle (question);
    }
}

static void
question_ask (Question *self)
{
  SlWindow *window = self->window;
  g_autoptr (SlPrompt) prompt = NULL;

  if (sl_window_needs_leave (self->conversation))
    {
      window->asking = g_rc_box_acquire (self);
      sl_window_update_actions (window);
      present (self, sl_window_make_leave_dialog (window, self->conversation), "agree");
      return;
    }
  if (sl_engine_get_state (window->engine) != SL_ENGINE_READY || sl_window_get_remote (self->conversation) != NULL)
    {
      question_send (self, SL_OVERFLOW_REFUSE);
      return;
    }
  prompt = question_build_prompt (self);
  window->asking = g_rc_box_acquire (self);
  sl_window_update_actions (window);
  sl_engine_plan_async (window->engine, prompt, self->cancellable, on_send_plan, g_rc_box_acquire (self));
}

/* Two questions of which one does not contain the other: the first has to be answered first. */
static gboolean
may_ask (SlWindow *self)
{
  if (self->asking == NULL)
    return TRUE;
  sl_window_toast (self, _("Wait for the answer, or stop it, before asking again"));
  return FALSE;
}

/* A second Return before the first is settled has all that was written by then. */
void
sl_window_send (SlWindow *self)
{
  g_autoptr (Question) question = NULL;

  if (self->restoring)
    sl_window_stay (self);
  sl_window_cancel_plan (self);
  if (self->asking != NULL && self->asking->written != NULL && question_is_shown (self->asking))
    sl_window_cancel_question (self, 0);
  if (!may_ask (self))
    return;
  question = question_new_written (self);
  question_ask (question);
}

/* --- again ----------------------------------------------------------------- */

/* The picture, unless it is the last one anyway, which is where the model looks. */
static void
add_picture_again (SlWindow  *self,
                   SlMessage *answer,
                   GPtrArray *parts)
{
  g_autoptr (GPtrArray) pictures = sl_conversation_list_pictures (self->conversation, NULL);
  const char *sha256 = sl_message_get_box_picture (answer);

  for (guint i = pictures->len; i > 0; i--)
    {
      SlMessagePart *part = pictures->pdata[i - 1];

      if (g_strcmp0 (sl_message_part_get_sha256 (part), sha256) != 0)
        continue;
      if (i < pictures->len)
        g_ptr_array_add (parts, sl_message_part_copy (part));
      return;
    }
}

void
sl_window_find_again (SlWindow   *self,
                      SlMessage  *answer,
                      const char *label)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (Question) question = NULL;

  if (!may_ask (self))
    return;
  add_picture_again (self, answer, parts);
  g_ptr_array_add (parts, sl_message_part_new_text (label));
  question = question_new (self, parts, SL_MODE_FIND);
  question_ask (question);
}
