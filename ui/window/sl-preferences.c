/* SPDX-License-Identifier: MIT
 *
 * The preferences window: its general page, bound to the settings, and the pages with a life of their own, which are classes.
 */
#include "ui/window/sl-preferences.h"

#include "app/system/sl-places.h"
#include "ui/models/sl-engine-page.h"
#include "ui/models/sl-model-page.h"
#include "ui/window/sl-diagnostics-page.h"

struct _SlPreferences
{
  AdwPreferencesWindow parent_instance;

  AdwPreferencesPage *general;
  GtkSwitch *notify, *keep_awake;
};

G_DEFINE_FINAL_TYPE (SlPreferences, sl_preferences, ADW_TYPE_PREFERENCES_WINDOW)

static void
sl_preferences_class_init (SlPreferencesClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-preferences.ui");
  gtk_widget_class_bind_template_child (widget_class, SlPreferences, general);
  gtk_widget_class_bind_template_child (widget_class, SlPreferences, notify);
  gtk_widget_class_bind_template_child (widget_class, SlPreferences, keep_awake);
}

static void
sl_preferences_init (SlPreferences *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_preferences_new (SlEngine       *engine,
                    SlModels       *models,
                    SlRemotes      *remotes,
                    SlServerSwitch *server,
                    const char     *page)
{
  SlPreferences *self = g_object_new (SL_TYPE_PREFERENCES, NULL);
  AdwPreferencesWindow *window = ADW_PREFERENCES_WINDOW (self);
  g_autoptr (GSettings) settings = sl_places_open_settings ();

  if (settings != NULL)
    {
      g_settings_bind (settings, "notify", self->notify, "active", G_SETTINGS_BIND_DEFAULT);
      g_settings_bind (settings, "keep-awake", self->keep_awake, "active", G_SETTINGS_BIND_DEFAULT);
    }
  else
    adw_preferences_window_remove (window, self->general);
  adw_preferences_window_add (window, ADW_PREFERENCES_PAGE (sl_model_page_new (engine, models, settings)));
  adw_preferences_window_add (window, ADW_PREFERENCES_PAGE (sl_engine_page_new (remotes, server)));
  adw_preferences_window_add (window, ADW_PREFERENCES_PAGE (sl_diagnostics_page_new ()));
  adw_preferences_window_set_visible_page_name (window, page);
  return GTK_WIDGET (self);
}
