/* SPDX-License-Identifier: MIT
 *
 * What both threads see of a job. See the header.
 */
#include "app/inference/sl-ticket.h"

#define RING_BYTES (64 * 1024)

SlTicket *
sl_ticket_new (SlPrompt *prompt)
{
  SlTicket *self = g_new0 (SlTicket, 1);

  g_atomic_ref_count_init (&self->refs);
  self->prompt = sl_prompt_ref (prompt);
  self->ring = sl_token_ring_new (RING_BYTES);
  self->generation = sl_generation_new ();
  self->reading = g_cancellable_new ();
  atomic_init (&self->cancel, false);
  g_mutex_init (&self->lock);
  return self;
}

SlTicket *
sl_ticket_ref (SlTicket *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_ticket_unref (SlTicket *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  sl_prompt_unref (self->prompt);
  sl_token_ring_free (self->ring);
  g_object_unref (self->reading);
  sl_generation_free (self->generation);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
sl_ticket_cancel (SlTicket *self)
{
  atomic_store (&self->cancel, true);
  sl_token_ring_release (self->ring);
  g_cancellable_cancel (self->reading);
}

void
sl_ticket_finish (SlTicket   *self,
                  SlJobState  state,
                  const char *reason)
{
  g_mutex_lock (&self->lock);
  self->status.state = state;
  self->status.position = 0;
  if (state == SL_JOB_FAILED)
    {
      g_free (self->generation->error);
      self->generation->error = reason != NULL ? g_utf8_make_valid (reason, -1) : NULL;
      self->generation->stop = SL_STOP_ERROR;
    }
  else if (state == SL_JOB_STOPPED)
    self->generation->stop = SL_STOP_USER;
  g_mutex_unlock (&self->lock);
}
