/* SPDX-License-Identifier: MIT
 *
 * What the inference thread's loop and the writing of one answer share. Used by sl-inference*.c only.
 */
#pragma once

#include "app/inference/sl-inference.h"

G_BEGIN_DECLS

/* Of the model that is open; they live longer than the answer. */
typedef struct
{
  vl2_engine *engine;
  vl2_session *session;
  SlSessionKeeper *keeper;
} SlModelHandles;

/* Answers the ticket's prompt: VL2_CANCELLED where it was stopped while pictures were read, otherwise the generation says why it ended.
 * Inference thread, without lock. */
vl2_status sl_inference_answer (const SlModelHandles *model, SlTicket *ticket, vl2_error *err);

G_END_DECLS
