/* SPDX-License-Identifier: MIT
 *
 * Fixtures and pixels for the tests of SlPicture: see the header.
 */
#include "tests/app/pictures/picture-test.h"

#include <string.h>

GFile *
fixture (const char *name)
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "pictures", name, NULL);

  return g_file_new_for_path (path);
}

GBytes *
fixture_bytes (const char *name)
{
  g_autoptr(GFile) file = fixture (name);
  g_autoptr(GError) error = NULL;
  GBytes *bytes = g_file_load_bytes (file, NULL, NULL, &error);

  g_assert_no_error (error);
  return bytes;
}

SlPicture *
load (const char *name)
{
  g_autoptr(GFile) file = fixture (name);
  g_autoptr(GError) error = NULL;
  SlPicture *picture = sl_picture_new_from_file (file, NULL, &error);

  g_assert_no_error (error);
  return picture;
}

SlPicture *
decode_text (const char  *text,
             const char  *name,
             GError     **error)
{
  g_autoptr(GBytes) bytes = g_bytes_new (text, strlen (text));

  return sl_picture_new_from_bytes (bytes, name, NULL, error);
}

const guint8 *
pixel (SlPicture *picture,
       int        x,
       int        y)
{
  return sl_picture_get_rgb (picture) + y * sl_picture_get_stride (picture) + 3 * x;
}

void
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

void
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
