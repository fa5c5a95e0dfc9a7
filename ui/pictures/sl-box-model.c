/* SPDX-License-Identifier: MIT
 *
 * Gives an answer's boxes numbers, colours and places in pixels. Numbers count the drawable boxes of an answer from 1, so that a
 * chip, a row and a badge on the picture say the same.
 */
#include "ui/pictures/sl-box-model.h"

struct _SlBoxModel
{
  GObject parent_instance;

  SlGrounding *grounding;
  GListModel *source;  /* the message's SlBoxItem */
  GListStore *shown;   /* SlBoxItem: without the replaced ones */
  GPtrArray *watched;  /* SlBoxItem whose signals are connected */
  SlMessagePart *part;
  GArray *paint_boxes; /* SlPaintBox; labels are borrowed from the items */
  GPtrArray *items;    /* SlBoxItem, one per paint box */
  SlBoxColoring coloring;
  const char *const *first_labels;
  gboolean reviewing;
  gboolean hiding;     /* many at once: one signal at the end */

  int lit_label;
  int lit_box;
  int selected;
};

enum
{
  CHANGED,
  SHOWN_CHANGED,
  LIT_CHANGED,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlBoxModel, sl_box_model, G_TYPE_OBJECT)

static void set_source (SlBoxModel *self,
                        GListModel *source);

static void
sl_box_model_dispose (GObject *object)
{
  SlBoxModel *self = SL_BOX_MODEL (object);

  set_source (self, NULL);
  g_array_set_size (self->paint_boxes, 0);
  g_ptr_array_set_size (self->items, 0);
  g_clear_pointer (&self->grounding, sl_grounding_unref);
  g_clear_object (&self->part);
  G_OBJECT_CLASS (sl_box_model_parent_class)->dispose (object);
}

static void
sl_box_model_finalize (GObject *object)
{
  SlBoxModel *self = SL_BOX_MODEL (object);

  g_array_unref (self->paint_boxes);
  g_ptr_array_unref (self->items);
  g_ptr_array_unref (self->watched);
  g_object_unref (self->shown);
  G_OBJECT_CLASS (sl_box_model_parent_class)->finalize (object);
}

static void
sl_box_model_class_init (SlBoxModelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = sl_box_model_dispose;
  object_class->finalize = sl_box_model_finalize;
  signals[CHANGED] = g_signal_new ("changed", SL_TYPE_BOX_MODEL, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                   NULL, G_TYPE_NONE, 0);
  signals[SHOWN_CHANGED] = g_signal_new ("shown-changed", SL_TYPE_BOX_MODEL, G_SIGNAL_RUN_LAST, 0,
                                         NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[LIT_CHANGED] = g_signal_new ("lit-changed", SL_TYPE_BOX_MODEL, G_SIGNAL_RUN_LAST, 0,
                                       NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_box_model_init (SlBoxModel *self)
{
  self->paint_boxes = g_array_new (FALSE, TRUE, sizeof (SlPaintBox));
  self->items = g_ptr_array_new_with_free_func (g_object_unref);
  self->watched = g_ptr_array_new_with_free_func (g_object_unref);
  self->shown = g_list_store_new (SL_TYPE_BOX_ITEM);
  self->lit_label = self->lit_box = self->selected = -1;
}

SlBoxModel *
sl_box_model_new (void)
{
  return g_object_new (SL_TYPE_BOX_MODEL, NULL);
}

static void
append_paint_box (SlBoxModel *self,
                  SlBoxItem  *item)
{
  SlPaintBox paint = { 0 };
  SlBox box = { .status = sl_box_item_get_status (item) };
  int px[4];

  if (!sl_box_item_get_coords (item, box.coords) ||
      !sl_box_get_pixels (&box, sl_message_part_get_width (self->part),
                          sl_message_part_get_height (self->part), px))
    return;
  paint.x1 = px[0];
  paint.y1 = px[1];
  paint.x2 = px[2];
  paint.y2 = px[3];
  paint.label = sl_box_item_get_label (item);
  paint.number = self->paint_boxes->len + 1;
  paint.uncertain = self->reviewing ? !sl_box_item_get_accepted (item) : box.status == SL_BOX_CLAMPED;
  paint.hidden = !sl_box_item_get_visible (item);
  g_array_append_val (self->paint_boxes, paint);
  g_ptr_array_add (self->items, g_object_ref (item));
}

/* --- boxes from items ------------------------------------------------------ */

static gpointer
peek (SlBoxModel *self,
      guint       index)
{
  g_autoptr (SlBoxItem) item = g_list_model_get_item (G_LIST_MODEL (self->shown), index);

  return item; /* the store holds it */
}

/* Touches only what differs, so that the other rows of a list stay. */
static void
update_shown (SlBoxModel *self,
              GPtrArray  *wanted)
{
  guint n_old = g_list_model_get_n_items (G_LIST_MODEL (self->shown));
  guint first = 0, last = 0;

  while (first < n_old && first < wanted->len && peek (self, first) == wanted->pdata[first])
    first++;
  while (last < n_old - first && last < wanted->len - first &&
         peek (self, n_old - 1 - last) == wanted->pdata[wanted->len - 1 - last])
    last++;
  if (n_old - first - last > 0 || wanted->len - first - last > 0)
    g_list_store_splice (self->shown, first, n_old - first - last, wanted->pdata + first,
                         wanted->len - first - last);
}

static void
assign_colors (SlBoxModel *self)
{
  sl_box_painter_assign_colors ((SlPaintBox *) self->paint_boxes->data, self->paint_boxes->len, self->coloring,
                                self->first_labels);
}

/* Light and selection stay with their boxes, whatever number these have now. */
static void
refresh (SlBoxModel *self)
{
  g_autoptr (SlBoxItem) selected = NULL;
  g_autoptr (SlBoxItem) lit = NULL;
  g_autoptr (GHashTable) replaced = sl_box_item_find_replaced (self->source);
  g_autoptr (GPtrArray) shown = g_ptr_array_new_with_free_func (g_object_unref);

  if (self->selected >= 0)
    selected = g_object_ref (self->items->pdata[self->selected]);
  if (self->lit_box >= 0)
    lit = g_object_ref (self->items->pdata[self->lit_box]);
  g_array_set_size (self->paint_boxes, 0);
  g_ptr_array_set_size (self->items, 0);
  for (guint i = 0; i < g_list_model_get_n_items (self->source); i++)
    {
      g_autoptr (SlBoxItem) item = g_list_model_get_item (self->source, i);

      if (sl_box_item_is_replaced (item, replaced))
        continue;
      if (self->part != NULL)
        append_paint_box (self, item);
      g_ptr_array_add (shown, g_steal_pointer (&item));
    }
  assign_colors (self);
  self->selected = selected ? sl_box_model_find_paint_box (self, selected) : -1;
  self->lit_box = lit ? sl_box_model_find_paint_box (self, lit) : -1;
  update_shown (self, shown);
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
on_item_visible (SlBoxModel *self,
                 GParamSpec *pspec,
                 SlBoxItem  *item)
{
  int index = sl_box_model_find_paint_box (self, item);

  if (index < 0)
    return;
  g_array_index (self->paint_boxes, SlPaintBox, index).hidden = !sl_box_item_get_visible (item);
  if (!self->hiding)
    g_signal_emit (self, signals[SHOWN_CHANGED], 0);
}

static void
unwatch (SlBoxModel *self)
{
  for (guint i = 0; i < self->watched->len; i++)
    g_signal_handlers_disconnect_by_data (self->watched->pdata[i], self);
  g_ptr_array_set_size (self->watched, 0);
}

static void
watch (SlBoxModel *self)
{
  unwatch (self);
  for (guint i = 0; i < g_list_model_get_n_items (self->source); i++)
    {
      SlBoxItem *item = g_list_model_get_item (self->source, i);

      g_signal_connect_swapped (item, "changed", G_CALLBACK (refresh), self);
      g_signal_connect_swapped (item, "notify::visible", G_CALLBACK (on_item_visible), self);
      g_ptr_array_add (self->watched, item);
    }
}

static void
on_items_changed (SlBoxModel *self)
{
  watch (self);
  refresh (self);
}

static void
set_source (SlBoxModel *self,
            GListModel *source)
{
  if (self->source == source)
    return;
  if (self->source != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->source, self);
      unwatch (self);
    }
  g_set_object (&self->source, source);
  if (source == NULL)
    return;
  g_signal_connect_swapped (source, "items-changed", G_CALLBACK (on_items_changed), self);
  watch (self);
}

void
sl_box_model_set_answer (SlBoxModel    *self,
                         SlGrounding   *grounding,
                         GListModel    *items,
                         SlMessagePart *part)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  g_return_if_fail (grounding != NULL);
  g_return_if_fail (G_IS_LIST_MODEL (items));

  sl_grounding_ref (grounding);
  g_clear_pointer (&self->grounding, sl_grounding_unref);
  self->grounding = grounding;
  g_set_object (&self->part, part);
  set_source (self, items);
  refresh (self);
}

GListModel *
sl_box_model_get_shown (SlBoxModel *self)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), NULL);
  return G_LIST_MODEL (self->shown);
}

void
sl_box_model_set_coloring (SlBoxModel    *self,
                           SlBoxColoring  coloring)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  if (self->coloring == coloring)
    return;
  self->coloring = coloring;
  assign_colors (self);
  g_signal_emit (self, signals[SHOWN_CHANGED], 0);
}

void
sl_box_model_set_first_labels (SlBoxModel        *self,
                               const char *const *labels)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  self->first_labels = labels;
  assign_colors (self);
  g_signal_emit (self, signals[SHOWN_CHANGED], 0);
}

void
sl_box_model_set_reviewing (SlBoxModel *self,
                            gboolean    reviewing)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));

  if (self->reviewing == reviewing)
    return;
  self->reviewing = reviewing;
  if (self->source != NULL)
    refresh (self);
}

void
sl_box_model_set_numbers (SlBoxModel *self,
                          const int  *numbers,
                          gsize       n_numbers,
                          gsize       first_dashed)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  g_return_if_fail (n_numbers == self->paint_boxes->len);

  for (gsize i = 0; i < n_numbers; i++)
    {
      SlPaintBox *box = &g_array_index (self->paint_boxes, SlPaintBox, i);

      box->number = numbers[i];
      box->color = (numbers[i] - 1) % SL_BOX_N_COLORS;
      box->uncertain = i >= first_dashed;
    }
  g_signal_emit (self, signals[SHOWN_CHANGED], 0);
}

void
sl_box_model_set_all_visible (SlBoxModel *self,
                              const char *label,
                              gboolean    visible)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  self->hiding = TRUE;
  for (guint i = 0; i < self->items->len; i++)
    if (label == NULL || g_str_equal (sl_box_item_get_label (self->items->pdata[i]), label))
      sl_box_item_set_visible (self->items->pdata[i], visible);
  self->hiding = FALSE;
  g_signal_emit (self, signals[SHOWN_CHANGED], 0);
}

SlGrounding *
sl_box_model_get_grounding (SlBoxModel *self)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), NULL);
  return self->grounding;
}

SlMessagePart *
sl_box_model_get_part (SlBoxModel *self)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), NULL);
  return self->part;
}

const SlPaintBox *
sl_box_model_get_paint_boxes (SlBoxModel *self,
                              gsize      *n_boxes)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), NULL);
  *n_boxes = self->paint_boxes->len;
  return (const SlPaintBox *) self->paint_boxes->data;
}

SlBoxItem *
sl_box_model_get_item (SlBoxModel *self,
                       gsize       paint_box)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), NULL);
  g_return_val_if_fail (paint_box < self->items->len, NULL);
  return self->items->pdata[paint_box];
}

int
sl_box_model_find_paint_box (SlBoxModel *self,
                             SlBoxItem  *item)
{
  guint index;

  g_return_val_if_fail (SL_IS_BOX_MODEL (self), -1);
  return g_ptr_array_find (self->items, item, &index) ? (int) index : -1;
}

static int
label_of (SlBoxModel *self,
          gsize       paint_box)
{
  return sl_box_item_get_label_index (self->items->pdata[paint_box]);
}

int
sl_box_model_get_label_first (SlBoxModel *self,
                              int         label_index)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), -1);
  for (guint i = 0; i < self->paint_boxes->len; i++)
    if (label_of (self, i) == label_index)
      return i;
  return -1;
}

char *
sl_box_model_dup_label_numbers (SlBoxModel *self,
                                int         label_index)
{
  int first, last;

  g_return_val_if_fail (SL_IS_BOX_MODEL (self), NULL);
  first = sl_box_model_get_label_first (self, label_index);
  if (first < 0)
    return g_strdup ("");
  /* A label's boxes stand in one block of the answer, so they are consecutive. */
  for (last = first; last + 1 < (int) self->paint_boxes->len; last++)
    if (label_of (self, last + 1) != label_index)
      break;
  if (first == last)
    return g_strdup_printf ("%d", first + 1);
  return g_strdup_printf ("%d–%d", first + 1, last + 1);
}

gboolean
sl_box_model_get_label_color (SlBoxModel *self,
                              int         label_index,
                              SlBoxColor *color)
{
  int first = sl_box_model_get_label_first (self, label_index);

  if (first < 0)
    return FALSE;
  *color = sl_box_palette_get (g_array_index (self->paint_boxes, SlPaintBox, first).color);
  return TRUE;
}

gboolean
sl_box_model_is_label_broken (SlBoxModel *self,
                              int         label_index)
{
  gboolean broken = FALSE;

  g_return_val_if_fail (SL_IS_BOX_MODEL (self), FALSE);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->shown)); i++)
    {
      SlBoxItem *item = peek (self, i);
      int coords[4];

      if (sl_box_item_get_label_index (item) != label_index)
        continue;
      if (sl_box_item_get_kind (item) == SL_BOX_KIND_EDITED || sl_box_item_get_coords (item, coords))
        return FALSE;
      broken = TRUE;
    }
  return broken;
}

static void
set_lit (SlBoxModel *self,
         int         label,
         int         box)
{
  if (self->lit_label == label && self->lit_box == box)
    return;
  self->lit_label = label;
  self->lit_box = box;
  g_signal_emit (self, signals[LIT_CHANGED], 0);
}

void
sl_box_model_light_label (SlBoxModel *self,
                          int         label_index)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  set_lit (self, label_index, -1);
}

void
sl_box_model_light_box (SlBoxModel *self,
                        int         paint_box)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  set_lit (self, -1, paint_box < (int) self->paint_boxes->len ? paint_box : -1);
}

gboolean
sl_box_model_is_lit (SlBoxModel *self,
                     gsize       paint_box)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), FALSE);
  if (paint_box >= self->paint_boxes->len)
    return FALSE;
  if (self->lit_box >= 0)
    return self->lit_box == (int) paint_box;
  return self->lit_label >= 0 && label_of (self, paint_box) == self->lit_label;
}

gboolean
sl_box_model_is_label_lit (SlBoxModel *self,
                           int         label_index)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), FALSE);
  if (self->lit_box >= 0 && self->lit_box < (int) self->paint_boxes->len)
    return label_of (self, self->lit_box) == label_index;
  return self->lit_label == label_index;
}

void
sl_box_model_select (SlBoxModel *self,
                     int         paint_box)
{
  g_return_if_fail (SL_IS_BOX_MODEL (self));
  if (paint_box >= (int) self->paint_boxes->len)
    paint_box = -1;
  if (self->selected == paint_box)
    return;
  self->selected = paint_box;
  g_signal_emit (self, signals[LIT_CHANGED], 0);
}

int
sl_box_model_get_selected (SlBoxModel *self)
{
  g_return_val_if_fail (SL_IS_BOX_MODEL (self), -1);
  return self->selected;
}
