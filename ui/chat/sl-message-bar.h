/* SPDX-License-Identifier: MIT
 *
 * The quiet row of buttons under a message: copy, ask again or edit, raw text,
 * and the arrows between alternatives. Only reports what was pressed. UI thread.
 */
#pragma once

#include "app/conversation/sl-message.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_MESSAGE_BAR (sl_message_bar_get_type ())

G_DECLARE_FINAL_TYPE (SlMessageBar, sl_message_bar, SL, MESSAGE_BAR, GtkWidget)

/* Signals: "copy" (), "again" () (regenerate an answer, edit a question),
 * "raw" (gboolean), "sibling" (guint position). The menu and "Go On" call the window's turn-… actions with the message's id. */
GtkWidget *sl_message_bar_new (SlMessage *message);

/* Hides what makes no sense while the answer is under way. */
void sl_message_bar_set_busy (SlMessageBar *self,
                              gboolean      busy);

G_END_DECLS
