/* SPDX-License-Identifier: MIT
 *
 * SlDatabase: the history's files, synchronously: history.db (SQLite), pictures/ (content-addressed), backups/. Used by the
 * store's thread, by `sightline-cli history` and by tests; one thread at a time. It must not know GObjects or the engine.
 *
 * Writing opens take a lock on history.lock, so that one program writes; reading opens do not and change nothing.
 * Every error is SL_STORE_ERROR with one sentence that names the file and the reason.
 */
#pragma once

#include "app/store/sl-parcel.h"

G_BEGIN_DECLS

typedef enum { SL_DATABASE_WRITE, SL_DATABASE_READ } SlDatabaseAccess;

/* WRITE: creates the folder and file (private to the user), migrates (a copy goes to backups/ first), marks answers that were
 * being written as INTERRUPTED, with the boxes that they have. READ: an existing history as it is, also where nothing may be written;
 * one of an older version, or with a log that a crash has left there, is read from a private copy. */
SlDatabase *sl_database_open (const char *dir, SlDatabaseAccess access, GError **error);
void sl_database_close (SlDatabase *self);
/* What the user should know of how it was opened, or NULL: a list that was gone though its pictures are there. */
const char *sl_database_get_notice (SlDatabase *self);

/* Each is one transaction: done, or undone and FALSE. The record's new pictures become files before the rows. */
gboolean sl_database_put_conversation (SlDatabase *self, const SlConversationRecord *record, GError **error);
gboolean sl_database_put_message (SlDatabase *self, const SlMessageRecord *record, gboolean leaf, GError **error);
gboolean sl_database_put_progress (SlDatabase *self, gint64 message, const char *text, GError **error);
gboolean sl_database_set_title (SlDatabase *self, gint64 conversation, const char *title, GError **error);
gboolean sl_database_set_pinned (SlDatabase *self, gint64 conversation, gboolean pinned, GError **error);
gboolean sl_database_set_leaf (SlDatabase *self, gint64 conversation, gint64 message, GError **error);
gboolean sl_database_set_detail (SlDatabase *self, gint64 message, guint position, SlDetail detail, GError **error);
gboolean sl_database_set_box_picture (SlDatabase *self, gint64 message, const char *sha256, GError **error);
gboolean sl_database_put_box (SlDatabase *self, gint64 message, const SlBoxRecord *record, GError **error);
gboolean sl_database_remove_box (SlDatabase *self, gint64 box, GError **error);

/* The folder that the conversation, which is there, asks about, with all its pictures in the place of those that were known; and one of
 * them. */
gboolean sl_database_put_folder (SlDatabase *self, const SlFolderRecord *record, GError **error);
gboolean sl_database_put_folder_picture (SlDatabase *self, gint64 conversation, const SlFolderPictureRecord *record, GError **error);

/* In the place of the draft of the same conversation and question; without parts there is none any more. */
gboolean sl_database_put_draft (SlDatabase *self, const SlDraftRecord *record, GError **error);

/* when: a number that grows with every deletion (a time in µs that no clock sets back). */
gboolean sl_database_delete_conversation (SlDatabase *self, gint64 conversation, gint64 when, GError **error);
gboolean sl_database_undelete_conversation (SlDatabase *self, gint64 conversation, GError **error);
gboolean sl_database_delete_message (SlDatabase *self, gint64 message, gint64 when, GError **error);
gboolean sl_database_undelete_message (SlDatabase *self, gint64 message, GError **error);
/* Really removes what was deleted then or before: rows and index entries, then picture files that nothing refers to, and what the
 * model has read of it. *purged: conversations and messages removed, may be NULL. SL_STORE_ERROR_REFUSED: the rows are gone, a file
 * could not be removed; the next purge or sweep tries again. */
gboolean sl_database_purge (SlDatabase *self, gint64 until, guint *purged, GError **error);
/* One step of what a purge leaves for later, the words in the older parts of the index and in the log; bounded in time however long
 * the history is. *more: there is another one to do now. */
gboolean sl_database_tidy (SlDatabase *self, gboolean *more, GError **error);

/* How long files that no row knows are held, and backups that may hold what was deleted since. */
#define SL_DATABASE_HELD_DAYS 30

/* Ends what a crash has left unfinished. Only what this database itself has noted: a file is not removed because a list does not know
 * it, as the list may be the thing that was lost. A picture that came without its row goes to removed/ first, for SL_DATABASE_HELD_DAYS,
 * and comes back from there once a row knows it. */
gboolean sl_database_sweep (SlDatabase *self, GError **error);

/* Reads: (transfer full), tombstones left out. */
GPtrArray *sl_database_list (SlDatabase *self, GError **error);
/* The highest id of a conversation, message, box or deletion; 0 if there is none. A clock that was set back must not
 * make ids that are older than those of the messages before. */
gint64 sl_database_get_last_id (SlDatabase *self);
GPtrArray *sl_database_list_drafts (SlDatabase *self, GError **error);
SlSummaryRecord *sl_database_get_summary (SlDatabase *self, gint64 conversation, GError **error);
SlConversationRecord *sl_database_load (SlDatabase *self, gint64 conversation, GError **error);
GPtrArray *sl_database_search (SlDatabase *self, const char *query, guint limit, GError **error);

/* Every read from here to sl_database_thaw() sees the history as it is now, whatever another program writes meanwhile. */
gboolean sl_database_freeze (SlDatabase *self, GError **error);
void sl_database_thaw (SlDatabase *self);
/* A conversation with all that belongs to it, its pictures without bytes; NULL without error: there is no such conversation. An answer
 * that is being written is INTERRUPTED in it; a picture that no row knows is named by nothing in it. */
SlParcel *sl_database_load_parcel (SlDatabase *self, gint64 conversation, GError **error);
/* Files of pictures (SlPartRecord with bytes) before the parcels that name them; one that no row names in the end is held as after a
 * crash. */
gboolean sl_database_put_pictures (SlDatabase *self, GPtrArray *pictures, GError **error);
/* Brings in what is not there yet (sl-content-id.h), in one transaction. A conversation that is there keeps its title, settings, drafts
 * and shown path, gets the messages that it lacks and, to those it has, boxes that a user made; when it was changed becomes what
 * the parcel says, not now. first_id: the first of sl_parcel_count_ids() ids that nobody else uses. A picture without a file is named
 * all the same: its file may come later. Changes the parcel. */
gboolean sl_database_merge_parcel (SlDatabase *self, SlParcel *parcel, gint64 first_id, SlMerge *merge, GError **error);

/* For a history that cannot be used: what it still holds becomes a new one (repair), or makes room for an empty one with everything that
 * belongs to it (set aside). The old one is kept in a folder below kept/, where `history --data-dir` reads it. A sentence for the user
 * (transfer full); NULL with error: nothing has changed. Nobody may have it open. */
char *sl_database_repair (const char *dir, GError **error);
char *sl_database_set_aside (const char *dir, GError **error);

/* One sentence per fault: damaged pages, dangling rows, picture files that are missing, changed or belong to nobody. An empty
 * array is a sound history. NULL with error where it cannot be read at all. Strings are owned by the array. */
GPtrArray *sl_database_check (SlDatabase *self, GError **error);

/* <dir>/pictures/<ab>/<sha256>.<extension>; owned by the caller. */
char *sl_database_dup_picture_path (const char *dir, const char *sha256, const char *extension);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlDatabase, sl_database_close)

G_END_DECLS
