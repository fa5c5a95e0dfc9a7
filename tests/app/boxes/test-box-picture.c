/* SPDX-License-Identifier: MIT
 *
 * Drawn pictures as files: sides past what a cairo image may have, which JPEG files a document may hold as they are, and what becomes of
 * a colour profile. Oracle: the pixels of the test's own picture, found again in the PNG and in the pictures inside of the SVG; the
 * words of the PDF; the profile that the test wrote.
 */
#include "app/boxes/sl-box-picture.h"

#include <string.h>

#include <glib/gstdio.h>

#include "tests/app/pictures/picture-writers.h"

#define LONG_SIDE  70001
#define SHORT_SIDE 5

static SlPicture *
create_ramp (int width,
             int height)
{
  g_autofree guint8 *rgba = g_malloc ((gsize) width * height * 4);
  g_autoptr(GError) error = NULL;
  SlPicture *picture;

  for (int i = 0; i < width * height; i++)
    {
      rgba[4 * i] = (i % width + i / width) % 251;
      rgba[4 * i + 1] = (i % width + i / width) / 251;
      rgba[4 * i + 2] = 7;
      rgba[4 * i + 3] = 255;
    }
  picture = sl_picture_new_from_rgba (rgba, width, height, (gsize) width * 4, "ramp", &error);
  g_assert_no_error (error);

  return picture;
}

/* Writes the picture and gives back what is in the file. */
static char *
write_picture (SlPicture          *picture,
               const SlPaintBox   *box,
               SlBoxPictureFormat  format,
               gsize              *size)
{
  g_autoptr (SlOutputs) outputs = sl_outputs_new (TRUE);
  g_autofree char *dir = g_dir_make_tmp ("sl-box-picture-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "out", NULL);
  g_autoptr(GError) error = NULL;
  char *content = NULL;

  g_assert_true (sl_box_picture_write (picture, box, box != NULL ? 1 : 0, NULL, format, outputs, path, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &content, size, &error));
  g_unlink (path);
  g_rmdir (dir);

  return content;
}

static SlPicture *
decode (const void *data,
        gsize       size)
{
  g_autoptr(GBytes) bytes = g_bytes_new (data, size);
  g_autoptr(GError) error = NULL;
  SlPicture *picture = sl_picture_new_from_bytes (bytes, "written", NULL, &error);

  g_assert_no_error (error);
  return picture;
}

/* Both pictures from so far on, as far as `part` goes. */
static void
assert_same (SlPicture *whole,
             SlPicture *part,
             int        x,
             int        y)
{
  for (int row = 0; row < sl_picture_get_height (part); row++)
    g_assert_cmpmem (sl_picture_get_rgb (whole) + (y + row) * sl_picture_get_stride (whole) + 3 * x, 3 * sl_picture_get_width (part),
                     sl_picture_get_rgb (part) + row * sl_picture_get_stride (part), 3 * sl_picture_get_width (part));
}

static void
test_long_png (gconstpointer upended)
{
  g_autoptr(SlPicture) picture = upended ? create_ramp (SHORT_SIDE, LONG_SIDE) : create_ramp (LONG_SIDE, SHORT_SIDE);
  gsize size;
  g_autofree char *plain = write_picture (picture, NULL, SL_BOX_PICTURE_PNG, &size);
  g_autoptr(SlPicture) read = decode (plain, size);
  /* A box around the last pixels is drawn on them, and on nothing far away from them. */
  SlPaintBox box = { .x1 = upended ? 1 : LONG_SIDE - 60, .y1 = upended ? LONG_SIDE - 60 : 1, .number = 0, .label = NULL };
  g_autofree char *boxed = NULL;
  g_autoptr(SlPicture) drawn = NULL;
  gsize last;

  g_assert_cmpint (sl_picture_get_width (read), ==, sl_picture_get_width (picture));
  g_assert_cmpint (sl_picture_get_height (read), ==, sl_picture_get_height (picture));
  assert_same (picture, read, 0, 0);

  box.x2 = upended ? SHORT_SIDE - 1 : LONG_SIDE - 3;
  box.y2 = upended ? LONG_SIDE - 3 : SHORT_SIDE - 1;
  boxed = write_picture (picture, &box, SL_BOX_PICTURE_PNG, &size);
  drawn = decode (boxed, size);
  last = (SHORT_SIDE / 2) * (upended ? 3 : sl_picture_get_stride (drawn)) +
         (gsize) (LONG_SIDE - 3) * (upended ? sl_picture_get_stride (drawn) : 3);
  g_assert_cmpint (sl_picture_get_rgb (drawn)[last + 2], !=, 7);
  for (int i = 0; i < LONG_SIDE / 2; i++)
    g_assert_cmpint (sl_picture_get_rgb (drawn)[i * (upended ? sl_picture_get_stride (drawn) : 3) + 2], ==, 7);
}

/* Each picture inside, in its order, holds the pixels that come next. */
static void
test_long_svg (gconstpointer upended)
{
  static const char mark[] = "data:image/png;base64,";
  g_autoptr(SlPicture) picture = upended ? create_ramp (SHORT_SIDE, LONG_SIDE) : create_ramp (LONG_SIDE, SHORT_SIDE);
  gsize size;
  g_autofree char *svg = write_picture (picture, NULL, SL_BOX_PICTURE_SVG, &size);
  int at = 0, covered = 0;

  for (const char *p = svg; (p = strstr (p, mark)) != NULL;)
    {
      g_autofree char *text = g_strndup (p + strlen (mark), strcspn (p + strlen (mark), "\"'"));
      gsize n;
      g_autofree guchar *png = g_base64_decode (text, &n);
      g_autoptr(SlPicture) piece = decode (png, n);
      int side = upended ? sl_picture_get_height (piece) : sl_picture_get_width (piece);

      g_assert_cmpint (side, <=, 32767);
      assert_same (picture, piece, upended ? 0 : at, upended ? at : 0);
      covered = at + side;
      at += side - 1; /* they overlap by one */
      p += strlen (mark);
    }
  g_assert_cmpint (covered, ==, LONG_SIDE);
}

/* The widths, or heights, of the pictures of a PDF, added up. */
static void
test_long_pdf (gconstpointer upended)
{
  g_autoptr(SlPicture) picture = upended ? create_ramp (SHORT_SIDE, LONG_SIDE) : create_ramp (LONG_SIDE, SHORT_SIDE);
  const char *key = upended ? "/Height " : "/Width ";
  gsize size;
  g_autofree char *pdf = write_picture (picture, NULL, SL_BOX_PICTURE_PDF, &size);
  int covered = 0, n = 0;

  for (const char *p = pdf; (p = memmem (p, pdf + size - p, key, strlen (key))) != NULL; n++)
    {
      p += strlen (key);
      covered += atoi (p);
    }
  g_assert_cmpint (n, >=, 3);
  g_assert_cmpint (covered - (n - 1), ==, LONG_SIDE);
}

static void
test_long_mark (void)
{
  g_autoptr(SlPicture) picture = create_ramp (LONG_SIDE, SHORT_SIDE);
  g_autoptr(GError) error = NULL;
  g_autoptr(SlPicture) marked = sl_box_picture_mark (picture, &(cairo_rectangle_t) { LONG_SIDE - 400, 0, 200, 5 }, "marked", &error);
  const guint8 *line;

  g_assert_no_error (error);
  line = sl_picture_get_rgb (marked) + 2 * sl_picture_get_stride (marked) + 3 * (LONG_SIDE - 400);
  g_assert_cmpmem (line, 3, ((guint8[]) { 255, 0, 0 }), 3);
  g_assert_cmpmem (sl_picture_get_rgb (marked), 3000, sl_picture_get_rgb (picture), 3000);
}

/* A document holds a JPEG as it is where every reader shows it alike, and pixels of the same colour where not. */
static void
test_jpeg_inside (void)
{
  static const int components[] = { 1, 3, 4 };
  const WriterPixel color = { 180, 100, 90, 200 };

  for (guint i = 0; i < G_N_ELEMENTS (components); i++)
    {
      g_autoptr(GBytes) bytes = writer_jpeg (&color, components[i]);
      g_autoptr(GError) error = NULL;
      g_autoptr(SlPicture) picture = sl_picture_new_from_bytes (bytes, "photo.jpg", NULL, &error);
      gsize size, jpeg_size;
      const void *jpeg = g_bytes_get_data (bytes, &jpeg_size);
      g_autofree char *pdf = write_picture (picture, NULL, SL_BOX_PICTURE_PDF, &size);
      gboolean inside = memmem (pdf, size, jpeg, jpeg_size) != NULL;
      g_autofree char *svg = write_picture (picture, NULL, SL_BOX_PICTURE_SVG, &size);

      g_assert_cmpint (inside, ==, components[i] != 4);
      g_assert_cmpint (strstr (svg, "image/jpeg") != NULL, ==, components[i] != 4);
    }
}

/* A header without tags (ICC.1, 7.2), of a display with this colour space; behind it bytes that do not get smaller when they are
 * packed, as libpng takes no chunk that is shorter than a header. */
#define PROFILE_BYTES 400

static void
make_profile (const char *space,
              guint8      profile[PROFILE_BYTES])
{
  static const guint8 white[] = { 0, 0, 0xf6, 0xd6, 0, 1, 0, 0, 0, 0, 0xd3, 0x2d }; /* D50 */

  memset (profile, 0, PROFILE_BYTES);
  for (guint i = 132, noise = 1; i < PROFILE_BYTES; i++)
    profile[i] = (noise = noise * 1664525 + 1013904223) >> 24;
  profile[2] = PROFILE_BYTES >> 8;
  profile[3] = PROFILE_BYTES & 255;
  profile[8] = 4;
  memcpy (profile + 12, "mntr", 4);
  memcpy (profile + 16, space, 4);
  memcpy (profile + 20, "XYZ ", 4);
  memcpy (profile + 36, "acsp", 4);
  memcpy (profile + 68, white, sizeof white);
}

static GBytes *
insert (GBytes       *file,
        gsize         at,
        const void   *head,
        gsize         head_size,
        const guint8 *body,
        gsize         body_size)
{
  GByteArray *all = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (file, &size);

  g_byte_array_append (all, data, at);
  g_byte_array_append (all, head, head_size);
  g_byte_array_append (all, body, body_size);
  g_byte_array_append (all, data + at, size - at);
  return g_byte_array_free_to_bytes (all);
}

static GBytes *
jpeg_with_profile (int         components,
                   const char *space)
{
  static const guint8 head[] = "\xff\xe2\x01\xa0ICC_PROFILE\0\x01\x01"; /* 2 + 14 + 400 bytes */
  const WriterPixel color = { 180, 100, 90, 200 };
  g_autoptr(GBytes) plain = writer_jpeg (&color, components);
  guint8 profile[PROFILE_BYTES];

  make_profile (space, profile);
  return insert (plain, 2, head, sizeof head - 1, profile, sizeof profile);
}

/* Behind the header of a PNG: the profile in a block that is stored. */
static GBytes *
png_with_profile (int orientation)
{
  const WriterPixel pixels[4] = { { 200, 100, 50, 255 }, { 10, 20, 30, 128 }, { 90, 180, 250, 255 }, { 0, 255, 60, 64 } };
  const WriterPng how = { 8, 6, orientation };
  g_autoptr(GBytes) plain = writer_png (pixels, &how);
  guint8 chunk[8 + 3 + 7 + PROFILE_BYTES + 4 + 4] = {
    0, 0, (sizeof chunk - 12) >> 8, (sizeof chunk - 12) & 255, 'i', 'C', 'C', 'P', 'p', 0, 0,
    0x78, 1, 1, PROFILE_BYTES & 255, PROFILE_BYTES >> 8, ~PROFILE_BYTES & 255, ~PROFILE_BYTES >> 8 & 255,
  };
  guint32 a = 1, b = 0;

  make_profile ("RGB ", chunk + 18);
  for (int i = 0; i < PROFILE_BYTES; i++)
    {
      a = (a + chunk[18 + i]) % 65521;
      b = (b + a) % 65521;
    }
  a = GUINT32_TO_BE (b << 16 | a); /* Adler-32 */
  memcpy (chunk + 18 + PROFILE_BYTES, &a, 4);
  a = GUINT32_TO_BE (writer_crc (chunk + 4, sizeof chunk - 8));
  memcpy (chunk + 22 + PROFILE_BYTES, &a, 4);
  return insert (plain, 33, "", 0, chunk, sizeof chunk);
}

static void
assert_profile (SlPicture  *picture,
                const char *space)
{
  GBytes *got = sl_picture_get_profile (picture);
  guint8 profile[PROFILE_BYTES];

  if (space != NULL)
    {
      make_profile (space, profile);
      g_assert_nonnull (got);
      g_assert_cmpmem (g_bytes_get_data (got, NULL), g_bytes_get_size (got), profile, sizeof profile);
    }
  else
    g_assert_null (got);
}

/* Nothing is computed with a profile; one of red, green and blue goes along into every PNG, and no other one does. */
static void
test_profile (void)
{
  static const struct
  {
    int components;
    const char *in_file, *kept;
  } cases[] = { { 3, "RGB ", "RGB " }, { 1, "GRAY", NULL }, { 4, "CMYK", NULL }, { 3, "GRAY", NULL } };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GBytes) bytes = jpeg_with_profile (cases[i].components, cases[i].in_file);
      const WriterPixel color = { 180, 100, 90, 200 };
      g_autoptr(GBytes) plain = writer_jpeg (&color, cases[i].components);
      g_autoptr(SlPicture) picture = decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
      g_autoptr(SlPicture) without = decode (g_bytes_get_data (plain, NULL), g_bytes_get_size (plain));
      gsize size;
      g_autofree char *png = write_picture (picture, NULL, SL_BOX_PICTURE_PNG, &size);
      g_autoptr(SlPicture) written = decode (png, size);

      assert_same (without, picture, 0, 0);
      assert_same (picture, written, 0, 0);
      assert_profile (picture, cases[i].kept);
      assert_profile (written, cases[i].kept);
      assert_profile (without, NULL);
    }
}

/* Whatever is made of a picture: turned, cut, marked, laid on white. */
static void
test_profile_of_parts (void)
{
  const cairo_rectangle_t area = { 0, 0, 1, 2 };
  g_autoptr(GBytes) bytes = png_with_profile (6);
  g_autoptr(SlPicture) picture = decode (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  g_autoptr(SlPicture) crop = sl_box_picture_crop (picture, &area, "crop", NULL);
  g_autoptr(SlPicture) mark = sl_box_picture_mark (picture, &area, "mark", NULL);
  g_autoptr(SlPicture) white = sl_picture_new_on_white (picture, NULL, NULL);
  SlPicture *const made[] = { picture, crop, mark, white };

  g_assert_true (sl_picture_get_turned (picture));
  for (guint i = 0; i < G_N_ELEMENTS (made); i++)
    {
      GBytes *kept = sl_picture_get_bytes (made[i]);
      g_autoptr(SlPicture) again = decode (g_bytes_get_data (kept, NULL), g_bytes_get_size (kept));

      assert_profile (made[i], "RGB ");
      assert_profile (again, "RGB ");
      assert_same (made[i], again, 0, 0);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_data_func ("/box-picture/wide-png", NULL, test_long_png);
  g_test_add_data_func ("/box-picture/tall-png", "tall", test_long_png);
  g_test_add_data_func ("/box-picture/wide-svg", NULL, test_long_svg);
  g_test_add_data_func ("/box-picture/tall-svg", "tall", test_long_svg);
  g_test_add_data_func ("/box-picture/wide-pdf", NULL, test_long_pdf);
  g_test_add_data_func ("/box-picture/tall-pdf", "tall", test_long_pdf);
  g_test_add_func ("/box-picture/long-mark", test_long_mark);
  g_test_add_func ("/box-picture/jpeg-inside", test_jpeg_inside);
  g_test_add_func ("/box-picture/profile", test_profile);
  g_test_add_func ("/box-picture/profile-of-parts", test_profile_of_parts);

  return g_test_run ();
}
