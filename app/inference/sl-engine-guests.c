/* SPDX-License-Identifier: MIT
 *
 * The engine's end of its guests. UI thread.
 */
#include "app/inference/sl-engine-private.h"

#include <glib/gi18n-lib.h>

#include "app/inference/sl-guest-private.h"

void
sl_engine_submit_guest (SlEngine *self,
                        SlGuest  *guest)
{
  g_return_if_fail (SL_IS_ENGINE (self));

  sl_engine_wake (self);
  if (sl_engine_get_inference (self) != NULL)
    sl_inference_submit_guest (sl_engine_get_inference (self), guest);
  else
    sl_guest_end (sl_guest_ref (guest), SL_GUEST_FAILED, SL_STOP_ERROR, _("The model has been shut down"));
}

void
sl_engine_cancel_guest (SlEngine *self,
                        SlGuest  *guest)
{
  g_return_if_fail (SL_IS_ENGINE (self));

  if (sl_engine_get_inference (self) != NULL)
    sl_inference_cancel_guest (sl_engine_get_inference (self), guest);
}

void
sl_engine_set_guest_limits (SlEngine *self,
                            guint     at_once,
                            guint     context)
{
  g_return_if_fail (SL_IS_ENGINE (self));

  if (sl_engine_get_inference (self) != NULL)
    sl_inference_set_guest_limits (sl_engine_get_inference (self), at_once, context);
}

void
sl_engine_count_guests (SlEngine *self,
                        guint    *waiting,
                        guint    *going)
{
  SlInferenceReading reading;

  g_return_if_fail (SL_IS_ENGINE (self));

  *waiting = *going = 0;
  if (sl_engine_get_inference (self) == NULL)
    return;
  sl_inference_read (sl_engine_get_inference (self), &reading);
  *waiting = reading.guests_waiting;
  *going = reading.guests_going;
  sl_inference_reading_clear (&reading);
}
