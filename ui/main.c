/* SPDX-License-Identifier: MIT
 *
 * Entry of the desktop application: translations, then SlApplication.
 */
#include "ui/sl-application.h"

#include <glib/gi18n.h>
#include <locale.h>

/* A program of the build folder speaks that build's languages, also where another version is installed. */
static const char *
get_locale_dir (void)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);

  return program != NULL && g_str_has_prefix (program, SL_BUILD_DIR "/") ? SL_BUILD_DIR "/po"
                                                                         : SL_LOCALE_DIR;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (SlApplication) application = NULL;

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, get_locale_dir ());
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name ("Sightline");

  application = sl_application_new ();
  return g_application_run (G_APPLICATION (application), argc, argv);
}
