/* SPDX-License-Identifier: MIT
 *
 * SlPicture: formats, alpha, limits, damage, what is no picture, the pool. Orientation, drawings and the matrix of all that a format
 * can be have tests of their own.
 */
#include "tests/app/pictures/picture-test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

#include "app/pictures/sl-picture-format.h"

/* Lossy codecs: chroma of saturated colours is off by a few levels at this quality; wrong channel order is off by 255. */
static const struct
{
  const char *name, *mime_type, *extension;
  int         tolerance;
} formats[] = {
  { "quadrants.png", "image/png", "png", 0 },
  { "quadrants.jpg", "image/jpeg", "jpg", 3 },
  { "progressive.jpg", "image/jpeg", "jpg", 3 },
  { "quadrants.bmp", "image/bmp", "bmp", 0 },
  { "quadrants.tiff", "image/tiff", "tiff", 0 },
  { "quadrants.webp", "image/webp", "webp", 0 },
  { "quadrants.avif", "image/avif", "avif", 20 },
  { "quadrants.heic", "image/heic", "heic", 20 },
  { "animated.gif", "image/gif", "gif", 0 },
};

static void
test_formats (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      g_autoptr(SlPicture) picture = load (formats[i].name);
      g_autoptr(GBytes) bytes = fixture_bytes (formats[i].name);
      g_autofree char *sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);

      assert_quadrants (picture, formats[i].tolerance);
      g_assert_cmpstr (sl_picture_get_mime_type (picture), ==, formats[i].mime_type);
      g_assert_cmpstr (sl_picture_get_extension (picture), ==, formats[i].extension);
      g_assert_cmpstr (sl_picture_get_name (picture), ==, formats[i].name);
      g_assert_cmpstr (sl_picture_get_sha256 (picture), ==, sha256);
      g_assert_true (g_bytes_equal (sl_picture_get_bytes (picture), bytes));
      g_assert_cmpuint (g_bytes_get_size (sl_picture_get_rgb_bytes (picture)), >=,
                        (H - 1) * sl_picture_get_stride (picture) + 3 * W);
    }
}

/* The name a file has says nothing about what it is. */
static void
test_wrong_extension (void)
{
  g_autoptr(GBytes) bytes = fixture_bytes ("quadrants.webp");
  g_autoptr(GError) error = NULL;
  g_autoptr(SlPicture) picture = sl_picture_new_from_bytes (bytes, "photo.png", NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (sl_picture_get_mime_type (picture), ==, "image/webp");
}

static void
test_alpha_is_dropped (void)
{
  g_autoptr(SlPicture) rgba = load ("transparent.png");
  g_autoptr(SlPicture) grey = load ("grey-alpha.png");

  assert_pixel (rgba, 0, 0, (guint8[]) { 10, 20, 30 }, 0);
  assert_pixel (rgba, 1, 0, (guint8[]) { 200, 100, 50 }, 0);
  assert_pixel (grey, 0, 0, (guint8[]) { 10, 10, 10 }, 0);
  assert_pixel (grey, 2, 0, (guint8[]) { 77, 77, 77 }, 0);
}

static void
test_sixteen_bit (void)
{
  g_autoptr(SlPicture) picture = load ("sixteen-bit.png");

  /* Scaling from 65535 to 255 and cutting off the low byte differ by at most one level. */
  assert_pixel (picture, 0, 0, (guint8[]) { 0x12, 0xab, 0x00 }, 1);
  assert_pixel (picture, 1, 0, (guint8[]) { 0xff, 0x00, 0x7f }, 1);
}

static void
test_pixel_limit (void)
{
  SlPictureLimits limits = sl_picture_default_limits;

  limits.max_pixels = W * H - 1;
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      g_autoptr(GBytes) bytes = fixture_bytes (formats[i].name);
      g_autoptr(GError) error = NULL;

      g_assert_null (sl_picture_new_with_limits (bytes, formats[i].name, &limits, NULL, &error));
      g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE);
      g_assert_nonnull (strstr (error->message, formats[i].name));
    }

  /* The heic header also announces the coded size, 64 × 64, and the larger one counts. */
  limits.max_pixels = 64 * 64;
  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      g_autoptr(GBytes) bytes = fixture_bytes (formats[i].name);
      g_autoptr(SlPicture) picture = sl_picture_new_with_limits (bytes, formats[i].name, &limits, NULL, NULL);

      g_assert_nonnull (picture);
    }
}

/* 400 megapixels that are not there: refused before anything of that size is allocated. */
static void
test_huge_header (void)
{
  g_autoptr(GFile) file = fixture ("huge-header.png");
  g_autoptr(GError) error = NULL;

  g_assert_null (sl_picture_new_from_file (file, NULL, &error));
  g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE);
  g_assert_nonnull (strstr (error->message, "400.0"));
}

static void
test_byte_limit (void)
{
  SlPictureLimits limits = sl_picture_default_limits;
  g_autoptr(GBytes) bytes = fixture_bytes ("quadrants.bmp");
  g_autoptr(GError) error = NULL;

  limits.max_bytes = g_bytes_get_size (bytes) - 1;
  g_assert_null (sl_picture_new_with_limits (bytes, "quadrants.bmp", &limits, NULL, &error));
  g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE);
}

static void
ignore_log (const char     *domain,
            GLogLevelFlags  level,
            const char     *message,
            gpointer        user_data)
{
}

/* Cut anywhere, a picture is refused, or all its pixels are there (what is missing may be metadata or a second frame).
 * The heif loader says so on the log as well. */
static void
test_truncated (void)
{
  GLogFunc before = g_log_set_default_handler (ignore_log, NULL);
  GLogLevelFlags fatal = g_log_set_always_fatal (G_LOG_FATAL_MASK);

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      g_autoptr(GBytes) whole = fixture_bytes (formats[i].name);
      gsize size = g_bytes_get_size (whole);

      for (int part = 1; part < 20; part++)
        {
          g_autoptr(GBytes) cut = g_bytes_new_from_bytes (whole, 0, size * part / 20);
          g_autoptr(GError) error = NULL;
          g_autoptr(SlPicture) picture = NULL;

          picture = sl_picture_new_from_bytes (cut, formats[i].name, NULL, &error);
          if (picture != NULL)
            assert_quadrants (picture, formats[i].tolerance);
          else
            g_assert_nonnull (strstr (error->message, formats[i].name));
        }
    }

  g_log_set_always_fatal (fatal);
  g_log_set_default_handler (before, NULL);
}

/* Some cameras leave the end mark out. All pixels are there, whatever is missing of the mark, and exports ship them otherwise; a byte
 * less, and the last block is not. Of several scans the later ones may be missing. */
static void
test_without_end_mark (void)
{
  static const struct
  {
    const char *name;
    gsize less;
    gboolean opens;
  } cases[] = {
    { "quadrants.jpg", 0, TRUE }, { "quadrants.jpg", 1, TRUE }, { "quadrants.jpg", 2, TRUE },
    { "quadrants.jpg", 3, FALSE }, { "quadrants.jpg", 4, FALSE }, { "quadrants.jpg", 40, FALSE },
    { "progressive.jpg", 2, FALSE },
  };
  g_autoptr(SlPicture) whole = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(GBytes) bytes = fixture_bytes (cases[i].name);
      gsize size = g_bytes_get_size (bytes) - cases[i].less;
      g_autoptr(GBytes) cut = g_bytes_new_from_bytes (bytes, 0, size);
      g_autoptr(GError) error = NULL;
      g_autoptr(SlPicture) picture = sl_picture_new_from_bytes (cut, cases[i].name, NULL, &error);

      g_assert_cmpint (picture != NULL, ==, cases[i].opens);
      if (picture == NULL)
        {
          g_assert_nonnull (strstr (error->message, cases[i].name));
          continue;
        }
      if (whole == NULL)
        g_set_object (&whole, picture);
      for (int y = 0; y < sl_picture_get_height (whole); y++)
        g_assert_cmpmem (sl_picture_get_rgb (picture) + (gsize) y * sl_picture_get_stride (picture), 3 * sl_picture_get_width (picture),
                         sl_picture_get_rgb (whole) + (gsize) y * sl_picture_get_stride (whole), 3 * sl_picture_get_width (whole));
      g_assert_cmpint (sl_picture_get_plain (picture), ==, cases[i].less == 0);
      g_assert_cmpuint (g_bytes_get_size (sl_picture_get_bytes (picture)), ==, size);
    }
}

static void
test_not_pictures (void)
{
  static const char *const texts[] = {
    "hello, this is a text file that calls itself a picture\n",
    "%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "<html><body><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/></body></html>",
    "P6 2 2 255\n............",
    "GIF8",
    "\xff\xd8",
    "BM",
    "/* XPM */ static char *x[] = {\"1 1 1 1\", \"a c red\", \"a\"};",
    "<!-- <svg> --><nosvg/>",
    "<?xml",
    "<!DOCTYPE svg [",
    "    ftypxxxx0000",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr(GError) error = NULL;

      g_assert_null (decode_text (texts[i], "note.png", &error));
      g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT);
      g_assert_nonnull (strstr (error->message, "note.png"));
    }

  g_autoptr(GError) error = NULL;
  g_assert_null (decode_text ("", "empty.png", &error));
  g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT);
}

static void
test_not_files (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sl-picture-XXXXXX", NULL);
  g_autofree char *pipe_path = g_build_filename (dir, "pipe.png", NULL);
  const char *paths[] = { dir, pipe_path, "/dev/null/\xff.png" };

  g_assert_cmpint (mkfifo (pipe_path, 0600), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      g_autoptr(GFile) file = g_file_new_for_path (paths[i]);
      g_autoptr(GError) error = NULL;

      g_assert_null (sl_picture_new_from_file (file, NULL, &error));
      g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_READ);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }

  g_unlink (pipe_path);
  g_rmdir (dir);
}

static void
on_loaded (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SlPicture) picture = sl_picture_new_finish (result, &error);
  guint *left = user_data;

  g_assert_no_error (error);
  assert_quadrants (picture, 20);
  (*left)--;
}

static void
on_refused (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr(GError) error = NULL;
  guint *left = user_data;

  g_assert_null (sl_picture_new_finish (result, &error));
  g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT);
  (*left)--;
}

static void
test_pool (void)
{
  g_autoptr(GBytes) text = g_bytes_new_static ("text", 4);
  guint left = 0;

  for (int round = 0; round < 5; round++)
    {
      for (guint i = 0; i < G_N_ELEMENTS (formats); i++, left++)
        {
          g_autoptr(GFile) file = fixture (formats[i].name);

          sl_picture_new_from_file_async (file, NULL, on_loaded, &left);
        }
      sl_picture_new_from_bytes_async (text, "a.png", NULL, on_refused, &left);
      left++;
    }

  while (left > 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_raw_pixels (void)
{
  /* Two rows of two pixels and padding that must not be read as pixels. */
  static const guint8 rgba[] = {
    1, 2, 3, 255, 4, 5, 6, 0, 99, 99, 99, 99,
    7, 8, 9, 128, 250, 251, 252, 255, 99, 99, 99, 99,
  };
  g_autoptr(GError) error = NULL;
  g_autoptr(SlPicture) picture = sl_picture_new_from_rgba (rgba, 2, 2, 12, "Dropped picture", &error);
  g_autoptr(SlPicture) again = NULL;
  g_autoptr(GInputStream) stream = NULL;
  g_autoptr(GdkPixbuf) pixbuf = NULL;

  g_assert_no_error (error);
  g_assert_cmpstr (sl_picture_get_mime_type (picture), ==, "image/png");
  assert_pixel (picture, 1, 0, (guint8[]) { 4, 5, 6 }, 0);
  assert_pixel (picture, 1, 1, (guint8[]) { 250, 251, 252 }, 0);

  again = sl_picture_new_from_bytes (sl_picture_get_bytes (picture), "again.png", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (sl_picture_get_sha256 (again), ==, sl_picture_get_sha256 (picture));
  for (int y = 0; y < 2; y++)
    for (int x = 0; x < 2; x++)
      assert_pixel (again, x, y, pixel (picture, x, y), 0);

  stream = g_memory_input_stream_new_from_bytes (sl_picture_get_bytes (picture));
  pixbuf = gdk_pixbuf_new_from_stream (stream, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (gdk_pixbuf_get_has_alpha (pixbuf));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/picture/formats", test_formats);
  g_test_add_func ("/picture/wrong-extension", test_wrong_extension);
  g_test_add_func ("/picture/alpha-is-dropped", test_alpha_is_dropped);
  g_test_add_func ("/picture/sixteen-bit", test_sixteen_bit);
  g_test_add_func ("/picture/pixel-limit", test_pixel_limit);
  g_test_add_func ("/picture/huge-header", test_huge_header);
  g_test_add_func ("/picture/byte-limit", test_byte_limit);
  g_test_add_func ("/picture/truncated", test_truncated);
  g_test_add_func ("/picture/without-end-mark", test_without_end_mark);
  g_test_add_func ("/picture/not-pictures", test_not_pictures);
  g_test_add_func ("/picture/not-files", test_not_files);
  g_test_add_func ("/picture/pool", test_pool);
  g_test_add_func ("/picture/raw-pixels", test_raw_pixels);

  return g_test_run ();
}
