/* SPDX-License-Identifier: MIT
 *
 * EXIF orientation in every container that has it, whole and cut.
 */
#include "tests/app/pictures/picture-test.h"

#include "app/pictures/sl-picture-format.h"
#include "tests/app/pictures/picture-writers.h"

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
  append_word (png, GUINT32_TO_BE (writer_crc (exif->data, exif->len)));
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

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/picture/orientation", test_orientation);
  g_test_add_func ("/picture/orientation-cut", test_orientation_cut);

  return g_test_run ();
}
