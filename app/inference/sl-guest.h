/* SPDX-License-Identifier: MIT
 *
 * SlGuest: a question from outside the window (app/server/) to the model that is loaded here. Guests wait in a queue of their own, in
 * turns between those who send them, and are answered several at once, beside and behind what the window asks. Made on any thread;
 * the events come on the inference thread and must not wait. Reference counted.
 *
 *   sl_engine_submit_guest() ──▶ queue ──▶ slot (session) ──▶ read ──▶ token … ──▶ ended
 */
#pragma once

#include <gio/gio.h>

#include "app/generation/sl-generation.h"
#include "app/prompt/sl-prompt.h"

G_BEGIN_DECLS

typedef struct _SlGuest SlGuest;

typedef struct
{
  gint32 id;
  float logprob;
  const char *text; /* newly completed UTF-8, special tokens as text */
  gsize length;
  guint n_alternatives; /* most likely first */
  const SlAlternative *alternatives;
  const SlCoordinate *coordinate; /* NULL unless a number of a box begins in this token, or ends (`completes`) */
  gboolean completes;
} SlGuestToken;

typedef enum
{
  SL_GUEST_DONE,      /* reason of the model: see stop */
  SL_GUEST_CANCELLED, /* by sl_engine_cancel_guest(), or the engine ended */
  SL_GUEST_REFUSED,   /* the question cannot be answered; `reason` says why */
  SL_GUEST_TOO_LONG,  /* it does not fit the context; `reason` has the numbers */
  SL_GUEST_FAILED     /* no model, no memory, a device that failed */
} SlGuestEnd;

/* All on the inference thread, without locks. ended comes once, and last; also on the thread that submits, where nothing is loaded. */
typedef struct
{
  void (*read) (gpointer user_data, guint prompt_tokens, guint reused_tokens);
  void (*token) (gpointer user_data, const SlGuestToken *token);
  void (*ended) (gpointer user_data, SlGuestEnd end, SlStopReason stop, const char *reason);
} SlGuestEvents;

/* room: what is read and cached for one room serves no other (a key of access); client: turns are taken between clients. events has to
 * be static; user_data is released by `destroy` with the last reference, on whichever thread. */
SlGuest *sl_guest_new (SlPrompt            *prompt,
                       const char          *room,
                       guint64              client,
                       guint                n_alternatives,
                       const SlGuestEvents *events,
                       gpointer             user_data,
                       GDestroyNotify       destroy);
SlGuest *sl_guest_ref (SlGuest *self);
void sl_guest_unref (SlGuest *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlGuest, sl_guest_unref)

G_END_DECLS
