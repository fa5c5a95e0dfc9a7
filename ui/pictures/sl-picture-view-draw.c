/* SPDX-License-Identifier: MIT
 *
 * The layers of SlPictureView: the picture, all boxes, what is lit or selected, what
 * a drag would give. Boxes are drawn once per change and kept as one render node, so
 * that a pointer that moves over a crowd of them repaints only those that light up
 * or go out: GTK finds the kept node unchanged. The cairo renderer gets the picture
 * in that node, too (see sl-canvas.h); others get textures.
 */
#include "ui/pictures/sl-picture-view-private.h"

#include <math.h>

#define HANDLE_SIDE 9.0
#define HANDLE_REACH 7.0

void
sl_picture_view_invalidate (SlPictureView *self)
{
  g_clear_pointer (&self->boxes_node, gsk_render_node_unref);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* --- below: cut, heat, all boxes --------------------------------------------- */

/* The model's squares over the picture and the padding beside it: the picture is scaled to
 * fit into columns × rows squares and centred there. */
static void
draw_cut (SlPictureView         *self,
          cairo_t               *cr,
          const graphene_rect_t *area)
{
  double side = MAX (area->size.width / self->cut_columns, area->size.height / self->cut_rows);
  double width = side * self->cut_columns;
  double height = side * self->cut_rows;
  double x = area->origin.x - (width - area->size.width) / 2;
  double y = area->origin.y - (height - area->size.height) / 2;

  /* Padding is grey for the model. */
  cairo_rectangle (cr, x, y, width, height);
  cairo_rectangle (cr, area->origin.x, area->origin.y, area->size.width, area->size.height);
  cairo_set_fill_rule (cr, CAIRO_FILL_RULE_EVEN_ODD);
  cairo_set_source_rgba (cr, 0.5, 0.5, 0.5, 0.6);
  cairo_fill (cr);
  for (int i = 0; i <= self->cut_columns; i++)
    {
      cairo_move_to (cr, x + i * side, y);
      cairo_line_to (cr, x + i * side, y + height);
    }
  for (int i = 0; i <= self->cut_rows; i++)
    {
      cairo_move_to (cr, x, y + i * side);
      cairo_line_to (cr, x + width, y + i * side);
    }
  cairo_set_line_width (cr, 3);
  cairo_set_source_rgba (cr, 0, 0, 0, 0.5);
  cairo_stroke_preserve (cr);
  cairo_set_line_width (cr, 1);
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_stroke (cr);
}

static void
draw_boxes (SlPictureView *self,
            cairo_t       *cr)
{
  gsize n_boxes;

  if (self->model == NULL || !self->boxes_visible)
    return;
  sl_box_model_get_paint_boxes (self->model, &n_boxes);
  if (n_boxes == 0)
    return;
  sl_box_painter_set_style (self->painter, &self->style);
  sl_box_painter_draw_plain (self->painter, cr);
}

static GskRenderNode *
draw_boxes_node (SlPictureView         *self,
                 const graphene_rect_t *bounds)
{
  int factor = gtk_widget_get_scale_factor (GTK_WIDGET (self));
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32,
                                                         ceil (bounds->size.width) * factor,
                                                         ceil (bounds->size.height) * factor);
  cairo_t *cr = cairo_create (surface);
  GskRenderNode *node;

  cairo_scale (cr, factor, factor);
  draw_boxes (self, cr);
  cairo_destroy (cr);
  node = sl_canvas_make_node (surface, bounds, factor);
  cairo_surface_destroy (surface);
  return node;
}

/* --- on top ---------------------------------------------------------------- */

static void
append_strong (SlPictureView         *self,
               GtkSnapshot           *snapshot,
               const graphene_rect_t *bounds,
               int                    box,
               gboolean               hovered)
{
  cairo_rectangle_t extents;
  graphene_rect_t area;
  cairo_t *cr;

  if (!sl_box_painter_get_extents (self->painter, box, &extents))
    return;
  area = GRAPHENE_RECT_INIT (extents.x, extents.y, extents.width, extents.height);
  if (!graphene_rect_intersection (&area, bounds, &area))
    return;
  cr = gtk_snapshot_append_cairo (snapshot, &area);
  sl_box_painter_draw_strong (self->painter, cr, box, hovered);
  cairo_destroy (cr);
}

static void
get_handle (const cairo_rectangle_t *frame,
            int                      index,
            double                  *x,
            double                  *y)
{
  static const double places[8][2] = { { 0, 0 }, { 0.5, 0 }, { 1, 0 }, { 1, 0.5 },
                                       { 1, 1 }, { 0.5, 1 }, { 0, 1 }, { 0, 0.5 } };

  *x = frame->x + frame->width * places[index][0];
  *y = frame->y + frame->height * places[index][1];
}

static const cairo_rectangle_t *
get_selected_frame (SlPictureView *self)
{
  int selected = self->model ? sl_box_model_get_selected (self->model) : -1;
  const SlBoxGeometry *geometry;
  gsize n_boxes;

  if (!self->editable || !self->boxes_visible || selected < 0)
    return NULL;
  geometry = sl_box_painter_layout (self->painter, &n_boxes);
  if ((gsize) selected >= n_boxes || geometry[selected].frame.width <= 0)
    return NULL;
  return &geometry[selected].frame;
}

static void
append_handles (SlPictureView *self,
                GtkSnapshot   *snapshot)
{
  const cairo_rectangle_t *frame = get_selected_frame (self);
  graphene_rect_t area;
  cairo_t *cr;

  if (frame == NULL)
    return;
  area = GRAPHENE_RECT_INIT (frame->x - HANDLE_SIDE, frame->y - HANDLE_SIDE,
                             frame->width + 2 * HANDLE_SIDE, frame->height + 2 * HANDLE_SIDE);
  cr = gtk_snapshot_append_cairo (snapshot, &area);
  for (int i = 0; i < 8; i++)
    {
      double x, y;

      get_handle (frame, i, &x, &y);
      cairo_rectangle (cr, x - HANDLE_SIDE / 2, y - HANDLE_SIDE / 2, HANDLE_SIDE, HANDLE_SIDE);
    }
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_fill_preserve (cr);
  cairo_set_source_rgba (cr, 0, 0, 0, 0.8);
  cairo_set_line_width (cr, 1);
  cairo_stroke (cr);
  cairo_destroy (cr);
}

SlEdges
sl_picture_view_find_handle (SlPictureView *self,
                             double         x,
                             double         y)
{
  static const SlEdges edges[8] = {
    SL_EDGE_LEFT | SL_EDGE_TOP, SL_EDGE_TOP, SL_EDGE_RIGHT | SL_EDGE_TOP, SL_EDGE_RIGHT,
    SL_EDGE_RIGHT | SL_EDGE_BOTTOM, SL_EDGE_BOTTOM, SL_EDGE_LEFT | SL_EDGE_BOTTOM, SL_EDGE_LEFT,
  };
  const cairo_rectangle_t *frame = get_selected_frame (self);

  if (frame == NULL)
    return 0;
  for (int i = 0; i < 8; i++)
    {
      double handle_x, handle_y;

      get_handle (frame, i, &handle_x, &handle_y);
      if (fabs (x - handle_x) <= HANDLE_REACH && fabs (y - handle_y) <= HANDLE_REACH)
        return edges[i];
    }
  if (x >= frame->x && y >= frame->y && x <= frame->x + frame->width && y <= frame->y + frame->height)
    return SL_EDGE_ALL;
  return 0;
}

/* Black and white dashes: seen on every ground. */
static void
append_draft (SlPictureView *self,
              GtkSnapshot   *snapshot)
{
  double x = self->x + self->draft.x * self->scale;
  double y = self->y + self->draft.y * self->scale;
  double width = self->draft.width * self->scale;
  double height = self->draft.height * self->scale;
  cairo_t *cr;

  if (self->draft.width <= 0 || self->drag == SL_DRAG_NONE)
    return;
  cr = gtk_snapshot_append_cairo (snapshot,
                                  &GRAPHENE_RECT_INIT (x - 2, y - 2, width + 4, height + 4));
  cairo_rectangle (cr, x, y, width, height);
  cairo_set_line_width (cr, 2);
  cairo_set_source_rgb (cr, 0, 0, 0);
  cairo_stroke_preserve (cr);
  cairo_set_dash (cr, (double[]) { 6 }, 1, 0);
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_stroke (cr);
  cairo_destroy (cr);
}

/* --- all layers ------------------------------------------------------------ */

/* For a renderer that keeps textures where it draws: it scales and mixes. */
static void
append_layers (SlPictureView         *self,
               GtkSnapshot           *snapshot,
               const graphene_rect_t *area,
               const graphene_rect_t *bounds)
{
  sl_mipmap_snapshot (self->mipmap, snapshot, area, bounds,
                      gtk_widget_get_scale_factor (GTK_WIDGET (self)));
  if (self->heat != NULL)
    gtk_snapshot_append_texture (snapshot, self->heat, area);
  if (self->cut_columns > 0)
    {
      cairo_t *cr = gtk_snapshot_append_cairo (snapshot, bounds);

      draw_cut (self, cr, area);
      cairo_destroy (cr);
    }
  if (self->boxes_node == NULL)
    self->boxes_node = draw_boxes_node (self, bounds);
  gtk_snapshot_append_node (snapshot, self->boxes_node);
}

static void
draw_heat (SlPictureView         *self,
           cairo_t               *cr,
           const graphene_rect_t *area)
{
  int width = gdk_texture_get_width (self->heat), height = gdk_texture_get_height (self->heat);
  cairo_surface_t *cells = cairo_image_surface_create (CAIRO_FORMAT_ARGB32, width, height);

  gdk_texture_download (self->heat, cairo_image_surface_get_data (cells), cairo_image_surface_get_stride (cells));
  cairo_surface_mark_dirty (cells);
  cairo_save (cr);
  cairo_rectangle (cr, area->origin.x, area->origin.y, area->size.width, area->size.height);
  cairo_clip (cr);
  cairo_translate (cr, area->origin.x, area->origin.y);
  cairo_scale (cr, area->size.width / width, area->size.height / height);
  cairo_set_source_surface (cr, cells, 0, 0);
  cairo_pattern_set_extend (cairo_get_source (cr), CAIRO_EXTEND_PAD);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_BILINEAR);
  cairo_paint (cr);
  cairo_restore (cr);
  cairo_surface_destroy (cells);
}

static gboolean
on_sharpen (GtkWidget     *widget,
            GdkFrameClock *clock,
            gpointer       data)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);

  if (!sl_canvas_is_sharp (&self->canvas))
    {
      sl_picture_view_invalidate (self);
      return G_SOURCE_CONTINUE;
    }
  self->sharpening = 0;
  return G_SOURCE_REMOVE;
}

/* For a renderer that computes every pixel of every frame: all layers become one surface of its own format. */
static void
append_canvas (SlPictureView         *self,
               GtkSnapshot           *snapshot,
               const graphene_rect_t *area,
               const graphene_rect_t *bounds)
{
  int factor = gtk_widget_get_scale_factor (GTK_WIDGET (self));
  SlCanvasView view = {
    self->mipmap,
    { self->x * factor, self->y * factor, self->width * self->scale * factor,
      self->height * self->scale * factor },
    bounds->size.width * factor, bounds->size.height * factor,
  };
  cairo_surface_t *surface;
  cairo_t *cr;

  if (self->boxes_node == NULL)
    {
      surface = sl_canvas_draw (&self->canvas, &view);
      if (surface == NULL)
        return;
      cr = cairo_create (surface);
      cairo_scale (cr, factor, factor);
      if (self->heat != NULL)
        draw_heat (self, cr, area);
      if (self->cut_columns > 0)
        draw_cut (self, cr, area);
      draw_boxes (self, cr);
      cairo_destroy (cr);
      self->boxes_node = sl_canvas_make_node (surface, bounds, factor);
      cairo_surface_destroy (surface);
      if (!self->zoomable) /* one of many in a conversation, and it does not move: the node is enough */
        sl_canvas_clear (&self->canvas);
      if (self->sharpening == 0 && !sl_canvas_is_sharp (&self->canvas))
        self->sharpening = gtk_widget_add_tick_callback (GTK_WIDGET (self), on_sharpen, NULL, NULL);
    }
  gtk_snapshot_append_node (snapshot, self->boxes_node);
}

/* What is lit or selected. */
static void
append_top (SlPictureView         *self,
            GtkSnapshot           *snapshot,
            const graphene_rect_t *bounds)
{
  int selected = self->zoomable ? sl_box_model_get_selected (self->model) : -1;
  gsize n_boxes;

  sl_box_model_get_paint_boxes (self->model, &n_boxes);
  if (n_boxes == 0)
    return;
  if (selected >= 0 && !sl_box_model_is_lit (self->model, selected))
    append_strong (self, snapshot, bounds, selected, FALSE);
  for (gsize i = 0; i < n_boxes; i++)
    if (sl_box_model_is_lit (self->model, i))
      append_strong (self, snapshot, bounds, i, TRUE);
  append_handles (self, snapshot);
}

void
sl_picture_view_draw (GtkWidget   *widget,
                      GtkSnapshot *snapshot)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (0, 0, gtk_widget_get_width (widget),
                                               gtk_widget_get_height (widget));
  graphene_rect_t area;

  if (self->mipmap == NULL)
    return;
  area = GRAPHENE_RECT_INIT (self->x, self->y, self->width * self->scale,
                             self->height * self->scale);
  gtk_snapshot_push_clip (snapshot, &bounds);
  if (GSK_IS_CAIRO_RENDERER (gtk_native_get_renderer (gtk_widget_get_native (widget))))
    append_canvas (self, snapshot, &area, &bounds);
  else
    append_layers (self, snapshot, &area, &bounds);
  if (self->model != NULL && self->boxes_visible)
    append_top (self, snapshot, &bounds);
  append_draft (self, snapshot);
  gtk_snapshot_pop (snapshot);
}
