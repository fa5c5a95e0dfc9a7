/* SPDX-License-Identifier: MIT
 *
 * What the parts of the server share: sl-server.c listens and guards, sl-server-chat.c answers, sl-server-metrics.c counts.
 */
#pragma once

#include <libsoup/soup.h>

#include "app/server/sl-chat-request.h"
#include "app/server/sl-server.h"

G_BEGIN_DECLS

/* All since the start. */
typedef struct
{
  guint64 requests, answers, refused, busy, cancelled, failed, prompt_tokens, cached_tokens, tokens;
  double first_token_seconds, seconds; /* sums over answers */
} SlServerCounts;

struct _SlServer
{
  GObject parent_instance;

  SlEngine *engine;
  SoupServer *soup; /* NULL while it is not started */
  SlServerOptions options;
  char *host;
  char **keys, **picture_dirs;
  GThreadPool *decoders;
  GMainContext *context;
  GPtrArray *exchanges; /* being answered */
  guint n_connections;
  guint64 pixel_bytes; /* of all pictures that are decoded now */
  gboolean draining;
  SlServerCounts counts;
};

/* A question that was let in: the key's room and whose turn it takes. Pauses the message. */
void sl_server_chat (SlServer *self, SoupServerMessage *message, const char *room, guint64 client);
/* Breaks off all that is being answered. */
void sl_server_break_off (SlServer *self);
/* Called when a question is in or an answer is out. */
void sl_server_changed (SlServer *self);

/* Prometheus text, owned by the caller. */
char *sl_server_dup_metrics (SlServer *self);

void sl_server_respond_json (SoupServerMessage *message, guint status, char *json); /* takes json */
/* Adds Retry-After to 429 and 503. */
void sl_server_respond_error (SoupServerMessage *message, const SlChatError *error);

G_END_DECLS
