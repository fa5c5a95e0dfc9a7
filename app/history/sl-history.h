/* SPDX-License-Identifier: MIT
 *
 * SlHistory: all conversations, the pinned above the others, both newest first, as a GListModel of SlSummary; opening, naming, pinning,
 * deleting, finding them. Keeps one SlConversation per id alive while somebody holds it or it is answering. Owns neither store nor
 * engine, only references.
 * UI thread. It must not know GTK.
 */
#pragma once

#include <gio/gio.h>

#include "app/conversation/sl-conversation.h"
#include "app/conversation/sl-draft.h"
#include "app/history/sl-summary.h"
#include "app/store/sl-store.h"

G_BEGIN_DECLS

#define SL_TYPE_HISTORY (sl_history_get_type ())
G_DECLARE_FINAL_TYPE (SlHistory, sl_history, SL, HISTORY, GObject)

/* Starts reading the list; rows appear when it is read ("loaded" notifies). */
SlHistory *sl_history_new (SlStore *store, SlEngine *engine);
/* Property "loaded" (gboolean). Signals: answered (SlConversation): the answer that was being made there has ended; leaving (gint64 id):
 * nothing may be asked any more in that conversation, which is deleted, or (0) in any. */
gboolean sl_history_get_loaded (SlHistory *self);

/* Borrowed. */
SlStore *sl_history_get_store (SlHistory *self);
SlEngine *sl_history_get_engine (SlHistory *self);

/* A fresh conversation. It enters the list with its first message. (transfer full) */
SlConversation *sl_history_create (SlHistory *self);
/* What was said down to this message, which is not being written, as a conversation of its own. (transfer full) */
SlConversation *sl_history_branch (SlHistory *self, SlConversation *conversation, SlMessage *last);
/* Reads a conversation, or gives the object that is already open. (transfer full) */
void sl_history_open_async (SlHistory *self, gint64 id, GCancellable *cancellable, GAsyncReadyCallback callback,
                            gpointer user_data);
SlConversation *sl_history_open_finish (SlHistory *self, GAsyncResult *result, GError **error);

void sl_history_rename (SlHistory *self, gint64 id, const char *title);
void sl_history_set_pinned (SlHistory *self, gint64 id, gboolean pinned);

/* What is being written; 0: in a conversation that has not begun, the next question. question −1: a new version of any question. Known
 * once "loaded"; borrowed until the next change. A draft that is taken replaces the one of the same place; without parts it only goes. */
const SlDraft *sl_history_get_draft (SlHistory *self, gint64 conversation, gint64 question);
void sl_history_take_draft (SlHistory *self, SlDraft *draft);

/* Takes it out of the list (its answer is stopped); really gone — rows, search index, pictures that nothing else uses —
 * SL_UNDO_SECONDS later or when the store is closed. Undo puts it back until then. */
void sl_history_delete (SlHistory *self, gint64 id);
void sl_history_undo_delete (SlHistory *self, gint64 id);
/* Purges what is deleted now. */
void sl_history_purge (SlHistory *self);

/* Finds conversations whose title or messages hold all words of the query, CJK included; newest first, one hit per
 * conversation. (transfer full) GListModel of SlSummary, at most 200. */
void sl_history_search_async (SlHistory *self, const char *query, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data);
GListModel *sl_history_search_finish (SlHistory *self, GAsyncResult *result, GError **error);

/* For closing the program: stops all answers, waits for the engine (sl_engine_shutdown()), saves what was said. The store is
 * then closed with sl_store_close(). */
void sl_history_shutdown (SlHistory *self);

G_END_DECLS
