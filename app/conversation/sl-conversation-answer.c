/* SPDX-License-Identifier: MIT
 *
 * Asking and answering: from messages to a prompt, from a job's text back to a message, saved while it streams. UI thread.
 */
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/conversation/sl-conversation-private.h"

#define SAVE_INTERVAL_MS 500

/* ------------------------------------------------------------------------------------------------ prompt */

static void
add_picture (SlPrompt        *prompt,
             SlMessagePart   *part,
             const SlChoices *choices)
{
  SlPicture *picture = sl_message_part_get_picture (part);
  SlDetail detail = sl_choices_has (choices, SL_CHOICE_DETAIL) ? choices->detail : sl_message_part_get_detail (part);

  if (picture != NULL)
    sl_prompt_add_picture (prompt, picture, detail);
  else if (sl_message_part_get_bytes (part) != NULL)
    sl_prompt_add_picture_bytes (prompt, sl_message_part_get_bytes (part), sl_message_part_get_width (part),
                                 sl_message_part_get_height (part), detail);
  else if (sl_message_part_get_path (part) != NULL)
    sl_prompt_add_picture_file (prompt, sl_message_part_get_path (part), sl_message_part_get_width (part),
                                sl_message_part_get_height (part), detail);
}

/* A question as its mode words it. */
static void
add_question (SlPrompt        *prompt,
              GPtrArray       *parts,
              SlMode           mode,
              gboolean         raw,
              const SlChoices *choices)
{
  g_autofree const char **texts = g_new0 (const char *, parts->len + 1);
  g_autoptr (GPtrArray) pictures = g_ptr_array_new ();
  g_autoptr (GPtrArray) pieces = NULL;
  guint next = 0;

  for (guint i = 0; i < parts->len; i++)
    {
      SlMessagePart *part = g_ptr_array_index (parts, i);

      texts[i] = sl_message_part_get_text (part);
      if (texts[i] == NULL)
        g_ptr_array_add (pictures, part);
    }
  pieces = sl_mode_compose (mode, texts, parts->len, raw);
  for (guint i = 0; i < pieces->len; i++)
    {
      const SlPiece *piece = g_ptr_array_index (pieces, i);

      if (piece->text != NULL)
        sl_prompt_add_text (prompt, piece->text, -1, piece->markup);
      else if (next < pictures->len)
        add_picture (prompt, g_ptr_array_index (pictures, next++), choices);
    }
}

static GPtrArray *
list_parts (SlMessage *message)
{
  GPtrArray *parts = g_ptr_array_new ();

  for (guint i = 0; i < sl_message_get_n_parts (message); i++)
    g_ptr_array_add (parts, sl_message_get_part (message, i));
  return parts;
}

/* Roles must take turns. An answer that never came (failed at once) leaves two questions in a row: they become one message, so
 * that the pictures of the first stay in sight. */
static SlRole
start_message (SlPrompt *prompt,
               SlRole    role,
               SlRole    last)
{
  if (role == SL_ROLE_USER && last == SL_ROLE_USER)
    sl_prompt_add_text (prompt, "\n", -1, SL_MARKUP_NONE);
  else
    sl_prompt_add_message (prompt, role);
  return role;
}

/* The path down to `leaf` (NULL: nothing yet), then the parts of a new question, if any. */
static SlPrompt *
build_prompt (SlConversation   *self,
              SlMessage        *leaf,
              GPtrArray        *parts,
              SlMode            mode,
              gboolean          raw,
              const SlSettings *settings)
{
  SlPrompt *prompt = sl_prompt_new (settings);
  g_autofree char *session = sl_conversation_dup_session_name (self->id);
  g_autoptr (GPtrArray) path = g_ptr_array_new ();
  SlRole last = SL_ROLE_ASSISTANT;

  if (self->folder != NULL)
    sl_prompt_set_patient (prompt, TRUE);
  else
    sl_prompt_set_session (prompt, session);
  if (self->system_text[0] != '\0')
    {
      last = start_message (prompt, SL_ROLE_SYSTEM, last);
      sl_prompt_add_text (prompt, self->system_text, -1, SL_MARKUP_NONE);
    }
  for (SlMessage *message = leaf; message != NULL; message = sl_message_get_parent (message))
    g_ptr_array_insert (path, 0, message);
  for (guint i = 0; i < path->len; i++)
    {
      SlMessage *message = g_ptr_array_index (path, i);
      g_autoptr (GPtrArray) words = list_parts (message);
      const char *text = sl_message_get_text (message);

      if (sl_message_get_role (message) == SL_ROLE_USER)
        {
          last = start_message (prompt, SL_ROLE_USER, last);
          add_question (prompt, words, sl_message_get_mode (message), sl_message_get_raw (message), &self->choices);
        }
      else if (text[0] != '\0')
        {
          last = start_message (prompt, SL_ROLE_ASSISTANT, last);
          sl_prompt_add_text (prompt, text, -1, SL_MARKUP_GROUNDING);
        }
    }
  if (parts != NULL)
    {
      start_message (prompt, SL_ROLE_USER, last);
      add_question (prompt, parts, mode, raw, &self->choices);
    }
  return prompt;
}

SlPrompt *
sl_conversation_build_prompt (SlConversation   *self,
                              SlMessage        *replaced,
                              GPtrArray        *parts,
                              SlMode            mode,
                              gboolean          raw,
                              const SlSettings *settings)
{
  SlSettings chosen;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);

  chosen = settings != NULL ? *settings : sl_conversation_get_settings (self, mode);
  return build_prompt (self, replaced != NULL ? sl_message_get_parent (replaced) : sl_conversation_get_leaf (self), parts, mode, raw,
                       &chosen);
}

SlPrompt *
sl_conversation_build_prompt_of (SlConversation *self,
                                 SlMessage      *message)
{
  SlSettings settings;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (message), NULL);

  settings = sl_settings_for_mode (sl_message_get_mode (message));
  return build_prompt (self, message, NULL, SL_MODE_CHAT, FALSE, &settings);
}

/* ------------------------------------------------------------------------------------------------ streaming */

static gboolean
on_save (gpointer data)
{
  SlConversation *self = data;

  if (self->unsaved && self->answering != NULL)
    sl_store_put_progress (self->store, sl_message_get_id (self->answering), sl_message_get_text (self->answering));
  self->unsaved = FALSE;
  return G_SOURCE_CONTINUE;
}

static void
on_text (SlJob          *job,
         const char     *delta,
         SlConversation *self)
{
  sl_message_append_text (self->answering, delta);
  sl_message_update_boxes (self->answering);
  self->unsaved = TRUE;
}

/* The record of a continued answer: the new run's numbers, the tokens of both. */
static SlGeneration *
merge_generations (SlConversation     *self,
                   const SlGeneration *now)
{
  SlGeneration *merged = sl_generation_copy (now);

  if (self->earlier != NULL)
    {
      merged->output_tokens += self->earlier->output_tokens;
      merged->decode_ms += self->earlier->decode_ms;
    }
  g_free (merged->system_text);
  merged->system_text = g_strdup (self->asked_text);
  if (self->continued_from > 0)
    sl_generation_prepend (merged, self->earlier, self->continued_from);
  return merged;
}

static SlMessageStatus
status_for (SlJobState state)
{
  switch (state)
    {
    case SL_JOB_DONE:
      return SL_MESSAGE_COMPLETE;
    case SL_JOB_FAILED:
      return SL_MESSAGE_FAILED;
    default:
      return SL_MESSAGE_STOPPED;
    }
}

static void
finish_answer (SlConversation  *self,
               SlMessageStatus  status)
{
  g_autoptr (SlConversation) alive = self; /* the reference that start_answer() took */
  g_autoptr (SlMessage) message = g_object_ref (self->answering);
  g_autoptr (SlJob) job = g_steal_pointer (&self->job);
  SlMessage *question;

  g_signal_handlers_disconnect_by_data (job, self);
  g_clear_handle_id (&self->save_source, g_source_remove);
  sl_message_take_generation (message, merge_generations (self, sl_job_get_generation (job)));
  g_clear_pointer (&self->earlier, sl_generation_free);
  sl_message_set_job (message, NULL);
  self->answering = NULL;
  sl_message_set_status (message, status);
  sl_message_update_boxes (message);
  sl_conversation_number_boxes (self, message);
  sl_conversation_save_message (self, message, FALSE);
  question = sl_message_get_parent (message);
  for (guint i = 0; question != NULL && i < sl_message_get_n_parts (question); i++)
    sl_message_part_forget_bytes (sl_message_get_part (question, i)); /* by now they have been written */
  sl_conversation_notify_busy (self);
}

static void
on_finished (SlJob          *job,
             SlConversation *self)
{
  finish_answer (self, status_for (sl_job_get_state (job)));
}

void
sl_conversation_abandon_answer (SlConversation *self)
{
  g_autoptr (SlConversation) alive = g_object_ref (self); /* the answer may hold the last reference */

  if (self->job == NULL)
    return;
  sl_job_stop (self->job);
  sl_job_drain (self->job); /* may finish it */
  if (self->job != NULL)
    finish_answer (self, SL_MESSAGE_STOPPED);
}

static void
start_answer (SlConversation *self,
              SlMessage      *answer,
              SlPrompt       *prompt)
{
  self->answering = answer;
  self->job = sl_answerer_submit (self->answerer, prompt);
  g_object_ref (self); /* an answer is made to its end even when nobody looks */
  self->unsaved = FALSE;
  g_free (self->asked_text);
  self->asked_text = g_strdup (self->system_text);
  self->save_source = g_timeout_add (SAVE_INTERVAL_MS, on_save, self);
  g_signal_connect (self->job, "text", G_CALLBACK (on_text), self);
  g_signal_connect (self->job, "finished", G_CALLBACK (on_finished), self);
  sl_message_set_job (answer, self->job);
  sl_message_set_status (answer, SL_MESSAGE_STREAMING);
  sl_conversation_notify_busy (self);
}

static const char *
last_picture (SlConversation *self,
              SlMessage      *question)
{
  for (SlMessage *message = question; message != NULL; message = sl_message_get_parent (message))
    for (guint i = sl_message_get_n_parts (message); i > 0; i--)
      {
        SlMessagePart *part = sl_message_get_part (message, i - 1);

        if (sl_message_part_get_kind (part) == SL_PART_PICTURE)
          return sl_message_part_get_sha256 (part);
      }
  return NULL;
}

/* A new answer below the question. */
static SlMessage *
answer_question (SlConversation   *self,
                 SlMessage        *question,
                 const SlSettings *settings)
{
  SlMode mode = sl_message_get_mode (question);
  SlSettings chosen = settings != NULL ? *settings : sl_conversation_get_settings (self, mode);
  g_autoptr (SlPrompt) prompt = build_prompt (self, question, NULL, mode, FALSE, &chosen);
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  SlMessage *answer;

  g_ptr_array_add (parts, sl_message_part_new_text (""));
  answer = sl_message_new (sl_store_new_id (self->store), SL_ROLE_ASSISTANT, mode, FALSE, parts);
  sl_message_set_box_picture (answer, last_picture (self, question));
  sl_message_set_status (answer, SL_MESSAGE_STREAMING);
  sl_conversation_adopt (self, answer, question);
  sl_conversation_save_message (self, answer, TRUE);
  self->continued_from = 0;
  start_answer (self, answer, prompt);
  return answer;
}

/* ------------------------------------------------------------------------------------------------ public */

static gboolean
has_content (GPtrArray *parts)
{
  for (guint i = 0; i < parts->len; i++)
    {
      const char *text = sl_message_part_get_text (g_ptr_array_index (parts, i));

      if (text == NULL)
        return TRUE;
      for (; *text != '\0'; text = g_utf8_next_char (text))
        if (!g_unichar_isspace (g_utf8_get_char (text)))
          return TRUE;
    }
  return FALSE;
}

static gboolean
may_ask (SlConversation  *self,
         GPtrArray       *parts,
         GError         **error)
{
  if (self->answering != NULL)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BUSY, _("Wait for the answer, or stop it, before asking again"));
  else if (parts != NULL && !has_content (parts))
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("Write something or add a picture first"));
  else
    return TRUE;
  return FALSE;
}

/* A question below parent and its answer. The question is on its way to the disk before the engine sees it. */
static SlMessage *
ask (SlConversation   *self,
     SlMessage        *parent,
     GPtrArray        *parts,
     SlMode            mode,
     gboolean          raw,
     const SlSettings *settings)
{
  g_autoptr (GPtrArray) own = g_ptr_array_new_with_free_func (g_object_unref);
  SlMessage *question;

  for (guint i = 0; i < parts->len; i++)
    g_ptr_array_add (own, g_object_ref (g_ptr_array_index (parts, i)));
  sl_conversation_ensure_stored (self, own);
  question = sl_message_new (sl_store_new_id (self->store), SL_ROLE_USER, mode, raw, own);
  sl_conversation_adopt (self, question, parent);
  sl_conversation_save_message (self, question, TRUE);
  return answer_question (self, question, settings);
}

SlMessage *
sl_conversation_send (SlConversation    *self,
                      GPtrArray         *parts,
                      SlMode             mode,
                      gboolean           raw,
                      const SlSettings  *settings,
                      GError           **error)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (parts != NULL, NULL);

  if (!may_ask (self, parts, error))
    return NULL;
  return ask (self, sl_conversation_get_leaf (self), parts, mode, raw, settings);
}

SlMessage *
sl_conversation_ask_apart (SlConversation  *self,
                           GPtrArray       *parts,
                           SlMode           mode,
                           GError         **error)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (parts != NULL, NULL);

  return may_ask (self, parts, error) ? ask (self, NULL, parts, mode, FALSE, NULL) : NULL;
}

SlMessage *
sl_conversation_regenerate (SlConversation    *self,
                            SlMessage         *answer,
                            const SlSettings  *settings,
                            GError           **error)
{
  gboolean is_question;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (answer), NULL);

  is_question = sl_message_get_role (answer) == SL_ROLE_USER;
  g_return_val_if_fail (is_question || sl_message_get_parent (answer) != NULL, NULL);
  if (!may_ask (self, NULL, error))
    return NULL;
  return answer_question (self, is_question ? answer : sl_message_get_parent (answer), settings);
}

SlMessage *
sl_conversation_edit (SlConversation    *self,
                      SlMessage         *question,
                      GPtrArray         *parts,
                      SlMode             mode,
                      gboolean           raw,
                      const SlSettings  *settings,
                      GError           **error)
{
  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (question), NULL);
  g_return_val_if_fail (parts != NULL, NULL);

  if (!may_ask (self, parts, error))
    return NULL;
  return ask (self, sl_message_get_parent (question), parts, mode, raw, settings);
}

/* The answer's ids, NULL with error where they cannot be gone through with the loaded model. */
static GArray *
list_ids (SlConversation  *self,
          SlMessage       *answer,
          GError         **error)
{
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint32));
  const SlGeneration *generation = sl_message_get_generation (answer);
  const SlModelInfo *info = sl_engine_get_info (self->engine);

  if (info == NULL)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("No model is loaded"));
      return NULL;
    }
  if (generation == NULL || sl_message_get_status (answer) == SL_MESSAGE_STREAMING || generation->tokens->len == 0
      || g_array_index (generation->tokens, SlTokenMark, 0).id < 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("The tokens of this answer were not recorded"));
      return NULL;
    }
  if (g_strcmp0 (generation->model_dir, info->dir) != 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("This answer was written by “%s”, which is not loaded now"),
                   generation->model);
      return NULL;
    }
  for (guint i = 0; i < generation->tokens->len; i++)
    g_array_append_val (ids, g_array_index (generation->tokens, SlTokenMark, i).id);
  return g_steal_pointer (&ids);
}

SlJob *
sl_conversation_replay (SlConversation  *self,
                        SlMessage       *answer,
                        guint            cells,
                        GError         **error)
{
  g_autoptr (SlPrompt) prompt = NULL;
  g_autoptr (GArray) ids = NULL;
  SlSettings settings;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), NULL);
  g_return_val_if_fail (SL_IS_MESSAGE (answer), NULL);

  ids = list_ids (self, answer, error);
  if (ids == NULL)
    return NULL;
  settings = sl_settings_for_mode (sl_message_get_mode (answer));
  settings.attention_cells = cells;
  prompt = build_prompt (self, sl_message_get_parent (answer), NULL, SL_MODE_CHAT, FALSE, &settings);
  sl_prompt_set_replay (prompt, (const gint32 *) ids->data, ids->len);
  return sl_engine_submit (self->engine, prompt);
}

gboolean
sl_conversation_continue (SlConversation    *self,
                          SlMessage         *answer,
                          const SlSettings  *settings,
                          GError           **error)
{
  g_autoptr (SlPrompt) prompt = NULL;
  const SlGeneration *earlier;
  SlSettings chosen;

  g_return_val_if_fail (SL_IS_CONVERSATION (self), FALSE);
  g_return_val_if_fail (SL_IS_MESSAGE (answer), FALSE);

  if (!may_ask (self, NULL, error))
    return FALSE;
  if (sl_message_get_role (answer) != SL_ROLE_ASSISTANT || sl_message_get_children (answer)->len > 0)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("Only the last answer can be continued"));
      return FALSE;
    }
  chosen = settings != NULL ? *settings : sl_conversation_get_settings (self, sl_message_get_mode (answer));
  prompt = build_prompt (self, answer, NULL, SL_MODE_CHAT, FALSE, &chosen);
  earlier = sl_message_get_generation (answer);
  self->earlier = earlier != NULL ? sl_generation_copy (earlier) : NULL;
  self->continued_from = strlen (sl_message_get_text (answer));
  sl_message_set_status (answer, SL_MESSAGE_STREAMING);
  sl_conversation_save_message (self, answer, FALSE);
  start_answer (self, answer, prompt);
  return TRUE;
}

void
sl_conversation_stop (SlConversation *self)
{
  g_return_if_fail (SL_IS_CONVERSATION (self));

  if (self->job != NULL)
    sl_job_stop (self->job);
}
