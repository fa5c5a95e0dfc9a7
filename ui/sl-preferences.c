/* SPDX-License-Identifier: MIT
 *
 * See the header. A plain AdwPreferencesWindow with rows; no class of its own.
 */
#include "ui/sl-preferences.h"

#include <glib/gi18n.h>

static GtkWidget *
add_row (AdwPreferencesGroup *group,
         const char          *title,
         const char          *subtitle)
{
  GtkWidget *row = adw_action_row_new ();
  g_autofree char *escaped = g_markup_escape_text (subtitle ? subtitle : "", -1);

  adw_preferences_row_set_title (ADW_PREFERENCES_ROW (row), title);
  adw_action_row_set_subtitle (ADW_ACTION_ROW (row), escaped);
  adw_preferences_group_add (group, row);
  return row;
}

static void
activate_in_parent (GtkWidget  *window,
                    const char *action)
{
  GtkWindow *parent = gtk_window_get_transient_for (GTK_WINDOW (window));

  gtk_window_close (GTK_WINDOW (window));
  if (parent != NULL)
    gtk_widget_activate_action (GTK_WIDGET (parent), action, NULL);
}

static void
on_choose (GtkWidget *button)
{
  activate_in_parent (GTK_WIDGET (gtk_widget_get_root (button)), "win.choose-model");
}

static void
on_demo (GtkWidget *button)
{
  activate_in_parent (GTK_WIDGET (gtk_widget_get_root (button)), "win.demo-model");
}

static void
add_button (GtkWidget  *row,
            const char *label,
            GCallback   clicked)
{
  GtkWidget *button = gtk_button_new_with_label (label);

  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  g_signal_connect (button, "clicked", clicked, NULL);
  adw_action_row_add_suffix (ADW_ACTION_ROW (row), button);
}

static void
add_loaded (AdwPreferencesPage *page,
            SlEngine           *engine)
{
  const SlModelInfo *info = sl_engine_get_info (engine);
  GtkWidget *group = adw_preferences_group_new ();
  g_autofree char *size = NULL;
  g_autofree char *about = NULL;
  g_autofree char *where = NULL;

  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _("Loaded Model"));
  adw_preferences_page_add (page, ADW_PREFERENCES_GROUP (group));
  if (info == NULL)
    {
      add_row (ADW_PREFERENCES_GROUP (group), _("No model is loaded"), NULL);
      return;
    }
  size = g_format_size (info->weight_bytes);
  /* Translators: size of the weights, their number format, parameters in millions */
  about = g_strdup_printf (_("%s, %s, %.1f million parameters"), size, info->weight_dtype,
                           info->parameters / 1e6);
  /* Translators: device, instruction set, number of threads */
  where = g_strdup_printf (ngettext ("%s (%s), %d thread", "%s (%s), %d threads", info->threads),
                           info->device, info->isa, info->threads);
  add_row (ADW_PREFERENCES_GROUP (group), info->is_demo ? _("Demo model") : info->name, about);
  add_row (ADW_PREFERENCES_GROUP (group), _("Runs on"), where);
  g_autofree char *context = g_strdup_printf (ngettext ("%d token", "%d tokens", info->context),
                                              info->context);
  add_row (ADW_PREFERENCES_GROUP (group), _("Context"), context);
}

GtkWidget *
sl_preferences_new (SlEngine *engine,
                    SlModels *models)
{
  GtkWidget *window = adw_preferences_window_new ();
  GtkWidget *page = adw_preferences_page_new ();
  GtkWidget *group = adw_preferences_group_new ();
  const char *last = sl_models_get_last_dir (models);
  GtkWidget *row;

  adw_preferences_group_set_title (ADW_PREFERENCES_GROUP (group), _("Model at Start"));
  adw_preferences_group_set_description (
    ADW_PREFERENCES_GROUP (group),
    _("A folder with a DeepSeek-VL2 checkpoint as it is published. Nothing in it is changed."));
  row = add_row (ADW_PREFERENCES_GROUP (group), _("Model Folder"), last ? last : _("The demo model"));
  add_button (row, _("Choose…"), G_CALLBACK (on_choose));
  if (last != NULL)
    add_button (row, _("Use the Demo Model"), G_CALLBACK (on_demo));
  adw_preferences_page_add (ADW_PREFERENCES_PAGE (page), ADW_PREFERENCES_GROUP (group));
  add_loaded (ADW_PREFERENCES_PAGE (page), engine);
  adw_preferences_window_add (ADW_PREFERENCES_WINDOW (window), ADW_PREFERENCES_PAGE (page));
  adw_preferences_window_set_search_enabled (ADW_PREFERENCES_WINDOW (window), FALSE);
  gtk_window_set_modal (GTK_WINDOW (window), TRUE);
  gtk_window_set_default_size (GTK_WINDOW (window), 560, 480);
  return window;
}
