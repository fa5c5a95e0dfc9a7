/* SPDX-License-Identifier: MIT
 *
 * A swatch on the thumbnail of a transparent picture: what lies under it, checks for nothing and white for white. Says in words what
 * the model sees, and where the picture may still be changed lays it over white or takes it off again, which makes another part.
 * Owned by SlThumbnail; UI thread only.
 */
#pragma once

#include "app/conversation/sl-message-part.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_GROUND_BUTTON (sl_ground_button_get_type ())

G_DECLARE_FINAL_TYPE (SlGroundButton, sl_ground_button, SL, GROUND_BUTTON, GtkToggleButton)

/* Signals: "replaced" (SlMessagePart): the part that is to stand in place of the old one; "failed" (string sentence).
 * Property: "busy" (gboolean, readable): the picture is being laid over white. */

GtkWidget *sl_ground_button_new (gboolean editable);

/* Hides itself for a picture that is not transparent, and until that is known. */
void sl_ground_button_set_part (SlGroundButton *self,
                                SlMessagePart  *part);

G_END_DECLS
