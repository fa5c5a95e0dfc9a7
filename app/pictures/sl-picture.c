/* SPDX-License-Identifier: MIT
 *
 * The object, and the ways to one: bytes, files, raw pixels, each also on the pool of two workers. The decoding itself is
 * sl-picture-decode.c.
 */
#include "app/pictures/sl-picture-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture-format.h"

#define N_POOL_THREADS 2

const SlPictureLimits sl_picture_default_limits = {
  .max_pixels = 256000000,
  .max_bytes = G_GUINT64_CONSTANT (1) << 30,
  .deadline_us = 30 * G_USEC_PER_SEC,
};

G_DEFINE_QUARK (sl-picture-error-quark, sl_picture_error)
G_DEFINE_FINAL_TYPE (SlPicture, sl_picture, G_TYPE_OBJECT)

static void
sl_picture_finalize (GObject *object)
{
  SlPicture *self = SL_PICTURE (object);

  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->rgb, g_bytes_unref);
  g_clear_pointer (&self->source, g_bytes_unref);
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->sha256, g_free);
  g_clear_pointer (&self->profile, g_bytes_unref);

  G_OBJECT_CLASS (sl_picture_parent_class)->finalize (object);
}

static void
sl_picture_class_init (SlPictureClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_picture_finalize;
}

static void
sl_picture_init (SlPicture *self)
{
}

/* ------------------------------------------------------------------------------------------------ creation */

static gboolean
check_bytes (const char             *name,
             guint64                 size,
             const SlPictureLimits  *limits,
             GError                **error)
{
  if (size == 0)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT, _("“%s” is empty."), name);
      return FALSE;
    }

  if (size > limits->max_bytes)
    {
      g_autofree char *is = g_format_size (size);
      g_autofree char *may = g_format_size (limits->max_bytes);

      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
                   _("“%s” is too large: the file has %s, the limit is %s."), name, is, may);
      return FALSE;
    }

  return TRUE;
}

SlPicture *
sl_picture_new_with_limits (GBytes                 *bytes,
                            const char             *name,
                            const SlPictureLimits  *limits,
                            GCancellable           *cancellable,
                            GError                **error)
{
  g_autofree char *valid_name = g_utf8_make_valid (name != NULL ? name : "", -1);

  g_return_val_if_fail (bytes != NULL, NULL);
  g_return_val_if_fail (limits != NULL, NULL);

  if (g_cancellable_set_error_if_cancelled (cancellable, error) ||
      !check_bytes (valid_name, g_bytes_get_size (bytes), limits, error))
    return NULL;

  return sl_picture_decode (bytes, valid_name, FALSE, 0, limits, cancellable, error);
}

SlPicture *
sl_picture_new_from_bytes (GBytes        *bytes,
                           const char    *name,
                           GCancellable  *cancellable,
                           GError       **error)
{
  return sl_picture_new_with_limits (bytes, name, &sl_picture_default_limits, cancellable, error);
}

static void
set_unreadable (const char  *name,
                const char  *reason,
                GError     **error)
{
  g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_READ, _("“%s” cannot be read: %s."), name, reason);
}

/* A pipe or device would block or never end, so only regular files are opened. place: the whole path, since it is looked for there. */
static gboolean
check_file (GFile         *file,
            const char    *name,
            const char    *place,
            GCancellable  *cancellable,
            GError       **error)
{
  g_autoptr(GError) cause = NULL;
  g_autoptr(GFileInfo) info = g_file_query_info (file, G_FILE_ATTRIBUTE_STANDARD_TYPE "," G_FILE_ATTRIBUTE_STANDARD_SIZE,
                                                 G_FILE_QUERY_INFO_NONE, cancellable, &cause);

  if (info == NULL)
    {
      if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_propagate_error (error, g_steal_pointer (&cause));
      else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        set_unreadable (place, _("there is no such file"), error);
      else
        set_unreadable (place, cause->message, error);
      return FALSE;
    }

  if (g_file_info_get_file_type (info) == G_FILE_TYPE_DIRECTORY)
    {
      set_unreadable (place, _("it is a folder"), error);
      return FALSE;
    }

  if (g_file_info_get_file_type (info) != G_FILE_TYPE_REGULAR)
    {
      set_unreadable (place, _("it is not a regular file"), error);
      return FALSE;
    }

  return check_bytes (name, g_file_info_get_size (info), &sl_picture_default_limits, error);
}

/* The file may grow while it is read: the limit is checked again on the way. */
GBytes *
sl_picture_read_file (GFile         *file,
                      const char    *name,
                      GCancellable  *cancellable,
                      GError       **error)
{
  g_autoptr(GError) cause = NULL;
  g_autoptr(GFileInputStream) stream = NULL;
  g_autoptr(GByteArray) data = g_byte_array_new ();
  g_autofree guint8 *chunk = g_malloc (SL_PICTURE_CHUNK_BYTES);
  g_autofree char *place = g_file_get_parse_name (file);
  gssize n = 0;

  if (!check_file (file, name, place, cancellable, error))
    return NULL;

  stream = g_file_read (file, cancellable, &cause);
  while (stream != NULL &&
         (n = g_input_stream_read (G_INPUT_STREAM (stream), chunk, SL_PICTURE_CHUNK_BYTES, cancellable, &cause)) > 0)
    {
      g_byte_array_append (data, chunk, n);
      if (!check_bytes (name, data->len, &sl_picture_default_limits, error))
        return NULL;
    }

  if (cause != NULL)
    {
      if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_propagate_error (error, g_steal_pointer (&cause));
      else
        set_unreadable (place, cause->message, error);
      return NULL;
    }

  return g_byte_array_free_to_bytes (g_steal_pointer (&data));
}

SlPicture *
sl_picture_new_from_file (GFile         *file,
                          GCancellable  *cancellable,
                          GError       **error)
{
  g_autofree char *basename = NULL;
  g_autofree char *name = NULL;
  g_autoptr(GBytes) bytes = NULL;

  g_return_val_if_fail (G_IS_FILE (file), NULL);

  basename = g_file_get_basename (file);
  name = g_filename_display_name (basename != NULL ? basename : "");

  bytes = sl_picture_read_file (file, name, cancellable, error);
  if (bytes == NULL)
    return NULL;

  return sl_picture_new_from_bytes (bytes, name, cancellable, error);
}

/* ------------------------------------------------------------------------------------------------ the pool */

void
sl_picture_import_free (gpointer data)
{
  SlPictureImport *import = data;

  g_clear_pointer (&import->bytes, g_bytes_unref);
  g_clear_object (&import->file);
  g_free (import->name);
  g_free (import);
}

static void
pool_run (gpointer data,
          gpointer user_data)
{
  g_autoptr(GTask) task = data;
  SlPictureImport *import = g_task_get_task_data (task);
  GCancellable *cancellable = g_task_get_cancellable (task);
  GError *error = NULL;
  SlPicture *picture;

  if (import->file != NULL)
    picture = sl_picture_new_from_file (import->file, cancellable, &error);
  else
    picture = sl_picture_new_from_bytes (import->bytes, import->name, cancellable, &error);

  if (picture != NULL)
    g_task_return_pointer (task, picture, g_object_unref);
  else
    g_task_return_error (task, error);
}

static void
pool_push (GTask *task)
{
  static GThreadPool *pool;

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, g_thread_pool_new (pool_run, NULL, N_POOL_THREADS, FALSE, NULL));

  g_thread_pool_push (pool, task, NULL);
}

void
sl_picture_new_from_bytes_async (GBytes              *bytes,
                                 const char          *name,
                                 GCancellable        *cancellable,
                                 GAsyncReadyCallback  callback,
                                 gpointer             user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  SlPictureImport *import = g_new0 (SlPictureImport, 1);

  import->bytes = g_bytes_ref (bytes);
  import->name = g_strdup (name);
  g_task_set_source_tag (task, sl_picture_new_from_bytes_async);
  g_task_set_task_data (task, import, sl_picture_import_free);
  pool_push (task);
}

void
sl_picture_new_from_file_async (GFile               *file,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  SlPictureImport *import = g_new0 (SlPictureImport, 1);

  import->file = g_object_ref (file);
  g_task_set_source_tag (task, sl_picture_new_from_file_async);
  g_task_set_task_data (task, import, sl_picture_import_free);
  pool_push (task);
}

SlPicture *
sl_picture_new_finish (GAsyncResult  *result,
                       GError       **error)
{
  g_return_val_if_fail (G_IS_TASK (result), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* ------------------------------------------------------------------------------------------------ getters */

GBytes *
sl_picture_get_bytes (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->bytes;
}

const char *
sl_picture_get_sha256 (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->sha256;
}

const char *
sl_picture_get_mime_type (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->mime_type;
}

const char *
sl_picture_get_extension (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->extension;
}

const char *
sl_picture_get_name (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->name;
}

gboolean
sl_picture_get_turned (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), FALSE);

  return self->turned;
}

gboolean
sl_picture_get_plain (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), FALSE);

  return !self->turned && !self->endless;
}

gboolean
sl_picture_get_transparent (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), FALSE);

  return self->transparent;
}

gboolean
sl_picture_get_on_white (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), FALSE);

  return self->on_white;
}

GBytes *
sl_picture_get_profile (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->profile;
}

SlGround
sl_picture_get_ground (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), SL_GROUND_UNKNOWN);

  return self->on_white ? SL_GROUND_WHITE : self->transparent ? SL_GROUND_TRANSPARENT : SL_GROUND_OPAQUE;
}

GBytes *
sl_picture_get_source (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->source;
}

int
sl_picture_get_width (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), 0);

  return self->width;
}

int
sl_picture_get_height (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), 0);

  return self->height;
}

gsize
sl_picture_get_stride (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), 0);

  return self->stride;
}

const guint8 *
sl_picture_get_rgb (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return g_bytes_get_data (self->rgb, NULL);
}

GBytes *
sl_picture_get_rgb_bytes (SlPicture *self)
{
  g_return_val_if_fail (SL_IS_PICTURE (self), NULL);

  return self->rgb;
}
