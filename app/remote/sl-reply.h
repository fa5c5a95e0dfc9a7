/* SPDX-License-Identifier: MIT
 *
 * SlReply: one piece of an answer in the OpenAI chat format, streamed ("delta") or whole ("message"), as plain values: text, reasoning,
 * tokens with their probabilities, why it ended, counts, or the error that the server put into the stream. Pure; any thread. It must not
 * know how it came or who asked.
 */
#pragma once

#include "app/generation/sl-generation.h"

G_BEGIN_DECLS

typedef struct
{
  char *text; /* UTF-8; bytes that are no character alone as they are */
  gsize length;
  float logprob;
} SlReplyAlternative;

typedef struct
{
  char *text; /* bytes: half a character may be another token's */
  gsize length;
  float logprob;
  GArray *alternatives; /* of SlReplyAlternative, most likely first; NULL for none */
} SlReplyToken;

typedef struct
{
  char *text, *reasoning; /* NULL where the piece has none */
  GArray *tokens;         /* of SlReplyToken; NULL without "logprobs" */
  gboolean has_boxes;     /* of our own servers: what the boxes' numbers are is known, 0 … 999 with x first */
  GArray *coordinates;    /* of SlCoordinate: what those were drawn from, by token of the answer; NULL */
  SlStopReason stop;      /* NONE: it goes on */
  char *finish;           /* "finish_reason" as the server says it */
  gboolean has_usage;
  guint prompt_tokens, output_tokens, cached_tokens;
  char *model;            /* as the server names it; NULL */
  char *error;            /* the server's own sentence; everything else is empty then */
} SlReply;

/* FALSE, with nothing to clear, for what is no such piece: the sentence says what is wrong with it. */
gboolean sl_reply_parse (const char *json, gsize length, SlReply *reply, GError **error);
void sl_reply_clear (SlReply *self);

/* The server's own sentence out of the body of a refusal: {"error": {"message"}}, {"error": "…"}, {"message"}, {"detail"} of the servers
 * that are built on FastAPI, else the text itself where it is short and readable. NULL for none. (transfer full) */
char *sl_reply_dup_error (const char *body, gsize length);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SlReply, sl_reply_clear)

G_END_DECLS
