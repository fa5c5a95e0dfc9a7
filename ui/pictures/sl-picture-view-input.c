/* SPDX-License-Identifier: MIT
 *
 * Pointer and keys of SlPictureView. A drag pans, unless it begins on the selected
 * box (which it then moves or resizes) or a rectangle is to be drawn; the middle
 * button and a held space bar always pan. What a drag asks for is a signal at its
 * end, Escape gives it up.
 */
#include "ui/pictures/sl-picture-view-private.h"

#include <math.h>

#define HIT_SLACK 5
#define DRAG_THRESHOLD 4
/* Picture pixels; a smaller rectangle is a click that slipped. */
#define MIN_AREA 2.0

static int
hit (SlPictureView *self,
     double         x,
     double         y)
{
  if (self->part == NULL || !self->boxes_visible)
    return -1;
  return sl_box_painter_hit (self->painter, x, y, HIT_SLACK);
}

/* --- pointer --------------------------------------------------------------- */

static const char *
cursor_for (SlPictureView *self,
            double         x,
            double         y,
            int            box)
{
  static const char *const names[] = {
    [SL_EDGE_LEFT] = "ew-resize",
    [SL_EDGE_RIGHT] = "ew-resize",
    [SL_EDGE_TOP] = "ns-resize",
    [SL_EDGE_BOTTOM] = "ns-resize",
    [SL_EDGE_LEFT | SL_EDGE_TOP] = "nwse-resize",
    [SL_EDGE_RIGHT | SL_EDGE_BOTTOM] = "nwse-resize",
    [SL_EDGE_RIGHT | SL_EDGE_TOP] = "nesw-resize",
    [SL_EDGE_LEFT | SL_EDGE_BOTTOM] = "nesw-resize",
    [SL_EDGE_ALL] = "move",
  };
  SlEdges edges;

  if (self->space || self->drag == SL_DRAG_PAN)
    return "grabbing";
  if (self->drawing)
    return "crosshair";
  edges = sl_picture_view_find_handle (self, x, y);
  if (edges != 0)
    return names[edges];
  return box >= 0 || !self->zoomable ? "pointer" : NULL;
}

static void
on_motion (SlPictureView *self,
           double         x,
           double         y)
{
  int box = self->drag == SL_DRAG_NONE ? hit (self, x, y) : -1;

  self->pointer_x = x;
  self->pointer_y = y;
  if (self->model != NULL && self->drag == SL_DRAG_NONE)
    sl_box_model_light_box (self->model, box);
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), cursor_for (self, x, y, box));
  sl_picture_view_emit_pointer (self);
}

static void
on_leave (SlPictureView *self)
{
  if (self->model != NULL)
    sl_box_model_light_box (self->model, -1);
  self->pointer_x = self->pointer_y = NAN;
  sl_picture_view_emit_pointer (self);
}

static void
on_released (SlPictureView   *self,
             int              n_press,
             double           x,
             double           y,
             GtkGestureClick *gesture)
{
  int box = hit (self, x, y);

  if (self->drawing || self->space)
    return;
  if (self->zoomable)
    gtk_widget_grab_focus (GTK_WIDGET (self));
  if (self->model != NULL)
    sl_box_model_select (self->model, box);
  if (n_press == 2 && box >= 0 && self->zoomable)
    sl_picture_view_zoom_to (self, box);
  else
    sl_picture_view_emit_activated (self, box);
}

static void
on_secondary (SlPictureView *self,
              int            n_press,
              double         x,
              double         y)
{
  int box = hit (self, x, y);

  if (self->model == NULL || box < 0)
    return;
  sl_box_model_select (self->model, box);
  g_signal_emit_by_name (self, "menu", x, y);
}

/* --- drags ----------------------------------------------------------------- */

static void
to_picture (SlPictureView *self,
            double        *x,
            double        *y)
{
  *x = CLAMP ((*x - self->x) / self->scale, 0, self->width);
  *y = CLAMP ((*y - self->y) / self->scale, 0, self->height);
}

static void
begin_edit (SlPictureView *self,
            SlEdges        edges)
{
  gsize n_boxes;
  const SlPaintBox *box = &sl_box_model_get_paint_boxes (self->model, &n_boxes)
                             [sl_box_model_get_selected (self->model)];

  self->drag = SL_DRAG_EDIT;
  self->edges = edges;
  self->draft_start = (cairo_rectangle_t) { box->x1, box->y1, box->x2 - box->x1, box->y2 - box->y1 };
}

static void
on_drag_begin (SlPictureView  *self,
               double          x,
               double          y,
               GtkGestureDrag *gesture)
{
  guint button = gtk_gesture_single_get_current_button (GTK_GESTURE_SINGLE (gesture));
  SlEdges edges = sl_picture_view_find_handle (self, x, y);

  self->drag_x = self->x;
  self->drag_y = self->y;
  self->draft = (cairo_rectangle_t) { 0 };
  if (self->part == NULL || button == GDK_BUTTON_SECONDARY)
    {
      self->drag = SL_DRAG_NONE;
      gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_DENIED);
      return;
    }
  if (button == GDK_BUTTON_PRIMARY && !self->space && (self->drawing || edges != 0))
    {
      if (self->drawing)
        self->drag = SL_DRAG_DRAW;
      else
        begin_edit (self, edges);
      to_picture (self, &x, &y);
      self->drag_x = x;
      self->drag_y = y;
      return;
    }
  self->drag = SL_DRAG_PAN;
}

static void
update_drawn (SlPictureView *self,
              double         x,
              double         y)
{
  to_picture (self, &x, &y);
  self->draft.x = MIN (x, self->drag_x);
  self->draft.y = MIN (y, self->drag_y);
  self->draft.width = fabs (x - self->drag_x);
  self->draft.height = fabs (y - self->drag_y);
}

/* @dx, @dy in picture pixels. A box stays inside of the picture and keeps some size. */
static void
update_edited (SlPictureView *self,
               double         dx,
               double         dy)
{
  const cairo_rectangle_t *from = &self->draft_start;
  double width = self->width;
  double height = self->height;
  double x1 = from->x, y1 = from->y, x2 = x1 + from->width, y2 = y1 + from->height;

  if (self->edges == SL_EDGE_ALL)
    {
      dx = CLAMP (dx, -x1, width - x2);
      dy = CLAMP (dy, -y1, height - y2);
    }
  if (self->edges & SL_EDGE_LEFT)
    x1 = self->edges == SL_EDGE_ALL ? x1 + dx : CLAMP (x1 + dx, 0, x2 - MIN_AREA);
  if (self->edges & SL_EDGE_TOP)
    y1 = self->edges == SL_EDGE_ALL ? y1 + dy : CLAMP (y1 + dy, 0, y2 - MIN_AREA);
  if (self->edges & SL_EDGE_RIGHT)
    x2 = self->edges == SL_EDGE_ALL ? x2 + dx : CLAMP (x2 + dx, x1 + MIN_AREA, width);
  if (self->edges & SL_EDGE_BOTTOM)
    y2 = self->edges == SL_EDGE_ALL ? y2 + dy : CLAMP (y2 + dy, y1 + MIN_AREA, height);
  self->draft = (cairo_rectangle_t) { x1, y1, x2 - x1, y2 - y1 };
}

static void
on_drag_update (SlPictureView  *self,
                double          dx,
                double          dy,
                GtkGestureDrag *gesture)
{
  double x, y;

  if (self->part == NULL || self->drag == SL_DRAG_NONE)
    return;
  if (hypot (dx, dy) > DRAG_THRESHOLD)
    gtk_gesture_set_state (GTK_GESTURE (gesture), GTK_EVENT_SEQUENCE_CLAIMED);
  else if (self->draft.width <= 0 && self->drag != SL_DRAG_PAN)
    return;
  gtk_gesture_drag_get_start_point (gesture, &x, &y);
  if (self->drag == SL_DRAG_PAN)
    {
      sl_picture_view_move_to (self, self->drag_x + dx, self->drag_y + dy);
      return;
    }
  if (self->drag == SL_DRAG_DRAW)
    update_drawn (self, x + dx, y + dy);
  else
    update_edited (self, dx / self->scale, dy / self->scale);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
on_drag_end (SlPictureView *self)
{
  SlDrag drag = self->drag;

  self->drag = SL_DRAG_NONE;
  gtk_widget_queue_draw (GTK_WIDGET (self));
  if (drag == SL_DRAG_PAN || drag == SL_DRAG_NONE || self->draft.width < MIN_AREA ||
      self->draft.height < MIN_AREA)
    return;
  if (drag == SL_DRAG_DRAW)
    sl_picture_view_set_drawing (self, FALSE);
  sl_picture_view_emit_area (self, drag == SL_DRAG_DRAW ? -1
                                                        : sl_box_model_get_selected (self->model));
}

static void
on_drag_cancel (SlPictureView *self)
{
  self->drag = SL_DRAG_NONE;
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

/* --- zoom ------------------------------------------------------------------ */

static gboolean
on_scroll (SlPictureView            *self,
           double                    dx,
           double                    dy,
           GtkEventControllerScroll *scroll)
{
  GtkEventController *controller = GTK_EVENT_CONTROLLER (scroll);
  GdkModifierType state = gtk_event_controller_get_current_event_state (controller);

  if (isnan (self->pointer_x))
    return GDK_EVENT_PROPAGATE;
  if (gtk_event_controller_scroll_get_unit (scroll) == GDK_SCROLL_UNIT_SURFACE &&
      !(state & GDK_CONTROL_MASK))
    sl_picture_view_move_to (self, self->x - dx, self->y - dy);
  else if (state & GDK_SHIFT_MASK)
    sl_picture_view_move_to (self, self->x - (dx + dy) * 60, self->y);
  else
    sl_picture_view_zoom_at (self, self->scale * pow (1.2, -dy), self->pointer_x, self->pointer_y);
  sl_picture_view_emit_pointer (self);
  return GDK_EVENT_STOP;
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
    sl_picture_view_zoom_at (self, self->pinch_scale * factor, x, y);
}

/* --- keys ------------------------------------------------------------------ */

static gboolean
on_key (SlPictureView  *self,
        guint           keyval,
        guint           keycode,
        GdkModifierType state)
{
  if (keyval == GDK_KEY_Escape && (self->drawing || self->drag != SL_DRAG_NONE))
    {
      self->drag = SL_DRAG_NONE;
      sl_picture_view_set_drawing (self, FALSE);
      gtk_widget_queue_draw (GTK_WIDGET (self));
      return GDK_EVENT_STOP;
    }
  if (keyval != GDK_KEY_space)
    return GDK_EVENT_PROPAGATE;
  self->space = TRUE;
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), "grabbing");
  return GDK_EVENT_STOP;
}

static void
on_key_released (SlPictureView *self,
                 guint          keyval)
{
  if (keyval != GDK_KEY_space)
    return;
  self->space = FALSE;
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), NULL);
}

static gboolean
activate_binding (GtkWidget *widget,
                  GVariant  *args,
                  gpointer   data)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);

  sl_picture_view_emit_activated (self, self->model ? sl_box_model_get_selected (self->model) : -1);
  return TRUE;
}

static gboolean
zoom_binding (GtkWidget *widget,
              GVariant  *args,
              gpointer   data)
{
  SlPictureView *self = SL_PICTURE_VIEW (widget);
  double factor = g_variant_get_double (args);

  if (!self->zoomable || self->part == NULL)
    return FALSE;
  if (factor == 0)
    sl_picture_view_fit (self);
  else if (factor == 1)
    sl_picture_view_set_scale (self, 1.0 / gtk_widget_get_scale_factor (widget));
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
  sl_picture_view_move_to (self, self->x + dx, self->y + dy);
  return TRUE;
}

void
sl_picture_view_install_input (GtkWidgetClass *klass)
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

/* --- set up ---------------------------------------------------------------- */

static void
add_zoom_controllers (SlPictureView *self)
{
  GtkEventController *scroll =
    gtk_event_controller_scroll_new (GTK_EVENT_CONTROLLER_SCROLL_BOTH_AXES);
  GtkEventController *keys = gtk_event_controller_key_new ();
  GtkGesture *drag = gtk_gesture_drag_new ();
  GtkGesture *pinch = gtk_gesture_zoom_new ();
  GtkGesture *secondary = gtk_gesture_click_new ();

  g_signal_connect_swapped (scroll, "scroll", G_CALLBACK (on_scroll), self);
  gtk_widget_add_controller (GTK_WIDGET (self), scroll);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_key), self);
  g_signal_connect_swapped (keys, "key-released", G_CALLBACK (on_key_released), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (drag), 0);
  g_signal_connect_swapped (drag, "drag-begin", G_CALLBACK (on_drag_begin), self);
  g_signal_connect_swapped (drag, "drag-update", G_CALLBACK (on_drag_update), self);
  g_signal_connect_swapped (drag, "drag-end", G_CALLBACK (on_drag_end), self);
  g_signal_connect_swapped (drag, "cancel", G_CALLBACK (on_drag_cancel), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drag));
  g_signal_connect_swapped (pinch, "begin", G_CALLBACK (on_pinch_begin), self);
  g_signal_connect_swapped (pinch, "scale-changed", G_CALLBACK (on_pinch), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (pinch));
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (secondary), GDK_BUTTON_SECONDARY);
  g_signal_connect_swapped (secondary, "pressed", G_CALLBACK (on_secondary), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (secondary));
}

void
sl_picture_view_add_input (SlPictureView *self)
{
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkGesture *click = gtk_gesture_click_new ();

  g_signal_connect_swapped (motion, "enter", G_CALLBACK (on_motion), self);
  g_signal_connect_swapped (motion, "motion", G_CALLBACK (on_motion), self);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (on_leave), self);
  gtk_widget_add_controller (GTK_WIDGET (self), motion);
  g_signal_connect_swapped (click, "released", G_CALLBACK (on_released), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
  if (self->zoomable)
    add_zoom_controllers (self);
}

/* A key that nobody has taken. Where text is written, or a menu is open, keys belong to that. */
static gboolean
on_key_around (SlPictureView         *self,
               guint                  keyval,
               guint                  keycode,
               GdkModifierType        state,
               GtkEventControllerKey *keys)
{
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (GTK_WIDGET (self)));

  if (!gtk_widget_get_mapped (GTK_WIDGET (self)) ||
      (focus != NULL && (SL_IS_PICTURE_VIEW (focus) || GTK_IS_EDITABLE (focus) || GTK_IS_TEXT_VIEW (focus) ||
                         gtk_widget_get_ancestor (focus, GTK_TYPE_POPOVER) != NULL)))
    return GDK_EVENT_PROPAGATE;
  return gtk_event_controller_key_forward (keys, GTK_WIDGET (self));
}

void
sl_picture_view_take_keys_of (SlPictureView *self,
                              GtkWidget     *around)
{
  GtkEventController *keys = gtk_event_controller_key_new ();

  g_return_if_fail (SL_IS_PICTURE_VIEW (self));
  g_signal_connect_object (keys, "key-pressed", G_CALLBACK (on_key_around), self, G_CONNECT_SWAPPED);
  gtk_widget_add_controller (around, keys);
}
