/* SPDX-License-Identifier: MIT
 *
 * Bytes → upright RGB8 through GdkPixbufLoader, fed in chunks on a thread of its own: a chunked loader stops at the
 * deadline, one that does all its work at the end (tiff, svg, heif) is left behind at the deadline and its result
 * thrown away. How many may be left behind is bounded, so that hostile files cannot pile up threads.
 * Which loader runs is decided by sl-picture-format.h, so that only the formats of the header's list are ever parsed,
 * whatever loaders the system has.
 */
#include "app/pictures/sl-picture-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture-embedded.h"
#include "app/pictures/sl-picture-format.h"
#include "app/pictures/sl-picture-loader.h"
#include "app/pictures/sl-picture-svg.h"
#include "app/pictures/sl-picture-tiff.h"

#define MAX_LEFT_BEHIND 4
#define SVG_MAX_SIDE    4096
#define SVG_MAX_BYTES   (8 * 1024 * 1024)

/* Shared by the caller, who waits, and the decoding thread, which may outlive the wait. */
typedef struct
{
  gatomicrefcount  refs;
  GBytes          *bytes;
  char            *name;
  SlPictureFormat  format;
  gboolean         on_white;
  int              side;     /* of a small copy, 0: all pixels */
  SlPictureLimits  limits;
  gint64           deadline; /* monotonic */
  gint             stop;     /* atomic: nobody waits any more */

  GMutex           lock;
  GCond            cond;
  gboolean         done;     /* lock */
  SlPicture       *result;   /* lock */
  GError          *error;    /* lock */

  /* of the decoding thread */
  SlPictureEdit    edits[2];       /* what the loader is given otherwise than it stands in the file */
  guint            n_edits;
  SlPictureAlpha   alpha;
  SlPictureTiff    tiff;           /* of a TIFF */
  guint64          refused_pixels; /* 0: the size is allowed */
  int              header_width;
  int              header_height;
  gboolean         turned; /* by its EXIF orientation */
  gboolean         endless; /* a JPEG without its end mark */
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
  else if (decode->side > 0 && decode->format == SL_PICTURE_FORMAT_JPEG && MAX (width, height) > decode->side)
    {
      double shrink = (double) decode->side / MAX (width, height);

      gdk_pixbuf_loader_set_size (loader, MAX (1, (int) (width * shrink + 0.5)), MAX (1, (int) (height * shrink + 0.5)));
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
write_bytes (GdkPixbufLoader  *loader,
             Decode           *decode,
             const void       *bytes,
             gsize             size,
             GError          **error)
{
  const guint8 *data = bytes;

  for (gsize at = 0; at < size; at += SL_PICTURE_CHUNK_BYTES)
    {
      if (decode_should_stop (decode, error) ||
          !gdk_pixbuf_loader_write (loader, data + at, MIN (SL_PICTURE_CHUNK_BYTES, size - at), error) ||
          decode->refused_pixels > 0)
        return FALSE;
    }

  return TRUE;
}

static gboolean
feed (GdkPixbufLoader  *loader,
      Decode           *decode,
      GError          **error)
{
  gsize size, at = 0;
  const guint8 *data = g_bytes_get_data (decode->bytes, &size);
  gboolean fed = TRUE;

  for (guint i = 0; i < decode->n_edits && fed; i++)
    {
      const SlPictureEdit *edit = &decode->edits[i];

      fed = write_bytes (loader, decode, data + at, edit->at - at, error) &&
            write_bytes (loader, decode, edit->text, edit->length, error);
      at = edit->at + edit->skip;
    }

  if (!fed || !write_bytes (loader, decode, data + at, size - at, error))
    {
      gdk_pixbuf_loader_close (loader, NULL);
      return FALSE;
    }

  return gdk_pixbuf_loader_close (loader, error);
}

void
sl_picture_set_too_many_pixels (const char             *name,
                                guint                   width,
                                guint                   height,
                                const SlPictureLimits  *limits,
                                GError                **error)
{
  g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
               _("“%s” is too large: %u × %u pixels are %.1f megapixels, the limit is %.1f."),
               name, width, height, (double) width * height / 1e6, limits->max_pixels / 1e6);
}

void
sl_picture_set_no_memory (const char  *name,
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

/* librsvg decodes pictures inside of a drawing without asking: together they may not be larger than one picture may be. */
static gboolean
check_embedded (Decode  *decode,
                GError **error)
{
  gsize size;
  const char *text = g_bytes_get_data (decode->bytes, &size);
  guint64 pixels = sl_picture_embedded_count_pixels (text, size, decode->limits.max_pixels);

  if (pixels <= decode->limits.max_pixels)
    return TRUE;
  if (pixels == SL_PICTURE_EMBEDDED_UNKNOWN)
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
                 _("“%s” cannot be opened: it cannot be told how large the pictures inside of the drawing are."), decode->name);
  else
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
                 _("“%s” is too large: the pictures inside of the drawing have more than %.1f megapixels."),
                 decode->name, decode->limits.max_pixels / 1e6);
  return FALSE;
}

/* libtiff reads integers of 1 to 16 bits only, and says no more than that it failed. */
static gboolean
is_unsupported_tiff (Decode *decode)
{
  guint bits = decode->tiff.bits;

  return decode->format == SL_PICTURE_FORMAT_TIFF &&
         (decode->tiff.floating || (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16));
}

static void
set_unsupported_tiff (Decode  *decode,
                      GError **error)
{
  if (decode->tiff.floating)
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT,
                 /* Translators: the picture's name, how many bits a channel has */
                 _("“%s” cannot be opened: this kind of TIFF, with floating-point numbers of %u bits, is not supported."),
                 decode->name, decode->tiff.bits);
  else
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT,
                 _("“%s” cannot be opened: this kind of TIFF, with %u bits in a channel, is not supported."),
                 decode->name, decode->tiff.bits);
}

/* The loader multiplies colours by a straight alpha and calls it straight still, and what lay below alpha 0 is gone. Told that the
 * channel is not specified, it hands over what the file holds. */
static void
prepare_tiff (Decode       *decode,
              const guint8 *data,
              gsize         size)
{
  const SlPictureTiff *tiff = &decode->tiff;

  if (!sl_picture_tiff_read (data, size, &decode->tiff))
    return;

  if (tiff->alpha == SL_TIFF_ALPHA_UNSPECIFIED)
    decode->alpha = SL_PICTURE_ALPHA_NONE;
  else if (tiff->alpha == SL_TIFF_ALPHA_ASSOCIATED)
    decode->alpha = SL_PICTURE_ALPHA_MULTIPLIED;
  else if (tiff->alpha == SL_TIFF_ALPHA_STRAIGHT && tiff->colours)
    {
      decode->edits[0] = (SlPictureEdit) { .at = tiff->alpha_at, .skip = 1, .length = 1, .text = { 0 } };
      decode->n_edits = 1;
    }
}

static void
prepare (Decode *decode)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (decode->bytes, &size);

  decode->alpha = SL_PICTURE_ALPHA_STRAIGHT;
  if (decode->format == SL_PICTURE_FORMAT_TIFF)
    prepare_tiff (decode, data, size);
  else if (decode->format == SL_PICTURE_FORMAT_SVG)
    decode->n_edits = sl_picture_svg_size_edits ((const char *) data, size, decode->edits);
  else if (sl_picture_format_is_premultiplied (decode->format, data, size))
    decode->alpha = SL_PICTURE_ALPHA_MULTIPLIED;
}

/* What the loader made of the bytes; NULL with the reason why it made nothing. */
static GdkPixbuf *
get_loaded (Decode           *decode,
            GdkPixbufLoader  *loader,
            GError          **error)
{
  g_autoptr(GError) cause = NULL;
  gboolean fed = feed (loader, decode, &cause);
  GdkPixbuf *pixbuf = fed ? gdk_pixbuf_loader_get_pixbuf (loader) : NULL;

  if (decode->refused_pixels > 0)
    sl_picture_set_too_many_pixels (decode->name, decode->header_width, decode->header_height, &decode->limits, error);
  else if (!fed && g_error_matches (cause, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW))
    g_propagate_error (error, g_steal_pointer (&cause));
  else if (pixbuf == NULL && is_unsupported_tiff (decode))
    set_unsupported_tiff (decode, error);
  else if (pixbuf == NULL)
    set_broken (decode, error, cause);
  else
    return pixbuf;

  return NULL;
}

/* By the orientation that the loader reports, or the one of a file whose loader neither reports nor applies it. */
static GdkPixbuf *
turn_upright (Decode     *decode,
              GdkPixbuf  *pixbuf,
              GError    **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (decode->bytes, &size);
  guint exif = sl_picture_format_get_orientation (decode->format, data, size);
  const char *orientation;
  GdkPixbuf *upright;

  if (exif != 0 && !sl_picture_loader_turns (decode->format))
    gdk_pixbuf_set_option (pixbuf, "orientation", (const char[]) { (char) ('0' + exif), '\0' });
  orientation = gdk_pixbuf_get_option (pixbuf, "orientation");
  decode->turned = exif > 1 || (orientation != NULL && !g_str_equal (orientation, "1"));
  upright = gdk_pixbuf_apply_embedded_orientation (pixbuf);
  if (upright == NULL)
    sl_picture_set_no_memory (decode->name, error);

  return upright;
}

/* As the file and its edits say. (transfer full) */
static GdkPixbuf *
load (Decode  *decode,
      GError **error)
{
  g_autoptr(GdkPixbufLoader) loader = NULL;
  g_autoptr(GError) cause = NULL;
  GdkPixbuf *pixbuf;

  loader = gdk_pixbuf_loader_new_with_mime_type (sl_picture_format_get_mime_type (decode->format), &cause);
  if (loader == NULL)
    {
      g_clear_error (&cause);
      cause = g_error_new_literal (GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_UNKNOWN_TYPE, "");
      set_broken (decode, error, cause);
      return NULL;
    }

  g_signal_connect (loader, "size-prepared", G_CALLBACK (on_size_prepared), decode);
  pixbuf = get_loaded (decode, loader, error);

  return pixbuf != NULL ? g_object_ref (pixbuf) : NULL;
}

/* With bytes that the file has not, and the end mark. */
static GdkPixbuf *
load_with_end (Decode *decode,
               guint8  bytes)
{
  SlPictureEdit *edit = &decode->edits[0];
  gsize size;
  const guint8 *data = g_bytes_get_data (decode->bytes, &size);
  gboolean half = data[size - 1] == 0xff; /* the first byte of the mark is there */
  GdkPixbuf *pixbuf;

  *edit = (SlPictureEdit) { .at = size - half, .skip = half, .length = sizeof edit->text };
  memset (edit->text, bytes, sizeof edit->text - 2);
  memcpy (edit->text + sizeof edit->text - 2, "\xff\xd9", 2);
  decode->n_edits = 1;
  pixbuf = load (decode, NULL);
  decode->n_edits = 0;

  return pixbuf;
}

static gboolean
have_same_pixels (GdkPixbuf *a,
                  GdkPixbuf *b)
{
  gsize length = (gsize) gdk_pixbuf_get_width (a) * gdk_pixbuf_get_n_channels (a);

  if (gdk_pixbuf_get_width (a) != gdk_pixbuf_get_width (b) || gdk_pixbuf_get_height (a) != gdk_pixbuf_get_height (b) ||
      gdk_pixbuf_get_n_channels (a) != gdk_pixbuf_get_n_channels (b))
    return FALSE;
  for (int y = 0; y < gdk_pixbuf_get_height (a); y++)
    if (memcmp (gdk_pixbuf_read_pixels (a) + (gsize) y * gdk_pixbuf_get_rowstride (a),
                gdk_pixbuf_read_pixels (b) + (gsize) y * gdk_pixbuf_get_rowstride (b), length) != 0)
      return FALSE;

  return TRUE;
}

/* Some cameras leave out a JPEG's end mark, and the picture is all there: whatever is written behind it is not looked at. Where it
 * is cut off, the codes that are missing are taken from there, and different ones make different pixels. NULL then. */
static GdkPixbuf *
load_endless (Decode *decode)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (decode->bytes, &size);
  g_autoptr(GdkPixbuf) one = NULL;
  g_autoptr(GdkPixbuf) other = NULL;

  if (decode->format != SL_PICTURE_FORMAT_JPEG || !sl_picture_format_is_single_scan_jpeg (data, size))
    return NULL;
  one = load_with_end (decode, 0x55);
  other = one != NULL ? load_with_end (decode, 0xaa) : NULL;
  decode->endless = other != NULL && have_same_pixels (one, other);

  return decode->endless ? g_steal_pointer (&one) : NULL;
}

static GdkPixbuf *
decode_pixbuf (Decode  *decode,
               GError **error)
{
  g_autoptr(GdkPixbuf) pixbuf = NULL;
  gsize size;
  const guint8 *data = g_bytes_get_data (decode->bytes, &size);

  if (decode->format == SL_PICTURE_FORMAT_SVG && !check_embedded (decode, error))
    return NULL;

  prepare (decode);
  if (!sl_picture_format_is_complete (decode->format, data, size))
    pixbuf = load_endless (decode);
  if (pixbuf == NULL)
    pixbuf = load (decode, error);
  if (pixbuf == NULL)
    return NULL;

  if (!decode->endless && !sl_picture_format_is_complete (decode->format, data, size))
    {
      g_autoptr(GError) cause = g_error_new_literal (GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_CORRUPT_IMAGE, _("the file ends early"));

      set_broken (decode, error, cause);
      return NULL;
    }

  return turn_upright (decode, pixbuf, error);
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
  if (!sl_picture_take_pixels (self, pixbuf, decode->alpha, decode->on_white || decode->format == SL_PICTURE_FORMAT_SVG))
    {
      sl_picture_set_no_memory (decode->name, error);
      return NULL;
    }

  self->bytes = g_bytes_ref (decode->bytes);
  self->name = g_strdup (decode->name);
  self->sha256 = decode->side > 0 ? NULL : g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, decode->bytes);
  self->mime_type = sl_picture_format_get_mime_type (decode->format);
  self->extension = sl_picture_format_get_extension (decode->format);
  self->turned = decode->turned;
  self->endless = decode->endless;
  self->on_white = g_strcmp0 (gdk_pixbuf_get_option (pixbuf, "tEXt::" SL_PICTURE_GROUND), "white") == 0;

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
    sl_picture_set_too_many_pixels (name, width, height, limits, error);
  else
    return format;

  return SL_PICTURE_FORMAT_NONE;
}

SlPicture *
sl_picture_decode (GBytes                 *bytes,
                   const char             *name,
                   gboolean                on_white,
                   int                     side,
                   const SlPictureLimits  *limits,
                   GCancellable           *cancellable,
                   GError                **error)
{
  SlPictureFormat format = check_format (bytes, name, limits, error);
  g_autoptr(Decode) decode = NULL;
  g_autoptr(GThread) thread = NULL;

  if (format == SL_PICTURE_FORMAT_NONE)
    return NULL;

  if (g_atomic_int_get (&n_left_behind) >= MAX_LEFT_BEHIND)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW,
                   _("“%s” has to wait: earlier pictures that were given up are still being decoded."), name);
      return NULL;
    }

  decode = g_new0 (Decode, 1);
  g_atomic_ref_count_init (&decode->refs);
  g_mutex_init (&decode->lock);
  g_cond_init (&decode->cond);
  decode->bytes = g_bytes_ref (bytes);
  decode->name = g_strdup (name);
  decode->format = format;
  decode->on_white = on_white;
  decode->side = side;
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
