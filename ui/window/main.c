/* SPDX-License-Identifier: MIT
 *
 * Entry of the desktop application: translations, then SlApplication.
 */
#include "app/system/sl-places.h"
#include "ui/window/sl-application.h"

#include <glib/gi18n.h>
#include <locale.h>

int
main (int    argc,
      char **argv)
{
  g_autoptr (SlApplication) application = NULL;
  g_autofree char *locale_dir = sl_places_dup_locale_dir ();

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, locale_dir);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name ("Sightline");

  application = sl_application_new ();
  return g_application_run (G_APPLICATION (application), argc, argv);
}
