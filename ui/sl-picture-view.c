/* SPDX-License-Identifier: MIT
 *
 * See the header. The view is (scale, offset); while `fitted` it follows the
 * widget's size. The painter works in widget units, so lines and text keep
 * their size at every zoom and are crisp on any display.
 */
#include "ui/sl-picture-view.h"

#include "ui/sl-mipmap.h"

#include <glib/gi18n.h>
#include <math.h>

#define MAX_SCALE 64.0
#define STILL_MAX_WIDTH 640
#define STILL_MAX_HEIGHT 420
#define STILL_MIN_SIDE 240
#define HIT_SLACK 5
#define REVEAL_MARGIN 24

struct _SlPictureView
{
  GtkWidget parent_instance;

  SlPicture *picture;
  SlMipmap *mipmap;
  SlBoxModel *model;
  SlBoxPainter *painter;

  gboolean zoomable;
  gboolean fitted;
  gboolean boxes_visible;
  gboolean labels_visible;
  double scale;
  double x, y; /* of the picture's corner, widget units */

  double pointer_x, pointer_y;
  double drag_x, drag_y;
  double pinch_scale;
};

enum
{
  PROP_0,
  PROP_SCALE,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];
static guint activated_signal;

G_DEFINE_FINAL_TYPE (SlPictureView, sl_picture_view, GTK_TYPE_WIDGET)

/* --- view ------------------------------------------------------------------ */

static void
apply_view (SlPictureView *self)
{
  SlBoxView view = {
    .x = self->x,
    .y = self->y,
    .scale = self->scale,
    .width = sl_picture_get_width (self->picture),
    .height = sl_picture_get_height (self->picture),
  };

  sl_box_painter_set_view (self->painter, &view);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static double
fit_scale (SlPictureView *self)
{
  double width = MAX (1, gtk_widget_get_width (GTK_WIDGET (self)));
  double height = MAX (1, gtk_widget_get_height (GTK_WIDGET (self)));

  return MIN (width / sl_picture_get_width (self->picture),
              height / sl_picture_get_height (self->picture));
}

/* Keeps the picture in sight: centred where it is smaller than the view. */
static void
clamp_offset (SlPictureView *self)
{
  double width = gtk_widget_get_width (GTK_WIDGET (self));
  double height = gtk_widget_get_height (GTK_WIDGET (self));
  double shown_width = sl_picture_get_width (self->picture) * self->scale;
  double shown_height = sl_picture_get_height (self->picture) * self->scale;

  self->x = shown_width <= width ? (width - shown_width) / 2
                                 : CLAMP (self->x, width - shown_width, 0);
  self->y = shown_height <= height ? (height - shown_height) / 2
                                   : CLAMP (self->y, height - shown_height, 0);
}

static void
set_view (SlPictureView *self,
          double         scale,
          double         x,
          double         y)
{
  gboolean rescaled = scale != self->scale;

  self->scale = scale;
  self->x = x;
  self->y = y;
  clamp_offset (self);
  apply_view (self);
  if (rescaled)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_SCALE]);
}

void
sl_picture_view_fit (SlPictureView *self)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->fitted = TRUE;
  if (self->picture != NULL)
    set_view (self, fit_scale (self), 0, 0);
}

/* The picture point at (@x, @y) stays where it is. */
static void
zoom_at (SlPictureView *self,
         double         scale,
         double         x,
         double         y)
{
  double factor;

  if (self->picture == NULL || !self->zoomable)
    return;
  scale = CLAMP (scale, MIN (fit_scale (self), 1) / 2, MAX_SCALE);
  factor = scale / self->scale;
  self->fitted = FALSE;
  set_view (self, scale, x - (x - self->x) * factor, y - (y - self->y) * factor);
}

void
sl_picture_view_set_scale (SlPictureView *self,
                           double         scale)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  zoom_at (self, scale, gtk_widget_get_width (GTK_WIDGET (self)) / 2.0,
           gtk_widget_get_height (GTK_WIDGET (self)) / 2.0);
}

double
sl_picture_view_get_scale (SlPictureView *self)
{
  g_return_val_if_fail (SL_IS_PICTURE_VIEW (self), 1);
  return self->scale;
}

static void
pan_by (SlPictureView *self,
        double         dx,
        double         dy)
{
  if (self->picture != NULL)
    set_view (self, self->scale, self->x + dx, self->y + dy);
}

void
sl_picture_view_reveal (SlPictureView *self,
                        int            paint_box)
{
  const SlBoxGeometry *geometry;
  gsize n_boxes;
  double dx = 0, dy = 0;

  g_return_if_fail (SL_IS_PICTURE_VIEW (self));

  geometry = sl_box_painter_layout (self->painter, &n_boxes);
  if (paint_box < 0 || (gsize) paint_box >= n_boxes || self->fitted)
    return;
  const cairo_rectangle_t *frame = &geometry[paint_box].frame;
  if (frame->x < REVEAL_MARGIN || frame->x + frame->width >
                                    gtk_widget_get_width (GTK_WIDGET (self)) - REVEAL_MARGIN)
    dx = gtk_widget_get_width (GTK_WIDGET (self)) / 2.0 - (frame->x + frame->width / 2);
  if (frame->y < REVEAL_MARGIN || frame->y + frame->height >
                                    gtk_widget_get_height (GTK_WIDGET (self)) - REVEAL_MARGIN)
    dy = gtk_widget_get_height (GTK_WIDGET (self)) / 2.0 - (frame->y + frame->height / 2);
  pan_by (self, dx, dy);
}

/* --- boxes ----------------------------------------------------------------- */

static void
update_name (SlPictureView *self)
{
  g_autofree char *name = NULL;
  gsize n_boxes = 0;

  if (self->model != NULL)
    sl_box_model_get_paint_boxes (self->model, &n_boxes);
  if (self->picture != NULL)
    /* Translators: accessible name of a picture: file name, number of boxes drawn on it */
    name = g_strdup_printf (ngettext ("Picture %s, %u box", "Picture %s, %u boxes", n_boxes),
                            sl_picture_get_name (self->picture), (guint) n_boxes);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  name ? name : _("Picture"), -1);
}

static void
update_boxes (SlPictureView *self)
{
  const SlPaintBox *boxes = NULL;
  gsize n_boxes = 0;

  if (self->model != NULL && sl_box_model_get_picture (self->model) == self->picture)
    boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  sl_box_painter_set_boxes (self->painter, boxes, n_boxes);
  update_name (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static int
hit (SlPictureView *self,
     double         x,
     double         y)
{
  if (self->picture == NULL || !self->boxes_visible)
    return -1;
  return sl_box_painter_hit (self->painter, x, y, HIT_SLACK);
}

static void
on_motion (SlPictureView *self,
           double         x,
           double         y)
{
  int box = hit (self, x, y);

  self->pointer_x = x;
  self->pointer_y = y;
  if (self->model != NULL)
    sl_box_model_light_box (self->model, box);
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), box >= 0 || !self->zoomable ? "pointer" : NULL);
}

static void
on_leave (SlPictureView *self)
{
  if (self->model != NULL)
    sl_box_model_light_box (self->model, -1);
}

static void
on_released (SlPictureView   *self,
             int              n_press,
             double           x,
             double           y,
             GtkGestureClick *gesture)
{
  int box = hit (self, x, y);

  if (self->model != NULL)
    sl_box_model_select (self->model, box);
  g_signal_emit (self, activated_signal, 0, box);
}

/* --- zoom and pan ---------------------------------------------------------- */

static gboolean
on_scroll (SlPictureView            *self,
           double                    dx,
           double                    dy,
           GtkEventControllerScroll *scroll)
{
  GtkEventController *controller = GTK_EVENT_CONTROLLER (scroll);
  GdkModifierType state = gtk_event_controller_get_current_event_state (controller);

  if (gtk_event_controller_scroll_get_unit (scroll) == GDK_SCROLL_UNIT_SURFACE &&
      !(state & GDK_CONTROL_MASK))
    pan_by (self, -dx, -dy);
  else if (state & GDK_SHIFT_MASK)
    pan_by (self, -dx * 60, -dy * 60);
  else
    zoom_at (self, self->scale * pow (1.2, -dy), self->pointer_x, self->pointer_y);
  return GDK_EVENT_STOP;
}

static void
on_drag_begin (SlPictureView *self)
{
  self->drag_x = self->x;
  self->drag_y = self->y;
}

static void
on_drag_update (SlPictureView  *self,
                double          dx,
                double          dy,
                GtkGestureDrag *gesture)
{
  if (self->picture == NULL)
    return;
  if (hypot (dx, dy) > 4)
    gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  set_view (self, self->scale, self->drag_x + dx, self->drag_y + dy);
}

static void
on_pinch_begin (SlPictureView *self)
{
  self->pinch_scale = self->scale;
}

static void
on_pinch (SlPictureView *self,
          double         factor,
          GtkGesture    *gesture)
{
  double x, y;

  if (gtk_gesture_get_bounding_box_center (gesture, &x, &y))
    zoom_at (self, self->pinch_scale * factor, x, y);
}

static void
add_zoom_controllers (SlPictureView *self)
{
  GtkEventController *scroll =
    gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES);
  GtkGesture *drag = gtk_gesture_drag_new ();
  GtkGesture *pinch = gtk_gesture_zoom_new ();

  g_signal_connect_swapped (scroll, "scroll", G_CALLBACK (on_scroll), self);
  gtk_widget_add_controller (GTK_WIDGET (self), scroll);
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (drag), 0);
  g_signal_connect_swapped (drag, "drag-begin", G_CALLBACK (on_drag_begin), self);
  g_signal_connect_swapped (drag, "drag-update", G_CALLBACK (on_drag_update), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drag));
  g_signal_connect_swapped (pinch, "begin", G_CALLBACK (on_pinch_begin), self);
  g_signal_connect_swapped (pinch, "scale-changed", G_CALLBACK (on_pinch), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (pinch));
}

static gboolean
activate_binding (GtkWidget *widget,
                  GVariant  *args,
                  gpointer   data)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);

  g_signal_emit (self, activated_signal, 0,
                 self->model ? sl_box_model_get_selected (self->model) : -1);
  return TRUE;
}

static gboolean
zoom_binding (GtkWidget *widget,
              GVariant  *args,
              gpointer   data)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);
  double factor = g_variant_get_double (args);

  if (!self->zoomable || self->picture == NULL)
    return FALSE;
  if (factor == 0)
    sl_picture_view_fit (self);
  else if (factor == 1)
    sl_picture_view_set_scale (self, 1);
  else
    sl_picture_view_set_scale (self, self->scale * factor);
  return TRUE;
}

static gboolean
pan_binding (GtkWidget *widget,
             GVariant  *args,
             gpointer   data)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);
  int dx, dy;

  if (!self->zoomable)
    return FALSE;
  g_variant_get (args, "(ii)", &dx, &dy);
  pan_by (self, dx, dy);
  return TRUE;
}

/* --- drawing --------------------------------------------------------------- */

/* A chip can stand for many boxes: all of them light up, the rest steps back. */
static void
draw_lit (SlPictureView *self,
          cairo_t       *cr)
{
  gsize n_boxes, n_geometries;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (self->model, &n_boxes);
  const SlBoxGeometry *geometry = sl_box_painter_layout (self->painter, &n_geometries);

  for (gsize i = 0; i < MIN (n_boxes, n_geometries); i++)
    {
      SlBoxColor color = sl_box_palette_get (boxes[i].color);
      const cairo_rectangle_t *frame = &geometry[i].frame;

      if (boxes[i].hidden || !sl_box_model_is_lit (self->model, i))
        continue;
      cairo_rectangle (cr, frame->x, frame->y, frame->width, frame->height);
      cairo_set_source_rgba (cr, color.red, color.green, color.blue, 0.25);
      cairo_fill_preserve (cr);
      cairo_set_source_rgb (cr, color.red, color.green, color.blue);
      cairo_set_line_width (cr, 4);
      cairo_stroke (cr);
    }
}

static int
single_lit (SlPictureView *self)
{
  gsize n_boxes;
  int lit = -1;

  sl_box_model_get_paint_boxes (self->model, &n_boxes);
  for (gsize i = 0; i < n_boxes; i++)
    if (sl_box_model_is_lit (self->model, i))
      {
        if (lit >= 0)
          return -1;
        lit = i;
      }
  return lit;
}

static void
append_boxes (SlPictureView         *self,
              GtkSnapshot           *snapshot,
              const graphene_rect_t *bounds)
{
  SlBoxStyle style = sl_box_default_style;
  cairo_t *cr = gtk_snapshot_append_cairo (snapshot, bounds);

  style.show_labels = self->labels_visible;
  sl_box_painter_set_style (self->painter, &style);
  sl_box_painter_set_emphasis (self->painter, single_lit (self),
                               self->zoomable ? sl_box_model_get_selected (self->model) : -1);
  draw_lit (self, cr);
  sl_box_painter_draw (self->painter, cr);
  cairo_destroy (cr);
}

static void
sl_picture_view_snapshot (GtkWidget   *widget,
                          GtkSnapshot *snapshot)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (0, 0, gtk_widget_get_width (widget),
                                               gtk_widget_get_height (widget));
  graphene_rect_t area;

  if (self->picture == NULL)
    return;
  area = GRAPHENE_RECT_INIT (self->x, self->y, sl_picture_get_width (self->picture) * self->scale,
                             sl_picture_get_height (self->picture) * self->scale);
  gtk_snapshot_push_clip (snapshot, &bounds);
  sl_mipmap_snapshot (self->mipmap, snapshot, &area, &bounds,
                      gtk_widget_get_scale_factor (widget));
  if (self->model != NULL && self->boxes_visible)
    append_boxes (self, snapshot, &bounds);
  gtk_snapshot_pop (snapshot);
}

/* --- size ------------------------------------------------------------------ */

static void
still_size (SlPictureView *self,
            int           *width,
            int           *height)
{
  double picture_width = sl_picture_get_width (self->picture);
  double picture_height = sl_picture_get_height (self->picture);
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
  if (self->zoomable || self->picture == NULL)
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

  if (self->picture == NULL)
    return;
  if (self->fitted)
    sl_picture_view_fit (self);
  else
    set_view (self, self->scale, self->x, self->y);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_picture_view_dispose (GObject *object)
{
  SlPictureView *self = SL_PICTURE_VIEW (object);

  g_clear_object (&self->picture);
  g_clear_object (&self->mipmap);
  g_clear_object (&self->model);
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
add_bindings (GtkWidgetClass *klass)
{
  static const struct { guint key; double factor; } zooms[] = {
    { GDK_KEY_plus, 1.25 }, { GDK_KEY_equal, 1.25 }, { GDK_KEY_KP_Add, 1.25 },
    { GDK_KEY_minus, 0.8 }, { GDK_KEY_KP_Subtract, 0.8 }, { GDK_KEY_0, 0 },
    { GDK_KEY_f, 0 }, { GDK_KEY_1, 1 },
  };
  static const struct { guint key; int dx, dy; } pans[] = {
    { GDK_KEY_Left, 60, 0 }, { GDK_KEY_Right, -60, 0 }, { GDK_KEY_Up, 0, 60 }, { GDK_KEY_Down, 0, -60 },
  };

  for (guint i = 0; i < G_N_ELEMENTS (zooms); i++)
    {
      gtk_widget_class_add_binding (klass, zooms[i].key, 0, zoom_binding, "d", zooms[i].factor);
      gtk_widget_class_add_binding (klass, zooms[i].key, GDK_CONTROL_MASK, zoom_binding, "d",
                                    zooms[i].factor);
    }
  for (guint i = 0; i < G_N_ELEMENTS (pans); i++)
    gtk_widget_class_add_binding (klass, pans[i].key, GDK_SHIFT_MASK, pan_binding, "(ii)",
                                  pans[i].dx, pans[i].dy);
  gtk_widget_class_add_binding (klass, GDK_KEY_Return, 0, activate_binding, NULL);
  gtk_widget_class_add_binding (klass, GDK_KEY_KP_Enter, 0, activate_binding, NULL);
}

static void
sl_picture_view_class_init (SlPictureViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_picture_view_dispose;
  object_class->finalize = sl_picture_view_finalize;
  object_class->get_property = sl_picture_view_get_property;
  widget_class->snapshot = sl_picture_view_snapshot;
  widget_class->measure = sl_picture_view_measure;
  widget_class->get_request_mode = sl_picture_view_get_request_mode;
  widget_class->size_allocate = sl_picture_view_size_allocate;

  properties[PROP_SCALE] = g_param_spec_double ("scale", NULL, NULL, 0, G_MAXDOUBLE, 1,
                                                G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  activated_signal = g_signal_new ("activated", SL_TYPE_PICTURE_VIEW, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT);
  add_bindings (widget_class);
  gtk_widget_class_set_css_name (widget_class, "pictureview");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
sl_picture_view_init (SlPictureView *self)
{
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkGesture *click = gtk_gesture_click_new ();

  self->painter = sl_box_painter_new ();
  self->scale = 1;
  self->fitted = TRUE;
  self->boxes_visible = TRUE;
  self->labels_visible = TRUE;
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);

  g_signal_connect_swapped (motion, "enter", G_CALLBACK (on_motion), self);
  g_signal_connect_swapped (motion, "motion", G_CALLBACK (on_motion), self);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (on_leave), self);
  gtk_widget_add_controller (GTK_WIDGET (self), motion);
  g_signal_connect_swapped (click, "released", G_CALLBACK (on_released), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
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
      add_zoom_controllers (self);
    }
  else
    gtk_widget_set_halign (GTK_WIDGET (self), GTK_ALIGN_START);
  update_name (self);
  return GTK_WIDGET (self);
}

void
sl_picture_view_set_picture (SlPictureView *self,
                             SlPicture     *picture)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));

  if (!g_set_object (&self->picture, picture))
    return;
  g_clear_object (&self->mipmap);
  if (picture != NULL)
    {
      self->mipmap = sl_mipmap_for_picture (picture);
      g_signal_connect_object (self->mipmap, "ready", G_CALLBACK (gtk_widget_queue_draw), self,
                               G_CONNECT_SWAPPED);
      sl_picture_view_fit (self);
    }
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
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

void
sl_picture_view_set_labels_visible (SlPictureView *self,
                                    gboolean       visible)
{
  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  self->labels_visible = visible;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}
