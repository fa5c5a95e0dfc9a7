/* SPDX-License-Identifier: MIT
 *
 * SlStill: the pixels that a widget shows of a message's picture at one size, as long as it is mapped. Used by thumbnails and by the
 * pictures under answers, on the UI thread; the viewer, which zooms, has all pixels instead.
 */
#pragma once

#include "app/conversation/sl-message-part.h"
#include "ui/pictures/sl-mipmap.h"

G_BEGIN_DECLS

#define SL_TYPE_STILL (sl_still_get_type ())

G_DECLARE_FINAL_TYPE (SlStill, sl_still, SL, STILL, GObject)

/* Signal: "changed" (): other pixels to draw, or an error. */

SlStill *sl_still_new (SlMessagePart *part);

/* Asks for pixels, @side of them along the longer side; what is there already is given at once. */
void sl_still_start (SlStill *self,
                     int      side);
/* Lets them go. */
void sl_still_stop  (SlStill *self);

/* NULL until there; borrowed. */
SlMipmap   *sl_still_get_mipmap     (SlStill *self);
/* Why there are none; NULL. */
const char *sl_still_get_error_text (SlStill *self);

G_END_DECLS
