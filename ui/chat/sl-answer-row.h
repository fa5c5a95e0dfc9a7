/* SPDX-License-Identifier: MIT
 *
 * An answer in the chat: text with label chips as it streams in, under it the
 * picture with the boxes, a quiet status line, and what can be done with it.
 * Made by SlChatView. UI thread only; knows the conversation, not the engine.
 */
#pragma once

#include "ui/pictures/sl-box-model.h"

#include "app/conversation/sl-conversation.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_ANSWER_ROW (sl_answer_row_get_type ())

G_DECLARE_FINAL_TYPE (SlAnswerRow, sl_answer_row, SL, ANSWER_ROW, GtkWidget)

/* Signals: "regenerate" (), "stop" (), "sibling" (guint), "open-viewer" (SlBoxModel),
 * "find-again" (string label). */
GtkWidget *sl_answer_row_new (SlConversation *conversation,
                              SlMessage      *message);

SlMessage *sl_answer_row_get_message (SlAnswerRow *self);

/* @busy: some answer of this conversation is under way. */
void sl_answer_row_set_busy (SlAnswerRow *self,
                             gboolean     busy);

G_END_DECLS
