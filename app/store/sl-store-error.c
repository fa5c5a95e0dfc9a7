/* SPDX-License-Identifier: MIT
 *
 * Errors of the history as sentences.
 */
#include "app/store/sl-store-error.h"

#include <errno.h>

#include <glib/gi18n-lib.h>
#include <sqlite3.h>

G_DEFINE_QUARK (sl-store-error-quark, sl_store_error)

SlStoreError
sl_sql_error_kind (int code,
                   int system_errno)
{
  switch (code & 0xff)
    {
    case SQLITE_FULL:
      return SL_STORE_ERROR_FULL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return SL_STORE_ERROR_READ_ONLY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return SL_STORE_ERROR_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return SL_STORE_ERROR_CORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
    case SQLITE_RANGE:
      return SL_STORE_ERROR_REFUSED;
    default:
      if (system_errno == ENOSPC || system_errno == EDQUOT || system_errno == EFBIG)
        return SL_STORE_ERROR_FULL;
      if (system_errno == EROFS || system_errno == EACCES || system_errno == EPERM)
        return SL_STORE_ERROR_READ_ONLY;
      return SL_STORE_ERROR_IO;
    }
}

void
sl_sql_set_error (GError     **error,
                  sqlite3     *db,
                  const char  *path)
{
  int code = db != NULL ? sqlite3_extended_errcode (db) : SQLITE_NOMEM;
  int system_errno = db != NULL ? sqlite3_system_errno (db) : 0;
  SlStoreError kind = sl_sql_error_kind (code, system_errno);
  const char *reason = db != NULL ? sqlite3_errmsg (db) : "out of memory";

  switch (kind)
    {
    case SL_STORE_ERROR_FULL:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” cannot be saved: no space left on the disk"), path);
      break;
    case SL_STORE_ERROR_READ_ONLY:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” cannot be saved: it may not be written there"), path);
      break;
    case SL_STORE_ERROR_LOCKED:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” is locked by another program"), path);
      break;
    case SL_STORE_ERROR_CORRUPT:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” is damaged (%s); it was left as it is"), path, reason);
      break;
    case SL_STORE_ERROR_IO:
    case SL_STORE_ERROR_NEWER:
    case SL_STORE_ERROR_REFUSED:
    default:
      g_set_error (error, SL_STORE_ERROR, kind, _("The history “%s” cannot be used: %s"), path,
                   system_errno != 0 ? g_strerror (system_errno) : reason);
      break;
    }
}
