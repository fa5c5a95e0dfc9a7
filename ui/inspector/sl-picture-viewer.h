/* SPDX-License-Identifier: MIT
 *
 * Pictures of a conversation over the whole window: zoom, pan, next and previous,
 * and for an answer its boxes on the picture and as a list, to step through, hide,
 * correct, copy and ask about, with the choice which picture they belong to. Owned by SlWindow; UI thread only.
 */
#pragma once

#include "ui/pictures/sl-box-model.h"

#include "app/conversation/sl-conversation.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_PICTURE_VIEWER (sl_picture_viewer_get_type ())

G_DECLARE_FINAL_TYPE (SlPictureViewer, sl_picture_viewer, SL, PICTURE_VIEWER, GtkWidget)

/* Signals: "close" (); "ask" (SlPicture, gboolean marked): a question about a crop, or
 * about a copy with a red rectangle; "export" (SlMessage answer, SlBoxItem or NULL for all);
 * "compare" (SlMessage answer); "find-again" (SlMessage answer, string label); "failed"
 * (string sentence); "turn" (int by, gboolean done): another picture of the series is wanted, and whether this one has been
 * decided about. */

/* An answer and the picture that its boxes lie on. */
void sl_picture_viewer_show_answer (SlPictureViewer *self,
                                    SlConversation  *conversation,
                                    SlMessage       *answer,
                                    SlBoxModel      *boxes);

/* @parts: (element-type SlMessagePart) pictures to step through, @part first. */
void sl_picture_viewer_show_parts (SlPictureViewer *self,
                                   GPtrArray       *parts,
                                   SlMessagePart   *part);

/* What is shown is one of @n pictures that are looked through: keys and buttons accept and reject boxes, and lead to the next. 0: none. */
void sl_picture_viewer_set_series (SlPictureViewer *self,
                                   guint            position,
                                   guint            n);

/* Lets go of everything that was shown. */
void sl_picture_viewer_clear (SlPictureViewer *self);

G_END_DECLS
