/* SPDX-License-Identifier: MIT
 *
 * What the inference thread's loop (sl-inference.c), the model it opens (sl-inference-model.c) and the writing of one answer
 * (sl-inference-answer.c) share. Used by sl-inference*.c only.
 */
#pragma once

#include "app/inference/sl-guest-private.h"
#include "app/inference/sl-inference.h"

G_BEGIN_DECLS

typedef enum { SL_REQUEST_NONE, SL_REQUEST_LOAD, SL_REQUEST_UNLOAD, SL_REQUEST_QUIT } SlInferenceRequest;

struct _SlInference
{
  gatomicrefcount refs;
  GThread *thread;
  void (*changed) (gpointer user_data);
  gpointer user_data;

  GMutex lock;
  GCond wake;
  SlInferenceRequest request;
  guint serial; /* of the newest request: the outcome of an older load is nobody's */
  char *dir, *device;
  int threads, context;
  guint64 memory_limit;
  vl2_cancel load_cancel;
  SlEngineState state;
  char *error_text;
  gboolean lacks_memory;
  guint64 loaded_bytes, total_bytes;
  SlModelInfo *info;
  GQueue queue; /* of SlTicket */
  SlTicket *running;
  SlGuests *guests; /* behind all tickets */

  SlSessionKeeper *keeper;
  vl2_cancel save_cancel; /* there is something else to do */

  GRWLock model_lock;
  vl2_engine *engine;
  vl2_session *session;
};

/* With the lock held. */
void sl_inference_set_state (SlInference *self, SlEngineState state, const char *error_text);
/* With the lock held: every job and guest that waits ends so. */
void sl_inference_empty_queue (SlInference *self, SlJobState state, const char *reason);
/* Inference thread; called and left with the lock held. Loads what was asked for last; the outcome is the state. */
void sl_inference_load_model (SlInference *self);
/* Inference thread, without lock. The session is kept for later. */
void sl_inference_close_model (SlInference *self);

/* Of the model that is open; they live longer than the answer. */
typedef struct
{
  vl2_engine *engine;
  vl2_session *session;
  SlSessionKeeper *keeper;
  SlGuests *guests; /* go on beside the answer */
} SlModelHandles;

/* Answers the ticket's prompt: VL2_CANCELLED where it was stopped while pictures were read, otherwise the generation says why it ended.
 * Inference thread, without lock. */
vl2_status sl_inference_answer (const SlModelHandles *model, SlTicket *ticket, vl2_error *err);

G_END_DECLS
