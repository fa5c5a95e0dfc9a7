/* SPDX-License-Identifier: MIT
 *
 * Pictures that are no file yet: from pixels, parts of another picture, and a transparent one laid over white. Each gets a PNG of its own.
 */
#include "app/pictures/sl-picture-private.h"

#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture-format.h"
#include "app/pictures/sl-picture-profile.h"

/* ------------------------------------------------------------------------------------------------ raw pixels */

/* Into the PNG. */
static void
add_profile (SlPicture *self)
{
  GByteArray *all;
  g_autoptr(GBytes) chunk = NULL;
  gsize size;
  const guint8 *png = g_bytes_get_data (self->bytes, &size);

  if (self->profile == NULL)
    return;
  chunk = sl_picture_profile_to_chunk (self->profile);
  all = g_byte_array_sized_new (size + g_bytes_get_size (chunk));
  g_byte_array_append (all, png, SL_PNG_HEAD_BYTES);
  g_byte_array_append (all, g_bytes_get_data (chunk, NULL), g_bytes_get_size (chunk));
  g_byte_array_append (all, png + SL_PNG_HEAD_BYTES, size - SL_PNG_HEAD_BYTES);
  g_bytes_unref (self->bytes);
  self->bytes = g_byte_array_free_to_bytes (all);
}

/* Lossless, and quick rather than small. ground: what is written down about it, or NULL. */
static gboolean
take_png (SlPicture   *self,
          GdkPixbuf   *pixbuf,
          const char  *ground,
          GError     **error)
{
  g_autoptr(GError) cause = NULL;
  char *png = NULL;
  gsize size = 0;

  if (!gdk_pixbuf_save_to_buffer (pixbuf, &png, &size, "png", &cause, "compression", "3",
                                  ground != NULL ? "tEXt::" SL_PICTURE_GROUND : NULL, ground, NULL))
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY,
                   _("“%s” cannot be kept as PNG: %s."), self->name, cause->message);
      return FALSE;
    }

  g_clear_pointer (&self->bytes, g_bytes_unref);
  self->bytes = g_bytes_new_take (png, size);
  add_profile (self);
  g_free (self->sha256);
  self->sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, self->bytes);
  self->mime_type = sl_picture_format_get_mime_type (SL_PICTURE_FORMAT_PNG);
  self->extension = sl_picture_format_get_extension (SL_PICTURE_FORMAT_PNG);
  self->turned = FALSE;
  self->endless = FALSE;

  return TRUE;
}

static SlPicture *
new_from_pixels (const guint8  *rgba,
                 int            width,
                 int            height,
                 gsize          stride,
                 const char    *name,
                 GBytes        *profile,
                 GError       **error)
{
  g_autofree char *valid_name = g_utf8_make_valid (name != NULL ? name : "", -1);
  g_autoptr(GdkPixbuf) pixbuf = NULL;
  g_autoptr(SlPicture) self = NULL;

  if ((guint64) width * height > sl_picture_default_limits.max_pixels)
    {
      sl_picture_set_too_many_pixels (valid_name, width, height, &sl_picture_default_limits, error);
      return NULL;
    }

  pixbuf = gdk_pixbuf_new_from_data (rgba, GDK_COLORSPACE_RGB, TRUE, 8, width, height, (int) stride, NULL, NULL);
  self = g_object_new (SL_TYPE_PICTURE, NULL);
  self->name = g_steal_pointer (&valid_name);
  self->profile = profile != NULL ? g_bytes_ref (profile) : NULL;
  if (!take_png (self, pixbuf, NULL, error))
    return NULL;
  if (!sl_picture_take_pixels (self, pixbuf, SL_PICTURE_ALPHA_STRAIGHT, FALSE))
    {
      sl_picture_set_no_memory (self->name, error);
      return NULL;
    }

  return g_steal_pointer (&self);
}

SlPicture *
sl_picture_new_from_rgba (const guint8  *rgba,
                          int            width,
                          int            height,
                          gsize          stride,
                          const char    *name,
                          GError       **error)
{
  g_return_val_if_fail (rgba != NULL, NULL);
  g_return_val_if_fail (width > 0 && height > 0, NULL);
  g_return_val_if_fail (stride >= (gsize) width * 4 && stride <= G_MAXINT, NULL);

  return new_from_pixels (rgba, width, height, stride, name, NULL, error);
}

SlPicture *
sl_picture_new_part (SlPicture     *of,
                     const guint8  *rgba,
                     int            width,
                     int            height,
                     gsize          stride,
                     const char    *name,
                     GError       **error)
{
  g_return_val_if_fail (SL_IS_PICTURE (of), NULL);
  g_return_val_if_fail (rgba != NULL, NULL);
  g_return_val_if_fail (width > 0 && height > 0, NULL);
  g_return_val_if_fail (stride >= (gsize) width * 4 && stride <= G_MAXINT, NULL);

  return new_from_pixels (rgba, width, height, stride, name, of->profile, error);
}

/* ------------------------------------------------------------------------------------------------ on white */

static SlPicture *
lay_on_white (GBytes        *bytes,
              const char    *name,
              GCancellable  *cancellable,
              GError       **error)
{
  g_autoptr(SlPicture) self = sl_picture_decode (bytes, name, TRUE, 0, &sl_picture_default_limits, cancellable, error);
  g_autoptr(GdkPixbuf) pixbuf = NULL;

  if (self == NULL)
    return NULL;
  pixbuf = gdk_pixbuf_new_from_bytes (self->rgb, GDK_COLORSPACE_RGB, FALSE, 8, self->width, self->height, (int) self->stride);
  if (!take_png (self, pixbuf, "white", error))
    return NULL;
  self->on_white = TRUE;
  self->source = g_bytes_ref (bytes);

  return g_steal_pointer (&self);
}

SlPicture *
sl_picture_new_on_white (SlPicture     *picture,
                         GCancellable  *cancellable,
                         GError       **error)
{
  g_return_val_if_fail (SL_IS_PICTURE (picture), NULL);

  if (!picture->transparent)
    return g_object_ref (picture);

  return lay_on_white (picture->bytes, picture->name, cancellable, error);
}

static void
run_on_white (GTask        *task,
              gpointer      source,
              gpointer      data,
              GCancellable *cancellable)
{
  SlPictureImport *import = data;
  g_autoptr(GBytes) bytes = import->bytes != NULL ? g_bytes_ref (import->bytes) : NULL;
  GError *error = NULL;
  SlPicture *picture = NULL;

  if (bytes == NULL)
    bytes = sl_picture_read_file (import->file, import->name, cancellable, &error);
  if (bytes != NULL)
    picture = lay_on_white (bytes, import->name, cancellable, &error);
  if (picture != NULL)
    g_task_return_pointer (task, picture, g_object_unref);
  else
    g_task_return_error (task, error);
}

void
sl_picture_new_on_white_async (GBytes              *bytes,
                               const char          *path,
                               const char          *name,
                               GCancellable        *cancellable,
                               GAsyncReadyCallback  callback,
                               gpointer             user_data)
{
  g_autoptr(GTask) task = g_task_new (NULL, cancellable, callback, user_data);
  SlPictureImport *import = g_new0 (SlPictureImport, 1);

  import->bytes = bytes != NULL ? g_bytes_ref (bytes) : NULL;
  import->file = bytes == NULL ? g_file_new_for_path (path) : NULL;
  import->name = g_strdup (name);
  g_task_set_source_tag (task, sl_picture_new_on_white_async);
  g_task_set_task_data (task, import, sl_picture_import_free);
  g_task_run_in_thread (task, run_on_white);
}
