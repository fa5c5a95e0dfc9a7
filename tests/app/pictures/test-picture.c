/* SPDX-License-Identifier: MIT
 *
 * SlPicture: formats, orientation, alpha, limits, damage, svg isolation, deadline, cancelling, the pool.
 * Oracle: pictures/ holds 48 × 32 quadrants red, green / blue, yellow, written by ImageMagick.
 */
#include "app/pictures/sl-picture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <sys/stat.h>

#include "app/pictures/sl-picture-format.h"

#define W 48
#define H 32

static const guint8 red[3] = { 255, 0, 0 }, green[3] = { 0, 255, 0 }, blue[3] = { 0, 0, 255 }, yellow[3] = { 255, 255, 0 };

static GFile *
fixture (const char *name)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "pictures", name, NULL);

  return g_file_new_for_path (path);
}

static GBytes *
fixture_bytes (const char *name)
{
  g_autoptr(GFile) file = fixture (name);
  g_autoptr(GError) error = NULL;
  GBytes *bytes = g_file_load_bytes (file, NULL, NULL, &error);

  g_assert_no_error (error);
  return bytes;
}

static SlPicture *
load (const char *name)
{
  g_autoptr(GFile) file = fixture (name);
  g_autoptr(GError) error = NULL;
  SlPicture *picture = sl_picture_new_from_file (file, NULL, &error);

  g_assert_no_error (error);
  return picture;
}

static SlPicture *
decode_text (const char  *text,
             const char  *name,
             GError     **error)
{
  g_autoptr(GBytes) bytes = g_bytes_new (text, strlen (text));

  return sl_picture_new_from_bytes (bytes, name, NULL, error);
}

static const guint8 *
pixel (SlPicture *picture,
       int        x,
       int        y)
{
  return sl_picture_get_rgb (picture) + y * sl_picture_get_stride (picture) + 3 * x;
}

static void
assert_pixel (SlPicture    *picture,
              int           x,
              int           y,
              const guint8 *want,
              int           tolerance)
{
  const guint8 *got = pixel (picture, x, y);

  for (int c = 0; c < 3; c++)
    {
      if (ABS (got[c] - want[c]) > tolerance)
        g_error ("%s: pixel %d,%d is %d,%d,%d, not %d,%d,%d", sl_picture_get_name (picture), x, y, got[0], got[1], got[2], want[0],
                 want[1], want[2]);
    }
}

static void
assert_quadrants (SlPicture *picture,
                  int        tolerance)
{
  g_assert_cmpint (sl_picture_get_width (picture), ==, W);
  g_assert_cmpint (sl_picture_get_height (picture), ==, H);
  assert_pixel (picture, 0, 0, red, tolerance);
  assert_pixel (picture, W - 1, 0, green, tolerance);
  assert_pixel (picture, 0, H - 1, blue, tolerance);
  assert_pixel (picture, W - 1, H - 1, yellow, tolerance);
}

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

/* A TIFF directory with one entry: 0x0112, short, the orientation. */
static GByteArray *
exif_of (int      orientation,
         gboolean big)
{
  const guint8 mm[] = { 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0 };
  const guint8 ii[] = { 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0 };
  GByteArray *exif = g_byte_array_new ();

  return g_byte_array_append (exif, big ? mm : ii, sizeof mm);
}

static void
append_word (GByteArray *array,
             guint32     word)
{
  g_byte_array_append (array, (const guint8 *) &word, sizeof word);
}

/* CRC-32 of PNG's appendix. */
static guint32
crc_of (const guint8 *data,
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

/* A segment behind the start mark. */
static GBytes *
held_jpeg (int orientation)
{
  g_autoptr(GBytes) plain = fixture_bytes ("quadrants.jpg");
  g_autoptr(GByteArray) exif = exif_of (orientation, TRUE);
  GByteArray *jpeg = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (plain, &size);

  g_byte_array_append (jpeg, data, 2);
  g_byte_array_append (jpeg, (const guint8[]) { 0xff, 0xe1, 0, 8 + exif->len, 'E', 'x', 'i', 'f', 0, 0 }, 10);
  g_byte_array_append (jpeg, exif->data, exif->len);
  g_byte_array_append (jpeg, data + 2, size - 2);
  return g_byte_array_free_to_bytes (jpeg);
}

/* A chunk behind the header's. */
static GBytes *
held_png (int orientation)
{
  g_autoptr(GBytes) plain = fixture_bytes ("quadrants.png");
  g_autoptr(GByteArray) exif = exif_of (orientation, TRUE);
  GByteArray *png = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (plain, &size);

  g_byte_array_prepend (exif, (const guint8 *) "eXIf", 4);
  g_byte_array_append (png, data, 33);
  append_word (png, GUINT32_TO_BE (exif->len - 4));
  g_byte_array_append (png, exif->data, exif->len);
  append_word (png, GUINT32_TO_BE (crc_of (exif->data, exif->len)));
  g_byte_array_append (png, data + 33, size - 33);
  return g_byte_array_free_to_bytes (png);
}

/* The extended form, with its chunk behind the picture's. */
static GBytes *
held_webp (int orientation)
{
  g_autoptr(GBytes) plain = fixture_bytes ("quadrants.webp");
  g_autoptr(GByteArray) exif = exif_of (orientation, FALSE);
  GByteArray *webp = g_byte_array_new ();
  gsize size;
  const guint8 *data = g_bytes_get_data (plain, &size);

  g_byte_array_append (webp, (const guint8 *) "RIFF", 4);
  append_word (webp, GUINT32_TO_LE ((guint32) (size - 8 + 18 + 8 + exif->len)));
  g_byte_array_append (webp, (const guint8 *) "WEBPVP8X\x0a\0\0\0\x08\0\0\0", 16);
  g_byte_array_append (webp, (const guint8[]) { W - 1, 0, 0, H - 1, 0, 0 }, 6);
  g_byte_array_append (webp, data + 12, size - 12);
  g_byte_array_append (webp, (const guint8 *) "EXIF", 4);
  append_word (webp, GUINT32_TO_LE (exif->len));
  g_byte_array_append (webp, exif->data, exif->len);
  return g_byte_array_free_to_bytes (webp);
}

/* EXIF 2.3, table of tag 0x0112: where the first row and column of the stored picture belong. */
static void
test_orientation (void)
{
  static const struct
  {
    gboolean      turned;
    const guint8 *corners[4]; /* top left, top right, bottom left, bottom right */
  } want[] = {
    [1] = { FALSE, { red, green, blue, yellow } },
    [2] = { FALSE, { green, red, yellow, blue } },
    [3] = { FALSE, { yellow, blue, green, red } },
    [4] = { FALSE, { blue, yellow, red, green } },
    [5] = { TRUE, { red, blue, green, yellow } },
    [6] = { TRUE, { blue, red, yellow, green } },
    [7] = { TRUE, { yellow, green, blue, red } },
    [8] = { TRUE, { green, yellow, red, blue } },
  };

  static GBytes *(*const containers[]) (int) = { held_jpeg, held_png, held_webp };

  for (int i = 1; i <= 8; i++)
    for (guint c = 0; c < G_N_ELEMENTS (containers); c++)
      {
        g_autoptr(GBytes) bytes = containers[c] (i);
        g_autoptr(GError) error = NULL;
        g_autoptr(SlPicture) picture = sl_picture_new_from_bytes (bytes, "held", NULL, &error);
        int width = want[i].turned ? H : W;
        int height = want[i].turned ? W : H;

        g_assert_no_error (error);
        g_assert_cmpint (sl_picture_get_width (picture), ==, width);
        g_assert_cmpint (sl_picture_get_height (picture), ==, height);
        g_assert_cmpint (sl_picture_get_turned (picture), ==, i != 1);
        assert_pixel (picture, 0, 0, want[i].corners[0], 3);
        assert_pixel (picture, width - 1, 0, want[i].corners[1], 3);
        assert_pixel (picture, 0, height - 1, want[i].corners[2], 3);
        assert_pixel (picture, width - 1, height - 1, want[i].corners[3], 3);
      }
}

/* Every cut of the files: no read beyond the end, and nothing worse than an error. */
static void
test_orientation_cut (void)
{
  static GBytes *(*const containers[]) (int) = { held_png, held_webp };

  for (guint c = 0; c < G_N_ELEMENTS (containers); c++)
    {
      g_autoptr(GBytes) whole = containers[c] (6);
      gsize size;
      const guint8 *data = g_bytes_get_data (whole, &size);

      for (gsize n = 0; n < size; n++)
        {
          g_autofree guint8 *part = g_memdup2 (data, n);

          g_assert_cmpuint (sl_picture_format_get_orientation (sl_picture_format_sniff (part, n), part, n), <=, 8);
        }
    }
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
  const char *paths[] = { dir, pipe_path, "/nonexistent/\xff.png" };

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

#define SVG(attributes, body) \
  "<?xml version='1.0'?><!-- drawing --><svg xmlns='http://www.w3.org/2000/svg' " \
  "xmlns:xlink='http://www.w3.org/1999/xlink' " attributes ">" body "</svg>"

static void
test_svg (void)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(SlPicture) picture = decode_text (SVG ("viewBox='0 0 40 20'", "<rect width='20' height='20' fill='#f00'/>"), "a.svg", &error);
  g_autoptr(SlPicture) huge = decode_text (SVG ("width='100000' height='50000'", "<rect width='9' height='9'/>"), "b.svg", NULL);

  g_assert_no_error (error);
  g_assert_cmpstr (sl_picture_get_mime_type (picture), ==, "image/svg+xml");
  g_assert_cmpint (sl_picture_get_width (picture), ==, 40);
  assert_pixel (picture, 5, 10, red, 0);
  assert_pixel (picture, 35, 10, (guint8[]) { 255, 255, 255 }, 0);

  g_assert_cmpint (sl_picture_get_width (huge), ==, 4096);
  g_assert_cmpint (sl_picture_get_height (huge), ==, 2048);
}

/* A picture inside of the drawing itself is shown, unless its header announces 400 megapixels. */
static void
test_svg_embedded (void)
{
  const char *names[] = { "quadrants.png", "huge-header.png" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr(GBytes) inner = fixture_bytes (names[i]);
      g_autofree char *base64 = g_base64_encode (g_bytes_get_data (inner, NULL), g_bytes_get_size (inner));
      g_autofree char *text = g_strdup_printf (SVG ("width='48' height='32'",
                                                    "<image xlink:href='data:image/png;base64,%s' width='48' height='32'/>"), base64);
      g_autoptr(GError) error = NULL;
      g_autoptr(SlPicture) picture = decode_text (text, "inner.svg", &error);

      if (i == 0)
        {
          g_assert_no_error (error);
          assert_pixel (picture, 2, 2, red, 0);
        }
      else
        {
          g_assert_null (picture);
          g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE);
        }
    }
}

/* Every way to write an address that librsvg, or the XML below it, reads as the same one. */
static char *
spell (guint   spelling,
       GBytes *inner)
{
  static const char *const starts[] = { "data:image/png;base64,", "data:image/png; base64 ,", " DATA:;charset=x;BASE64,",
                                        "da&#x74;a:image/png;base64,", "d&#97;t&#10;a:image/png;base64,", "&d;base64," };
  gsize size;
  const guint8 *data = g_bytes_get_data (inner, &size);
  g_autofree char *base64 = g_base64_encode (data, size);
  g_autoptr(GString) address = g_string_new (NULL);
  g_autofree char *text = NULL;

  if (spelling < G_N_ELEMENTS (starts))
    g_string_append_printf (address, "%s%s", starts[spelling], base64);
  else
    g_string_append (address, "data:image/png,");
  for (gsize i = 0; spelling >= G_N_ELEMENTS (starts) && i < size; i++)
    g_string_append_printf (address, "%%%02x", data[i]);
  text = g_strdup_printf ("<!DOCTYPE svg [<!ENTITY ns 'http://www.w3.org/2000/svg'>%s]>"
                          "<svg xmlns='&ns;' xmlns:xlink='http://www.w3.org/1999/xlink' width='48' height='32'>"
                          "<image xlink:href='%s' width='48' height='32'/></svg>",
                          address->str[0] == '&' ? "<!ENTITY d 'data:image/png;'>" : "", address->str);
  return g_steal_pointer (&text);
}

/* None of them takes a picture past the limit, in a drawing in a drawing neither; where the picture is small, only the entity, which
 * could be anything, stands in its way. */
static void
test_svg_embedded_spellings (void)
{
  g_autoptr(GBytes) small = fixture_bytes ("quadrants.png");
  g_autoptr(GBytes) huge = fixture_bytes ("huge-header.png");

  for (guint i = 0; i < 7; i++)
    {
      g_autofree char *harmless = spell (i, small);
      g_autofree char *bomb = spell (i, huge);
      g_autofree char *inner = g_base64_encode ((guint8 *) bomb, strlen (bomb));
      g_autofree char *nested = g_strdup_printf (SVG ("width='48' height='32'", "<image href='data:image/svg+xml;base64,%s'/>"), inner);
      g_autoptr(GError) error = NULL;
      g_autoptr(GError) nested_error = NULL;
      g_autoptr(SlPicture) shown = decode_text (harmless, "small.svg", i == 5 ? &error : NULL);

      g_assert_cmpint (shown != NULL, ==, i != 5);
      g_clear_error (&error);
      g_assert_null (decode_text (bomb, "bomb.svg", &error));
      g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE);
      g_assert_null (decode_text (nested, "nested.svg", &nested_error));
      g_assert_error (nested_error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE);
    }
}

/* A red picture lies where the drawing points to, by URL, by path and beside the working directory; the ground is blue. */
static void
test_svg_stays_inside (void)
{
  g_autofree char *target = g_test_build_filename (G_TEST_DIST, "pictures", "quadrants.png", NULL);
  const char *links[] = { "file://", "", "../../../../../../../.." };

  for (guint i = 0; i < G_N_ELEMENTS (links); i++)
    {
      g_autofree char *text = g_strdup_printf (SVG ("width='48' height='32'",
                                                    "<rect width='48' height='32' fill='#00f'/>"
                                                    "<image xlink:href='%s%s' width='48' height='32'/>"
                                                    "<image href='%s%s' width='48' height='32'/>"
                                                    "<use xlink:href='%s%s#a'/>"),
                                               links[i], target, links[i], target, links[i], target);
      g_autoptr(GError) error = NULL;
      g_autoptr(SlPicture) picture = decode_text (text, "link.svg", &error);

      g_assert_no_error (error);
      assert_pixel (picture, 0, 0, blue, 0);
      assert_pixel (picture, W - 1, 0, blue, 0);
    }

  /* An external entity would put a file's text into the drawing: refused or left out, never read. */
  g_autofree char *entity = g_strdup_printf ("<!DOCTYPE svg [<!ENTITY x SYSTEM 'file://%s'>]>" SVG ("width='9' height='9'", "<text>&x;</text>"),
                                             target);
  g_autoptr(SlPicture) picture = decode_text (entity, "entity.svg", NULL);

  if (picture != NULL)
    g_assert_cmpint (sl_picture_get_width (picture), ==, 9);
}

/* Takes seconds: noise and blur over 16 megapixels, again and again. */
static GBytes *
slow_drawing (void)
{
  GString *text = g_string_new ("<svg xmlns='http://www.w3.org/2000/svg' width='4000' height='4000'><filter id='f' x='0' y='0' "
                                "width='1' height='1'>");

  for (int i = 0; i < 20; i++)
    g_string_append (text, "<feTurbulence numOctaves='9' baseFrequency='0.7'/><feGaussianBlur stdDeviation='90'/>");
  g_string_append (text, "</filter><rect width='4000' height='4000' filter='url(#f)'/></svg>");

  return g_string_free_to_bytes (text);
}

static void
test_deadline (void)
{
  g_autoptr(GBytes) bytes = slow_drawing ();
  g_autoptr(GError) error = NULL;
  SlPictureLimits limits = sl_picture_default_limits;

  limits.deadline_us = 50 * 1000;
  g_assert_null (sl_picture_new_with_limits (bytes, "slow.svg", &limits, NULL, &error));
  g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW);
  g_assert_nonnull (strstr (error->message, "slow.svg"));
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (20 * 1000);
  g_cancellable_cancel (cancellable);

  return NULL;
}

static void
test_cancel (void)
{
  g_autoptr(GBytes) bytes = slow_drawing ();
  g_autoptr(GCancellable) cancellable = g_cancellable_new ();
  g_autoptr(GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);

  g_assert_null (sl_picture_new_from_bytes (bytes, "slow.svg", cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);

  g_clear_error (&error);
  g_assert_null (sl_picture_new_from_bytes (bytes, "slow.svg", cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
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
  g_test_add_func ("/picture/orientation", test_orientation);
  g_test_add_func ("/picture/orientation-cut", test_orientation_cut);
  g_test_add_func ("/picture/alpha-is-dropped", test_alpha_is_dropped);
  g_test_add_func ("/picture/sixteen-bit", test_sixteen_bit);
  g_test_add_func ("/picture/pixel-limit", test_pixel_limit);
  g_test_add_func ("/picture/huge-header", test_huge_header);
  g_test_add_func ("/picture/byte-limit", test_byte_limit);
  g_test_add_func ("/picture/truncated", test_truncated);
  g_test_add_func ("/picture/without-end-mark", test_without_end_mark);
  g_test_add_func ("/picture/not-pictures", test_not_pictures);
  g_test_add_func ("/picture/not-files", test_not_files);
  g_test_add_func ("/picture/svg", test_svg);
  g_test_add_func ("/picture/svg-embedded", test_svg_embedded);
  g_test_add_func ("/picture/svg-embedded-spellings", test_svg_embedded_spellings);
  g_test_add_func ("/picture/svg-stays-inside", test_svg_stays_inside);
  g_test_add_func ("/picture/pool", test_pool);
  g_test_add_func ("/picture/raw-pixels", test_raw_pixels);
  g_test_add_func ("/picture/deadline", test_deadline);
  g_test_add_func ("/picture/cancel", test_cancel);

  return g_test_run ();
}
