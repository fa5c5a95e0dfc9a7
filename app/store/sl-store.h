/* SPDX-License-Identifier: MIT
 *
 * SlStore: the history on disk, behind one writer thread: a GObject of the UI thread that hands records (sl-records.h) to the
 * thread that owns the database (sl-database.h) and its picture files. Called by SlConversation and SlHistory; the window
 * opens it, shows its trouble in a banner, and closes it. It must not know message objects, the engine or GTK.
 *
 * Writes are queued in order and never fail for the caller. When the history cannot be opened, or its disk is full, read-only or
 * locked, the queue stands still ("blocked"), "error-text" holds a sentence that names the file and the reason, and it is tried again
 * every two seconds; nothing is dropped while the program lives. What can be read meanwhile is read.
 */
#pragma once

#include <gio/gio.h>

#include "app/store/sl-records.h"
#include "app/store/sl-store-error.h"

G_BEGIN_DECLS

typedef enum
{
  SL_STORE_OPENING, /* or being mended: reads and writes wait */
  SL_STORE_OPEN,    /* reads and writes */
  SL_STORE_READING, /* reads; writes wait */
  SL_STORE_SHUT     /* writes wait, reads fail with the reason */
} SlStoreState;

#define SL_TYPE_STORE (sl_store_get_type ())
G_DECLARE_FINAL_TYPE (SlStore, sl_store, SL, STORE, GObject)

/* Properties (notify): "state" (int, SlStoreState; also when it was opened anew), "error-text" (string or NULL: what the user should
 * know of the history), "blocked" (gboolean: nothing can be saved now), "pending" (guint: changes of the user not yet on disk).
 * Signals: conversation-changed (gint64 id): a write that changes its line in the list is on disk; conversation-unsaved (gint64 id):
 * such a write waits while the store is blocked. */

/* $SIGHTLINE_DATA_DIR, else $XDG_DATA_HOME/io.github.sightline.Sightline. Owned by the caller. */
char *sl_store_dup_default_dir (void);

/* Opens (creates, migrates, sweeps) the history in dir on the store's thread; NULL: the default. Returns at once. */
SlStore *sl_store_new (const char *dir);

const char *sl_store_get_dir (SlStore *self);
SlStoreState sl_store_get_state (SlStore *self);
const char *sl_store_get_error_text (SlStore *self);
/* SlStoreError of "error-text", −1 where it is only news. */
int sl_store_get_error_code (SlStore *self);
gboolean sl_store_get_blocked (SlStore *self);
guint sl_store_get_pending (SlStore *self);

/* Does not wait for the next attempt. */
void sl_store_retry (SlStore *self);
/* The user has read it: for what is not blocked. */
void sl_store_dismiss (SlStore *self);
/* What a damaged history still holds becomes a new one (REPAIR), or an empty one is begun (BEGIN); the old one is kept in a folder
 * below kept/. Then what waits is written there, and "error-text" says what has been done. FALSE: nothing has changed. */
typedef enum { SL_STORE_REPAIR, SL_STORE_BEGIN } SlStoreMend;
void sl_store_mend_async (SlStore *self, SlStoreMend mend, GAsyncReadyCallback callback, gpointer user_data);
gboolean sl_store_mend_finish (SlStore *self, GAsyncResult *result, GError **error);
/* The file of a stored picture: <dir>/pictures/<ab>/<sha256>.<extension>. Owned by the caller. */
char *sl_store_dup_picture_path (SlStore *self, const char *sha256, const char *extension);

/* Ids are time in µs, strictly growing: unique without asking the disk, and in order of creation. While the history is being opened
 * only the clock is known: an id of then may be that of a row where the clock was set back. */
gint64 sl_store_new_id (SlStore *self);

/* So many in a row, from any thread; the first one. */
gint64 sl_store_reserve_ids (SlStore *self, guint n_ids);

/* Work on the database, for another thread than the UI's, which waits: it is done once and in its turn among the writes. Whatever it does
 * has to be transactions. *changed: the conversation whose line in the list it has changed, 0 for none. */
typedef gboolean (*SlStoreWork) (SlDatabase *database, gpointer data, gint64 *changed, GError **error);
gboolean sl_store_work (SlStore *self, SlStoreWork work, gpointer data, GCancellable *cancellable, GError **error);

/* Writes; arguments are copied or referenced. */
void sl_store_put_conversation (SlStore *self, const SlConversationRecord *record);
/* Picture files of its parts (bytes, may be NULL where already stored) go first, then message, parts, generation and boxes
 * in one transaction; leaf: also becomes the conversation's shown path. */
void sl_store_put_message (SlStore *self, const SlMessageRecord *record, gboolean leaf);
/* A streaming answer's text so far, cheap. */
void sl_store_put_progress (SlStore *self, gint64 message, const char *text);
void sl_store_set_title (SlStore *self, gint64 conversation, const char *title);
void sl_store_set_pinned (SlStore *self, gint64 conversation, gboolean pinned);
void sl_store_set_leaf (SlStore *self, gint64 conversation, gint64 message);
void sl_store_set_detail (SlStore *self, gint64 message, guint position, SlDetail detail);
void sl_store_set_box_picture (SlStore *self, gint64 message, const char *sha256);
void sl_store_put_box (SlStore *self, gint64 message, const SlBoxRecord *record);
void sl_store_remove_box (SlStore *self, gint64 box);
/* The folder that a conversation asks about, with all its pictures; one of them. */
void sl_store_put_folder (SlStore *self, const SlFolderRecord *record);
void sl_store_put_folder_picture (SlStore *self, gint64 conversation, const SlFolderPictureRecord *record);
/* Takes the record. What is written is written often: a newer one takes the place of one that still waits. */
void sl_store_take_draft (SlStore *self, SlDraftRecord *record);
/* Tombstones: hidden from reads, gone with the next purge. */
void sl_store_delete_conversation (SlStore *self, gint64 conversation);
void sl_store_undelete_conversation (SlStore *self, gint64 conversation);
void sl_store_delete_message (SlStore *self, gint64 message);
void sl_store_undelete_message (SlStore *self, gint64 message);
/* Removes what was deleted at least that many seconds ago. */
void sl_store_purge (SlStore *self, guint seconds);

/* Reads, after all writes queued before them. Results are (transfer full). */
void sl_store_list_async (SlStore *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* Array of SlSummaryRecord, newest first. */
GPtrArray *sl_store_list_finish (SlStore *self, GAsyncResult *result, GError **error);
/* Array of SlDraftRecord. */
void sl_store_drafts_async (SlStore *self, GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
GPtrArray *sl_store_drafts_finish (SlStore *self, GAsyncResult *result, GError **error);
void sl_store_summary_async (SlStore *self, gint64 conversation, GCancellable *cancellable, GAsyncReadyCallback callback,
                             gpointer user_data);
/* NULL without error: there is no such conversation (any more). */
SlSummaryRecord *sl_store_summary_finish (SlStore *self, GAsyncResult *result, GError **error);
void sl_store_load_async (SlStore *self, gint64 conversation, GCancellable *cancellable, GAsyncReadyCallback callback,
                          gpointer user_data);
SlConversationRecord *sl_store_load_finish (SlStore *self, GAsyncResult *result, GError **error);
void sl_store_search_async (SlStore *self, const char *query, guint limit, GCancellable *cancellable,
                            GAsyncReadyCallback callback, gpointer user_data);
/* Array of SlSummaryRecord. */
GPtrArray *sl_store_search_finish (SlStore *self, GAsyncResult *result, GError **error);

/* Waits until everything queued is on disk; FALSE with the reason where that is not possible now. Blocks. */
gboolean sl_store_flush (SlStore *self, GError **error);
/* The same without blocking. */
void sl_store_flush_async (SlStore *self, GAsyncReadyCallback callback, gpointer user_data);
gboolean sl_store_flush_finish (SlStore *self, GAsyncResult *result, GError **error);
/* Flushes, purges tombstones, joins the thread. FALSE with the reason if writes were lost. Later writes do nothing. */
gboolean sl_store_close (SlStore *self, GError **error);

G_END_DECLS
