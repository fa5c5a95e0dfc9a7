/* SPDX-License-Identifier: MIT
 *
 * The reading of an archive, three times over: what it holds and which of it is whole, the pictures of that, and then the conversations, so
 * that a conversation never comes before its pictures and no more than one of either is in memory. Names of entries are compared with what
 * belongs there and never become paths. A zip whose end is lost or whose list is damaged is read from its beginning.
 */
#include "app/exchange/sl-import-other.h"

#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <jansson.h>

#include "app/exchange/sl-parcel-json.h"
#include "app/pictures/sl-picture-format.h"
#include "app/pictures/sl-picture.h"

#define BLOCK 65536
#define MAX_JSON (64 * 1024 * 1024)
/* What is stored is its own size; what somebody has compressed may grow, not without end. */
#define FREE_GROWTH (64 * 1024 * 1024)
#define MAX_GROWTH 100

typedef enum { OTHER, KIND, MANIFEST, CONVERSATION, PICTURE } Entry;

typedef struct
{
  SlImport *import;
  const char *path;
  gboolean from_start; /* without the list at its end */
  struct archive *archive;
  guint64 budget;        /* bytes that may still come out of it in this pass */
  GHashTable *seen;      /* names in this pass */
  GHashTable *good;      /* names of conversations that are whole → their titles */
  GHashTable *announced; /* id → title, of the manifest; what has come is taken out */
  GHashTable *pictures;  /* "hash.extension" → title of a conversation that names it; what has come is taken out */
  guint n_conversations, n_done, n_expected;
} Reading;

/* ------------------------------------------------------------------------------------------------ entries */

static gboolean
is_name (const char *name,
         const char *folder,
         const char *extension)
{
  gsize length = strlen (folder);
  const char *hash = name + length;

  return g_str_has_prefix (name, folder) && strspn (hash, "0123456789abcdef") == 64 && hash[64] == '.'
         && (extension != NULL ? strcmp (hash + 65, extension) == 0
                               : strlen (hash + 65) >= 1 && strlen (hash + 65) <= 8
                                   && hash[65 + strspn (hash + 65, "abcdefghijklmnopqrstuvwxyz0123456789")] == '\0');
}

static Entry
tell_entry (const char *name)
{
  if (strcmp (name, "mimetype") == 0)
    return KIND;
  if (strcmp (name, "manifest.json") == 0)
    return MANIFEST;
  if (is_name (name, "conversations/", "json"))
    return CONVERSATION;
  return is_name (name, "pictures/", NULL) ? PICTURE : OTHER;
}

/* All of the entry; NULL with part of a sentence. */
static GByteArray *
read_entry (Reading  *self,
            guint64   most,
            char    **fault)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();
  g_autofree guint8 *block = g_malloc (BLOCK);
  la_ssize_t n;

  while ((n = archive_read_data (self->archive, block, BLOCK)) > 0)
    {
      if (bytes->len + (guint64) n > most || (guint64) n > self->budget)
        {
          *fault = g_strdup (_("it is larger than it may be"));
          return NULL;
        }
      self->budget -= (guint64) n;
      g_byte_array_append (bytes, block, (guint) n);
    }
  if (n == 0)
    return g_steal_pointer (&bytes);
  *fault = g_strdup (_("it is damaged"));
  return NULL;
}

typedef gboolean (*VisitEntry) (Reading *self, Entry entry, const char *name, GError **error);

static gboolean
open_archive (Reading  *self,
              GError  **error)
{
  GStatBuf info;

  self->archive = archive_read_new ();
  if (self->from_start)
    archive_read_support_format_zip_streamable (self->archive);
  else
    archive_read_support_format_zip_seekable (self->archive);
  if (g_stat (self->path, &info) == 0 && archive_read_open_filename (self->archive, self->path, BLOCK) == ARCHIVE_OK)
    {
      self->budget = FREE_GROWTH + MAX_GROWTH * (guint64) info.st_size;
      return TRUE;
    }
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("“%s” cannot be read: %s."), sl_import_get_name (self->import),
               archive_error_string (self->archive) != NULL ? archive_error_string (self->archive) : "");
  return FALSE;
}

/* TRUE: to its end, which *whole tells from that of what could be read. */
static gboolean
walk (Reading     *self,
      VisitEntry   visit,
      gboolean    *whole,
      GError     **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  struct archive_entry *entry;
  g_autoptr (GError) failure = NULL;
  gboolean opened = open_archive (self, &failure), ok = opened || !self->from_start; /* without its end it opens from the start only */
  int code = opened ? ARCHIVE_EOF : ARCHIVE_FATAL;

  self->seen = seen;
  if (!ok)
    g_propagate_error (error, g_steal_pointer (&failure));
  while (ok && opened && (code = archive_read_next_header (self->archive, &entry)) != ARCHIVE_EOF && code > ARCHIVE_FAILED)
    {
      const char *raw = archive_entry_pathname (entry);
      g_autofree char *name = g_utf8_make_valid (raw != NULL ? raw : "", -1);
      Entry what = archive_entry_filetype (entry) == AE_IFREG ? tell_entry (name) : OTHER;

      ok = !g_cancellable_set_error_if_cancelled (sl_import_get_cancellable (self->import), error)
           && visit (self, g_hash_table_contains (seen, name) ? OTHER : what, name, error);
      g_hash_table_add (seen, g_steal_pointer (&name));
    }
  *whole = code == ARCHIVE_EOF;
  archive_read_free (g_steal_pointer (&self->archive));
  return ok;
}

/* ------------------------------------------------------------------------------------------------ first: what is there */

static void
read_manifest (Reading          *self,
               const GByteArray *bytes)
{
  json_t *object = json_loadb ((const char *) bytes->data, bytes->len, 0, NULL);
  const json_t *value;
  gsize i;

  json_array_foreach (json_object_get (object, "conversations"), i, value)
    {
      const char *id = json_string_value (json_object_get (value, "id"));
      const char *title = json_string_value (json_object_get (value, "title"));

      if (id != NULL)
        g_hash_table_insert (self->announced, g_strdup (id), g_strdup (title != NULL ? title : ""));
    }
  json_decref (object);
}

static void
say_not_imported (Reading    *self,
                  const char *title,
                  const char *reason)
{
  sl_import_add_fault (self->import, _("The conversation “%s” in “%s” was not imported: %s."), title != NULL ? title : "",
                       sl_import_get_name (self->import), reason);
}

static void
say_lost_picture (Reading    *self,
                  const char *title,
                  const char *reason)
{
  sl_import_add_fault (self->import, _("A picture of the conversation “%s” in “%s” was not imported: %s."), title,
                       sl_import_get_name (self->import), reason);
}

static char *
dup_id (const char *name)
{
  return g_strndup (name + strlen ("conversations/"), 64);
}

static void
note_conversation (Reading        *self,
                   const char     *name,
                   const SlParcel *parcel)
{
  const char *title = parcel->conversation->title;

  g_hash_table_insert (self->good, g_strdup (name), g_strdup (title));
  for (guint i = 0; i < parcel->pictures->len; i++)
    {
      const SlPartRecord *picture = g_ptr_array_index (parcel->pictures, i);

      if (!sl_import_has_picture (self->import, picture->sha256, picture->extension))
        g_hash_table_insert (self->pictures, g_strdup_printf ("%s.%s", picture->sha256, picture->extension), g_strdup (title));
    }
}

static void
look_at_conversation (Reading    *self,
                      const char *name)
{
  g_autofree char *id = dup_id (name), *fault = NULL;
  g_autoptr (GByteArray) bytes = read_entry (self, MAX_JSON, &fault);
  g_autoptr (GError) failure = NULL;
  g_autoptr (SlParcel) parcel = bytes != NULL ? sl_parcel_from_json ((const char *) bytes->data, bytes->len, &failure) : NULL;
  g_autoptr (SlContentIds) names = parcel != NULL ? sl_content_ids_new (parcel->conversation) : NULL;

  self->n_conversations++;
  if (parcel == NULL)
    {
      const char *title = g_hash_table_lookup (self->announced, id);

      say_not_imported (self, title != NULL ? title : id, fault != NULL ? fault : failure->message);
    }
  else if (strcmp (names->conversation, id) != 0)
    say_not_imported (self, parcel->conversation->title, _("its content is not what its names say"));
  else
    note_conversation (self, name, parcel);
  g_hash_table_remove (self->announced, id);
}

static gboolean
look_at (Reading     *self,
         Entry        entry,
         const char  *name,
         GError     **error)
{
  g_autofree char *fault = NULL;
  g_autoptr (GByteArray) bytes = NULL;

  switch (entry)
    {
    case MANIFEST:
      bytes = read_entry (self, MAX_JSON, &fault);
      if (bytes != NULL)
        read_manifest (self, bytes);
      break;
    case CONVERSATION:
      look_at_conversation (self, name);
      break;
    case OTHER:
      if (!g_str_has_suffix (name, "/")) /* folders, as other programs put them into a zip */
        sl_import_add_fault (self->import, g_hash_table_contains (self->seen, name)
                                             ? _("“%s” is in “%s” more than once; the first one counts.")
                                             : _("“%s” in “%s” was left out: it does not belong there."),
                             name, sl_import_get_name (self->import));
      break;
    case KIND:
    case PICTURE:
    default:
      break;
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ then: pictures, conversations */

static gboolean
take_picture (Reading     *self,
              const char  *name,
              GError     **error)
{
  const char *file = name + strlen ("pictures/");
  g_autofree char *fault = NULL, *digest = NULL;
  g_autoptr (GByteArray) bytes = read_entry (self, sl_picture_default_limits.max_bytes, &fault);
  g_autoptr (SlPartRecord) picture = sl_part_record_new (SL_PART_PICTURE);

  if (bytes != NULL)
    digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, bytes->data, bytes->len);
  if (bytes != NULL && strncmp (digest, file, 64) != 0)
    fault = g_strdup (_("it is damaged"));
  else if (bytes != NULL && sl_picture_format_sniff (bytes->data, bytes->len) == SL_PICTURE_FORMAT_NONE)
    fault = g_strdup (_("it is no picture"));
  if (fault != NULL)
    {
      say_lost_picture (self, g_hash_table_lookup (self->pictures, file), fault);
      g_hash_table_remove (self->pictures, file);
      return TRUE;
    }
  picture->sha256 = g_strndup (file, 64);
  picture->extension = g_strdup (file + 65);
  picture->bytes = g_byte_array_free_to_bytes (g_steal_pointer (&bytes));
  g_hash_table_remove (self->pictures, file);
  return sl_import_put_picture (self->import, picture, error);
}

static gboolean
take_pictures (Reading     *self,
               Entry        entry,
               const char  *name,
               GError     **error)
{
  const char *file = name + strlen ("pictures/");

  if (entry != PICTURE || !g_hash_table_contains (self->pictures, file))
    return TRUE;
  sl_import_tell (self->import, ++self->n_done / (double) self->n_expected);
  return take_picture (self, name, error);
}

static gboolean
take_conversations (Reading     *self,
                    Entry        entry,
                    const char  *name,
                    GError     **error)
{
  g_autoptr (GByteArray) bytes = NULL;
  g_autofree char *fault = NULL;
  SlParcel *parcel;

  if (entry != CONVERSATION || !g_hash_table_contains (self->good, name))
    return TRUE;
  bytes = read_entry (self, MAX_JSON, &fault);
  parcel = bytes != NULL ? sl_parcel_from_json ((const char *) bytes->data, bytes->len, NULL) : NULL;
  if (parcel == NULL) /* the file has changed since */
    {
      say_not_imported (self, g_hash_table_lookup (self->good, name), fault != NULL ? fault : _("it is damaged"));
      return TRUE;
    }
  sl_import_tell (self->import, ++self->n_done / (double) self->n_expected);
  return sl_import_merge (self->import, parcel, error);
}

static void
say_what_is_missing (Reading  *self,
                     gboolean  whole)
{
  GHashTableIter iter;
  gpointer title;

  if (!whole)
    sl_import_add_fault (self->import, _("“%s” is damaged or ends early; what is whole of it was imported."),
                         sl_import_get_name (self->import));
  g_hash_table_iter_init (&iter, self->announced);
  while (g_hash_table_iter_next (&iter, NULL, &title))
    say_not_imported (self, title, _("it is missing there"));
  g_hash_table_iter_init (&iter, self->pictures);
  while (g_hash_table_iter_next (&iter, NULL, &title))
    say_lost_picture (self, title, _("it is missing there"));
}

static gboolean
read_archive (Reading  *self,
              GError  **error)
{
  guint n_before = sl_import_get_faults (self->import)->len;
  gboolean whole = FALSE, through;

  if (!walk (self, look_at, &whole, error))
    return FALSE;
  if (!whole)
    {
      /* Its list is lost or wrong: once more, by what lies between its entries. */
      g_ptr_array_set_size (sl_import_get_faults (self->import), n_before);
      g_hash_table_remove_all (self->good);
      g_hash_table_remove_all (self->pictures);
      g_hash_table_remove_all (self->announced);
      self->from_start = TRUE;
      if (!walk (self, look_at, &whole, error))
        return FALSE;
      whole = FALSE;
    }
  if (self->n_conversations == 0 && g_hash_table_size (self->announced) == 0)
    {
      g_ptr_array_set_size (sl_import_get_faults (self->import), n_before);
      sl_import_set_unknown (self->import, error);
      return FALSE;
    }
  self->n_expected = g_hash_table_size (self->good) + g_hash_table_size (self->pictures);
  if (!walk (self, take_pictures, &through, error) || !walk (self, take_conversations, &through, error))
    return FALSE;
  say_what_is_missing (self, whole);
  return TRUE;
}

gboolean
sl_import_archive (SlImport    *import,
                   const char  *path,
                   GError     **error)
{
  g_autoptr (GHashTable) good = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GHashTable) announced = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GHashTable) pictures = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Reading self = { .import = import, .path = path, .good = good, .announced = announced, .pictures = pictures };

  return read_archive (&self, error);
}
