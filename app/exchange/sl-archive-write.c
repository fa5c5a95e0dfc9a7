/* SPDX-License-Identifier: MIT
 *
 * The writing of an archive. The history is looked at twice, frozen: first for the list of what will come, then for what comes, so that
 * no more than one conversation or picture is in memory. Any one thread.
 */
#include "app/exchange/sl-archive.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>
#include <glib/gi18n-lib.h>
#include <jansson.h>

#include "app/exchange/sl-parcel-json.h"

/* A conversation that will come. */
typedef struct
{
  gint64 id, created;
  char *name, *title;
} Line;

typedef struct
{
  const SlExport *export;
  SlOutput *output;
  struct archive *archive;
  int cause;           /* errno of the output */
  GPtrArray *lines;    /* of Line */
  GHashTable *written; /* hashes of pictures */
} Writing;

static void
line_free (gpointer data)
{
  Line *line = data;

  g_free (line->name);
  g_free (line->title);
  g_free (line);
}

/* ------------------------------------------------------------------------------------------------ entries */

static la_ssize_t
write_block (struct archive *archive,
             void           *data,
             const void     *buffer,
             size_t          length)
{
  Writing *self = data;

  self->cause = sl_output_write (self->output, buffer, length);
  if (self->cause == 0)
    return (la_ssize_t) length;
  archive_set_error (archive, self->cause, "%s", g_strerror (self->cause));
  return -1;
}

static gboolean
fail (Writing  *self,
      GError  **error)
{
  int cause = self->cause != 0 ? self->cause : archive_errno (self->archive);

  sl_output_set_error (error, self->export->path, cause > 0 ? cause : EIO);
  return FALSE;
}

static gboolean
write_entry (Writing     *self,
             const char  *name,
             const void  *data,
             gsize        length,
             GError     **error)
{
  struct archive_entry *entry = archive_entry_new ();
  gboolean ok;

  archive_entry_set_pathname (entry, name);
  archive_entry_set_filetype (entry, AE_IFREG);
  archive_entry_set_perm (entry, 0644);
  archive_entry_set_size (entry, (la_int64_t) length);
  ok = archive_write_header (self->archive, entry) == ARCHIVE_OK
       && archive_write_data (self->archive, data, length) == (la_ssize_t) length && archive_write_finish_entry (self->archive) == ARCHIVE_OK;
  archive_entry_free (entry);
  return ok || fail (self, error);
}

static gboolean
write_manifest (Writing  *self,
                GError  **error)
{
  json_t *conversations = json_array ();
  json_t *object = json_pack ("{s:s,s:i,s:o}", "type", SL_ARCHIVE_MIME_TYPE, "version", SL_ARCHIVE_VERSION, "conversations",
                              conversations);
  char *text;
  gboolean ok;

  for (guint i = 0; i < self->lines->len; i++)
    {
      const Line *line = g_ptr_array_index (self->lines, i);

      json_array_append_new (conversations, json_pack ("{s:s,s:s}", "id", line->name, "title", line->title));
    }
  text = json_dumps (object, JSON_INDENT (1));
  json_decref (object);
  ok = write_entry (self, "manifest.json", text, strlen (text), error);
  free (text);
  return ok;
}

/* ------------------------------------------------------------------------------------------------ what goes into them */

static void
tell_progress (Writing *self,
               guint    done)
{
  if (self->export->progress != NULL)
    self->export->progress ((double) done / (2.0 * self->lines->len), self->export->progress_data);
}

static SlParcel *
load (Writing  *self,
      gint64    id,
      GError  **error)
{
  g_autoptr (GError) failure = NULL;
  SlParcel *parcel = sl_database_load_parcel (self->export->database, id, &failure);

  if (failure != NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else if (parcel == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("There is no conversation %" PRId64 "."), id);
  return parcel;
}

static int
compare_lines (gconstpointer a,
               gconstpointer b)
{
  const Line *first = *(const Line *const *) a, *second = *(const Line *const *) b;

  if (first->created != second->created)
    return first->created < second->created ? -1 : 1;
  return strcmp (first->name, second->name);
}

static gboolean
list_lines (Writing  *self,
            GError  **error)
{
  g_autoptr (GHashTable) taken = g_hash_table_new (g_str_hash, g_str_equal);

  for (gsize i = 0; i < self->export->n_ids; i++)
    {
      g_autoptr (SlParcel) parcel = load (self, self->export->ids[i], error);
      g_autoptr (SlContentIds) names = parcel != NULL ? sl_content_ids_new (parcel->conversation) : NULL;
      Line *line;

      if (names == NULL)
        return FALSE;
      if (g_hash_table_contains (taken, names->conversation)) /* asked for twice, or the same in every respect */
        continue;
      line = g_new0 (Line, 1);
      *line = (Line) { parcel->conversation->id, parcel->conversation->created, g_steal_pointer (&names->conversation),
                       g_strdup (parcel->conversation->title) };
      g_hash_table_add (taken, line->name);
      g_ptr_array_add (self->lines, line);
    }
  g_ptr_array_sort (self->lines, compare_lines);
  return TRUE;
}

/* What is not what was stored stays out, so that nobody takes it for that. */
static char *
read_picture (Writing             *self,
              const SlPartRecord  *picture,
              gsize               *length)
{
  g_autofree char *path = sl_database_dup_picture_path (self->export->dir, picture->sha256, picture->extension);
  g_autofree char *data = NULL, *digest = NULL;
  g_autoptr (GError) failure = NULL;

  if (g_file_get_contents (path, &data, length, &failure))
    digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) data, *length);
  if (g_strcmp0 (digest, picture->sha256) == 0)
    return g_steal_pointer (&data);
  g_ptr_array_add (self->export->faults, failure != NULL ? g_strdup_printf (_("A picture was left out: %s."), failure->message)
                                                         : g_strdup_printf (_("The picture file “%s” is not what was stored"), path));
  return NULL;
}

static int
compare_pictures (gconstpointer a,
                  gconstpointer b)
{
  return strcmp ((*(const SlPartRecord *const *) a)->sha256, (*(const SlPartRecord *const *) b)->sha256);
}

static gboolean
write_pictures (Writing   *self,
                SlParcel  *parcel,
                GError   **error)
{
  g_ptr_array_sort (parcel->pictures, compare_pictures);
  for (guint i = 0; i < parcel->pictures->len; i++)
    {
      const SlPartRecord *picture = g_ptr_array_index (parcel->pictures, i);
      g_autofree char *name = g_strdup_printf ("pictures/%s.%s", picture->sha256, picture->extension);
      g_autofree char *data = NULL;
      gsize length;

      if (!g_hash_table_add (self->written, g_strdup (picture->sha256)))
        continue;
      data = read_picture (self, picture, &length);
      if (data != NULL && !write_entry (self, name, data, length, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
write_conversation (Writing     *self,
                    const Line  *line,
                    GError     **error)
{
  g_autoptr (SlParcel) parcel = load (self, line->id, error);
  g_autoptr (SlContentIds) names = parcel != NULL ? sl_content_ids_new (parcel->conversation) : NULL;
  g_autofree char *name = g_strdup_printf ("conversations/%s.json", line->name);
  g_autofree char *text = NULL;
  gsize length;

  if (names == NULL)
    return FALSE;
  text = sl_parcel_to_json (parcel, names, &length);
  return write_entry (self, name, text, length, error) && write_pictures (self, parcel, error);
}

static gboolean
write_all (Writing  *self,
           GError  **error)
{
  if (!list_lines (self, error)
      || !write_entry (self, "mimetype", SL_ARCHIVE_MIME_TYPE, strlen (SL_ARCHIVE_MIME_TYPE), error)
      || !write_manifest (self, error))
    return FALSE;
  for (guint i = 0; i < self->lines->len; i++)
    {
      tell_progress (self, self->lines->len + i);
      if (!write_conversation (self, g_ptr_array_index (self->lines, i), error))
        return FALSE;
    }
  return archive_write_close (self->archive) == ARCHIVE_OK || fail (self, error);
}

static gboolean
write_frozen (Writing  *self,
              GError  **error)
{
  g_autoptr (GError) failure = NULL;
  gboolean ok;

  self->output = sl_outputs_open (self->export->outputs, self->export->path, error);
  if (self->output == NULL)
    return FALSE;
  self->archive = archive_write_new ();
  archive_write_set_format_zip (self->archive);
  archive_write_set_options (self->archive, "zip:compression=store");
  archive_write_set_bytes_in_last_block (self->archive, 1);
  ok = archive_write_open (self->archive, self, NULL, write_block, NULL) == ARCHIVE_OK ? write_all (self, &failure)
                                                                                       : fail (self, &failure);
  if (!ok)
    archive_write_fail (self->archive); /* so that the end does not write on */
  archive_write_free (self->archive);
  if (ok)
    return sl_output_finish (self->output, 0, error);
  sl_output_discard (self->output);
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
sl_archive_write (const SlExport  *export,
                  GError         **error)
{
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (line_free);
  g_autoptr (GHashTable) written = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Writing self = { .export = export, .lines = lines, .written = written };
  gboolean ok;

  if (!sl_database_freeze (export->database, error))
    return FALSE;
  ok = write_frozen (&self, error);
  sl_database_thaw (export->database);
  return ok;
}
