/* SPDX-License-Identifier: MIT
 *
 * Layout of SlFlowLabel: children's sizes become Pango shape attributes, Pango
 * wraps and aligns, and the children are put where the shapes came to stand.
 */
#include "ui/chat/sl-flow-label.h"

#include "ui/chat/sl-markdown.h"

#include <string.h>

#define MIN_WIDTH 48

struct _SlFlowLabel
{
  GtkWidget parent_instance;

  GtkWidget *label;
  GPtrArray *children;         /* GtkWidget, parented to us */
  int least_width;
  PangoLayout *measure_layout; /* NULL: to be made from the label */
};

G_DEFINE_FINAL_TYPE (SlFlowLabel, sl_flow_label, GTK_TYPE_WIDGET)

static void
measure_child (GtkWidget *child,
               int       *width,
               int       *height,
               int       *baseline)
{
  gtk_widget_measure (child, GTK_ORIENTATION_HORIZONTAL, -1, NULL, width, NULL, NULL);
  gtk_widget_measure (child, GTK_ORIENTATION_VERTICAL, *width, NULL, height, NULL, baseline);
  if (*baseline < 0)
    *baseline = *height * 3 / 4;
}

static void
update_shapes (SlFlowLabel *self)
{
  const char *text = gtk_label_get_text (GTK_LABEL (self->label));
  g_autoptr (PangoAttrList) attributes = pango_attr_list_new ();
  const char *at = text;

  for (guint i = 0; i < self->children->len && (at = strstr (at, SL_MARKDOWN_ANCHOR)); i++)
    {
      int width, height, baseline;
      PangoRectangle rect;
      PangoAttribute *shape;

      measure_child (self->children->pdata[i], &width, &height, &baseline);
      rect.x = 0;
      rect.y = -baseline * PANGO_SCALE;
      rect.width = width * PANGO_SCALE;
      rect.height = height * PANGO_SCALE;
      shape = pango_attr_shape_new (&rect, &rect);
      shape->start_index = at - text;
      at += strlen (SL_MARKDOWN_ANCHOR);
      shape->end_index = at - text;
      pango_attr_list_insert (attributes, shape);
    }
  gtk_label_set_attributes (GTK_LABEL (self->label), self->children->len ? attributes : NULL);
  g_clear_object (&self->measure_layout);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

static PangoLayout *
get_measure_layout (SlFlowLabel *self)
{
  if (self->measure_layout == NULL)
    {
      self->measure_layout = pango_layout_copy (gtk_label_get_layout (GTK_LABEL (self->label)));
      pango_layout_set_wrap (self->measure_layout, PANGO_WRAP_WORD);
    }
  return self->measure_layout;
}

static int
widest_child (SlFlowLabel *self,
              int          widest)
{

  for (guint i = 0; i < self->children->len; i++)
    {
      int width;
      gtk_widget_measure (self->children->pdata[i], GTK_ORIENTATION_HORIZONTAL, -1, NULL, &width,
                          NULL, NULL);
      widest = MAX (widest, width);
    }
  return widest;
}

/* GtkLabel looks for its smallest width with a dozen layouts; for a long answer
 * that grows with every frame this took seconds. Here it takes one layout. */
static void
sl_flow_label_measure (GtkWidget      *widget,
                       GtkOrientation  orientation,
                       int             for_size,
                       int            *minimum,
                       int            *natural,
                       int            *minimum_baseline,
                       int            *natural_baseline)
{
  SlFlowLabel *self = SL_FLOW_LABEL (widget);
  PangoLayout *layout = get_measure_layout (self);
  int width, height;

  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    {
      pango_layout_set_width (layout, -1);
      pango_layout_get_pixel_size (layout, &width, NULL);
      *natural = MAX (MAX (width, MIN_WIDTH), widest_child (self, 0));
      *minimum = MIN (*natural, widest_child (self, self->least_width));
      return;
    }
  pango_layout_set_width (layout, for_size < 0 ? -1 : for_size * PANGO_SCALE);
  pango_layout_get_pixel_size (layout, NULL, &height);
  *minimum = *natural = height;
}

/* Byte index → pixel of the shape's left edge and of its line's baseline. */
static void
locate (PangoLayout *layout,
        int          index,
        int         *x,
        int         *baseline)
{
  PangoLayoutIter *iter = pango_layout_get_iter (layout);
  PangoRectangle pos;

  pango_layout_index_to_pos (layout, index, &pos);
  *x = PANGO_PIXELS (MIN (pos.x, pos.x + pos.width));
  do
    {
      PangoLayoutLine *line = pango_layout_iter_get_line_readonly (iter);
      *baseline = PANGO_PIXELS (pango_layout_iter_get_baseline (iter));
      if (index < line->start_index + line->length)
        break;
    }
  while (pango_layout_iter_next_line (iter));
  pango_layout_iter_free (iter);
}

static void
sl_flow_label_size_allocate (GtkWidget *widget,
                             int        width,
                             int        height,
                             int        baseline)
{
  SlFlowLabel *self = SL_FLOW_LABEL (widget);
  const char *text = gtk_label_get_text (GTK_LABEL (self->label));
  const char *at = text;
  int offset_x, offset_y;

  gtk_widget_size_allocate (self->label, &(GtkAllocation) { 0, 0, width, height }, baseline);
  gtk_label_get_layout_offsets (GTK_LABEL (self->label), &offset_x, &offset_y);

  for (guint i = 0; i < self->children->len; i++)
    {
      GtkWidget *child = self->children->pdata[i];
      int child_width, child_height, child_baseline, x, y;

      at = at ? strstr (at, SL_MARKDOWN_ANCHOR) : NULL;
      gtk_widget_set_child_visible (child, at != NULL);
      if (at == NULL)
        continue;
      measure_child (child, &child_width, &child_height, &child_baseline);
      locate (gtk_label_get_layout (GTK_LABEL (self->label)), at - text, &x, &y);
      gtk_widget_size_allocate (child,
                                &(GtkAllocation) { offset_x + x, offset_y + y - child_baseline,
                                                   child_width, child_height },
                                -1);
      at += strlen (SL_MARKDOWN_ANCHOR);
    }
}

static GtkSizeRequestMode
sl_flow_label_get_request_mode (GtkWidget *widget)
{
  return GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

/* A chip's size is only final under the window's style. */
static void
sl_flow_label_root (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (sl_flow_label_parent_class)->root (widget);
  update_shapes (SL_FLOW_LABEL (widget));
}

static void
sl_flow_label_css_changed (GtkWidget         *widget,
                           GtkCssStyleChange *change)
{
  GTK_WIDGET_CLASS (sl_flow_label_parent_class)->css_changed (widget, change);
  if (gtk_widget_get_root (widget) != NULL)
    update_shapes (SL_FLOW_LABEL (widget));
}

static void
sl_flow_label_dispose (GObject *object)
{
  SlFlowLabel *self = SL_FLOW_LABEL (object);

  for (guint i = 0; self->children && i < self->children->len; i++)
    gtk_widget_unparent (self->children->pdata[i]);
  g_clear_pointer (&self->children, g_ptr_array_unref);
  g_clear_object (&self->measure_layout);
  g_clear_pointer (&self->label, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_flow_label_parent_class)->dispose (object);
}

static void
sl_flow_label_class_init (SlFlowLabelClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_flow_label_dispose;
  widget_class->measure = sl_flow_label_measure;
  widget_class->size_allocate = sl_flow_label_size_allocate;
  widget_class->get_request_mode = sl_flow_label_get_request_mode;
  widget_class->root = sl_flow_label_root;
  widget_class->css_changed = sl_flow_label_css_changed;
  gtk_widget_class_set_css_name (widget_class, "flowlabel");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
}

static void
sl_flow_label_init (SlFlowLabel *self)
{
  self->children = g_ptr_array_new ();
  self->least_width = MIN_WIDTH;
  self->label = gtk_label_new (NULL);
  gtk_label_set_wrap (GTK_LABEL (self->label), TRUE);
  gtk_label_set_wrap_mode (GTK_LABEL (self->label), PANGO_WRAP_WORD);
  gtk_label_set_xalign (GTK_LABEL (self->label), 0);
  gtk_label_set_selectable (GTK_LABEL (self->label), TRUE);
  gtk_widget_set_parent (self->label, GTK_WIDGET (self));
}

GtkWidget *
sl_flow_label_new (void)
{
  return g_object_new (SL_TYPE_FLOW_LABEL, NULL);
}

void
sl_flow_label_set_least_width (SlFlowLabel *self,
                               int          width)
{
  g_return_if_fail (SL_IS_FLOW_LABEL (self));
  self->least_width = width;
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

GtkLabel *
sl_flow_label_get_label (SlFlowLabel *self)
{
  g_return_val_if_fail (SL_IS_FLOW_LABEL (self), NULL);
  return GTK_LABEL (self->label);
}

GtkTextDirection
sl_flow_label_get_text_direction (SlFlowLabel *self)
{
  g_return_val_if_fail (SL_IS_FLOW_LABEL (self), GTK_TEXT_DIR_NONE);
  return pango_layout_get_direction (gtk_label_get_layout (GTK_LABEL (self->label)), 0) == PANGO_DIRECTION_RTL ? GTK_TEXT_DIR_RTL
                                                                                                            : GTK_TEXT_DIR_LTR;
}

void
sl_flow_label_set_content (SlFlowLabel *self,
                           const char  *markup,
                           GPtrArray   *children)
{
  g_autoptr (GPtrArray) old = NULL;

  g_return_if_fail (SL_IS_FLOW_LABEL (self));

  old = g_steal_pointer (&self->children);
  self->children = g_ptr_array_new ();
  for (guint i = 0; children != NULL && i < children->len; i++)
    {
      GtkWidget *child = children->pdata[i];
      if (!g_ptr_array_remove (old, child))
        gtk_widget_set_parent (child, GTK_WIDGET (self));
      g_ptr_array_add (self->children, child);
    }
  for (guint i = 0; i < old->len; i++)
    gtk_widget_unparent (old->pdata[i]);

  gtk_label_set_markup (GTK_LABEL (self->label), markup);
  gtk_widget_set_direction (self->label, sl_flow_label_get_text_direction (self));
  update_shapes (self);
}

void
sl_flow_label_update_children (SlFlowLabel *self)
{
  g_return_if_fail (SL_IS_FLOW_LABEL (self));
  update_shapes (self);
}
