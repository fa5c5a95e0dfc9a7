/* SPDX-License-Identifier: MIT
 *
 * Making a job around a ticket: for whoever makes answers. UI thread.
 */
#pragma once

#include "app/inference/sl-job.h"
#include "app/inference/sl-ticket.h"

G_BEGIN_DECLS

/* Stops the answer of a ticket; owner is who made it. UI thread. */
typedef void (*SlTicketStop) (SlTicket *ticket, gpointer owner);
/* owner (a GObject) is not kept alive; stopping a job whose owner is gone does nothing. */
SlJob *sl_job_new (SlTicket *ticket, SlTicketStop stop, gpointer owner);

G_END_DECLS
