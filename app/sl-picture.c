/* SPDX-License-Identifier: MIT
 *
 * Bytes → upright RGB8 through GdkPixbufLoader, fed in chunks on a thread of its own: a chunked loader stops at the
 * deadline, one that does all its work at the end (tiff, svg, heif) is left behind at the deadline and its result
 * thrown away. How many may be left behind is bounded, so that hostile files cannot pile up threads.
 * Which loader runs is decided by sl-picture-format.h, so that only the formats of the header's list are ever parsed,
 * whatever loaders the system has.
 */
#include "app/sl-picture.h"

#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>

#include "app/sl-picture-format.h"

#define CHUNK_BYTES      (64 * 1024)
#define MAX_LEFT_BEHIND  4
#define N_POOL_THREADS   2
#define SVG_MAX_SIDE     4096
#define SVG_MAX_BYTES    (8 * 1024 * 1024)

const SlPictureLimits sl_picture_default_limits = {
  .max_pixels = 256000000,
  .max_bytes = G_GUINT64_CONSTANT (1) << 30,
  .deadline_us = 30 * G_USEC_PER_SEC,
};

struct _SlPicture
{
  GObject  parent_instance;

  GBytes  *bytes;
  GBytes  *rgb;
  char    *name;
  char    *sha256;
  const char *mime_type;  /* static */
  const char *extension;  /* static */
  gsize    stride;
  int      width;
  int      height;
  gboolean turned;
};

G_DEFINE_QUARK (sl-picture-error-quark, sl_picture_error)
G_DEFINE_FINAL_TYPE (SlPicture, sl_picture, G_TYPE_OBJECT)

static void
sl_picture_finalize (GObject *object)
{
  SlPicture *self = SL_PICTURE (object);

  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->rgb, g_bytes_unref);
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->sha256, g_free);

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

/* ------------------------------------------------------------------------------------------------ one decode */

/* Shared by the caller, who waits, and the decoding thread, which may outlive the wait. */
typedef struct
{
  gatomicrefcount  refs;
  GBytes          *bytes;
  char            *name;
  SlPictureFormat  format;
  SlPictureLimits  limits;
  gint64           deadline; /* monotonic */
  gint             stop;     /* atomic: nobody waits any more */

  GMutex           lock;
  GCond            cond;
  gboolean         done;     /* lock */
  SlPicture       *result;   /* lock */
  GError          *error;    /* lock */

  /* of the decoding thread */
  guint64          refused_pixels; /* 0: the size is allowed */
  int              header_width;
  int              header_height;
  gboolean         turned; /* by its EXIF orientation */
} Decode;

static gint n_left_behind;

static void
decode_unref (Decode *decode)
{
  if (!g_atomic_ref_count_dec (&decode->refs))
    return;

  g_bytes_unref (decode->bytes);
  g_free (decode->name);
  g_mutex_clear (&decode->lock);
  g_cond_clear (&decode->cond);
  g_clear_object (&decode->result);
  g_clear_error (&decode->error);
  g_free (decode);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Decode, decode_unref)

/* The loader asks here once it has read the header and before it allocates pixels. A size of 0 × 0 makes it stop. */
static void
on_size_prepared (GdkPixbufLoader *loader,
                  int              width,
                  int              height,
                  gpointer         user_data)
{
  Decode *decode = user_data;
  guint64 pixels = (guint64) MAX (width, 0) * (guint64) MAX (height, 0);

  decode->header_width = width;
  decode->header_height = height;

  if (decode->format == SL_PICTURE_FORMAT_SVG && MAX (width, height) > SVG_MAX_SIDE)
    {
      double shrink = (double) SVG_MAX_SIDE / MAX (width, height);

      gdk_pixbuf_loader_set_size (loader, MAX (1, (int) (width * shrink)), MAX (1, (int) (height * shrink)));
    }
  else if (pixels > decode->limits.max_pixels)
    {
      decode->refused_pixels = pixels;
      gdk_pixbuf_loader_set_size (loader, 0, 0);
    }
}

static gboolean
decode_should_stop (Decode  *decode,
                    GError **error)
{
  if (g_atomic_int_get (&decode->stop) || g_get_monotonic_time () > decode->deadline)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW, "stopped");
      return TRUE;
    }

  return FALSE;
}

static gboolean
feed (GdkPixbufLoader  *loader,
      Decode           *decode,
      GError          **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (decode->bytes, &size);

  for (gsize at = 0; at < size; at += CHUNK_BYTES)
    {
      if (decode_should_stop (decode, error) ||
          !gdk_pixbuf_loader_write (loader, data + at, MIN (CHUNK_BYTES, size - at), error) ||
          decode->refused_pixels > 0)
        {
          gdk_pixbuf_loader_close (loader, NULL);
          return FALSE;
        }
    }

  return gdk_pixbuf_loader_close (loader, error);
}

static void
set_too_many_pixels (const char             *name,
                     guint                   width,
                     guint                   height,
                     const SlPictureLimits  *limits,
                     GError                **error)
{
  g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
               _("“%s” is too large: %u × %u pixels are %.1f megapixels, the limit is %.1f."),
               name, width, height, (double) width * height / 1e6, limits->max_pixels / 1e6);
}

static void
set_no_memory (const char  *name,
               GError     **error)
{
  g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY, _("There is not enough memory to open “%s”."), name);
}

/* A loader's own words, as the end of a sentence of ours. */
static void
set_broken (Decode     *decode,
            GError    **error,
            GError     *cause)
{
  g_autofree char *reason = g_strdup (cause != NULL ? cause->message : _("it holds no pixels"));
  gsize length;

  g_strdelimit (g_strstrip (reason), "\n\r", ' ');
  length = strlen (reason);
  if (length > 0 && reason[length - 1] == '.')
    reason[length - 1] = '\0';

  if (g_error_matches (cause, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_INSUFFICIENT_MEMORY))
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY,
                 _("There is not enough memory to open “%s”: %s."), decode->name, reason);
  else if (g_error_matches (cause, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNKNOWN_TYPE))
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT,
                 _("“%s” cannot be opened: no loader for %s is installed on this system."),
                 decode->name, sl_picture_format_get_mime_type (decode->format));
  else
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_BROKEN,
                 _("“%s” is damaged or incomplete: %s."), decode->name, reason);
}

static void
on_embedded_size_prepared (GdkPixbufLoader *loader,
                           int              width,
                           int              height,
                           gpointer         user_data)
{
  guint64 *pixels = user_data;

  *pixels = (guint64) MAX (width, 0) * (guint64) MAX (height, 0);
  gdk_pixbuf_loader_set_size (loader, 0, 0);
}

/* The size that the header of a picture inside of a drawing announces, 0 if it is none. base64: up to `length` characters. */
static guint64
measure_embedded (const char *base64,
                  gsize       length)
{
  g_autoptr(GdkPixbufLoader) loader = gdk_pixbuf_loader_new ();
  g_autofree char *text = g_strndup (base64, length);
  g_autofree guchar *data = NULL;
  guint64 pixels = 0;
  gsize size;

  data = g_base64_decode (text, &size);
  g_signal_connect (loader, "size-prepared", G_CALLBACK (on_embedded_size_prepared), &pixels);
  for (gsize at = 0; at < size && pixels == 0; at += CHUNK_BYTES)
    {
      if (!gdk_pixbuf_loader_write (loader, data + at, MIN (CHUNK_BYTES, size - at), NULL))
        break;
    }
  gdk_pixbuf_loader_close (loader, NULL);

  return pixels;
}

/* librsvg decodes pictures inside of a drawing without asking: together they may not be larger than one picture may be. */
static gboolean
check_embedded (Decode  *decode,
                GError **error)
{
  static const char mark[] = ";base64,";
  gsize size;
  const char *at = g_bytes_get_data (decode->bytes, &size);
  const char *end = at + size;
  guint64 pixels = 0;

  while ((at = memmem (at, end - at, mark, strlen (mark))) != NULL)
    {
      const char *first = at + strlen (mark);

      for (at = first; at < end && *at != '"' && *at != '\'' && *at != ')' && *at != '<';)
        at++;
      pixels += measure_embedded (first, at - first);
      if (pixels > decode->limits.max_pixels)
        {
          g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
                       _("“%s” is too large: the pictures inside of the drawing have more than %.1f megapixels."),
                       decode->name, decode->limits.max_pixels / 1e6);
          return FALSE;
        }
    }

  return TRUE;
}

static GdkPixbuf *
decode_pixbuf (Decode  *decode,
               GError **error)
{
  g_autoptr(GdkPixbufLoader) loader = NULL;
  g_autoptr(GError) cause = NULL;
  GdkPixbuf *pixbuf, *upright;
  const char *orientation;
  const guint8 *data;
  gsize size;
  gboolean fed;

  if (decode->format == SL_PICTURE_FORMAT_SVG && !check_embedded (decode, error))
    return NULL;

  loader = gdk_pixbuf_loader_new_with_mime_type (sl_picture_format_get_mime_type (decode->format), &cause);
  if (loader == NULL)
    {
      g_clear_error (&cause);
      cause = g_error_new_literal (GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNKNOWN_TYPE, "");
      set_broken (decode, error, cause);
      return NULL;
    }

  g_signal_connect (loader, "size-prepared", G_CALLBACK (on_size_prepared), decode);
  fed = feed (loader, decode, &cause);

  if (decode->refused_pixels > 0)
    {
      set_too_many_pixels (decode->name, decode->header_width, decode->header_height, &decode->limits, error);
      return NULL;
    }

  if (!fed && g_error_matches (cause, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW))
    {
      g_propagate_error (error, g_steal_pointer (&cause));
      return NULL;
    }

  pixbuf = fed ? gdk_pixbuf_loader_get_pixbuf (loader) : NULL;
  if (pixbuf == NULL)
    {
      set_broken (decode, error, cause);
      return NULL;
    }

  data = g_bytes_get_data (decode->bytes, &size);
  if (!sl_picture_format_is_complete (decode->format, data, size))
    {
      cause = g_error_new_literal (GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE, _("the file ends early"));
      set_broken (decode, error, cause);
      return NULL;
    }

  orientation = gdk_pixbuf_get_option (pixbuf, "orientation");
  decode->turned = orientation != NULL && !g_str_equal (orientation, "1");
  upright = gdk_pixbuf_apply_embedded_orientation (pixbuf);
  if (upright == NULL)
    set_no_memory (decode->name, error);

  return upright;
}

/* Drops the fourth byte of every pixel, or lays it over white. */
static void
convert_rows (const GdkPixbuf *pixbuf,
              gboolean         over_white,
              guint8          *rgb)
{
  int width = gdk_pixbuf_get_width (pixbuf);
  int height = gdk_pixbuf_get_height (pixbuf);
  gsize stride = gdk_pixbuf_get_rowstride (pixbuf);
  const guint8 *rgba = gdk_pixbuf_read_pixels (pixbuf);

  for (int y = 0; y < height; y++)
    {
      const guint8 *in = rgba + (gsize) y * stride;
      guint8 *out = rgb + (gsize) y * width * 3;

      for (int x = 0; x < width; x++, in += 4, out += 3)
        for (int c = 0; c < 3; c++)
          out[c] = over_white ? (guint8) ((in[c] * in[3] + 255 * (255 - in[3]) + 127) / 255) : in[c];
    }
}

/* Takes the pixbuf's own memory where it is RGB already. */
static gboolean
take_pixels (SlPicture  *self,
             GdkPixbuf  *pixbuf,
             gboolean    over_white)
{
  gsize size;
  guint8 *rgb;

  self->width = gdk_pixbuf_get_width (pixbuf);
  self->height = gdk_pixbuf_get_height (pixbuf);

  if (!gdk_pixbuf_get_has_alpha (pixbuf))
    {
      self->stride = gdk_pixbuf_get_rowstride (pixbuf);
      self->rgb = g_bytes_new_with_free_func (gdk_pixbuf_read_pixels (pixbuf), gdk_pixbuf_get_byte_length (pixbuf),
                                              g_object_unref, g_object_ref (pixbuf));
      return TRUE;
    }

  self->stride = (gsize) self->width * 3;
  size = self->stride * self->height;
  rgb = g_try_malloc (size);
  if (rgb == NULL)
    return FALSE;

  convert_rows (pixbuf, over_white, rgb);
  self->rgb = g_bytes_new_take (rgb, size);
  return TRUE;
}

static SlPicture *
decode_picture (Decode  *decode,
                GError **error)
{
  g_autoptr(SlPicture) self = NULL;
  g_autoptr(GdkPixbuf) pixbuf = decode_pixbuf (decode, error);

  if (pixbuf == NULL)
    return NULL;

  self = g_object_new (SL_TYPE_PICTURE, NULL);
  if (!take_pixels (self, pixbuf, decode->format == SL_PICTURE_FORMAT_SVG))
    {
      set_no_memory (decode->name, error);
      return NULL;
    }

  self->bytes = g_bytes_ref (decode->bytes);
  self->name = g_strdup (decode->name);
  self->sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, decode->bytes);
  self->mime_type = sl_picture_format_get_mime_type (decode->format);
  self->extension = sl_picture_format_get_extension (decode->format);
  self->turned = decode->turned;

  return g_steal_pointer (&self);
}

static gpointer
decode_thread (gpointer data)
{
  g_autoptr(Decode) decode = data;
  g_autoptr(GError) error = NULL;
  SlPicture *picture = decode_picture (decode, &error);

  g_mutex_lock (&decode->lock);
  decode->result = picture;
  decode->error = g_steal_pointer (&error);
  decode->done = TRUE;
  g_cond_signal (&decode->cond);
  if (g_atomic_int_get (&decode->stop))
    g_atomic_int_add (&n_left_behind, -1);
  g_mutex_unlock (&decode->lock);

  return NULL;
}

static void
on_cancelled (GCancellable *cancellable,
              gpointer      user_data)
{
  Decode *decode = user_data;

  g_mutex_lock (&decode->lock);
  g_cond_signal (&decode->cond);
  g_mutex_unlock (&decode->lock);
}

static void
set_too_slow (Decode  *decode,
              GError **error)
{
  g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW,
               _("“%s” took longer than %.0f seconds to decode and was given up."),
               decode->name, decode->limits.deadline_us / (double) G_USEC_PER_SEC);
}

static SlPicture *
decode_wait (Decode        *decode,
             GCancellable  *cancellable,
             GError       **error)
{
  SlPicture *picture = NULL;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), decode, NULL);

  g_mutex_lock (&decode->lock);
  while (!decode->done && !g_cancellable_is_cancelled (cancellable))
    {
      if (!g_cond_wait_until (&decode->cond, &decode->lock, decode->deadline))
        break;
    }

  if (!decode->done)
    {
      g_atomic_int_set (&decode->stop, 1);
      g_atomic_int_add (&n_left_behind, 1);
      if (!g_cancellable_set_error_if_cancelled (cancellable, error))
        set_too_slow (decode, error);
    }
  else if (g_error_matches (decode->error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW))
    {
      set_too_slow (decode, error);
    }
  else
    {
      picture = g_steal_pointer (&decode->result);
      if (decode->error != NULL)
        g_propagate_error (error, g_steal_pointer (&decode->error));
    }
  g_mutex_unlock (&decode->lock);

  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);

  return picture;
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

/* Everything that can be said without a decoder. NONE with error where it must not run. */
static SlPictureFormat
check_format (GBytes                 *bytes,
              const char             *name,
              const SlPictureLimits  *limits,
              GError                **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  SlPictureFormat format = sl_picture_format_sniff (data, size);
  guint width, height;

  if (format == SL_PICTURE_FORMAT_NONE)
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT,
                 _("“%s” is not a picture in a format that Sightline knows (PNG, JPEG, WebP, TIFF, GIF, BMP, SVG, HEIC, AVIF)."),
                 name);
  else if (format == SL_PICTURE_FORMAT_SVG && size > SVG_MAX_BYTES)
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
                 _("“%s” is too large: a drawing may have %d megabytes."), name, SVG_MAX_BYTES >> 20);
  else if (sl_picture_format_get_size (format, data, size, &width, &height) &&
           (guint64) width * height > limits->max_pixels)
    set_too_many_pixels (name, width, height, limits, error);
  else
    return format;

  return SL_PICTURE_FORMAT_NONE;
}

SlPicture *
sl_picture_new_with_limits (GBytes                 *bytes,
                            const char             *name,
                            const SlPictureLimits  *limits,
                            GCancellable           *cancellable,
                            GError                **error)
{
  g_autofree char *valid_name = g_utf8_make_valid (name != NULL ? name : "", -1);
  g_autoptr(Decode) decode = NULL;
  g_autoptr(GThread) thread = NULL;
  SlPictureFormat format;

  g_return_val_if_fail (bytes != NULL, NULL);
  g_return_val_if_fail (limits != NULL, NULL);

  if (g_cancellable_set_error_if_cancelled (cancellable, error) ||
      !check_bytes (valid_name, g_bytes_get_size (bytes), limits, error))
    return NULL;

  format = check_format (bytes, valid_name, limits, error);
  if (format == SL_PICTURE_FORMAT_NONE)
    return NULL;

  if (g_atomic_int_get (&n_left_behind) >= MAX_LEFT_BEHIND)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW,
                   _("“%s” has to wait: earlier pictures that were given up are still being decoded."), valid_name);
      return NULL;
    }

  decode = g_new0 (Decode, 1);
  g_atomic_ref_count_init (&decode->refs);
  g_mutex_init (&decode->lock);
  g_cond_init (&decode->cond);
  decode->bytes = g_bytes_ref (bytes);
  decode->name = g_steal_pointer (&valid_name);
  decode->format = format;
  decode->limits = *limits;
  decode->deadline = g_get_monotonic_time () + limits->deadline_us;

  g_atomic_ref_count_inc (&decode->refs);
  thread = g_thread_try_new ("sl-decode", decode_thread, decode, error);
  if (thread == NULL)
    {
      decode_unref (decode);
      return NULL;
    }

  return decode_wait (decode, cancellable, error);
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

/* A pipe or device would block or never end, so only regular files are opened. */
static gboolean
check_file (GFile         *file,
            const char    *name,
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
        set_unreadable (name, _("there is no such file"), error);
      else
        set_unreadable (name, cause->message, error);
      return FALSE;
    }

  if (g_file_info_get_file_type (info) == G_FILE_TYPE_DIRECTORY)
    {
      set_unreadable (name, _("it is a folder"), error);
      return FALSE;
    }

  if (g_file_info_get_file_type (info) != G_FILE_TYPE_REGULAR)
    {
      set_unreadable (name, _("it is not a regular file"), error);
      return FALSE;
    }

  return check_bytes (name, g_file_info_get_size (info), &sl_picture_default_limits, error);
}

/* The file may grow while it is read: the limit is checked again on the way. */
static GBytes *
read_file (GFile         *file,
           const char    *name,
           GCancellable  *cancellable,
           GError       **error)
{
  g_autoptr(GError) cause = NULL;
  g_autoptr(GFileInputStream) stream = NULL;
  g_autoptr(GByteArray) data = g_byte_array_new ();
  g_autofree guint8 *chunk = g_malloc (CHUNK_BYTES);
  gssize n = 0;

  stream = g_file_read (file, cancellable, &cause);
  while (stream != NULL &&
         (n = g_input_stream_read (G_INPUT_STREAM (stream), chunk, CHUNK_BYTES, cancellable, &cause)) > 0)
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
        set_unreadable (name, cause->message, error);
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

  if (!check_file (file, name, cancellable, error))
    return NULL;

  bytes = read_file (file, name, cancellable, error);
  if (bytes == NULL)
    return NULL;

  return sl_picture_new_from_bytes (bytes, name, cancellable, error);
}

/* ------------------------------------------------------------------------------------------------ the pool */

typedef struct
{
  GBytes *bytes; /* or */
  GFile  *file;
  char   *name;
} Import;

static void
import_free (gpointer data)
{
  Import *import = data;

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
  Import *import = g_task_get_task_data (task);
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
  Import *import = g_new0 (Import, 1);

  import->bytes = g_bytes_ref (bytes);
  import->name = g_strdup (name);
  g_task_set_source_tag (task, sl_picture_new_from_bytes_async);
  g_task_set_task_data (task, import, import_free);
  pool_push (task);
}

void
sl_picture_new_from_file_async (GFile               *file,
                                GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data)
{
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  Import *import = g_new0 (Import, 1);

  import->file = g_object_ref (file);
  g_task_set_source_tag (task, sl_picture_new_from_file_async);
  g_task_set_task_data (task, import, import_free);
  pool_push (task);
}

SlPicture *
sl_picture_new_finish (GAsyncResult  *result,
                       GError       **error)
{
  g_return_val_if_fail (G_IS_TASK (result), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* ------------------------------------------------------------------------------------------------ raw pixels */

SlPicture *
sl_picture_new_from_rgba (const guint8  *rgba,
                          int            width,
                          int            height,
                          gsize          stride,
                          const char    *name,
                          GError       **error)
{
  g_autofree char *valid_name = g_utf8_make_valid (name != NULL ? name : "", -1);
  g_autoptr(GdkPixbuf) pixbuf = NULL;
  g_autoptr(SlPicture) self = NULL;
  g_autoptr(GError) cause = NULL;
  char *png = NULL;
  gsize size = 0;

  g_return_val_if_fail (rgba != NULL, NULL);
  g_return_val_if_fail (width > 0 && height > 0, NULL);
  g_return_val_if_fail (stride >= (gsize) width * 4 && stride <= G_MAXINT, NULL);

  if ((guint64) width * height > sl_picture_default_limits.max_pixels)
    {
      set_too_many_pixels (valid_name, width, height, &sl_picture_default_limits, error);
      return NULL;
    }

  pixbuf = gdk_pixbuf_new_from_data (rgba, GDK_COLORSPACE_RGB, TRUE, 8, width, height, (int) stride, NULL, NULL);
  if (!gdk_pixbuf_save_to_buffer (pixbuf, &png, &size, "png", &cause, "compression", "3", NULL))
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY,
                   _("“%s” cannot be kept as PNG: %s."), valid_name, cause->message);
      return NULL;
    }

  self = g_object_new (SL_TYPE_PICTURE, NULL);
  self->bytes = g_bytes_new_take (png, size);
  if (!take_pixels (self, pixbuf, FALSE))
    {
      set_no_memory (valid_name, error);
      return NULL;
    }

  self->name = g_steal_pointer (&valid_name);
  self->sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, self->bytes);
  self->mime_type = sl_picture_format_get_mime_type (SL_PICTURE_FORMAT_PNG);
  self->extension = sl_picture_format_get_extension (SL_PICTURE_FORMAT_PNG);

  return g_steal_pointer (&self);
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
