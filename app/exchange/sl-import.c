/* SPDX-License-Identifier: MIT
 *
 * What a file is, and the two ways into a history: straight, or through the window's store and its thread.
 */
#include "app/exchange/sl-import-other.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#define MAX_FAULTS 100

struct _SlImport
{
  SlDatabase *database; /* one of the two */
  SlStore *store;
  char *dir;
  SlExchangeProgress progress;
  gpointer progress_data;
  GPtrArray *conversations, *faults;
  guint n_more; /* faults that are counted only */
  char *name;   /* of the file that is read now */
  GCancellable *cancellable;
};

static void
imported_free (gpointer data)
{
  SlImported *imported = data;

  g_free (imported->title);
  g_free (imported);
}

static SlImport *
import_new (const char *dir)
{
  SlImport *self = g_new0 (SlImport, 1);

  self->dir = g_strdup (dir);
  self->conversations = g_ptr_array_new_with_free_func (imported_free);
  self->faults = g_ptr_array_new_with_free_func (g_free);
  return self;
}

SlImport *
sl_import_new_for_database (SlDatabase *database,
                            const char *dir)
{
  SlImport *self = import_new (dir);

  self->database = database;
  return self;
}

SlImport *
sl_import_new_for_store (SlStore *store)
{
  SlImport *self = import_new (sl_store_get_dir (store));

  self->store = g_object_ref (store);
  return self;
}

void
sl_import_free (SlImport *self)
{
  if (self == NULL)
    return;
  g_clear_object (&self->store);
  g_clear_object (&self->cancellable);
  g_ptr_array_unref (self->conversations);
  g_ptr_array_unref (self->faults);
  g_free (self->dir);
  g_free (self->name);
  g_free (self);
}

void
sl_import_set_progress (SlImport           *self,
                        SlExchangeProgress  progress,
                        gpointer            user_data)
{
  self->progress = progress;
  self->progress_data = user_data;
}

GPtrArray *
sl_import_get_conversations (SlImport *self)
{
  return self->conversations;
}

GPtrArray *
sl_import_get_faults (SlImport *self)
{
  if (self->n_more > 0)
    g_ptr_array_add (self->faults, g_strdup_printf (ngettext ("And %u more.", "And %u more.", self->n_more), self->n_more));
  self->n_more = 0;
  return self->faults;
}

/* ------------------------------------------------------------------------------------------------ for the readers */

void
sl_import_add_fault (SlImport   *self,
                     const char *format,
                     ...)
{
  va_list args;

  if (self->faults->len >= MAX_FAULTS)
    {
      self->n_more++;
      return;
    }
  va_start (args, format);
  g_ptr_array_add (self->faults, g_strdup_vprintf (format, args));
  va_end (args);
}

const char *
sl_import_get_name (SlImport *self)
{
  return self->name;
}

GCancellable *
sl_import_get_cancellable (SlImport *self)
{
  return self->cancellable;
}

void
sl_import_tell (SlImport *self,
                double    fraction)
{
  if (self->progress != NULL)
    self->progress (fraction, self->progress_data);
}

static gboolean
work (SlImport     *self,
      SlStoreWork   what,
      gpointer      data,
      GError      **error)
{
  gint64 changed = 0;

  if (g_cancellable_set_error_if_cancelled (self->cancellable, error))
    return FALSE;
  if (self->store != NULL)
    return sl_store_work (self->store, what, data, self->cancellable, error);
  return what (self->database, data, &changed, error);
}

static gboolean
put_pictures (SlDatabase  *database,
              gpointer     pictures,
              gint64      *changed,
              GError     **error)
{
  return sl_database_put_pictures (database, pictures, error);
}

gboolean
sl_import_put_picture (SlImport      *self,
                       SlPartRecord  *picture,
                       GError       **error)
{
  g_autoptr (GPtrArray) one = g_ptr_array_new ();

  g_ptr_array_add (one, picture);
  return work (self, put_pictures, one, error);
}

gboolean
sl_import_has_picture (SlImport   *self,
                       const char *sha256,
                       const char *extension)
{
  g_autofree char *path = sl_database_dup_picture_path (self->dir, sha256, extension);

  return g_file_test (path, G_FILE_TEST_IS_REGULAR);
}

typedef struct
{
  SlParcel *parcel;
  gint64 first_id;
  SlMerge merge;
} Arrival;

static gboolean
merge (SlDatabase  *database,
       gpointer     data,
       gint64      *changed,
       GError     **error)
{
  Arrival *arrival = data;

  if (!sl_database_merge_parcel (database, arrival->parcel, arrival->first_id, &arrival->merge, error))
    return FALSE;
  if (arrival->merge.n_messages > 0 || arrival->merge.is_new)
    *changed = arrival->merge.conversation;
  return TRUE;
}

gboolean
sl_import_merge (SlImport  *self,
                 SlParcel  *parcel,
                 GError   **error)
{
  g_autoptr (SlParcel) taken = parcel;
  guint n_ids = sl_parcel_count_ids (parcel);
  Arrival arrival = { .parcel = parcel };
  SlImported *imported;

  arrival.first_id = self->store != NULL ? sl_store_reserve_ids (self->store, n_ids)
                                         : MAX (sl_database_get_last_id (self->database) + 1, g_get_real_time ());
  if (!work (self, merge, &arrival, error))
    return FALSE;
  imported = g_new0 (SlImported, 1);
  imported->merge = arrival.merge;
  imported->title = g_strdup (parcel->conversation->title);
  g_ptr_array_add (self->conversations, imported);
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ what a file is */

#define HEAD 16 /* bytes */

static gboolean
read_head (const char  *path,
           char         head[HEAD],
           GError     **error)
{
  FILE *file = g_fopen (path, "rbe");
  gsize n = 0;
  int cause = errno;

  memset (head, 0, HEAD);
  if (file != NULL)
    {
      n = fread (head, 1, HEAD, file);
      cause = ferror (file) ? errno : 0;
      fclose (file);
    }
  if (file != NULL && cause == 0 && n > 0)
    return TRUE;
  {
    g_autofree char *name = g_filename_display_name (path);

    g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, _("“%s” cannot be read: %s."), name,
                 cause != 0 ? g_strerror (cause) : _("it is empty"));
  }
  return FALSE;
}

/* Behind the mark that some editors put there. */
static gboolean
begins_json (const char head[HEAD])
{
  const char *text = memcmp (head, "\xef\xbb\xbf", 3) == 0 ? head + 3 : head;

  while (g_ascii_isspace (*text) && text < head + HEAD - 1)
    text++;
  return *text == '[' || *text == '{';
}

gboolean
sl_import_file (SlImport      *self,
                const char    *path,
                GCancellable  *cancellable,
                GError       **error)
{
  char head[HEAD];

  g_set_object (&self->cancellable, cancellable);
  g_free (self->name);
  self->name = g_filename_display_basename (path);
  if (!read_head (path, head, error))
    return FALSE;
  if (memcmp (head, "PK\3\4", 4) == 0)
    return sl_import_archive (self, path, error);
  if (memcmp (head, "SQLite format 3", HEAD) == 0)
    return sl_import_sqlite (self, path, error);
  if (begins_json (head))
    return sl_import_json (self, path, error);
  sl_import_set_unknown (self, error);
  return FALSE;
}
