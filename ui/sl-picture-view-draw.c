/* SPDX-License-Identifier: MIT
 *
 * The layers of SlPictureView: the picture's tiles, all boxes, what is lit or
 * selected, what a drag would give. The second is drawn once per change and kept as
 * one render node, so that a pointer that moves over a crowd of boxes repaints only
 * the boxes that light up or go out: GTK finds the kept nodes unchanged.
 */
#include "ui/sl-picture-view-private.h"

#include <math.h>

#define HANDLE_SIDE 9.0
#define HANDLE_REACH 7.0

void
sl_picture_view_invalidate (SlPictureView *self)
{
  g_clear_pointer (&self->boxes_node, gsk_render_node_unref);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* --- all boxes ------------------------------------------------------------- */

static GskRenderNode *
draw_boxes (SlPictureView         *self,
            const graphene_rect_t *bounds)
{
  int factor = gtk_widget_get_scale_factor (GTK_WIDGET (self));
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_ARGB32,
                                                         ceil (bounds->size.width) * factor,
                                                         ceil (bounds->size.height) * factor);
  cairo_t *cr = cairo_create (surface);
  GskRenderNode *node;

  cairo_surface_set_device_scale (surface, factor, factor);
  sl_box_painter_set_style (self->painter, &self->style);
  sl_box_painter_draw_plain (self->painter, cr);
  cairo_destroy (cr);

  node = gsk_cairo_node_new (bounds);
  cr = gsk_cairo_node_get_draw_context (node);
  cairo_set_source_surface (cr, surface, 0, 0);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_NEAREST);
  cairo_paint (cr);
  cairo_destroy (cr);
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

/* The model's squares over the picture and the padding beside it: the picture is scaled to
 * fit into columns × rows squares and centred there. */
static void
append_cut (SlPictureView         *self,
            GtkSnapshot           *snapshot,
            const graphene_rect_t *area,
            const graphene_rect_t *bounds)
{
  double side = MAX (area->size.width / self->cut_columns, area->size.height / self->cut_rows);
  double width = side * self->cut_columns;
  double height = side * self->cut_rows;
  double x = area->origin.x - (width - area->size.width) / 2;
  double y = area->origin.y - (height - area->size.height) / 2;
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, bounds);

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
  cairo_destroy (cr);
}

/* --- all layers ------------------------------------------------------------ */

static void
append_boxes (SlPictureView         *self,
              GtkSnapshot           *snapshot,
              const graphene_rect_t *bounds)
{
  int selected = self->zoomable ? sl_box_model_get_selected (self->model) : -1;
  gsize n_boxes;

  sl_box_model_get_paint_boxes (self->model, &n_boxes);
  if (n_boxes == 0)
    return;
  if (self->boxes_node == NULL)
    self->boxes_node = draw_boxes (self, bounds);
  gtk_snapshot_append_node (snapshot, self->boxes_node);
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

  if (self->picture == NULL)
    return;
  area = GRAPHENE_RECT_INIT (self->x, self->y, sl_picture_get_width (self->picture) * self->scale,
                             sl_picture_get_height (self->picture) * self->scale);
  gtk_snapshot_push_clip (snapshot, &bounds);
  sl_mipmap_snapshot (self->mipmap, snapshot, &area, &bounds,
                      gtk_widget_get_scale_factor (widget));
  if (self->heat != NULL)
    gtk_snapshot_append_texture (snapshot, self->heat, &area);
  if (self->cut_columns > 0)
    append_cut (self, snapshot, &area, &bounds);
  if (self->model != NULL && self->boxes_visible)
    append_boxes (self, snapshot, &bounds);
  append_draft (self, snapshot);
  gtk_snapshot_pop (snapshot);
}
