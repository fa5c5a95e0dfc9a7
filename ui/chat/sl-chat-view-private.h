/* SPDX-License-Identifier: MIT
 *
 * What the files of SlChatView share.
 */
#pragma once

#include "ui/chat/sl-chat-view.h"

struct _SlChatView
{
  GtkWidget parent_instance;

  SlConversation *conversation;
  guint first, last; /* the rows shown are messages [first, last) */
  GHashTable *rows;  /* SlMessage → GtkWidget, borrowed */

  GtkWidget *scrolled;
  GtkWidget *column;
  GtkWidget *to_end;

  gboolean stuck;    /* to the end */
  guint found;       /* message where words were found last */
  GtkWidget *marked; /* row of the message that was looked for, or NULL */
  GtkWidget *reveal; /* row that is to come into sight, or NULL */
  guint reveal_pass; /* by measuring, then by looking */
  guint tick;
  guint following;   /* tick that brings the view to its place */
  guint paging;      /* tick that makes rows beyond the edge */
};

/* sl-chat-view-rows.c. Makes the rows be those of [first, last), keeping the ones that stay. */
void       sl_chat_view_update_rows (SlChatView *self);
/* Of the message at @position of the conversation; NULL: it has none now. */
GtkWidget *sl_chat_view_row_at      (SlChatView *self,
                                     guint       position);

/* After the rows or "busy" changed: drains the answer's job, and lets the rows offer what can be done now. */
void sl_chat_view_update_busy (SlChatView *self);
