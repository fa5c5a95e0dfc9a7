/* SPDX-License-Identifier: MIT
 *
 * Puts the viewer together and shows one picture of a conversation in it.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include "ui/inspector/sl-box-list.h"
#include "ui/inspector/sl-box-row.h"
#include "ui/inspector/sl-hood-view.h"
#include "ui/pictures/sl-picture-view.h"

#include <glib/gi18n.h>
#include <math.h>

enum
{
  PROP_0,
  PROP_COLORING,
  PROP_OPACITY,
  PROP_FILL,
  PROP_LABELS,
  PROP_LEAST_SURE_FIRST,
  N_PROPS,
};

enum
{
  CLOSE,
  ASK,
  EXPORT,
  COMPARE,
  FIND_AGAIN,
  FAILED,
  TURN,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlPictureViewer, sl_picture_viewer, GTK_TYPE_WIDGET)

SlMessagePart *
sl_picture_viewer_get_part (SlPictureViewer *self)
{
  return self->position < self->parts->len ? self->parts->pdata[self->position] : NULL;
}

/* --- what the pointer and the list are at ----------------------------------- */

static void
on_pointer (SlPictureViewer *self,
            double           x,
            double           y)
{
  self->pointer_x = x;
  self->pointer_y = y;
  sl_picture_viewer_update_status (self);
}

SlBoxItem *
sl_picture_viewer_get_current (SlPictureViewer *self)
{
  int selected;

  if (self->boxes == NULL)
    return NULL;
  selected = sl_box_model_get_selected (self->boxes);
  return selected >= 0 ? sl_box_model_get_item (self->boxes, selected)
                       : sl_box_list_get_current (SL_BOX_LIST (self->list));
}

static void
on_boxes (SlPictureViewer *self)
{
  sl_picture_viewer_update_status (self);
  sl_picture_viewer_update_actions (self);
}

/* --- pictures -------------------------------------------------------------- */

static void
update_picture (SlPictureViewer *self)
{
  sl_picture_view_set_part (SL_PICTURE_VIEW (self->view), sl_picture_viewer_get_part (self));
  sl_hood_view_set_picture (SL_HOOD_VIEW (self->hood), self->position);
  sl_picture_viewer_update_title (self);
  sl_picture_viewer_update_status (self);
  sl_picture_viewer_update_actions (self);
}

static void
forget_part (SlPictureViewer *self)
{
  SlMessagePart *part = sl_picture_viewer_get_part (self);

  if (part != NULL)
    g_signal_handlers_disconnect_by_data (part, self);
}

static void
set_position (SlPictureViewer *self,
              guint            position)
{
  SlMessagePart *part;

  forget_part (self);
  self->position = position;
  part = sl_picture_viewer_get_part (self);
  if (part != NULL)
    g_signal_connect_object (part, "notify::ground", G_CALLBACK (on_boxes), self, G_CONNECT_SWAPPED);
  update_picture (self);
}

void
sl_picture_viewer_turn (SlPictureViewer *self,
                        int              by)
{
  if (self->n_series > 0)
    g_signal_emit (self, signals[TURN], 0, by, FALSE);
  else if ((int) self->position + by >= 0 && self->position + by < self->parts->len)
    set_position (self, self->position + by);
}

static void
on_previous (SlPictureViewer *self)
{
  sl_picture_viewer_turn (self, -1);
}

static void
on_next (SlPictureViewer *self)
{
  sl_picture_viewer_turn (self, 1);
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

/* --- closing, menu, drawing ------------------------------------------------- */

static void
on_close (SlPictureViewer *self)
{
  g_signal_emit (self, signals[CLOSE], 0);
}

static void
on_menu (SlPictureViewer *self,
         double           x,
         double           y)
{
  GdkRectangle at = { (int) x, (int) y, 1, 1 };

  if (self->boxes == NULL)
    return;
  gtk_popover_set_pointing_to (GTK_POPOVER (self->box_menu), &at);
  gtk_popover_popup (GTK_POPOVER (self->box_menu));
}

void
sl_picture_viewer_set_drawing (SlPictureViewer *self,
                               gboolean         drawing,
                               gboolean         asking)
{
  self->asking = asking;
  gtk_label_set_label (self->hint_label, asking ? _("Draw a rectangle around what you ask about")
                                                : _("Draw a rectangle around the new box"));
  gtk_widget_set_visible (self->hint, drawing);
  sl_picture_view_set_drawing (SL_PICTURE_VIEW (self->view), drawing);
}

/* --- how boxes look -------------------------------------------------------- */

static void
update_style (SlPictureViewer *self)
{
  gboolean contrast = adw_style_manager_get_high_contrast (adw_style_manager_get_default ());

  self->style.opacity = atoi (self->opacity) / 100.0;
  self->style.fill_opacity = atoi (self->fill) / 100.0;
  self->style.line_width = contrast ? 3.5 : sl_box_default_style.line_width;
  sl_picture_view_set_style (SL_PICTURE_VIEW (self->view), &self->style);
  if (self->boxes != NULL)
    sl_box_model_set_coloring (self->boxes, g_str_equal (self->coloring, "box")
                                              ? SL_BOX_COLORING_INSTANCE
                                              : SL_BOX_COLORING_LABEL);
}

static void
sl_picture_viewer_get_property (GObject    *object,
                                guint       id,
                                GValue     *value,
                                GParamSpec *pspec)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (object);

  switch (id)
    {
    case PROP_COLORING:
      g_value_set_string (value, self->coloring);
      break;
    case PROP_OPACITY:
      g_value_set_string (value, self->opacity);
      break;
    case PROP_FILL:
      g_value_set_string (value, self->fill);
      break;
    case PROP_LABELS:
      g_value_set_boolean (value, self->style.show_labels);
      break;
    case PROP_LEAST_SURE_FIRST:
      g_value_set_boolean (value, self->least_sure_first);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
take_string (char        **place,
             const GValue *value)
{
  g_free (*place);
  *place = g_value_dup_string (value);
}

static void
sl_picture_viewer_set_property (GObject      *object,
                                guint         id,
                                const GValue *value,
                                GParamSpec   *pspec)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (object);

  switch (id)
    {
    case PROP_COLORING:
      take_string (&self->coloring, value);
      break;
    case PROP_OPACITY:
      take_string (&self->opacity, value);
      break;
    case PROP_FILL:
      take_string (&self->fill, value);
      break;
    case PROP_LABELS:
      self->style.show_labels = g_value_get_boolean (value);
      break;
    case PROP_LEAST_SURE_FIRST:
      self->least_sure_first = g_value_get_boolean (value);
      sl_box_list_set_least_sure_first (SL_BOX_LIST (self->list), self->least_sure_first);
      return;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      return;
    }
  update_style (self);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_picture_viewer_dispose (GObject *object)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (object);

  if (self->box != NULL)
    sl_picture_viewer_clear (self);
  g_clear_pointer (&self->box_menu, gtk_widget_unparent);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_pointer (&self->parts, g_ptr_array_unref);
  g_clear_pointer (&self->coloring, g_free);
  g_clear_pointer (&self->opacity, g_free);
  g_clear_pointer (&self->fill, g_free);
  G_OBJECT_CLASS (sl_picture_viewer_parent_class)->dispose (object);
}

static void
install_properties (GObjectClass *klass)
{
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;

  properties[PROP_COLORING] = g_param_spec_string ("coloring", NULL, NULL, "label", flags);
  properties[PROP_OPACITY] = g_param_spec_string ("opacity-percent", NULL, NULL, "100", flags);
  properties[PROP_FILL] = g_param_spec_string ("fill-percent", NULL, NULL, "0", flags);
  properties[PROP_LABELS] = g_param_spec_boolean ("labels", NULL, NULL, TRUE, flags);
  properties[PROP_LEAST_SURE_FIRST] = g_param_spec_boolean ("least-sure-first", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (klass, N_PROPS, properties);
}

static void
install_signals (GType type)
{
  signals[CLOSE] = g_signal_new ("close", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[ASK] = g_signal_new ("ask", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2,
                               SL_TYPE_PICTURE, G_TYPE_BOOLEAN);
  signals[EXPORT] = g_signal_new ("export", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 2, SL_TYPE_MESSAGE, SL_TYPE_BOX_ITEM);
  signals[COMPARE] = g_signal_new ("compare", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                   G_TYPE_NONE, 1, SL_TYPE_MESSAGE);
  signals[FIND_AGAIN] = g_signal_new ("find-again", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                      G_TYPE_NONE, 2, SL_TYPE_MESSAGE, G_TYPE_STRING);
  signals[FAILED] = g_signal_new ("failed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                  G_TYPE_NONE, 1, G_TYPE_STRING);
  signals[TURN] = g_signal_new ("turn", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_BOOLEAN);
}

static void
bind_template (GtkWidgetClass *widget_class)
{
  gtk_widget_class_set_template_from_resource (
    widget_class, "/io/github/sightline/Sightline/sl-picture-viewer.ui");
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, box);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, title);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, back);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, list_toggle);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, flap);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, boxes_pane);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, hood_pane);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, belongs);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, belongs_to);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, box_tools);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, overlay);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, previous);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, next);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_out);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_in);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_fit);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, zoom_level);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, status);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, hint);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, hint_label);
  gtk_widget_class_bind_template_child (widget_class, SlPictureViewer, review_tools);
}

static void
sl_picture_viewer_class_init (SlPictureViewerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_picture_viewer_dispose;
  object_class->get_property = sl_picture_viewer_get_property;
  object_class->set_property = sl_picture_viewer_set_property;
  install_properties (object_class);
  install_signals (SL_TYPE_PICTURE_VIEWER);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "pictureviewer");
  bind_template (widget_class);
  sl_picture_viewer_install_actions (widget_class);
}

static void
add_box_menu (SlPictureViewer *self)
{
  g_autoptr (GMenuModel) menu = sl_box_row_create_menu ();

  self->box_menu = gtk_popover_menu_new_from_model (menu);
  gtk_popover_set_has_arrow (GTK_POPOVER (self->box_menu), FALSE);
  gtk_widget_set_halign (self->box_menu, GTK_ALIGN_START);
  gtk_widget_set_parent (self->box_menu, self->view);
}

static void
sl_picture_viewer_init (SlPictureViewer *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
  self->parts = g_ptr_array_new_with_free_func (g_object_unref);
  self->style = sl_box_default_style;
  self->coloring = g_strdup ("label");
  self->opacity = g_strdup ("100");
  self->fill = g_strdup ("0");
  self->pointer_x = self->pointer_y = NAN;
  self->view = sl_picture_view_new (TRUE);
  gtk_overlay_set_child (self->overlay, self->view);
  add_box_menu (self);
  self->list = sl_box_list_new ();
  gtk_box_append (self->boxes_pane, self->list);
  self->hood = sl_hood_view_new ();
  gtk_box_append (self->hood_pane, self->hood);

  g_signal_connect_swapped (self->back, "clicked", G_CALLBACK (on_close), self);
  g_signal_connect_swapped (self->previous, "clicked", G_CALLBACK (on_previous), self);
  g_signal_connect_swapped (self->next, "clicked", G_CALLBACK (on_next), self);
  g_signal_connect_swapped (self->zoom_in, "clicked", G_CALLBACK (on_zoom_in), self);
  g_signal_connect_swapped (self->zoom_out, "clicked", G_CALLBACK (on_zoom_out), self);
  g_signal_connect_swapped (self->zoom_fit, "clicked", G_CALLBACK (on_zoom_fit), self);
  g_signal_connect_swapped (self->zoom_level, "clicked", G_CALLBACK (on_zoom_level), self);
  g_signal_connect_swapped (self->belongs_to, "notify::selected", G_CALLBACK (on_belongs_to), self);
  g_signal_connect_swapped (self->view, "notify::scale", G_CALLBACK (on_scale), self);
  g_signal_connect_swapped (self->view, "area", G_CALLBACK (sl_picture_viewer_take_area), self);
  g_signal_connect_swapped (self->view, "pointer", G_CALLBACK (on_pointer), self);
  g_signal_connect_swapped (self->view, "menu", G_CALLBACK (on_menu), self);
  g_signal_connect_swapped (self->hood, "heat", G_CALLBACK (sl_picture_view_set_heat), self->view);
  g_signal_connect_swapped (self->hood, "tiles", G_CALLBACK (sl_picture_view_set_cut), self->view);
  g_signal_connect_object (adw_style_manager_get_default (), "notify::high-contrast",
                           G_CALLBACK (update_style), self, G_CONNECT_SWAPPED);
  sl_picture_viewer_add_keys (self);
  update_style (self);
}

void
sl_picture_viewer_clear (SlPictureViewer *self)
{
  g_return_if_fail (SL_IS_PICTURE_VIEWER (self));

  forget_part (self);
  sl_picture_view_set_model (SL_PICTURE_VIEW (self->view), NULL);
  sl_picture_view_set_part (SL_PICTURE_VIEW (self->view), NULL);
  sl_hood_view_set_answer (SL_HOOD_VIEW (self->hood), NULL, NULL);
  sl_box_list_set_model (SL_BOX_LIST (self->list), NULL);
  sl_picture_viewer_set_drawing (self, FALSE, FALSE);
  if (self->boxes != NULL)
    g_signal_handlers_disconnect_by_data (self->boxes, self);
  g_clear_object (&self->edits);
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
  self->edits = sl_box_edits_new (conversation, answer);
  g_signal_connect_object (self->edits, "changed", G_CALLBACK (sl_picture_viewer_update_actions),
                           self, G_CONNECT_SWAPPED);
  g_signal_connect_object (boxes, "lit-changed", G_CALLBACK (on_boxes), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (boxes, "shown-changed", G_CALLBACK (on_boxes), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (boxes, "changed", G_CALLBACK (on_boxes), self, G_CONNECT_SWAPPED);
  sl_picture_view_set_model (SL_PICTURE_VIEW (self->view), boxes);
  sl_picture_view_set_editable (SL_PICTURE_VIEW (self->view), TRUE);
  sl_box_list_set_model (SL_BOX_LIST (self->list), boxes);
  sl_hood_view_set_answer (SL_HOOD_VIEW (self->hood), conversation, answer);
  sl_hood_view_set_picture (SL_HOOD_VIEW (self->hood), self->position);
  update_style (self);
  gtk_widget_set_visible (self->list_toggle, TRUE);
  gtk_widget_set_visible (self->box_tools, TRUE);
  adw_flap_set_locked (self->flap, FALSE);
  if (self->n_series == 0) /* else it stays as the user has it */
    adw_flap_set_reveal_flap (self->flap, !adw_flap_get_folded (self->flap));
  fill_belongs_to (self);
  sl_picture_viewer_update_actions (self);
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
  sl_picture_view_set_editable (SL_PICTURE_VIEW (self->view), FALSE);
  gtk_widget_set_visible (self->list_toggle, FALSE);
  adw_flap_set_reveal_flap (self->flap, FALSE);
  adw_flap_set_locked (self->flap, TRUE);
  fill_belongs_to (self);
  sl_picture_viewer_update_actions (self);
  gtk_widget_grab_focus (self->view);
}
