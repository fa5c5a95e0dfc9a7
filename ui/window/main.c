/* SPDX-License-Identifier: MIT
 *
 * Entry of the desktop application: translations, then SlApplication.
 */
#include "app/system/sl-places.h"
#include "ui/window/sl-application.h"

#include <glib/gi18n.h>
#include <locale.h>

/* GOption leaves “--” among the words where one behind it begins with a dash, and GApplication takes it for a file. With the folder
 * before it such a word is like any other. */
static char **
dup_words (char **argv)
{
  char **words = g_strdupv (argv);
  gboolean behind = FALSE;

  for (char **word = words; *word != NULL; word++)
    {
      char *given = *word;

      if (behind && *given == '-')
        {
          *word = g_strconcat ("./", given, NULL);
          g_free (given);
        }
      else if (g_str_equal (given, "--"))
        behind = TRUE;
    }

  return words;
}

int
main (int    argc,
      char **argv)
{
  g_autoptr (SlApplication) application = NULL;
  g_autofree char *locale_dir = sl_places_dup_locale_dir ();
  g_auto (GStrv) words = dup_words (argv);

  setlocale (LC_ALL, "");
  bindtextdomain (GETTEXT_PACKAGE, locale_dir);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
  g_set_application_name ("Sightline");

  application = sl_application_new ();
  return g_application_run (G_APPLICATION (application), argc, words);
}
