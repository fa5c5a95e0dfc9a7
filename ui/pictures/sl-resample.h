/* SPDX-License-Identifier: MIT
 *
 * Scales a part of an RGB picture into a cairo surface, straight from the picture's packed bytes: nothing is converted
 * or copied beforehand, so that the cost is that of the pixels drawn. Called by SlMipmap, which chooses a size close to
 * what is shown; any thread. Knows no widgets.
 */
#pragma once

#include <cairo.h>
#include <glib.h>

G_BEGIN_DECLS

typedef struct
{
  const guint8 *pixels; /* R G B, height × stride bytes; the last row may end after its last pixel */
  int           width, height;
  gsize         stride;
} SlRgb;

typedef struct
{
  double   x, y;           /* where the picture's corner lies on the surface, surface pixels */
  double   width, height;  /* of the whole picture there, > 0 */
  gboolean nearest;        /* pixel, at a third of the cost; otherwise a mean of the four nearest, weighted by distance */
} SlPlacement;

/* Fills the pixels of @part of @surface (RGB24, without a device scale); what lies beside the picture gets its nearest edge. */
void sl_resample (const SlRgb                 *picture,
                  const SlPlacement           *placement,
                  cairo_surface_t             *surface,
                  const cairo_rectangle_int_t *part);

G_END_DECLS
