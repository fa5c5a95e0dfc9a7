/* SPDX-License-Identifier: MIT
 *
 * The viewer's keys: they work wherever the focus is in it.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include "ui/pictures/sl-picture-view.h"

/* How far a key moves a box, of the model's 0…999. */
#define NUDGE 2

static void
show (SlPictureViewer *self,
      int              paint_box)
{
  sl_box_model_select (self->boxes, paint_box);
  sl_picture_view_reveal (SL_PICTURE_VIEW (self->view), paint_box);
}

/* Hidden boxes are stepped over. */
static void
step_box (SlPictureViewer *self,
          int              step)
{
  const SlPaintBox *boxes;
  gsize n_boxes = 0;
  int selected;

  if (self->boxes == NULL)
    return;
  boxes = sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  selected = sl_box_model_get_selected (self->boxes);
  if (selected < 0 && step < 0)
    selected = 0;
  for (gsize i = 0; i < n_boxes; i++)
    {
      selected = (selected + step + (int) n_boxes) % (int) n_boxes;
      if (!boxes[selected].hidden)
        {
          show (self, selected);
          return;
        }
    }
}

static void
toggle_box (SlPictureViewer *self)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL)
    sl_box_item_set_visible (item, !sl_box_item_get_visible (item));
}

static gboolean
take_arrow (SlPictureViewer *self,
            guint            keyval,
            GdkModifierType  state)
{
  int dx = keyval == GDK_KEY_Right ? 1 : keyval == GDK_KEY_Left ? -1 : 0;
  int dy = keyval == GDK_KEY_Down ? 1 : keyval == GDK_KEY_Up ? -1 : 0;

  if (dx == 0 && dy == 0)
    return FALSE;
  if (state & GDK_ALT_MASK)
    {
      sl_picture_viewer_nudge (self, dx * NUDGE, dy * NUDGE, (state & GDK_SHIFT_MASK) != 0);
      return TRUE;
    }
  if (state != 0 || dx == 0)
    return FALSE;
  step_box (self, dx);
  return TRUE;
}

static gboolean
activate (SlPictureViewer *self,
          guint            keyval,
          GdkModifierType  state)
{
  const struct
  {
    guint key;
    GdkModifierType state;
    const char *action;
    const char *target;
  } keys[] = {
    { GDK_KEY_Return, 0, "viewer.accept", NULL },
    { GDK_KEY_KP_Enter, 0, "viewer.accept", NULL },
    { GDK_KEY_Return, GDK_SHIFT_MASK, "viewer.accept-all", NULL },
    { GDK_KEY_BackSpace, 0, "viewer.take-back", NULL },
    { GDK_KEY_Delete, GDK_SHIFT_MASK, "viewer.reject-all", NULL },
    { GDK_KEY_Delete, 0, self->n_series > 0 ? "viewer.reject" : "viewer.remove", NULL },
    { GDK_KEY_F2, 0, "viewer.rename", NULL },
    { GDK_KEY_a, 0, "viewer.add", NULL },
    { GDK_KEY_r, 0, "viewer.ask-region", NULL },
    { GDK_KEY_z, 0, "viewer.zoom-box", NULL },
    { GDK_KEY_l, 0, "viewer.labels", NULL },
    { GDK_KEY_c, 0, "viewer.compare", NULL },
    { GDK_KEY_z, GDK_CONTROL_MASK, "viewer.undo", NULL },
    { GDK_KEY_z, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "viewer.redo", NULL },
    { GDK_KEY_y, GDK_CONTROL_MASK, "viewer.redo", NULL },
    { GDK_KEY_c, GDK_CONTROL_MASK, "viewer.copy", "px" },
    { GDK_KEY_e, GDK_CONTROL_MASK, "viewer.export", NULL },
  };

  state &= GDK_CONTROL_MASK | GDK_SHIFT_MASK | GDK_ALT_MASK;
  /* A button that has the focus is pressed. */
  if (keyval == GDK_KEY_Return && (self->n_series == 0 || GTK_IS_BUTTON (gtk_root_get_focus (gtk_widget_get_root (GTK_WIDGET (self))))))
    return FALSE;
  if (take_arrow (self, keyval, state))
    return TRUE;
  if (keyval == GDK_KEY_v && state == 0 && self->boxes != NULL)
    {
      toggle_box (self);
      return TRUE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (gdk_keyval_to_lower (keyval) == gdk_keyval_to_lower (keys[i].key) && state == keys[i].state)
      return gtk_widget_activate_action (GTK_WIDGET (self), keys[i].action,
                                         keys[i].target ? "s" : NULL, keys[i].target);
  return FALSE;
}

/* Where text is written, or a list is open, keys belong to that. */
static gboolean
keys_are_taken (SlPictureViewer *self)
{
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (GTK_WIDGET (self)));

  return focus != NULL && (GTK_IS_EDITABLE (focus) || GTK_IS_TEXT_VIEW (focus) ||
                           gtk_widget_get_ancestor (focus, GTK_TYPE_POPOVER) != NULL);
}

static gboolean
on_key (SlPictureViewer *self,
        guint            keyval,
        guint            keycode,
        GdkModifierType  state)
{
  if (keys_are_taken (self))
    return GDK_EVENT_PROPAGATE;
  if (activate (self, keyval, state))
    return GDK_EVENT_STOP;
  if (state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK | GDK_ALT_MASK))
    return GDK_EVENT_PROPAGATE;
  switch (keyval)
    {
    case GDK_KEY_Escape:
      if (gtk_widget_get_visible (self->hint))
        sl_picture_viewer_set_drawing (self, FALSE, FALSE);
      else
        g_signal_emit_by_name (self, "close");
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Down:
      sl_picture_viewer_turn (self, 1);
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Up:
      sl_picture_viewer_turn (self, -1);
      return GDK_EVENT_STOP;
    case GDK_KEY_h:
      sl_picture_view_set_boxes_visible (SL_PICTURE_VIEW (self->view), FALSE);
      return GDK_EVENT_STOP;
    default:
      return GDK_EVENT_PROPAGATE;
    }
}

static void
on_key_released (SlPictureViewer *self,
                 guint            keyval)
{
  if (keyval == GDK_KEY_h)
    sl_picture_view_set_boxes_visible (SL_PICTURE_VIEW (self->view), TRUE);
}

void
sl_picture_viewer_add_keys (SlPictureViewer *self)
{
  GtkEventController *keys = gtk_event_controller_key_new ();

  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_key), self);
  g_signal_connect_swapped (keys, "key-released", G_CALLBACK (on_key_released), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
  sl_picture_view_take_keys_of (SL_PICTURE_VIEW (self->view), GTK_WIDGET (self));
}
