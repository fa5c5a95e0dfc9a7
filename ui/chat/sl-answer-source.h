/* SPDX-License-Identifier: MIT
 *
 * SlAnswerSource: what only an answer from a server has: what the model thought before, folded, and what the numbers of its boxes were
 * taken for, with the other ways to read them one click away. Not there for an answer of this computer. UI thread.
 */
#pragma once

#include <gtk/gtk.h>

#include "app/conversation/sl-conversation.h"

G_BEGIN_DECLS

#define SL_TYPE_ANSWER_SOURCE (sl_answer_source_get_type ())
G_DECLARE_FINAL_TYPE (SlAnswerSource, sl_answer_source, SL, ANSWER_SOURCE, GtkWidget)

GtkWidget *sl_answer_source_new (SlConversation *conversation, SlMessage *message);
/* After the text or the state of the message changed; grounding: the text taken apart. */
void sl_answer_source_update (SlAnswerSource *self, SlGrounding *grounding);

G_END_DECLS
