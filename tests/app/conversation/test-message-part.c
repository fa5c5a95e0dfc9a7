/* SPDX-License-Identifier: MIT
 *
 * How many pixels are kept of pictures: those that somebody needs, few others, and small ones where small ones are shown.
 */
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <string.h>

#include "app/conversation/sl-message-private.h"
#include "app/pictures/sl-picture.h"
#include "app/pictures/sl-preview.h"

/* Left half red, right half blue, below it green: the quarter of the picture in which a pixel is tells its colour. */
static GdkPixbuf *
make_pixbuf (int width,
             int height)
{
  GdkPixbuf *pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, FALSE, 8, width, height);
  g_autoptr (GdkPixbuf) left = gdk_pixbuf_new_subpixbuf (pixbuf, 0, 0, width / 2, height / 2);
  g_autoptr (GdkPixbuf) right = gdk_pixbuf_new_subpixbuf (pixbuf, width / 2, 0, width - width / 2, height / 2);

  gdk_pixbuf_fill (pixbuf, 0x00ff00ff);
  gdk_pixbuf_fill (left, 0xff0000ff);
  gdk_pixbuf_fill (right, 0x0000ffff);
  return pixbuf;
}

static GBytes *
make_bytes (const char *type,
            int         width,
            int         height)
{
  g_autoptr (GdkPixbuf) pixbuf = make_pixbuf (width, height);
  g_autoptr (GError) error = NULL;
  char *data;
  gsize size;

  gdk_pixbuf_save_to_buffer (pixbuf, &data, &size, type, &error, NULL);
  g_assert_no_error (error);
  return g_bytes_new_take (data, size);
}

static SlMessagePart *
make_part (int width,
           int height)
{
  g_autoptr (GBytes) bytes = make_bytes ("bmp", width, height);
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPicture) picture = sl_picture_new_from_bytes (bytes, "a.bmp", NULL, &error);

  g_assert_no_error (error);
  return sl_message_part_new_picture (picture, SL_DETAIL_AUTO);
}

static void
wait_for_picture (SlMessagePart *part)
{
  while (sl_message_part_get_picture (part) == NULL && sl_message_part_get_error_text (part) == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (sl_message_part_get_error_text (part));
}

/* 5000 × 3000 pixels take 45 MB: two of them are more than is kept of what nobody needs. */
static void
test_idle (void)
{
  g_autoptr (SlMessagePart) first = make_part (5000, 3000);
  g_autoptr (SlMessagePart) second = NULL;
  g_autoptr (SlMessagePart) third = NULL;
  g_autoptr (SlPartRecord) record = NULL;

  g_assert_nonnull (sl_message_part_get_picture (first)); /* alone it stays */
  sl_message_part_load (first);
  second = make_part (5000, 3000);
  third = make_part (5000, 3000);
  g_assert_nonnull (sl_message_part_get_picture (first)); /* needed */
  g_assert_null (sl_message_part_get_picture (second));
  g_assert_nonnull (sl_message_part_get_picture (third));
  sl_message_part_release (first);
  g_assert_nonnull (sl_message_part_get_picture (first)); /* used last */
  g_assert_null (sl_message_part_get_picture (third));

  /* What is not decoded can still be stored, copied and asked about. */
  record = sl_message_part_to_record (second);
  g_assert_nonnull (record->bytes);
  g_assert_cmpstr (record->mime_type, ==, "image/bmp");
  g_assert_cmpstr (record->extension, ==, "bmp");
  g_assert_cmpint (record->width, ==, 5000);

  sl_message_part_load (second);
  sl_message_part_load (second);
  wait_for_picture (second);
  g_assert_cmpint (sl_picture_get_height (sl_message_part_get_picture (second)), ==, 3000);
  sl_message_part_release (second);
  sl_message_part_load (first);
  sl_message_part_load (third);
  wait_for_picture (third);
  g_assert_nonnull (sl_message_part_get_picture (second)); /* one still needs it */
  sl_message_part_release (second);
  sl_message_part_release (first);
  sl_message_part_release (third);
}

static void
take_result (GObject      *source,
             GAsyncResult *result,
             gpointer      data)
{
  *(GAsyncResult **) data = g_object_ref (result);
}

static SlPreview *
load_preview (const char *sha256,
              GBytes     *bytes,
              int         side)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  SlPreview *preview;

  sl_preview_load_async (sha256, bytes, NULL, "a picture", side, NULL, take_result, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  preview = sl_preview_load_finish (result, &error);
  g_assert_no_error (error);
  return preview;
}

/* JPEG is not exact: within what quality 75 does to flat colours. */
static void
assert_color (const SlPreview *preview,
              double           x,
              double           y,
              const guint8     want[3])
{
  const guint8 *at = g_bytes_get_data (preview->rgb, NULL);

  at += (gsize) (y * preview->height) * preview->stride + (gsize) (x * preview->width) * 3;
  for (int c = 0; c < 3; c++)
    g_assert_cmpint (ABS (at[c] - want[c]), <=, 4);
}

static void
test_preview_sizes (void)
{
  static const struct
  {
    const char *type;
    int width, height, side, want_width, want_height;
  } cases[] = {
    { "jpeg", 3000, 2000, 192, 192, 128 }, { "jpeg", 3000, 2000, 700, 768, 512 }, { "png", 3000, 2000, 192, 192, 128 },
    { "png", 100, 60, 192, 100, 60 },      { "jpeg", 100, 60, 500, 100, 60 },     { "png", 4000, 2, 192, 192, 1 },
    { "jpeg", 2, 2000, 192, 1, 192 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GBytes) bytes = make_bytes (cases[i].type, cases[i].width, cases[i].height);
      g_autofree char *sha256 = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
      g_autoptr (SlPreview) preview = load_preview (sha256, bytes, cases[i].side);
      g_autoptr (SlPreview) again = sl_preview_lookup (sha256, cases[i].side);

      g_assert_cmpint (preview->width, ==, cases[i].want_width);
      g_assert_cmpint (preview->height, ==, cases[i].want_height);
      g_assert_true (preview == again);
      if (MIN (cases[i].width, cases[i].height) < 60)
        continue;
      assert_color (preview, 0.25, 0.25, (const guint8[]) { 255, 0, 0 });
      assert_color (preview, 0.75, 0.25, (const guint8[]) { 0, 0, 255 });
      assert_color (preview, 0.5, 0.75, (const guint8[]) { 0, 255, 0 });
    }
}

/* 1536 × 1024 pixels take 4.7 MB: of ten, the last ones are kept. */
static void
test_preview_shelf (void)
{
  g_autoptr (GBytes) bytes = make_bytes ("jpeg", 3000, 2000);

  for (guint i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("picture %u", i);
      g_autoptr (SlPreview) preview = load_preview (name, bytes, 1500);

      g_assert_cmpint (preview->width, ==, 1536);
      g_assert_cmpuint (sl_preview_get_kept_bytes (), <=, 32 << 20);
    }
  for (guint i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("picture %u", i);
      g_autoptr (SlPreview) kept = sl_preview_lookup (name, 1500);

      g_assert_cmpint (kept != NULL, ==, i >= 10 - (32 << 20) / (1536 * 1024 * 3));
    }
}

static void
test_preview_errors (void)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  sl_preview_load_async ("none", NULL, "/dev/null/a.png", "a.png", 100, NULL, take_result, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_null (sl_preview_load_finish (result, &error));
  g_assert_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_READ);
  g_assert_nonnull (strstr (error->message, "a.png"));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/message-part/idle", test_idle);
  g_test_add_func ("/message-part/preview-sizes", test_preview_sizes);
  g_test_add_func ("/message-part/preview-shelf", test_preview_shelf);
  g_test_add_func ("/message-part/preview-errors", test_preview_errors);
  return g_test_run ();
}
