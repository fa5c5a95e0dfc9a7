/* SPDX-License-Identifier: MIT
 *
 * SlServer: the model of an SlEngine for other programs, in the protocol that OpenAI's clients speak: /v1/models, /v1/chat/completions,
 * /health and /metrics, on libsoup's server. Lives on the thread of its engine and never waits. Nothing that was asked or answered is
 * written down anywhere. docs/server.md is the contract. It must not know GTK or how the engine schedules.
 *
 *   socket ─▶ guard (host, key, size, time) ─▶ SlChatRequest ─▶ pictures decoded ─▶ SlGuest ─▶ SlChatReply ─▶ JSON or events
 */
#pragma once

#include <gio/gio.h>

#include "app/inference/sl-engine.h"

G_BEGIN_DECLS

#define SL_TYPE_SERVER (sl_server_get_type ())
G_DECLARE_FINAL_TYPE (SlServer, sl_server, SL, SERVER, GObject)

/* Signals: drained (): after sl_server_drain(), when the last answer is out; changed (): of sl_server_get_n_active(). */

typedef struct
{
  const char *host;               /* an address; "127.0.0.1" */
  guint16 port;                   /* 0: any that is free */
  const char *const *keys;        /* NULL-terminated; NULL: none is asked for, on loopback only */
  const char *const *picture_dirs; /* NULL-terminated: folders whose files a request may name; NULL: none */
  guint at_once;                  /* answers that go on together, 1 … 16 */
  guint queue;                    /* that wait beyond those */
  guint context;                  /* tokens of each, 0: the model's */
  gsize body_bytes;               /* of one request */
  guint64 pixels;                 /* of one picture */
  guint pictures;                 /* of one request */
  guint seconds;                  /* of one answer, waiting included */
  guint connections;
} SlServerOptions;

/* 127.0.0.1, any port, 8 at once, 64 waiting, 48 MiB, 64 million pixels, 16 pictures, 600 seconds, 2,048 connections. */
extern const SlServerOptions sl_server_default_options;

#define SL_SERVER_LEAST_KEY 16 /* characters of a key */

/* References the engine. */
SlServer *sl_server_new (SlEngine *engine);

/* Copies the options. FALSE with a sentence: the address is taken or none, or not loopback and no key. */
gboolean sl_server_start (SlServer *self, const SlServerOptions *options, GError **error);
/* Takes no more connections and questions, and lets what is being answered end; then "drained". */
void sl_server_drain (SlServer *self);
/* At once; what is being answered is broken off. */
void sl_server_stop (SlServer *self);
/* "http://127.0.0.1:8080/v1", owned by the caller; NULL while it is not started. */
char *sl_server_dup_address (SlServer *self);
guint sl_server_get_n_active (SlServer *self);

G_END_DECLS
