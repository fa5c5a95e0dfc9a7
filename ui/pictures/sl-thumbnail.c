/* SPDX-License-Identifier: MIT
 *
 * Shows a picture small, with its menu. The picture is shown whole, never cropped: what is asked about may lie at its edge.
 */
#include "ui/pictures/sl-thumbnail.h"

#include "ui/pictures/sl-ground-button.h"
#include "ui/pictures/sl-still.h"

#include <glib/gi18n.h>

struct _SlThumbnail
{
  GtkWidget parent_instance;

  SlMessagePart *part;
  SlStill *still;
  int side;
  gboolean editable;
  guint position, n_pictures;

  SlEngine *engine;  /* knows what the picture costs, or NULL */
  GtkWidget *menu;   /* GtkPopoverMenu, while it is open */
  GtkWidget *remove;
  GtkWidget *ground; /* SlGroundButton */
  GtkWidget *icon; /* spinner or "missing", while there is no picture */
};

enum
{
  PROP_0,
  PROP_DETAIL,
  N_PROPS,
};

enum
{
  ACTIVATED,
  REMOVE,
  MOVE,
  CHANGED,
  FAILED,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlThumbnail, sl_thumbnail, GTK_TYPE_WIDGET)

static void
get_size (SlThumbnail *self,
          int         *width,
          int         *height)
{
  double picture_width = MAX (1, sl_message_part_get_width (self->part));
  double picture_height = MAX (1, sl_message_part_get_height (self->part));
  double scale = self->side / MAX (picture_width, picture_height);

  *width = MAX (self->side / 2, picture_width * scale);
  *height = MAX (self->side / 2, picture_height * scale);
}

static void
sl_thumbnail_measure (GtkWidget      *widget,
                      GtkOrientation  orientation,
                      int             for_size,
                      int            *minimum,
                      int            *natural,
                      int            *minimum_baseline,
                      int            *natural_baseline)
{
  int width, height;

  get_size (SL_THUMBNAIL (widget), &width, &height);
  *minimum = *natural = orientation == GTK_ORIENTATION_HORIZONTAL ? width : height;
}

/* In the lower left corner, away from the button that takes the picture away. */
static void
place_ground (SlThumbnail *self,
              int          height)
{
  int width, side;

  if (!gtk_widget_should_layout (self->ground))
    return;
  gtk_widget_measure (self->ground, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &width, NULL, NULL);
  gtk_widget_measure (self->ground, GTK_ORIENTATION_VERTICAL, -1, NULL, &side, NULL, NULL);
  gtk_widget_size_allocate (self->ground, &(GtkAllocation) { 2, height - side - 2, width, side }, -1);
}

static void
sl_thumbnail_size_allocate (GtkWidget *widget,
                            int        width,
                            int        height,
                            int        baseline)
{
  SlThumbnail *self = SL_THUMBNAIL (widget);
  int icon_width, icon_height;

  if (self->menu != NULL)
    gtk_popover_present (GTK_POPOVER (self->menu));
  place_ground (self, height);
  if (self->remove != NULL)
    {
      int side;
      gtk_widget_measure (self->remove, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &side, NULL, NULL);
      gtk_widget_size_allocate (self->remove, &(GtkAllocation) { width - side - 2, 2, side, side },
                                -1);
    }
  if (self->icon != NULL)
    {
      gtk_widget_measure (self->icon, GTK_ORIENTATION_HORIZONTAL, -1, NULL, &icon_width, NULL, NULL);
      gtk_widget_measure (self->icon, GTK_ORIENTATION_VERTICAL, -1, NULL, &icon_height, NULL, NULL);
      gtk_widget_size_allocate (self->icon,
                                &(GtkAllocation) { (width - icon_width) / 2,
                                                   (height - icon_height) / 2, icon_width,
                                                   icon_height },
                                -1);
    }
}

static void
sl_thumbnail_snapshot (GtkWidget   *widget,
                       GtkSnapshot *snapshot)
{
  SlThumbnail *self = SL_THUMBNAIL (widget);
  SlMipmap *mipmap = sl_still_get_mipmap (self->still);
  int width = gtk_widget_get_width (widget);
  int height = gtk_widget_get_height (widget);
  graphene_rect_t bounds = GRAPHENE_RECT_INIT (0, 0, width, height);

  if (mipmap != NULL)
    {
      double picture_width = MAX (1, sl_message_part_get_width (self->part));
      double picture_height = MAX (1, sl_message_part_get_height (self->part));
      double scale = MIN (width / picture_width, height / picture_height);
      double shown_width = picture_width * scale;
      double shown_height = picture_height * scale;
      graphene_rect_t area = GRAPHENE_RECT_INIT ((width - shown_width) / 2,
                                                 (height - shown_height) / 2, shown_width,
                                                 shown_height);
      sl_mipmap_snapshot (mipmap, snapshot, &area, &bounds,
                          gtk_widget_get_scale_factor (widget));
    }
  GTK_WIDGET_CLASS (sl_thumbnail_parent_class)->snapshot (widget, snapshot);
}

static void
update_name (SlThumbnail *self)
{
  g_autofree char *name = NULL;
  g_autofree char *tooltip = NULL;
  const char *error = sl_still_get_error_text (self->still);

  /* Translators: accessible name of a picture in a message: its place, how many, its file name */
  name = g_strdup_printf (_("Picture %u of %u: %s"), self->position, self->n_pictures,
                          sl_message_part_get_name (self->part));
  if (sl_message_part_get_detail (self->part) == SL_DETAIL_LOW)
    gtk_widget_add_css_class (GTK_WIDGET (self), "low-detail");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "low-detail");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  /* Translators: tooltip of a picture: file name, width, height */
  tooltip = error ? g_strdup (error)
                  : g_strdup_printf (_("%s\n%d × %d pixels"), sl_message_part_get_name (self->part),
                                     sl_message_part_get_width (self->part),
                                     sl_message_part_get_height (self->part));
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), tooltip);
}

static void
set_icon (SlThumbnail *self,
          GtkWidget   *icon)
{
  g_clear_pointer (&self->icon, gtk_widget_unparent);
  self->icon = icon;
  if (icon != NULL)
    gtk_widget_set_parent (icon, GTK_WIDGET (self));
}

static void
update (SlThumbnail *self)
{
  gboolean shown = sl_still_get_mipmap (self->still) != NULL;

  if (shown)
    set_icon (self, NULL);
  else if (sl_still_get_error_text (self->still) != NULL)
    set_icon (self, gtk_image_new_from_icon_name ("image-missing-symbolic"));
  gtk_accessible_update_state (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_STATE_BUSY, self->icon != NULL && GTK_IS_SPINNER (self->icon),
                               -1);
  update_name (self);
  gtk_widget_queue_resize (GTK_WIDGET (self));
}

static void
sl_thumbnail_map (GtkWidget *widget)
{
  SlThumbnail *self = SL_THUMBNAIL (widget);

  GTK_WIDGET_CLASS (sl_thumbnail_parent_class)->map (widget);
  sl_still_start (self->still, self->side * gtk_widget_get_scale_factor (widget));
  if (sl_still_get_mipmap (self->still) == NULL && sl_still_get_error_text (self->still) == NULL)
    {
      GtkWidget *spinner = gtk_spinner_new ();

      gtk_spinner_start (GTK_SPINNER (spinner));
      set_icon (self, spinner);
      update (self);
    }
}

static void
sl_thumbnail_unmap (GtkWidget *widget)
{
  SlThumbnail *self = SL_THUMBNAIL (widget);

  GTK_WIDGET_CLASS (sl_thumbnail_parent_class)->unmap (widget);
  sl_still_stop (self->still);
}

static void
take_part (SlThumbnail   *self,
           SlMessagePart *part)
{
  if (self->still != NULL)
    g_signal_handlers_disconnect_by_data (self->still, self);
  g_clear_object (&self->still);
  g_set_object (&self->part, part);
  self->still = sl_still_new (part);
  g_signal_connect_object (self->still, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  sl_ground_button_set_part (SL_GROUND_BUTTON (self->ground), part);
  if (gtk_widget_get_mapped (GTK_WIDGET (self)))
    sl_still_start (self->still, self->side * gtk_widget_get_scale_factor (GTK_WIDGET (self)));
  update (self);
}

static void
emit_changed (SlThumbnail *self)
{
  g_signal_emit (self, signals[CHANGED], 0);
}

static void
on_replaced (SlThumbnail   *self,
             SlMessagePart *part)
{
  take_part (self, part);
  emit_changed (self);
}

static void
on_failed (SlThumbnail *self,
           const char  *sentence)
{
  g_signal_emit (self, signals[FAILED], 0, sentence);
}

static void
add_ground (SlThumbnail *self,
            gboolean     editable)
{
  self->ground = sl_ground_button_new (editable);
  g_signal_connect_swapped (self->ground, "replaced", G_CALLBACK (on_replaced), self);
  g_signal_connect_swapped (self->ground, "failed", G_CALLBACK (on_failed), self);
  g_signal_connect_swapped (self->ground, "notify::busy", G_CALLBACK (emit_changed), self);
  gtk_widget_set_parent (self->ground, GTK_WIDGET (self));
}

static void
emit_activated (SlThumbnail *self)
{
  g_signal_emit (self, signals[ACTIVATED], 0);
}

static void
emit_remove (SlThumbnail *self)
{
  g_signal_emit (self, signals[REMOVE], 0);
}

/* --- detail ---------------------------------------------------------------- */

static char *
dup_choice (SlThumbnail *self,
            SlDetail     detail)
{
  guint tokens = sl_engine_get_picture_tokens (self->engine, sl_message_part_get_width (self->part),
                                               sl_message_part_get_height (self->part), detail,
                                               self->n_pictures);

  if (tokens == 0)
    return g_strdup (detail == SL_DETAIL_LOW ? _("_Low Detail") : _("_Full Detail"));
  if (detail == SL_DETAIL_LOW)
    return g_strdup_printf (ngettext ("_Low Detail: %u Token", "_Low Detail: %u Tokens", tokens), tokens);
  return g_strdup_printf (ngettext ("_Full Detail: %u Token", "_Full Detail: %u Tokens", tokens), tokens);
}

static void
on_menu_closed (SlThumbnail *self)
{
  g_clear_pointer (&self->menu, gtk_widget_unparent);
}

static gboolean
drop_menu (gpointer data)
{
  on_menu_closed (data);
  return G_SOURCE_REMOVE;
}

/* The action of the entry that was chosen still has to find the menu's parents. */
static void
on_menu_closing (SlThumbnail *self)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, drop_menu, g_object_ref (self), g_object_unref);
}

static void
open_menu (SlThumbnail *self)
{
  g_autoptr (GMenu) menu = g_menu_new ();
  g_autofree char *full = NULL;
  g_autofree char *low = NULL;

  if (self->engine == NULL || self->menu != NULL)
    return;
  full = dup_choice (self, SL_DETAIL_AUTO);
  low = dup_choice (self, SL_DETAIL_LOW);
  g_menu_append (menu, full, "thumbnail.detail::full");
  g_menu_append (menu, low, "thumbnail.detail::low");
  self->menu = gtk_popover_menu_new_from_model (G_MENU_MODEL (menu));
  gtk_widget_set_parent (self->menu, GTK_WIDGET (self));
  g_signal_connect_swapped (self->menu, "closed", G_CALLBACK (on_menu_closing), self);
  gtk_popover_popup (GTK_POPOVER (self->menu));
}

static gboolean
menu_binding (GtkWidget *widget,
              GVariant  *args,
              gpointer   data)
{
  open_menu (SL_THUMBNAIL (widget));
  return TRUE;
}

static void
sl_thumbnail_get_property (GObject    *object,
                           guint       id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  SlThumbnail *self = SL_THUMBNAIL (object);

  if (id == PROP_DETAIL)
    g_value_set_string (value, self->part && sl_message_part_get_detail (self->part) == SL_DETAIL_LOW
                                 ? "low"
                                 : "full");
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_thumbnail_set_property (GObject      *object,
                           guint         id,
                           const GValue *value,
                           GParamSpec   *pspec)
{
  SlThumbnail *self = SL_THUMBNAIL (object);

  if (id != PROP_DETAIL)
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
      return;
    }
  sl_message_part_set_detail (self->part, g_strcmp0 (g_value_get_string (value), "low") == 0
                                            ? SL_DETAIL_LOW
                                            : SL_DETAIL_AUTO);
  update_name (self);
}

/* --- keys ------------------------------------------------------------------ */

static gboolean
activate_binding (GtkWidget *widget,
                  GVariant  *args,
                  gpointer   data)
{
  emit_activated (SL_THUMBNAIL (widget));
  return TRUE;
}

static gboolean
remove_binding (GtkWidget *widget,
                GVariant  *args,
                gpointer   data)
{
  if (!SL_THUMBNAIL (widget)->editable)
    return FALSE;
  emit_remove (SL_THUMBNAIL (widget));
  return TRUE;
}

static gboolean
move_binding (GtkWidget *widget,
              GVariant  *args,
              gpointer   data)
{
  if (!SL_THUMBNAIL (widget)->editable)
    return FALSE;
  g_signal_emit (widget, signals[MOVE], 0, g_variant_get_int32 (args));
  return TRUE;
}

static GdkContentProvider *
on_drag_prepare (SlThumbnail *self)
{
  return gdk_content_provider_new_typed (SL_TYPE_THUMBNAIL, self);
}

static void
on_drag_begin (SlThumbnail   *self,
               GdkDrag       *drag,
               GtkDragSource *source)
{
  g_autoptr (GdkPaintable) paintable = gtk_widget_paintable_new (GTK_WIDGET (self));

  gtk_drag_source_set_icon (source, paintable, 0, 0);
}

static void
sl_thumbnail_dispose (GObject *object)
{
  SlThumbnail *self = SL_THUMBNAIL (object);

  g_clear_pointer (&self->menu, gtk_widget_unparent);
  g_clear_object (&self->engine);
  g_clear_pointer (&self->remove, gtk_widget_unparent);
  g_clear_pointer (&self->icon, gtk_widget_unparent);
  g_clear_pointer (&self->ground, gtk_widget_unparent);
  g_clear_object (&self->still);
  g_clear_object (&self->part);
  G_OBJECT_CLASS (sl_thumbnail_parent_class)->dispose (object);
}

static void
sl_thumbnail_class_init (SlThumbnailClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_thumbnail_dispose;
  widget_class->measure = sl_thumbnail_measure;
  widget_class->size_allocate = sl_thumbnail_size_allocate;
  widget_class->snapshot = sl_thumbnail_snapshot;
  widget_class->map = sl_thumbnail_map;
  widget_class->unmap = sl_thumbnail_unmap;

  signals[ACTIVATED] = g_signal_new ("activated", SL_TYPE_THUMBNAIL, G_SIGNAL_RUN_LAST, 0, NULL,
                                     NULL, NULL, G_TYPE_NONE, 0);
  signals[REMOVE] = g_signal_new ("remove", SL_TYPE_THUMBNAIL, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                  NULL, G_TYPE_NONE, 0);
  signals[MOVE] = g_signal_new ("move", SL_TYPE_THUMBNAIL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, G_TYPE_INT);
  signals[CHANGED] = g_signal_new ("changed", SL_TYPE_THUMBNAIL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[FAILED] = g_signal_new ("failed", SL_TYPE_THUMBNAIL, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                  G_TYPE_STRING);

  G_OBJECT_CLASS (klass)->get_property = sl_thumbnail_get_property;
  G_OBJECT_CLASS (klass)->set_property = sl_thumbnail_set_property;
  properties[PROP_DETAIL] = g_param_spec_string ("detail", NULL, NULL, "full",
                                                 G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (G_OBJECT_CLASS (klass), N_PROPS, properties);
  gtk_widget_class_install_property_action (widget_class, "thumbnail.detail", "detail");
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Menu, 0, menu_binding, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_F10, GDK_SHIFT_MASK, menu_binding, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Return, 0, activate_binding, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_space, 0, activate_binding, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Delete, 0, remove_binding, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_BackSpace, 0, remove_binding, NULL);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Left, GDK_ALT_MASK, move_binding, "i", -1);
  gtk_widget_class_add_binding (widget_class, GDK_KEY_Right, GDK_ALT_MASK, move_binding, "i", 1);
  gtk_widget_class_set_css_name (widget_class, "thumbnail");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static void
sl_thumbnail_init (SlThumbnail *self)
{
  GtkGesture *click = gtk_gesture_click_new ();

  self->position = self->n_pictures = 1;
  gtk_widget_set_focusable (GTK_WIDGET (self), TRUE);
  gtk_widget_set_overflow (GTK_WIDGET (self), GTK_OVERFLOW_HIDDEN);
  gtk_widget_set_cursor_from_name (GTK_WIDGET (self), "pointer");
  g_signal_connect_swapped (click, "released", G_CALLBACK (emit_activated), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
}

static void
make_editable (SlThumbnail *self)
{
  GtkDragSource *drag = gtk_drag_source_new ();

  self->editable = TRUE;
  self->remove = gtk_button_new_from_icon_name ("window-close-symbolic");
  gtk_widget_add_css_class (self->remove, "osd");
  gtk_widget_add_css_class (self->remove, "circular");
  gtk_widget_set_tooltip_text (self->remove, _("Remove Picture"));
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->remove), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Remove Picture"), -1);
  g_signal_connect_swapped (self->remove, "clicked", G_CALLBACK (emit_remove), self);
  gtk_widget_set_parent (self->remove, GTK_WIDGET (self));

  gtk_drag_source_set_actions (drag, GDK_ACTION_MOVE);
  g_signal_connect_swapped (drag, "prepare", G_CALLBACK (on_drag_prepare), self);
  g_signal_connect_swapped (drag, "drag-begin", G_CALLBACK (on_drag_begin), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (drag));
}

GtkWidget *
sl_thumbnail_new (SlMessagePart *part,
                  int            side,
                  gboolean       editable)
{
  SlThumbnail *self = g_object_new (SL_TYPE_THUMBNAIL, NULL);

  g_return_val_if_fail (SL_IS_MESSAGE_PART (part), NULL);

  self->side = side;
  if (editable)
    make_editable (self);
  add_ground (self, editable);
  take_part (self, part);
  return GTK_WIDGET (self);
}

void
sl_thumbnail_set_engine (SlThumbnail *self,
                         SlEngine    *engine)
{
  GtkGesture *click;

  g_return_if_fail (SL_IS_THUMBNAIL (self));
  if (engine == NULL || self->engine != NULL)
    return;
  self->engine = g_object_ref (engine);
  click = gtk_gesture_click_new ();
  gtk_gesture_single_set_button (GTK_GESTURE_SINGLE (click), GDK_BUTTON_SECONDARY);
  g_signal_connect_swapped (click, "pressed", G_CALLBACK (open_menu), self);
  gtk_widget_add_controller (GTK_WIDGET (self), GTK_EVENT_CONTROLLER (click));
}

SlMessagePart *
sl_thumbnail_get_part (SlThumbnail *self)
{
  g_return_val_if_fail (SL_IS_THUMBNAIL (self), NULL);
  return self->part;
}

gboolean
sl_thumbnail_is_busy (SlThumbnail *self)
{
  gboolean busy;

  g_return_val_if_fail (SL_IS_THUMBNAIL (self), FALSE);
  g_object_get (self->ground, "busy", &busy, NULL);
  return busy;
}

void
sl_thumbnail_set_position (SlThumbnail *self,
                           guint        position,
                           guint        n_pictures)
{
  g_return_if_fail (SL_IS_THUMBNAIL (self));
  self->position = position;
  self->n_pictures = n_pictures;
  update_name (self);
}
