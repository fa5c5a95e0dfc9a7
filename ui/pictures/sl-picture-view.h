/* SPDX-License-Identifier: MIT
 *
 * A picture with its boxes on it, drawn at display resolution. Small and still
 * under an answer (the picture decides its size), or filling the viewer with
 * zoom and pan, boxes to move and rectangles to draw. Light and selection are in
 * SlBoxModel; what a drag asks for is a signal, so that it knows no edits. UI
 * thread only.
 */
#pragma once

#include "ui/pictures/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_PICTURE_VIEW (sl_picture_view_get_type ())

G_DECLARE_FINAL_TYPE (SlPictureView, sl_picture_view, SL, PICTURE_VIEW, GtkWidget)

/* Property: "scale" (double, read-only): widget units per picture pixel.
 * Signals: "activated" (int paint_box): a box was clicked, -1 for the picture;
 * "area" (int paint_box, double x1, y1, x2, y2): the box was dragged to this
 * place, or with -1 a rectangle was drawn, picture pixels; "pointer" (double x,
 * y): where the pointer is, picture pixels, NAN outside; "menu" (double x, y):
 * the secondary button, widget units, on the selected box; "moved" (): another
 * part of the picture is shown. */

/* @zoomable: fills its space, zooms and pans; otherwise sized by the picture. */
GtkWidget *sl_picture_view_new (gboolean zoomable);

/* A zoomable view has the picture's pixels decoded as long as it shows it; one that is
 * still has as many as it needs, while it is mapped. Boxes of @model are drawn where they
 * lie on this picture. Another picture keeps the zoom, unless it was fitted. */
void sl_picture_view_set_part  (SlPictureView *self,
                                SlMessagePart *part);
void sl_picture_view_set_model (SlPictureView *self,
                                SlBoxModel    *model);

double sl_picture_view_get_scale (SlPictureView *self);
void   sl_picture_view_fit       (SlPictureView *self);
/* Around the middle of the view. */
void   sl_picture_view_set_scale (SlPictureView *self,
                                  double         scale);
/* Moves so far that the box can be seen. */
void   sl_picture_view_reveal    (SlPictureView *self,
                                  int            paint_box);
/* The box in the middle, with some of what is around it. */
void   sl_picture_view_zoom_to   (SlPictureView *self,
                                  int            paint_box);
/* The picture's pixel in the middle of the view; FALSE where the whole picture is shown. */
gboolean sl_picture_view_get_middle (SlPictureView *self,
                                     double        *x,
                                     double        *y);
/* Shows what the other view shows; where that is fitted, the whole picture. */
void   sl_picture_view_follow    (SlPictureView *self,
                                  SlPictureView *other);

void sl_picture_view_set_boxes_visible (SlPictureView    *self,
                                        gboolean          visible);
void sl_picture_view_set_style         (SlPictureView    *self,
                                        const SlBoxStyle *style);
/* The selected box has handles and can be moved. */
void sl_picture_view_set_editable      (SlPictureView    *self,
                                        gboolean          editable);
/* The next drag with the first button draws a rectangle. */
void sl_picture_view_set_drawing       (SlPictureView    *self,
                                        gboolean          drawing);
/* Keys that nothing in @around has taken are the picture's: wherever the focus went, after a menu for example. */
void sl_picture_view_take_keys_of      (SlPictureView    *self,
                                        GtkWidget        *around);
/* Laid over the picture, stretched to it; NULL for nothing. */
void sl_picture_view_set_heat          (SlPictureView    *self,
                                        GdkTexture       *heat);

/* Lines where the picture is cut for the model, which sees it padded to @columns × @rows
 * squares; 0, 0 for none. */
void sl_picture_view_set_cut           (SlPictureView    *self,
                                        int               columns,
                                        int               rows);

G_END_DECLS
