/* SPDX-License-Identifier: MIT
 *
 * A picture with its boxes on it, drawn at display resolution. Small and still
 * under an answer (the picture decides its size), or filling the viewer with
 * zoom and pan. Light and selection are in SlBoxModel. UI thread only.
 */
#pragma once

#include "ui/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_PICTURE_VIEW (sl_picture_view_get_type ())

G_DECLARE_FINAL_TYPE (SlPictureView, sl_picture_view, SL, PICTURE_VIEW, GtkWidget)

/* Property: "scale" (double, read-only): widget units per picture pixel.
 * Signal "activated" (int paint_box): a box was clicked, -1 for the picture. */

/* @zoomable: fills its space, zooms and pans; otherwise sized by the picture. */
GtkWidget *sl_picture_view_new (gboolean zoomable);

/* @picture is shown where @model is NULL or belongs to another picture. */
void sl_picture_view_set_picture (SlPictureView *self,
                                  SlPicture     *picture);
void sl_picture_view_set_model   (SlPictureView *self,
                                  SlBoxModel    *model);

double sl_picture_view_get_scale (SlPictureView *self);
void   sl_picture_view_fit       (SlPictureView *self);
/* Around the middle of the view. */
void   sl_picture_view_set_scale (SlPictureView *self,
                                  double         scale);
/* Moves so far that the box can be seen. */
void   sl_picture_view_reveal    (SlPictureView *self,
                                  int            paint_box);

void sl_picture_view_set_boxes_visible  (SlPictureView *self,
                                         gboolean       visible);
void sl_picture_view_set_labels_visible (SlPictureView *self,
                                         gboolean       visible);

G_END_DECLS
