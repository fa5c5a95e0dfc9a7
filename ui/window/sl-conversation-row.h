/* SPDX-License-Identifier: MIT
 *
 * SlConversationRow: a conversation in the list, or what a search has found of it, with a menu. UI thread.
 */
#pragma once

#include <gtk/gtk.h>

#include "app/history/sl-summary.h"

G_BEGIN_DECLS

#define SL_TYPE_CONVERSATION_ROW (sl_conversation_row_get_type ())
G_DECLARE_FINAL_TYPE (SlConversationRow, sl_conversation_row, SL, CONVERSATION_ROW, GtkBox)

/* Property "summary" (SlSummary or NULL). Opens the menu at its middle, as a click with the second button does where it was; the entries
 * are actions of the window with the conversation's id. */
void sl_conversation_row_open_menu (SlConversationRow *self);

G_END_DECLS
