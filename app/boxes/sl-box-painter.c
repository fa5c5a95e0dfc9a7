/* SPDX-License-Identifier: MIT
 *
 * What is painted: boxes, their colours and texts, from where they are seen. Places are found once per change of boxes, view or
 * style (sl-box-layout.c); drawing (sl-box-painter-draw.c) reads them. It must not know files or widgets.
 */
#include "app/boxes/sl-box-painter-private.h"

const SlBoxStyle sl_box_default_style = {
  .line_width = 2,
  .font_size = 13,
  .opacity = 1,
  .fill_opacity = 0,
  .show_labels = TRUE,
};

/* Neighbours in the list differ strongly in hue; all are mid-bright, so that one halo tone each is enough. */
static const SlBoxColor palette[SL_BOX_N_COLORS] = {
  { 1.00, 0.27, 0.23 }, /* red */
  { 0.10, 0.72, 1.00 }, /* sky */
  { 1.00, 0.80, 0.00 }, /* yellow */
  { 0.72, 0.36, 1.00 }, /* violet */
  { 0.20, 0.85, 0.35 }, /* green */
  { 1.00, 0.41, 0.77 }, /* pink */
  { 1.00, 0.55, 0.10 }, /* orange */
  { 0.25, 0.45, 1.00 }, /* blue */
  { 0.70, 0.92, 0.15 }, /* lime */
  { 0.85, 0.20, 0.55 }, /* magenta */
  { 0.70, 0.62, 0.35 }, /* sand */
  { 0.10, 0.85, 0.80 }, /* turquoise */
};

SlBoxColor
sl_box_palette_get (guint index)
{
  return palette[index % SL_BOX_N_COLORS];
}

void
sl_box_painter_assign_colors (SlPaintBox    *boxes,
                              gsize          n_boxes,
                              SlBoxColoring  coloring)
{
  g_autoptr(GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (gsize i = 0; i < n_boxes; i++)
    {
      const char *label = boxes[i].label != NULL ? boxes[i].label : "";
      gpointer known;

      if (coloring == SL_BOX_COLORING_INSTANCE)
        {
          boxes[i].color = i;
        }
      else if (g_hash_table_lookup_extended (seen, label, NULL, &known))
        {
          boxes[i].color = GPOINTER_TO_UINT (known);
        }
      else
        {
          boxes[i].color = g_hash_table_size (seen);
          g_hash_table_insert (seen, (gpointer) label, GUINT_TO_POINTER (boxes[i].color));
        }
    }
}

static void
clear_drawn (SlPaintItem *item)
{
  g_clear_pointer (&item->badge, cairo_surface_destroy);
  g_clear_pointer (&item->label, cairo_surface_destroy);
}

static void
item_clear (gpointer data)
{
  SlPaintItem *item = data;

  g_free ((char *) item->box.label);
  g_clear_object (&item->label_layout);
  g_clear_object (&item->badge_layout);
  clear_drawn (item);
}

SlBoxPainter *
sl_box_painter_new (void)
{
  SlBoxPainter *self = g_new0 (SlBoxPainter, 1);
  cairo_font_options_t *options = cairo_font_options_create ();

  /* Unhinted: the same widths at every scale. */
  cairo_font_options_set_hint_metrics (options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_hint_style (options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_antialias (options, CAIRO_ANTIALIAS_GRAY);
  self->context = pango_font_map_create_context (pango_cairo_font_map_get_default ());
  pango_cairo_context_set_font_options (self->context, options);
  cairo_font_options_destroy (options);

  self->items = g_array_new (FALSE, TRUE, sizeof (SlPaintItem));
  g_array_set_clear_func (self->items, item_clear);
  self->geometry = g_array_new (FALSE, TRUE, sizeof (SlBoxGeometry));
  self->labels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) cairo_surface_destroy);
  self->view = (SlBoxView) { .scale = 1 };
  self->style = sl_box_default_style;
  self->hovered = -1;
  self->selected = -1;

  return self;
}

void
sl_box_painter_free (SlBoxPainter *self)
{
  if (self == NULL)
    return;

  g_array_unref (self->items);
  g_array_unref (self->geometry);
  g_hash_table_unref (self->labels);
  g_object_unref (self->context);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ what is painted */

static PangoLayout *
create_text (SlBoxPainter *self,
             const char   *text,
             PangoWeight   weight)
{
  PangoLayout *layout = pango_layout_new (self->context);
  PangoFontDescription *font = pango_font_description_from_string ("Sans");

  pango_font_description_set_absolute_size (font, self->style.font_size * PANGO_SCALE);
  pango_font_description_set_weight (font, weight);
  pango_layout_set_font_description (layout, font);
  pango_font_description_free (font);
  pango_layout_set_single_paragraph_mode (layout, TRUE);
  pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
  pango_layout_set_text (layout, text, -1);

  return layout;
}

static double
natural_width (PangoLayout *layout)
{
  PangoRectangle extents;

  pango_layout_get_extents (layout, NULL, &extents);

  return extents.width / (double) PANGO_SCALE;
}

static void
create_texts (SlBoxPainter *self,
              SlPaintItem  *item)
{
  g_clear_object (&item->label_layout);
  g_clear_object (&item->badge_layout);
  clear_drawn (item);
  item->label_width = item->badge_width = 0;

  if (item->box.number > 0)
    {
      g_autofree char *number = g_strdup_printf ("%d", item->box.number);

      item->badge_layout = create_text (self, number, PANGO_WEIGHT_BOLD);
      item->badge_width = natural_width (item->badge_layout);
    }

  if (item->box.label != NULL && *item->box.label != '\0')
    {
      item->label_layout = create_text (self, item->box.label, PANGO_WEIGHT_NORMAL);
      item->label_width = natural_width (item->label_layout);
    }
}

/* Texts are the expensive part: those of a box that is still called the same are kept. */
static void
take_texts (SlBoxPainter *self,
            GArray       *old,
            guint         index,
            SlPaintItem  *item)
{
  SlPaintItem *known = index < old->len ? &g_array_index (old, SlPaintItem, index) : NULL;

  if (known == NULL || known->box.number != item->box.number || g_strcmp0 (known->box.label, item->box.label) != 0)
    {
      create_texts (self, item);
      return;
    }
  item->label_layout = g_steal_pointer (&known->label_layout);
  item->badge_layout = g_steal_pointer (&known->badge_layout);
  item->label_width = known->label_width;
  item->badge_width = known->badge_width;
  if (known->box.color == item->box.color)
    {
      item->badge = g_steal_pointer (&known->badge);
      item->label = g_steal_pointer (&known->label);
    }
}

void
sl_box_painter_set_boxes (SlBoxPainter     *self,
                          const SlPaintBox *boxes,
                          gsize             n_boxes)
{
  g_autoptr(GArray) old = g_steal_pointer (&self->items);

  self->items = g_array_sized_new (FALSE, TRUE, sizeof (SlPaintItem), n_boxes);
  g_array_set_clear_func (self->items, item_clear);
  for (gsize i = 0; i < n_boxes; i++)
    {
      SlPaintItem item = { .box = boxes[i] };

      item.box.label = boxes[i].label != NULL ? g_utf8_make_valid (boxes[i].label, -1) : NULL;
      take_texts (self, old, i, &item);
      g_array_append_val (self->items, item);
    }

  g_hash_table_remove_all (self->labels);
  self->hovered = -1;
  self->selected = -1;
  self->dirty = TRUE;
}

void
sl_box_painter_set_view (SlBoxPainter    *self,
                         const SlBoxView *view)
{
  g_return_if_fail (view->scale > 0);

  if (view->grid != self->view.grid)
    g_hash_table_remove_all (self->labels);
  for (guint i = 0; view->grid != self->view.grid && i < self->items->len; i++)
    clear_drawn (sl_box_painter_item (self, i));
  self->view = *view;
  self->dirty = TRUE;
}

void
sl_box_painter_set_style (SlBoxPainter     *self,
                          const SlBoxStyle *style)
{
  gboolean new_font = self->style.font_size != style->font_size;

  self->dirty |= new_font || self->style.line_width != style->line_width || self->style.show_labels != style->show_labels;
  self->style = *style;

  if (new_font)
    g_hash_table_remove_all (self->labels);
  for (guint i = 0; new_font && i < self->items->len; i++)
    create_texts (self, sl_box_painter_item (self, i));
}

void
sl_box_painter_set_emphasis (SlBoxPainter *self,
                             int           hovered,
                             int           selected)
{
  self->hovered = hovered;
  self->selected = selected;
}
