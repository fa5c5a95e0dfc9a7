/* SPDX-License-Identifier: MIT
 *
 * What a picture's bytes are, before any decoder sees them: the format, whether the file is all there, and the size that a
 * header claims where the decoder would look too late. sl-picture-decode.c uses it, and what embeds a file elsewhere; any thread. It must
 * not decode pixels.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  SL_PICTURE_FORMAT_NONE,
  SL_PICTURE_FORMAT_PNG,
  SL_PICTURE_FORMAT_JPEG,
  SL_PICTURE_FORMAT_GIF,
  SL_PICTURE_FORMAT_BMP,
  SL_PICTURE_FORMAT_TIFF,
  SL_PICTURE_FORMAT_WEBP,
  SL_PICTURE_FORMAT_SVG,
  SL_PICTURE_FORMAT_HEIC,
  SL_PICTURE_FORMAT_AVIF,
} SlPictureFormat;

SlPictureFormat sl_picture_format_sniff         (const guint8    *data,
                                                 gsize            size);
const char     *sl_picture_format_get_mime_type (SlPictureFormat  format);
const char     *sl_picture_format_get_extension (SlPictureFormat  format);

/* FALSE for a png, jpeg, webp or bmp file that ends early, which their loaders would show half grey. The other loaders
 * notice by themselves: TRUE. */
gboolean        sl_picture_format_is_complete   (SlPictureFormat  format,
                                                 const guint8    *data,
                                                 gsize            size);

/* The largest picture that the headers of a heic or avif file announce, which its loader decodes without asking; FALSE if
 * there is none, and for other formats. */
gboolean        sl_picture_format_get_size      (SlPictureFormat  format,
                                                 const guint8    *data,
                                                 gsize            size,
                                                 guint           *width,
                                                 guint           *height);

/* A JPEG that every reader shows alike inside of another file: 8 bits, Huffman codes, one or three components. Of four it takes
 * the markers of Adobe to know whether the inks are inverted, which a PDF's own words for the picture do not repeat. */
gboolean        sl_picture_format_is_plain_jpeg (const guint8    *data,
                                                 gsize            size);

/* A JPEG of Huffman codes whose first scan holds all components: behind the last bit of that scan nothing of the picture can come. */
gboolean        sl_picture_format_is_single_scan_jpeg (const guint8 *data,
                                                       gsize         size);

/* The colours of a heic or avif file are multiplied by its alpha, which their loader leaves so; FALSE for other formats. */
gboolean        sl_picture_format_is_premultiplied (SlPictureFormat  format,
                                                    const guint8    *data,
                                                    gsize            size);

/* The EXIF orientation 1 … 8 of a png or webp file, whose loaders do not report it; 0 without one, and for other formats. */
guint           sl_picture_format_get_orientation (SlPictureFormat  format,
                                                   const guint8    *data,
                                                   gsize            size);

G_END_DECLS
