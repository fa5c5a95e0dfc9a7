/* SPDX-License-Identifier: MIT
 *
 * Reads what a TIFF says about its channels. A directory is a count and entries of tag, type, count and value; a value that does
 * not fit lies elsewhere in the file. BigTIFF is the same with numbers twice as wide.
 */
#include "app/pictures/sl-picture-tiff.h"

#include <string.h>

#define TAG_BITS_PER_SAMPLE 258
#define TAG_PHOTOMETRIC     262
#define TAG_EXTRA_SAMPLES   338
#define TAG_SAMPLE_FORMAT   339

#define PHOTOMETRIC_RGB       2
#define SAMPLE_FORMAT_FLOAT   3

typedef struct
{
  const guint8 *data;
  gsize         size;
  gboolean      big_endian;
  guint         wide; /* of counts and offsets: 4, or 8 in a BigTIFF */
} Reader;

/* `bytes` of them; FALSE past the end. */
static gboolean
read_number (const Reader *self,
             guint64       at,
             guint         bytes,
             guint64      *number)
{
  if (bytes > self->size || at > self->size - bytes)
    return FALSE;

  *number = 0;
  for (guint i = 0; i < bytes; i++)
    *number = *number << 8 | self->data[at + (self->big_endian ? i : bytes - 1 - i)];

  return TRUE;
}

/* Where the first value of an entry lies and how wide it is; FALSE for types that are no numbers. */
static gboolean
find_value (const Reader *self,
            guint64       entry,
            guint64      *at,
            guint        *bytes)
{
  static const guint8 widths[] = { [1] = 1, [3] = 2, [4] = 4, [16] = 8 };
  guint64 type, count;

  if (!read_number (self, entry + 2, 2, &type) || !read_number (self, entry + 4, self->wide, &count) ||
      type >= G_N_ELEMENTS (widths) || widths[type] == 0 || count == 0)
    return FALSE;

  *bytes = widths[type];
  *at = entry + 4 + self->wide;
  return count <= self->wide / *bytes || read_number (self, *at, self->wide, at);
}

static void
take_entry (const Reader  *self,
            guint64        entry,
            SlPictureTiff *tiff)
{
  guint64 tag, at, value;
  guint bytes;

  if (!read_number (self, entry, 2, &tag) || !find_value (self, entry, &at, &bytes) ||
      !read_number (self, at, bytes, &value))
    return;

  if (tag == TAG_BITS_PER_SAMPLE)
    tiff->bits = (guint) value;
  else if (tag == TAG_PHOTOMETRIC)
    tiff->colours = value == PHOTOMETRIC_RGB;
  else if (tag == TAG_SAMPLE_FORMAT)
    tiff->floating = value == SAMPLE_FORMAT_FLOAT;
  else if (tag == TAG_EXTRA_SAMPLES)
    {
      tiff->alpha = value == 1   ? SL_TIFF_ALPHA_ASSOCIATED
                    : value == 2 ? SL_TIFF_ALPHA_STRAIGHT
                                 : SL_TIFF_ALPHA_UNSPECIFIED;
      tiff->alpha_at = at + (self->big_endian ? bytes - 1 : 0);
    }
}

gboolean
sl_picture_tiff_read (const guint8  *data,
                      gsize          size,
                      SlPictureTiff *tiff)
{
  Reader reader = { .data = data, .size = size };
  guint64 version, at, count, entry_size;

  *tiff = (SlPictureTiff) { .bits = 1 };
  if (size < 8)
    return FALSE;

  reader.big_endian = data[0] == 'M';
  if (!read_number (&reader, 2, 2, &version))
    return FALSE;
  reader.wide = version == 43 ? 8 : 4;
  entry_size = 4 + 2 * reader.wide;

  if (!read_number (&reader, reader.wide, reader.wide, &at) ||
      !read_number (&reader, at, reader.wide == 8 ? 8 : 2, &count))
    return FALSE;

  at += reader.wide == 8 ? 8 : 2;
  for (; count > 0 && at <= size && size - at >= entry_size; count--, at += entry_size)
    take_entry (&reader, at, tiff);

  return count == 0;
}
