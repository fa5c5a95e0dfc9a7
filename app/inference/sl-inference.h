/* SPDX-License-Identifier: MIT
 *
 * SlInference: the inference thread. It alone opens, uses and closes the engine's handles; other threads ask it through the
 * functions here, which only take a lock; jobs come as tickets (sl-ticket.h). Private to the engine's part of app/: sl-engine.c owns
 * the thread. It must not know GObjects or main loops.
 */
#pragma once

#include <gio/gio.h>

#include "app/inference/sl-guest.h"
#include "app/inference/sl-model-info.h"
#include "app/inference/sl-session-keeper.h"
#include "app/inference/sl-ticket.h"
#include "engine/vl2.h"

G_BEGIN_DECLS

typedef struct _SlInference SlInference;

/* A reading of the thread. Strings are the caller's. */
typedef struct
{
  SlEngineState state;
  char *error_text;
  gboolean lacks_memory; /* that is why it FAILED */
  guint64 loaded_bytes, total_bytes;
  SlModelInfo *info; /* NULL unless READY */
  gboolean busy;
  guint queue_length;
  guint guests_waiting, guests_going;
} SlInferenceReading;

/* How many steps of priority the inference thread, and with it the engine's threads, stands below the one that made it. */
#define SL_INFERENCE_NICE 5

/* changed is called on the inference thread, or on the one that asked, whenever a reading would differ. */
SlInference *sl_inference_new (void (*changed) (gpointer user_data), gpointer user_data);
/* A worker that borrows the engine keeps the struct alive. */
SlInference *sl_inference_ref (SlInference *self);
void sl_inference_unref (SlInference *self);
/* Stops everything and joins the thread, once, before the owner's unref. Tickets that still wait end as STOPPED. */
void sl_inference_stop_all (SlInference *self);

void sl_inference_load (SlInference *self, const char *dir, const SlEngineOptions *options);
void sl_inference_cancel_load (SlInference *self);
void sl_inference_unload (SlInference *self);
void sl_inference_submit (SlInference *self, SlTicket *ticket);
void sl_inference_stop (SlInference *self, SlTicket *ticket);
/* Guests, see sl-guest.h; they come after all tickets. Cancelling ends one that waits, and stops one that is being answered. */
void sl_inference_submit_guest (SlInference *self, SlGuest *guest);
void sl_inference_cancel_guest (SlInference *self, SlGuest *guest);
void sl_inference_set_guest_limits (SlInference *self, guint at_once, guint context);
void sl_inference_read (SlInference *self, SlInferenceReading *reading);
void sl_inference_reading_clear (SlInferenceReading *self);

/* What is kept between runs; lives as long as the struct. */
SlSessionKeeper *sl_inference_get_keeper (SlInference *self);

/* The loaded engine for pure calls of another thread; NULL if there is none or it is being opened or closed: never waits.
 * Keeps it from being closed: release soon. */
const vl2_engine *sl_inference_borrow (SlInference *self, guint *capacity);
void sl_inference_release (SlInference *self);

G_END_DECLS
