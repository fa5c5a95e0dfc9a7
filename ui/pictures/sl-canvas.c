/* SPDX-License-Identifier: MIT
 *
 * Keeps a view's picture as a surface and moves it along. Surfaces have no device scale.
 */
#include "ui/pictures/sl-canvas.h"

#include <malloc.h>
#include <math.h>

/* Over how many frames the picture becomes sharp after a zoom or a jump. */
#define SHARPENING_FRAMES 4

/* In each frame the cairo renderer takes and gives back several surfaces as large as the view. Unless that memory stays with
 * the process, the kernel clears every page of it anew: a third of a frame's time. */
static void
keep_frame_memory (void)
{
#ifdef M_TRIM_THRESHOLD
  static gsize done;

  if (g_once_init_enter (&done))
    {
      mallopt (M_MMAP_THRESHOLD, 16 << 20);
      mallopt (M_TRIM_THRESHOLD, 64 << 20);
      g_once_init_leave (&done, 1);
    }
#endif
}

void
sl_canvas_clear (SlCanvas *self)
{
  sl_canvas_invalidate (self);
  g_clear_pointer (&self->picture, cairo_surface_destroy);
  g_clear_pointer (&self->spare, cairo_surface_destroy);
  g_clear_pointer (&self->shown[0], cairo_surface_destroy);
  g_clear_pointer (&self->shown[1], cairo_surface_destroy);
}

void
sl_canvas_invalidate (SlCanvas *self)
{
  self->view.mipmap = NULL;
}

/* The part of the view that the picture covers; nothing while it cannot be drawn. */
static cairo_rectangle_int_t
get_covered (const SlCanvasView *view)
{
  if (!sl_mipmap_is_ready (view->mipmap))
    return (cairo_rectangle_int_t) { 0 };

  int x1 = CLAMP (round (view->area.x), 0, view->width);
  int y1 = CLAMP (round (view->area.y), 0, view->height);
  int x2 = CLAMP (round (view->area.x + view->area.width), 0, view->width);
  int y2 = CLAMP (round (view->area.y + view->area.height), 0, view->height);

  return (cairo_rectangle_int_t) { x1, y1, x2 - x1, y2 - y1 };
}

/* Makes the surface in *@slot one of this size and format that nobody else holds, if it is not. */
static gboolean
ensure_surface (cairo_surface_t **slot,
                cairo_format_t    format,
                int               width,
                int               height)
{
  if (*slot != NULL && cairo_surface_get_reference_count (*slot) == 1 && cairo_image_surface_get_format (*slot) == format &&
      cairo_image_surface_get_width (*slot) == width && cairo_image_surface_get_height (*slot) == height)
    return TRUE;
  g_clear_pointer (slot, cairo_surface_destroy);
  *slot = cairo_image_surface_create (format, width, height);
  return cairo_surface_status (*slot) == CAIRO_STATUS_SUCCESS;
}

static void
copy (cairo_surface_t *from,
      cairo_surface_t *to,
      int              x,
      int              y)
{
  cairo_t *cr = cairo_create (to);

  cairo_set_operator (cr, CAIRO_OPERATOR_SOURCE);
  cairo_set_source_surface (cr, from, x, y);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_NEAREST);
  cairo_rectangle (cr, x, y, cairo_image_surface_get_width (from), cairo_image_surface_get_height (from));
  cairo_fill (cr);
  cairo_destroy (cr);
}

static gboolean
is_same_size (const SlCanvasView *a,
              const SlCanvasView *b)
{
  return a->mipmap == b->mipmap && a->width == b->width && a->height == b->height;
}

/* The same picture at the same zoom, elsewhere: all but the edges that come into sight is there already. */
static gboolean
move_picture (SlCanvas           *self,
              const SlCanvasView *view,
              int                 dx,
              int                 dy)
{
  cairo_rectangle_int_t covered = get_covered (view), known = get_covered (&self->view);
  cairo_surface_t *moved;
  cairo_region_t *missing;
  int n_missing = 0;
  gboolean rough;

  if (!ensure_surface (&self->spare, CAIRO_FORMAT_RGB24, view->width, view->height))
    return FALSE;
  copy (self->picture, self->spare, dx, dy);
  moved = self->spare;
  self->spare = self->picture;
  self->picture = moved;

  known.x += dx;
  known.y += dy;
  missing = cairo_region_create_rectangle (&covered);
  cairo_region_subtract_rectangle (missing, &known);
  for (int i = 0; i < cairo_region_num_rectangles (missing); i++)
    {
      cairo_rectangle_int_t part;

      cairo_region_get_rectangle (missing, i, &part);
      n_missing += part.width * part.height;
    }
  rough = n_missing > view->width * view->height / SHARPENING_FRAMES;
  for (int i = 0; i < cairo_region_num_rectangles (missing); i++)
    {
      cairo_rectangle_int_t part;

      cairo_region_get_rectangle (missing, i, &part);
      sl_mipmap_render (view->mipmap, self->picture, &part, &view->area, rough);
    }
  cairo_region_destroy (missing);
  if (rough || self->n_sharp < view->height)
    self->n_sharp = 0;
  return TRUE;
}

/* Rows from the n-th on, as many as a frame has the time for; all of them where nothing was before. */
static gboolean
scale_picture (SlCanvas           *self,
               const SlCanvasView *view,
               gboolean            rough,
               int                 from,
               int                 to)
{
  cairo_rectangle_int_t part = get_covered (view);
  int y1 = MAX (part.y, from), y2 = MIN (part.y + part.height, to);

  if (!ensure_surface (&self->picture, CAIRO_FORMAT_RGB24, view->width, view->height))
    return FALSE;
  part.y = y1;
  part.height = y2 - y1;
  if (part.height > 0)
    sl_mipmap_render (view->mipmap, self->picture, &part, &view->area, rough);
  self->n_sharp = rough ? 0 : to;
  return TRUE;
}

static gboolean
update_picture (SlCanvas           *self,
                const SlCanvasView *view)
{
  double dx = round (view->area.x - self->view.area.x), dy = round (view->area.y - self->view.area.y);
  gboolean known = is_same_size (&self->view, view);
  gboolean zoomed = view->area.width != self->view.area.width || view->area.height != self->view.area.height;

  if (!known)
    return scale_picture (self, view, FALSE, 0, view->height);
  if (zoomed || fabs (dx) >= view->width || fabs (dy) >= view->height)
    return scale_picture (self, view, TRUE, 0, view->height);
  if (dx != 0 || dy != 0)
    return move_picture (self, view, dx, dy);
  if (self->n_sharp < view->height)
    return scale_picture (self, view, FALSE, self->n_sharp, MIN (self->n_sharp + view->height / SHARPENING_FRAMES + 1, view->height));
  return TRUE;
}

cairo_surface_t *
sl_canvas_draw (SlCanvas           *self,
                const SlCanvasView *view)
{
  cairo_rectangle_int_t covered = get_covered (view);
  gboolean opaque = covered.width == view->width && covered.height == view->height;
  cairo_surface_t *shown = self->shown[1];
  cairo_t *cr;

  keep_frame_memory ();
  self->shown[1] = self->shown[0];
  self->shown[0] = shown;
  if (view->width <= 0 || view->height <= 0 || !update_picture (self, view) ||
      !ensure_surface (&self->shown[0], opaque ? CAIRO_FORMAT_RGB24 : CAIRO_FORMAT_ARGB32, view->width, view->height))
    {
      sl_canvas_invalidate (self);
      return NULL;
    }
  self->view = *view;

  cr = cairo_create (self->shown[0]);
  cairo_set_operator (cr, CAIRO_OPERATOR_SOURCE);
  if (!opaque)
    {
      cairo_rectangle (cr, 0, 0, view->width, view->height);
      cairo_rectangle (cr, covered.x, covered.y, covered.width, covered.height);
      cairo_set_fill_rule (cr, CAIRO_FILL_RULE_EVEN_ODD);
      cairo_set_source_rgba (cr, 0, 0, 0, 0);
      cairo_fill (cr);
    }
  cairo_rectangle (cr, covered.x, covered.y, covered.width, covered.height);
  cairo_set_source_surface (cr, self->picture, 0, 0);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_NEAREST);
  cairo_fill (cr);
  cairo_destroy (cr);
  return cairo_surface_reference (self->shown[0]);
}

gboolean
sl_canvas_is_sharp (const SlCanvas *self)
{
  return self->n_sharp >= self->view.height;
}

/* --- nodes ------------------------------------------------------------------- */

static cairo_surface_t *
acquire (cairo_pattern_t             *pattern,
         void                        *surface,
         cairo_surface_t             *target,
         const cairo_rectangle_int_t *extents)
{
  return cairo_surface_reference (surface);
}

static void
release (cairo_pattern_t *pattern,
         void            *surface,
         cairo_surface_t *acquired)
{
  cairo_surface_destroy (acquired);
}

static cairo_status_t
add_holder (cairo_pattern_t       *pattern,
            void                  *surface,
            const cairo_pattern_t *other)
{
  cairo_surface_reference (surface);
  return CAIRO_STATUS_SUCCESS;
}

static void
remove_holder (cairo_pattern_t *pattern,
               void            *surface)
{
  cairo_surface_destroy (surface);
}

/* A plain surface as source would be copied by cairo the next time that it is drawn to, needed or not. */
GskRenderNode *
sl_canvas_make_node (cairo_surface_t       *surface,
                     const graphene_rect_t *bounds,
                     int                    factor)
{
  GskRenderNode *node = gsk_cairo_node_new (bounds);
  cairo_t *cr = gsk_cairo_node_get_draw_context (node);
  cairo_pattern_t *pattern = cairo_pattern_create_raster_source (cairo_surface_reference (surface),
                                                                 cairo_surface_get_content (surface),
                                                                 cairo_image_surface_get_width (surface),
                                                                 cairo_image_surface_get_height (surface));
  cairo_matrix_t matrix;

  cairo_raster_source_pattern_set_acquire (pattern, acquire, release);
  cairo_raster_source_pattern_set_copy (pattern, add_holder);
  cairo_raster_source_pattern_set_finish (pattern, remove_holder);
  cairo_matrix_init_scale (&matrix, factor, factor);
  cairo_pattern_set_matrix (pattern, &matrix);
  cairo_pattern_set_filter (pattern, CAIRO_FILTER_NEAREST);
  cairo_set_source (cr, pattern);
  cairo_pattern_destroy (pattern);
  cairo_paint (cr);
  cairo_destroy (cr);
  return node;
}
