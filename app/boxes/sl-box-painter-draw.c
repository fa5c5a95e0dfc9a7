/* SPDX-License-Identifier: MIT
 *
 * Draws the boxes where sl-box-layout.c has put them. Texts are what costs most, so that badges and labels that were drawn once are
 * kept where the view has a grid.
 */
#include "app/boxes/sl-box-painter-private.h"

#include <math.h>

/* How much thicker the line of a hovered or selected box is. */
#define STRONG_FACTOR 1.75

static double
luminance (SlBoxColor color)
{
  return 0.2126 * color.red + 0.7152 * color.green + 0.0722 * color.blue;
}

/* Black or white, whichever stands out from the colour. */
static void
set_contrast (cairo_t    *cr,
              SlBoxColor  color)
{
  double tone = luminance (color) > 0.5 ? 0 : 1;

  cairo_set_source_rgb (cr, tone, tone, tone);
}

static void
draw_frame (SlBoxPainter *self,
            cairo_t      *cr,
            guint         index,
            gboolean      strong,
            double        fill)
{
  const SlPaintBox *box = &sl_box_painter_item (self, index)->box;
  const cairo_rectangle_t *frame = &g_array_index (self->geometry, SlBoxGeometry, index).frame;
  SlBoxColor color = sl_box_palette_get (box->color);
  double width = self->style.line_width * (strong ? STRONG_FACTOR : 1);
  double halo = MAX (1, self->style.line_width * 0.5);

  cairo_set_line_join (cr, CAIRO_LINE_JOIN_MITER);
  if (fill > 0)
    {
      cairo_rectangle (cr, frame->x, frame->y, frame->width, frame->height);
      cairo_set_source_rgba (cr, color.red, color.green, color.blue, MIN (1, fill));
      cairo_fill (cr);
    }

  cairo_rectangle (cr, frame->x, frame->y, frame->width, frame->height);
  cairo_set_line_width (cr, width + 2 * halo);
  set_contrast (cr, color);
  cairo_stroke_preserve (cr);

  if (box->uncertain)
    cairo_set_dash (cr, (double[]) { 3 * width, 2 * width }, 2, 0);
  cairo_set_line_width (cr, width);
  cairo_set_source_rgb (cr, color.red, color.green, color.blue);
  cairo_stroke (cr);
  cairo_set_dash (cr, NULL, 0, 0);
}

static void
draw_text (cairo_t                 *cr,
           PangoLayout             *layout,
           const cairo_rectangle_t *ground)
{
  PangoRectangle extents;

  pango_layout_get_extents (layout, NULL, &extents);
  cairo_move_to (cr, ground->x + (ground->width - extents.width / (double) PANGO_SCALE) / 2,
                 ground->y + (ground->height - extents.height / (double) PANGO_SCALE) / 2);
  pango_cairo_show_layout (cr, layout);
}

static void
draw_badge (SlBoxPainter            *self,
            cairo_t                 *cr,
            const SlPaintItem       *item,
            const cairo_rectangle_t *badge)
{
  SlBoxColor color = sl_box_palette_get (item->box.color);

  if (badge->width <= 0)
    return;
  cairo_rectangle (cr, badge->x, badge->y, badge->width, badge->height);
  set_contrast (cr, color);
  cairo_fill (cr);
  cairo_set_source_rgb (cr, color.red, color.green, color.blue);
  draw_text (cr, item->badge_layout, badge);
}

static void
draw_label (SlBoxPainter            *self,
            cairo_t                 *cr,
            const SlPaintItem       *item,
            const cairo_rectangle_t *label)
{
  SlBoxColor color = sl_box_palette_get (item->box.color);

  if (label->width <= 0)
    return;
  cairo_rectangle (cr, label->x, label->y, label->width, label->height);
  cairo_set_source_rgb (cr, color.red, color.green, color.blue);
  cairo_fill (cr);
  set_contrast (cr, color);
  draw_text (cr, item->label_layout, label);
}

typedef void (*DrawPart) (SlBoxPainter            *self,
                          cairo_t                 *cr,
                          const SlPaintItem       *item,
                          const cairo_rectangle_t *part);

static gboolean
is_kept (cairo_surface_t *kept,
         int              width,
         int              height)
{
  return kept != NULL && cairo_image_surface_get_width (kept) == width && cairo_image_surface_get_height (kept) == height;
}

/* An opaque surface of so many device pixels with the part drawn on it. */
static cairo_surface_t *
create_kept (SlBoxPainter            *self,
             const SlPaintItem       *item,
             const cairo_rectangle_t *part,
             DrawPart                 draw,
             int                      width,
             int                      height)
{
  cairo_surface_t *kept = cairo_image_surface_create (CAIRO_FORMAT_RGB24, width, height);
  cairo_t *cr;

  cairo_surface_set_device_scale (kept, 1 / self->view.grid, 1 / self->view.grid);
  cr = cairo_create (kept);
  draw (self, cr, item, &(cairo_rectangle_t) { 0, 0, part->width, part->height });
  cairo_destroy (cr);

  return kept;
}

/* The label of the first box that is called the same, has the same colour and as much room. */
static cairo_surface_t *
create_label (SlBoxPainter            *self,
              const SlPaintItem       *item,
              const cairo_rectangle_t *part,
              int                      width,
              int                      height)
{
  g_autofree char *key = g_strdup_printf ("%u %d %s", item->box.color % SL_BOX_N_COLORS, width, item->box.label);
  cairo_surface_t *label = g_hash_table_lookup (self->labels, key);

  if (!is_kept (label, width, height))
    {
      label = create_kept (self, item, part, draw_label, width, height);
      g_hash_table_insert (self->labels, g_steal_pointer (&key), label);
    }

  return cairo_surface_reference (label);
}

/* Draws a part from a surface that is kept: for the many badges and labels of a screen that is drawn again and again. */
static void
draw_kept (SlBoxPainter            *self,
           cairo_t                 *cr,
           const SlPaintItem       *item,
           const cairo_rectangle_t *part,
           cairo_surface_t        **kept,
           DrawPart                 draw)
{
  int width = ceil (part->width / self->view.grid), height = ceil (part->height / self->view.grid);

  if (part->width <= 0)
    return;
  if (!is_kept (*kept, width, height))
    {
      g_clear_pointer (kept, cairo_surface_destroy);
      *kept = draw == draw_label ? create_label (self, item, part, width, height)
                                 : create_kept (self, item, part, draw, width, height);
    }
  cairo_set_source_surface (cr, *kept, part->x, part->y);
  cairo_pattern_set_filter (cairo_get_source (cr), CAIRO_FILTER_NEAREST);
  cairo_rectangle (cr, part->x, part->y, part->width, part->height);
  cairo_fill (cr);
}

static void
draw_tag (SlBoxPainter            *self,
          cairo_t                 *cr,
          guint                    index,
          const cairo_rectangle_t *badge,
          const cairo_rectangle_t *label)
{
  SlPaintItem *item = sl_box_painter_item (self, index);

  if (self->view.grid > 0)
    {
      draw_kept (self, cr, item, badge, &item->badge, draw_badge);
      draw_kept (self, cr, item, label, &item->label, draw_label);
    }
  else
    {
      draw_badge (self, cr, item, badge);
      draw_label (self, cr, item, label);
    }
}

static gboolean
is_drawn (SlBoxPainter *self,
          int           index)
{
  return index >= 0 && index < (int) self->items->len && !sl_box_painter_item (self, index)->box.hidden;
}

/* Frames that are wholly out of sight cost nothing. */
static gboolean
is_visible (SlBoxPainter *self,
            cairo_t      *cr,
            int           index)
{
  const cairo_rectangle_t *frame = &g_array_index (self->geometry, SlBoxGeometry, index).frame;
  double slack = 2 * STRONG_FACTOR * self->style.line_width;
  double x1, y1, x2, y2;

  if (!is_drawn (self, index))
    return FALSE;
  cairo_clip_extents (cr, &x1, &y1, &x2, &y2);

  return frame->x <= x2 + slack && frame->y <= y2 + slack && frame->x + frame->width >= x1 - slack &&
         frame->y + frame->height >= y1 - slack;
}

static void
draw_others (SlBoxPainter *self,
             cairo_t      *cr,
             int           hovered,
             int           selected)
{
  int n_boxes = (int) self->items->len;

  for (int i = 0; i < n_boxes; i++)
    {
      if (i != hovered && i != selected && is_visible (self, cr, i))
        draw_frame (self, cr, i, FALSE, self->style.fill_opacity);
    }
  for (int i = 0; i < n_boxes; i++)
    {
      const SlBoxGeometry *geometry = &g_array_index (self->geometry, SlBoxGeometry, i);

      if (i != hovered && i != selected && is_drawn (self, i))
        draw_tag (self, cr, i, &geometry->badge, &geometry->label);
    }
}

void
sl_box_painter_draw_strong (SlBoxPainter *self,
                            cairo_t      *cr,
                            int           index,
                            gboolean      hovered)
{
  cairo_rectangle_t badge, label;

  sl_box_painter_layout (self, NULL);
  if (!is_drawn (self, index))
    return;

  draw_frame (self, cr, index, TRUE, self->style.fill_opacity + (hovered ? 0.18 : 0.10));
  sl_box_painter_place_strong (self, index, &badge, &label);
  draw_tag (self, cr, index, &badge, &label);
}

gboolean
sl_box_painter_get_extents (SlBoxPainter      *self,
                            int                index,
                            cairo_rectangle_t *extents)
{
  cairo_rectangle_t parts[3];
  double x2 = -G_MAXDOUBLE, y2 = -G_MAXDOUBLE;
  double slack;

  sl_box_painter_layout (self, NULL);
  if (!is_drawn (self, index))
    return FALSE;

  parts[0] = g_array_index (self->geometry, SlBoxGeometry, index).frame;
  sl_box_painter_place_strong (self, index, &parts[1], &parts[2]);
  extents->x = extents->y = G_MAXDOUBLE;
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++)
    {
      if (i > 0 && parts[i].width <= 0)
        continue;
      extents->x = MIN (extents->x, parts[i].x);
      extents->y = MIN (extents->y, parts[i].y);
      x2 = MAX (x2, parts[i].x + parts[i].width);
      y2 = MAX (y2, parts[i].y + parts[i].height);
    }
  slack = ceil (STRONG_FACTOR * self->style.line_width + MAX (1, self->style.line_width * 0.5)) + 1;
  extents->x -= slack;
  extents->y -= slack;
  extents->width = x2 + slack - extents->x;
  extents->height = y2 + slack - extents->y;

  return TRUE;
}

/* All but two boxes, at the style's opacity. */
static void
draw_plain (SlBoxPainter *self,
            cairo_t      *cr,
            int           hovered,
            int           selected)
{
  if (self->items->len == 0 || self->style.opacity <= 0)
    return;

  sl_box_painter_layout (self, NULL);
  cairo_save (cr);
  if (self->style.opacity < 1)
    {
      cairo_push_group (cr);
      draw_others (self, cr, hovered, selected);
      cairo_pop_group_to_source (cr);
      cairo_paint_with_alpha (cr, self->style.opacity);
    }
  else
    {
      draw_others (self, cr, hovered, selected);
    }
  cairo_restore (cr);
}

void
sl_box_painter_draw_plain (SlBoxPainter *self,
                           cairo_t      *cr)
{
  draw_plain (self, cr, -1, -1);
}

void
sl_box_painter_draw (SlBoxPainter *self,
                     cairo_t      *cr)
{
  draw_plain (self, cr, self->hovered, self->selected);
  if (self->style.opacity <= 0)
    return;

  cairo_save (cr);
  if (self->selected != self->hovered)
    sl_box_painter_draw_strong (self, cr, self->selected, FALSE);
  sl_box_painter_draw_strong (self, cr, self->hovered, TRUE);
  cairo_restore (cr);
}
