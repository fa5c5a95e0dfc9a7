/* SPDX-License-Identifier: MIT
 *
 * What a question will cost, before it is asked: the meter follows what is written, and
 * where asking would change how earlier pictures are read, or does not fit, the user
 * chooses. Planning runs on a worker; the window never waits for it.
 */
#include "ui/window/sl-window-private.h"

#include <glib/gi18n.h>

#define PAUSE_MS 300
/* Fuller than this, a question is planned before it is sent. */
#define SAFE_PART 0.6

static SlPrompt *
build_prompt (SlWindow *self)
{
  g_autoptr (GPtrArray) parts = sl_composer_dup_parts (self->composer);
  SlMode mode = sl_composer_get_mode (self->composer);

  return sl_conversation_build_prompt (self->conversation, parts, mode,
                                       sl_composer_get_raw (self->composer), NULL);
}

static void
start_plan (SlWindow            *self,
            GAsyncReadyCallback  callback)
{
  g_autoptr (SlPrompt) prompt = build_prompt (self);

  g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
  self->planning = g_cancellable_new ();
  sl_engine_plan_async (self->engine, prompt, self->planning, callback, g_object_ref (self));
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
  self->fullness = plan != NULL && plan->capacity > 0 ? (double) plan->tokens / plan->capacity : 0;
  sl_composer_set_plan (self->composer, plan);
}

static gboolean
on_pause (gpointer data)
{
  SlWindow *self = data;

  self->plan_source = 0;
  if (sl_engine_get_state (self->engine) != SL_ENGINE_READY || sl_composer_is_empty (self->composer))
    sl_composer_set_plan (self->composer, NULL);
  else
    start_plan (self, on_plan);
  return G_SOURCE_REMOVE;
}

void
sl_window_queue_plan (SlWindow *self)
{
  g_clear_handle_id (&self->plan_source, g_source_remove);
  self->plan_source = g_timeout_add (PAUSE_MS, on_pause, self);
}

void
sl_window_cancel_plan (SlWindow *self)
{
  g_clear_handle_id (&self->plan_source, g_source_remove);
  g_cancellable_cancel (self->planning);
  g_clear_object (&self->planning);
}

/* --- choices --------------------------------------------------------------- */

static void
on_choice (AdwMessageDialog *dialog,
           const char       *response,
           SlWindow         *self)
{
  g_autoptr (GPtrArray) parts = NULL;

  if (g_str_equal (response, "ask"))
    sl_window_send_now (self, SL_OVERFLOW_REFUSE);
  else if (g_str_equal (response, "drop"))
    sl_window_send_now (self, SL_OVERFLOW_DROP_OLDEST);
  else if (g_str_equal (response, "low"))
    sl_window_send_now (self, SL_OVERFLOW_LOW_DETAIL);
  else if (g_str_equal (response, "new"))
    {
      parts = sl_composer_dup_parts (self->composer);
      sl_window_set_conversation (self, NULL);
      sl_composer_set_parts (self->composer, parts);
      sl_window_send_now (self, SL_OVERFLOW_REFUSE);
    }
}

static void
present (SlWindow   *self,
         GtkWidget  *dialog,
         const char *suggested)
{
  adw_message_dialog_set_default_response (ADW_MESSAGE_DIALOG (dialog), suggested);
  adw_message_dialog_set_close_response (ADW_MESSAGE_DIALOG (dialog), "cancel");
  adw_message_dialog_set_response_appearance (ADW_MESSAGE_DIALOG (dialog), suggested,
                                              ADW_RESPONSE_SUGGESTED);
  g_signal_connect_object (dialog, "response", G_CALLBACK (on_choice), self, 0);
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
ask_about_tiling (SlWindow     *self,
                  const SlPlan *plan)
{
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), _("Read Every Picture as a Whole?"),
                                              NULL);

  adw_message_dialog_format_body (
    ADW_MESSAGE_DIALOG (dialog),
    _("From the third picture on, a conversation's pictures are read without close-ups, the "
      "earlier ones too: small things are found less precisely. The question takes %u of %u tokens."),
    plan->tokens, plan->capacity);
  adw_message_dialog_add_responses (ADW_MESSAGE_DIALOG (dialog), "cancel", _("_Cancel"), "new",
                                    _("_New Conversation"), "ask", _("_Ask Anyway"), NULL);
  present (self, dialog, "ask");
}

static void
ask_about_overflow (SlWindow     *self,
                    const SlPlan *plan)
{
  const SlPlanChoice *drop = &plan->choices[SL_OVERFLOW_DROP_OLDEST];
  const SlPlanChoice *low = &plan->choices[SL_OVERFLOW_LOW_DETAIL];
  GtkWidget *dialog = adw_message_dialog_new (GTK_WINDOW (self), _("The Question Does Not Fit"), NULL);

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
  present (self, dialog, drop->possible ? "drop" : low->possible ? "low" : "cancel");
}

static void
on_send_plan (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPlan) plan = sl_engine_plan_finish (SL_ENGINE (source), result, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->toasts == NULL)
    return;
  if (plan == NULL || (plan->fits && !plan->tiling_changed))
    sl_window_send_now (self, SL_OVERFLOW_REFUSE); /* what is wrong, the answer will say */
  else if (plan->fits)
    ask_about_tiling (self, plan);
  else
    ask_about_overflow (self, plan);
}

static guint
count_pictures (GPtrArray *parts)
{
  guint count = 0;

  for (guint i = 0; i < parts->len; i++)
    count += sl_message_part_get_kind (parts->pdata[i]) == SL_PART_PICTURE;
  return count;
}

/* Most questions are far from any limit and are sent at once. */
void
sl_window_send (SlWindow *self)
{
  g_autoptr (GPtrArray) parts = sl_composer_dup_parts (self->composer);
  guint before = sl_conversation_get_n_pictures (self->conversation);
  guint after = before + count_pictures (parts);
  gboolean tiling = self->editing == NULL && before > 0 && before < 3 && after >= 3;

  if (sl_engine_get_state (self->engine) == SL_ENGINE_READY && (tiling || self->fullness > SAFE_PART))
    start_plan (self, on_send_plan);
  else
    sl_window_send_now (self, SL_OVERFLOW_REFUSE);
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
      if (i < pictures->len && sl_message_part_get_picture (part) != NULL)
        g_ptr_array_add (parts, sl_message_part_new_picture (sl_message_part_get_picture (part),
                                                             sl_message_part_get_detail (part)));
      return;
    }
}

/* What is being written stays, so a question with a picture, which may have consequences to
 * choose between, waits until the composer is free. */
void
sl_window_find_again (SlWindow   *self,
                      SlMessage  *answer,
                      const char *label)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;

  add_picture_again (self, answer, parts);
  g_ptr_array_add (parts, sl_message_part_new_text (label));
  if (parts->len == 1)
    {
      if (sl_conversation_send (self->conversation, parts, SL_MODE_FIND, FALSE, NULL, &error) == NULL)
        sl_window_toast (self, error->message);
      sl_chat_view_scroll_to_end (self->chat);
    }
  else if (sl_composer_is_empty (self->composer))
    {
      sl_composer_set_mode (self->composer, SL_MODE_FIND);
      sl_composer_set_raw (self->composer, FALSE);
      sl_composer_set_parts (self->composer, parts);
      sl_window_send (self);
    }
  else
    sl_window_toast (self, _("Send or clear what you are writing first"));
}
