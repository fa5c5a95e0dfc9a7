/* SPDX-License-Identifier: MIT
 *
 * SlBoxPainter: pixels of edges and halos at several scales, places of labels, hit testing, colours, files, and how many texts are
 * made (pango_layout_new() comes here first, linked with --wrap).
 */
#include "app/boxes/sl-box-picture.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <pango/pango.h>

typedef struct
{
  int r, g, b;
} Rgb;

static const SlPaintBox one_box = { .x1 = 40, .y1 = 30, .x2 = 120, .y2 = 90 };

static cairo_surface_t *
create_ground (int    width,
               int    height,
               double tone)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, width, height);
  cairo_t *cr = cairo_create (surface);

  cairo_set_source_rgb (cr, tone, tone, tone);
  cairo_paint (cr);
  cairo_destroy (cr);

  return surface;
}

static Rgb
get_pixel (cairo_surface_t *surface,
           int              x,
           int              y)
{
  const guint8 *row = cairo_image_surface_get_data (surface) + y * cairo_image_surface_get_stride (surface);
  guint32 value;

  memcpy (&value, row + 4 * x, sizeof value);

  return (Rgb) { value >> 16 & 255, value >> 8 & 255, value & 255 };
}

static int
difference (Rgb a,
            Rgb b)
{
  return MAX (MAX (ABS (a.r - b.r), ABS (a.g - b.g)), ABS (a.b - b.b));
}

static Rgb
palette_rgb (guint index)
{
  SlBoxColor color = sl_box_palette_get (index);

  return (Rgb) { (int) lround (color.red * 255), (int) lround (color.green * 255), (int) lround (color.blue * 255) };
}

static SlBoxPainter *
create_painter (const SlPaintBox *boxes,
                gsize             n_boxes,
                const SlBoxView  *view,
                const SlBoxStyle *style)
{
  SlBoxPainter *painter = sl_box_painter_new ();

  if (style != NULL)
    sl_box_painter_set_style (painter, style);
  sl_box_painter_set_view (painter, view);
  sl_box_painter_set_boxes (painter, boxes, n_boxes);

  return painter;
}

static void
paint (SlBoxPainter    *painter,
       cairo_surface_t *surface)
{
  cairo_t *cr = cairo_create (surface);

  sl_box_painter_draw (painter, cr);
  g_assert_cmpint (cairo_status (cr), ==, CAIRO_STATUS_SUCCESS);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
}

/* The line is 4 wide and its middle runs along the box's edge; beside it 2 of halo; then the ground, inside and outside. */
static void
test_edges (void)
{
  static const double scales[] = { 0.5, 1, 2, 3.25 };
  SlBoxStyle style = sl_box_default_style;

  style.line_width = 4;
  for (int tone = 0; tone <= 1; tone++)
    for (guint i = 0; i < G_N_ELEMENTS (scales); i++)
      {
        SlBoxView view = { .x = 11, .y = 7, .scale = scales[i], .width = 160, .height = 120 };
        g_autoptr(SlBoxPainter) painter = create_painter (&one_box, 1, &view, &style);
        cairo_surface_t *surface = create_ground (560, 420, tone);
        Rgb ground = { 255 * tone, 255 * tone, 255 * tone };
        Rgb color = palette_rgb (0);
        int left = (int) lround (11 + 40 * scales[i]);
        int right = (int) lround (11 + 120 * scales[i]);
        int top = (int) lround (7 + 30 * scales[i]);
        int bottom = (int) lround (7 + 90 * scales[i]);
        int middle_x = (left + right) / 2;
        int middle_y = (top + bottom) / 2;

        paint (painter, surface);

        /* Pixel n covers n … n + 1: both pixels beside the edge lie in the line, even when it is half a pixel off. */
        g_assert_cmpint (difference (get_pixel (surface, left, middle_y), color), <=, 2);
        g_assert_cmpint (difference (get_pixel (surface, left - 1, middle_y), color), <=, 2);
        g_assert_cmpint (difference (get_pixel (surface, right, middle_y), color), <=, 2);
        g_assert_cmpint (difference (get_pixel (surface, middle_x, top), color), <=, 2);
        g_assert_cmpint (difference (get_pixel (surface, middle_x, bottom - 1), color), <=, 2);

        /* Halo of red is light: on black it is seen, on white the line itself stands out. */
        if (tone == 0)
          {
            g_assert_cmpint (get_pixel (surface, left - 3, middle_y).b, >, 120);
            g_assert_cmpint (get_pixel (surface, left + 2, middle_y).b, >, 120);
          }

        g_assert_cmpint (difference (get_pixel (surface, left - 6, middle_y), ground), ==, 0);
        g_assert_cmpint (difference (get_pixel (surface, left + 5, middle_y), ground), ==, 0);
        g_assert_cmpint (difference (get_pixel (surface, middle_x, middle_y), ground), ==, 0);
        g_assert_cmpint (difference (get_pixel (surface, middle_x, bottom + 6), ground), ==, 0);
        cairo_surface_destroy (surface);
      }
}

/* Some tone around every colour differs from black and from white ground. */
static void
test_halo (void)
{
  for (guint color = 0; color < SL_BOX_N_COLORS; color++)
    for (int tone = 0; tone <= 1; tone++)
      {
        SlPaintBox box = one_box;
        SlBoxView view = { .scale = 1, .width = 160, .height = 120 };
        SlBoxStyle style = sl_box_default_style;
        cairo_surface_t *surface = create_ground (160, 120, tone);
        Rgb ground = { 255 * tone, 255 * tone, 255 * tone };
        Rgb inside, beside;

        box.color = color;
        style.line_width = 4;
        g_autoptr(SlBoxPainter) painter = create_painter (&box, 1, &view, &style);
        paint (painter, surface);
        inside = get_pixel (surface, 80, 30);
        beside = get_pixel (surface, 80, 33);
        g_assert_cmpint (MAX (difference (inside, ground), difference (beside, ground)), >=, 150);
        g_assert_cmpint (difference (inside, beside), >=, 60);
        cairo_surface_destroy (surface);
      }
}

static gboolean
contains (double                   x1,
          double                   y1,
          double                   x2,
          double                   y2,
          const cairo_rectangle_t *inner)
{
  return inner->x >= x1 - 1e-6 && inner->y >= y1 - 1e-6 && inner->x + inner->width <= x2 + 1e-6 && inner->y + inner->height <= y2 + 1e-6;
}

static gboolean
overlap (const cairo_rectangle_t *a,
         const cairo_rectangle_t *b)
{
  return a->x + a->width > b->x + 1e-6 && b->x + b->width > a->x + 1e-6 && a->y + a->height > b->y + 1e-6 && b->y + b->height > a->y + 1e-6;
}

static void
test_labels_stay_inside (void)
{
  static const double edges[][4] = {
    { 0, 0, 400, 300 }, { 0, 0, 20, 20 }, { 380, 0, 400, 20 }, { 0, 280, 20, 300 }, { 380, 280, 400, 300 },
    { 100, 0, 300, 5 }, { 100, 295, 300, 300 }, { 150, 100, 151, 101 }, { 0, 0, 0, 0 }, { 399, 299, 400, 300 },
  };

  for (double scale = 0.5; scale < 4; scale *= 2)
    for (guint i = 0; i < G_N_ELEMENTS (edges); i++)
      {
        SlPaintBox box = { edges[i][0], edges[i][1], edges[i][2], edges[i][3], "the small red circle at the left", 12, 0, FALSE, FALSE };
        SlBoxView view = { .x = 5, .y = 9, .scale = scale, .width = 400, .height = 300 };
        g_autoptr(SlBoxPainter) painter = create_painter (&box, 1, &view, NULL);
        const SlBoxGeometry *geometry = sl_box_painter_layout (painter, NULL);

        g_assert_cmpfloat (geometry->badge.width, >, 0);
        g_assert_cmpfloat (geometry->label.width, >, 0);
        g_assert_true (contains (5, 9, 5 + 400 * scale, 9 + 300 * scale, &geometry->badge));
        g_assert_true (contains (5, 9, 5 + 400 * scale, 9 + 300 * scale, &geometry->label));
        g_assert_false (overlap (&geometry->badge, &geometry->label));
        g_assert_cmpfloat_with_epsilon (geometry->frame.x, 5 + edges[i][0] * scale, 1e-9);
        g_assert_cmpfloat_with_epsilon (geometry->frame.width, (edges[i][2] - edges[i][0]) * scale, 1e-9);
      }
}

/* Zoomed in, labels lie in what can be seen; a box that is out of sight has none. */
static void
test_visible_part (void)
{
  SlPaintBox boxes[] = {
    { 0, 0, 400, 300, "all", 1, 0, FALSE, FALSE },
    { 390, 290, 400, 300, "far away", 2, 1, FALSE, FALSE },
  };
  SlBoxView view = { .x = -1000, .y = -800, .scale = 8, .width = 400, .height = 300, .visible = { 0, 0, 640, 480 } };
  g_autoptr(SlBoxPainter) painter = create_painter (boxes, 2, &view, NULL);
  const SlBoxGeometry *geometry = sl_box_painter_layout (painter, NULL);

  g_assert_true (contains (0, 0, 640, 480, &geometry[0].label));
  g_assert_cmpfloat (geometry[0].label.width, >, 0);
  g_assert_cmpfloat (geometry[1].label.width, ==, 0);
  g_assert_cmpfloat (geometry[1].badge.width, ==, 0);
}

static void
test_labels_dodge (void)
{
  SlPaintBox boxes[4];
  SlBoxView view = { .scale = 1, .width = 640, .height = 480 };

  for (int i = 0; i < 4; i++)
    boxes[i] = (SlPaintBox) { 200, 200, 400, 300, "same place", i + 1, i, FALSE, FALSE };

  g_autoptr(SlBoxPainter) painter = create_painter (boxes, 4, &view, NULL);
  const SlBoxGeometry *geometry = sl_box_painter_layout (painter, NULL);

  for (int i = 0; i < 4; i++)
    for (int k = 0; k < i; k++)
      {
        g_assert_false (overlap (&geometry[i].label, &geometry[k].label));
        g_assert_false (overlap (&geometry[i].label, &geometry[k].badge));
        g_assert_false (overlap (&geometry[i].badge, &geometry[k].label));
      }
}

/* How many of `n` boxes in a grid over a picture of this size have a label, and how many a badge. */
static void
count_tags (int    n,
            double width,
            double height,
            int   *labels,
            int   *badges)
{
  g_autofree SlPaintBox *boxes = g_new0 (SlPaintBox, n);
  SlBoxView view = { .scale = 1, .width = width, .height = height };
  int columns = ceil (sqrt (n));

  for (int i = 0; i < n; i++)
    {
      double x = i % columns * width / columns, y = i / columns * height / columns;

      boxes[i] = (SlPaintBox) { x, y, x + width / columns * 0.8, y + height / columns * 0.8, "red umbrella", i + 1, 0, FALSE, FALSE };
    }

  g_autoptr(SlBoxPainter) painter = create_painter (boxes, n, &view, NULL);
  const SlBoxGeometry *geometry = sl_box_painter_layout (painter, NULL);

  *labels = *badges = 0;
  for (int i = 0; i < n; i++)
    {
      *labels += geometry[i].label.width > 0;
      *badges += geometry[i].badge.width > 0;
    }
}

/* Tags leave something of the picture to see: a crowd in a preview has numbers only, and frames alone where those are too many. */
static void
test_crowd (void)
{
  int labels, badges;

  count_tags (2, 480, 360, &labels, &badges);
  g_assert_cmpint (labels, ==, 2);
  count_tags (80, 480, 360, &labels, &badges);
  g_assert_cmpint (labels, ==, 0);
  g_assert_cmpint (badges, ==, 80);
  count_tags (80, 1600, 1200, &labels, &badges);
  g_assert_cmpint (labels, ==, 80);
  count_tags (500, 480, 360, &labels, &badges);
  g_assert_cmpint (labels, ==, 0);
  g_assert_cmpint (badges, ==, 0);
}

static void
test_hit (void)
{
  SlPaintBox boxes[] = {
    { 10, 10, 300, 300, NULL, 0, 0, FALSE, FALSE },
    { 100, 100, 150, 150, NULL, 3, 1, FALSE, FALSE },
    { 110, 110, 120, 120, NULL, 0, 2, FALSE, TRUE },
  };
  SlBoxView view = { .scale = 1, .width = 320, .height = 320 };
  g_autoptr(SlBoxPainter) painter = create_painter (boxes, 3, &view, NULL);
  const SlBoxGeometry *geometry = sl_box_painter_layout (painter, NULL);

  g_assert_cmpint (sl_box_painter_hit (painter, 20, 20, 0), ==, 0);
  g_assert_cmpint (sl_box_painter_hit (painter, 125, 125, 0), ==, 1);
  g_assert_cmpint (sl_box_painter_hit (painter, 115, 115, 0), ==, 1); /* the smallest one is hidden */
  g_assert_cmpint (sl_box_painter_hit (painter, 5, 5, 0), ==, -1);
  g_assert_cmpint (sl_box_painter_hit (painter, 7, 100, 4), ==, 0);
  g_assert_cmpint (sl_box_painter_hit (painter, geometry[1].badge.x + 1, geometry[1].badge.y + 1, 0), ==, 1);
  g_assert_cmpfloat (geometry[2].frame.width, ==, 0);
}

static void
test_hidden_and_opacity (void)
{
  SlPaintBox box = one_box;
  SlBoxView view = { .scale = 1, .width = 160, .height = 120 };
  SlBoxStyle style = sl_box_default_style;
  cairo_surface_t *surface = create_ground (160, 120, 0);
  Rgb color = palette_rgb (0);
  Rgb half;

  style.opacity = 0.5;
  g_autoptr(SlBoxPainter) faint = create_painter (&box, 1, &view, &style);
  paint (faint, surface);
  half = get_pixel (surface, 80, 30);
  g_assert_cmpint (ABS (half.r - color.r / 2), <=, 2);
  cairo_surface_destroy (surface);

  surface = create_ground (160, 120, 0);
  box.hidden = TRUE;
  g_autoptr(SlBoxPainter) hidden = create_painter (&box, 1, &view, NULL);
  sl_box_painter_set_emphasis (hidden, 0, 0);
  paint (hidden, surface);
  for (int y = 0; y < 120; y++)
    for (int x = 0; x < 160; x++)
      g_assert_cmpint (difference (get_pixel (surface, x, y), (Rgb) { 0, 0, 0 }), ==, 0);
  cairo_surface_destroy (surface);
}

/* A hovered box is filled and drawn over the others; nothing moves. */
static void
test_emphasis (void)
{
  SlPaintBox boxes[] = { { 40, 30, 120, 90, NULL, 0, 0, FALSE, FALSE }, { 40, 30, 120, 90, NULL, 0, 1, FALSE, FALSE } };
  SlBoxView view = { .scale = 1, .width = 160, .height = 120 };
  g_autoptr(SlBoxPainter) painter = create_painter (boxes, 2, &view, NULL);
  cairo_surface_t *surface = create_ground (160, 120, 0);
  cairo_rectangle_t before = sl_box_painter_layout (painter, NULL)[0].frame;

  paint (painter, surface);
  g_assert_cmpint (difference (get_pixel (surface, 80, 30), palette_rgb (1)), <=, 2);
  g_assert_cmpint (get_pixel (surface, 80, 60).r, ==, 0);

  sl_box_painter_set_emphasis (painter, 0, -1);
  paint (painter, surface);
  g_assert_cmpint (difference (get_pixel (surface, 80, 30), palette_rgb (0)), <=, 2);
  g_assert_cmpint (get_pixel (surface, 80, 60).r, >, 20);
  g_assert_cmpmem (&before, sizeof before, &sl_box_painter_layout (painter, NULL)[0].frame, sizeof before);
  cairo_surface_destroy (surface);
}

static void
test_colors (void)
{
  SlPaintBox boxes[] = { { .label = "a" }, { .label = "b" }, { .label = "a" }, { .label = NULL }, { .label = "" } };

  sl_box_painter_assign_colors (boxes, 3, SL_BOX_COLORING_LABEL, NULL);
  g_assert_cmpuint (boxes[0].color, ==, boxes[2].color);
  g_assert_cmpuint (boxes[0].color, !=, boxes[1].color);

  /* More boxes arrive: the colours of the first ones stay. */
  sl_box_painter_assign_colors (boxes, 5, SL_BOX_COLORING_LABEL, NULL);
  g_assert_cmpuint (boxes[0].color, ==, 0);
  g_assert_cmpuint (boxes[1].color, ==, 1);
  g_assert_cmpuint (boxes[3].color, ==, boxes[4].color);

  sl_box_painter_assign_colors (boxes, 5, SL_BOX_COLORING_INSTANCE, NULL);
  g_assert_cmpuint (boxes[2].color, ==, 2);

  for (guint i = 0; i < SL_BOX_N_COLORS; i++)
    g_assert_cmpint (difference (palette_rgb (i), palette_rgb (i + 1)), >=, 100);
}

static SlPicture *
create_picture (int width,
                int height)
{
  g_autofree guint8 *rgba = g_malloc ((gsize) width * height * 4);
  g_autoptr(GError) error = NULL;
  SlPicture *picture;

  for (int i = 0; i < width * height; i++)
    {
      rgba[4 * i] = i % width % 251;
      rgba[4 * i + 1] = i / width % 241;
      rgba[4 * i + 2] = 7;
      rgba[4 * i + 3] = 255;
    }
  picture = sl_picture_new_from_rgba (rgba, width, height, (gsize) width * 4, "ramp", &error);
  g_assert_no_error (error);

  return picture;
}

static guint
count_files (const char *dir)
{
  g_autoptr(GDir) open = g_dir_open (dir, 0, NULL);
  guint n = 0;

  while (g_dir_read_name (open) != NULL)
    n++;

  return n;
}

/* ------------------------------------------------------------------------------------------------ work */

static guint n_texts;

PangoLayout *__real_pango_layout_new (PangoContext *context);
PangoLayout *__wrap_pango_layout_new (PangoContext *context);

PangoLayout *
__wrap_pango_layout_new (PangoContext *context)
{
  n_texts++;
  return __real_pango_layout_new (context);
}

#define N_CROWD 300

/* Texts that are made for these boxes where those of `crowd` are shown; what is seen then is what a new painter shows. */
static guint
count_texts (const SlPaintBox *crowd,
             const SlPaintBox *boxes,
             gsize             n_boxes)
{
  SlBoxView view = { .scale = 1, .width = 640, .height = 480, .grid = 1 };
  g_autoptr(SlBoxPainter) painter = create_painter (crowd, N_CROWD, &view, NULL);
  g_autoptr(SlBoxPainter) fresh = create_painter (boxes, n_boxes, &view, NULL);
  cairo_surface_t *seen = create_ground (640, 480, 1);
  cairo_surface_t *wanted = create_ground (640, 480, 1);
  guint made;

  paint (painter, seen); /* its labels are drawn and kept */
  cairo_surface_destroy (seen);
  seen = create_ground (640, 480, 1);
  n_texts = 0;
  sl_box_painter_set_boxes (painter, boxes, n_boxes);
  made = n_texts;
  paint (painter, seen);
  paint (fresh, wanted);
  g_assert_cmpmem (cairo_image_surface_get_data (seen), 480 * cairo_image_surface_get_stride (seen),
                   cairo_image_surface_get_data (wanted), 480 * cairo_image_surface_get_stride (wanted));
  cairo_surface_destroy (seen);
  cairo_surface_destroy (wanted);

  return made;
}

/* One of 300 boxes goes, or comes, at the front: the others move and are renumbered, and what they are called is not laid out again. */
static void
test_texts_are_kept (void)
{
  static const char *const names[] = { "red circle", "blue square", "star", "a long name of a thing", "" };
  SlPaintBox boxes[N_CROWD + 1];

  for (int i = 0; i <= N_CROWD; i++)
    boxes[i] = (SlPaintBox) { .x1 = 30 * (i % 20), .y1 = 30 * (i / 20), .x2 = 30 * (i % 20) + 25, .y2 = 30 * (i / 20) + 25,
                              .label = names[i % G_N_ELEMENTS (names)], .number = i, .color = i % 7 };
  g_assert_cmpuint (count_texts (boxes + 1, boxes + 1, N_CROWD), ==, 0);
  g_assert_cmpuint (count_texts (boxes + 1, boxes + 2, N_CROWD - 1), ==, 0);
  g_assert_cmpuint (count_texts (boxes + 1, boxes, N_CROWD + 1), ==, 1); /* number 0 has no badge */
  for (int i = 0; i <= N_CROWD; i++)
    boxes[i].number = 1 + i;
  {
    SlPaintBox renumbered[N_CROWD];

    memcpy (renumbered, boxes + 1, sizeof renumbered);
    for (int i = 0; i < N_CROWD; i++)
      renumbered[i].number = 1 + i;
    g_assert_cmpuint (count_texts (boxes, renumbered, N_CROWD - 1), ==, 0);
    renumbered[7].label = "changed";
    g_assert_cmpuint (count_texts (boxes, renumbered, N_CROWD - 1), ==, 1);
  }
}

static void
test_png (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sl-painter-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "out.png", NULL);
  g_autofree char *missing = NULL;
  g_autoptr(SlOutputs) outputs = sl_outputs_new (TRUE);
  g_autoptr(SlPicture) picture = create_picture (320, 200);
  g_autoptr(GError) error = NULL;
  g_autoptr(GdkPixbuf) png = NULL;
  const guint8 *pixels;
  gsize stride;

  g_assert_true (sl_box_picture_write (picture, &one_box, 1, NULL, SL_BOX_PICTURE_PNG, outputs, path, &error));
  g_assert_no_error (error);
  png = gdk_pixbuf_new_from_file (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (gdk_pixbuf_get_width (png), ==, 320);
  g_assert_cmpint (gdk_pixbuf_get_height (png), ==, 200);

  /* Away from the box the picture's own pixels, on its edge the colour. */
  pixels = gdk_pixbuf_read_pixels (png);
  stride = gdk_pixbuf_get_rowstride (png);
  for (int y = 100; y < 200; y++)
    g_assert_cmpmem (pixels + y * stride, 960, sl_picture_get_rgb (picture) + y * sl_picture_get_stride (picture), 960);
  g_assert_cmpint (ABS (pixels[30 * stride + 3 * 80] - palette_rgb (0).r), <=, 60);

  missing = g_build_filename (dir, "missing", "out.png", NULL);

  /* A second time over the first; nothing is left beside it. */
  g_assert_true (sl_box_picture_write (picture, NULL, 0, NULL, SL_BOX_PICTURE_PNG, outputs, path, &error));
  g_assert_cmpuint (count_files (dir), ==, 1);

  g_assert_false (sl_box_picture_write (picture, NULL, 0, NULL, SL_BOX_PICTURE_PNG, outputs, missing, &error));
  g_assert_nonnull (strstr (error->message, missing));
  g_clear_error (&error);
  g_assert_false (sl_box_picture_write (picture, NULL, 0, NULL, SL_BOX_PICTURE_PNG, outputs, "/dev/full", &error));
  g_assert_nonnull (strstr (error->message, "/dev/full"));

  g_unlink (path);
  g_rmdir (dir);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/box-painter/edges", test_edges);
  g_test_add_func ("/box-painter/halo", test_halo);
  g_test_add_func ("/box-painter/labels-stay-inside", test_labels_stay_inside);
  g_test_add_func ("/box-painter/visible-part", test_visible_part);
  g_test_add_func ("/box-painter/labels-dodge", test_labels_dodge);
  g_test_add_func ("/box-painter/crowd", test_crowd);
  g_test_add_func ("/box-painter/hit", test_hit);
  g_test_add_func ("/box-painter/hidden-and-opacity", test_hidden_and_opacity);
  g_test_add_func ("/box-painter/emphasis", test_emphasis);
  g_test_add_func ("/box-painter/colors", test_colors);
  g_test_add_func ("/box-painter/texts-are-kept", test_texts_are_kept);
  g_test_add_func ("/box-painter/png", test_png);

  return g_test_run ();
}
