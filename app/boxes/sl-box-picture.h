/* SPDX-License-Identifier: MIT
 *
 * Pictures made from a picture and its boxes: drawn on at full resolution (PNG, SVG, PDF), cut out along a box, or with
 * a rectangle for the model to look at. Called by exports, the window and the command line, on any thread: it takes as
 * long as the picture is large. It must not know GTK or where boxes come from.
 *
 * Files are written through SlOutputs. Errors are one translated sentence that names the file.
 */
#pragma once

#include "app/boxes/sl-box-painter.h"
#include "app/system/sl-output.h"

G_BEGIN_DECLS

typedef enum
{
  SL_BOX_PICTURE_PNG,
  SL_BOX_PICTURE_SVG, /* the picture embedded, boxes and labels as shapes */
  SL_BOX_PICTURE_PDF, /* one page, one point per pixel where that is allowed */
} SlBoxPictureFormat;

/* The picture with boxes on it. style NULL: the default, scaled to the picture's size. */
gboolean   sl_box_picture_write       (SlPicture           *picture,
                                       const SlPaintBox    *boxes,
                                       gsize                n_boxes,
                                       const SlBoxStyle    *style,
                                       SlBoxPictureFormat   format,
                                       SlOutputs           *outputs,
                                       const char          *path,
                                       GError             **error);

/* The upright picture onto a surface that has no pixels of its own, a unit for each of its pixels; a JPEG as it came, where that can be. */
void       sl_box_picture_paint       (SlPicture           *picture,
                                       cairo_t             *cr);

/* The upright picture alone, as PNG. */
gboolean   sl_box_picture_write_plain (SlPicture           *picture,
                                       SlOutputs           *outputs,
                                       const char          *path,
                                       GError             **error);

/* What lies in the rectangle (picture pixels; at least one pixel, clipped to the picture) as a picture of its own; its
 * bytes are a PNG. name: see sl_picture_get_name(). */
SlPicture *sl_box_picture_crop        (SlPicture           *picture,
                                       const cairo_rectangle_t *area,
                                       const char          *name,
                                       GError             **error);

/* A copy with a red rectangle on it, as the in-context samples mark what they mean. */
SlPicture *sl_box_picture_mark        (SlPicture           *picture,
                                       const cairo_rectangle_t *area,
                                       const char          *name,
                                       GError             **error);

G_END_DECLS
