/* SPDX-License-Identifier: MIT
 *
 * RGB8 out of a loader's pixels: alpha dropped as the official pipeline drops it, or laid over white; colours that are multiplied by
 * alpha are divided by it first. Called by sl-picture.c and sl-picture-decode.c on any thread. It must not know formats.
 */
#include "app/pictures/sl-picture-private.h"

/* Rounded down, as Pillow reads such pixels; what is wholly transparent has no colour any more, and Pillow says black. */
static guint8
divide (guint8 value,
        guint8 alpha)
{
  return alpha == 0 ? 0 : MIN (value * 255u / alpha, 255);
}

static guint8
over_white (guint8 value,
            guint8 alpha)
{
  return (value * alpha + 255 * (255 - alpha) + 127) / 255;
}

/* TRUE if anything can be seen through. */
static gboolean
convert_rows (const GdkPixbuf *pixbuf,
              SlPictureAlpha   alpha,
              gboolean         on_white,
              guint8          *rgb)
{
  int width = gdk_pixbuf_get_width (pixbuf);
  int height = gdk_pixbuf_get_height (pixbuf);
  gsize stride = gdk_pixbuf_get_rowstride (pixbuf);
  const guint8 *rgba = gdk_pixbuf_read_pixels (pixbuf);
  guint8 opaque = 255;

  for (int y = 0; y < height; y++)
    {
      const guint8 *in = rgba + (gsize) y * stride;
      guint8 *out = rgb + (gsize) y * width * 3;

      for (int x = 0; x < width; x++, in += 4, out += 3)
        {
          opaque &= in[3];
          for (int c = 0; c < 3; c++)
            {
              guint8 value = alpha == SL_PICTURE_ALPHA_MULTIPLIED ? divide (in[c], in[3]) : in[c];

              out[c] = on_white ? over_white (value, in[3]) : value;
            }
        }
    }

  return opaque != 255;
}

gboolean
sl_picture_take_pixels (SlPicture      *self,
                        GdkPixbuf      *pixbuf,
                        SlPictureAlpha  alpha,
                        gboolean        on_white)
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

  self->transparent = convert_rows (pixbuf, alpha, on_white && alpha != SL_PICTURE_ALPHA_NONE, rgb) &&
                      alpha != SL_PICTURE_ALPHA_NONE && !on_white;
  self->rgb = g_bytes_new_take (rgb, size);
  return TRUE;
}
