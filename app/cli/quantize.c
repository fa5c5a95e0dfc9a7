/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli quantize`: a checkpoint folder → a smaller one. The new folder is made under another name beside its place and
 * renamed when it is complete and has been opened once, so that what has the wanted name is always whole.
 */
#include "app/cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <glib/gi18n.h>
#include <glib/gstdio.h>

#define MAX_COPIED_BYTES (64 * 1024 * 1024)
#define NOTICE_NAME "CHANGES-OF-WEIGHTS.txt"

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

/* ------------------------------------------------------------------------------------------------ files beside the weights */

/* What describes a model: its settings, tokenizer, texts and licences; not its weights and not code. */
static gboolean
is_wanted (const char *name)
{
  static const char *const suffixes[] = { ".json", ".txt", ".md", ".model", ".jinja" };

  if (g_str_has_suffix (name, ".index.json") || g_str_equal (name, NOTICE_NAME))
    return FALSE;
  if (g_str_has_prefix (name, "LICENSE") || g_str_has_prefix (name, "NOTICE"))
    return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (suffixes); i++)
    if (g_str_has_suffix (name, suffixes[i]))
      return TRUE;

  return FALSE;
}

static gboolean
copy_files (const char  *from,
            const char  *to,
            GError     **error)
{
  g_autoptr(GDir) dir = g_dir_open (from, 0, error);
  const char *name;

  if (dir == NULL)
    return FALSE;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (from, name, NULL);
      g_autofree char *copy = g_build_filename (to, name, NULL);
      g_autoptr(GFile) source = g_file_new_for_path (path);
      g_autoptr(GFile) target = g_file_new_for_path (copy);
      GStatBuf info;

      if (!is_wanted (name) || g_stat (path, &info) != 0 || !S_ISREG (info.st_mode) || info.st_size > MAX_COPIED_BYTES)
        continue;
      if (!g_file_copy (source, target, G_FILE_COPY_TARGET_DEFAULT_PERMS, cli_cancellable, NULL, NULL, error))
        return FALSE;
    }

  return TRUE;
}

/* The licence of DeepSeek's weights asks that changed files say so; the safetensors file itself does, in its metadata. */
static gboolean
write_notice (const Options                    *options,
              const char                       *folder,
              const struct vl2_quantise_report *report,
              GError                          **error)
{
  g_autofree char *path = g_build_filename (folder, NOTICE_NAME, NULL);
  g_autofree char *text = g_strdup_printf (
    "The weights in this folder were changed.\n\n"
    "sightline-cli %s rounded the weights of the original model to fewer bits (format %s, vision %s) and\n"
    "wrote them as model.safetensors. Nothing was trained. Hash of the original's tensors: %s.\n\n"
    "The other files are copies of the original's. The licence of the original weights applies to these, its\n"
    "restrictions of use included: for DeepSeek-VL2 the DeepSeek Model License, which is to be handed on with them.\n",
    SIGHTLINE_VERSION, options->format, options->vision, report->source);

  return g_file_set_contents (path, text, -1, error);
}

/* ------------------------------------------------------------------------------------------------ the new folder */

static gboolean
opens (const char  *folder,
       GError     **error)
{
  g_autoptr(vl2_engine) engine = NULL;
  vl2_error cause = { 0 };
  const struct vl2_engine_options options = { .device = "cpu", .threads = 1, .memory_limit = UINT64_MAX, .cancel = &cli_cancel };

  if (vl2_engine_open (folder, &options, &engine, &cause) == VL2_OK)
    return TRUE;

  cli_set_vl2 (error, &cause);
  return FALSE;
}

static gboolean
fill_folder (const Options              *options,
             const char                 *model,
             const char                 *folder,
             struct vl2_quantise_report *report,
             GError                    **error)
{
  g_autofree char *path = g_build_filename (folder, "model.safetensors", NULL);
  Progress progress = { .start = g_get_monotonic_time (), .is_terminal = isatty (STDERR_FILENO) };
  const struct vl2_watch watch = { .cancel = &cli_cancel, .progress = on_progress, .user = &progress };
  struct vl2_quantise_options quantise = {
    .vision_int8 = g_str_equal (options->vision, "int8"),
    .threads = options->threads,
    .program = "Sightline " SIGHTLINE_VERSION,
    .watch = &watch,
  };
  vl2_error cause = { 0 };

  vl2_format_from_name (options->format, &quantise.format);
  if (vl2_quantise (model, path, &quantise, report, &cause) != VL2_OK)
    {
      cli_set_vl2 (error, &cause);
      return FALSE;
    }

  return copy_files (model, folder, error) && write_notice (options, folder, report, error) && opens (folder, error);
}

static gboolean
make_folder (const Options              *options,
             const char                 *model,
             struct vl2_quantise_report *report,
             GError                    **error)
{
  g_autofree char *partial = sl_output_folder_begin (options->out, error);

  if (partial == NULL)
    return FALSE;
  if (fill_folder (options, model, partial, report, error) && sl_output_folder_finish (partial, options->out, error))
    return TRUE;
  sl_output_folder_discard (partial);

  return FALSE;
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

static CliStatus
run (Options *options)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *model = cli_model_dir (options->model, &error);
  g_autofree char *name = g_filename_display_name (options->out);
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
  if (g_file_test (options->out, G_FILE_TEST_EXISTS) || g_file_test (options->out, G_FILE_TEST_IS_SYMLINK))
    return cli_fail (&options->output, CLI_INPUT, _("“%s” exists already."), name);
  if (!make_folder (options, model, &report, &error))
    return cli_fail_error (&options->output, cli_status_of_error (error), error);

  return print_report (options, &report, (g_get_monotonic_time () - start) / 1e6);
}

CliStatus
cli_quantize (int    argc,
              char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  vl2_format format;
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

  if (options.vision == NULL)
    options.vision = g_strdup ("bf16");

  if (argc > 1 || options.out == NULL || *options.out == '\0')
    return cli_fail (&options.output, CLI_USAGE, "%s", _("quantize needs --out DIR and takes options only."));
  if (options.format != NULL && (!vl2_format_from_name (options.format, &format) || format == VL2_FORMAT_BF16))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--format has to be mix, int8 or int4."));
  if (!g_str_equal (options.vision, "bf16") && !g_str_equal (options.vision, "int8"))
    return cli_fail (&options.output, CLI_USAGE, "%s", _("--vision has to be bf16 or int8."));
  if (options.threads < 0)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("The number of threads cannot be negative."));

  return run (&options);
}
