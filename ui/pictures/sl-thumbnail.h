/* SPDX-License-Identifier: MIT
 *
 * A small picture at its place in a text: in the composer (can be removed and
 * moved) and in a question of the chat (opens the viewer). It has
 * as many pixels as it shows, while it is mapped. UI thread only.
 */
#pragma once

#include "app/conversation/sl-message-part.h"
#include "app/inference/sl-engine.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_THUMBNAIL (sl_thumbnail_get_type ())

G_DECLARE_FINAL_TYPE (SlThumbnail, sl_thumbnail, SL, THUMBNAIL, GtkWidget)

/* Signals: "activated" (), and where editable "remove" (), "move" (int direction: -1, 1), "changed" (): another part stands in
 * its place, or it has become busy or ceased to be; "failed" (string sentence). */

GtkWidget *sl_thumbnail_new (SlMessagePart *part,
                             int            side,
                             gboolean       editable);

SlMessagePart *sl_thumbnail_get_part (SlThumbnail *self);

/* Its part is about to be replaced, and should not be sent yet. */
gboolean sl_thumbnail_is_busy (SlThumbnail *self);

/* With an engine a menu offers full and low detail, and what each costs. */
void sl_thumbnail_set_engine   (SlThumbnail *self,
                                SlEngine    *engine);
/* "Picture 2 of 3" for screen readers, the file name beside it. */
void sl_thumbnail_set_position (SlThumbnail *self,
                                guint        position,
                                guint        n_pictures);

G_END_DECLS
