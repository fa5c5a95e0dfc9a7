/* SPDX-License-Identifier: MIT
 *
 * Fills the preferences window. A plain AdwPreferencesWindow; the pages with a life of their own are classes beside it.
 */
#include "ui/window/sl-preferences.h"

#include "app/system/sl-places.h"
#include "ui/models/sl-model-page.h"
#include "ui/window/sl-diagnostics-page.h"

#include <glib/gi18n.h>

static void
add_switch (GtkWidget  *group,
            GSettings  *settings,
            const char *key,
            const char *title,
            const char *subtitle)
{
  GtkWidget *row = adw_action_row_new ();
  GtkWidget *toggle = gtk_switch_new ();

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), subtitle);
  gtk_widget_set_valign (toggle, GTK_ALIGN_CENTER);
  g_settings_bind (settings, key, toggle, "active", G_SETTINGS_BIND_DEFAULT);
  gtk_accessible_update_property (GTK_ACCESSIBLE (toggle), GTK_ACCESSIBLE_PROPERTY_LABEL, title, -1);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), toggle);
  adw_action_row_set_activatable_widget (ADW_ACTION_ROW (row), toggle);
  adw_preferences_group_add (ADW_PREFERENCES_GROUP (group), row);
}

static GtkWidget *
new_general_page (GSettings *settings)
{
  GtkWidget *page = adw_preferences_page_new ();
  GtkWidget *group = adw_preferences_group_new ();

  adw_preferences_page_set_title (ADW_PREFERENCES_PAGE (page), _("General"));
  adw_preferences_page_set_name (ADW_PREFERENCES_PAGE (page), "general");
  adw_preferences_page_set_icon_name (ADW_PREFERENCES_PAGE (page), "preferences-system-symbolic");
  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _("While Answering"));
  add_switch (group, settings, "notify", _("Notify at the End"),
              _("When an answer ends while the window is not in front"));
  add_switch (group, settings, "keep-awake", _("Stay Awake"),
              _("The computer does not suspend while an answer is made"));
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (page), ADW_PREFERENCES_GROUP (group));
  return page;
}

GtkWidget *
sl_preferences_new (SlEngine   *engine,
                    SlModels   *models,
                    const char *page)
{
  GtkWidget *window = adw_preferences_window_new ();
  g_autoptr (GSettings) settings = sl_places_open_settings ();

  if (settings != NULL)
    adw_preferences_window_add (ADW_PREFERENCES_WINDOW (window),
                                ADW_PREFERENCES_PAGE (new_general_page (settings)));
  adw_preferences_window_add (ADW_PREFERENCES_WINDOW (window),
                              ADW_PREFERENCES_PAGE (sl_model_page_new (engine, models, settings)));
  adw_preferences_window_add (ADW_PREFERENCES_WINDOW (window),
                              ADW_PREFERENCES_PAGE (sl_diagnostics_page_new ()));
  adw_preferences_window_set_visible_page_name (ADW_PREFERENCES_WINDOW (window), page);
  adw_preferences_window_set_search_enabled (ADW_PREFERENCES_WINDOW (window), FALSE);
  gtk_window_set_modal (GTK_WINDOW (window), TRUE);
  gtk_window_set_default_size (GTK_WINDOW (window), 640, 640);
  return window;
}
