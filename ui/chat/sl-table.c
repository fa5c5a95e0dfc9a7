/* SPDX-License-Identifier: MIT
 *
 * A grid in a scrolled window that is exactly as high as the grid is at the width it gets: GtkScrolledWindow alone asks for the height
 * of a width that it does not know.
 */
#include "ui/chat/sl-table.h"

#define LEAST_WIDTH 48

struct _SlTable
{
  GtkWidget parent_instance;

  GtkWidget *scrolled;
  GtkWidget *grid;
};

G_DEFINE_FINAL_TYPE (SlTable, sl_table, GTK_TYPE_WIDGET)

static void
sl_table_measure (GtkWidget      *widget,
                  GtkOrientation  orientation,
                  int             for_size,
                  int            *minimum,
                  int            *natural,
                  int            *minimum_baseline,
                  int            *natural_baseline)
{
  SlTable *self = SL_TABLE (widget);
  int least, most;

  gtk_widget_measure (self->grid, GTK_ORIENTATION_HORIZONTAL, -1, &least, &most, NULL, NULL);
  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    {
      *minimum = MIN (least, LEAST_WIDTH);
      *natural = most;
    }
  else
    gtk_widget_measure (self->grid, GTK_ORIENTATION_VERTICAL, for_size < 0 ? most : MAX (least, for_size), minimum, natural, NULL,
                        NULL);
}

static GtkSizeRequestMode
sl_table_get_request_mode (GtkWidget *widget)
{
  return GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

static void
sl_table_size_allocate (GtkWidget *widget,
                        int        width,
                        int        height,
                        int        baseline)
{
  gtk_widget_size_allocate (SL_TABLE (widget)->scrolled, &(GtkAllocation) { 0, 0, width, height }, -1);
}

static void
sl_table_dispose (GObject *object)
{
  g_clear_pointer (&SL_TABLE (object)->scrolled, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_table_parent_class)->dispose (object);
}

static void
sl_table_class_init (SlTableClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_table_dispose;
  widget_class->measure = sl_table_measure;
  widget_class->get_request_mode = sl_table_get_request_mode;
  widget_class->size_allocate = sl_table_size_allocate;
  gtk_widget_class_set_css_name (widget_class, "table");
}

static void
sl_table_init (SlTable *self)
{
  self->grid = gtk_grid_new ();
  self->scrolled = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scrolled), GTK_POLICY_AUTOMATIC, GTK_POLICY_NEVER);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scrolled), self->grid);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  gtk_widget_set_parent (self->scrolled, GTK_WIDGET (self));
}

GtkWidget *
sl_table_new (void)
{
  return g_object_new (SL_TYPE_TABLE, NULL);
}

GtkGrid *
sl_table_get_grid (SlTable *self)
{
  g_return_val_if_fail (SL_IS_TABLE (self), NULL);
  return GTK_GRID (self->grid);
}
