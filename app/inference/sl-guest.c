/* SPDX-License-Identifier: MIT
 *
 * The value that a guest is between the threads.
 */
#include "app/inference/sl-guest-private.h"

SlGuest *
sl_guest_new (SlPrompt            *prompt,
              const char          *room,
              guint64              client,
              guint                n_alternatives,
              const SlGuestEvents *events,
              gpointer             user_data,
              GDestroyNotify       destroy)
{
  SlGuest *self = g_new0 (SlGuest, 1);

  g_atomic_ref_count_init (&self->refs);
  self->prompt = sl_prompt_ref (prompt);
  self->room = g_strdup (room);
  self->client = client;
  self->n_alternatives = n_alternatives;
  self->events = events;
  self->user_data = user_data;
  self->destroy = destroy;
  self->reading = g_cancellable_new ();
  atomic_init (&self->cancel, false);
  return self;
}

SlGuest *
sl_guest_ref (SlGuest *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_guest_unref (SlGuest *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  if (self->destroy != NULL)
    self->destroy (self->user_data);
  sl_prompt_unref (self->prompt);
  g_object_unref (self->reading);
  g_free (self->room);
  g_free (self);
}

void
sl_guest_end (SlGuest      *self,
              SlGuestEnd    end,
              SlStopReason  stop,
              const char   *reason)
{
  self->events->ended (self->user_data, end, stop, reason);
  sl_guest_unref (self);
}
