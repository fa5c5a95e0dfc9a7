/* SPDX-License-Identifier: MIT
 *
 * See the header.
 */
#include "ui/sl-box-list.h"

#include <glib/gi18n.h>

struct _SlBoxList
{
  GtkWidget parent_instance;

  SlBoxModel *model;
  GListModel *items;
  GtkWidget *scrolled;
  GtkListBox *list;
};

G_DEFINE_FINAL_TYPE (SlBoxList, sl_box_list, GTK_TYPE_WIDGET)

static G_DEFINE_QUARK (sl-box-item, item_key)

static SlBoxItem *
row_item (GtkListBoxRow *row)
{
  return g_object_get_qdata (G_OBJECT (row), item_key_quark ());
}

static const char *
status_word (SlBoxStatus status)
{
  switch (status)
    {
    case SL_BOX_CLAMPED:
      return _("Corrected");
    case SL_BOX_INCOMPLETE:
      return _("Incomplete");
    case SL_BOX_REJECTED:
      return _("Unusable");
    case SL_BOX_OK:
    default:
      return NULL;
    }
}

static char *
dup_place (SlBoxList *self,
           int        paint_box)
{
  const SlPaintBox *boxes;
  gsize n_boxes;

  if (paint_box < 0)
    return g_strdup (_("Not on the picture"));
  boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  /* Translators: a rectangle in pixels: left, top, width, height */
  return g_strdup_printf (_("left %.0f, top %.0f, %.0f × %.0f px"), boxes[paint_box].x1,
                          boxes[paint_box].y1, boxes[paint_box].x2 - boxes[paint_box].x1,
                          boxes[paint_box].y2 - boxes[paint_box].y1);
}

static char *
dup_details (SlBoxList *self,
             SlBoxItem *item,
             int        paint_box)
{
  g_autofree char *place = dup_place (self, paint_box);
  const char *word = status_word (sl_box_item_get_status (item));
  const char *reason = sl_box_item_get_reason (item);

  if (word == NULL)
    return g_steal_pointer (&place);
  if (reason == NULL || *reason == '\0')
    return g_strdup_printf ("%s · %s", place, word);
  /* Translators: state of a box: its place, what is wrong, why */
  return g_strdup_printf (_("%s · %s: %s"), place, word, reason);
}

static void
on_row_enter (GtkListBoxRow *row)
{
  SlBoxList *self = SL_BOX_LIST (gtk_widget_get_ancestor (GTK_WIDGET (row), SL_TYPE_BOX_LIST));

  if (self != NULL)
    sl_box_model_light_box (self->model, sl_box_model_find_paint_box (self->model, row_item (row)));
}

static void
on_row_leave (GtkListBoxRow *row)
{
  SlBoxList *self = SL_BOX_LIST (gtk_widget_get_ancestor (GTK_WIDGET (row), SL_TYPE_BOX_LIST));

  if (self != NULL)
    sl_box_model_light_box (self->model, -1);
}

static GtkWidget *
make_badge (SlBoxList *self,
            int        paint_box)
{
  g_autofree char *markup = NULL;
  const SlPaintBox *boxes;
  gsize n_boxes;
  SlBoxColor color;
  GtkWidget *badge = gtk_label_new (NULL);

  gtk_widget_add_css_class (badge, "box-number");
  gtk_widget_set_valign (badge, GTK_ALIGN_CENTER);
  if (paint_box < 0)
    {
      gtk_label_set_label (GTK_LABEL (badge), "–");
      return badge;
    }
  boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  color = sl_box_palette_get (boxes[paint_box].color);
  markup = g_strdup_printf ("<span background=\"#%02x%02x%02x\" foreground=\"%s\"> %d </span>",
                            (int) (color.red * 255), (int) (color.green * 255),
                            (int) (color.blue * 255),
                            0.299 * color.red + 0.587 * color.green + 0.114 * color.blue > 0.55
                              ? "#000000"
                              : "#ffffff",
                            boxes[paint_box].number);
  gtk_label_set_markup (GTK_LABEL (badge), markup);
  return badge;
}

static void
add_light (GtkWidget *row)
{
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkEventController *focus = gtk_event_controller_focus_new ();

  g_signal_connect_swapped (motion, "enter", G_CALLBACK (on_row_enter), row);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (on_row_leave), row);
  gtk_widget_add_controller (row, motion);
  g_signal_connect_swapped (focus, "enter", G_CALLBACK (on_row_enter), row);
  g_signal_connect_swapped (focus, "leave", G_CALLBACK (on_row_leave), row);
  gtk_widget_add_controller (row, focus);
}

static GtkWidget *
make_row (gpointer object,
          gpointer data)
{
  SlBoxList *self = data;
  SlBoxItem *item = object;
  int paint_box = sl_box_model_find_paint_box (self->model, item);
  const char *label = sl_box_item_get_label (item);
  g_autofree char *details = dup_details (self, item, paint_box);
  g_autofree char *name = NULL;
  GtkWidget *row = gtk_list_box_row_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 10);
  GtkWidget *lines = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  GtkWidget *title = gtk_label_new (*label ? label : _("Unnamed"));
  GtkWidget *subtitle = gtk_label_new (details);

  gtk_label_set_xalign (GTK_LABEL (title), 0);
  gtk_label_set_ellipsize (GTK_LABEL (title), PANGO_ELLIPSIZE_END);
  gtk_label_set_xalign (GTK_LABEL (subtitle), 0);
  gtk_label_set_wrap (GTK_LABEL (subtitle), TRUE);
  gtk_widget_add_css_class (subtitle, "caption");
  gtk_widget_add_css_class (subtitle, "dim-label");
  gtk_widget_add_css_class (subtitle, "numeric");
  gtk_box_append (GTK_BOX (lines), title);
  gtk_box_append (GTK_BOX (lines), subtitle);
  gtk_box_append (GTK_BOX (box), make_badge (self, paint_box));
  gtk_box_append (GTK_BOX (box), lines);
  gtk_widget_add_css_class (box, "box-row");
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), box);
  g_object_set_qdata_full (G_OBJECT (row), item_key_quark (), g_object_ref (item), g_object_unref);
  add_light (row);

  /* Translators: accessible name of a box: number, label, place */
  name = paint_box < 0 ? g_strdup_printf (_("%s, %s"), label, details)
                       : g_strdup_printf (_("Box %d: %s, %s"), paint_box + 1, label, details);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  return row;
}

static void
rebuild (SlBoxList *self)
{
  /* Binding again makes all rows anew: numbers and places depend on each other. */
  gtk_list_box_bind_model (self->list, self->items, make_row, self, NULL);
}

static void
on_lit_changed (SlBoxList *self)
{
  int selected = sl_box_model_get_selected (self->model);
  GtkListBoxRow *row;

  for (int i = 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i++)
    {
      int paint_box = sl_box_model_find_paint_box (self->model, row_item (row));
      if (paint_box >= 0 && sl_box_model_is_lit (self->model, paint_box))
        gtk_widget_add_css_class (GTK_WIDGET (row), "lit");
      else
        gtk_widget_remove_css_class (GTK_WIDGET (row), "lit");
      if (paint_box >= 0 && paint_box == selected && !gtk_list_box_row_is_selected (row))
        gtk_list_box_select_row (self->list, row);
    }
  if (selected < 0)
    gtk_list_box_unselect_all (self->list);
}

static void
on_row_selected (SlBoxList     *self,
                 GtkListBoxRow *row)
{
  if (row != NULL)
    sl_box_model_select (self->model, sl_box_model_find_paint_box (self->model, row_item (row)));
}

static void
sl_box_list_dispose (GObject *object)
{
  SlBoxList *self = SL_BOX_LIST (object);

  sl_box_list_set_model (self, NULL, NULL);
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
  self->list = GTK_LIST_BOX (gtk_list_box_new ());
  gtk_list_box_set_placeholder (self->list, gtk_label_new (_("No boxes")));
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
                       SlBoxModel *model,
                       GListModel *items)
{
  g_return_if_fail (SL_IS_BOX_LIST (self));

  if (self->model != NULL)
    g_signal_handlers_disconnect_by_data (self->model, self);
  g_set_object (&self->model, model);
  g_set_object (&self->items, items);
  if (model != NULL)
    {
      g_signal_connect_object (model, "changed", G_CALLBACK (rebuild), self, G_CONNECT_SWAPPED);
      g_signal_connect_object (model, "lit-changed", G_CALLBACK (on_lit_changed), self,
                               G_CONNECT_SWAPPED);
    }
  rebuild (self);
  if (model != NULL)
    on_lit_changed (self);
}
