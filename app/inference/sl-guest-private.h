/* SPDX-License-Identifier: MIT
 *
 * Guests between the threads, and their scheduling on the inference thread: sl-inference.c calls it, sl-guests.c does it, sl-guest.c is
 * the value. A slot is a session of the engine; what an answer of the window does not use of a pass, guests do.
 */
#pragma once

#include "app/inference/sl-guest.h"
#include "engine/vl2.h"

G_BEGIN_DECLS

struct _SlGuest
{
  gatomicrefcount refs;
  SlPrompt *prompt;
  char *room;
  guint64 client;
  guint n_alternatives;
  const SlGuestEvents *events;
  gpointer user_data;
  GDestroyNotify destroy;
  vl2_cancel cancel;
  GCancellable *reading; /* the same for pictures */
};

#define SL_MAX_GUESTS 16 /* that are answered at once */

typedef struct _SlGuests SlGuests;

SlGuests *sl_guests_new (void);
void sl_guests_free (SlGuests *self); /* none may be left */

/* Any thread, under the lock of whoever owns this; the inference thread too, where not said otherwise. */
void sl_guests_set_limits (SlGuests *self, guint at_once, guint context);
void sl_guests_push (SlGuests *self, SlGuest *guest); /* takes a reference */
/* Out of the queue (then it is the caller's to end), or marked to stop. */
gboolean sl_guests_cancel (SlGuests *self, SlGuest *guest);
void sl_guests_cancel_all (SlGuests *self); /* that are being answered */
guint sl_guests_count_waiting (SlGuests *self);
guint sl_guests_count_going (SlGuests *self);
/* The one whose turn it is: of the client with the fewest going, then that was served longest ago. NULL: none waits, or no slot is
 * free. (transfer full) */
SlGuest *sl_guests_pop (SlGuests *self);
SlGuest *sl_guests_pop_any (SlGuests *self);
/* Inference thread: nobody is expected, and there is something to give back by sl_guests_close(). */
gboolean sl_guests_are_over (SlGuests *self);

/* Somebody who comes first has come (any thread): the question that is being read is put off. Until sl_guests_begin(). */
void sl_guests_hurry (SlGuests *self);
/* Inference thread, without lock: reads the guest's question, others going on meanwhile, and begins its answer. Ends it where that
 * fails. Takes the reference, or gives it back in *put_off: to be begun again, from where its reading was. VL2_ERR_DEVICE: the engine is
 * lost. */
vl2_status sl_guests_begin (SlGuests *self, vl2_engine *engine, SlGuest *guest, SlGuest **put_off, vl2_error *err);
void sl_guests_push_first (SlGuests *self, SlGuest *guest); /* under lock; takes the reference */
/* Inference thread, without lock: a token for everybody who is being answered, and for `own` (NULL: nobody) in the same pass. */
vl2_status sl_guests_advance (SlGuests *self, vl2_writing *own, vl2_error *err);
/* Inference thread, without lock: ends all and gives their memory back. reason as of SL_GUEST_FAILED; NULL: cancelled. */
void sl_guests_close (SlGuests *self, const char *reason);

SlStopReason sl_guests_stop_reason (vl2_stop stop); /* the window's answers end for the same reasons */
void sl_guest_end (SlGuest *self, SlGuestEnd end, SlStopReason stop, const char *reason); /* takes the reference */

G_END_DECLS
