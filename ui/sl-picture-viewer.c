/* SPDX-License-Identifier: MIT
 *
 * See the header.
 */
#include "ui/sl-picture-viewer.h"

#include "ui/sl-box-list.h"
#include "ui/sl-picture-view.h"

#include <adwaita.h>
#include <glib/gi18n.h>

struct _SlPictureViewer
{
  GtkWidget parent_instance;

  GtkWidget *box;
  AdwWindowTitle *title;
  GtkButton *back;
  GtkWidget *list_toggle;
  AdwFlap *flap;
  GtkBox *side;
  GtkWidget *belongs;
  GtkDropDown *belongs_to;
  GtkOverlay *overlay;
  GtkButton *previous, *next;
  GtkButton *zoom_out, *zoom_in, *zoom_fit, *zoom_level;
  GtkWidget *view;      /* SlPictureView */
  GtkWidget *list;      /* SlBoxList */

  SlConversation *conversation;
  SlMessage *answer;
  SlBoxModel *boxes;
  GPtrArray *parts;     /* SlMessagePart */
  guint position;
  gboolean filling;     /* the drop down is being set up, not used */
};

static guint close_signal;

G_DEFINE_FINAL_TYPE (SlPictureViewer, sl_picture_viewer, GTK_TYPE_WIDGET)

static SlMessagePart *
current (SlPictureViewer *self)
{
  return self->position < self->parts->len ? self->parts->pdata[self->position] : NULL;
}

static void
update_title (SlPictureViewer *self)
{
  SlMessagePart *part = current (self);
  SlPicture *picture = part ? sl_message_part_get_picture (part) : NULL;
  g_autofree char *subtitle = NULL;

  if (part == NULL)
    return;
  /* Translators: which picture is shown, and its size */
  subtitle = g_strdup_printf (_("Picture %u of %u · %d × %d px"), self->position + 1,
                              self->parts->len, sl_message_part_get_width (part),
                              sl_message_part_get_height (part));
  adw_window_title_set_title (self->title, picture ? sl_picture_get_name (picture) : "");
  adw_window_title_set_subtitle (self->title, subtitle);
  gtk_widget_set_visible (GTK_WIDGET (self->previous), self->parts->len > 1);
  gtk_widget_set_visible (GTK_WIDGET (self->next), self->parts->len > 1);
  gtk_widget_set_sensitive (GTK_WIDGET (self->previous), self->position > 0);
  gtk_widget_set_sensitive (GTK_WIDGET (self->next), self->position + 1 < self->parts->len);
}

static void
update_picture (SlPictureViewer *self)
{
  SlMessagePart *part = current (self);

  sl_picture_view_set_picture (SL_PICTURE_VIEW (self->view),
                               part ? sl_message_part_get_picture (part) : NULL);
  update_title (self);
}

static void
set_position (SlPictureViewer *self,
              guint            position)
{
  SlMessagePart *part = current (self);

  if (part != NULL)
    g_signal_handlers_disconnect_by_data (part, self);
  self->position = position;
  part = current (self);
  if (part != NULL)
    {
      g_signal_connect_object (part, "notify::picture", G_CALLBACK (update_picture), self,
                               G_CONNECT_SWAPPED);
      sl_message_part_load (part);
    }
  update_picture (self);
}

static void
on_previous (SlPictureViewer *self)
{
  if (self->position > 0)
    set_position (self, self->position - 1);
}

static void
on_next (SlPictureViewer *self)
{
  if (self->position + 1 < self->parts->len)
    set_position (self, self->position + 1);
}

/* --- which picture the boxes belong to ------------------------------------- */

static guint
find_part (SlPictureViewer *self,
           const char      *sha256)
{
  for (guint i = self->parts->len; i > 0; i--)
    if (g_strcmp0 (sl_message_part_get_sha256 (self->parts->pdata[i - 1]), sha256) == 0)
      return i - 1;
  return self->parts->len ? self->parts->len - 1 : 0;
}

static void
fill_belongs_to (SlPictureViewer *self)
{
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);

  for (guint i = 0; i < self->parts->len; i++)
    {
      g_autofree char *name = g_strdup_printf (_("Picture %u"), i + 1);
      gtk_string_list_append (names, name);
    }
  self->filling = TRUE;
  gtk_drop_down_set_model (self->belongs_to, G_LIST_MODEL (names));
  gtk_drop_down_set_selected (self->belongs_to, self->position);
  self->filling = FALSE;
  gtk_widget_set_visible (self->belongs, self->answer != NULL && self->parts->len > 1);
}

static void
on_belongs_to (SlPictureViewer *self)
{
  guint selected = gtk_drop_down_get_selected (self->belongs_to);

  if (self->filling || self->answer == NULL || selected >= self->parts->len)
    return;
  sl_conversation_set_box_picture (self->conversation, self->answer,
                                   sl_message_part_get_sha256 (self->parts->pdata[selected]));
  set_position (self, selected);
}

/* --- zoom ------------------------------------------------------------------ */

static void
on_scale (SlPictureViewer *self)
{
  double scale = sl_picture_view_get_scale (SL_PICTURE_VIEW (self->view));
  int factor = gtk_widget_get_scale_factor (self->view);
  g_autofree char *level = g_strdup_printf (_("%.0f %%"), scale * factor * 100);

  gtk_button_set_label (self->zoom_level, level);
}

static void
zoom_by (SlPictureViewer *self,
         double           factor)
{
  sl_picture_view_set_scale (SL_PICTURE_VIEW (self->view),
                             sl_picture_view_get_scale (SL_PICTURE_VIEW (self->view)) * factor);
}

static void
on_zoom_in (SlPictureViewer *self)
{
  zoom_by (self, 1.25);
}

static void
on_zoom_out (SlPictureViewer *self)
{
  zoom_by (self, 0.8);
}

/* One picture pixel on one device pixel. */
static void
on_zoom_level (SlPictureViewer *self)
{
  sl_picture_view_set_scale (SL_PICTURE_VIEW (self->view),
                             1.0 / gtk_widget_get_scale_factor (self->view));
}

static void
on_zoom_fit (SlPictureViewer *self)
{
  sl_picture_view_fit (SL_PICTURE_VIEW (self->view));
}

/* --- keys ------------------------------------------------------------------ */

static void
step_box (SlPictureViewer *self,
          int              step)
{
  gsize n_boxes = 0;
  int selected;

  if (self->boxes == NULL)
    return;
  sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  if (n_boxes == 0)
    return;
  selected = sl_box_model_get_selected (self->boxes);
  selected = selected < 0 ? (step > 0 ? 0 : (int) n_boxes - 1)
                          : (selected + step + (int) n_boxes) % (int) n_boxes;
  sl_box_model_select (self->boxes, selected);
  sl_picture_view_reveal (SL_PICTURE_VIEW (self->view), selected);
}

static void
on_close (SlPictureViewer *self)
{
  g_signal_emit (self, close_signal, 0);
}

static gboolean
on_key (SlPictureViewer *self,
        guint            keyval,
        guint            keycode,
        GdkModifierType  state)
{
  if (state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK | GDK_ALT_MASK))
    return GDK_EVENT_PROPAGATE;
  switch (keyval)
    {
    case GDK_KEY_Escape:
      on_close (self);
      return GDK_EVENT_STOP;
    case GDK_KEY_Right:
    case GDK_KEY_Left:
      step_box (self, keyval == GDK_KEY_Right ? 1 : -1);
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Down:
      on_next (self);
      return GDK_EVENT_STOP;
    case GDK_KEY_Page_Up:
      on_previous (self);
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

/* --- object ---------------------------------------------------------------- */

static void
sl_picture_viewer_dispose (GObject *object)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (object);

  if (self->box != NULL)
    sl_picture_viewer_clear (self);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_pointer (&self->parts, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_picture_viewer_parent_class)->dispose (object);
}

static void
sl_picture_viewer_class_init (SlPictureViewerClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_picture_viewer_dispose;
  close_signal = g_signal_new ("close", SL_TYPE_PICTURE_VIEWER, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                               NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "pictureviewer");
  gtk_widget_class_set_template_from_resource (
    widget_class, "/io/github/sightline/Sightline/sl-picture-viewer.ui");
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, box);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, title);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, back);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, list_toggle);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, flap);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, side);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, belongs);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, belongs_to);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, overlay);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, previous);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, next);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_out);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_in);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_fit);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_level);
}

static void
sl_picture_viewer_init (SlPictureViewer *self)
{
  GtkEventController *keys = gtk_event_controller_key_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  self->parts = g_ptr_array_new_with_free_func (g_object_unref);
  self->view = sl_picture_view_new (TRUE);
  gtk_overlay_set_child (self->overlay, self->view);
  self->list = sl_box_list_new ();
  gtk_box_append (self->side, self->list);

  g_signal_connect_swapped (self->back, "clicked", G_CALLBACK (on_close), self);
  g_signal_connect_swapped (self->previous, "clicked", G_CALLBACK (on_previous), self);
  g_signal_connect_swapped (self->next, "clicked", G_CALLBACK (on_next), self);
  g_signal_connect_swapped (self->zoom_in, "clicked", G_CALLBACK (on_zoom_in), self);
  g_signal_connect_swapped (self->zoom_out, "clicked", G_CALLBACK (on_zoom_out), self);
  g_signal_connect_swapped (self->zoom_fit, "clicked", G_CALLBACK (on_zoom_fit), self);
  g_signal_connect_swapped (self->zoom_level, "clicked", G_CALLBACK (on_zoom_level), self);
  g_signal_connect_swapped (self->belongs_to, "notify::selected", G_CALLBACK (on_belongs_to), self);
  g_signal_connect_swapped (self->view, "notify::scale", G_CALLBACK (on_scale), self);
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_key), self);
  g_signal_connect_swapped (keys, "key-released", G_CALLBACK (on_key_released), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
}

void
sl_picture_viewer_clear (SlPictureViewer *self)
{
  SlMessagePart *part;

  g_return_if_fail (SL_IS_PICTURE_VIEWER (self));

  part = current (self);
  if (part != NULL)
    g_signal_handlers_disconnect_by_data (part, self);
  sl_picture_view_set_model (SL_PICTURE_VIEW (self->view), NULL);
  sl_picture_view_set_picture (SL_PICTURE_VIEW (self->view), NULL);
  sl_box_list_set_model (SL_BOX_LIST (self->list), NULL, NULL);
  g_ptr_array_set_size (self->parts, 0);
  self->position = 0;
  g_clear_object (&self->answer);
  g_clear_object (&self->boxes);
  g_clear_object (&self->conversation);
}

static void
take_parts (SlPictureViewer *self,
            GPtrArray       *parts)
{
  for (guint i = 0; i < parts->len; i++)
    g_ptr_array_add (self->parts, g_object_ref (parts->pdata[i]));
}

void
sl_picture_viewer_show_answer (SlPictureViewer *self,
                               SlConversation  *conversation,
                               SlMessage       *answer,
                               SlBoxModel      *boxes)
{
  g_autoptr (GPtrArray) parts = NULL;

  g_return_if_fail (SL_IS_PICTURE_VIEWER (self));

  sl_picture_viewer_clear (self);
  parts = sl_conversation_list_pictures (conversation, answer);
  take_parts (self, parts);
  self->conversation = g_object_ref (conversation);
  self->answer = g_object_ref (answer);
  self->boxes = g_object_ref (boxes);
  set_position (self, find_part (self, sl_message_get_box_picture (answer)));
  sl_picture_view_set_model (SL_PICTURE_VIEW (self->view), boxes);
  sl_box_list_set_model (SL_BOX_LIST (self->list), boxes, sl_message_get_boxes (answer));
  gtk_widget_set_visible (self->list_toggle, TRUE);
  adw_flap_set_locked (self->flap, FALSE);
  adw_flap_set_reveal_flap (self->flap, !adw_flap_get_folded (self->flap));
  fill_belongs_to (self);
  gtk_widget_grab_focus (self->view);
}

void
sl_picture_viewer_show_parts (SlPictureViewer *self,
                              GPtrArray       *parts,
                              SlMessagePart   *part)
{
  guint position = 0;

  g_return_if_fail (SL_IS_PICTURE_VIEWER (self));

  sl_picture_viewer_clear (self);
  take_parts (self, parts);
  g_ptr_array_find (self->parts, part, &position);
  set_position (self, position);
  gtk_widget_set_visible (self->list_toggle, FALSE);
  adw_flap_set_reveal_flap (self->flap, FALSE);
  adw_flap_set_locked (self->flap, TRUE);
  fill_belongs_to (self);
  gtk_widget_grab_focus (self->view);
}
