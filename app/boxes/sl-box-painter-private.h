/* SPDX-License-Identifier: MIT
 *
 * The painter's state, shared by its parts: what is painted (sl-box-painter.c), where everything goes (sl-box-layout.c), how it is
 * drawn (sl-box-painter-draw.c). Nobody else includes this. One thread at a time, as the painter.
 */
#pragma once

#include <pango/pangocairo.h>

#include "app/boxes/sl-box-painter.h"

G_BEGIN_DECLS

typedef struct
{
  SlPaintBox   box;          /* label owned */
  PangoLayout *label_layout; /* NULL: none */
  PangoLayout *badge_layout;
  double       label_width;  /* natural, target units; 0 without a label */
  double       badge_width;
  /* Drawn badge and label, for views with a grid: texts are what costs most. NULL: not drawn yet. Boxes that are called the
   * same share their label. */
  cairo_surface_t *badge, *label;
} SlPaintItem;

struct _SlBoxPainter
{
  GArray       *items;    /* SlPaintItem */
  GArray       *geometry; /* SlBoxGeometry, valid while !dirty */
  PangoContext *context;
  GHashTable   *labels;   /* drawn ones: colour and text → cairo_surface_t */
  SlBoxView     view;
  SlBoxStyle    style;
  int           hovered;
  int           selected;
  gboolean      dirty;
};

static inline SlPaintItem *
sl_box_painter_item (SlBoxPainter *self,
                     guint         index)
{
  return &g_array_index (self->items, SlPaintItem, index);
}

/* The nearest multiple of the view's grid. */
double sl_box_painter_snap (SlBoxPainter *self,
                            double        value);

/* Where a box's whole tag goes when it is drawn on top of everything: label and all, whatever it covers. */
void sl_box_painter_place_strong (SlBoxPainter      *self,
                                  guint              index,
                                  cairo_rectangle_t *badge,
                                  cairo_rectangle_t *label);

G_END_DECLS
