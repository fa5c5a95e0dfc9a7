/* SPDX-License-Identifier: MIT
 *
 * SlMail: what the engine tells of a guest on its thread, handed over to the server's: a queue without a bound of its own, for the
 * server empties it before it waits again. Lives as long as the engine may write to it; its reader may leave earlier. Reference
 * counted.
 */
#pragma once

#include "app/inference/sl-guest.h"
#include "app/server/sl-chat-reply.h"

G_BEGIN_DECLS

typedef struct _SlMail SlMail;

/* What came since the last time. The tokens that the reader leaves in the queue, and the reason, are freed behind it. */
typedef struct
{
  GQueue tokens; /* of SlChatToken */
  gboolean has_read, has_ended;
  guint prompt_tokens, reused_tokens;
  SlGuestEnd end;
  SlStopReason stop;
  char *reason;
} SlNews;

/* arrived is called with the reader on the context's thread, as soon as anything came. */
SlMail *sl_mail_new (GMainContext *context, void (*arrived) (gpointer reader, SlNews *news), gpointer reader);
SlMail *sl_mail_ref (SlMail *self);
void sl_mail_unref (gpointer self);

/* The context's thread: the reader leaves, and gives its reference back. */
void sl_mail_close (SlMail *self);
/* The context's thread: NULL when it has left. */
gpointer sl_mail_get_reader (SlMail *self);
GMainContext *sl_mail_get_context (SlMail *self);

/* For a guest whose user_data is a reference of the mail. */
extern const SlGuestEvents sl_mail_events;

G_END_DECLS
