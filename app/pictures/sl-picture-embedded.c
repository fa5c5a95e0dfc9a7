/* SPDX-License-Identifier: MIT
 *
 * Pictures inside of a drawing, measured by their headers before librsvg decodes them. Called by the decoding thread. Any thread.
 */
#include "app/pictures/sl-picture-embedded.h"

#include <string.h>

#include "app/pictures/sl-picture-private.h"

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
  for (gsize at = 0; at < size && pixels == 0; at += SL_PICTURE_CHUNK_BYTES)
    {
      if (!gdk_pixbuf_loader_write (loader, data + at, MIN (SL_PICTURE_CHUNK_BYTES, size - at), NULL))
        break;
    }
  gdk_pixbuf_loader_close (loader, NULL);

  return pixels;
}

guint64
sl_picture_embedded_count_pixels (const char *text,
                                  gsize       size,
                                  guint64     enough)
{
  static const char mark[] = ";base64,";
  const char *at = text;
  const char *end = at + size;
  guint64 pixels = 0;

  while ((at = memmem (at, end - at, mark, strlen (mark))) != NULL)
    {
      const char *first = at + strlen (mark);

      for (at = first; at < end && *at != '"' && *at != '\'' && *at != ')' && *at != '<';)
        at++;
      pixels += measure_embedded (first, at - first);
      if (pixels > enough)
        break;
    }

  return pixels;
}
