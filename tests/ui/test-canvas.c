/* SPDX-License-Identifier: MIT
 *
 * SlCanvas and what it scales with: the pixels of a picture at 100 %, between pixels, as squares; a view that pans or zooms
 * ends with the pixels of one that was drawn at that place at once; what others hold is not drawn to. Needs no display.
 */
#include "ui/pictures/sl-canvas.h"
#include "ui/pictures/sl-resample.h"

#include <string.h>

#define WIDTH 700 /* of the picture; more than one size of the mipmap */
#define HEIGHT 500
#define VIEW_WIDTH 320
#define VIEW_HEIGHT 200

static guint32
picture_pixel (int x,
               int y)
{
  return (guint32) (x * 37 + y * 11) % 256 << 16 | (guint32) (x * 5 + y * 71) % 256 << 8 | (guint32) (x ^ y) % 256;
}

static SlPicture *
create_picture (void)
{
  g_autofree guint8 *rgba = g_malloc (WIDTH * HEIGHT * 4);
  g_autoptr (GError) error = NULL;
  SlPicture *picture;

  for (int y = 0; y < HEIGHT; y++)
    for (int x = 0; x < WIDTH; x++)
      {
        guint32 pixel = picture_pixel (x, y);
        guint8 *to = rgba + (y * WIDTH + x) * 4;

        to[0] = pixel >> 16;
        to[1] = pixel >> 8;
        to[2] = pixel;
        to[3] = 255;
      }
  picture = sl_picture_new_from_rgba (rgba, WIDTH, HEIGHT, WIDTH * 4, "canvas.png", &error);
  g_assert_no_error (error);
  return picture;
}

static void
on_ready (gboolean *ready)
{
  *ready = TRUE;
}

/* With all its sizes. */
static SlMipmap *
create_mipmap (SlPicture *picture)
{
  SlMipmap *mipmap = sl_mipmap_for_picture (picture);
  gboolean ready = FALSE;

  g_signal_connect_swapped (mipmap, "ready", G_CALLBACK (on_ready), &ready);
  while (!ready)
    g_main_context_iteration (NULL, TRUE);
  g_signal_handlers_disconnect_by_data (mipmap, &ready);
  return mipmap;
}

static guint32
get_pixel (cairo_surface_t *surface,
           int              x,
           int              y)
{
  guint32 pixel;

  memcpy (&pixel, cairo_image_surface_get_data (surface) + y * cairo_image_surface_get_stride (surface) + 4 * x, 4);
  return pixel & 0xffffff;
}

/* --- scaling ----------------------------------------------------------------- */

static void
test_original_size (void)
{
  g_autoptr (SlPicture) picture = create_picture ();
  g_autoptr (SlMipmap) mipmap = create_mipmap (picture);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, WIDTH, HEIGHT);

  for (gboolean rough = FALSE; rough <= TRUE; rough++)
    {
      sl_mipmap_render (mipmap, surface, &(cairo_rectangle_int_t) { 0, 0, WIDTH, HEIGHT },
                        &(cairo_rectangle_t) { 0, 0, WIDTH, HEIGHT }, rough);
      for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
          g_assert_cmphex (get_pixel (surface, x, y), ==, picture_pixel (x, y));
    }
  cairo_surface_destroy (surface);
}

/* Two black pixels beside two white ones, drawn 8 times as large: flat to the middle of each outer pixel, even in between. */
static void
test_between_pixels (void)
{
  static const guint8 pixels[] = { 0, 0, 0, 255, 255, 255, 0, 0, 0, 255, 255, 255 };
  SlRgb picture = { pixels, 2, 2, 6 };
  SlPlacement placement = { 0, 0, 16, 16, FALSE };
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, 16, 16);

  sl_resample (&picture, &placement, surface, &(cairo_rectangle_int_t) { 0, 0, 16, 16 });
  for (int x = 0; x < 16; x++)
    {
      int expected = CLAMP ((x + 0.5 - 4) / 8 * 255 + 0.5, 0, 255);

      g_assert_cmpint (ABS ((int) (get_pixel (surface, x, 5) & 255) - expected), <=, 1);
      g_assert_cmphex (get_pixel (surface, x, 5), ==, get_pixel (surface, x, 0));
    }
  placement.nearest = TRUE;
  sl_resample (&picture, &placement, surface, &(cairo_rectangle_int_t) { 0, 0, 16, 16 });
  for (int x = 0; x < 16; x++)
    g_assert_cmphex (get_pixel (surface, x, 9), ==, x < 8 ? 0 : 0xffffff);
  cairo_surface_destroy (surface);
}

/* --- panning and zooming ----------------------------------------------------- */

static SlCanvasView
make_view (SlMipmap *mipmap,
           double    scale,
           int       x,
           int       y)
{
  return (SlCanvasView) { mipmap, { x, y, WIDTH * scale, HEIGHT * scale }, VIEW_WIDTH, VIEW_HEIGHT };
}

static cairo_surface_t *
draw_sharp (SlCanvas           *canvas,
            const SlCanvasView *view)
{
  cairo_surface_t *surface = sl_canvas_draw (canvas, view);

  for (int i = 0; i < 20 && !sl_canvas_is_sharp (canvas); i++)
    {
      cairo_surface_destroy (surface);
      surface = sl_canvas_draw (canvas, view);
    }
  g_assert_true (sl_canvas_is_sharp (canvas));
  return surface;
}

/* The canvas, wherever it has been, shows what a new one shows. */
static void
assert_like_new (SlCanvas           *canvas,
                 const SlCanvasView *view)
{
  SlCanvas fresh = { 0 };
  cairo_surface_t *shown = draw_sharp (canvas, view);
  cairo_surface_t *expected = sl_canvas_draw (&fresh, view);

  g_assert_true (sl_canvas_is_sharp (&fresh));
  g_assert_cmpint (cairo_image_surface_get_format (shown), ==, cairo_image_surface_get_format (expected));
  for (int y = 0; y < VIEW_HEIGHT; y++)
    for (int x = 0; x < VIEW_WIDTH; x++)
      g_assert_cmphex (get_pixel (shown, x, y), ==, get_pixel (expected, x, y));
  cairo_surface_destroy (shown);
  cairo_surface_destroy (expected);
  sl_canvas_clear (&fresh);
}

static void
test_pan_and_zoom (void)
{
  static const struct { double scale; int x, y; } steps[] = {
    { 0.8, -50, -40 },  { 0.8, -57, -43 },   { 0.8, -20, -90 }, /* steps of a pan */
    { 0.8, -50, -199 }, { 0.8, -240, -200 }, /* jumps, with little in common and nothing */
    { 1.3, -300, -200 }, { 0.37, 0, 0 },     /* another size */
    { 0.2, 90, 50 },                         /* smaller than the view: the rest is transparent */
    { 6, -1000, -900 }, { 6, -1003, -950 },  /* squares */
  };
  g_autoptr (SlPicture) picture = create_picture ();
  g_autoptr (SlMipmap) mipmap = create_mipmap (picture);
  SlCanvas canvas = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (steps); i++)
    {
      SlCanvasView view = make_view (mipmap, steps[i].scale, steps[i].x, steps[i].y);

      assert_like_new (&canvas, &view);
    }
  sl_canvas_clear (&canvas);
}

/* A zoom's first frame is rough, and a pan while it is rough still ends sharp. */
static void
test_sharpening (void)
{
  g_autoptr (SlPicture) picture = create_picture ();
  g_autoptr (SlMipmap) mipmap = create_mipmap (picture);
  SlCanvasView first = make_view (mipmap, 0.8, -50, -40), zoomed = make_view (mipmap, 0.9, -70, -60);
  SlCanvasView moved = make_view (mipmap, 0.9, -75, -68);
  SlCanvas canvas = { 0 };

  cairo_surface_destroy (sl_canvas_draw (&canvas, &first));
  g_assert_true (sl_canvas_is_sharp (&canvas));
  cairo_surface_destroy (sl_canvas_draw (&canvas, &zoomed));
  g_assert_false (sl_canvas_is_sharp (&canvas));
  cairo_surface_destroy (sl_canvas_draw (&canvas, &zoomed));
  assert_like_new (&canvas, &moved);
  sl_canvas_clear (&canvas);
}

/* What a frame shows stays while a node shows it. */
static void
test_held (void)
{
  g_autoptr (SlPicture) picture = create_picture ();
  g_autoptr (SlMipmap) mipmap = create_mipmap (picture);
  SlCanvas canvas = { 0 };
  SlCanvasView view = make_view (mipmap, 1, -10, -20);
  cairo_surface_t *held = sl_canvas_draw (&canvas, &view);

  for (int i = 1; i < 4; i++)
    {
      view = make_view (mipmap, 1, -10 - i, -20);
      cairo_surface_destroy (sl_canvas_draw (&canvas, &view));
    }
  for (int x = 0; x < VIEW_WIDTH; x++)
    g_assert_cmphex (get_pixel (held, x, 3), ==, picture_pixel (x + 10, 23));
  cairo_surface_destroy (held);
  sl_canvas_clear (&canvas);
}

/* A node draws the surface where it lies, one unit for two of its pixels. */
static void
test_node (void)
{
  g_autoptr (SlPicture) picture = create_picture ();
  g_autoptr (SlMipmap) mipmap = create_mipmap (picture);
  SlCanvas canvas = { 0 };
  SlCanvasView view = make_view (mipmap, 1, -10, -20);
  cairo_surface_t *surface = sl_canvas_draw (&canvas, &view);
  cairo_surface_t *target = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, VIEW_WIDTH, VIEW_HEIGHT);
  g_autoptr (GskRenderNode) node = sl_canvas_make_node (
    surface, &GRAPHENE_RECT_INIT (0, 0, VIEW_WIDTH / 2, VIEW_HEIGHT / 2), 2);
  cairo_t *cr = cairo_create (target);

  cairo_surface_destroy (surface);
  cairo_scale (cr, 2, 2);
  gsk_render_node_draw (node, cr);
  cairo_destroy (cr);
  for (int x = 0; x < VIEW_WIDTH; x++)
    g_assert_cmphex (get_pixel (target, x, VIEW_HEIGHT - 1), ==, picture_pixel (x + 10, VIEW_HEIGHT + 19));
  cairo_surface_destroy (target);
  sl_canvas_clear (&canvas);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  gtk_init_check (); /* nodes need it; that there may be no display does not matter */
  g_test_add_func ("/canvas/original-size", test_original_size);
  g_test_add_func ("/canvas/between-pixels", test_between_pixels);
  g_test_add_func ("/canvas/pan-and-zoom", test_pan_and_zoom);
  g_test_add_func ("/canvas/sharpening", test_sharpening);
  g_test_add_func ("/canvas/held", test_held);
  g_test_add_func ("/canvas/node", test_node);
  return g_test_run ();
}
