/* SPDX-License-Identifier: MIT
 *
 * JSON of a chat completion to values. Members that are missing, null or of another type than they should be are as good as not there:
 * servers differ.
 */
#include "app/remote/sl-reply.h"

#include <gio/gio.h>
#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <jansson.h>

#include "app/generation/sl-coordinate-json.h"

#define SENTENCE_LIMIT 400 /* bytes of a server's own words */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (json_t, json_decref)

static void
alternative_clear (gpointer data)
{
  g_free (((SlReplyAlternative *) data)->text);
}

static void
token_clear (gpointer data)
{
  SlReplyToken *token = data;

  g_free (token->text);
  g_clear_pointer (&token->alternatives, g_array_unref);
}

void
sl_reply_clear (SlReply *self)
{
  g_free (self->text);
  g_free (self->reasoning);
  g_clear_pointer (&self->tokens, g_array_unref);
  g_clear_pointer (&self->coordinates, g_array_unref);
  g_free (self->finish);
  g_free (self->model);
  g_free (self->error);
  *self = (SlReply){ 0 };
}

/* ------------------------------------------------------------------------------------------------ errors */

/* One line, short, no control characters. */
static char *
tidy_sentence (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *out = g_string_new (NULL);

  for (const char *p = valid; *p != '\0' && out->len < SENTENCE_LIMIT; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (!g_unichar_isspace (c) && g_unichar_isprint (c))
        g_string_append_unichar (out, c);
      else if (out->len > 0 && out->str[out->len - 1] != ' ')
        g_string_append_c (out, ' ');
    }
  g_strchomp (out->str);
  out->len = strlen (out->str);
  if (out->len >= SENTENCE_LIMIT)
    g_string_append (out, "…");
  return g_string_free (out, out->len == 0);
}

/* FastAPI: {"detail": "…"} or {"detail": [{"msg": "…", "loc": ["body", "x"]}]}. */
static const char *
detail_of (json_t *detail)
{
  const char *message = json_string_value (json_object_get (json_array_get (detail, 0), "msg"));

  return json_is_string (detail) ? json_string_value (detail) : message;
}

static const char *
message_of (json_t *root)
{
  json_t *error = json_object_get (root, "error");
  const char *candidates[] = { json_string_value (json_object_get (error, "message")), json_string_value (error),
                               json_string_value (json_object_get (root, "message")), detail_of (json_object_get (root, "detail")) };

  for (guint i = 0; i < G_N_ELEMENTS (candidates); i++)
    if (candidates[i] != NULL && candidates[i][0] != '\0')
      return candidates[i];
  return NULL;
}

char *
sl_reply_dup_error (const char *body,
                    gsize       length)
{
  g_autoptr (json_t) root = json_loadb (body, length, JSON_DECODE_ANY, NULL);
  g_autofree char *text = NULL;

  if (root != NULL)
    return message_of (root) != NULL ? tidy_sentence (message_of (root)) : NULL;
  text = g_strndup (body, length);
  g_strchug (text);
  return text[0] == '<' ? NULL : tidy_sentence (text); /* a page of HTML says nothing in one line */
}

/* ------------------------------------------------------------------------------------------------ tokens */

/* The bytes where they are given, since a token may be half a character; else the text. */
static char *
dup_token (json_t *object,
           gsize  *length)
{
  json_t *bytes = json_object_get (object, "bytes");
  const char *text = json_string_value (json_object_get (object, "token"));
  gsize n = json_array_size (bytes);
  char *out;

  if (n == 0)
    {
      *length = text != NULL ? strlen (text) : 0;
      return g_strdup (text != NULL ? text : "");
    }
  out = g_malloc (n + 1);
  for (gsize i = 0; i < n; i++)
    out[i] = (char) json_integer_value (json_array_get (bytes, i));
  out[n] = '\0';
  *length = n;
  return out;
}

static float
logprob_of (json_t *object)
{
  json_t *value = json_object_get (object, "logprob");

  return json_is_number (value) ? (float) MIN (json_number_value (value), 0) : NAN;
}

static GArray *
read_alternatives (json_t *top)
{
  GArray *out;
  json_t *entry;
  gsize i;

  if (json_array_size (top) == 0)
    return NULL;
  out = g_array_new (FALSE, TRUE, sizeof (SlReplyAlternative));
  g_array_set_clear_func (out, alternative_clear);
  json_array_foreach (top, i, entry)
    {
      SlReplyAlternative alternative = { .logprob = logprob_of (entry) };

      if (isnan (alternative.logprob))
        continue;
      alternative.text = dup_token (entry, &alternative.length);
      g_array_append_val (out, alternative);
    }
  return out;
}

static GArray *
read_tokens (json_t *content)
{
  GArray *out;
  json_t *entry;
  gsize i;

  if (json_array_size (content) == 0)
    return NULL;
  out = g_array_new (FALSE, TRUE, sizeof (SlReplyToken));
  g_array_set_clear_func (out, token_clear);
  json_array_foreach (content, i, entry)
    {
      SlReplyToken token = { .logprob = logprob_of (entry), .alternatives = read_alternatives (json_object_get (entry, "top_logprobs")) };

      token.text = dup_token (entry, &token.length);
      g_array_append_val (out, token);
    }
  return out;
}

/* ------------------------------------------------------------------------------------------------ pieces */

/* A string, or a list of parts of type "text". NULL for none. (transfer full) */
static char *
dup_content (json_t *content)
{
  GString *text;
  json_t *part;
  gsize i;

  if (json_is_string (content))
    return json_string_length (content) > 0 ? g_strdup (json_string_value (content)) : NULL;
  text = g_string_new (NULL);
  json_array_foreach (content, i, part)
    {
      const char *words = json_string_value (json_object_get (part, "text"));

      g_string_append (text, words != NULL ? words : "");
    }
  return g_string_free (text, text->len == 0);
}

/* All four of a box, or none. Tokens ascend, as whoever looks for one expects. */
static void
read_coordinates (json_t *list,
                  GArray *out)
{
  SlCoordinate four[4];
  guint32 least = out->len > 0 ? g_array_index (out, SlCoordinate, out->len - 1).token : 0;

  for (guint i = 0; i < G_N_ELEMENTS (four); i++)
    {
      if (!sl_coordinate_from_json (json_array_get (list, i), i, &four[i]) || four[i].token < least)
        return;
      least = four[i].token;
    }
  g_array_append_vals (out, four, G_N_ELEMENTS (four));
}

/* The field “boxes” of docs/server.md. Which boxes there are is read in the text; another server's field of that name says nothing. */
static void
read_boxes (json_t  *boxes,
            SlReply *reply)
{
  json_t *box;
  gsize i;

  json_array_foreach (boxes, i, box)
    {
      if (json_array_size (json_object_get (box, "box")) != 4 || !json_is_string (json_object_get (box, "status")))
        continue;
      reply->has_boxes = TRUE;
      if (reply->coordinates == NULL)
        reply->coordinates = g_array_new (FALSE, FALSE, sizeof (SlCoordinate));
      read_coordinates (json_object_get (box, "coordinates"), reply->coordinates);
    }
}

static SlStopReason
stop_of (const char *finish)
{
  static const struct { const char *finish; SlStopReason stop; } reasons[] = {
    { "stop", SL_STOP_EOS },        { "length", SL_STOP_MAX_TOKENS },       { "abort", SL_STOP_USER },
    { "eos", SL_STOP_EOS },         { "max_tokens", SL_STOP_MAX_TOKENS },   { "repetition", SL_STOP_REPETITION },
    { "context", SL_STOP_CONTEXT }, { "model_length", SL_STOP_CONTEXT },
  };

  for (guint i = 0; i < G_N_ELEMENTS (reasons); i++)
    if (g_strcmp0 (finish, reasons[i].finish) == 0)
      return reasons[i].stop;
  return SL_STOP_EOS;
}

static guint
count_of (json_t     *object,
          const char *key)
{
  return (guint) CLAMP (json_integer_value (json_object_get (object, key)), 0, G_MAXINT32);
}

static void
read_choice (json_t  *choice,
             SlReply *reply)
{
  static const char *const reasoning_keys[] = { "reasoning_content", "reasoning", "thinking" };
  json_t *piece = json_object_get (choice, "delta");
  const char *finish = json_string_value (json_object_get (choice, "finish_reason"));

  if (piece == NULL)
    piece = json_object_get (choice, "message");
  reply->text = dup_content (json_object_get (piece, "content"));
  for (guint i = 0; i < G_N_ELEMENTS (reasoning_keys) && reply->reasoning == NULL; i++)
    reply->reasoning = dup_content (json_object_get (piece, reasoning_keys[i]));
  reply->tokens = read_tokens (json_object_get (json_object_get (choice, "logprobs"), "content"));
  read_boxes (json_object_get (piece, "boxes"), reply);
  if (finish != NULL && finish[0] != '\0')
    {
      reply->finish = g_strdup (finish);
      reply->stop = stop_of (finish);
    }
}

gboolean
sl_reply_parse (const char  *json,
                gsize        length,
                SlReply     *reply,
                GError     **error)
{
  json_error_t where;
  g_autoptr (json_t) root = json_loadb (json, length, 0, &where);
  json_t *usage, *choices;

  *reply = (SlReply){ 0 };
  if (!json_is_object (root))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("The server's answer is not in the OpenAI format: %s."),
                   root == NULL ? where.text : _("it is no object"));
      return FALSE;
    }
  choices = json_object_get (root, "choices");
  if (json_object_get (root, "error") != NULL && !json_is_null (json_object_get (root, "error")))
    {
      reply->error = message_of (root) != NULL ? tidy_sentence (message_of (root)) : g_strdup (_("no reason given"));
      return TRUE;
    }
  if (choices == NULL && g_strcmp0 (json_string_value (json_object_get (root, "object")), "error") == 0)
    {
      reply->error = message_of (root) != NULL ? tidy_sentence (message_of (root)) : g_strdup (_("no reason given"));
      return TRUE;
    }
  usage = json_object_get (root, "usage");
  if (!json_is_array (choices) && !json_is_object (usage))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                           _("The server's answer is not in the OpenAI format: it has no “choices”."));
      return FALSE;
    }
  read_choice (json_array_get (choices, 0), reply);
  reply->model = g_strdup (json_string_value (json_object_get (root, "model")));
  reply->has_usage = json_is_object (usage);
  reply->prompt_tokens = count_of (usage, "prompt_tokens");
  reply->output_tokens = count_of (usage, "completion_tokens");
  reply->cached_tokens = count_of (json_object_get (usage, "prompt_tokens_details"), "cached_tokens");
  return TRUE;
}
