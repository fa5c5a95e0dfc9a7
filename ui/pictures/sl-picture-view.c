/* SPDX-License-Identifier: MIT
 *
 * A picture with its boxes: whose pixels and boxes are shown, and at which size. Where it lies is sl-picture-view-zoom.c's. The
 * painter works in widget units, so lines and text keep their size at every zoom and are crisp on any display.
 */
#include "ui/pictures/sl-picture-view-private.h"

#include <glib/gi18n.h>
#include <math.h>

#define STILL_MAX_WIDTH 640
#define STILL_MAX_HEIGHT 420
#define STILL_MIN_SIDE 240

enum
{
  PROP_0,
  PROP_SCALE,
  N_PROPS,
};

enum
{
  ACTIVATED,
  AREA,
  POINTER,
  MENU,
  MOVED,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlPictureView, sl_picture_view, GTK_TYPE_WIDGET)

/* --- boxes ----------------------------------------------------------------- */

static void
update_name (SlPictureView *self)
{
  g_autofree char *name = NULL;
  gsize n_boxes = 0;

  if (self->model != NULL)
    sl_box_model_get_paint_boxes (self->model, &n_boxes);
  if (self->part != NULL)
    /* Translators: accessible name of a picture: file name, number of boxes drawn on it */
    name = g_strdup_printf (ngettext ("Picture %s, %u box", "Picture %s, %u boxes", n_boxes),
                            sl_message_part_get_name (self->part), (guint) n_boxes);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  name ? name : _("Picture"), -1);
}

static void
update_boxes (SlPictureView *self)
{
  const SlPaintBox *boxes = NULL;
  gsize n_boxes = 0;

  if (self->model != NULL && sl_box_model_get_part (self->model) == self->part)
    boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  sl_box_painter_set_boxes (self->painter, boxes, n_boxes);
  update_name (self);
  sl_picture_view_invalidate (self);
}

/* --- size ------------------------------------------------------------------ */

static void
still_size (SlPictureView *self,
            int           *width,
            int           *height)
{
  double picture_width = self->width;
  double picture_height = self->height;
  double scale = MIN (STILL_MAX_WIDTH / picture_width, STILL_MAX_HEIGHT / picture_height);

  scale = MIN (scale, MAX (1, STILL_MIN_SIDE / MAX (1, MIN (picture_width, picture_height))));
  *width = MAX (1, round (picture_width * scale));
  *height = MAX (1, round (picture_height * scale));
}

static void
sl_picture_view_measure (GtkWidget      *widget,
                         GtkOrientation  orientation,
                         int             for_size,
                         int            *minimum,
                         int            *natural,
                         int            *minimum_baseline,
                         int            *natural_baseline)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);
  int width = 0, height = 0;

  *minimum = *natural = self->zoomable ? 64 : 0;
  if (self->zoomable || self->part == NULL)
    return;
  still_size (self, &width, &height);
  if (orientation == GTK_ORIENTATION_HORIZONTAL)
    {
      *minimum = MIN (width, 48);
      *natural = width;
    }
  else
    *minimum = *natural = for_size < 0 || for_size >= width
                            ? height
                            : MAX (1, (int) round ((double) height * for_size / width));
}

static GtkSizeRequestMode
sl_picture_view_get_request_mode (GtkWidget *widget)
{
  return SL_PICTURE_VIEW (widget)->zoomable ? GTK_SIZE_REQUEST_CONSTANT_SIZE
                                            : GTK_SIZE_REQUEST_HEIGHT_FOR_WIDTH;
}

static void
sl_picture_view_size_allocate (GtkWidget *widget,
                               int        width,
                               int        height,
                               int        baseline)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);

  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL; child = gtk_widget_get_next_sibling (child))
    if (GTK_IS_POPOVER (child)) /* a menu of the viewer's */
      gtk_popover_present (GTK_POPOVER (child));
  if (self->part == NULL)
    return;
  if (self->fitted)
    sl_picture_view_fit (self);
  else
    sl_picture_view_set_view (self, self->scale, self->x, self->y);
}

/* What is not on the display takes no memory. */
static void
sl_picture_view_unmap (GtkWidget *widget)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);

  GTK_WIDGET_CLASS (sl_picture_view_parent_class)->unmap (widget);
  g_clear_pointer (&self->boxes_node, gsk_render_node_unref);
  sl_canvas_clear (&self->canvas);
  if (self->still != NULL)
    {
      sl_still_stop (self->still);
      g_clear_object (&self->mipmap);
    }
}

/* As many pixels as the display has at the largest size that it is shown at. */
static void
start_still (SlPictureView *self)
{
  int width, height;

  still_size (self, &width, &height);
  sl_still_start (self->still, MAX (width, height) * gtk_widget_get_scale_factor (GTK_WIDGET (self)));
}

static void
sl_picture_view_map (GtkWidget *widget)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);

  GTK_WIDGET_CLASS (sl_picture_view_parent_class)->map (widget);
  if (self->still != NULL)
    start_still (self);
}

/* --- object ---------------------------------------------------------------- */

static void drop_part (SlPictureView *self);

static void
sl_picture_view_dispose (GObject *object)
{
  SlPictureView *self = SL_PICTURE_VIEW (object);

  drop_part (self);
  g_clear_object (&self->mipmap);
  g_clear_object (&self->model);
  g_clear_object (&self->heat);
  g_clear_pointer (&self->boxes_node, gsk_render_node_unref);
  sl_canvas_clear (&self->canvas);
  G_OBJECT_CLASS (sl_picture_view_parent_class)->dispose (object);
}

static void
sl_picture_view_finalize (GObject *object)
{
  g_clear_pointer (&SL_PICTURE_VIEW (object)->painter, sl_box_painter_free);
  G_OBJECT_CLASS (sl_picture_view_parent_class)->finalize (object);
}

static void
sl_picture_view_get_property (GObject    *object,
                              guint       id,
                              GValue     *value,
                              GParamSpec *pspec)
{
  if (id == PROP_SCALE)
    g_value_set_double (value, SL_PICTURE_VIEW (object)->scale);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
install_signals (GType type)
{
  signals[ACTIVATED] = g_signal_new ("activated", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                     G_TYPE_NONE, 1, G_TYPE_INT);
  signals[AREA] = g_signal_new ("area", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                5, G_TYPE_INT, G_TYPE_DOUBLE, G_TYPE_DOUBLE, G_TYPE_DOUBLE,
                                G_TYPE_DOUBLE);
  signals[POINTER] = g_signal_new ("pointer", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 2, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  signals[MENU] = g_signal_new ("menu", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                2, G_TYPE_DOUBLE, G_TYPE_DOUBLE);
  signals[MOVED] = g_signal_new ("moved", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

void
sl_picture_view_emit_activated (SlPictureView *self,
                                int            box)
{
  g_signal_emit (self, signals[ACTIVATED], 0, box);
}

void
sl_picture_view_emit_area (SlPictureView *self,
                           int            box)
{
  g_signal_emit (self, signals[AREA], 0, box, self->draft.x, self->draft.y,
                 self->draft.x + self->draft.width, self->draft.y + self->draft.height);
}

void
sl_picture_view_emit_pointer (SlPictureView *self)
{
  double x = NAN, y = NAN;

  if (self->part != NULL && !isnan (self->pointer_x))
    {
      x = (self->pointer_x - self->x) / self->scale;
      y = (self->pointer_y - self->y) / self->scale;
      if (x < 0 || y < 0 || x >= self->width ||
          y >= self->height)
        x = y = NAN;
    }
  g_signal_emit (self, signals[POINTER], 0, x, y);
}

static void
sl_picture_view_class_init (SlPictureViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_picture_view_dispose;
  object_class->finalize = sl_picture_view_finalize;
  object_class->get_property = sl_picture_view_get_property;
  widget_class->snapshot = sl_picture_view_draw;
  widget_class->map = sl_picture_view_map;
  widget_class->unmap = sl_picture_view_unmap;
  widget_class->measure = sl_picture_view_measure;
  widget_class->get_request_mode = sl_picture_view_get_request_mode;
  widget_class->size_allocate = sl_picture_view_size_allocate;

  properties[PROP_SCALE] = g_param_spec_double ("scale", NULL, NULL, 0, G_MAXDOUBLE, 1,
                                                G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  install_signals (G_TYPE_FROM_CLASS (klass));
  sl_picture_view_install_input (widget_class);
  gtk_widget_class_set_css_name (widget_class, "pictureview");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
sl_picture_view_init (SlPictureView *self)
{
  self->painter = sl_box_painter_new ();
  self->style = sl_box_default_style;
  self->scale = 1;
  self->fitted = TRUE;
  self->boxes_visible = TRUE;
  self->pointer_x = self->pointer_y = NAN;
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
}

GtkWidget *
sl_picture_view_new (gboolean zoomable)
{
  SlPictureView *self = g_object_new (SL_TYPE_PICTURE_VIEW, NULL);

  self->zoomable = zoomable;
  if (zoomable)
    {
      gtk_widget_set_hexpand (GTK_WIDGET (self), TRUE);
      gtk_widget_set_vexpand (GTK_WIDGET (self), TRUE);
    }
  else
    {
      /* In both directions: where only one is left to fill, GTK asks for the width at a height, which a picture as a still has not. */
      gtk_widget_set_halign (GTK_WIDGET (self), GTK_ALIGN_START);
      gtk_widget_set_valign (GTK_WIDGET (self), GTK_ALIGN_START);
    }
  sl_picture_view_add_input (self);
  update_name (self);
  return GTK_WIDGET (self);
}

static void
on_mipmap_ready (SlPictureView *self)
{
  sl_canvas_invalidate (&self->canvas);
  sl_picture_view_invalidate (self);
}

/* What there is of the picture's pixels. */
static void
update_pixels (SlPictureView *self)
{
  SlPicture *picture = self->part != NULL && self->zoomable ? sl_message_part_get_picture (self->part) : NULL;
  SlMipmap *still = self->still != NULL ? sl_still_get_mipmap (self->still) : NULL;

  if (self->mipmap != NULL)
    g_signal_handlers_disconnect_by_data (self->mipmap, self);
  g_clear_object (&self->mipmap);
  if (picture != NULL)
    self->mipmap = sl_mipmap_for_picture (picture);
  else if (still != NULL)
    self->mipmap = g_object_ref (still);
  gtk_accessible_update_state (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_STATE_BUSY,
                               self->part != NULL && self->mipmap == NULL &&
                                 (self->still == NULL || sl_still_get_error_text (self->still) == NULL),
                               -1);
  if (self->mipmap != NULL && self->still == NULL)
    g_signal_connect_object (self->mipmap, "ready", G_CALLBACK (on_mipmap_ready), self, G_CONNECT_SWAPPED);
  on_mipmap_ready (self);
}

static void
drop_part (SlPictureView *self)
{
  if (self->part == NULL)
    return;
  g_signal_handlers_disconnect_by_data (self->part, self);
  if (self->still == NULL)
    sl_message_part_release (self->part);
  else
    g_signal_handlers_disconnect_by_data (self->still, self);
  g_clear_object (&self->still);
  g_clear_object (&self->part);
}

static void
take_part (SlPictureView *self,
           SlMessagePart *part)
{
  self->part = g_object_ref (part);
  self->width = MAX (1, sl_message_part_get_width (part));
  self->height = MAX (1, sl_message_part_get_height (part));
  if (self->zoomable)
    {
      g_signal_connect_object (part, "notify::picture", G_CALLBACK (update_pixels), self, G_CONNECT_SWAPPED);
      sl_message_part_load (part);
      return;
    }
  self->still = sl_still_new (part);
  g_signal_connect_object (self->still, "changed", G_CALLBACK (update_pixels), self, G_CONNECT_SWAPPED);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)))
    start_still (self);
}

void
sl_picture_view_set_part (SlPictureView *self,
                          SlMessagePart *part)
{
  double old_width = self->width, old_height = self->height;
  gboolean first = self->part == NULL;

  g_return_if_fail (SL_IS_PICTURE_VIEW (self));

  if (self->part == part)
    return;
  drop_part (self);
  g_clear_object (&self->heat);
  if (part != NULL)
    {
      take_part (self, part);
      if (self->fitted || first)
        sl_picture_view_fit (self);
      else
        sl_picture_view_keep_zoom (self, old_width, old_height);
    }
  update_pixels (self);
  update_boxes (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

void
sl_picture_view_set_model (SlPictureView *self,
                           SlBoxModel    *model)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));

  if (self->model == model)
    return;
  if (self->model != NULL)
    g_signal_handlers_disconnect_by_data (self->model, self);
  g_set_object (&self->model, model);
  if (model != NULL)
    {
      g_signal_connect_object (model, "changed", G_CALLBACK (update_boxes), self,
                               G_CONNECT_SWAPPED);
      g_signal_connect_object (model, "shown-changed", G_CALLBACK (update_boxes), self,
                               G_CONNECT_SWAPPED);
      g_signal_connect_object (model, "lit-changed", G_CALLBACK (gtk_widget_queue_draw), self,
                               G_CONNECT_SWAPPED);
    }
  update_boxes (self);
}

void
sl_picture_view_set_boxes_visible (SlPictureView *self,
                                   gboolean       visible)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->boxes_visible = visible;
  sl_picture_view_invalidate (self);
}

void
sl_picture_view_set_style (SlPictureView    *self,
                           const SlBoxStyle *style)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->style = *style;
  sl_picture_view_invalidate (self);
}

void
sl_picture_view_set_editable (SlPictureView *self,
                              gboolean       editable)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->editable = editable;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
sl_picture_view_set_drawing (SlPictureView *self,
                             gboolean       drawing)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->drawing = drawing;
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), drawing ? "crosshair" : NULL);
}

void
sl_picture_view_set_heat (SlPictureView *self,
                          GdkTexture    *heat)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  if (g_set_object (&self->heat, heat))
    sl_picture_view_invalidate (self);
}

void
sl_picture_view_set_cut (SlPictureView *self,
                         int            columns,
                         int            rows)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->cut_columns = columns;
  self->cut_rows = rows;
  sl_picture_view_invalidate (self);
}
