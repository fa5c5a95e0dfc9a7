/* SPDX-License-Identifier: MIT
 *
 * A question in the chat: text and pictures in the order in which they were
 * written, in a bubble, with its mode. Made by SlChatView. UI thread only.
 */
#pragma once

#include "app/conversation/sl-message.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_QUESTION_ROW (sl_question_row_get_type ())

G_DECLARE_FINAL_TYPE (SlQuestionRow, sl_question_row, SL, QUESTION_ROW, GtkWidget)

/* Signals: "edit" (), "sibling" (guint), "open-picture" (SlMessagePart). */
GtkWidget *sl_question_row_new (SlMessage *message);

void sl_question_row_set_busy (SlQuestionRow *self,
                               gboolean       busy);

G_END_DECLS
