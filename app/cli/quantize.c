/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli quantize` and `models quantize`: a checkpoint folder → a smaller one.
 */
#include "app/cli/cli.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "app/inference/sl-quantise.h"

typedef struct
{
  CliOutput  output;
  char      *model;
  char      *out;
  char      *format;
  char      *vision;
  int        threads;
} Options;

static void
options_clear (Options *options)
{
  g_free (options->model);
  g_free (options->out);
  g_free (options->format);
  g_free (options->vision);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

/* ------------------------------------------------------------------------------------------------ progress */

typedef struct
{
  gint64   start;
  gint64   shown;
  gboolean is_terminal;
} Progress;

/* One line that is written over, on a terminal only. */
static void
on_progress (vl2_stage stage,
             uint64_t  done,
             uint64_t  total,
             void     *user)
{
  Progress *progress = user;
  gint64 now = g_get_monotonic_time ();
  double seconds = MAX (now - progress->start, 1) / 1e6;
  double rate = done / seconds;
  g_autofree char *speed = NULL;

  if (!progress->is_terminal || (now - progress->shown < G_USEC_PER_SEC / 4 && done < total))
    return;

  progress->shown = now;
  speed = g_format_size (rate);
  fputc ('\r', stderr);
  fprintf (stderr, _("%3.0f %% of the weights, %s/s, %.0f s left   "), 100.0 * done / MAX (total, 1), speed,
           rate > 0 ? (total - done) / rate : 0.0);
  if (done == total)
    fputc ('\n', stderr);
}

/* ------------------------------------------------------------------------------------------------ the command */

static CliStatus
print_report (const Options                    *options,
              const struct vl2_quantise_report *report,
              double                            seconds)
{
  g_autofree char *out = g_filename_display_name (options->out);
  g_autofree char *before = g_format_size (report->source_bytes);
  g_autofree char *after = g_format_size (report->bytes);
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  if (options->output.json)
    return cli_print_json (json_pack ("{s:s,s:s,s:s,s:s,s:I,s:I,s:f,s:I}",
                                      "out", out,
                                      "format", options->format,
                                      "vision", options->vision,
                                      "source", report->source,
                                      "source_bytes", (json_int_t) report->source_bytes,
                                      "bytes", (json_int_t) report->bytes,
                                      "seconds", seconds,
                                      "peak_memory_bytes", (json_int_t) usage.ru_maxrss * 1024));

  printf (_("%s: %s instead of %s, in %.1f s\n"), out, after, before, seconds);
  return cli_finish_stdout (&options->output);
}

static gboolean
quantise (Options                     *options,
          const char                  *model,
          struct vl2_quantise_report  *report,
          GError                     **error)
{
  Progress progress = { .start = g_get_monotonic_time (), .is_terminal = isatty (STDERR_FILENO) };
  const struct vl2_watch watch = { .cancel = &cli_cancel, .progress = on_progress, .user = &progress };
  SlQuantiseOptions work = {
    .model = model,
    .out = options->out,
    .vision_int8 = g_str_equal (options->vision, "int8"),
    .threads = options->threads,
    .watch = &watch,
    .cancellable = cli_cancellable,
  };

  vl2_format_from_name (options->format, &work.format);
  return sl_quantise_folder (&work, report, error);
}

/* Fills in what was not said, after the usage was checked. */
static CliStatus
run (Options *options)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *model = cli_model_dir (options->model, &error);
  struct vl2_quantise_report report;
  gint64 start = g_get_monotonic_time ();

  /* A file system's or a shell's limit on sizes is reported like a full disk, instead of ending the program. */
  signal (SIGXFSZ, SIG_IGN);

  while (strlen (options->out) > 1 && g_str_has_suffix (options->out, "/"))
    options->out[strlen (options->out) - 1] = '\0';

  if (model == NULL)
    return cli_fail_error (&options->output, cli_status_of_error (error), error);
  if (options->format == NULL)
    {
      vl2_error engine_error;
      vl2_format format;

      if (vl2_format_for (model, &format, &engine_error) != VL2_OK)
        {
          cli_set_model_error (&error, model, NULL, &engine_error);
          return cli_fail_error (&options->output, cli_status_of_error (error), error);
        }
      options->format = g_strdup (vl2_format_name (format));
    }
  if (!quantise (options, model, &report, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  return print_report (options, &report, (g_get_monotonic_time () - start) / 1e6);
}

static CliStatus
check_and_run (Options *options)
{
  vl2_format format;

  if (options->vision == NULL)
    options->vision = g_strdup ("bf16");
  if (options->format != NULL && (!vl2_format_from_name (options->format, &format) || format == VL2_FORMAT_BF16))
    return cli_fail (&options->output, CLI_USAGE, "%s", _("--format has to be mix, int8 or int4."));
  if (!g_str_equal (options->vision, "bf16") && !g_str_equal (options->vision, "int8"))
    return cli_fail (&options->output, CLI_USAGE, "%s", _("--vision has to be bf16 or int8."));
  if (options->threads < 0)
    return cli_fail (&options->output, CLI_USAGE, "%s", _("The number of threads cannot be negative."));

  return run (options);
}

CliStatus
cli_quantize (int    argc,
              char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &options.model, N_("Checkpoint folder (default: the bundled demo model)"), N_("DIR") },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &options.out, N_("The folder to make"), N_("DIR") },
    { "format", 'f', 0, G_OPTION_ARG_FILENAME, &options.format,
      N_("mix, int8 or int4 (default: mix, but int8 for a model with narrow experts)"), N_("FORMAT") },
    { "vision", 0, 0, G_OPTION_ARG_FILENAME, &options.vision, N_("Weights of the vision tower: bf16 (default) or int8"), N_("TYPE") },
    { "threads", 0, 0, G_OPTION_ARG_INT, &options.threads, N_("CPU threads (default: all)"), N_("N") },
    { NULL },
  };

  if (!cli_parse (&argc, &argv, _("--out DIR [OPTION…]"), _("Writes a checkpoint with fewer bits per weight."),
                  _("mix gives the routed experts 4.5 bits per weight and every other matrix of the language model 8.5; int8 "
                    "gives all of them 8.5, int4 4.5. DIR appears when it is complete."),
                  entries, &options.output, &status))
    return status;

  if (argc > 1 || options.out == NULL || *options.out == '\0')
    return cli_fail (&options.output, CLI_USAGE, "%s", _("quantize needs --out DIR and takes options only."));

  return check_and_run (&options);
}

CliStatus
cli_quantize_into (const CliOutput *output,
                   const char      *model,
                   const char      *out,
                   const char      *format,
                   const char      *vision)
{
  g_auto(Options) options = { .output = *output };

  options.model = g_strdup (model);
  options.out = g_strdup (out);
  options.format = g_strdup (format);
  options.vision = g_strdup (vision);

  return check_and_run (&options);
}
