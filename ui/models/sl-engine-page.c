/* SPDX-License-Identifier: MIT
 *
 * See sl-engine-page.h. Describing one is sl-engine-dialog.c's.
 */
#include "ui/models/sl-engine-page.h"

#include "ui/models/sl-engine-dialog.h"
#include "ui/models/sl-server-group.h"

#include <glib/gi18n.h>

struct _SlEnginePage
{
  AdwPreferencesPage parent_instance;

  SlRemotes *remotes;
  AdwPreferencesGroup *list;
  GPtrArray *rows; /* borrowed */
};

G_DEFINE_FINAL_TYPE (SlEnginePage, sl_engine_page, ADW_TYPE_PREFERENCES_PAGE)

static void
toast (SlEnginePage *self,
       const char   *sentence)
{
  g_autofree char *escaped = g_markup_escape_text (sentence, -1);
  GtkWidget *window = GTK_WIDGET (gtk_widget_get_root (GTK_WIDGET (self)));

  if (ADW_IS_PREFERENCES_WINDOW (window))
    adw_preferences_window_add_toast (ADW_PREFERENCES_WINDOW (window), adw_toast_new (escaped));
}

static void
present (SlEnginePage         *self,
         const SlRemoteServer *server)
{
  GtkWidget *dialog = sl_engine_dialog_new (self->remotes, server);

  gtk_window_set_transient_for (GTK_WINDOW (dialog), GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self))));
  gtk_window_present (GTK_WINDOW (dialog));
}

static void
on_add (SlEnginePage *self)
{
  present (self, NULL);
}

static void
edit (GtkWidget  *widget,
      const char *action,
      GVariant   *id)
{
  SlEnginePage *self = SL_ENGINE_PAGE (widget);
  SlRemoteEngine *engine = sl_remotes_find (self->remotes, g_variant_get_string (id, NULL));

  if (engine != NULL)
    present (self, sl_remote_engine_get_server (engine));
}

static void
drop (GtkWidget  *widget,
      const char *action,
      GVariant   *id)
{
  SlEnginePage *self = SL_ENGINE_PAGE (widget);
  g_autoptr (GError) error = NULL;

  if (!sl_remotes_remove (self->remotes, g_variant_get_string (id, NULL), &error))
    toast (self, error->message);
}

static void
add_row (SlEnginePage         *self,
         const SlRemoteServer *server)
{
  g_autofree char *host = sl_remote_server_dup_host (server);
  g_autofree char *plain = server->model[0] != '\0' ? g_strdup_printf ("%s · %s", host, server->model) : g_strdup (host);
  g_autofree char *name = g_markup_escape_text (server->name, -1);
  g_autofree char *subtitle = g_markup_escape_text (plain, -1);
  g_autofree char *label = g_strdup_printf (_("Remove “%s”"), server->name);
  GtkWidget *row = adw_action_row_new ();
  GtkWidget *remove = gtk_button_new_from_icon_name ("user-trash-symbolic");

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), name);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  gtk_list_box_row_set_activatable (GTK_LIST_BOX_ROW (row), TRUE);
  gtk_widget_set_valign (remove, GTK_ALIGN_CENTER);
  gtk_widget_add_css_class (remove, "flat");
  gtk_widget_set_tooltip_text (remove, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (remove), GTK_ACCESSIBLE_PROPERTY_LABEL, label, -1);
  gtk_actionable_set_action_target (GTK_ACTIONABLE (row), "s", server->id);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (row), "engines.edit");
  gtk_actionable_set_action_target (GTK_ACTIONABLE (remove), "s", server->id);
  gtk_actionable_set_action_name (GTK_ACTIONABLE (remove), "engines.remove");
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), remove);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), gtk_image_new_from_icon_name ("go-next-symbolic"));
  adw_preferences_group_add (self->list, row);
  g_ptr_array_add (self->rows, row);
}

static void
fill (SlEnginePage *self)
{
  for (guint i = 0; i < self->rows->len; i++)
    adw_preferences_group_remove (self->list, self->rows->pdata[i]);
  g_ptr_array_set_size (self->rows, 0);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (self->remotes)); i++)
    {
      g_autoptr (SlRemoteEngine) engine = g_list_model_get_item (G_LIST_MODEL (self->remotes), i);

      add_row (self, sl_remote_engine_get_server (engine));
    }
}

static void
sl_engine_page_dispose (GObject *object)
{
  SlEnginePage *self = SL_ENGINE_PAGE (object);

  g_clear_object (&self->remotes);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_engine_page_parent_class)->dispose (object);
}

static void
sl_engine_page_class_init (SlEnginePageClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_engine_page_dispose;
  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-engine-page.ui");
  gtk_widget_class_bind_template_child (widget_class, SlEnginePage, list);
  gtk_widget_class_bind_template_callback (widget_class, on_add);
  gtk_widget_class_install_action (widget_class, "engines.edit", "s", edit);
  gtk_widget_class_install_action (widget_class, "engines.remove", "s", drop);
}

static void
sl_engine_page_init (SlEnginePage *self)
{
  self->rows = g_ptr_array_new ();
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_engine_page_new (SlRemotes      *remotes,
                    SlServerSwitch *server)
{
  SlEnginePage *self = g_object_new (SL_TYPE_ENGINE_PAGE, NULL);

  self->remotes = g_object_ref (remotes);
  g_signal_connect_object (remotes, "items-changed", G_CALLBACK (fill), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (remotes, "edited", G_CALLBACK (fill), self, G_CONNECT_SWAPPED);
  fill (self);
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (self), ADW_PREFERENCES_GROUP (sl_server_group_new (server)));
  return GTK_WIDGET (self);
}
