/* SPDX-License-Identifier: MIT
 *
 * SlTicket: one answer between the thread that makes it and the UI thread: the prompt on the way in, text, state and record on the way
 * out. Whoever makes answers (the inference thread, a connection to a server) fills it; sl-job.c shows it. It must not know engines,
 * conversations or servers.
 */
#pragma once

#include <gio/gio.h>

#include "app/generation/sl-generation.h"
#include "app/inference/sl-job-status.h"
#include "app/inference/sl-token-ring.h"
#include "app/prompt/sl-prompt.h"
#include "engine/vl2.h"

G_BEGIN_DECLS

/* lock guards the fields below it; the others are set before it is handed over. */
typedef struct
{
  gatomicrefcount refs;
  SlPrompt *prompt;
  SlTokenRing *ring;
  vl2_cancel cancel;
  GCancellable *reading; /* the same for what waits in GIO: pictures that are read, a connection */

  GMutex lock;
  SlJobStatus status;
  gint64 decoding_since;    /* monotonic µs, 0 before */
  SlGeneration *generation; /* complete when the state is final */
} SlTicket;

SlTicket *sl_ticket_new (SlPrompt *prompt);
SlTicket *sl_ticket_ref (SlTicket *self);
void sl_ticket_unref (SlTicket *self);
/* Wherever it is: in the engine, waiting for room in the ring, reading. Any thread. */
void sl_ticket_cancel (SlTicket *self);
/* Ends it before or after it ran. reason: NULL unless FAILED. */
void sl_ticket_finish (SlTicket *self, SlJobState state, const char *reason);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlTicket, sl_ticket_unref)

G_END_DECLS
