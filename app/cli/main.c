/* SPDX-License-Identifier: MIT
 *
 * sightline-cli: finds the subcommand and runs it. Everything else is in the file of the subcommand's name.
 */
#include "app/cli/cli.h"

#include <locale.h>
#include <string.h>

#include <glib/gi18n.h>

#include "app/system/sl-places.h"

static const struct
{
  const char *name;
  CliStatus (*run) (int argc, char **argv);
  const char *summary;
} commands[] = {
  { "ask", cli_ask, N_("Ask the model about pictures and stream its answer") },
  { "document", cli_document, N_("Read documents into text, with the place of every block") },
  { "batch", cli_batch, N_("Ask the same about many pictures and export the boxes") },
  { "tokenize", cli_tokenize, N_("Text from the standard input → token ids") },
  { "detokenize", cli_detokenize, N_("Token ids → text") },
  { "preprocess", cli_preprocess, N_("Pictures → the tiles that the model sees") },
  { "dump", cli_dump, N_("Write every intermediate result of a prompt") },
  { "info", cli_info, N_("Describe a checkpoint") },
  { "devices", cli_devices, N_("What this computer can compute on") },
  { "quantize", cli_quantize, N_("Write a checkpoint with fewer bits per weight") },
  { "verify", cli_verify, N_("Check a checkpoint against the published models") },
  { "eval", cli_eval, N_("Score how well a model finds things") },
  { "serve", cli_serve, N_("Answer other programs, as an OpenAI-compatible server") },
  { "models", cli_models, N_("Find and download models, and look after those that are here") },
  { "bench", cli_bench, N_("Measure how fast this computer runs a model") },
  { "history", cli_history, N_("List, export and check the conversations of the window") },
};

static void
print_help (FILE *out)
{
  fprintf (out, "%s\n  sightline-cli %s\n\n%s\n", _("Usage:"), _("COMMAND [OPTION…]"), _("Commands:"));
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (out, "  %-12s %s\n", commands[i].name, _(commands[i].summary));
  fprintf (out, "\n%s\n%s\n", _("“sightline-cli COMMAND --help” explains a command; every command takes --json."),
           _("Exit status: 0 ok, 2 wrong usage, 3 bad input or model, 4 device or memory, 5 cancelled."));
}

static void
set_up_locale (void)
{
  g_autofree char *locale_dir = sl_places_dup_locale_dir ();

  setlocale (LC_ALL, "");
  setlocale (LC_NUMERIC, "C"); /* numbers are for programs: 0.5, not 0,5 */
  bindtextdomain (GETTEXT_PACKAGE, locale_dir);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
}

int
main (int    argc,
      char **argv)
{
  set_up_locale ();
  g_set_prgname ("sightline-cli");
  cli_catch_signals ();

  if (argc < 2)
    {
      print_help (stderr);
      return CLI_USAGE;
    }

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      if (strcmp (argv[1], commands[i].name) == 0)
        return commands[i].run (argc - 1, argv + 1);
    }

  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0 || strcmp (argv[1], "help") == 0)
    {
      print_help (stdout);
      return cli_finish_stdout (NULL);
    }

  if (strcmp (argv[1], "--version") == 0)
    {
      printf ("sightline-cli %s\n", SIGHTLINE_VERSION);
      return cli_finish_stdout (NULL);
    }

  g_autofree char *name = g_utf8_make_valid (argv[1], -1);
  const CliOutput output = { .json = g_strv_contains ((const char *const *) argv, "--json") };

  return cli_fail (&output, CLI_USAGE, _("There is no command “%s” (see “sightline-cli --help”)."), name);
}
