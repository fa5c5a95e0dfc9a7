/* SPDX-License-Identifier: MIT
 *
 * See sl-server-group.h.
 */
#include "ui/models/sl-server-group.h"

#include <glib/gi18n.h>

struct _SlServerGroup
{
  AdwPreferencesGroup parent_instance;

  SlServerSwitch *server;
  GtkSwitch *on;
  GtkSpinButton *port;
  AdwActionRow *status, *address, *key;
};

G_DEFINE_FINAL_TYPE (SlServerGroup, sl_server_group, ADW_TYPE_PREFERENCES_GROUP)

static void
copy (SlServerGroup *self,
      const char    *property)
{
  GtkRoot *root = gtk_widget_get_root (GTK_WIDGET (self));
  g_autofree char *text = NULL;

  g_object_get (self->server, property, &text, NULL);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text != NULL ? text : "");
  if (ADW_IS_PREFERENCES_WINDOW (root))
    adw_preferences_window_add_toast (ADW_PREFERENCES_WINDOW (root), adw_toast_new (_("Copied")));
}

static void
on_copy_address (SlServerGroup *self)
{
  copy (self, "address");
}

static void
on_copy_key (SlServerGroup *self)
{
  copy (self, "key");
}

static void
on_renew_key (SlServerGroup *self)
{
  sl_server_switch_renew_key (self->server);
}

static void
update (SlServerGroup *self)
{
  g_autofree char *status = NULL, *address = NULL;
  gboolean kept;

  g_object_get (self->server, "status", &status, "address", &address, "key-is-kept", &kept, NULL);
  adw_action_row_set_subtitle (self->status, status);
  gtk_widget_set_visible (GTK_WIDGET (self->status), status[0] != '\0');
  adw_action_row_set_subtitle (self->address, address != NULL ? address : "");
  gtk_widget_set_visible (GTK_WIDGET (self->address), address != NULL);
  adw_action_row_set_subtitle (self->key, kept ? _("Kept in the keyring")
                                               : _("The keyring does not answer: this key is good until Sightline ends"));
  gtk_widget_set_visible (GTK_WIDGET (self->key), address != NULL);
}

static void
sl_server_group_dispose (GObject *object)
{
  SlServerGroup *self = SL_SERVER_GROUP (object);

  g_clear_object (&self->server);
  G_OBJECT_CLASS (sl_server_group_parent_class)->dispose (object);
}

static void
sl_server_group_class_init (SlServerGroupClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_server_group_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-server-group.ui");
  gtk_widget_class_bind_template_child (widget_class, SlServerGroup, on);
  gtk_widget_class_bind_template_child (widget_class, SlServerGroup, port);
  gtk_widget_class_bind_template_child (widget_class, SlServerGroup, status);
  gtk_widget_class_bind_template_child (widget_class, SlServerGroup, address);
  gtk_widget_class_bind_template_child (widget_class, SlServerGroup, key);
  gtk_widget_class_bind_template_callback (widget_class, on_copy_address);
  gtk_widget_class_bind_template_callback (widget_class, on_copy_key);
  gtk_widget_class_bind_template_callback (widget_class, on_renew_key);
}

static void
sl_server_group_init (SlServerGroup *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_server_group_new (SlServerSwitch *server)
{
  SlServerGroup *self = g_object_new (SL_TYPE_SERVER_GROUP, NULL);
  const GBindingFlags both = G_BINDING_SYNC_CREATE | G_BINDING_BIDIRECTIONAL;

  self->server = g_object_ref (server);
  g_object_bind_property (server, "on", self->on, "active", both);
  g_object_bind_property (server, "port", gtk_spin_button_get_adjustment (self->port), "value", both);
  g_signal_connect_object (server, "notify", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
  return GTK_WIDGET (self);
}
