/* SPDX-License-Identifier: MIT
 *
 * Drawn pictures as files: sides past what a cairo image may have, and which JPEG files a document may hold as they are. Oracle: the
 * pixels of the test's own picture, found again in the PNG and in the pictures inside of the SVG; the words of the PDF.
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

  return g_test_run ();
}
