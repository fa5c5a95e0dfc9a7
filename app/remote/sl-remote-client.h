/* SPDX-License-Identifier: MIT
 *
 * SlRemoteClient: one connection to a server that speaks the OpenAI chat format: what it serves, and one answer at a time, piece by
 * piece. One object belongs to one thread, and its calls block: never the UI thread. Cancelling closes the connection at once, so that
 * the server stops writing. The key goes to the server's own host only, and no redirect is followed. Nothing that is sent or received
 * is logged. It must not know conversations, jobs or what an answer means.
 */
#pragma once

#include <gio/gio.h>

#include "app/remote/sl-remote-server.h"
#include "app/remote/sl-reply.h"

G_BEGIN_DECLS

/* What went wrong, by what helps. Every message is one sentence that names the host, with the server's own words where it has some. */
typedef enum
{
  SL_REMOTE_ERROR_NETWORK,   /* no connection, no name, broken off before the answer began, silent for too long */
  SL_REMOTE_ERROR_TLS,       /* the certificate cannot be trusted */
  SL_REMOTE_ERROR_KEY,       /* 401 */
  SL_REMOTE_ERROR_FORBIDDEN, /* 403 */
  SL_REMOTE_ERROR_NOT_FOUND, /* 404: no such model, or no such address */
  SL_REMOTE_ERROR_TOO_LARGE, /* 413 */
  SL_REMOTE_ERROR_REFUSED,   /* 400, 422 and other 4xx: the request itself */
  SL_REMOTE_ERROR_BUSY,      /* 429, 503: sl_remote_client_get_retry_after() */
  SL_REMOTE_ERROR_SERVER,    /* other 5xx, or an error inside the stream */
  SL_REMOTE_ERROR_PROTOCOL,  /* an answer that is none, or a redirect */
  SL_REMOTE_ERROR_CUT        /* broken off inside of the answer: what came is good */
} SlRemoteError;

#define SL_REMOTE_ERROR (sl_remote_error_quark ())
GQuark sl_remote_error_quark (void);

typedef struct _SlRemoteClient SlRemoteClient;

/* Seconds; 0: the default. connect: until a connection stands. silence: until the next byte of an answer, which may have to wait for
 * others' and for a long prompt to be read. */
typedef struct
{
  guint connect, silence;
} SlRemoteTimeouts;
#define SL_REMOTE_CONNECT 20
#define SL_REMOTE_SILENCE 600

/* key: NULL or "": none. Everything is copied or referenced. */
SlRemoteClient *sl_remote_client_new (SlRemoteServer *server, const char *key, const SlRemoteTimeouts *timeouts);
void sl_remote_client_free (SlRemoteClient *self);

/* The ids of the server's models, NULL-terminated. (transfer full) */
char **sl_remote_client_list_models (SlRemoteClient *self, GCancellable *cancellable, GError **error);

typedef void (*SlRemotePiece) (const SlReply *reply, gpointer user_data);

/* Sends the body and calls `piece` for each part of the answer, never for one with an error. TRUE when the answer is complete. */
gboolean sl_remote_client_ask (SlRemoteClient *self, GBytes *body, SlRemotePiece piece, gpointer user_data,
                               GCancellable *cancellable, GError **error);
/* Of the last failure: seconds that the server asks to wait; 0 unknown. */
guint sl_remote_client_get_retry_after (const SlRemoteClient *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlRemoteClient, sl_remote_client_free)

G_END_DECLS
