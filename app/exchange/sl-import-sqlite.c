/* SPDX-License-Identifier: MIT
 *
 * Conversations of Alpaca: its database (alpaca.db) or the one that it exports of a conversation. Tables chat (id, name), message (id,
 * chat_id, role, model, date_time "YYYY/MM/DD HH:MM:SS" where it ran, content) and attachment (message_id, type "image", name, content in
 * base64). The file is opened to be read, and nothing in it but these columns is asked for.
 */
#include "app/exchange/sl-import-other.h"

#include <stdio.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <sqlite3.h>

typedef struct
{
  SlImport *import;
  sqlite3 *db;
} Reading;

static const char *
text_of (sqlite3_stmt *row,
         int           column)
{
  const char *text = (const char *) sqlite3_column_text (row, column);

  return text != NULL && g_utf8_validate (text, -1, NULL) ? text : "";
}

static gint64
time_of (const char *text)
{
  int year, month, day, hour, minute, second;
  g_autoptr (GDateTime) time = NULL;

  if (sscanf (text, "%4d/%2d/%2d %2d:%2d:%2d", &year, &month, &day, &hour, &minute, &second) == 6)
    time = g_date_time_new_local (year, month, day, hour, minute, second);
  return time != NULL ? MAX (g_date_time_to_unix (time), 0) * G_USEC_PER_SEC : 0;
}

static sqlite3_stmt *
ask (Reading    *self,
     const char *sql,
     const char *key)
{
  sqlite3_stmt *rows = NULL;

  if (sqlite3_prepare_v2 (self->db, sql, -1, &rows, NULL) == SQLITE_OK && key != NULL)
    sqlite3_bind_text (rows, 1, key, -1, SQLITE_TRANSIENT);
  return rows;
}

static void
add_pictures (Reading         *self,
              SlGrowing       *growing,
              SlMessageRecord *message,
              const char      *id)
{
  sqlite3_stmt *rows = ask (self, "SELECT name, content FROM attachment WHERE message_id = ? AND type = 'image' ORDER BY id", id);

  while (rows != NULL && sqlite3_step (rows) == SQLITE_ROW)
    {
      gsize length;
      guchar *data = g_base64_decode (text_of (rows, 1), &length);
      g_autoptr (GBytes) bytes = g_bytes_new_take (data, length);

      sl_import_add_picture (self->import, growing, message, bytes, text_of (rows, 0));
    }
  sqlite3_finalize (rows);
}

static gboolean
take_chat (Reading     *self,
           const char  *id,
           const char  *name,
           GError     **error)
{
  static const char *const roles[] = { "system", "user", "assistant" };
  sqlite3_stmt *rows = ask (self, "SELECT id, role, model, date_time, content FROM message WHERE chat_id = ? ORDER BY date_time, rowid", id);
  SlGrowing *growing = NULL;
  SlMessageRecord *last = NULL;

  while (rows != NULL && sqlite3_step (rows) == SQLITE_ROW)
    {
      gint64 created = time_of (text_of (rows, 3));
      SlRole role = SL_ROLE_SYSTEM;

      for (guint i = 0; i < G_N_ELEMENTS (roles); i++)
        if (strcmp (text_of (rows, 1), roles[i]) == 0)
          role = i;
      if (growing == NULL)
        growing = sl_growing_new (name, created, 0);
      if (role == SL_ROLE_SYSTEM) /* notes of the program, to the user */
        continue;
      last = sl_growing_add (growing, last, role, created, "Alpaca", text_of (rows, 2));
      add_pictures (self, growing, last, text_of (rows, 0));
      sl_import_add_text (last, text_of (rows, 4));
    }
  sqlite3_finalize (rows);
  return growing == NULL || sl_import_grown (self->import, growing, last, error);
}

static gboolean
take_chats (Reading  *self,
            GError  **error)
{
  sqlite3_stmt *rows = ask (self, "SELECT id, name FROM chat", NULL);
  int code = SQLITE_ERROR;
  gboolean ok = rows != NULL;

  if (!ok)
    sl_import_set_unknown (self->import, error);
  while (ok && (code = sqlite3_step (rows)) == SQLITE_ROW)
    {
      g_autofree char *id = g_strdup (text_of (rows, 0));
      g_autofree char *name = g_strdup (text_of (rows, 1));

      ok = take_chat (self, id, name, error);
    }
  if (ok && code != SQLITE_DONE)
    sl_import_add_fault (self->import, _("“%s” is damaged or ends early; what is whole of it was imported."),
                         sl_import_get_name (self->import));
  sqlite3_finalize (rows);
  return ok;
}

gboolean
sl_import_sqlite (SlImport    *import,
                  const char  *path,
                  GError     **error)
{
  g_autofree char *escaped = g_uri_escape_string (path, "/", FALSE);
  g_autofree char *uri = g_strconcat ("file:", escaped, "?immutable=1", NULL);
  Reading self = { .import = import };
  gboolean ok = sqlite3_open_v2 (uri, &self.db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL) == SQLITE_OK;

  if (ok)
    {
      sqlite3_db_config (self.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
      sqlite3_db_config (self.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
      ok = take_chats (&self, error);
    }
  else
    sl_import_set_unknown (import, error);
  sqlite3_close (self.db);
  return ok;
}
