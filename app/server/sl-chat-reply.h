/* SPDX-License-Identifier: MIT
 *
 * SlChatReply: an answer on its way to a client: tokens become the protocol's JSON, whole or in the chunks of a stream, stop texts end
 * it, and its boxes become the extension field “boxes”. Used on the server's thread. It must not know HTTP or the engine.
 */
#pragma once

#include "app/generation/sl-generation.h"
#include "app/server/sl-chat-request.h"

G_BEGIN_DECLS

typedef struct _SlChatReply SlChatReply;

/* One token on its way between the threads. */
typedef struct
{
  gint32 id;
  float logprob;
  char *text;
  gsize length;
  GArray *alternatives; /* of SlAlternative, whose texts it owns; NULL: none */
  gboolean has_coordinate, completes;
  SlCoordinate coordinate;
} SlChatToken;

void sl_chat_token_free (SlChatToken *token);

/* Takes the request over. */
SlChatReply *sl_chat_reply_new (SlChatRequest *request, const char *model);
void sl_chat_reply_free (SlChatReply *self);
const SlChatRequest *sl_chat_reply_get_request (const SlChatReply *self);

void sl_chat_reply_set_prompt (SlChatReply *self, guint prompt_tokens, guint reused_tokens);
/* FALSE: a stop text came; no further token counts. */
gboolean sl_chat_reply_add_token (SlChatReply *self, const SlChatToken *token);
void sl_chat_reply_set_end (SlChatReply *self, SlStopReason stop);
guint sl_chat_reply_get_n_tokens (const SlChatReply *self);

/* Of a stream: the events for what is new, "" for nothing; what could be the beginning of a stop text waits. After set_end() the last
 * ones. Owned by the caller. */
char *sl_chat_reply_take_events (SlChatReply *self);
/* The whole answer as one object. Owned by the caller. */
char *sl_chat_reply_dup_json (SlChatReply *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlChatReply, sl_chat_reply_free)

G_END_DECLS
