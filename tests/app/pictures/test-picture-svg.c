/* SPDX-License-Identifier: MIT
 *
 * Drawings: their size, pictures inside of them, that nothing outside is read; and what takes long: deadline, cancelling.
 */
#include "tests/app/pictures/picture-test.h"

#include <string.h>

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

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/picture/svg", test_svg);
  g_test_add_func ("/picture/svg-embedded", test_svg_embedded);
  g_test_add_func ("/picture/svg-embedded-spellings", test_svg_embedded_spellings);
  g_test_add_func ("/picture/svg-stays-inside", test_svg_stays_inside);
  g_test_add_func ("/picture/deadline", test_deadline);
  g_test_add_func ("/picture/cancel", test_cancel);

  return g_test_run ();
}
