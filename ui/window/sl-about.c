/* SPDX-License-Identifier: MIT
 *
 * Fills the About window and opens the guide. Every library that is linked or loaded is named with its licence.
 */
#include "ui/window/sl-about.h"

#include "app/system/sl-diagnostics.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#define APPLICATION_ID "io.github.sightline.Sightline"
#define WEBSITE        "https://github.com/sightline/sightline"

static const char *const developers[] = { "The Sightline authors " WEBSITE, NULL };

static const struct
{
  const char *title, *copyright;
  GtkLicense license;
} libraries[] = {
  { "GTK, GLib, Pango, GdkPixbuf", "The GNOME Project", GTK_LICENSE_LGPL_2_1 },
  { "libadwaita, GtkSourceView", "The GNOME Project", GTK_LICENSE_LGPL_2_1 },
  { "cairo", "The cairo authors", GTK_LICENSE_LGPL_2_1 },
  { "jansson", "Petri Lehtinen", GTK_LICENSE_MIT_X11 },
  { "md4c", "Martin Mitáš", GTK_LICENSE_MIT_X11 },
  { "xxHash", "Yann Collet", GTK_LICENSE_BSD },
  { "PCRE2", "University of Cambridge", GTK_LICENSE_BSD_3 },
};

static void
add_legal (AdwAboutWindow *about)
{
  for (guint i = 0; i < G_N_ELEMENTS (libraries); i++)
    adw_about_window_add_legal_section (about, libraries[i].title, libraries[i].copyright,
                                        libraries[i].license, NULL);
  adw_about_window_add_legal_section (about, "SQLite", NULL, GTK_LICENSE_CUSTOM,
                                      _("SQLite is in the public domain."));
  adw_about_window_add_legal_section (
    about, _("Models"), NULL, GTK_LICENSE_CUSTOM,
    _("The demo model is part of Sightline and has its licence. The weights of DeepSeek-VL2 are not part of "
      "Sightline: they come from DeepSeek under a licence of their own, with restrictions on their use, which "
      "Sightline shows before it uses a model for the first time."));
}

void
sl_about_show (GtkWindow *parent)
{
  g_autoptr (GPtrArray) diagnostics = sl_diagnostics_collect ();
  g_autofree char *text = sl_diagnostics_to_text (diagnostics);
  GtkWidget *about = adw_about_window_new ();

  g_object_set (about, "application-name", "Sightline", "application-icon", APPLICATION_ID, "version",
                SL_VERSION, "license-type", GTK_LICENSE_MIT_X11, "comments",
                _("Chat with your pictures and see what the model located. "
                  "Everything runs on this computer."),
                "developer-name", _("The Sightline contributors"), "developers", developers, "copyright",
                "© 2026 The Sightline authors", "website", WEBSITE, "issue-url", WEBSITE "/issues",
                "support-url", WEBSITE "/tree/main/docs/guide", "debug-info", text,
                "debug-info-filename", "sightline-diagnostics.txt", "translator-credits",
                _("translator-credits"), NULL);
  add_legal (ADW_ABOUT_WINDOW (about));
  gtk_window_set_transient_for (GTK_WINDOW (about), parent);
  gtk_window_set_modal (GTK_WINDOW (about), parent != NULL);
  gtk_window_present (GTK_WINDOW (about));
}

void
sl_about_show_guide (GtkWindow  *parent,
                     const char *page)
{
  const char *const *languages = g_get_language_names ();
  const char *folder = g_str_has_prefix (languages[0], "zh") ? "zh_CN" : "en";
  g_autofree char *uri =
    g_strdup_printf (WEBSITE "/blob/main/docs/guide/%s/%s.md", folder, page ? page : "README");

  gtk_show_uri (parent, uri, GDK_CURRENT_TIME);
}
