/* SPDX-License-Identifier: MIT
 *
 * See sl-block-list.h. The n-th row is the n-th block; a box item's id is its block's place plus one.
 */
#include "ui/document/sl-block-list.h"

#include "app/boxes/sl-box-item-record.h"
#include "ui/document/sl-block-row.h"

#include <glib/gi18n.h>

struct _SlBlockList
{
  GtkWidget parent_instance;

  GtkWidget *scroller;
  GtkListBox *list;
  GtkWidget *nothing; /* a sentence where there are no blocks */

  SlDocument *document;
  guint page;
  SlMessagePart *picture;
  SlBoxModel *boxes;
  GListStore *items; /* SlBoxItem of the blocks that have a place */
  GPtrArray *rows;   /* SlBlockRow, borrowed */
  gboolean silent;   /* what is selected now was not the user */
};

enum { SELECTED, ZOOM, SCROLLED, N_SIGNALS };

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlBlockList, sl_block_list, GTK_TYPE_WIDGET)

/* --- boxes ----------------------------------------------------------------- */

static SlBoxItem *
make_item (const SlPageBlock *block,
           guint          index)
{
  SlBoxRecord *record = g_new0 (SlBoxRecord, 1);

  record->id = (gint64) index + 1;
  record->label = g_strdup (sl_block_type_get_display_name (block->type));
  record->label_index = -1;
  memcpy (record->coords, block->place, sizeof record->coords);
  record->status = SL_BOX_OK;
  record->confidence = block->certainty;
  record->overlap = block->overlap;
  return sl_box_item_new (record);
}

static void
fill_boxes (SlBlockList  *self,
            const SlPage *page)
{
  g_autoptr (SlGrounding) nothing = sl_grounding_parse ("", 0);
  g_autoptr (GPtrArray) items = g_ptr_array_new_with_free_func (g_object_unref);
  int selected = sl_block_list_get_selected (self);

  for (guint i = 0; page != NULL && i < page->blocks->len; i++)
    if (((const SlPageBlock *) page->blocks->pdata[i])->has_place)
      g_ptr_array_add (items, make_item (page->blocks->pdata[i], i));
  sl_box_model_select (self->boxes, -1);
  g_list_store_splice (self->items, 0, g_list_model_get_n_items (G_LIST_MODEL (self->items)), items->pdata, items->len);
  sl_box_model_set_answer (self->boxes, nothing, G_LIST_MODEL (self->items), self->picture);
  sl_box_model_select (self->boxes, sl_block_list_find_box (self, selected));
}

int
sl_block_list_find_block (SlBlockList *self,
                          int          paint_box)
{
  SlBoxItem *item = paint_box >= 0 ? sl_box_model_get_item (self->boxes, (gsize) paint_box) : NULL;

  return item != NULL ? (int) sl_box_item_get_id (item) - 1 : -1;
}

int
sl_block_list_find_box (SlBlockList *self,
                        int          block)
{
  gsize n;

  sl_box_model_get_paint_boxes (self->boxes, &n);
  for (gsize i = 0; i < n; i++)
    if (sl_block_list_find_block (self, (int) i) == block)
      return (int) i;
  return -1;
}

/* --- what a row asks for --------------------------------------------------- */

static int
index_of (SlBlockList *self,
          gpointer     row)
{
  guint index;

  return g_ptr_array_find (self->rows, row, &index) ? (int) index : -1;
}

static void
read_area (SlBlockList   *self,
           const SlPageBlock *block,
           int            index)
{
  g_autofree char *why_not = sl_document_dup_why_not (self->document);

  if (why_not != NULL)
    g_signal_emit_by_name (self->document, "failed", why_not);
  else if (block->has_place)
    sl_document_read_area (self->document, self->page, index, block->place);
}

void
sl_block_list_do (SlBlockList *self,
                  int          index,
                  const char  *wish)
{
  SlDocumentPage *at = self->document != NULL ? sl_document_get_page (self->document, self->page) : NULL;
  const SlPage *page = at != NULL ? sl_document_page_get_page (at) : NULL;
  const SlPageBlock *block;
  guint to = (guint) index;

  if (page == NULL || index < 0 || (guint) index >= page->blocks->len)
    return;
  block = page->blocks->pdata[index];
  if (g_str_equal (wish, "accept"))
    sl_document_set_accepted (self->document, self->page, to, !block->accepted);
  else if (g_str_equal (wish, "remove"))
    sl_document_remove_block (self->document, self->page, to);
  else if (g_str_equal (wish, "read-area"))
    read_area (self, block, index);
  else if (g_str_equal (wish, "zoom"))
    g_signal_emit (self, signals[ZOOM], 0, index);
  else if (g_str_equal (wish, "up") ? index > 0 : to + 1 < page->blocks->len)
    {
      to = g_str_equal (wish, "up") ? to - 1 : to + 1;
      sl_document_move_block (self->document, self->page, (guint) index, to);
      sl_block_list_select (self, (int) to);
    }
}

static void
on_wish (SlBlockList *self,
         const char  *wish,
         SlBlockRow  *row)
{
  sl_block_list_do (self, index_of (self, row), wish);
}

static void
on_text (SlBlockList *self,
         const char  *text,
         SlBlockRow  *row)
{
  sl_document_set_text (self->document, self->page, (guint) index_of (self, row), text);
}

static void
on_lit (SlBlockList *self,
        gboolean     lit,
        SlBlockRow  *row)
{
  sl_box_model_light_box (self->boxes, lit ? sl_block_list_find_box (self, index_of (self, row)) : -1);
}

/* --- rows ------------------------------------------------------------------ */

static GtkWidget *
add_row (SlBlockList *self)
{
  GtkWidget *row = sl_block_row_new ();

  g_signal_connect_swapped (row, "wish", G_CALLBACK (on_wish), self);
  g_signal_connect_swapped (row, "text", G_CALLBACK (on_text), self);
  g_signal_connect_swapped (row, "lit", G_CALLBACK (on_lit), self);
  gtk_list_box_append (self->list, row);
  g_ptr_array_add (self->rows, row);
  return row;
}

static void
fill_rows (SlBlockList  *self,
           const SlPage *page)
{
  gsize n_boxes;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  guint n = page != NULL ? page->blocks->len : 0;

  while (self->rows->len > n)
    gtk_list_box_remove (self->list, g_ptr_array_steal_index (self->rows, self->rows->len - 1));
  for (guint i = 0; i < n; i++)
    {
      GtkWidget *row = i < self->rows->len ? self->rows->pdata[i] : add_row (self);
      int box = sl_block_list_find_box (self, (int) i);

      sl_block_row_set_block (SL_BLOCK_ROW (row), page->blocks->pdata[i], box >= 0 ? &boxes[box] : NULL);
    }
}

/* Why there is nothing, where there is not. */
static void
fill_nothing (SlBlockList    *self,
              SlDocumentPage *page)
{
  SlPageState state = page != NULL ? sl_document_page_get_state (page) : SL_PAGE_UNREAD;
  const char *error = page != NULL ? sl_document_page_get_error (page) : NULL;
  const char *sentence = error != NULL            ? error
                         : state == SL_PAGE_WAITING ? _("This page will be read.")
                         : state == SL_PAGE_READING ? _("This page is being read.")
                         : state == SL_PAGE_READ    ? _("Nothing was found on this page.")
                                                    : _("This page has not been read yet.");

  gtk_label_set_label (GTK_LABEL (self->nothing), sentence);
}

void
sl_block_list_show_page (SlBlockList   *self,
                         guint          index,
                         SlMessagePart *picture)
{
  SlDocumentPage *page;

  g_return_if_fail (SL_IS_BLOCK_LIST (self));

  page = self->document != NULL ? sl_document_get_page (self->document, index) : NULL;
  if (self->page != index)
    {
      self->silent = TRUE;
      gtk_list_box_unselect_all (self->list);
      while (self->rows->len > 0)
        gtk_list_box_remove (self->list, g_ptr_array_steal_index (self->rows, self->rows->len - 1));
      self->silent = FALSE;
    }
  self->page = index;
  g_set_object (&self->picture, picture);
  fill_boxes (self, page != NULL ? sl_document_page_get_page (page) : NULL);
  fill_rows (self, page != NULL ? sl_document_page_get_page (page) : NULL);
  fill_nothing (self, page);
}

/* --- selection ------------------------------------------------------------- */

int
sl_block_list_get_selected (SlBlockList *self)
{
  GtkListBoxRow *row = gtk_list_box_get_selected_row (self->list);

  return row != NULL ? gtk_list_box_row_get_index (row) : -1;
}

static void
on_row_selected (SlBlockList   *self,
                 GtkListBoxRow *row)
{
  int block = row != NULL ? gtk_list_box_row_get_index (row) : -1;

  sl_box_model_select (self->boxes, sl_block_list_find_box (self, block));
  if (!self->silent && block >= 0)
    g_signal_emit (self, signals[SELECTED], 0, block);
}

static void
on_row_activated (SlBlockList   *self,
                  GtkListBoxRow *row)
{
  g_signal_emit (self, signals[SELECTED], 0, gtk_list_box_row_get_index (row));
}

void
sl_block_list_reveal (SlBlockList *self,
                      int          block)
{
  GtkAdjustment *adjustment = gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scroller));
  graphene_rect_t bounds;

  if (block < 0 || (guint) block >= self->rows->len ||
      !gtk_widget_compute_bounds (self->rows->pdata[block], GTK_WIDGET (self->list), &bounds))
    return;
  self->silent = TRUE;
  gtk_adjustment_clamp_page (adjustment, bounds.origin.y,
                             bounds.origin.y + MIN (bounds.size.height, gtk_adjustment_get_page_size (adjustment)));
  self->silent = FALSE;
}

void
sl_block_list_select (SlBlockList *self,
                      int          block)
{
  g_return_if_fail (SL_IS_BLOCK_LIST (self));

  self->silent = TRUE;
  if (block >= 0 && (guint) block < self->rows->len)
    gtk_list_box_select_row (self->list, self->rows->pdata[block]);
  else
    gtk_list_box_unselect_all (self->list);
  self->silent = FALSE;
  sl_block_list_reveal (self, block);
}

void
sl_block_list_edit (SlBlockList *self,
                    int          block)
{
  if (block >= 0 && (guint) block < self->rows->len)
    sl_block_row_edit (self->rows->pdata[block]);
}

static void
on_lit_changed (SlBlockList *self)
{
  gsize n_boxes;

  sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  for (guint i = 0; i < self->rows->len; i++)
    {
      int box = sl_block_list_find_box (self, (int) i);

      if (box >= 0 && (gsize) box < n_boxes && sl_box_model_is_lit (self->boxes, (gsize) box))
        gtk_widget_add_css_class (self->rows->pdata[i], "lit");
      else
        gtk_widget_remove_css_class (self->rows->pdata[i], "lit");
    }
}

static void
on_scrolled (SlBlockList   *self,
             GtkAdjustment *adjustment)
{
  GtkListBoxRow *row = self->silent ? NULL : gtk_list_box_get_row_at_y (self->list, (int) gtk_adjustment_get_value (adjustment) + 1);

  if (row != NULL)
    g_signal_emit (self, signals[SCROLLED], 0, gtk_list_box_row_get_index (row));
}

/* --- object ---------------------------------------------------------------- */

void
sl_block_list_set_document (SlBlockList *self,
                            SlDocument  *document)
{
  g_return_if_fail (SL_IS_BLOCK_LIST (self));

  g_set_object (&self->document, document);
  self->page = G_MAXUINT;
  sl_block_list_show_page (self, 0, NULL);
}

SlBoxModel *
sl_block_list_get_boxes (SlBlockList *self)
{
  return self->boxes;
}

static void
sl_block_list_dispose (GObject *object)
{
  SlBlockList *self = SL_BLOCK_LIST (object);

  g_clear_pointer (&self->scroller, gtk_widget_unparent);
  g_clear_object (&self->document);
  g_clear_object (&self->picture);
  if (self->boxes != NULL)
    g_signal_handlers_disconnect_by_data (self->boxes, self);
  g_clear_object (&self->boxes);
  g_clear_object (&self->items);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_block_list_parent_class)->dispose (object);
}

static void
sl_block_list_class_init (SlBlockListClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_block_list_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "blocklist");
  signals[SELECTED] = g_signal_new ("selected", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  signals[ZOOM] = g_signal_new ("zoom", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  signals[SCROLLED] = g_signal_new ("scrolled", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
}

static void
sl_block_list_init (SlBlockList *self)
{
  self->rows = g_ptr_array_new ();
  self->items = g_list_store_new (SL_TYPE_BOX_ITEM);
  self->boxes = sl_box_model_new ();
  sl_box_model_set_first_labels (self->boxes, sl_block_types_get_display_names ());
  self->list = GTK_LIST_BOX (gtk_list_box_new ());
  self->nothing = gtk_label_new (NULL);
  gtk_label_set_wrap (GTK_LABEL (self->nothing), TRUE);
  gtk_widget_add_css_class (self->nothing, "dim-label");
  gtk_widget_set_margin_top (self->nothing, 36);
  gtk_widget_set_margin_start (self->nothing, 18);
  gtk_widget_set_margin_end (self->nothing, 18);
  gtk_list_box_set_placeholder (self->list, self->nothing);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->list), GTK_ACCESSIBLE_PROPERTY_LABEL, _("Blocks of the page"), -1);
  self->scroller = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scroller), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scroller), GTK_WIDGET (self->list));
  gtk_widget_set_parent (self->scroller, GTK_WIDGET (self));
  g_signal_connect_swapped (self->list, "row-selected", G_CALLBACK (on_row_selected), self);
  g_signal_connect_swapped (self->list, "row-activated", G_CALLBACK (on_row_activated), self);
  g_signal_connect_swapped (self->boxes, "lit-changed", G_CALLBACK (on_lit_changed), self);
  g_signal_connect_swapped (gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scroller)), "value-changed",
                            G_CALLBACK (on_scrolled), self);
}

GtkWidget *
sl_block_list_new (void)
{
  return g_object_new (SL_TYPE_BLOCK_LIST, NULL);
}
