/* SPDX-License-Identifier: MIT
 *
 * SlBoxPainter: draws boxes over a picture with cairo and pango, on screen and in exported files alike, and says where
 * everything lies for hit testing. Called by the window's overlay (UI thread) and sl-box-picture.h (any
 * thread; one painter belongs to one thread at a time). It must not know GTK or where boxes come from.
 *
 * Three coordinate systems: picture pixels (what a box is given in), target units (what cairo draws in: the view maps
 * picture → target), and device pixels (whatever transform the cairo_t has on top; the painter does not care).
 * Lines, text and badges keep their size in target units at every zoom.
 */
#pragma once

#include <cairo.h>
#include <gio/gio.h>

#include "app/pictures/sl-picture.h"

G_BEGIN_DECLS

typedef struct
{
  double red, green, blue; /* 0…1 */
} SlBoxColor;

/* Colours of a fixed palette, readable on light and dark grounds, neighbours far apart in hue; wraps around. */
#define SL_BOX_N_COLORS 12
SlBoxColor sl_box_palette_get (guint index);

typedef enum
{
  SL_BOX_COLORING_LABEL,    /* one colour per distinct label, in order of first appearance (stable while streaming) */
  SL_BOX_COLORING_INSTANCE, /* one colour per box */
} SlBoxColoring;

typedef struct
{
  double      x1, y1, x2, y2; /* picture pixels, x1 ≤ x2, y1 ≤ y2 */
  const char *label;          /* NULL or "": none */
  int         number;         /* on the badge; 0 = no badge */
  guint       color;          /* palette index, see sl_box_painter_assign_colors() */
  gboolean    uncertain;      /* dashed: a corrected (clamped) box */
  gboolean    hidden;
} SlPaintBox;

/* Fills `color` of each box. first_labels (NULL-terminated, or NULL): by label, these have the first colours whether they are there or
 * not. */
void sl_box_painter_assign_colors (SlPaintBox        *boxes,
                                   gsize              n_boxes,
                                   SlBoxColoring      coloring,
                                   const char *const *first_labels);

typedef struct
{
  double x, y;          /* where the picture's top left corner lies, target units */
  double scale;         /* target units per picture pixel, > 0 */
  double width, height; /* of the picture, picture pixels */
  /* What can be seen of the target, target units: badges and labels stay inside of it. All 0: the whole picture. */
  cairo_rectangle_t visible;
  /* On a screen the size of a device pixel, target units: frames and tags lie on its multiples, so that lines are crisp and
   * drawing is cheap. 0: exactly where they belong. */
  double grid;
} SlBoxView;

typedef struct
{
  double   line_width;   /* target units, the coloured line; a halo of contrasting tone surrounds it */
  double   font_size;    /* target units (not points) */
  double   opacity;      /* of everything, 0…1 */
  double   fill_opacity; /* inside of a box, 0 = outline only; hovered and selected boxes get more */
  gboolean show_labels;  /* label texts; badges stay */
} SlBoxStyle;

extern const SlBoxStyle sl_box_default_style; /* 2, 13, 1, 0, TRUE */

/* Where one box was laid out, target units. Empty rectangles (width 0) are not drawn. */
typedef struct
{
  cairo_rectangle_t frame; /* the middle of the coloured line runs along its edge */
  cairo_rectangle_t badge; /* number */
  cairo_rectangle_t label; /* label text with its ground; touches the badge */
} SlBoxGeometry;

typedef struct _SlBoxPainter SlBoxPainter;

SlBoxPainter *sl_box_painter_new  (void);
void          sl_box_painter_free (SlBoxPainter *self);

void sl_box_painter_set_boxes (SlBoxPainter     *self,
                               const SlPaintBox *boxes, /* copied */
                               gsize             n_boxes);
void sl_box_painter_set_view  (SlBoxPainter     *self,
                               const SlBoxView  *view);
void sl_box_painter_set_style (SlBoxPainter     *self,
                               const SlBoxStyle *style);
/* Indices of boxes drawn on top and stronger, −1 for none. Does not move anything. */
void sl_box_painter_set_emphasis (SlBoxPainter *self,
                                  int           hovered,
                                  int           selected);

/* The geometry of every box, in the order of set_boxes; borrowed until the next set_*. Frames follow the box exactly;
 * badge and label lie inside the visible picture and dodge those of other boxes; a label without free room is left out, and
 * so are all labels, or all badges, where they would cover much of what is visible. */
const SlBoxGeometry *sl_box_painter_layout (SlBoxPainter *self,
                                            gsize        *n_boxes);

/* The box under a point (target units): a badge or label first, then the smallest frame that contains it or whose line
 * is within `slack`; −1 if none. Hidden boxes are never hit. */
int  sl_box_painter_hit  (SlBoxPainter *self,
                          double        x,
                          double        y,
                          double        slack);

void sl_box_painter_draw (SlBoxPainter *self,
                          cairo_t      *cr);

/* The two layers of the window, which keeps the first between frames: all boxes as if none were emphasised, and one box
 * stronger on top of them, with its whole tag and at full opacity. */
void sl_box_painter_draw_plain  (SlBoxPainter *self,
                                 cairo_t      *cr);
void sl_box_painter_draw_strong (SlBoxPainter *self,
                                 cairo_t      *cr,
                                 int           index,
                                 gboolean      hovered);
/* Everything that draw_strong() may touch, target units. FALSE for no box and for hidden ones. */
gboolean sl_box_painter_get_extents (SlBoxPainter      *self,
                                     int                index,
                                     cairo_rectangle_t *extents);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlBoxPainter, sl_box_painter_free)

G_END_DECLS
