/* SPDX-License-Identifier: MIT
 *
 * Checking that what is there is sound: rows against rows, files against rows. Every look goes along an index, so that the time grows
 * with the history and no faster. The store's thread, and `sightline-cli history check`.
 */
#include <glib/gi18n-lib.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"

typedef struct
{
  GHashTable *known;   /* paths that rows refer to */
  GPtrArray *strangers; /* paths that nobody refers to */
} Census;

static void
count_file (const char *path,
            const char *sha256,
            gpointer    user_data)
{
  Census *census = user_data;

  /* A file with another kind of name was not put there by us. */
  if (!g_hash_table_contains (census->known, path) && (sha256 != NULL || g_str_has_suffix (path, ".part")))
    g_ptr_array_add (census->strangers, g_strdup (path));
}

/* Paths of all pictures that have a row; (transfer full). */
static GHashTable *
list_known_files (SlDatabase  *self,
                  GError     **error)
{
  g_autoptr (GPtrArray) names = sl_sql_list_strings (self, "SELECT sha256 || '.' || extension FROM picture", error);
  GHashTable *known;

  if (names == NULL)
    return NULL;
  known = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < names->len; i++)
    {
      g_auto (GStrv) name = g_strsplit (g_ptr_array_index (names, i), ".", 2);

      if (sl_picture_files_valid_name (name[0], name[1]))
        g_hash_table_add (known, sl_picture_files_dup_path (self->pictures, name[0], name[1]));
    }
  return known;
}

static void
check_file (const char *path,
            GPtrArray  *faults)
{
  g_autofree char *name = g_path_get_basename (path);
  g_autofree char *digest = NULL;
  g_autoptr (GMappedFile) file = g_mapped_file_new (path, FALSE, NULL);

  if (file == NULL)
    {
      g_ptr_array_add (faults, g_strdup_printf (_("The picture file “%s” is missing"), path));
      return;
    }
  digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guint8 *) g_mapped_file_get_contents (file),
                                        g_mapped_file_get_length (file));
  if (!g_str_has_prefix (name, digest))
    g_ptr_array_add (faults, g_strdup_printf (_("The picture file “%s” is not what was stored"), path));
}

static gboolean
check_rows (SlDatabase  *self,
            GPtrArray   *faults,
            GError     **error)
{
  static const struct
  {
    const char *sql, *sentence;
  } checks[] = {
    { "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'", N_("The database is damaged: %s") },
    { "SELECT \"table\" || ' ' || coalesce(rowid, '') FROM pragma_foreign_key_check", N_("A row refers to nothing: %s") },
    { "SELECT conversation.id FROM conversation JOIN message ON message.id = active_leaf WHERE message.conversation <> conversation.id",
      N_("A conversation shows a message of another one: %s") },
    { "SELECT message.id FROM message JOIN message p ON p.id = message.parent WHERE p.conversation <> message.conversation",
      N_("A message answers one of another conversation: %s") },
    { "SELECT rowid FROM message_index WHERE rowid NOT IN (SELECT id FROM message)",
      N_("The search index knows a message that is gone: %s") },
  };

  for (guint i = 0; i < G_N_ELEMENTS (checks); i++)
    {
      g_autoptr (GPtrArray) rows = sl_sql_list_strings (self, checks[i].sql, error);

      if (rows == NULL)
        return FALSE;
      for (guint r = 0; r < rows->len; r++)
        {
          g_auto (GStrv) pieces = g_strsplit (_(checks[i].sentence), "%s", 2);

          g_ptr_array_add (faults, g_strjoinv (g_ptr_array_index (rows, r), pieces));
        }
    }
  return TRUE;
}

GPtrArray *
sl_database_check (SlDatabase  *self,
                   GError     **error)
{
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) strangers = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) known = NULL;
  Census census;
  GHashTableIter iter;
  gpointer path;

  if (!check_rows (self, faults, error))
    return NULL;
  known = list_known_files (self, error);
  if (known == NULL)
    return NULL;
  g_hash_table_iter_init (&iter, known);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    check_file (path, faults);
  census = (Census) { known, strangers };
  sl_picture_files_foreach (self->pictures, count_file, &census);
  for (guint i = 0; i < strangers->len; i++)
    g_ptr_array_add (faults, g_strdup_printf (_("The picture file “%s” belongs to no message"),
                                              (char *) g_ptr_array_index (strangers, i)));
  return g_steal_pointer (&faults);
}
