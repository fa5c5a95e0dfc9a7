/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlDatabase share: the handle and short ways to run SQL with GError. Included by sl-database*.c, sl-sql.c and
 * sl-schema.c only; the thread that owns the database.
 */
#pragma once

#include <sqlite3.h>

#include "app/store/sl-database.h"
#include "app/store/sl-store-error.h"

G_BEGIN_DECLS

struct _SlDatabase
{
  sqlite3 *db;
  char *dir, *path, *pictures;
  char *copy; /* private folder that is read in place of dir, or NULL */
  char *notice;
  int lock; /* file descriptor, -1 for reading opens */
};

/* What a transaction has begun and something outside of it ends: rows of the table `unfinished`, stored as numbers. */
typedef enum
{
  SL_UNFINISHED_ARRIVING, /* a picture file "sha256.extension" that is written before its row */
  SL_UNFINISHED_LEAVING,  /* a picture file whose row is gone */
  SL_UNFINISHED_SESSION,  /* what the model has read of this conversation, which is gone or lost a message */
  SL_UNFINISHED_TRACES    /* removed words in the index and the log */
} SlUnfinished;

/* `types` says what follows: i gint64, d double, s const char * (NULL is allowed), n gint64 where 0 becomes NULL,
 * b const void *, gsize. Bound in order; text and blobs must live until the statement is finalized. NULL with error. */
sqlite3_stmt *sl_sql_prepare (SlDatabase *self, GError **error, const char *sql, const char *types, ...);
/* TRUE: a row. FALSE: the end, or an error if *error is set; `error` must not be NULL. */
gboolean sl_sql_next (SlDatabase *self, sqlite3_stmt *statement, GError **error);
/* Prepares, runs to the end, finalizes. */
gboolean sl_sql_run (SlDatabase *self, GError **error, const char *sql, const char *types, ...);
/* The same for SQL without values; may be several statements. */
gboolean sl_sql_exec (SlDatabase *self, const char *sql, GError **error);

gboolean sl_sql_begin (SlDatabase *self, GError **error);
/* Commits if ok, else rolls back; TRUE if committed. */
gboolean sl_sql_end (SlDatabase *self, gboolean ok, GError **error);

/* Strings of the first column; (transfer full). */
GPtrArray *sl_sql_list_strings (SlDatabase *self, const char *sql, GError **error);

char *sl_sql_dup_text (sqlite3_stmt *statement, int column); /* "" for NULL */
char *sl_sql_dup_text_or_null (sqlite3_stmt *statement, int column);

/* The words of a message for people: markup gone. Owned by the caller. */
char *sl_database_dup_plain (SlRole role, const char *text);

/* Inside a transaction: what the text of an answer that was cut off has of boxes becomes its rows. */
gboolean sl_database_put_parsed_boxes (SlDatabase *self, gint64 message, const char *picture, const char *text, GError **error);

/* Inside a transaction: a conversation's row; a message's rows; the words of a message, of which what a list shows is returned (transfer
 * full), NULL with error. None of them touches when a conversation was changed. */
gboolean sl_database_put_line (SlDatabase *self, const SlConversationRecord *record, GError **error);
gboolean sl_database_put_rows (SlDatabase *self, const SlMessageRecord *record, GError **error);
char *sl_database_index_message (SlDatabase *self, const SlMessageRecord *record, GError **error);
/* Those of one conversation, or (0) all; (transfer full). */
GPtrArray *sl_database_read_drafts (SlDatabase *self, gint64 conversation, GError **error);
/* In a transaction: the row of a draft and what is in it. */
gboolean sl_database_insert_draft (SlDatabase *self, const SlDraftRecord *record, GError **error);

/* Writes the files that these SlPartRecord bring, noted as arriving; in the transaction, the row of one of them. */
gboolean sl_database_put_files (SlDatabase *self, GPtrArray *parts, GError **error);
gboolean sl_database_put_picture (SlDatabase *self, const SlPartRecord *part, GError **error);
/* From a row's columns: kind, text, picture, name, detail, mime_type, extension, width, height, beginning with that one. */
SlPartRecord *sl_database_read_part (sqlite3_stmt *statement, int column);

/* What the conversation asks about a folder; NULL where it does not. FALSE: it cannot be read, *folder has what can. */
gboolean sl_database_read_folder (SlDatabase *self, gint64 conversation, SlFolderRecord **folder, GError **error);

/* Before the files of these SlPartRecord are written, outside of a transaction; and in the transaction that brings their rows. */
gboolean sl_database_note_arriving (SlDatabase *self, GPtrArray *parts, GError **error);
gboolean sl_database_note_arrived (SlDatabase *self, GPtrArray *parts, GError **error);
/* Inside a transaction: pictures that no row refers to lose theirs, and a note is made that their files have to go. */
gboolean sl_database_drop_unused_pictures (SlDatabase *self, GError **error);
/* Removes the files that are noted to go. What cannot be removed stays noted; then FALSE, SL_STORE_ERROR_REFUSED. */
gboolean sl_database_finish_files (SlDatabase *self, GError **error);

/* Folder and lock without the database in them. */
SlDatabase *sl_database_lock (const char *dir, GError **error);
/* A copy of dir's database, whatever state it is in; sentences name the original. */
SlDatabase *sl_database_open_copy (const char *path, const char *dir, GError **error);

/* Gives the damaged copy at path the list of tables of a new, empty history; name: what sentences call it. */
gboolean sl_database_graft (const char *path, const char *fresh_path, const char *name, GError **error);

/* One message of a damaged history: what of it and of what belongs to it can be read, NULL if the message itself cannot. */
SlMessageRecord *sl_database_salvage_message (SlDatabase *self, gint64 message);

/* Removes a folder with everything in it. */
void sl_database_remove_tree (const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3_stmt, sqlite3_finalize)

G_END_DECLS
