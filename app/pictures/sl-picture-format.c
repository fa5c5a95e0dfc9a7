/* SPDX-License-Identifier: MIT
 *
 * Magic numbers, end marks and box sizes; see the header. Every read is bounded by the size given.
 */
#include "app/pictures/sl-picture-format.h"

#include <string.h>

#include "app/pictures/sl-picture-svg.h"

static const struct
{
  const char *mime_type;
  const char *extension;
} formats[] = {
  [SL_PICTURE_FORMAT_NONE] = { NULL, NULL },
  [SL_PICTURE_FORMAT_PNG] = { "image/png", "png" },
  [SL_PICTURE_FORMAT_JPEG] = { "image/jpeg", "jpg" },
  [SL_PICTURE_FORMAT_GIF] = { "image/gif", "gif" },
  [SL_PICTURE_FORMAT_BMP] = { "image/bmp", "bmp" },
  [SL_PICTURE_FORMAT_TIFF] = { "image/tiff", "tiff" },
  [SL_PICTURE_FORMAT_WEBP] = { "image/webp", "webp" },
  [SL_PICTURE_FORMAT_SVG] = { "image/svg+xml", "svg" },
  [SL_PICTURE_FORMAT_HEIC] = { "image/heic", "heic" },
  [SL_PICTURE_FORMAT_AVIF] = { "image/avif", "avif" },
};

const char *
sl_picture_format_get_mime_type (SlPictureFormat format)
{
  return formats[format].mime_type;
}

const char *
sl_picture_format_get_extension (SlPictureFormat format)
{
  return formats[format].extension;
}

static guint32
read_be32 (const guint8 *p)
{
  return (guint32) p[0] << 24 | (guint32) p[1] << 16 | (guint32) p[2] << 8 | p[3];
}

static guint32
read_le32 (const guint8 *p)
{
  return (guint32) p[3] << 24 | (guint32) p[2] << 16 | (guint32) p[1] << 8 | p[0];
}

/* ------------------------------------------------------------------------------------------------ which format */

/* ISO base media: the brands at the start say whether the codec is AV1 or HEVC. At 12 lies a version, not a brand. */
static gboolean
has_brand (const guint8 *data,
           gsize         size,
           const char   *prefix)
{
  gsize end = MIN (read_be32 (data), size);

  for (gsize at = 8; at + 4 <= end; at += 4)
    {
      if (at != 12 && memcmp (data + at, prefix, strlen (prefix)) == 0)
        return TRUE;
    }

  return FALSE;
}

static SlPictureFormat
sniff_heif (const guint8 *data,
            gsize         size)
{
  if (has_brand (data, size, "avi"))
    return SL_PICTURE_FORMAT_AVIF;
  if (has_brand (data, size, "hei") || has_brand (data, size, "hev") || has_brand (data, size, "mif1"))
    return SL_PICTURE_FORMAT_HEIC;

  return SL_PICTURE_FORMAT_NONE;
}

SlPictureFormat
sl_picture_format_sniff (const guint8 *data,
                         gsize         size)
{
  if (size >= 8 && memcmp (data, "\x89PNG\r\n\x1a\n", 8) == 0)
    return SL_PICTURE_FORMAT_PNG;
  if (size >= 3 && memcmp (data, "\xff\xd8\xff", 3) == 0)
    return SL_PICTURE_FORMAT_JPEG;
  if (size >= 6 && (memcmp (data, "GIF87a", 6) == 0 || memcmp (data, "GIF89a", 6) == 0))
    return SL_PICTURE_FORMAT_GIF;
  if (size >= 26 && memcmp (data, "BM", 2) == 0)
    return SL_PICTURE_FORMAT_BMP;
  if (size >= 8 && (memcmp (data, "II*\0", 4) == 0 || memcmp (data, "MM\0*", 4) == 0))
    return SL_PICTURE_FORMAT_TIFF;
  if (size >= 16 && (memcmp (data, "II+\0", 4) == 0 || memcmp (data, "MM\0+", 4) == 0)) /* BigTIFF */
    return SL_PICTURE_FORMAT_TIFF;
  if (size >= 12 && memcmp (data, "RIFF", 4) == 0 && memcmp (data + 8, "WEBP", 4) == 0)
    return SL_PICTURE_FORMAT_WEBP;
  if (size >= 16 && memcmp (data + 4, "ftyp", 4) == 0)
    return sniff_heif (data, size);
  if (size > 0 && sl_picture_svg_sniff ((const char *) data, size))
    return SL_PICTURE_FORMAT_SVG;

  return SL_PICTURE_FORMAT_NONE;
}

/* ------------------------------------------------------------------------------------------------ is it all there */

/* Chunks [length][type][data][checksum] up to IEND. */
static gboolean
is_complete_png (const guint8 *data,
                 gsize         size)
{
  gsize at = 8;

  while (at + 12 <= size)
    {
      gsize next = at + 12 + read_be32 (data + at);

      if (memcmp (data + at + 4, "IEND", 4) == 0)
        return next <= size;
      at = next;
    }

  return FALSE;
}

/* Segments up to the end-of-image mark; after each scan header compressed data runs up to the next mark, in which 0xff is
 * followed by 0 or a restart mark. */
static gboolean
is_complete_jpeg (const guint8 *data,
                  gsize         size)
{
  gsize at = 2;

  while (at + 2 <= size)
    {
      guint8 mark = data[at + 1];

      if (data[at] != 0xff || mark == 0x00 || mark == 0xff || mark == 0x01 || (mark >= 0xd0 && mark <= 0xd7))
        at += data[at] != 0xff || mark == 0xff ? 1 : 2;
      else if (mark == 0xd9)
        return TRUE;
      else if (at + 4 <= size)
        at += 2 + ((gsize) data[at + 2] << 8 | data[at + 3]);
      else
        return FALSE;
    }

  return FALSE;
}

static gboolean
is_complete_webp (const guint8 *data,
                  gsize         size)
{
  return size >= 8 + (gsize) read_le32 (data + 4);
}

/* Only of uncompressed pixels is the length known before. */
static gboolean
is_complete_bmp (const guint8 *data,
                 gsize         size)
{
  guint64 width, height, bits;

  if (size < 54 || read_le32 (data + 14) < 40 || read_le32 (data + 30) != 0)
    return TRUE;

  width = (guint64) ABS ((gint64) (gint32) read_le32 (data + 18));
  height = (guint64) ABS ((gint64) (gint32) read_le32 (data + 22));
  bits = data[28];

  return read_le32 (data + 10) + (width * bits + 31) / 32 * 4 * height <= size;
}

gboolean
sl_picture_format_is_complete (SlPictureFormat  format,
                               const guint8    *data,
                               gsize            size)
{
  switch (format)
    {
    case SL_PICTURE_FORMAT_PNG:
      return is_complete_png (data, size);
    case SL_PICTURE_FORMAT_JPEG:
      return is_complete_jpeg (data, size);
    case SL_PICTURE_FORMAT_WEBP:
      return is_complete_webp (data, size);
    case SL_PICTURE_FORMAT_BMP:
      return is_complete_bmp (data, size);
    case SL_PICTURE_FORMAT_NONE:
    case SL_PICTURE_FORMAT_GIF:
    case SL_PICTURE_FORMAT_TIFF:
    case SL_PICTURE_FORMAT_SVG:
    case SL_PICTURE_FORMAT_HEIC:
    case SL_PICTURE_FORMAT_AVIF:
    default:
      return TRUE;
    }
}

/* ------------------------------------------------------------------------------------------------ how large */

/* Image spatial extents property: 'ispe', version and flags, width, height. */
gboolean
sl_picture_format_get_size (SlPictureFormat  format,
                            const guint8    *data,
                            gsize            size,
                            guint           *width,
                            guint           *height)
{
  const guint8 *end = data + size;
  const guint8 *at = data;
  guint64 largest = 0;

  if (format != SL_PICTURE_FORMAT_HEIC && format != SL_PICTURE_FORMAT_AVIF)
    return FALSE;

  while ((at = memmem (at, end - at, "ispe", 4)) != NULL && end - at >= 16)
    {
      guint64 pixels = (guint64) read_be32 (at + 8) * read_be32 (at + 12);

      if (pixels > largest)
        {
          largest = pixels;
          *width = read_be32 (at + 8);
          *height = read_be32 (at + 12);
        }
      at += 4;
    }

  return largest > 0;
}

/* ------------------------------------------------------------------------------------------------ JPEG for other readers */

/* The next frame or scan header from *at on, which is left at its mark; its mark, 0 where there is none. */
static guint8
find_jpeg_header (const guint8 *data,
                  gsize         size,
                  gsize        *at)
{
  while (*at < size && size - *at >= 10 && data[*at] == 0xff)
    {
      guint8 mark = data[*at + 1];

      if (mark == 0xda || (mark >= 0xc0 && mark < 0xd0 && mark != 0xc4 && mark != 0xc8 && mark != 0xcc))
        return mark;
      *at += mark == 0xff ? 1 : 2 + ((gsize) data[*at + 2] << 8 | data[*at + 3]);
    }

  return 0;
}

/* The frame header: 0xff 0xc0 … 0xc2 of baseline and progressive with Huffman codes, length, precision, height, width, components. */
gboolean
sl_picture_format_is_plain_jpeg (const guint8 *data,
                                 gsize         size)
{
  gsize at = 2;
  guint8 mark = find_jpeg_header (data, size, &at);

  return mark >= 0xc0 && mark <= 0xc2 && data[at + 4] == 8 && (data[at + 9] == 1 || data[at + 9] == 3);
}

gboolean
sl_picture_format_is_single_scan_jpeg (const guint8 *data,
                                       gsize         size)
{
  gsize at = 2;
  guint8 mark = find_jpeg_header (data, size, &at);
  guint8 n_components;

  if (mark != 0xc0 && mark != 0xc1)
    return FALSE;
  n_components = data[at + 9];
  at += 2 + ((gsize) data[at + 2] << 8 | data[at + 3]);

  return find_jpeg_header (data, size, &at) == 0xda && data[at + 4] == n_components;
}

/* ------------------------------------------------------------------------------------------------ premultiplied */

/* The first box of this type among those that lie one behind the other; what it holds. */
static gboolean
find_box (const guint8  *data,
          gsize          size,
          const char    *type,
          const guint8 **content,
          gsize         *length)
{
  gsize at = 0;

  while (size - at >= 8)
    {
      guint64 whole = read_be32 (data + at);
      gsize head = whole == 1 ? 16 : 8;

      if (size - at < head)
        return FALSE;
      if (whole == 1)
        whole = (guint64) read_be32 (data + at + 8) << 32 | read_be32 (data + at + 12);
      else if (whole == 0)
        whole = size - at; /* up to the end */
      if (whole < head || whole > size - at)
        return FALSE;
      if (memcmp (data + at + 4, type, 4) == 0)
        {
          *content = data + at + head;
          *length = whole - head;
          return TRUE;
        }
      at += whole;
    }

  return FALSE;
}

/* An item's number, which is two or four bytes wide. */
static guint32
read_item (const guint8 *at,
           gboolean      wide)
{
  return wide ? read_be32 (at) : (guint32) at[0] << 8 | at[1];
}

/* The primary item is named in 'pitm'; a reference 'prem' from it says that it is multiplied by the alpha it points to. */
gboolean
sl_picture_format_is_premultiplied (SlPictureFormat  format,
                                    const guint8    *data,
                                    gsize            size)
{
  const guint8 *meta, *primary, *references, *from;
  gsize meta_size, primary_size, size_left, from_size;
  gboolean wide;
  guint32 item;

  if (format != SL_PICTURE_FORMAT_HEIC && format != SL_PICTURE_FORMAT_AVIF)
    return FALSE;
  if (!find_box (data, size, "meta", &meta, &meta_size) || meta_size < 4 ||
      !find_box (meta + 4, meta_size - 4, "pitm", &primary, &primary_size) || primary_size < 6 ||
      (primary[0] != 0 && primary_size < 8) ||
      !find_box (meta + 4, meta_size - 4, "iref", &references, &size_left) || size_left < 4)
    return FALSE;

  item = read_item (primary + 4, primary[0] != 0);
  wide = references[0] != 0;
  references += 4;
  size_left -= 4;
  while (find_box (references, size_left, "prem", &from, &from_size))
    {
      if (from_size >= (wide ? 4 : 2) && read_item (from, wide) == item)
        return TRUE;
      size_left -= from + from_size - references;
      references = from + from_size;
    }

  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ EXIF */

/* The EXIF chunk of a png or webp file, NULL without one. */
static const guint8 *
find_exif (SlPictureFormat  format,
           const guint8    *data,
           gsize            size,
           gsize           *length)
{
  gboolean png = format == SL_PICTURE_FORMAT_PNG;
  gsize at = png ? 8 : 12;

  if (!png && format != SL_PICTURE_FORMAT_WEBP)
    return NULL;

  while (at < size && size - at >= 12)
    {
      gsize n = png ? read_be32 (data + at) : read_le32 (data + at + 4);
      gsize whole = png ? n + 12 : n + 8 + (n & 1);

      if (whole > size - at)
        return NULL;
      if (memcmp (data + at + (png ? 4 : 0), png ? "eXIf" : "EXIF", 4) == 0)
        {
          *length = n;
          return data + at + 8;
        }
      at += whole;
    }
  return NULL;
}

guint
sl_picture_format_get_orientation (SlPictureFormat  format,
                                   const guint8    *data,
                                   gsize            size)
{
  gsize n = 0, at;
  const guint8 *exif = find_exif (format, data, size, &n);
  gboolean big;
  guint entries;

  if (exif != NULL && n >= 6 && memcmp (exif, "Exif\0\0", 6) == 0)
    {
      exif += 6;
      n -= 6;
    }
  if (exif == NULL || n < 14 || (memcmp (exif, "MM\0*", 4) != 0 && memcmp (exif, "II*\0", 4) != 0))
    return 0;

  /* The first directory of a TIFF: a count, then entries of tag (2), type (2), count (4), value (4). */
  big = exif[0] == 'M';
  at = big ? read_be32 (exif + 4) : read_le32 (exif + 4);
  if (at > n - 2)
    return 0;
  entries = big ? exif[at] << 8 | exif[at + 1] : exif[at + 1] << 8 | exif[at];
  for (at += 2; entries > 0 && n - at >= 12; entries--, at += 12)
    {
      const guint8 *entry = exif + at;

      if (memcmp (entry, big ? "\x01\x12\0\x03" : "\x12\x01\x03\0", 4) == 0)
        {
          guint value = big ? entry[9] : entry[8];

          return value >= 1 && value <= 8 ? value : 0;
        }
    }
  return 0;
}
