/* SPDX-License-Identifier: MIT
 *
 * Picture files written byte by byte from pixels of the test's own, so that what a loader makes of them can be compared with what is
 * in them: no encoder's idea of a format lies in between. For tests of SlPicture only.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Always 2 × 2: top left, top right, bottom left, bottom right. */
#define WRITER_SIDE 2

typedef struct
{
  guint8 red, green, blue, alpha;
} WriterPixel;

typedef struct
{
  int         depth;        /* bits a channel: 8 or 16; PNG and TIFF palettes 8 */
  int         color_type;   /* as in a PNG's header: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGBA */
  int         orientation;  /* EXIF 1 … 8, 0 for none */
} WriterPng;

GBytes *writer_png  (const WriterPixel  pixels[4],
                     const WriterPng   *how);

typedef struct
{
  gboolean    big_endian;
  gboolean    big;          /* BigTIFF */
  gboolean    planar;       /* one plane a channel */
  int         depth;        /* 8, 16, 32 */
  gboolean    floating;
  int         photometric;  /* 1 grey, 2 RGB, 5 CMYK */
  int         extra;        /* ExtraSamples 0, 1, 2; −1: no alpha channel */
  int         orientation;
} WriterTiff;

GBytes *writer_tiff (const WriterPixel  pixels[4],
                     const WriterTiff  *how);

/* 32 bits a pixel, with masks for all four channels. */
GBytes *writer_bmp  (const WriterPixel  pixels[4]);

/* Baseline, 8 × 8 pixels of one colour: its red, green, blue and alpha are what `components` (1, 3 or 4) hold, in the file's own
 * colour model: YCbCr, and with 4 inverted CMYK as Adobe's programs write it. */
GBytes *writer_jpeg (const WriterPixel *color,
                     int                components);

/* CRC-32 as in PNG's appendix. */
guint32 writer_crc (const guint8 *data, gsize size);

/* An EXIF block with nothing but the orientation, which the standard wants to be a SHORT. */
GByteArray *writer_exif (int      orientation,
                         gboolean is_long);

G_END_DECLS
