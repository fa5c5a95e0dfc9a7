/* SPDX-License-Identifier: MIT
 *
 * The view's struct and what its parts call of each other: sl-picture-view.c (what is shown), sl-picture-view-zoom.c (where it
 * lies), sl-picture-view-draw.c (layers), sl-picture-view-input.c (pointer and keys). Nobody else includes this.
 */
#pragma once

#include "ui/pictures/sl-canvas.h"
#include "ui/pictures/sl-mipmap.h"
#include "ui/pictures/sl-picture-view.h"
#include "ui/pictures/sl-still.h"

/* Which edges of a rectangle a drag moves; all of them: the rectangle itself. */
typedef enum
{
  SL_EDGE_LEFT = 1,
  SL_EDGE_TOP = 2,
  SL_EDGE_RIGHT = 4,
  SL_EDGE_BOTTOM = 8,
  SL_EDGE_ALL = 15,
} SlEdges;

typedef enum
{
  SL_DRAG_NONE,
  SL_DRAG_PAN,
  SL_DRAG_DRAW,
  SL_DRAG_EDIT,
} SlDrag;

struct _SlPictureView
{
  GtkWidget parent_instance;

  SlMessagePart *part;
  int width, height;         /* of the picture, upright pixels */
  SlStill *still;            /* where it does not zoom */
  SlMipmap *mipmap;          /* NULL until there are pixels */
  SlBoxModel *model;
  SlBoxPainter *painter;
  SlCanvas canvas;           /* what the cairo renderer shows */
  guint sharpening;          /* tick callback while the canvas is not sharp, or 0 */
  GskRenderNode *boxes_node; /* all boxes as if none was lit, on the canvas with all below; NULL: to be drawn */
  GdkTexture *heat;          /* laid over the picture, or NULL */
  SlBoxStyle style;
  int cut_columns, cut_rows; /* 0: not shown */

  gboolean zoomable;
  gboolean editable;
  gboolean fitted;
  gboolean boxes_visible;
  gboolean drawing;      /* the pointer draws a rectangle */
  gboolean space;        /* held: the pointer pans */
  double scale;
  double x, y;           /* of the picture's corner, widget units */

  double pointer_x, pointer_y;
  double drag_x, drag_y; /* the corner, or the pointer in picture pixels, where the drag began */
  double pinch_scale;
  SlDrag drag;
  SlEdges edges;
  cairo_rectangle_t draft_start;
  cairo_rectangle_t draft; /* picture pixels; what the drag would give; width 0: none */
};

void sl_picture_view_install_input (GtkWidgetClass *klass);
void sl_picture_view_add_input     (SlPictureView  *self);
void sl_picture_view_emit_activated (SlPictureView *self,
                                     int            box);
void sl_picture_view_emit_area      (SlPictureView *self,
                                     int            box);
void sl_picture_view_emit_pointer   (SlPictureView *self);

/* Kept in sight: centred where it is smaller than the view. */
void sl_picture_view_set_view  (SlPictureView *self,
                                double         scale,
                                double         x,
                                double         y);
/* The same part of another picture, so that stepping through a series compares. */
void sl_picture_view_keep_zoom (SlPictureView *self,
                                double         old_width,
                                double         old_height);
/* The picture point at (@x, @y) stays where it is. */
void sl_picture_view_zoom_at   (SlPictureView *self,
                                double         scale,
                                double         x,
                                double         y);
void sl_picture_view_move_to   (SlPictureView *self,
                                double         x,
                                double         y);

/* The layers have to be drawn anew. */
void sl_picture_view_invalidate (SlPictureView *self);
void sl_picture_view_draw       (GtkWidget   *widget,
                                 GtkSnapshot *snapshot);
/* The handle of the selected box at a point, or its inside; 0 for neither. */
SlEdges sl_picture_view_find_handle (SlPictureView *self,
                                     double         x,
                                     double         y);
