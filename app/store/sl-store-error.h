/* SPDX-License-Identifier: MIT
 *
 * What can go wrong with the history on disk, by what helps, and SQLite's failures in these terms. Any thread.
 */
#pragma once

#include <gio/gio.h>

struct sqlite3;

G_BEGIN_DECLS

#define SL_STORE_ERROR (sl_store_error_quark ())
GQuark sl_store_error_quark (void);

typedef enum
{
  SL_STORE_ERROR_IO,        /* reading or writing failed */
  SL_STORE_ERROR_FULL,      /* no space left */
  SL_STORE_ERROR_READ_ONLY, /* may not write there */
  SL_STORE_ERROR_LOCKED,    /* another program holds it */
  SL_STORE_ERROR_CORRUPT,   /* not a database, or damaged; the file is left as it is */
  SL_STORE_ERROR_NEWER,     /* written by a newer Sightline; the file is left as it is */
  SL_STORE_ERROR_REFUSED    /* the row contradicts what is stored; trying again would not help */
} SlStoreError;

/* The kind of an error by SQLite's code and, where that is an input/output error, errno. */
SlStoreError sl_sql_error_kind (int code, int system_errno);

/* One sentence with the file and SQLite's reason. */
void sl_sql_set_error (GError **error, struct sqlite3 *db, const char *path);

G_END_DECLS
