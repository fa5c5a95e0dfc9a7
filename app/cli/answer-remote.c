/* SPDX-License-Identifier: MIT
 *
 * See answer-remote.h: a conversation becomes a prompt, the server's pieces become text, token marks and counts.
 */
#include "app/cli/answer-remote.h"

#include <math.h>
#include <string.h>

#include <glib/gi18n.h>

#include "app/remote/sl-remote-request.h"
#include "app/remote/sl-remote-tokens.h"

#define BUSY_TRIES 8
#define NETWORK_TRIES 3

void
cli_remote_answer_free (CliRemoteAnswer *self)
{
  if (self == NULL)
    return;
  g_free (self->host);
  g_free (self->model);
  g_string_free (self->reasoning, TRUE);
  g_strfreev (self->notes);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ the question */

static SlPrompt *
make_prompt (CliConversation      *conversation,
             const CliAskSettings *settings,
             const CliAnswer      *answer)
{
  const vl2_conversation *view = cli_conversation_get (conversation);
  SlSettings chosen = { .seed = settings->seed, .max_tokens = settings->max_tokens, .constrain_boxes = settings->constrain };
  gsize next = 0;
  SlPrompt *prompt;

  chosen.sampling = (SlSampling) { answer->sampling.temperature, answer->sampling.top_p, answer->sampling.top_k,
                                   answer->sampling.repetition_penalty };
  prompt = sl_prompt_new (&chosen);
  for (size_t m = 0; m < view->n_messages; m++)
    {
      const vl2_message *message = &view->messages[m];

      sl_prompt_add_message (prompt, (SlRole) message->role);
      for (size_t p = 0; p < message->n_parts; p++)
        if (message->parts[p].kind == VL2_PART_TEXT)
          sl_prompt_add_text (prompt, message->parts[p].text, (gssize) message->parts[p].length, (SlMarkup) message->parts[p].markup);
        else
          sl_prompt_add_picture (prompt, cli_conversation_get_picture (conversation, next++), (SlDetail) message->parts[p].detail);
    }

  return prompt;
}

/* ------------------------------------------------------------------------------------------------ the answer */

typedef struct
{
  CliAnswer *answer;
  gboolean   stream;
  gint64     start;
  guint      n_marks;
  gboolean   coarse; /* some stretch of the text was no token: those that came have other places than the server's */
} Sink;

static void
on_mark (const char *text,
         gsize       length,
         float       logprob,
         gpointer    user_data)
{
  Sink *sink = user_data;
  CliAnswer *answer = sink->answer;
  gsize begun = answer->continued != NULL ? strlen (answer->continued) : 0;
  SlTokenMark mark = { SL_TOKEN_UNNUMBERED, logprob, 0 };

  g_string_append_len (answer->text, text, (gssize) length);
  mark.end = (guint32) (begun + answer->text->len);
  g_array_append_val (answer->record->tokens, mark);
  sink->n_marks++;
  if (sink->stream && length > 0)
    {
      fwrite (text, 1, length, stdout);
      fflush (stdout);
    }
}

static json_t *
token_to_json (const char *text,
               gsize       length,
               float       logprob)
{
  g_autofree char *valid = g_utf8_make_valid (text, (gssize) length);

  return json_pack ("{s:s,s:o}", "text", valid, "logprob", isnan (logprob) ? json_null () : json_real (logprob));
}

static void
note_tokens (CliAnswer     *answer,
             const SlReply *reply)
{
  for (guint i = 0; reply->tokens != NULL && i < reply->tokens->len; i++)
    {
      const SlReplyToken *token = &g_array_index (reply->tokens, SlReplyToken, i);
      json_t *object = token_to_json (token->text, token->length, token->logprob), *top = json_array ();

      for (guint a = 0; token->alternatives != NULL && a < token->alternatives->len; a++)
        {
          const SlReplyAlternative *other = &g_array_index (token->alternatives, SlReplyAlternative, a);

          json_array_append_new (top, token_to_json (other->text, other->length, other->logprob));
        }
      json_object_set_new (object, "top", top);
      json_array_append_new (answer->tokens, object);
    }
}

static void
on_piece (const SlReply *reply,
          gpointer       user_data)
{
  Sink *sink = user_data;
  CliAnswer *answer = sink->answer;
  CliRemoteAnswer *remote = answer->remote;

  if (remote->first_ms == 0 && (reply->text != NULL || reply->reasoning != NULL))
    remote->first_ms = (double) (g_get_monotonic_time () - sink->start) / 1000;
  if (reply->reasoning != NULL)
    g_string_append (remote->reasoning, reply->reasoning);
  if (answer->tokens != NULL)
    note_tokens (answer, reply);
  if (!sl_remote_tokens_split (reply, on_mark, sink) && reply->text != NULL)
    sink->coarse = TRUE;
  remote->has_boxes |= reply->has_boxes;
  if (!sink->coarse)
    sl_remote_tokens_note_coordinates (reply, answer->record->tokens->len - sink->n_marks, answer->record->tokens->len, answer->record);
  if (reply->stop != SL_STOP_NONE)
    answer->generation.stop = reply->stop == SL_STOP_MAX_TOKENS ? VL2_STOP_MAX_TOKENS
                              : reply->stop == SL_STOP_CONTEXT  ? VL2_STOP_CONTEXT
                              : reply->stop == SL_STOP_USER     ? VL2_STOP_CALLER
                                                                : VL2_STOP_EOS;
  if (reply->has_usage)
    {
      remote->prompt_tokens = reply->prompt_tokens;
      remote->output_tokens = reply->output_tokens;
      remote->cached_tokens = reply->cached_tokens;
    }
  if (reply->model != NULL && remote->model == NULL)
    remote->model = g_strdup (reply->model);
}

/* Waits unless cancelled: FALSE. */
static gboolean
wait_seconds (guint seconds)
{
  GPollFD fd;
  gboolean watched = g_cancellable_make_pollfd (cli_cancellable, &fd);
  gboolean cancelled = watched && g_poll (&fd, 1, (int) seconds * 1000) != 0;

  if (watched)
    g_cancellable_release_fd (cli_cancellable);

  return !cancelled && !g_cancellable_is_cancelled (cli_cancellable);
}

/* Does it help to ask again what has not been answered at all? */
static gboolean
may_try_again (const CliSource *source,
               const GError    *cause,
               guint            tries)
{
  guint wanted = sl_remote_client_get_retry_after (source->client);

  if (g_error_matches (cause, SL_REMOTE_ERROR, SL_REMOTE_ERROR_BUSY))
    return tries < BUSY_TRIES && wait_seconds (wanted > 0 ? wanted : MIN (1u << tries, 60));
  if (g_error_matches (cause, SL_REMOTE_ERROR, SL_REMOTE_ERROR_NETWORK))
    return tries < NETWORK_TRIES && wait_seconds (1u << tries);

  return FALSE;
}

static gboolean
ask_server (const CliSource  *source,
            SlPrompt         *prompt,
            gboolean          patient,
            Sink             *sink,
            GError          **cause)
{
  SlRemoteWish wish = { .stream = TRUE, .logprobs = TRUE };

  for (guint tries = 0;; tries++)
    {
      char **notes = NULL;
      g_autoptr(GBytes) body = sl_remote_request_build (source->server, prompt, &wish, &notes, cli_cancellable, cause);
      gboolean refused;

      if (body == NULL)
        return FALSE;
      g_strfreev (sink->answer->remote->notes);
      sink->answer->remote->notes = notes;
      sink->start = g_get_monotonic_time ();
      if (sl_remote_client_ask (source->client, body, on_piece, sink, cli_cancellable, cause))
        return TRUE;
      refused = g_error_matches (*cause, SL_REMOTE_ERROR, SL_REMOTE_ERROR_REFUSED);
      if (refused && wish.logprobs && strstr ((*cause)->message, "logprob") != NULL)
        wish.logprobs = FALSE; /* a server that has none: ask without */
      else if (sink->answer->text->len > 0 || !patient || !may_try_again (source, *cause, tries))
        return FALSE;
      g_clear_error (cause);
    }
}

gboolean
cli_answer_remote (const CliSource       *source,
                   CliConversation       *conversation,
                   const CliAskSettings  *settings,
                   gboolean               stream,
                   CliAnswer             *answer,
                   GError               **error)
{
  g_autoptr(SlPrompt) prompt = make_prompt (conversation, settings, answer);
  Sink sink = { answer, stream, g_get_monotonic_time () };
  GError *cause = NULL;
  gboolean ok;

  answer->remote = g_new0 (CliRemoteAnswer, 1);
  answer->remote->reasoning = g_string_new (NULL);
  answer->remote->host = sl_remote_server_dup_host (source->server);
  answer->generation.stop = VL2_STOP_CANCELLED;
  ok = ask_server (source, prompt, settings->patient, &sink, &cause);
  answer->remote->total_ms = (double) (g_get_monotonic_time () - sink.start) / 1000;
  answer->generation.tokens = (int32_t) answer->remote->output_tokens;
  if (!ok)
    cli_set_remote (error, cause);

  return ok;
}

void
cli_remote_answer_to_json (const CliRemoteAnswer *self,
                           SlGrounding           *grounding,
                           json_t                *object)
{
  g_autofree char *space = sl_box_space_to_text (sl_grounding_get_space (grounding));
  json_t *notes = json_array ();

  for (gsize i = 0; self->notes != NULL && self->notes[i] != NULL; i++)
    json_array_append_new (notes, json_string (self->notes[i]));
  json_object_set_new (object, "endpoint",
                       json_pack ("{s:s,s:s?,s:s,s:o,s:s,s:i,s:i,s:i,s:f,s:f}", "host", self->host, "model", self->model, "reasoning",
                                  self->reasoning->str, "notes", notes, "boxes_as", space, "prompt_tokens", (int) self->prompt_tokens,
                                  "output_tokens", (int) self->output_tokens, "cached_tokens", (int) self->cached_tokens, "first_ms",
                                  self->first_ms, "total_ms", self->total_ms));
}
