/* SPDX-License-Identifier: MIT
 *
 * See sl-engine-bar.h.
 */
#include "ui/models/sl-engine-bar.h"

#include <glib/gi18n.h>

struct _SlEngineBar
{
  GtkWidget parent_instance;

  SlRemoteEngine *engine;
  GtkWidget *box;
  GtkLabel *label;
  GtkMenuButton *button;
};

G_DEFINE_FINAL_TYPE (SlEngineBar, sl_engine_bar, GTK_TYPE_WIDGET)

/* --- menu ------------------------------------------------------------------ */

static void
add_engine (GMenu      *menu,
            const char *label,
            const char *id)
{
  g_autoptr (GMenuItem) item = g_menu_item_new (label, NULL);

  g_menu_item_set_action_and_target (item, "win.engine", "s", id);
  g_menu_append_item (menu, item);
}

static void
fill_menu (GListModel *remotes,
           guint       position,
           guint       removed,
           guint       added,
           GMenu      *menu)
{
  g_menu_remove_all (menu);
  add_engine (menu, _("This Computer"), "");
  for (guint i = 0; i < g_list_model_get_n_items (remotes); i++)
    {
      g_autoptr (SlRemoteEngine) engine = g_list_model_get_item (remotes, i);
      const SlRemoteServer *server = sl_remote_engine_get_server (engine);
      g_auto (GStrv) words = g_strsplit (server->name, "_", -1);
      g_autofree char *label = g_strjoinv ("__", words); /* an underscore is no mnemonic here */

      add_engine (menu, label, server->id);
    }
  g_menu_append (menu, _("_Engines…"), "win.engines");
}

static void
on_edited (SlRemotes *remotes,
           GMenu     *menu)
{
  fill_menu (G_LIST_MODEL (remotes), 0, 0, 0, menu);
}

GMenu *
sl_engine_menu_new (SlRemotes *remotes)
{
  GMenu *menu = g_menu_new ();

  g_signal_connect_object (remotes, "items-changed", G_CALLBACK (fill_menu), menu, 0);
  g_signal_connect_object (remotes, "edited", G_CALLBACK (on_edited), menu, 0);
  on_edited (remotes, menu);
  return menu;
}

/* --- bar ------------------------------------------------------------------- */

static void
update (SlEngineBar *self)
{
  const SlRemoteServer *server = self->engine != NULL ? sl_remote_engine_get_server (self->engine) : NULL;
  g_autofree char *host = server != NULL ? sl_remote_server_dup_host (server) : NULL;
  g_autofree char *sentence = NULL;

  gtk_widget_set_visible (GTK_WIDGET (self), server != NULL);
  if (server == NULL)
    return;
  /* Translators: a host, the name of an engine there */
  sentence = g_strdup_printf (_("Pictures and questions leave this computer: they go to %s (%s)."), host, server->name);
  gtk_label_set_label (self->label, sentence);
}

void
sl_engine_bar_set_engine (SlEngineBar    *self,
                          SlRemoteEngine *engine)
{
  g_return_if_fail (SL_IS_ENGINE_BAR (self));

  if (self->engine != NULL)
    g_signal_handlers_disconnect_by_data (self->engine, self);
  g_set_object (&self->engine, engine);
  if (engine != NULL)
    g_signal_connect_object (engine, "notify::server", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
}

void
sl_engine_bar_set_menu (SlEngineBar *self,
                        GMenuModel  *menu)
{
  g_return_if_fail (SL_IS_ENGINE_BAR (self));

  gtk_menu_button_set_menu_model (self->button, menu);
}

static void
sl_engine_bar_dispose (GObject *object)
{
  SlEngineBar *self = SL_ENGINE_BAR (object);

  g_clear_object (&self->engine);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_engine_bar_parent_class)->dispose (object);
}

static void
sl_engine_bar_class_init (SlEngineBarClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_engine_bar_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "modelbar");
}

static void
sl_engine_bar_init (SlEngineBar *self)
{
  GtkWidget *icon = gtk_image_new_from_icon_name ("network-server-symbolic");

  self->box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  self->label = GTK_LABEL (gtk_label_new (NULL));
  gtk_label_set_xalign (self->label, 0);
  gtk_label_set_wrap (self->label, TRUE);
  gtk_label_set_wrap_mode (self->label, PANGO_WRAP_WORD_CHAR);
  gtk_widget_set_hexpand (GTK_WIDGET (self->label), TRUE);
  self->button = GTK_MENU_BUTTON (gtk_menu_button_new ());
  gtk_menu_button_set_label (self->button, _("Engine"));
  gtk_widget_set_valign (GTK_WIDGET (self->button), GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (self->box), icon);
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->label));
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->button));
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  gtk_widget_set_visible (GTK_WIDGET (self), FALSE);
}
