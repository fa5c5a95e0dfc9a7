/* SPDX-License-Identifier: MIT
 *
 * SlHttp: one GET at a time, for the rooms that fetch something: byte ranges, redirects, an access token that is shown to its own
 * host only, time-outs, and failures as sentences with a kind that says what helps. One object belongs to one thread, and its
 * calls block: never on the UI thread. It must not know what is fetched.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* What went wrong, by what helps. */
typedef enum
{
  SL_HTTP_ERROR_NETWORK,   /* no connection, no name, broken off, silent for too long: try again */
  SL_HTTP_ERROR_TLS,       /* the host's certificate cannot be trusted */
  SL_HTTP_ERROR_ACCESS,    /* 401, 403: a token, or the publisher's terms */
  SL_HTTP_ERROR_NOT_FOUND, /* 404, 410 */
  SL_HTTP_ERROR_BUSY,      /* 429, 503: try again later */
  SL_HTTP_ERROR_SERVER,    /* other 5xx: try again */
  SL_HTTP_ERROR_PROTOCOL   /* an answer that makes no sense */
} SlHttpError;

#define SL_HTTP_ERROR (sl_http_error_quark ())
GQuark sl_http_error_quark (void);

typedef struct _SlHttp SlHttp;

#define SL_HTTP_SILENCE 30 /* seconds, the default */

/* token: NULL, or what is sent as "Bearer" to the host (and port) of `owner`, an address; over plain http only where that host is
 * this computer. Both are copied. silence: seconds after which a connection that says nothing counts as lost; 0: the default. */
SlHttp *sl_http_new (const char *owner, const char *token, guint silence);
void sl_http_free (SlHttp *self);

typedef struct
{
  gboolean partial;    /* the range that was asked for; else the whole from its first byte */
  gint64 first, total; /* of the body's first byte; bytes of the whole, -1 unknown */
  char *etag, *link;   /* headers, NULL where there are none */
  int retry_after;     /* seconds, of a failure that is BUSY; 0 unknown */
} SlHttpReply;

void sl_http_reply_clear (SlHttpReply *self);

/* GETs `uri`, following up to ten redirects. last < 0: the whole; else bytes first … last. etag: NULL, or the ETag that the bytes
 * before came with: if it is another one by now, the whole comes. The stream's content is what the server stores: no encoding is
 * accepted. NULL with an SL_HTTP_ERROR or a G_IO_ERROR (CANCELLED) whose sentence names the address; reply->retry_after may then
 * say more. The stream has to be freed before the next call. (transfer full) */
GInputStream *sl_http_get (SlHttp *self, const char *uri, gint64 first, gint64 last, const char *etag, SlHttpReply *reply,
                           GCancellable *cancellable, GError **error);

/* What a failed read of such a stream means, in the same terms. Takes `cause`. */
void sl_http_propagate (SlHttp *self, GError **error, GError *cause, const char *uri);
guint sl_http_get_silence (const SlHttp *self);

/* Is it "localhost", or an address of this computer? */
gboolean sl_http_is_loopback (const char *host);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlHttp, sl_http_free)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SlHttpReply, sl_http_reply_clear)

G_END_DECLS
