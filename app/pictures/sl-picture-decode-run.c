/* SPDX-License-Identifier: MIT
 *
 * Bytes → upright RGB8 through GdkPixbufLoader, fed in chunks. Which loader runs is decided by sl-picture-format.h, so that only the
 * formats of the header's list are ever parsed, whatever loaders the system has.
 */
#include "app/pictures/sl-picture-decode-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture-embedded.h"
#include "app/pictures/sl-picture-loader.h"
#include "app/pictures/sl-picture-profile.h"

#define SVG_MAX_SIDE 4096

/* The loader asks here once it has read the header and before it allocates pixels. A size of 0 × 0 makes it stop. */
static void
on_size_prepared (GdkPixbufLoader *loader,
                  int              width,
                  int              height,
                  gpointer         user_data)
{
  SlPictureDecode *decode = user_data;
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
decode_should_stop (SlPictureDecode  *decode,
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
             SlPictureDecode           *decode,
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
      SlPictureDecode           *decode,
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
set_broken (SlPictureDecode     *decode,
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
check_embedded (SlPictureDecode  *decode,
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
is_unsupported_tiff (SlPictureDecode *decode)
{
  guint bits = decode->tiff.bits;

  return decode->format == SL_PICTURE_FORMAT_TIFF &&
         (decode->tiff.floating || (bits != 1 && bits != 2 && bits != 4 && bits != 8 && bits != 16));
}

static void
set_unsupported_tiff (SlPictureDecode  *decode,
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
prepare_tiff (SlPictureDecode       *decode,
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
prepare (SlPictureDecode *decode)
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
get_loaded (SlPictureDecode           *decode,
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
turn_upright (SlPictureDecode     *decode,
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
  decode->profile = decode->side > 0 ? NULL : sl_picture_profile_read (pixbuf); /* turning loses it */
  upright = gdk_pixbuf_apply_embedded_orientation (pixbuf);
  if (upright == NULL)
    sl_picture_set_no_memory (decode->name, error);

  return upright;
}

/* As the file and its edits say. (transfer full) */
static GdkPixbuf *
load (SlPictureDecode  *decode,
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
load_with_end (SlPictureDecode *decode,
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
load_endless (SlPictureDecode *decode)
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
decode_pixbuf (SlPictureDecode  *decode,
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

SlPicture *
sl_picture_decode_run (SlPictureDecode  *decode,
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
  self->profile = g_steal_pointer (&decode->profile);
  self->on_white = g_strcmp0 (gdk_pixbuf_get_option (pixbuf, "tEXt::" SL_PICTURE_GROUND), "white") == 0;

  return g_steal_pointer (&self);
}
