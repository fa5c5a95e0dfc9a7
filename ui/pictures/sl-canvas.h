/* SPDX-License-Identifier: MIT
 *
 * What one SlPictureView shows, kept as a surface for GTK's cairo renderer: the picture at the current zoom, and a copy of it
 * for the layers on top. When the view pans, the picture moves along and only what comes into sight is scaled anew; when it
 * zooms or jumps, the picture is scaled roughly first and well in the next frames, some rows in each. A frame costs the
 * renderer one plain copy of the damaged part, and no memory is allocated while the size stays. UI thread. Knows no boxes.
 */
#pragma once

#include "ui/pictures/sl-mipmap.h"

G_BEGIN_DECLS

typedef struct
{
  SlMipmap         *mipmap;        /* borrowed; NULL: what is kept is of no use */
  cairo_rectangle_t area;          /* of the whole picture, device pixels of the view; its corner a whole number */
  int               width, height; /* of the view, device pixels */
} SlCanvasView;

typedef struct
{
  SlCanvasView     view;
  cairo_surface_t *picture, *spare; /* the picture alone, opaque; spare: what it was before the last move */
  int              n_sharp;         /* rows from the top that are scaled well */
  cairo_surface_t *shown[2];        /* with layers, in turn: the renderer still holds the one before */
} SlCanvas;

void sl_canvas_clear (SlCanvas *self);

/* The picture has other pixels now. */
void sl_canvas_invalidate (SlCanvas *self);

/* A surface of the view's size with the picture drawn on it and the rest transparent, for layers to be drawn on top;
 * the caller owns a reference, and as long as anybody has one it is not drawn to again. NULL without memory. */
cairo_surface_t *sl_canvas_draw (SlCanvas           *self,
                                 const SlCanvasView *view);

/* Whether all rows are scaled well; if not, drawing again does some more. */
gboolean sl_canvas_is_sharp (const SlCanvas *self);

/* A node that shows @surface's pixels, @factor of them per unit. */
GskRenderNode *sl_canvas_make_node (cairo_surface_t       *surface,
                                    const graphene_rect_t *bounds,
                                    int                    factor);

G_END_DECLS
