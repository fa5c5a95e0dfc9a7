/* SPDX-License-Identifier: MIT
 *
 * Making a job around a ticket of the inference thread. Used by sl-engine.c only.
 */
#pragma once

#include "app/inference/sl-inference.h"

G_BEGIN_DECLS

/* The engine is not kept alive; stopping a job of an engine that is gone does nothing. */
SlJob *sl_job_new (SlEngine *engine, SlTicket *ticket);

/* sl-engine.c */
void sl_engine_stop_ticket (SlEngine *self, SlTicket *ticket);

G_END_DECLS
