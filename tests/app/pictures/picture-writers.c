/* SPDX-License-Identifier: MIT
 *
 * See the header. PNG 1.2 with stored deflate blocks; TIFF 6.0 and BigTIFF with one strip a plane; BMP with a V4 header; JPEG with
 * DC coefficients only.
 */
#include "tests/app/pictures/picture-writers.h"

#include <string.h>

#define N (WRITER_SIDE * WRITER_SIDE)

static void
put (GByteArray *out,
     guint64     number,
     int         bytes,
     gboolean    big_endian)
{
  for (int i = 0; i < bytes; i++)
    {
      guint8 byte = number >> 8 * (big_endian ? bytes - 1 - i : i);

      g_byte_array_append (out, &byte, 1);
    }
}

static guint8
grey_of (const WriterPixel *pixel)
{
  return pixel->red;
}

/* ------------------------------------------------------------------------------------------------ PNG */

guint32
writer_crc (const guint8 *data,
            gsize         size)
{
  guint32 crc = 0xffffffff;

  for (gsize i = 0; i < size; i++)
    {
      crc ^= data[i];
      for (int k = 0; k < 8; k++)
        crc = crc & 1 ? 0xedb88320 ^ crc >> 1 : crc >> 1;
    }
  return ~crc;
}

static void
put_chunk (GByteArray *png,
           const char *type,
           GByteArray *content)
{
  put (png, content->len, 4, TRUE);
  g_byte_array_prepend (content, (const guint8 *) type, 4);
  g_byte_array_append (png, content->data, content->len);
  put (png, writer_crc (content->data, content->len), 4, TRUE);
  g_byte_array_unref (content);
}

/* zlib's frame around one stored block. */
static GByteArray *
deflate (GByteArray *raw)
{
  GByteArray *out = g_byte_array_new ();
  guint32 a = 1, b = 0;

  for (guint i = 0; i < raw->len; i++)
    {
      a = (a + raw->data[i]) % 65521;
      b = (b + a) % 65521;
    }
  put (out, 0x7801, 2, TRUE);
  put (out, 1, 1, FALSE);
  put (out, raw->len, 2, FALSE);
  put (out, ~raw->len & 0xffff, 2, FALSE);
  g_byte_array_append (out, raw->data, raw->len);
  put (out, b << 16 | a, 4, TRUE);
  g_byte_array_unref (raw);
  return out;
}

static void
put_png_pixel (GByteArray        *raw,
               const WriterPixel *pixel,
               int                index,
               const WriterPng   *how)
{
  const guint8 *channels = (const guint8 *) pixel;
  int bytes = how->depth / 8;

  if (how->color_type == 3)
    put (raw, index, 1, TRUE);
  else if (how->color_type == 0 || how->color_type == 4)
    put (raw, grey_of (pixel) * 257u, bytes, TRUE);
  else
    for (int c = 0; c < 3; c++)
      put (raw, channels[c] * 257u, bytes, TRUE);
  if (how->color_type & 4)
    put (raw, pixel->alpha * 257u, bytes, TRUE);
}

GByteArray *
writer_exif (int      orientation,
             gboolean is_long)
{
  GByteArray *exif = g_byte_array_new ();

  put (exif, 0x4d4d002a, 4, TRUE);
  put (exif, 8, 4, TRUE);
  put (exif, 1, 2, TRUE);
  put (exif, 0x01120000 | (is_long ? 4 : 3), 4, TRUE);
  put (exif, 1, 4, TRUE);
  put (exif, orientation, is_long ? 4 : 2, TRUE);
  put (exif, 0, is_long ? 4 : 6, TRUE);
  return exif;
}

GBytes *
writer_png (const WriterPixel  pixels[4],
            const WriterPng   *how)
{
  GByteArray *png = g_byte_array_new ();
  GByteArray *header = g_byte_array_new ();
  GByteArray *raw = g_byte_array_new ();

  g_byte_array_append (png, (const guint8 *) "\x89PNG\r\n\x1a\n", 8);
  put (header, WRITER_SIDE, 4, TRUE);
  put (header, WRITER_SIDE, 4, TRUE);
  put (header, how->depth, 1, TRUE);
  put (header, how->color_type, 1, TRUE);
  put (header, 0, 3, TRUE);
  put_chunk (png, "IHDR", header);
  if (how->orientation != 0)
    put_chunk (png, "eXIf", writer_exif (how->orientation, FALSE));
  if (how->color_type == 3)
    {
      GByteArray *palette = g_byte_array_new ();
      GByteArray *alpha = g_byte_array_new ();

      for (int i = 0; i < N; i++)
        {
          g_byte_array_append (palette, (const guint8 *) &pixels[i], 3);
          g_byte_array_append (alpha, &pixels[i].alpha, 1);
        }
      put_chunk (png, "PLTE", palette);
      put_chunk (png, "tRNS", alpha);
    }
  for (int i = 0; i < N; i++)
    {
      if (i % WRITER_SIDE == 0)
        put (raw, 0, 1, TRUE); /* no filter */
      put_png_pixel (raw, &pixels[i], i, how);
    }
  put_chunk (png, "IDAT", deflate (raw));
  put_chunk (png, "IEND", g_byte_array_new ());
  return g_byte_array_free_to_bytes (png);
}

/* ------------------------------------------------------------------------------------------------ TIFF */

#define MAX_TAGS 14

typedef struct
{
  const WriterTiff *how;
  GByteArray       *entries; /* of the directory */
  GByteArray       *beside;  /* what does not fit into them */
  guint             beside_at;
  guint             n_tags;
} Directory;

/* `count` SHORT or LONG values, all of them `value`, or rising from it by `step`. */
static void
put_tag (Directory *self,
         int        tag,
         gboolean   is_long,
         guint      count,
         guint      value,
         guint      step)
{
  const WriterTiff *how = self->how;
  int bytes = is_long ? 4 : 2, wide = how->big ? 8 : 4;
  gboolean fits = count * bytes <= (guint) wide;
  GByteArray *to = fits ? self->entries : self->beside;

  put (self->entries, tag, 2, how->big_endian);
  put (self->entries, is_long ? 4 : 3, 2, how->big_endian);
  put (self->entries, count, wide, how->big_endian);
  if (!fits)
    put (self->entries, self->beside_at + self->beside->len, wide, how->big_endian);
  for (guint i = 0; i < count; i++)
    put (to, value + i * step, bytes, how->big_endian);
  for (guint i = count * bytes; fits && i < (guint) wide; i++)
    put (to, 0, 1, FALSE);
  self->n_tags++;
}

static guint32
float_bits (float value)
{
  guint32 bits;

  memcpy (&bits, &value, sizeof bits);
  return bits;
}

static void
put_sample (GByteArray       *out,
            guint8            value,
            const WriterTiff *how)
{
  guint64 wide = how->floating ? float_bits (value / 255.f) : how->depth == 32 ? value * 0x01010101u : value * 257u;

  put (out, wide, how->depth / 8, how->big_endian);
}

/* The colour channels, in the file's colour model. */
static int
get_channels (const WriterPixel *pixel,
              const WriterTiff  *how,
              guint8             channels[5])
{
  int n = how->photometric == 1 ? 1 : how->photometric == 5 ? 4 : 3;
  const guint8 *rgb = (const guint8 *) pixel;

  for (int c = 0; c < n; c++)
    channels[c] = how->photometric == 5 ? (c < 3 ? 255 - rgb[c] : 0) : rgb[c];
  if (how->extra >= 0)
    channels[n++] = pixel->alpha;
  return n;
}

static GByteArray *
tiff_pixels (const WriterPixel  pixels[4],
             const WriterTiff  *how,
             int               *n_channels)
{
  GByteArray *out = g_byte_array_new ();
  guint8 channels[5] = { 0 };

  *n_channels = get_channels (&pixels[0], how, channels);
  for (int plane = 0; plane < (how->planar ? *n_channels : 1); plane++)
    for (int i = 0; i < N; i++)
      {
        get_channels (&pixels[i], how, channels);
        for (int c = how->planar ? plane : 0; c < (how->planar ? plane + 1 : *n_channels); c++)
          put_sample (out, channels[c], how);
      }
  return out;
}

static void
put_tags (Directory *self,
          int        n,
          guint      strip,
          guint      pixels_at)
{
  const WriterTiff *how = self->how;

  put_tag (self, 256, TRUE, 1, WRITER_SIDE, 0);
  put_tag (self, 257, TRUE, 1, WRITER_SIDE, 0);
  put_tag (self, 258, FALSE, n, how->depth, 0);
  put_tag (self, 259, FALSE, 1, 1, 0);
  put_tag (self, 262, FALSE, 1, how->photometric, 0);
  put_tag (self, 273, TRUE, how->planar ? n : 1, pixels_at, strip);
  if (how->orientation != 0)
    put_tag (self, 274, FALSE, 1, how->orientation, 0);
  put_tag (self, 277, FALSE, 1, n, 0);
  put_tag (self, 278, TRUE, 1, WRITER_SIDE, 0);
  put_tag (self, 279, TRUE, how->planar ? n : 1, strip, 0);
  put_tag (self, 284, FALSE, 1, how->planar ? 2 : 1, 0);
  if (how->extra >= 0)
    put_tag (self, 338, FALSE, 1, how->extra, 0);
  if (how->floating)
    put_tag (self, 339, FALSE, n, 3, 0);
}

GBytes *
writer_tiff (const WriterPixel  pixels[4],
             const WriterTiff  *how)
{
  int n, wide = how->big ? 8 : 4;
  GByteArray *tiff = g_byte_array_new ();
  g_autoptr (GByteArray) raw = tiff_pixels (pixels, how, &n);
  guint head = how->big ? 16 : 8;
  Directory directory = { how, g_byte_array_new (), g_byte_array_new (), 0, 0 };

  g_byte_array_append (tiff, (const guint8 *) (how->big_endian ? "MM" : "II"), 2);
  put (tiff, how->big ? 43 : 42, 2, how->big_endian);
  if (how->big)
    put (tiff, how->big_endian ? 0x00080000 : 8, 4, how->big_endian);
  put (tiff, head + raw->len, wide, how->big_endian); /* the directory lies behind the pixels */
  g_byte_array_append (tiff, raw->data, raw->len);

  directory.beside_at = head + raw->len + (how->big ? 16 : 6) + MAX_TAGS * (how->big ? 20 : 12);
  put_tags (&directory, n, raw->len / (how->planar ? n : 1), head);
  put (tiff, directory.n_tags, how->big ? 8 : 2, how->big_endian);
  g_byte_array_append (tiff, directory.entries->data, directory.entries->len);
  put (tiff, 0, wide, how->big_endian);
  while (tiff->len < directory.beside_at)
    put (tiff, 0, 1, FALSE);
  g_byte_array_append (tiff, directory.beside->data, directory.beside->len);
  g_byte_array_unref (directory.entries);
  g_byte_array_unref (directory.beside);
  return g_byte_array_free_to_bytes (tiff);
}

/* ------------------------------------------------------------------------------------------------ BMP */

GBytes *
writer_bmp (const WriterPixel pixels[4])
{
  static const guint32 masks[] = { 0x00ff0000, 0x0000ff00, 0x000000ff, 0xff000000 };
  GByteArray *bmp = g_byte_array_new ();

  g_byte_array_append (bmp, (const guint8 *) "BM", 2);
  put (bmp, 14 + 108 + 4 * N, 4, FALSE);
  put (bmp, 0, 4, FALSE);
  put (bmp, 14 + 108, 4, FALSE);
  put (bmp, 108, 4, FALSE);
  put (bmp, WRITER_SIDE, 4, FALSE);
  put (bmp, WRITER_SIDE, 4, FALSE);
  put (bmp, 1, 2, FALSE);
  put (bmp, 32, 2, FALSE);
  put (bmp, 3, 4, FALSE); /* masks */
  put (bmp, 4 * N, 4, FALSE);
  for (int i = 0; i < 4; i++)
    put (bmp, 0, 4, FALSE);
  for (int i = 0; i < 4; i++)
    put (bmp, masks[i], 4, FALSE);
  put (bmp, 0x73524742, 4, FALSE);
  for (int i = 0; i < 12; i++)
    put (bmp, 0, 4, FALSE);
  for (int y = WRITER_SIDE - 1; y >= 0; y--)
    for (int x = 0; x < WRITER_SIDE; x++)
      {
        const WriterPixel *p = &pixels[y * WRITER_SIDE + x];

        put (bmp, (guint32) p->alpha << 24 | p->red << 16 | p->green << 8 | p->blue, 4, FALSE);
      }
  return g_byte_array_free_to_bytes (bmp);
}

/* ------------------------------------------------------------------------------------------------ JPEG */

/* Bits, most significant first, with the zero that has to follow a byte of ones. */
typedef struct
{
  GByteArray *out;
  guint       bits, n;
} BitWriter;

static void
put_bits (BitWriter *self,
          guint      value,
          guint      n)
{
  while (n-- > 0)
    {
      self->bits = self->bits << 1 | (value >> n & 1);
      if (++self->n == 8)
        {
          put (self->out, self->bits, 1, TRUE);
          if ((self->bits & 255) == 255)
            put (self->out, 0, 1, TRUE);
          self->bits = self->n = 0;
        }
    }
}

/* A block of one level: its DC is 8 (level − 128) at a quantiser of 1. The code of n bits of magnitude is n in four bits, the code of the
 * end of the block a single 0. */
static void
put_block (BitWriter *self,
           int        level)
{
  int dc = 8 * (level - 128);
  guint n = g_bit_storage (ABS (dc));

  if (dc == 0)
    n = 0;
  put_bits (self, n, 4);
  put_bits (self, dc > 0 ? dc : dc + (1 << n) - 1, n);
  put_bits (self, 0, 1);
}

/* A Huffman table of `count` codes of so many bits, for the symbols from 0 on. */
static void
put_table (GByteArray *jpeg,
           int         table,
           int         bits,
           int         count)
{
  put (jpeg, 0xffc4, 2, TRUE);
  put (jpeg, 2 + 1 + 16 + count, 2, TRUE);
  put (jpeg, table, 1, TRUE);
  for (int i = 1; i <= 16; i++)
    put (jpeg, i == bits ? count : 0, 1, TRUE);
  for (int i = 0; i < count; i++)
    put (jpeg, i, 1, TRUE);
}

GBytes *
writer_jpeg (const WriterPixel *color,
             int                components)
{
  GByteArray *jpeg = g_byte_array_new ();
  BitWriter bits = { jpeg, 0, 0 };

  put (jpeg, 0xffd8, 2, TRUE);
  if (components == 4)
    {
      put (jpeg, 0xffee000e, 4, TRUE);
      g_byte_array_append (jpeg, (const guint8 *) "Adobe\0\x64\0\0\0\0\0", 12);
    }
  put (jpeg, 0xffdb0043, 4, TRUE);
  put (jpeg, 0, 1, TRUE);
  for (int i = 0; i < 64; i++)
    put (jpeg, 1, 1, TRUE);
  put (jpeg, 0xffc0, 2, TRUE);
  put (jpeg, 8 + 3 * components, 2, TRUE);
  put (jpeg, 8, 1, TRUE);
  put (jpeg, 8, 2, TRUE);
  put (jpeg, 8, 2, TRUE);
  put (jpeg, components, 1, TRUE);
  for (int c = 0; c < components; c++)
    put (jpeg, (c + 1) << 16 | 0x1100, 3, TRUE);
  put_table (jpeg, 0x00, 4, 12);
  put_table (jpeg, 0x10, 1, 1);
  put (jpeg, 0xffda, 2, TRUE);
  put (jpeg, 6 + 2 * components, 2, TRUE);
  put (jpeg, components, 1, TRUE);
  for (int c = 0; c < components; c++)
    put (jpeg, (c + 1) << 8, 2, TRUE);
  put (jpeg, 0x003f00, 3, TRUE);
  for (int c = 0; c < components; c++)
    put_block (&bits, ((const guint8 *) color)[c]);
  while (bits.n != 0)
    put_bits (&bits, 1, 1);
  put (jpeg, 0xffd9, 2, TRUE);
  return g_byte_array_free_to_bytes (jpeg);
}
