/* SPDX-License-Identifier: MIT
 *
 * The command line of `sightline-cli batch`.
 */
#include "app/cli/batch-options.h"

#include <glib/gi18n.h>

#define MOST_JOBS 256

void
cli_batch_options_clear (CliBatchOptions *options)
{
  cli_engine_options_clear (&options->engine);
  cli_endpoint_options_clear (&options->endpoint);
  g_free (options->prompt);
  g_free (options->mode);
  g_free (options->format);
  g_free (options->out);
  g_free (options->classes);
  g_strfreev (options->words);
}

gboolean
cli_batch_options_parse (CliBatchOptions    *options,
                         int         argc,
                         char      **argv,
                         CliStatus  *status)
{
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options->engine),
    CLI_ENDPOINT_ENTRIES (options->endpoint),
    { "jobs", 'j', 0, G_OPTION_ARG_INT, &options->jobs, N_("Questions that a server answers at once (default: 4)"), N_("N") },
    { "prompt", 'p', 0, G_OPTION_ARG_FILENAME, &options->prompt, N_("What to ask about each picture"), N_("PROMPT") },
    { "mode", 0, 0, G_OPTION_ARG_FILENAME, &options->mode, N_("chat, find (default) or ground"), N_("MODE") },
    { "raw", 0, 0, G_OPTION_ARG_NONE, &options->raw, N_("Special tokens in PROMPT are tokens"), NULL },
    CLI_PICTURE_ENTRIES,
    { "export", 'e', 0, G_OPTION_ARG_FILENAME, &options->format,
      N_("png, svg, pdf, crops, json (default), csv, csv-bom, coco, yolo, voc, labelme or label-studio"), N_("FORMAT") },
    { "classes", 0, 0, G_OPTION_ARG_FILENAME, &options->classes, N_("The classes of a set, one per line, in their order"), N_("FILE") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options->out, N_("The folder that is written"), N_("DIR") },
    { "again", 0, 0, G_OPTION_ARG_NONE, &options->again, N_("Start anew instead of going on"), NULL },
    CLI_FORCE_ENTRY (options->force),
    { "min-overlap", 0, 0, G_OPTION_ARG_DOUBLE, &options->min_overlap, N_("Leave out boxes whose expected overlap is less (0 to 1)"), N_("X") },
    { "recursive", 'r', 0, G_OPTION_ARG_NONE, &options->recursive, N_("Take the pictures of sub folders too"), NULL },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options->seed, N_("Random seed (default: 0)"), N_("N") },
    { "max-tokens", 0, 0, G_OPTION_ARG_INT, &options->settings.max_tokens, N_("Longest answer (default: 1024)"), N_("N") },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->words, NULL, NULL },
    { NULL },
  };

  return cli_parse (&argc, &argv, _("--prompt PROMPT --out DIR [OPTION…] PICTURE|FOLDER…"),
                    _("Asks the same about many pictures and writes the boxes as an export."),
                    _("A FOLDER stands for the pictures in it, in the order of their names. A run that was cut off goes on when "
                      "it is started again with the same prompt, model and format. A picture that cannot be read is reported "
                      "and the rest goes on.\n\n"
                      "A file of --classes has a class on each line, and behind it, after tabs, other labels that mean it; boxes with "
                      "other labels are left out. csv-bom is for spreadsheets.\n\n"
                      "Files that exist are left as they are, unless this run has made them: where one of them is in the way, the "
                      "picture is reported. --again replaces what the earlier run made, --force any file but the pictures that are "
                      "read.\n\n"
                      "Exit status: 0 ok, 2 wrong usage, 3 bad input (some pictures failed) or model, 4 device or memory, "
                      "5 cancelled."),
                    entries, &options->output, status);
}

const char *
cli_batch_options_check (CliBatchOptions        *options,
                         SlExportFormat *format)
{
  if (options->prompt == NULL)
    return _("--prompt is missing (see “sightline-cli batch --help”).");
  if (options->out == NULL)
    return _("--out is missing (see “sightline-cli batch --help”).");
  if (options->words == NULL)
    return _("There are no pictures (see “sightline-cli batch --help”).");
  if (options->mode != NULL && !sl_mode_from_nick (options->mode, &options->settings.mode))
    return _("--mode has to be chat, find or ground.");
  if (options->format != NULL && !sl_export_format_from_nick (options->format, format))
    return _("--export has to be png, svg, pdf, crops, json, csv, csv-bom, coco, yolo, voc, labelme or label-studio.");
  if (options->classes != NULL && !sl_export_format_is_set (*format))
    return _("--classes goes with coco, yolo, voc, labelme and label-studio.");
  if (!(options->min_overlap >= 0 && options->min_overlap <= 1))
    return _("--min-overlap has to lie between 0 and 1.");
  if (options->settings.max_tokens < 1)
    return _("--max-tokens has to be at least 1.");
  if (options->seed < 0)
    return _("--seed cannot be negative.");
  if (options->jobs < 1 || options->jobs > MOST_JOBS)
    return _("--jobs has to lie between 1 and 256.");

  return NULL;
}
