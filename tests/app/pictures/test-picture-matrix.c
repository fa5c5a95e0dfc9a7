/* SPDX-License-Identifier: MIT
 *
 * SlPicture: every format against orientation, kind of alpha, depth, colour model, and the size of a drawing. Oracle: the pixels that
 * picture-writers.h put into the file, turned by the table of EXIF 2.3; for AVIF and HEIC fixtures, whose pixels are known.
 */
#include "app/pictures/sl-picture.h"

#include <string.h>

#include "app/pictures/sl-picture-loader.h"
#include "app/pictures/sl-picture-svg.h"
#include "tests/app/pictures/picture-writers.h"

/* No two channels alike, every kind of alpha: none, half, all, a quarter. */
static const WriterPixel colors[4] = { { 200, 100, 50, 255 }, { 10, 20, 30, 128 }, { 90, 180, 250, 0 }, { 0, 255, 60, 64 } };

/* Which stored corner is seen where: top left, top right, bottom left, bottom right. */
static const guint8 corners[9][4] = {
  { 0, 1, 2, 3 }, { 0, 1, 2, 3 }, { 1, 0, 3, 2 }, { 3, 2, 1, 0 }, { 2, 3, 0, 1 },
  { 0, 2, 1, 3 }, { 2, 0, 3, 1 }, { 3, 1, 2, 0 }, { 1, 3, 0, 2 },
};

static SlPicture *
decode (GBytes     *bytes,
        const char *name)
{
  g_autoptr(GError) error = NULL;
  SlPicture *picture = sl_picture_new_from_bytes (bytes, name, NULL, &error);

  g_assert_no_error (error);
  return picture;
}

static void
assert_pixel (SlPicture    *picture,
              int           x,
              int           y,
              const guint8  want[3],
              int           tolerance)
{
  const guint8 *got = sl_picture_get_rgb (picture) + y * sl_picture_get_stride (picture) + 3 * x;

  for (int c = 0; c < 3; c++)
    if (ABS (got[c] - want[c]) > tolerance)
      g_error ("%s: pixel %d,%d is %d,%d,%d, not %d,%d,%d", sl_picture_get_name (picture), x, y, got[0], got[1], got[2], want[0],
               want[1], want[2]);
}

/* grey: all three channels are the red one. */
static void
assert_colors (SlPicture         *picture,
               const WriterPixel  want[4],
               gboolean           grey,
               int                orientation,
               int                tolerance)
{
  g_assert_cmpint (sl_picture_get_width (picture), ==, 2);
  g_assert_cmpint (sl_picture_get_height (picture), ==, 2);
  for (int i = 0; i < 4; i++)
    {
      const WriterPixel *pixel = &want[corners[orientation][i]];
      const guint8 rgb[3] = { pixel->red, grey ? pixel->red : pixel->green, grey ? pixel->red : pixel->blue };

      assert_pixel (picture, i % 2, i / 2, rgb, tolerance);
    }
}

/* ------------------------------------------------------------------------------------------------ PNG and BMP */

static void
test_png (void)
{
  static const int types[] = { 0, 2, 3, 4, 6 };

  for (guint t = 0; t < G_N_ELEMENTS (types); t++)
    for (int depth = 8; depth <= (types[t] == 3 ? 8 : 16); depth += 8)
      for (int orientation = 0; orientation <= 8; orientation++)
        {
          WriterPng how = { depth, types[t], orientation };
          g_autofree char *name = g_strdup_printf ("type %d, %d bits, orientation %d", types[t], depth, orientation);
          g_autoptr(GBytes) bytes = writer_png (colors, &how);
          g_autoptr(SlPicture) picture = decode (bytes, name);

          assert_colors (picture, colors, types[t] == 0 || types[t] == 4, orientation, 0);
          g_assert_cmpint (sl_picture_get_transparent (picture), ==, types[t] >= 3);
          g_assert_cmpint (sl_picture_get_turned (picture), ==, orientation > 1);
        }
}

static void
test_bmp (void)
{
  g_autoptr(GBytes) bytes = writer_bmp (colors);
  g_autoptr(SlPicture) picture = decode (bytes, "masks.bmp");

  assert_colors (picture, colors, FALSE, 0, 0);
}

/* ------------------------------------------------------------------------------------------------ TIFF */

/* What a file holds whose colours are multiplied, and what dividing them gives back: the colour, less at most the steps that the
 * multiplication cut off, and black where nothing is left. */
static void
multiply (WriterPixel  in_file[4],
          WriterPixel  want[4],
          gboolean     grey)
{
  memcpy (in_file, colors, sizeof colors);
  for (int i = 0; i < 4; i++)
    {
      guint8 *channels = (guint8 *) &in_file[i];
      guint8 alpha = in_file[i].alpha;

      for (int c = 0; c < 3; c++)
        channels[c] = channels[c] * alpha / 255;
      want[i] = in_file[i];
      channels = (guint8 *) &want[i];
      for (int c = 0; c < 3; c++)
        {
          channels[c] = alpha == 0 ? 0 : MIN (255, channels[c] * 255 / alpha);
          if (alpha != 0)
            g_assert_cmpint (ABS (channels[c] - ((const guint8 *) &colors[i])[c]), <=, 255 / alpha + 1);
        }
    }
}

static void
check_tiff (const WriterTiff *how)
{
  WriterPixel multiplied[4], divided[4];
  gboolean grey = how->photometric == 1;
  g_autofree char *name = g_strdup_printf ("%s%s%s, %d bits, photometric %d, extra %d, orientation %d",
                                           how->big ? "BigTIFF" : "TIFF", how->big_endian ? ", MM" : ", II",
                                           how->planar ? ", planes" : "", how->depth, how->photometric, how->extra,
                                           how->orientation);
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(SlPicture) picture = NULL;

  multiply (multiplied, divided, grey);
  bytes = writer_tiff (how->extra == 1 ? multiplied : colors, how);
  picture = decode (bytes, name);
  assert_colors (picture, how->extra == 1 ? divided : colors, grey, how->orientation, 0);
  /* An extra channel that the file does not call alpha is none. */
  g_assert_cmpint (sl_picture_get_transparent (picture), ==, how->extra > 0);
}

static void
test_tiff (void)
{
  for (int photometric = 1; photometric <= 2; photometric++)
    for (int extra = -1; extra <= 2; extra++)
      for (int depth = 8; depth <= 16; depth += 8)
        for (int container = 0; container < 8; container++)
          {
            WriterTiff how = { container & 1, container & 2, container & 4, depth, FALSE, photometric, extra, 0 };

            /* libtiff joins no planes of grey with more than one channel, and gives no alpha with grey of 16 bits. */
            if (photometric == 1 && extra >= 0 && (how.planar || depth == 16))
              continue;
            check_tiff (&how);
          }

  for (int orientation = 1; orientation <= 8; orientation++)
    for (int extra = -1; extra <= 2; extra++)
      check_tiff (&(WriterTiff) { orientation & 1, FALSE, FALSE, 8, FALSE, 2, extra, orientation });
}

static void
test_tiff_cmyk (void)
{
  WriterTiff how = { FALSE, FALSE, FALSE, 8, FALSE, 5, -1, 0 };
  g_autoptr(GBytes) bytes = writer_tiff (colors, &how);
  g_autoptr(SlPicture) picture = decode (bytes, "cmyk.tiff");

  assert_colors (picture, colors, FALSE, 0, 0);
}

/* What the loader cannot read is not called damaged. */
static void
test_tiff_unsupported (void)
{
  for (int big = 0; big <= 1; big++)
    for (int floating = 0; floating <= 1; floating++)
      {
        WriterTiff how = { FALSE, big, FALSE, 32, floating, 2, -1, 0 };
        g_autoptr(GBytes) bytes = writer_tiff (colors, &how);
        g_autoptr(GError) error = NULL;

        g_assert_null (sl_picture_new_from_bytes (bytes, "wide.tiff", NULL, &error));
        g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT);
        g_assert_nonnull (strstr (error->message, "this kind of TIFF"));
        g_assert_nonnull (strstr (error->message, "32"));
      }
}

/* Cut anywhere: no read beyond the end, and nothing worse than an error. */
static void
test_tiff_cut (void)
{
  for (int big = 0; big <= 1; big++)
    {
      WriterTiff how = { FALSE, big, FALSE, 8, FALSE, 2, 2, 6 };
      g_autoptr(GBytes) whole = writer_tiff (colors, &how);

      for (gsize n = 1; n < g_bytes_get_size (whole); n++)
        {
          g_autofree guint8 *copy = g_memdup2 (g_bytes_get_data (whole, NULL), n);
          g_autoptr(GBytes) part = g_bytes_new_static (copy, n);
          g_autoptr(GError) error = NULL;
          g_autoptr(SlPicture) picture = sl_picture_new_from_bytes (part, "cut.tiff", NULL, &error);

          g_assert_true ((picture == NULL) == (error != NULL));
        }
    }
}

/* ------------------------------------------------------------------------------------------------ JPEG */

static void
test_jpeg (void)
{
  const WriterPixel color = { 180, 100, 90, 200 };
  /* JFIF: R = Y + 1.402 (Cr − 128), and so on; CMYK as the loader turns it into RGB: each ink's share of the black's. */
  const guint8 want[][3] = {
    [1] = { 180, 180, 180 },
    [3] = { 180 + 1.402 * (90 - 128), 180 - 0.344136 * (100 - 128) - 0.714136 * (90 - 128), 180 + 1.772 * (100 - 128) },
    [4] = { 180 * 200 / 255, 100 * 200 / 255, 90 * 200 / 255 },
  };
  static const int components[] = { 1, 3, 4 };

  for (guint i = 0; i < G_N_ELEMENTS (components); i++)
    {
      g_autofree char *name = g_strdup_printf ("%d components", components[i]);
      g_autoptr(GBytes) bytes = writer_jpeg (&color, components[i]);
      g_autoptr(SlPicture) picture = decode (bytes, name);

      for (int at = 0; at < 8; at++)
        assert_pixel (picture, at, 7 - at, want[components[i]], 1);
      g_assert_false (sl_picture_get_transparent (picture));
    }
}

/* Segments behind the start mark, with these orientations. */
static GBytes *
jpeg_with_exif (const int *orientations,
                gboolean   is_long)
{
  static const WriterPixel color = { 1, 2, 3, 4 };
  g_autoptr(GBytes) plain = writer_jpeg (&color, 3);
  GByteArray *jpeg = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (plain, &size);

  g_byte_array_append (jpeg, data, 2);
  for (int i = 0; i < 2 && orientations[i] != -1; i++)
    {
      g_autoptr(GByteArray) exif = writer_exif (orientations[i], is_long);

      g_byte_array_append (jpeg, (const guint8[]) { 0xff, 0xe1, 0, 8 + exif->len, 'E', 'x', 'i', 'f', 0, 0 }, 10);
      g_byte_array_append (jpeg, exif->data, exif->len);
    }
  g_byte_array_append (jpeg, data + 2, size - 2);
  return g_byte_array_free_to_bytes (jpeg);
}

/* Where readers differ: see docs/pictures.md. */
static void
test_exif_oddities (void)
{
  static const struct
  {
    int      orientations[2];
    gboolean is_long, turned;
  } odd[] = {
    { { 6, -1 }, FALSE, TRUE },
    { { 1, 6 }, FALSE, TRUE },
    { { 6, 1 }, FALSE, FALSE },
    { { 6, -1 }, TRUE, FALSE },
    { { 9, -1 }, FALSE, FALSE },
    { { 0, -1 }, FALSE, FALSE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (odd); i++)
    {
      g_autoptr(GBytes) bytes = jpeg_with_exif (odd[i].orientations, odd[i].is_long);
      g_autoptr(SlPicture) picture = decode (bytes, "odd.jpg");

      g_assert_cmpint (sl_picture_get_turned (picture), ==, odd[i].turned);
    }
}

/* ------------------------------------------------------------------------------------------------ AVIF and HEIC */

static SlPicture *
load (const char *name)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "pictures", name, NULL);
  g_autoptr(GFile) file = g_file_new_for_path (path);
  g_autoptr(GError) error = NULL;
  SlPicture *picture = sl_picture_new_from_file (file, NULL, &error);

  g_assert_no_error (error);
  return picture;
}

/* 48 × 32 quadrants red, green / blue, yellow; a quarter turn to the left, a mirror. */
static void
test_heif_orientation (void)
{
  static const struct
  {
    const char *name;
    gboolean    upended;
    guint8      corners[4][3];
  } files[] = {
    { "turned-irot1.avif", TRUE, { { 0, 255, 0 }, { 255, 255, 0 }, { 255, 0, 0 }, { 0, 0, 255 } } },
    { "mirrored-imir1.avif", FALSE, { { 0, 255, 0 }, { 255, 0, 0 }, { 255, 255, 0 }, { 0, 0, 255 } } },
  };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autoptr(SlPicture) picture = load (files[i].name);
      int width = sl_picture_get_width (picture), height = sl_picture_get_height (picture);

      g_assert_cmpint (width, ==, files[i].upended ? 32 : 48);
      g_assert_cmpint (height, ==, files[i].upended ? 48 : 32);
      for (int c = 0; c < 4; c++)
        assert_pixel (picture, c % 2 ? width - 2 : 1, c / 2 ? height - 2 : 1, files[i].corners[c], 20);
    }
}

/* White, transparent to a quarter from the middle on; straight and multiplied. */
static void
test_heif_alpha (void)
{
  static const char *const names[] = { "alpha-straight.avif", "alpha-multiplied.avif" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr(SlPicture) picture = load (names[i]);

      assert_pixel (picture, 4, 8, (guint8[]) { 255, 255, 255 }, 6);
      assert_pixel (picture, 27, 8, (guint8[]) { 255, 255, 255 }, 6);
      g_assert_true (sl_picture_get_transparent (picture));
    }
}

/* ------------------------------------------------------------------------------------------------ drawings */

#define SVG_HEAD "<svg xmlns='http://www.w3.org/2000/svg' "

/* A red square from 20, 30 to 60, 70: where it lies and what is seen of it says whether the origin was kept. */
static void
test_svg_size (void)
{
  static const struct
  {
    const char *attributes;
    int         width, height;
  } sizes[] = {
    { "", 300, 150 },
    { "width='80'", 80, 150 },
    { "height='80'", 300, 80 },
    { "width='100%' height='100%'", 300, 150 },
    { "width = ' 50% '\nheight=\"90\"", 300, 90 },
    { "height='auto' width='auto'", 300, 150 },
    { "width='' height=''", 300, 150 },
    { "width='+90' height='.9e2'", 90, 90 },
    { "width='1in' height='90px'", 90, 90 }, /* 90 dots an inch, as gdk-pixbuf has it; an export draws the same pixels */
    { "data-width='7' width='90' height='90'", 90, 90 },
    { "viewBox='0 0 100 80'", 100, 80 },
    { "viewBox='0 0 100 80' width='100%' height='100%'", 100, 80 },
    { "viewBox='0 0 100 80' width='200'", 200, 160 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *text = g_strdup_printf ("<?xml version='1.0'?>\n<!-- <svg> -->" SVG_HEAD
                                               "%s><rect x='20' y='30' width='40' height='40' fill='#f00'/></svg>",
                                               sizes[i].attributes);
      g_autoptr(GBytes) bytes = g_bytes_new (text, strlen (text));
      g_autoptr(SlPicture) picture = decode (bytes, sizes[i].attributes);
      int scale = sizes[i].width == 200 ? 2 : 1;

      g_assert_cmpint (sl_picture_get_width (picture), ==, sizes[i].width);
      g_assert_cmpint (sl_picture_get_height (picture), ==, sizes[i].height);
      assert_pixel (picture, 18 * scale, 50 * scale, (guint8[]) { 255, 255, 255 }, 0);
      assert_pixel (picture, 22 * scale, 32 * scale, (guint8[]) { 255, 0, 0 }, 0);
      assert_pixel (picture, 58 * scale, 68 * scale, (guint8[]) { 255, 0, 0 }, 0);
    }
}

/* A prefix, and every cut: what is no whole tag is left as it is. */
static void
test_svg_edits (void)
{
  static const char text[] = "<s:svg xmlns:s='http://www.w3.org/2000/svg' height=\"3\" x = '>' width='%'/>";
  SlPictureEdit edits[2];

  g_assert_cmpuint (sl_picture_svg_size_edits (text, strlen (text), edits), ==, 1);
  g_assert_cmpuint (edits[0].at, ==, strstr (text, "'%'") + 1 - text);
  g_assert_cmpuint (edits[0].skip, ==, 1);
  for (gsize n = 0; n < strlen (text); n++)
    {
      g_autofree char *part = g_memdup2 (text, n);

      for (guint i = sl_picture_svg_size_edits (part, n, edits); i > 0; i--)
        g_assert_cmpuint (edits[i - 1].at + edits[i - 1].skip, <=, n);
    }
}

/* ------------------------------------------------------------------------------------------------ what loaders do themselves */

/* The loader of AVIF turns pictures by itself, the one of PNG does not read what their orientation is. */
static void
test_loader_turns (void)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "pictures", "turned-irot1.avif", NULL);
  g_autofree char *avif = NULL;
  gsize size;
  g_autoptr(GBytes) upright = writer_png (colors, &(WriterPng) { 8, 2, 0 });

  g_assert_true (g_file_get_contents (path, &avif, &size, NULL));
  g_assert_true (sl_picture_loader_turns_this ("image/avif", (const guint8 *) avif, size));
  g_assert_false (sl_picture_loader_turns_this ("image/png", g_bytes_get_data (upright, NULL), g_bytes_get_size (upright)));
  g_assert_false (sl_picture_loader_turns_this ("image/png", (const guint8 *) avif, size));
  g_assert_false (sl_picture_loader_turns (SL_PICTURE_FORMAT_JPEG));
}

/* ------------------------------------------------------------------------------------------------ on white */

/* Alpha to 255 of each channel, rounded to the nearest. */
static void
test_on_white (void)
{
  const WriterPixel want[4] = { { 200, 100, 50, 255 }, { 132, 137, 142, 255 }, { 255, 255, 255, 255 }, { 191, 255, 206, 255 } };
  g_autoptr(GBytes) png = writer_png (colors, &(WriterPng) { 8, 6, 6 });
  g_autoptr(GBytes) tiff = writer_tiff (colors, &(WriterTiff) { FALSE, FALSE, FALSE, 8, FALSE, 2, 2, 6 });
  GBytes *files[] = { png, tiff };

  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      g_autoptr(SlPicture) picture = decode (files[i], "logo");
      g_autoptr(GError) error = NULL;
      g_autoptr(SlPicture) on_white = sl_picture_new_on_white (picture, NULL, &error);
      g_autoptr(SlPicture) again = NULL;
      g_autoptr(SlPicture) twice = NULL;

      g_assert_no_error (error);
      assert_colors (on_white, want, FALSE, 6, 0);
      g_assert_false (sl_picture_get_on_white (picture));
      g_assert_true (sl_picture_get_on_white (on_white));
      g_assert_false (sl_picture_get_transparent (on_white));
      g_assert_false (sl_picture_get_turned (on_white));
      g_assert_cmpstr (sl_picture_get_name (on_white), ==, "logo");
      g_assert_cmpstr (sl_picture_get_mime_type (on_white), ==, "image/png");
      g_assert_cmpstr (sl_picture_get_sha256 (on_white), !=, sl_picture_get_sha256 (picture));

      /* Stored and read again it is the same, and says so. */
      again = decode (sl_picture_get_bytes (on_white), "again");
      assert_colors (again, want, FALSE, 6, 0);
      g_assert_true (sl_picture_get_on_white (again));
      g_assert_cmpstr (sl_picture_get_sha256 (again), ==, sl_picture_get_sha256 (on_white));
      twice = sl_picture_new_on_white (again, NULL, &error);
      g_assert_true (twice == again);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/picture-matrix/png", test_png);
  g_test_add_func ("/picture-matrix/bmp", test_bmp);
  g_test_add_func ("/picture-matrix/tiff", test_tiff);
  g_test_add_func ("/picture-matrix/tiff-cmyk", test_tiff_cmyk);
  g_test_add_func ("/picture-matrix/tiff-unsupported", test_tiff_unsupported);
  g_test_add_func ("/picture-matrix/tiff-cut", test_tiff_cut);
  g_test_add_func ("/picture-matrix/jpeg", test_jpeg);
  g_test_add_func ("/picture-matrix/exif-oddities", test_exif_oddities);
  g_test_add_func ("/picture-matrix/heif-orientation", test_heif_orientation);
  g_test_add_func ("/picture-matrix/heif-alpha", test_heif_alpha);
  g_test_add_func ("/picture-matrix/svg-size", test_svg_size);
  g_test_add_func ("/picture-matrix/svg-edits", test_svg_edits);
  g_test_add_func ("/picture-matrix/loader-turns", test_loader_turns);
  g_test_add_func ("/picture-matrix/on-white", test_on_white);

  return g_test_run ();
}
