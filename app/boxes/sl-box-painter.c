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
sl_box_painter_assign_colors (SlPaintBox        *boxes,
                              gsize              n_boxes,
                              SlBoxColoring      coloring,
                              const char *const *first_labels)
{
  g_autoptr(GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; first_labels != NULL && first_labels[i] != NULL; i++)
    g_hash_table_insert (seen, (gpointer) first_labels[i], GUINT_TO_POINTER (i));

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
clear_texts (SlPaintItem *item)
{
  g_clear_object (&item->label_layout);
  g_clear_object (&item->badge_layout);
  item->label_width = item->badge_width = 0;
  clear_drawn (item);
}

static void
item_clear (gpointer data)
{
  SlPaintItem *item = data;

  g_free ((char *) item->box.label);
  clear_texts (item);
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

/* The texts that the item has not. */
static void
create_texts (SlBoxPainter *self,
              SlPaintItem  *item)
{
  if (item->badge_layout == NULL && item->box.number > 0)
    {
      g_autofree char *number = g_strdup_printf ("%d", item->box.number);

      item->badge_layout = create_text (self, number, PANGO_WEIGHT_BOLD);
      item->badge_width = natural_width (item->badge_layout);
    }
  if (item->label_layout == NULL && item->box.label != NULL && *item->box.label != '\0')
    {
      item->label_layout = create_text (self, item->box.label, PANGO_WEIGHT_NORMAL);
      item->label_width = natural_width (item->label_layout);
    }
}

/* Texts are the expensive part. Those of the items before are kept, whichever box they belonged to: one that goes or comes moves
 * all others in the list, and renumbers them. */
typedef struct
{
  GArray     *items;
  GHashTable *labels;  /* label → the first item that has it yet, counted from 1 */
  GHashTable *numbers; /* number → its item, counted from 1 */
  guint      *next;    /* of each item, the next one with its label, counted from 1; 0: none */
} Known;

static void
known_init (Known  *self,
            GArray *items)
{
  self->items = items;
  self->labels = g_hash_table_new (g_str_hash, g_str_equal);
  self->numbers = g_hash_table_new (NULL, NULL);
  self->next = g_new0 (guint, items->len);
  for (guint i = items->len; i > 0; i--)
    {
      const SlPaintItem *item = &g_array_index (items, SlPaintItem, i - 1);

      if (item->badge_layout != NULL)
        g_hash_table_insert (self->numbers, GINT_TO_POINTER (item->box.number), GUINT_TO_POINTER (i));
      if (item->label_layout == NULL)
        continue;
      self->next[i - 1] = GPOINTER_TO_UINT (g_hash_table_lookup (self->labels, item->box.label));
      g_hash_table_insert (self->labels, (gpointer) item->box.label, GUINT_TO_POINTER (i));
    }
}

static void
known_deinit (Known *self)
{
  g_hash_table_unref (self->labels);
  g_hash_table_unref (self->numbers);
  g_free (self->next);
}

static void
known_take (Known       *self,
            SlPaintItem *item)
{
  guint with_number = GPOINTER_TO_UINT (g_hash_table_lookup (self->numbers, GINT_TO_POINTER (item->box.number)));
  guint with_label = item->box.label != NULL ? GPOINTER_TO_UINT (g_hash_table_lookup (self->labels, item->box.label)) : 0;

  if (with_number > 0)
    {
      SlPaintItem *known = &g_array_index (self->items, SlPaintItem, with_number - 1);

      g_hash_table_remove (self->numbers, GINT_TO_POINTER (item->box.number));
      item->badge_layout = g_steal_pointer (&known->badge_layout);
      item->badge_width = known->badge_width;
      if (known->box.color == item->box.color)
        item->badge = g_steal_pointer (&known->badge);
    }
  if (with_label > 0)
    {
      SlPaintItem *known = &g_array_index (self->items, SlPaintItem, with_label - 1);

      g_hash_table_insert (self->labels, (gpointer) known->box.label, GUINT_TO_POINTER (self->next[with_label - 1]));
      item->label_layout = g_steal_pointer (&known->label_layout);
      item->label_width = known->label_width;
      if (known->box.color == item->box.color)
        item->label = g_steal_pointer (&known->label);
    }
}

void
sl_box_painter_set_boxes (SlBoxPainter     *self,
                          const SlPaintBox *boxes,
                          gsize             n_boxes)
{
  g_autoptr(GArray) old = g_steal_pointer (&self->items);
  Known known;

  known_init (&known, old);
  self->items = g_array_sized_new (FALSE, TRUE, sizeof (SlPaintItem), n_boxes);
  g_array_set_clear_func (self->items, item_clear);
  for (gsize i = 0; i < n_boxes; i++)
    {
      SlPaintItem item = { .box = boxes[i] };

      item.box.label = boxes[i].label != NULL ? g_utf8_make_valid (boxes[i].label, -1) : NULL;
      known_take (&known, &item);
      create_texts (self, &item);
      g_array_append_val (self->items, item);
    }
  known_deinit (&known);

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
    {
      clear_texts (sl_box_painter_item (self, i));
      create_texts (self, sl_box_painter_item (self, i));
    }
}

void
sl_box_painter_set_emphasis (SlBoxPainter *self,
                             int           hovered,
                             int           selected)
{
  self->hovered = hovered;
  self->selected = selected;
}
