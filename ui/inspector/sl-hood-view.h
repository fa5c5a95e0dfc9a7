/* SPDX-License-Identifier: MIT
 *
 * Under the hood of an answer: how its pictures were cut for the model, its raw text with
 * every token shaded by how unlikely it was, what else might have stood there, and where
 * on the picture the model looked while it wrote it. All of it from the engine's own
 * record. Used by the viewer. UI thread only.
 */
#pragma once

#include "app/conversation/sl-conversation.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_HOOD_VIEW (sl_hood_view_get_type ())

G_DECLARE_FINAL_TYPE (SlHoodView, sl_hood_view, SL, HOOD_VIEW, GtkWidget)

/* Signals: "heat" (GdkTexture or NULL): where the model looked, to be laid over the
 * picture; "tiles" (int columns, int rows): how it was cut, 0, 0 to stop showing it. */
GtkWidget *sl_hood_view_new         (void);
/* @answer NULL: nothing. */
void       sl_hood_view_set_answer  (SlHoodView     *self,
                                     SlConversation *conversation,
                                     SlMessage      *answer);
/* The shown picture, by its place among the conversation's. */
void       sl_hood_view_set_picture (SlHoodView     *self,
                                     guint           picture);

G_END_DECLS
