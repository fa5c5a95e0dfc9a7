/* SPDX-License-Identifier: MIT
 *
 * For tests that have widgets and the real engine in their own process: a history of their own with the demo model, and waiting.
 */
#pragma once

#include "app/history/sl-history.h"

typedef struct
{
  SlStore *store; /* in the home that in_session.py gives */
  SlEngine *engine;
  SlHistory *history;
} Backend;

/* Until the history is read and the demo model loaded. */
void backend_init (Backend *backend);
/* Nothing may be left unsaved. */
void backend_deinit (Backend *backend);

typedef gboolean (*Condition) (gpointer data);

/* Runs the main loop; ends the test after PATIENCE_SECONDS with what it waited for. */
void wait_until (const char *what, Condition condition, gpointer data);
/* A condition, of a conversation. */
gboolean is_idle (gpointer conversation);

/* Asks about a sample of data/samples (NULL: without a picture); returns the answer in the making. */
SlMessage *ask (SlConversation *conversation, const char *picture, const char *text, SlMode mode);
