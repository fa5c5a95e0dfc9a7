/* SPDX-License-Identifier: MIT
 *
 * A history whose list of tables is damaged, read with that of a new one. Tables stay on the page on which they were made, so one that
 * was made by the same version has them where a new one has them; those that an update brought may lie elsewhere and are not found.
 * A copy is changed, never the history itself. Offsets and numbers: "Database File Format" of SQLite, sections 1.3 and 1.6.
 */
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/store/sl-database-private.h"

#define PAGE 4096 /* bytes; what SQLite gives to a new file */

enum { AT_SIZE_IN_PAGES = 28, AT_FREE_PAGES = 32, AT_TREE = 100 }; /* in the first page */
enum { TREE_INNER = 5, TREE_LEAF = 13 };

static guint32
get_number (const guint8 *at)
{
  guint32 number;

  memcpy (&number, at, sizeof number);
  return GUINT32_FROM_BE (number);
}

static void
put_number (guint8  *at,
            guint32  number)
{
  number = GUINT32_TO_BE (number);
  memcpy (at, &number, sizeof number);
}

/* Puts the page of the new history that the pointer names behind everything that is here, so that it covers nothing, and lets the
 * pointer name it there. FALSE: it is no leaf. */
static gboolean
graft_leaf (GByteArray   *pages,
            const guint8 *fresh,
            gsize         fresh_length,
            guint         pointer)
{
  gsize start = ((gsize) get_number (pages->data + pointer) - 1) * PAGE;

  if (start < PAGE || start > fresh_length - PAGE || fresh[start] != TREE_LEAF)
    return FALSE;
  g_byte_array_append (pages, fresh + start, PAGE);
  put_number (pages->data + pointer, pages->len / PAGE);
  return TRUE;
}

static gboolean
graft_list (GByteArray   *pages,
            const guint8 *fresh,
            gsize         fresh_length)
{
  guint n_cells = fresh[AT_TREE + 3] << 8 | fresh[AT_TREE + 4];

  memcpy (pages->data, fresh, PAGE);
  if (fresh[AT_TREE] == TREE_INNER)
    {
      for (guint i = 0; i < n_cells; i++)
        {
          const guint8 *cell = fresh + AT_TREE + 12 + 2 * i;

          if (!graft_leaf (pages, fresh, fresh_length, cell[0] << 8 | cell[1]))
            return FALSE;
        }
      if (!graft_leaf (pages, fresh, fresh_length, AT_TREE + 8))
        return FALSE;
    }
  put_number (pages->data + AT_SIZE_IN_PAGES, pages->len / PAGE);
  memset (pages->data + AT_FREE_PAGES, 0, 8); /* what is unused stays so */
  return TRUE;
}

gboolean
sl_database_graft (const char  *path,
                   const char  *fresh_path,
                   const char  *name,
                   GError     **error)
{
  g_autoptr (GByteArray) pages = g_byte_array_new ();
  g_autofree char *damaged = NULL, *fresh = NULL;
  gsize length, fresh_length;

  if (!g_file_get_contents (path, &damaged, &length, error) || !g_file_get_contents (fresh_path, &fresh, &fresh_length, error))
    return FALSE;
  if (length >= 2 * PAGE && length <= G_MAXUINT - fresh_length && fresh_length >= PAGE)
    {
      g_byte_array_append (pages, (const guint8 *) damaged, length - length % PAGE);
      if (graft_list (pages, (const guint8 *) fresh, fresh_length))
        return g_file_set_contents (path, (const char *) pages->data, pages->len, error);
    }
  g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_CORRUPT, _("Nothing of the history “%s” can be read any more"), name);
  return FALSE;
}
