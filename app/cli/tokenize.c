/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli tokenize`: UTF-8 from the standard input → ids. Needs a tokenizer only, no weights.
 */
#include "app/cli/cli.h"

#include <glib/gi18n.h>

#include "app/prompt/sl-mode.h"

typedef struct
{
  CliOutput  output;
  char      *model;
  char      *markup;
  gboolean   raw;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->model);
  g_free (options->markup);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static CliStatus
print_ids (const Options *options,
           const int32_t *ids,
           gsize          n_ids,
           double         load_ms,
           double         encode_ms)
{
  if (options->output.json)
    {
      json_t *array = json_array ();

      for (gsize i = 0; i < n_ids; i++)
        json_array_append_new (array, json_integer (ids[i]));

      return cli_print_json (json_pack ("{s:o,s:I,s:f,s:f}", "ids", array, "count", (json_int_t) n_ids, "load_ms", load_ms,
                                        "encode_ms", encode_ms));
    }

  for (gsize i = 0; i < n_ids; i++)
    printf ("%s%d", i > 0 ? " " : "", ids[i]);
  putchar ('\n');

  return cli_finish_stdout (&options->output);
}

static CliStatus
run (const Options *options,
     SlMarkup       markup)
{
  static const vl2_markup levels[] = { VL2_MARKUP_NONE, VL2_MARKUP_GROUNDING, VL2_MARKUP_ALL };
  g_autoptr(GError) error = NULL;
  g_autoptr(vl2_tokenizer) tokenizer = NULL;
  g_autofree char *dir = cli_model_dir (options->model, &error);
  g_autofree char *text = NULL;
  vl2_error cause = { 0 };
  int32_t *ids = NULL;
  size_t n_ids = 0;
  gsize length;
  gint64 start, loaded;
  CliStatus status;

  text = dir != NULL ? cli_read_stdin (&length, &error) : NULL;
  if (text == NULL || !cli_check_utf8 (text, length, _("The standard input"), &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  start = g_get_monotonic_time ();
  if (vl2_tokenizer_open (dir, &tokenizer, &cause) != VL2_OK)
    {
      cli_set_model_error (&error, dir, "tokenizer", &cause);
      return cli_fail_error (&options->output, cli_status_of_error (error), error);
    }

  loaded = g_get_monotonic_time ();
  if (vl2_tokenizer_encode (tokenizer, text, length, levels[markup], &ids, &n_ids, &cause) != VL2_OK)
    return cli_fail_vl2 (&options->output, &cause);

  status = print_ids (options, ids, n_ids, (loaded - start) / 1e3, (g_get_monotonic_time () - loaded) / 1e3);
  vl2_free (ids);

  return status;
}

CliStatus
cli_tokenize (int    argc,
              char **argv)
{
  g_auto(Options) options = { 0 };
  SlMarkup markup = SL_MARKUP_NONE;
  CliStatus status;
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &options.model, N_("Checkpoint folder (default: the bundled demo model)"), N_("DIR") },
    { "markup", 0, 0, G_OPTION_ARG_FILENAME, &options.markup, N_("Special tokens that count: none (default), grounding or all"), N_("LEVEL") },
    { "raw", 0, 0, G_OPTION_ARG_NONE, &options.raw, N_("Same as --markup all"), NULL },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("[OPTION…] < TEXT"), _("Prints the token ids of the standard input."),
                  _("With --json: {\"ids\": […], \"count\": N, \"load_ms\": T, \"encode_ms\": T}. The text has to be UTF-8."),
                  entries, &options.output, &status))
    return status;

  if (argc > 1)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("tokenize reads the text from the standard input."));
  if (options.markup != NULL && !sl_markup_from_nick (options.markup, &markup))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--markup has to be none, grounding or all."));

  return run (&options, options.raw ? SL_MARKUP_ALL : markup);
}
