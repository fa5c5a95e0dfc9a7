/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlDatabase share: the handle and short ways to run SQL with GError. Included by sl-database*.c and
 * sl-schema.c only; the thread that owns the database.
 */
#pragma once

#include <sqlite3.h>

#include "app/store/sl-database.h"

G_BEGIN_DECLS

struct _SlDatabase
{
  sqlite3 *db;
  char *dir, *path, *pictures;
  int lock; /* file descriptor, -1 for reading opens */
};

/* One sentence with the file and SQLite's reason. */
void sl_sql_set_error (GError **error, sqlite3 *db, const char *path);

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

char *sl_sql_dup_text (sqlite3_stmt *statement, int column); /* "" for NULL */
char *sl_sql_dup_text_or_null (sqlite3_stmt *statement, int column);

/* The words of a message for people: markup gone. Owned by the caller. */
char *sl_database_dup_plain (SlRole role, const char *text);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (sqlite3_stmt, sqlite3_finalize)

G_END_DECLS
