/* SPDX-License-Identifier: MIT
 *
 * The messages of one conversation as real rows in a scrolled column. Keeps a
 * window of rows over long conversations and moves it along, stays at the end while an answer
 * streams unless the user has scrolled up, and drains the answer's job once per
 * frame. Owned by SlWindow; UI thread only.
 */
#pragma once

#include "ui/pictures/sl-box-model.h"

#include "app/conversation/sl-conversation.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_CHAT_VIEW (sl_chat_view_get_type ())

G_DECLARE_FINAL_TYPE (SlChatView, sl_chat_view, SL, CHAT_VIEW, GtkWidget)

/* Signals: "edit" (SlMessage question), "open-answer" (SlMessage, SlBoxModel),
 * "open-part" (SlMessage, SlMessagePart), "find-again" (SlMessage, string label),
 * "failed" (const char *sentence). */

void            sl_chat_view_set_conversation (SlChatView     *self,
                                               SlConversation *conversation);
SlConversation *sl_chat_view_get_conversation (SlChatView     *self);

/* What the user has selected in this message; NULL for nothing. (transfer full) */
char *sl_chat_view_dup_selection (SlChatView *self,
                                  SlMessage  *message);

void sl_chat_view_scroll_to_end (SlChatView *self);
/* Brings a message of the conversation into sight and marks it, until another one is looked for. */
void sl_chat_view_scroll_to     (SlChatView *self,
                                 SlMessage  *message);

/* The same, with these words selected in it. NULL: none. */
void sl_chat_view_show_words    (SlChatView *self,
                                 SlMessage  *message,
                                 const char *words);
/* The next message (direction 1), the one before (−1) or the last one (0) that holds the words, in whatever case; round at the ends.
 * FALSE: there is none. */
gboolean sl_chat_view_find      (SlChatView *self,
                                 const char *words,
                                 int         direction);

G_END_DECLS
