/* SPDX-License-Identifier: MIT
 *
 * Where the picture lies in the view: at which scale, from which corner. While `fitted` it follows the widget's size.
 */
#include "ui/pictures/sl-picture-view-private.h"

#include <math.h>

#define MAX_SCALE 64.0
#define REVEAL_MARGIN 24
/* How much of the view a box takes that is zoomed to. */
#define ZOOM_TO_PART 0.6

static void
apply_view (SlPictureView *self)
{
  SlBoxView view = {
    .x = self->x,
    .y = self->y,
    .scale = self->scale,
    .width = self->width,
    .height = self->height,
    .visible = { 0, 0, gtk_widget_get_width (GTK_WIDGET (self)),
                 gtk_widget_get_height (GTK_WIDGET (self)) },
    .grid = 1.0 / gtk_widget_get_scale_factor (GTK_WIDGET (self)),
  };

  sl_box_painter_set_view (self->painter, &view);
  sl_picture_view_invalidate (self);
}

static double
fit_scale (SlPictureView *self)
{
  double width = MAX (1, gtk_widget_get_width (GTK_WIDGET (self)));
  double height = MAX (1, gtk_widget_get_height (GTK_WIDGET (self)));

  return MIN (width / self->width,
              height / self->height);
}

/* Keeps the picture in sight: centred where it is smaller than the view. Its corner lies on a device pixel, so that a
 * picture that moves keeps its pixels. */
static void
clamp_offset (SlPictureView *self)
{
  double width = gtk_widget_get_width (GTK_WIDGET (self));
  double height = gtk_widget_get_height (GTK_WIDGET (self));
  double shown_width = self->width * self->scale;
  double shown_height = self->height * self->scale;
  int factor = gtk_widget_get_scale_factor (GTK_WIDGET (self));

  self->x = shown_width <= width ? (width - shown_width) / 2
                                 : CLAMP (self->x, width - shown_width, 0);
  self->y = shown_height <= height ? (height - shown_height) / 2
                                   : CLAMP (self->y, height - shown_height, 0);
  self->x = round (self->x * factor) / factor;
  self->y = round (self->y * factor) / factor;
}

void
sl_picture_view_set_view (SlPictureView *self,
                          double         scale,
                          double         x,
                          double         y)
{
  gboolean rescaled = scale != self->scale;

  self->scale = scale;
  self->x = x;
  self->y = y;
  clamp_offset (self);
  apply_view (self);
  if (rescaled)
    g_object_notify (G_OBJECT (self), "scale");
  g_signal_emit_by_name (self, "moved");
}

void
sl_picture_view_fit (SlPictureView *self)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->fitted = TRUE;
  if (self->part != NULL)
    sl_picture_view_set_view (self, fit_scale (self), 0, 0);
}

void
sl_picture_view_zoom_at (SlPictureView *self,
                         double         scale,
                         double         x,
                         double         y)
{
  double factor;

  if (self->part == NULL || !self->zoomable)
    return;
  scale = CLAMP (scale, MIN (fit_scale (self), 1) / 2, MAX_SCALE);
  factor = scale / self->scale;
  self->fitted = FALSE;
  sl_picture_view_set_view (self, scale, x - (x - self->x) * factor, y - (y - self->y) * factor);
}

void
sl_picture_view_move_to (SlPictureView *self,
                         double         x,
                         double         y)
{
  if (self->part != NULL)
    sl_picture_view_set_view (self, self->scale, x, y);
}

void
sl_picture_view_set_scale (SlPictureView *self,
                           double         scale)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  sl_picture_view_zoom_at (self, scale, gtk_widget_get_width (GTK_WIDGET (self)) / 2.0,
                           gtk_widget_get_height (GTK_WIDGET (self)) / 2.0);
}

double
sl_picture_view_get_scale (SlPictureView *self)
{
  g_return_val_if_fail (SL_IS_PICTURE_VIEW (self), 1);
  return self->scale;
}

void
sl_picture_view_reveal (SlPictureView *self,
                        int            paint_box)
{
  const SlBoxGeometry *geometry;
  gsize n_boxes;
  double dx = 0, dy = 0;

  g_return_if_fail (SL_IS_PICTURE_VIEW (self));

  geometry = sl_box_painter_layout (self->painter, &n_boxes);
  if (paint_box < 0 || (gsize) paint_box >= n_boxes || self->fitted)
    return;
  const cairo_rectangle_t *frame = &geometry[paint_box].frame;
  if (frame->x < REVEAL_MARGIN || frame->x + frame->width >
                                    gtk_widget_get_width (GTK_WIDGET (self)) - REVEAL_MARGIN)
    dx = gtk_widget_get_width (GTK_WIDGET (self)) / 2.0 - (frame->x + frame->width / 2);
  if (frame->y < REVEAL_MARGIN || frame->y + frame->height >
                                    gtk_widget_get_height (GTK_WIDGET (self)) - REVEAL_MARGIN)
    dy = gtk_widget_get_height (GTK_WIDGET (self)) / 2.0 - (frame->y + frame->height / 2);
  sl_picture_view_move_to (self, self->x + dx, self->y + dy);
}

void
sl_picture_view_zoom_to (SlPictureView *self,
                         int            paint_box)
{
  double width = gtk_widget_get_width (GTK_WIDGET (self));
  double height = gtk_widget_get_height (GTK_WIDGET (self));
  const SlPaintBox *boxes;
  gsize n_boxes;
  double scale;

  g_return_if_fail (SL_IS_PICTURE_VIEW (self));

  if (self->model == NULL || self->part == NULL)
    return;
  boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  if (paint_box < 0 || (gsize) paint_box >= n_boxes)
    return;
  scale = MIN (width / MAX (1, boxes[paint_box].x2 - boxes[paint_box].x1),
               height / MAX (1, boxes[paint_box].y2 - boxes[paint_box].y1)) * ZOOM_TO_PART;
  scale = CLAMP (scale, MIN (fit_scale (self), 1) / 2, MAX_SCALE);
  self->fitted = FALSE;
  sl_picture_view_set_view (self, scale,
            width / 2 - (boxes[paint_box].x1 + boxes[paint_box].x2) / 2 * scale,
            height / 2 - (boxes[paint_box].y1 + boxes[paint_box].y2) / 2 * scale);
}

void
sl_picture_view_follow (SlPictureView *self,
                        SlPictureView *other)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  g_return_if_fail (SL_IS_PICTURE_VIEW (other));

  if (self->part == NULL || (self->scale == other->scale && self->x == other->x &&
                                self->y == other->y))
    return;
  self->fitted = other->fitted;
  if (self->fitted)
    sl_picture_view_fit (self);
  else
    sl_picture_view_set_view (self, other->scale, other->x, other->y);
}

gboolean
sl_picture_view_get_middle (SlPictureView *self,
                            double        *x,
                            double        *y)
{
  g_return_val_if_fail (SL_IS_PICTURE_VIEW (self), FALSE);
  if (self->fitted || self->part == NULL)
    return FALSE;
  *x = (gtk_widget_get_width (GTK_WIDGET (self)) / 2.0 - self->x) / self->scale;
  *y = (gtk_widget_get_height (GTK_WIDGET (self)) / 2.0 - self->y) / self->scale;
  return TRUE;
}

void
sl_picture_view_keep_zoom (SlPictureView *self,
                           double         old_width,
                           double         old_height)
{
  double width = gtk_widget_get_width (GTK_WIDGET (self));
  double height = gtk_widget_get_height (GTK_WIDGET (self));
  double x = (width / 2 - self->x) / self->scale / old_width;
  double y = (height / 2 - self->y) / self->scale / old_height;

  sl_picture_view_set_view (self, self->scale, width / 2 - x * self->scale * self->width,
            height / 2 - y * self->scale * self->height);
}
