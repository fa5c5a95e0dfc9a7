/* SPDX-License-Identifier: MIT
 *
 * SlSse: server-sent events out of bytes as they come: cut anywhere, lines ended by LF, CR or CRLF, comments, several data lines in one
 * event, a byte order mark. A pure state machine of one thread; it must not know HTTP or what the data mean.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define SL_SSE_LIMIT (16u << 20) /* bytes of one event's data */

typedef struct _SlSse SlSse;

/* data: the event's data lines joined by LF, NUL-terminated, valid during the call. event: "message" unless the event names itself.
 * FALSE ends the reading. */
typedef gboolean (*SlSseEvent) (const char *event, const char *data, gsize length, gpointer user_data);

SlSse *sl_sse_new (SlSseEvent on_event, gpointer user_data);
void sl_sse_free (SlSse *self);

/* FALSE: the callback has ended the reading, or (with error, G_IO_ERROR_MESSAGE_TOO_LARGE) an event is larger than the limit. */
gboolean sl_sse_push (SlSse *self, const char *bytes, gsize length, GError **error);
/* The stream has ended: an event whose last line is not ended is given all the same, since some servers forget the empty line. */
void sl_sse_end (SlSse *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlSse, sl_sse_free)

G_END_DECLS
