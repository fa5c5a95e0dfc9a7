/* SPDX-License-Identifier: MIT
 *
 * The small SQL layer that the parts of SlDatabase use: values bound in order, each error one sentence. One thread at a time.
 */
#include <stdarg.h>

#include "app/store/sl-database-private.h"

static void
bind_values (sqlite3_stmt *statement,
             const char   *types,
             va_list       args)
{
  for (int i = 1; *types != '\0'; types++, i++)
    {
      const char *text;
      const void *blob;
      gint64 number;

      switch (*types)
        {
        case 'i':
          sqlite3_bind_int64 (statement, i, va_arg (args, gint64));
          break;
        case 'n':
          number = va_arg (args, gint64);
          if (number != 0)
            sqlite3_bind_int64 (statement, i, number);
          break;
        case 'd':
          sqlite3_bind_double (statement, i, va_arg (args, double));
          break;
        case 's':
          text = va_arg (args, const char *);
          if (text != NULL)
            sqlite3_bind_text (statement, i, text, -1, SQLITE_STATIC);
          break;
        case 'b':
          blob = va_arg (args, const void *);
          sqlite3_bind_blob64 (statement, i, blob != NULL ? blob : "", va_arg (args, gsize), SQLITE_STATIC);
          break;
        default:
          g_return_if_reached ();
        }
    }
}

static sqlite3_stmt *
prepare_va (SlDatabase  *self,
            GError     **error,
            const char  *sql,
            const char  *types,
            va_list      args)
{
  sqlite3_stmt *statement = NULL;

  if (sqlite3_prepare_v2 (self->db, sql, -1, &statement, NULL) != SQLITE_OK)
    {
      sl_sql_set_error (error, self->db, self->path);
      return NULL;
    }
  bind_values (statement, types, args);
  return statement;
}

sqlite3_stmt *
sl_sql_prepare (SlDatabase  *self,
                GError     **error,
                const char  *sql,
                const char  *types,
                ...)
{
  sqlite3_stmt *statement;
  va_list args;

  va_start (args, types);
  statement = prepare_va (self, error, sql, types, args);
  va_end (args);
  return statement;
}

gboolean
sl_sql_next (SlDatabase    *self,
             sqlite3_stmt  *statement,
             GError       **error)
{
  int code = sqlite3_step (statement);

  if (code == SQLITE_ROW)
    return TRUE;
  if (code != SQLITE_DONE)
    sl_sql_set_error (error, self->db, self->path);
  return FALSE;
}

gboolean
sl_sql_run (SlDatabase  *self,
            GError     **error,
            const char  *sql,
            const char  *types,
            ...)
{
  g_autoptr (sqlite3_stmt) statement = NULL;
  g_autoptr (GError) failure = NULL;
  va_list args;

  va_start (args, types);
  statement = prepare_va (self, &failure, sql, types, args);
  va_end (args);
  while (statement != NULL && sl_sql_next (self, statement, &failure))
    ;
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
sl_sql_exec (SlDatabase  *self,
             const char  *sql,
             GError     **error)
{
  if (sqlite3_exec (self->db, sql, NULL, NULL, NULL) == SQLITE_OK)
    return TRUE;
  sl_sql_set_error (error, self->db, self->path);
  return FALSE;
}

gboolean
sl_sql_begin (SlDatabase  *self,
              GError     **error)
{
  return sl_sql_exec (self, "BEGIN IMMEDIATE", error);
}

gboolean
sl_sql_end (SlDatabase  *self,
            gboolean     ok,
            GError     **error)
{
  if (ok && sl_sql_exec (self, "COMMIT", error))
    return TRUE;
  /* A full disk may have rolled back already; then this says so and nothing is lost by it. */
  sqlite3_exec (self->db, "ROLLBACK", NULL, NULL, NULL);
  return FALSE;
}

GPtrArray *
sl_sql_list_strings (SlDatabase  *self,
                     const char  *sql,
                     GError     **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) failure = NULL;
  g_autoptr (sqlite3_stmt) statement = sl_sql_prepare (self, &failure, sql, "");

  while (statement != NULL && sl_sql_next (self, statement, &failure))
    g_ptr_array_add (list, sl_sql_dup_text (statement, 0));
  if (failure == NULL)
    return g_steal_pointer (&list);
  g_propagate_error (error, g_steal_pointer (&failure));
  return NULL;
}

char *
sl_sql_dup_text_or_null (sqlite3_stmt *statement,
                         int           column)
{
  const char *text = (const char *) sqlite3_column_text (statement, column);

  /* SQLite keeps whatever bytes it was given; everything behind this point counts on UTF-8. */
  return text != NULL ? g_utf8_make_valid (text, -1) : NULL;
}

char *
sl_sql_dup_text (sqlite3_stmt *statement,
                 int           column)
{
  char *text = sl_sql_dup_text_or_null (statement, column);

  return text != NULL ? text : g_strdup ("");
}
