/* SPDX-License-Identifier: MIT
 *
 * Keeps one row for each box that is shown. Rows live as long as their item is shown, so that focus and the place in the list
 * survive an edit.
 */
#include "ui/inspector/sl-box-list.h"

#include "ui/inspector/sl-box-row.h"

#include <glib/gi18n.h>

struct _SlBoxList
{
  GtkWidget parent_instance;

  SlBoxModel *model;
  GtkSortListModel *sorted;
  GtkSorter *by_overlap;
  GtkWidget *scrolled;
  GtkListBox *list;
};

G_DEFINE_FINAL_TYPE (SlBoxList, sl_box_list, GTK_TYPE_WIDGET)

static SlBoxRow *
get_row (SlBoxList *self,
         int        index)
{
  GtkListBoxRow *row = gtk_list_box_get_row_at_index (self->list, index);

  return row ? SL_BOX_ROW (row) : NULL;
}

static int
get_paint_box (SlBoxList *self,
               SlBoxRow  *row)
{
  return sl_box_model_find_paint_box (self->model, sl_box_row_get_item (row));
}

static void
scroll_to (SlBoxList *self,
           SlBoxRow  *row)
{
  GtkAdjustment *adjustment =
    gtk_scrolled_window_get_vadjustment (GTK_SCROLLED_WINDOW (self->scrolled));
  double x, top;
  int height = gtk_widget_get_height (GTK_WIDGET (row));

  if (gtk_widget_translate_coordinates (GTK_WIDGET (row), GTK_WIDGET (self->list), 0, 0, &x, &top))
    gtk_adjustment_clamp_page (adjustment, top, top + height);
}

static void
on_lit_changed (SlBoxList *self)
{
  int selected = sl_box_model_get_selected (self->model);
  SlBoxRow *row;

  for (int i = 0; (row = get_row (self, i)) != NULL; i++)
    {
      int paint_box = get_paint_box (self, row);

      if (paint_box >= 0 && sl_box_model_is_lit (self->model, paint_box))
        gtk_widget_add_css_class (GTK_WIDGET (row), "lit");
      else
        gtk_widget_remove_css_class (GTK_WIDGET (row), "lit");
      if (paint_box >= 0 && paint_box == selected &&
          !gtk_list_box_row_is_selected (GTK_LIST_BOX_ROW (row)))
        {
          gtk_list_box_select_row (self->list, GTK_LIST_BOX_ROW (row));
          scroll_to (self, row);
        }
    }
  if (selected < 0 && sl_box_list_get_current (self) != NULL &&
      sl_box_model_find_paint_box (self->model, sl_box_list_get_current (self)) >= 0)
    gtk_list_box_unselect_all (self->list);
}

static void
update_rows (SlBoxList *self)
{
  SlBoxRow *row;

  for (int i = 0; (row = get_row (self, i)) != NULL; i++)
    sl_box_row_update (row);
}

static void
on_changed (SlBoxList *self)
{
  update_rows (self);
  on_lit_changed (self);
}

static void
on_row_selected (SlBoxList     *self,
                 GtkListBoxRow *row)
{
  int paint_box;

  if (row == NULL || self->model == NULL)
    return;
  paint_box = get_paint_box (self, SL_BOX_ROW (row));
  sl_box_model_select (self->model, paint_box);
  /* A box without a place lights nothing, but what can be done is about it now. */
  if (paint_box < 0)
    g_signal_emit_by_name (self->model, "lit-changed");
}

/* Unusable boxes are the least sure of all. */
static double
get_sureness (SlBoxItem *item)
{
  double overlap = sl_box_item_get_overlap (item, NULL);
  int coords[4];

  if (!sl_box_item_get_coords (item, coords) && sl_box_item_get_kind (item) == SL_BOX_KIND_MODEL)
    return -1;
  return overlap >= 0 ? overlap : 2;
}

static int
compare_sureness (gconstpointer a,
                  gconstpointer b,
                  gpointer      data)
{
  double left = get_sureness (SL_BOX_ITEM ((gpointer) a));
  double right = get_sureness (SL_BOX_ITEM ((gpointer) b));

  return (left > right) - (left < right);
}

static GtkWidget *
make_row (gpointer item,
          gpointer data)
{
  return sl_box_row_new (SL_BOX_LIST (data)->model, item);
}

static void
sl_box_list_dispose (GObject *object)
{
  SlBoxList *self = SL_BOX_LIST (object);

  if (self->scrolled != NULL)
    sl_box_list_set_model (self, NULL);
  g_clear_object (&self->sorted);
  g_clear_object (&self->by_overlap);
  g_clear_pointer (&self->scrolled, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_box_list_parent_class)->dispose (object);
}

static void
sl_box_list_class_init (SlBoxListClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_box_list_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "boxlist");
}

static void
sl_box_list_init (SlBoxList *self)
{
  GtkWidget *placeholder = gtk_label_new (_("No boxes"));

  self->by_overlap = GTK_SORTER (gtk_custom_sorter_new (compare_sureness, NULL, NULL));
  self->sorted = gtk_sort_list_model_new (NULL, NULL);
  gtk_widget_add_css_class (placeholder, "dim-label");
  gtk_widget_set_margin_top (placeholder, 24);
  self->list = GTK_LIST_BOX (gtk_list_box_new ());
  gtk_list_box_set_placeholder (self->list, placeholder);
  gtk_widget_add_css_class (GTK_WIDGET (self->list), "navigation-sidebar");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->list), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Boxes"), -1);
  g_signal_connect_swapped (self->list, "row-selected", G_CALLBACK (on_row_selected), self);
  self->scrolled = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scrolled), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scrolled), GTK_WIDGET (self->list));
  gtk_widget_set_vexpand (self->scrolled, TRUE);
  gtk_widget_set_vexpand (GTK_WIDGET (self), TRUE); /* GtkWidget does not ask its children */
  gtk_widget_set_parent (self->scrolled, GTK_WIDGET (self));
}

GtkWidget *
sl_box_list_new (void)
{
  return g_object_new (SL_TYPE_BOX_LIST, NULL);
}

void
sl_box_list_set_model (SlBoxList  *self,
                       SlBoxModel *model)
{
  g_return_if_fail (SL_IS_BOX_LIST (self));

  if (self->model != NULL)
    g_signal_handlers_disconnect_by_data (self->model, self);
  gtk_list_box_bind_model (self->list, NULL, NULL, NULL, NULL);
  g_set_object (&self->model, model);
  gtk_sort_list_model_set_model (self->sorted, model ? sl_box_model_get_shown (model) : NULL);
  if (model == NULL)
    return;
  gtk_list_box_bind_model (self->list, G_LIST_MODEL (self->sorted), make_row, self, NULL);
  g_signal_connect_object (model, "changed", G_CALLBACK (on_changed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (model, "shown-changed", G_CALLBACK (update_rows), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_object (model, "lit-changed", G_CALLBACK (on_lit_changed), self,
                           G_CONNECT_SWAPPED);
  on_lit_changed (self);
}

void
sl_box_list_set_least_sure_first (SlBoxList *self,
                                  gboolean   first)
{
  g_return_if_fail (SL_IS_BOX_LIST (self));

  gtk_sort_list_model_set_sorter (self->sorted, first ? self->by_overlap : NULL);
  if (self->model != NULL)
    on_changed (self);
}

SlBoxItem *
sl_box_list_get_current (SlBoxList *self)
{
  GtkListBoxRow *row;

  g_return_val_if_fail (SL_IS_BOX_LIST (self), NULL);
  row = gtk_list_box_get_selected_row (self->list);
  return row ? sl_box_row_get_item (SL_BOX_ROW (row)) : NULL;
}
