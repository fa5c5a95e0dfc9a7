/* SPDX-License-Identifier: MIT
 *
 * Shows what lies under a transparent picture, and lays it over white on a worker. The picture that a message holds is never changed:
 * the other one is a picture with a hash of its own, so that everything that is kept about pictures stays true.
 */
#include "ui/pictures/sl-ground-button.h"

#include "app/pictures/sl-picture.h"

#include <glib/gi18n.h>

struct _SlGroundButton
{
  GtkToggleButton parent_instance;

  gboolean editable;
  SlMessagePart *part;
  GCancellable *laying; /* while it is under way */
};

enum
{
  PROP_0,
  PROP_BUSY,
  N_PROPS,
};

enum
{
  REPLACED,
  FAILED,
  N_SIGNALS,
};

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlGroundButton, sl_ground_button, GTK_TYPE_TOGGLE_BUTTON)

static void on_toggled (SlGroundButton *self);

static const char *
get_explanation (SlGround ground,
                 gboolean editable)
{
  if (ground == SL_GROUND_WHITE)
    return _("On white: the model sees this transparent picture over white");
  if (editable)
    return _("Transparent: the model sees the colors below, as in the official program. Press to lay the picture on white");
  return _("Transparent: the model sees the colors below, as in the official program");
}

static void
update (SlGroundButton *self)
{
  SlGround ground = sl_message_part_get_ground (self->part);
  gboolean on_white = ground == SL_GROUND_WHITE;
  gboolean shown = on_white || ground == SL_GROUND_TRANSPARENT;

  gtk_widget_set_visible (GTK_WIDGET (self), shown);
  if (!shown)
    return;
  g_signal_handlers_block_by_func (self, on_toggled, NULL);
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (self), on_white);
  g_signal_handlers_unblock_by_func (self, on_toggled, NULL);
  gtk_widget_set_sensitive (GTK_WIDGET (self), self->editable && self->laying == NULL &&
                                                 (!on_white || sl_message_part_get_source (self->part) != NULL));
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), get_explanation (ground, self->editable));
}

static void
set_laying (SlGroundButton *self,
            GCancellable   *laying)
{
  g_set_object (&self->laying, laying);
  update (self);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BUSY]);
}

static void
on_laid (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  g_autoptr (SlGroundButton) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPicture) picture = sl_picture_new_finish (result, &error);
  g_autoptr (SlMessagePart) part = NULL;

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED) || self->part == NULL)
    return;
  if (picture != NULL)
    {
      part = sl_message_part_new_picture (picture, sl_message_part_get_detail (self->part));
      g_signal_emit (self, signals[REPLACED], 0, part);
    }
  else
    g_signal_emit (self, signals[FAILED], 0, error->message);
  set_laying (self, NULL);
}

static void
on_toggled (SlGroundButton *self)
{
  gboolean wanted = gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (self));
  const char *name = sl_message_part_get_name (self->part);
  g_autoptr (GCancellable) laying = NULL;

  if (self->laying != NULL || wanted == (sl_message_part_get_ground (self->part) == SL_GROUND_WHITE))
    return;
  laying = g_cancellable_new ();
  if (wanted)
    sl_picture_new_on_white_async (sl_message_part_get_bytes (self->part), sl_message_part_get_path (self->part), name, laying,
                                   on_laid, g_object_ref (self));
  else
    sl_picture_new_from_bytes_async (sl_message_part_get_source (self->part), name, laying, on_laid, g_object_ref (self));
  set_laying (self, laying);
}

static void
sl_ground_button_get_property (GObject    *object,
                               guint       id,
                               GValue     *value,
                               GParamSpec *pspec)
{
  if (id == PROP_BUSY)
    g_value_set_boolean (value, SL_GROUND_BUTTON (object)->laying != NULL);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_ground_button_dispose (GObject *object)
{
  SlGroundButton *self = SL_GROUND_BUTTON (object);

  g_cancellable_cancel (self->laying);
  g_clear_object (&self->laying);
  g_clear_object (&self->part);
  G_OBJECT_CLASS (sl_ground_button_parent_class)->dispose (object);
}

static void
sl_ground_button_class_init (SlGroundButtonClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = sl_ground_button_dispose;
  object_class->get_property = sl_ground_button_get_property;
  properties[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE,
                                                G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  signals[REPLACED] = g_signal_new ("replaced", SL_TYPE_GROUND_BUTTON, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE,
                                    1, SL_TYPE_MESSAGE_PART);
  signals[FAILED] = g_signal_new ("failed", SL_TYPE_GROUND_BUTTON, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                  G_TYPE_STRING);
}

static void
sl_ground_button_init (SlGroundButton *self)
{
  gtk_widget_add_css_class (GTK_WIDGET (self), "ground");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, _("On White"), -1);
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
  g_signal_connect (self, "toggled", G_CALLBACK (on_toggled), NULL);
}

GtkWidget *
sl_ground_button_new (gboolean editable)
{
  SlGroundButton *self = g_object_new (SL_TYPE_GROUND_BUTTON, NULL);

  self->editable = editable;
  return GTK_WIDGET (self);
}

void
sl_ground_button_set_part (SlGroundButton *self,
                           SlMessagePart  *part)
{
  g_return_if_fail (SL_IS_GROUND_BUTTON (self));

  if (self->part != NULL)
    g_signal_handlers_disconnect_by_data (self->part, self);
  g_set_object (&self->part, part);
  g_signal_connect_object (part, "notify::ground", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
}
