/* SPDX-License-Identifier: MIT
 *
 * A list of one file, promised. What asks for a value at once (a drop into this very window) is refused as long as there is no file,
 * and GTK then asks for the bytes, as it does for other programs.
 */
#include "ui/inspector/sl-crop-provider.h"

#include "app/boxes/sl-box-picture.h"

#include <errno.h>

#include <glib/gi18n.h>
#include <glib/gstdio.h>

#define LABEL_CHARACTERS 50 /* in the name of a file: at most 200 bytes */

struct _SlCropProvider
{
  GdkContentProvider parent_instance;

  SlPicture *picture;
  cairo_rectangle_t area;
  char *label;
  int number;
  char *path; /* NULL until somebody asks */
  gboolean written;
};

G_DEFINE_FINAL_TYPE (SlCropProvider, sl_crop_provider, GDK_TYPE_CONTENT_PROVIDER)

/* --- the file -------------------------------------------------------------- */

static char *
dup_dir (void)
{
  return g_build_filename (g_get_user_cache_dir (), "sightline", "crops", NULL);
}

void
sl_crop_provider_forget_files (void)
{
  g_autofree char *dir = dup_dir ();
  g_autoptr (GDir) handle = g_dir_open (dir, 0, NULL);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);

      g_unlink (path);
    }
  g_rmdir (dir);
}

/* A name that no earlier drag of this run has, so that none of them is dropped in its place: the folder is emptied before and behind
 * the run. */
static char *
take_path (const char *label,
           int         number)
{
  static GHashTable *taken;
  g_autofree char *dir = dup_dir ();
  g_autofree char *start = g_utf8_substring (label, 0, MIN (g_utf8_strlen (label, -1), LABEL_CHARACTERS));

  if (taken == NULL)
    taken = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_strdelimit (start, "/", '_');
  for (guint i = 1;; i++)
    {
      g_autofree char *name = i > 1 ? g_strdup_printf ("%s %d-%u.png", start, number, i) : g_strdup_printf ("%s %d.png", start, number);
      char *path = g_build_filename (dir, name, NULL);

      if (g_hash_table_add (taken, path))
        return g_strdup (path);
    }
}

static void
write_file (GTask        *task,
            gpointer      source,
            gpointer      data,
            GCancellable *cancellable)
{
  SlCropProvider *self = source; /* what is read here does not change */
  g_autofree char *name = g_path_get_basename (self->path);
  g_autofree char *dir = g_path_get_dirname (self->path);
  g_autoptr (SlPicture) crop = NULL;
  GError *error = NULL;
  const void *bytes;
  gsize size;

  if (g_mkdir_with_parents (dir, 0700) != 0)
    {
      int code = errno;

      g_task_return_new_error (task, G_IO_ERROR, g_io_error_from_errno (code), _("The folder “%s” for pieces of pictures cannot be made: %s"), dir,
                               g_strerror (code));
      return;
    }
  crop = sl_box_picture_crop (self->picture, &self->area, name, &error);
  if (crop != NULL)
    bytes = g_bytes_get_data (sl_picture_get_bytes (crop), &size);
  if (crop != NULL && g_file_set_contents (self->path, bytes, size, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* --- what is offered ------------------------------------------------------- */

static void
set_files (SlCropProvider *self,
           GValue         *value)
{
  g_autoptr (GFile) file = g_file_new_for_path (self->path);

  g_value_take_boxed (value, gdk_file_list_new_from_array (&file, 1));
}

static GdkContentFormats *
sl_crop_provider_ref_formats (GdkContentProvider *provider)
{
  return gdk_content_formats_union_serialize_mime_types (gdk_content_formats_new_for_gtype (GDK_TYPE_FILE_LIST));
}

static gboolean
sl_crop_provider_get_value (GdkContentProvider  *provider,
                            GValue              *value,
                            GError             **error)
{
  SlCropProvider *self = SL_CROP_PROVIDER (provider);

  if (!self->written || !G_VALUE_HOLDS (value, GDK_TYPE_FILE_LIST))
    return GDK_CONTENT_PROVIDER_CLASS (sl_crop_provider_parent_class)->get_value (provider, value, error);
  set_files (self, value);
  return TRUE;
}

typedef struct
{
  char *mime_type;
  GOutputStream *stream;
  int priority;
} Request;

static void
request_free (Request *self)
{
  g_free (self->mime_type);
  g_object_unref (self->stream);
  g_free (self);
}

static void
on_serialized (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  g_autoptr (GTask) task = data;
  GError *error = NULL;

  if (gdk_content_serialize_finish (result, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

/* Takes the task. */
static void
serialize (SlCropProvider *self,
           GTask          *task)
{
  const Request *request = g_task_get_task_data (task);
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, GDK_TYPE_FILE_LIST);
  set_files (self, &value);
  gdk_content_serialize_async (request->stream, request->mime_type, &value, request->priority, g_task_get_cancellable (task),
                               on_serialized, task);
}

static void
on_written (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  SlCropProvider *self = SL_CROP_PROVIDER (source);
  g_autoptr (GTask) task = data;
  GError *error = NULL;

  if (!g_task_propagate_boolean (G_TASK (result), &error))
    {
      g_task_return_error (task, error);
      return;
    }
  self->written = TRUE;
  serialize (self, g_steal_pointer (&task));
}

static void
sl_crop_provider_write_mime_type_async (GdkContentProvider  *provider,
                                        const char          *mime_type,
                                        GOutputStream       *stream,
                                        int                  priority,
                                        GCancellable        *cancellable,
                                        GAsyncReadyCallback  callback,
                                        gpointer             data)
{
  SlCropProvider *self = SL_CROP_PROVIDER (provider);
  GTask *task = g_task_new (self, cancellable, callback, data);
  g_autoptr (GTask) writing = NULL;
  Request *request = g_new (Request, 1);

  *request = (Request) { .mime_type = g_strdup (mime_type), .stream = g_object_ref (stream), .priority = priority };
  g_task_set_source_tag (task, sl_crop_provider_write_mime_type_async);
  g_task_set_task_data (task, request, (GDestroyNotify) request_free);
  if (self->written)
    {
      serialize (self, task);
      return;
    }
  if (self->path == NULL)
    self->path = take_path (self->label, self->number);
  /* Who asks while another one waits has the same bytes written again: the file is replaced as a whole. */
  writing = g_task_new (self, NULL, on_written, task);
  g_task_set_source_tag (writing, write_file);
  g_task_run_in_thread (writing, write_file);
}

static gboolean
sl_crop_provider_write_mime_type_finish (GdkContentProvider  *provider,
                                         GAsyncResult        *result,
                                         GError             **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_crop_provider_finalize (GObject *object)
{
  SlCropProvider *self = SL_CROP_PROVIDER (object);

  g_object_unref (self->picture);
  g_free (self->label);
  g_free (self->path);
  G_OBJECT_CLASS (sl_crop_provider_parent_class)->finalize (object);
}

static void
sl_crop_provider_class_init (SlCropProviderClass *klass)
{
  GdkContentProviderClass *provider_class = GDK_CONTENT_PROVIDER_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = sl_crop_provider_finalize;
  provider_class->ref_formats = sl_crop_provider_ref_formats;
  provider_class->get_value = sl_crop_provider_get_value;
  provider_class->write_mime_type_async = sl_crop_provider_write_mime_type_async;
  provider_class->write_mime_type_finish = sl_crop_provider_write_mime_type_finish;
}

static void
sl_crop_provider_init (SlCropProvider *self)
{
}

GdkContentProvider *
sl_crop_provider_new (SlPicture               *picture,
                      const cairo_rectangle_t *area,
                      const char              *label,
                      int                      number)
{
  SlCropProvider *self;

  g_return_val_if_fail (SL_IS_PICTURE (picture), NULL);

  self = g_object_new (SL_TYPE_CROP_PROVIDER, NULL);
  self->picture = g_object_ref (picture);
  self->area = *area;
  self->label = g_strdup (label);
  self->number = number;
  return GDK_CONTENT_PROVIDER (self);
}
