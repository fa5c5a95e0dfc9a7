/* SPDX-License-Identifier: MIT
 *
 * A picture at halved sizes, cut into tiles, so that drawing costs what is on
 * the screen and not what is in the file. Made once for the same pixels, on a worker
 * thread; the full size shares their memory. Used by the widgets
 * that show pictures, on the UI thread. Knows no boxes.
 */
#pragma once

#include "app/pictures/sl-picture.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_MIPMAP (sl_mipmap_get_type ())

G_DECLARE_FINAL_TYPE (SlMipmap, sl_mipmap, SL, MIPMAP, GObject)

/* Signal "ready": the smaller sizes are there; draw again. */

/* The mipmap of these pixels ([height][stride], R G B), made where nobody has it. (transfer full) */
SlMipmap *sl_mipmap_for_pixels  (GBytes    *rgb,
                                 int        width,
                                 int        height,
                                 gsize      stride);
SlMipmap *sl_mipmap_for_picture (SlPicture *picture);

/* Draws the part of the picture that lies in @visible; @area is where the whole
 * picture goes, both in the snapshot's units. @scale_factor: device pixels per
 * unit. Beyond four device pixels per picture pixel the pixels are crisp squares. */
void sl_mipmap_snapshot (SlMipmap              *self,
                         GtkSnapshot           *snapshot,
                         const graphene_rect_t *area,
                         const graphene_rect_t *visible,
                         int                    scale_factor);

/* The same into @part of a surface (RGB24), all in its pixels; @rough: in a third of the time. For the cairo renderer, which
 * would convert every texture to the display's format in every frame. */
void sl_mipmap_render (SlMipmap                    *self,
                       cairo_surface_t             *surface,
                       const cairo_rectangle_int_t *part,
                       const cairo_rectangle_t     *area,
                       gboolean                     rough);

/* Whether there is something to draw yet. */
gboolean sl_mipmap_is_ready (SlMipmap *self);

G_END_DECLS
