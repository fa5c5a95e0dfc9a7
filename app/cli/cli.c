/* SPDX-License-Identifier: MIT
 *
 * See cli.h.
 */
#include "app/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <gio/gunixinputstream.h>
#include <glib/gi18n.h>

#include "app/inference/sl-model-folder.h"
#include "app/inference/sl-models.h"
#include "app/inference/sl-quantise.h"
#include "app/pictures/sl-picture.h"
#include "app/system/sl-places.h"

#define STDIN_LIMIT (256 * 1024 * 1024)

vl2_cancel cli_cancel;
GCancellable *cli_cancellable;
SlOutputs *cli_outputs;

G_DEFINE_QUARK (cli-error-quark, cli_error)

/* ------------------------------------------------------------------------------------------------ errors */

CliStatus
cli_status_of (vl2_status status)
{
  switch (status)
    {
    case VL2_OK:
      return CLI_OK;
    case VL2_ERR_USAGE:
      return CLI_USAGE;
    case VL2_ERR_DEVICE:
    case VL2_ERR_MEMORY:
      return CLI_DEVICE;
    case VL2_CANCELLED:
      return CLI_CANCELLED;
    case VL2_ERR_MODEL:
    case VL2_ERR_INPUT:
    case VL2_ERR_CONTEXT:
    case VL2_ERR_IO:
    default:
      return CLI_INPUT;
    }
}

CliStatus
cli_status_of_error (const GError *error)
{
  if (error->domain == CLI_ERROR)
    return error->code;
  if (error->domain == SL_QUANTISE_ERROR)
    return cli_status_of (error->code);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return CLI_CANCELLED;
  if (g_error_matches (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY))
    return CLI_DEVICE;

  return CLI_INPUT;
}

json_t *
cli_error_to_json (CliStatus   status,
                   const char *message)
{
  g_autofree char *valid = g_utf8_make_valid (message, -1);

  return json_pack ("{s:{s:i,s:s}}", "error", "code", (int) status, "message", valid);
}

static CliStatus
report (const CliOutput *output,
        CliStatus        status,
        const char      *message)
{
  fprintf (stderr, "sightline-cli: %s\n", message);
  if (output != NULL && output->json)
    cli_print_json (cli_error_to_json (status, message));

  return status;
}

CliStatus
cli_fail (const CliOutput *output,
          CliStatus        status,
          const char      *format,
          ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);

  return report (output, status, message);
}

CliStatus
cli_fail_error (const CliOutput *output,
                CliStatus        status,
                const GError    *error)
{
  return report (output, status, error->message);
}

CliStatus
cli_fail_vl2 (const CliOutput *output,
              const vl2_error *error)
{
  return report (output, cli_status_of (error->code), error->text);
}

void
cli_set_error (GError     **error,
               CliStatus    status,
               const char  *format,
               ...)
{
  g_autofree char *message = NULL;
  va_list args;

  va_start (args, format);
  message = g_strdup_vprintf (format, args);
  va_end (args);

  g_set_error_literal (error, CLI_ERROR, status, message);
}

void
cli_set_vl2 (GError          **error,
             const vl2_error  *cause)
{
  g_set_error_literal (error, CLI_ERROR, cli_status_of (cause->code), cause->text);
}

void
cli_set_model_error (GError          **error,
                     const char       *dir,
                     const char       *only,
                     const vl2_error  *cause)
{
  g_autofree char *reason = cause->code == VL2_ERR_IO || cause->code == VL2_ERR_MODEL ? sl_model_folder_explain (dir, only) : NULL;

  g_set_error_literal (error, CLI_ERROR, cli_status_of (cause->code), reason != NULL ? reason : cause->text);
}

/* ------------------------------------------------------------------------------------------------ in and out */

CliStatus
cli_finish_stdout (const CliOutput *output)
{
  if (fflush (stdout) != 0 || ferror (stdout))
    {
      fprintf (stderr, "sightline-cli: ");
      fprintf (stderr, _("The output cannot be written: %s."), g_strerror (errno));
      fputc ('\n', stderr);
      return CLI_INPUT;
    }

  return CLI_OK;
}

CliStatus
cli_print_json (json_t *value)
{
  CliStatus status;

  json_dumpf (value, stdout, JSON_COMPACT | JSON_REAL_PRECISION (9));
  fputc ('\n', stdout);
  status = cli_finish_stdout (NULL);
  json_decref (value);

  return status;
}

gboolean
cli_check_utf8 (const char  *text,
                gssize       length,
                const char  *what,
                GError     **error)
{
  const char *first = text;
  const char *bad = NULL;

  /* A NUL is a character like any other here. */
  while (!g_utf8_validate (text, length, &bad))
    {
      if (length < 0 || bad >= text + length || *bad != '\0')
        {
          cli_set_error (error, CLI_INPUT, _("%s is not valid UTF-8 (byte %zu)."), what, (size_t) (bad - first));
          return FALSE;
        }
      length -= bad + 1 - text;
      text = bad + 1;
    }

  return TRUE;
}

char *
cli_dup_path (const char *given)
{
  char *path = g_ascii_strncasecmp (given, "file:", 5) == 0 && !g_file_test (given, G_FILE_TEST_EXISTS)
                 ? g_filename_from_uri (given, NULL, NULL) : NULL;

  return path != NULL ? path : g_strdup (given);
}

char *
cli_read_stdin (gsize   *length,
                GError **error)
{
  g_autoptr(GInputStream) stream = g_unix_input_stream_new (STDIN_FILENO, FALSE);
  g_autoptr(GString) all = g_string_new (NULL);
  g_autoptr(GError) cause = NULL;
  char chunk[65536];
  gssize n;

  while ((n = g_input_stream_read (stream, chunk, sizeof chunk, cli_cancellable, &cause)) > 0)
    {
      if (all->len + n > STDIN_LIMIT)
        {
          cli_set_error (error, CLI_INPUT, "%s", _("The standard input is too long."));
          return NULL;
        }
      g_string_append_len (all, chunk, n);
    }

  if (n < 0)
    {
      cli_set_error (error, cli_status_of_error (cause), _("The standard input cannot be read: %s."), cause->message);
      return NULL;
    }

  *length = all->len;

  return g_string_free (g_steal_pointer (&all), FALSE);
}

/* ------------------------------------------------------------------------------------------------ lines */

const char *
cli_skip_mark (const char *text,
               gsize      *length)
{
  gboolean marked = *length >= 3 && memcmp (text, "\xef\xbb\xbf", 3) == 0;

  *length -= marked ? 3 : 0;

  return text + (marked ? 3 : 0);
}

json_t *
cli_parse_line (const char  *text,
                gsize        length,
                GError     **error)
{
  json_error_t where;
  const char *start = cli_skip_mark (text, &length);
  json_t *line = json_loadb (start, length, JSON_REJECT_DUPLICATES, &where);

  if (line == NULL)
    {
      cli_set_error (error, CLI_INPUT, _("The line is not JSON in UTF-8: %s."), where.text);
      return NULL;
    }

  if (!json_is_object (line))
    {
      json_decref (line);
      cli_set_error (error, CLI_INPUT, "%s", _("The line is not a JSON object; each line has to be one."));
      return NULL;
    }

  return line;
}

/* ------------------------------------------------------------------------------------------------ signals */

/* Signals are taken by a thread instead of a handler, which could not touch a GCancellable. */
static gpointer
watch_signals (gpointer data)
{
  sigset_t *signals = data;
  int number;

  if (sigwait (signals, &number) == 0)
    {
      cli_cancel = true;
      g_cancellable_cancel (cli_cancellable);
    }

  /* The next one finds this thread not blocking it, and its default action. */
  pthread_sigmask (SIG_UNBLOCK, signals, NULL);
  for (;;)
    pause ();

  return NULL;
}

void
cli_catch_signals (void)
{
  static sigset_t signals;

  cli_cancellable = g_cancellable_new ();
  cli_outputs = sl_outputs_new (FALSE);
  sigemptyset (&signals);
  sigaddset (&signals, SIGINT);
  sigaddset (&signals, SIGTERM);
  pthread_sigmask (SIG_BLOCK, &signals, NULL);
  g_thread_unref (g_thread_new ("signals", watch_signals, &signals));
}

gboolean
cli_check_output (const char  *path,
                  GError     **error)
{
  g_autoptr(GError) cause = NULL;

  if (path == NULL || sl_outputs_check (cli_outputs, path, &cause))
    return TRUE;

  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_EXISTS))
    cli_set_error (error, CLI_INPUT, _("%s It is replaced with --force."), cause->message);
  else
    cli_set_error (error, CLI_INPUT, "%s", cause->message);

  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ options */

gboolean
cli_parse (int                 *argc,
           char              ***argv,
           const char          *parameters,
           const char          *summary,
           const char          *description,
           const GOptionEntry  *entries,
           CliOutput           *output,
           CliStatus           *status)
{
  g_autofree char *usage = g_strconcat ((*argv)[0], " ", parameters, NULL);
  g_autoptr(GOptionContext) context = g_option_context_new (NULL);
  g_autoptr(GError) error = NULL;
  gboolean help = FALSE;
  const GOptionEntry common[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &output->json, N_("Print JSON"), NULL },
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, N_("Show this help"), NULL },
    { NULL },
  };

  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_summary (context, summary);
  g_option_context_set_description (context, description);
  g_option_context_add_main_entries (context, entries, "sightline");
  g_option_context_add_main_entries (context, common, "sightline");

  for (int i = 1; i < *argc && strcmp ((*argv)[i], "--") != 0; i++)
    output->json |= strcmp ((*argv)[i], "--json") == 0;

  if (!g_option_context_parse (context, argc, argv, &error))
    {
      g_autofree char *message = g_utf8_make_valid (error->message, -1);

      *status = cli_fail (output, CLI_USAGE, _("%s (see “sightline-cli %s --help”)"), message, (*argv)[0]);
      return FALSE;
    }

  if (help)
    {
      g_autofree char *text = g_option_context_get_help (context, TRUE, NULL);
      const char *body = strstr (text, "\n\n");

      /* Our own usage line, as GOption does not know of subcommands. */
      printf ("%s\n  sightline-cli %s\n", _("Usage:"), usage);
      fputs (body != NULL ? body + 1 : text, stdout);
      *status = cli_finish_stdout (output);
      return FALSE;
    }

  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ the engine */

gboolean cli_on_white;

char *
cli_find_model (const char *name)
{
  g_autoptr(SlModels) models = sl_models_new ();

  return sl_models_find (models, name);
}

char *
cli_model_dir (const char  *given,
               GError     **error)
{
  char *dir = given == NULL ? sl_places_dup_demo_dir () : g_file_test (given, G_FILE_TEST_EXISTS) ? NULL : cli_find_model (given);

  if (dir == NULL && given != NULL)
    dir = sl_model_folder_resolve (given);
  if (dir == NULL)
    cli_set_error (error, CLI_INPUT, "%s",
                   _("The bundled model is missing from this installation; choose one with --model DIR."));
  else
    sl_outputs_add_input (cli_outputs, dir);

  return dir;
}

/* Not getrusage(): its number begins with the program that started this one. */
guint64
cli_peak_bytes (void)
{
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL))
    return 0;
  line = strstr (status, "\nVmHWM:");

  return line != NULL ? g_ascii_strtoull (line + strlen ("\nVmHWM:"), NULL, 10) * 1024 : 0;
}

void
cli_engine_options_clear (CliEngineOptions *options)
{
  g_clear_pointer (&options->model, g_free);
  g_clear_pointer (&options->device, g_free);
}

vl2_engine *
cli_open_engine (const CliEngineOptions  *options,
                 double                  *load_ms,
                 GError                 **error)
{
  g_autofree char *dir = cli_model_dir (options->model, error);
  gint64 start = g_get_monotonic_time ();
  vl2_engine *engine = NULL;
  vl2_error cause = { 0 };
  struct vl2_engine_options engine_options = {
    .device = options->device,
    .threads = options->threads,
    .host_layers = options->host_layers,
    .cancel = &cli_cancel,
    .headers_only = options->headers_only,
    .memory_limit = options->memory_limit < 0 ? UINT64_MAX : (uint64_t) options->memory_limit << 20,
  };

  if (dir == NULL)
    return NULL;

  if (options->device != NULL && !g_str_has_prefix (options->device, "cuda:") &&
      !g_strv_contains ((const char *const[]) { "auto", "cpu", "cuda", NULL }, options->device))
    {
      cli_set_error (error, CLI_USAGE, _("“%s” is not a device; there are auto, cpu and cuda."), options->device);
      return NULL;
    }

  if (options->threads < 0)
    {
      cli_set_error (error, CLI_USAGE, "%s", _("The number of threads cannot be negative."));
      return NULL;
    }

  if (options->host_layers < 0)
    {
      cli_set_error (error, CLI_USAGE, "%s", _("The number of layers cannot be negative."));
      return NULL;
    }

  if (options->memory_limit < -1 || options->memory_limit > G_MAXINT32)
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--memory-limit has to be a number of MiB, or -1."));
      return NULL;
    }

  if (vl2_engine_open (dir, &engine_options, &engine, &cause) != VL2_OK)
    {
      cli_set_model_error (error, dir, NULL, &cause);
      return NULL;
    }

  if (load_ms != NULL)
    *load_ms = (g_get_monotonic_time () - start) / 1000.0;

  /* Of a GPU that could not take the model after all; headers alone need none. */
  if (vl2_engine_info (engine)->fallback[0] != '\0')
    g_printerr (_("The CPU computes, as the GPU could not: %s\n"), vl2_engine_info (engine)->fallback);

  return engine;
}
