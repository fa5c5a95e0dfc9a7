/* SPDX-License-Identifier: MIT
 *
 * For tests of conversations: a history in a folder of its own with the engine of strings, asking, looking. Main thread.
 */
#pragma once

#include "app/history/sl-history.h"

typedef struct
{
  char *dir;
  SlStore *store;
  SlEngine *engine;
  SlHistory *history;
} App;

/* A fresh folder; stopped and started again, what is in it stays. */
void app_init (App *app);
void app_start (App *app);
void app_stop (App *app);
void app_deinit (App *app);
SlConversation *reopen (App *app, gint64 id);

GPtrArray *make_parts (const char *text, SlPicture *picture);
/* picture: or NULL. The answer in the making. */
SlMessage *ask (SlConversation *conversation, const char *text, SlPicture *picture, SlMode mode);

guint count (gpointer model); /* of a GListModel */
SlMessage *message_at (SlConversation *conversation, guint position); /* borrowed */
SlBoxItem *box_at (SlMessage *message, guint position); /* borrowed */

/* Conditions. */
gboolean is_idle (gpointer conversation);
gboolean has_row (gpointer history);
gboolean has_no_row (gpointer history);
