/* SPDX-License-Identifier: MIT
 *
 * Two texts grow side by side: the raw one, of which boxes are read, and what the client is shown of it. Offsets of tokens are of the
 * raw text.
 */
#include "app/server/sl-chat-reply.h"

#include <math.h>
#include <string.h>

#include <jansson.h>

#include "app/generation/sl-coordinate-json.h"
#include "app/pictures/sl-picture.h"
#include "app/prompt/sl-grounding.h"

struct _SlChatReply
{
  SlChatRequest *request;
  char *model;
  char id[48];
  gint64 created;
  guint prompt_tokens, reused_tokens;
  GString *raw, *shown;
  gsize sent;       /* of shown */
  guint sent_marks; /* of logprobs */
  json_t *logprobs; /* array; NULL: not asked for */
  SlGeneration *generation;
  gboolean begun, stopped, ended, done;
  SlStopReason stop;
};

void
sl_chat_token_free (SlChatToken *token)
{
  for (guint i = 0; token->alternatives != NULL && i < token->alternatives->len; i++)
    g_free (g_array_index (token->alternatives, SlAlternative, i).text);
  g_clear_pointer (&token->alternatives, g_array_unref);
  g_free (token->text);
  g_free (token);
}

SlChatReply *
sl_chat_reply_new (SlChatRequest *request,
                   const char    *model)
{
  SlChatReply *self = g_new0 (SlChatReply, 1);
  g_autofree char *uuid = g_uuid_string_random ();

  self->request = request;
  self->model = g_strdup (model);
  g_snprintf (self->id, sizeof self->id, "chatcmpl-%s", uuid);
  self->created = g_get_real_time () / G_USEC_PER_SEC;
  self->raw = g_string_new (NULL);
  self->shown = g_string_new (NULL);
  self->logprobs = request->logprobs ? json_array () : NULL;
  self->generation = sl_generation_new ();
  return self;
}

void
sl_chat_reply_free (SlChatReply *self)
{
  sl_chat_request_free (self->request);
  g_free (self->model);
  g_string_free (self->raw, TRUE);
  g_string_free (self->shown, TRUE);
  json_decref (self->logprobs);
  sl_generation_free (self->generation);
  g_free (self);
}

const SlChatRequest *
sl_chat_reply_get_request (const SlChatReply *self)
{
  return self->request;
}

guint
sl_chat_reply_get_n_tokens (const SlChatReply *self)
{
  return self->generation->tokens->len;
}

void
sl_chat_reply_set_prompt (SlChatReply *self,
                          guint        prompt_tokens,
                          guint        reused_tokens)
{
  self->prompt_tokens = prompt_tokens;
  self->reused_tokens = reused_tokens;
}

void
sl_chat_reply_set_end (SlChatReply  *self,
                       SlStopReason  stop)
{
  self->ended = TRUE;
  self->stop = stop;
}

/* ------------------------------------------------------------------------------------------------ tokens */

static json_t *
describe (const char *text,
          gsize       length,
          float       logprob)
{
  g_autofree char *valid = g_utf8_make_valid (text, length);
  json_t *bytes = json_array ();

  for (gsize i = 0; i < length; i++)
    json_array_append_new (bytes, json_integer ((guint8) text[i]));
  /* JSON has no infinity: a token that the model gave no chance at all. */
  return json_pack ("{s:s,s:f,s:o}", "token", valid, "logprob", isfinite (logprob) ? (double) logprob : -9999.0, "bytes", bytes);
}

static void
note_logprobs (SlChatReply       *self,
               const SlChatToken *token)
{
  json_t *json = describe (token->text, token->length, token->logprob), *top = json_array ();

  for (guint i = 0; token->alternatives != NULL && i < MIN (token->alternatives->len, self->request->top_logprobs); i++)
    {
      const SlAlternative *other = &g_array_index (token->alternatives, SlAlternative, i);

      json_array_append_new (top, describe (other->text, strlen (other->text), other->logprob));
    }
  json_object_set_new (json, "top_logprobs", top);
  json_array_append_new (self->logprobs, json);
}

static gboolean
is_special (const SlChatToken *token)
{
  static const char *const names[] = { "<|ref|>", "<|/ref|>", "<|det|>", "<|/det|>", "<|grounding|>" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (token->length == strlen (names[i]) && memcmp (token->text, names[i], token->length) == 0)
      return TRUE;
  return FALSE;
}

/* Cuts what is shown at the first stop text that `added` new bytes complete. */
static gboolean
find_stop (SlChatReply *self,
           gsize        added)
{
  gsize first = self->shown->len;

  for (gsize i = 0; self->request->stop != NULL && self->request->stop[i] != NULL; i++)
    {
      gsize length = strlen (self->request->stop[i]);
      gsize from = self->shown->len > added + length ? self->shown->len - added - length : 0;
      const char *found = strstr (self->shown->str + from, self->request->stop[i]);

      if (found != NULL && (gsize) (found - self->shown->str) < first)
        first = found - self->shown->str;
    }
  if (first == self->shown->len)
    return FALSE;
  g_string_truncate (self->shown, first);
  return TRUE;
}

gboolean
sl_chat_reply_add_token (SlChatReply       *self,
                         const SlChatToken *token)
{
  SlTokenMark mark = { .id = token->id, .logprob = token->logprob };
  gboolean shown = self->request->special_tokens || !is_special (token);

  if (self->stopped)
    return FALSE;
  g_string_append_len (self->raw, token->text, token->length);
  mark.end = self->raw->len;
  if (token->has_coordinate)
    {
      SlCoordinate coordinate = token->coordinate;

      coordinate.token = self->generation->tokens->len;
      sl_generation_add_coordinate (self->generation, &coordinate, token->completes);
    }
  g_array_append_val (self->generation->tokens, mark);
  if (self->logprobs != NULL)
    note_logprobs (self, token);
  if (shown)
    g_string_append_len (self->shown, token->text, token->length);
  self->stopped = shown && find_stop (self, token->length);
  return !self->stopped;
}

/* ------------------------------------------------------------------------------------------------ boxes */

static void
add_certainty (const SlGeneration *generation,
               const SlBox        *box,
               json_t             *json)
{
  double overlap = sl_generation_get_overlap (generation, box->numbers_start, box->numbers_end, box->coords, NULL);
  SlCoordinate coordinates[4];
  json_t *list;

  if (overlap >= 0)
    json_object_set_new (json, "expected_overlap", json_real (overlap));
  if (!sl_generation_get_coordinates (generation, box->numbers_start, box->numbers_end, coordinates))
    return;
  list = json_array ();
  for (guint i = 0; i < G_N_ELEMENTS (coordinates); i++)
    json_array_append_new (list, sl_coordinate_to_json (&coordinates[i]));
  json_object_set_new (json, "coordinates", list);
}

static json_t *
box_to_json (SlChatReply *self,
             const SlBox *box)
{
  json_t *json = json_pack ("{s:s?,s:[i,i,i,i],s:s}", "label", box->label, "box", box->coords[0], box->coords[1], box->coords[2],
                            box->coords[3], "status", sl_box_status_get_nick (box->status));
  guint n = self->request->pictures->len;

  if (n > 0)
    {
      const SlChatPicture *picture = g_ptr_array_index (self->request->pictures, n - 1);
      int px[4];

      if (sl_box_get_pixels (box, sl_picture_get_width (picture->picture), sl_picture_get_height (picture->picture), px))
        json_object_set_new (json, "pixels", json_pack ("[i,i,i,i]", px[0], px[1], px[2], px[3]));
      json_object_set_new (json, "picture", json_integer (n - 1));
    }
  add_certainty (self->generation, box, json);
  return json;
}

/* The usable boxes; NULL: none. */
static json_t *
boxes_to_json (SlChatReply *self)
{
  g_autoptr (SlGrounding) grounding = sl_grounding_parse (self->raw->str, self->raw->len);
  gsize n;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n);
  json_t *list = NULL;

  for (gsize i = 0; i < n; i++)
    if (boxes[i].status == SL_BOX_OK || boxes[i].status == SL_BOX_CLAMPED)
      {
        list = list != NULL ? list : json_array ();
        json_array_append_new (list, box_to_json (self, &boxes[i]));
      }
  return list;
}

/* ------------------------------------------------------------------------------------------------ objects */

static char *
dump (json_t *json)
{
  char *text = json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (9));
  char *out = g_strdup (text);

  json_decref (json);
  free (text);
  return out;
}

static json_t *
usage_to_json (const SlChatReply *self)
{
  guint n = self->generation->tokens->len;

  return json_pack ("{s:i,s:i,s:i,s:{s:i}}", "prompt_tokens", (int) self->prompt_tokens, "completion_tokens", (int) n, "total_tokens",
                    (int) (self->prompt_tokens + n), "prompt_tokens_details", "cached_tokens", (int) self->reused_tokens);
}

static const char *
finish_reason (const SlChatReply *self)
{
  return !self->stopped && (self->stop == SL_STOP_MAX_TOKENS || self->stop == SL_STOP_CONTEXT) ? "length" : "stop";
}

static json_t *
new_object (const SlChatReply *self,
            const char        *kind)
{
  return json_pack ("{s:s,s:s,s:I,s:s}", "id", self->id, "object", kind, "created", (json_int_t) self->created, "model", self->model);
}

char *
sl_chat_reply_dup_json (SlChatReply *self)
{
  json_t *root = new_object (self, "chat.completion"), *boxes = boxes_to_json (self);
  json_t *message = json_pack ("{s:s,s:s%,s:n}", "role", "assistant", "content", self->shown->str, (size_t) self->shown->len, "refusal");
  json_t *logprobs = self->logprobs != NULL ? json_pack ("{s:O,s:n}", "content", self->logprobs, "refusal") : json_null ();

  if (boxes != NULL)
    json_object_set_new (message, "boxes", boxes);
  json_object_set_new (root, "choices",
                       json_pack ("[{s:i,s:o,s:o,s:s}]", "index", 0, "message", message, "logprobs", logprobs, "finish_reason",
                                  finish_reason (self)));
  json_object_set_new (root, "usage", usage_to_json (self));
  return dump (root);
}

/* ------------------------------------------------------------------------------------------------ the stream */

/* Bytes at the end of what is shown that may become a stop text. */
static gsize
held_back (const SlChatReply *self)
{
  gsize most = 0;

  for (gsize i = 0; !self->ended && !self->stopped && self->request->stop != NULL && self->request->stop[i] != NULL; i++)
    {
      const char *stop = self->request->stop[i];

      for (gsize n = MIN (strlen (stop) - 1, self->shown->len); n > most; n--)
        if (memcmp (self->shown->str + self->shown->len - n, stop, n) == 0)
          most = n;
    }
  return most;
}

static void
append_event (GString *out,
              json_t  *json)
{
  g_autofree char *text = dump (json);

  g_string_append_printf (out, "data: %s\n\n", text);
}

/* Takes delta and logprobs over. */
static void
append_chunk (SlChatReply *self,
              GString     *out,
              json_t      *delta,
              json_t      *logprobs,
              const char  *finish)
{
  json_t *root = new_object (self, "chat.completion.chunk");

  json_object_set_new (root, "choices",
                       json_pack ("[{s:i,s:o,s:o,s:s?}]", "index", 0, "delta", delta, "logprobs", logprobs, "finish_reason", finish));
  if (self->request->include_usage)
    json_object_set_new (root, "usage", json_null ());
  append_event (out, root);
}

static json_t *
new_logprobs (SlChatReply *self)
{
  json_t *list;

  if (self->logprobs == NULL || json_array_size (self->logprobs) == 0)
    return json_null ();
  list = json_pack ("{s:O,s:n}", "content", self->logprobs, "refusal");
  json_decref (self->logprobs);
  self->logprobs = json_array ();
  return list;
}

static void
append_end (SlChatReply *self,
            GString     *out)
{
  json_t *boxes = boxes_to_json (self);
  json_t *delta = json_object ();

  if (boxes != NULL)
    json_object_set_new (delta, "boxes", boxes);
  append_chunk (self, out, delta, json_null (), finish_reason (self));
  if (self->request->include_usage)
    {
      json_t *root = new_object (self, "chat.completion.chunk");

      json_object_set_new (root, "choices", json_array ());
      json_object_set_new (root, "usage", usage_to_json (self));
      append_event (out, root);
    }
  g_string_append (out, "data: [DONE]\n\n");
}

char *
sl_chat_reply_take_events (SlChatReply *self)
{
  GString *out = g_string_new (NULL);
  gsize end = self->shown->len - held_back (self);
  json_t *logprobs;

  if (!self->begun)
    append_chunk (self, out, json_pack ("{s:s,s:s}", "role", "assistant", "content", ""), json_null (), NULL);
  self->begun = TRUE;
  logprobs = new_logprobs (self);
  if (end > self->sent || !json_is_null (logprobs))
    append_chunk (self, out, json_pack ("{s:s%}", "content", self->shown->str + self->sent, (size_t) (MAX (end, self->sent) - self->sent)),
                  logprobs, NULL);
  else
    json_decref (logprobs);
  self->sent = MAX (end, self->sent);
  if (self->ended && !self->done)
    {
      self->done = TRUE;
      append_end (self, out);
    }
  return g_string_free (out, FALSE);
}
