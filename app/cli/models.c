/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli models`: the library of downloaded models. Downloading runs on a thread; this one prints how far it is.
 */
#include "app/cli/cli.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "app/hub/sl-download.h"
#include "app/hub/sl-library.h"

#define TICK_USEC   (G_USEC_PER_SEC / 4)
#define LINE_USEC   (10 * G_USEC_PER_SEC) /* where there is no terminal */

typedef struct
{
  CliOutput output;
  char *revision, *endpoint, *dir;
  gboolean accept, discard;
  int connections, tries, timeout;
  double limit, first_wait; /* MiB per second, seconds */
} Options;

static void
options_clear (Options *self)
{
  g_free (self->revision);
  g_free (self->endpoint);
  g_free (self->dir);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

/* ------------------------------------------------------------------------------------------------ list */

static json_t *
model_to_json (const SlLibraryModel *model)
{
  g_autofree char *dir = g_filename_display_name (model->dir);
  g_autofree char *name = g_filename_display_name (model->name);

  return json_pack ("{s:s,s:s,s:s*,s:s*,s:I,s:b}", "name", name, "dir", dir, "repo", model->repo, "commit", model->commit, "bytes",
                    (json_int_t) model->bytes, "complete", !model->unfinished);
}

static CliStatus
list (const Options *options)
{
  g_autoptr(GPtrArray) models = sl_library_list ();
  json_t *array = json_array ();

  for (guint i = 0; i < models->len; i++)
    {
      const SlLibraryModel *model = models->pdata[i];
      g_autofree char *size = g_format_size (model->bytes);
      g_autofree char *name = g_filename_display_name (model->name);

      json_array_append_new (array, model_to_json (model));
      if (!options->output.json)
        printf ("%-28s %10s  %s%s\n", name, size, model->repo != NULL ? model->repo : _("not downloaded by Sightline"),
                model->unfinished ? _(" (unfinished: “models download” goes on with it)") : "");
    }
  if (!options->output.json && models->len == 0)
    {
      g_autofree char *folder = sl_library_dup_dir ();

      printf (_("There are no models in %s.\n"), folder);
    }
  if (options->output.json)
    return cli_print_json (json_pack ("{s:o}", "models", array));
  json_decref (array);
  return cli_finish_stdout (&options->output);
}

/* ------------------------------------------------------------------------------------------------ download */

typedef struct
{
  SlDownload *download;
  GError *error;
  gboolean good;
  int done; /* atomic */
} Run;

static gpointer
run_download (gpointer data)
{
  Run *run = data;

  run->good = sl_download_run (run->download, cli_cancellable, &run->error);
  g_atomic_int_set (&run->done, TRUE);
  return NULL;
}

static char *
describe (const SlDownloadProgress *p)
{
  g_autofree char *bytes = g_format_size (p->bytes);
  g_autofree char *total = g_format_size (p->total);
  g_autofree char *rate = g_format_size ((guint64) p->bytes_per_second);
  long left = p->seconds_left < 0 ? -1 : lround (p->seconds_left);

  switch (p->state)
    {
    case SL_DOWNLOAD_LISTING:
      return g_strdup (_("Looking at what there is…"));
    case SL_DOWNLOAD_WAITING:
      return g_strdup_printf (_("%s of %s. Trying again in %.0f s: %s"), bytes, total, ceil (p->wait_seconds), p->reason);
    case SL_DOWNLOAD_CHECKING:
      return g_strdup_printf (_("%s, %u of %u files verified"), total, p->files, p->total_files);
    case SL_DOWNLOAD_FETCHING:
    case SL_DOWNLOAD_DONE:
    default:
      break;
    }
  if (left < 0)
    return g_strdup_printf (_("%s of %s, %u of %u files verified"), bytes, total, p->files, p->total_files);
  return g_strdup_printf (_("%s of %s, %u of %u files verified, %s/s, %ld:%02ld:%02ld left"), bytes, total, p->files, p->total_files, rate,
                          left / 3600, left / 60 % 60, left % 60);
}

/* On a terminal one line that changes; elsewhere a line now and then. Both on stderr: stdout is for the result. */
static void
watch (Run *run)
{
  gboolean terminal = isatty (STDERR_FILENO);
  gint64 last = 0;

  while (!g_atomic_int_get (&run->done))
    {
      SlDownloadProgress progress;
      gint64 now = g_get_monotonic_time ();

      if (terminal || now - last >= LINE_USEC)
        {
          g_autofree char *text = NULL;

          sl_download_get_progress (run->download, &progress);
          text = describe (&progress);
          fprintf (stderr, terminal ? "\r\033[K%s" : "%s\n", text);
          fflush (stderr);
          last = now;
        }
      g_usleep (TICK_USEC / 5);
    }
  if (terminal)
    fprintf (stderr, "\r\033[K");
}

static CliStatus
status_of (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return CLI_CANCELLED;
  return CLI_INPUT;
}

static void
advise (const Options *options,
        const char    *repo,
        GError        *error)
{
  if (g_error_matches (error, SL_HTTP_ERROR, SL_HTTP_ERROR_ACCESS))
    {
      g_autofree char *with = g_strdup_printf (_("%s Accept the terms at %s/%s and name your token in HF_TOKEN."), error->message,
                                               options->endpoint, repo);

      g_free (error->message);
      error->message = g_steal_pointer (&with);
    }
}

static CliStatus
download (Options    *options,
          const char *repo)
{
  g_autofree char *dest = options->dir != NULL ? g_strdup (options->dir) : sl_library_dup_dest (repo);
  const SlDownloadOptions download_options = {
    .endpoint = options->endpoint,
    .repo = repo,
    .revision = options->revision,
    .dest = dest,
    .token = g_getenv ("HF_TOKEN"),
    .connections = options->connections,
    .bytes_per_second = (guint64) (options->limit * (1 << 20)),
    .tries = options->tries,
    .silence = options->timeout,
    .first_wait = options->first_wait,
  };
  g_autoptr(SlDownload) self = sl_download_new (&download_options);
  g_autofree char *name = g_filename_display_name (dest);
  Run run = { .download = self };
  gint64 start = g_get_monotonic_time ();
  SlDownloadProgress progress;
  GThread *thread = g_thread_new ("models", run_download, &run);

  watch (&run);
  g_thread_join (thread);
  if (!run.good)
    {
      g_autoptr(GError) error = run.error;

      advise (options, repo, error);
      return cli_fail_error (&options->output, status_of (error), error);
    }
  sl_download_get_progress (self, &progress);
  if (options->output.json)
    return cli_print_json (json_pack ("{s:s,s:s,s:i,s:I,s:f}", "repo", repo, "dir", name, "files", (int) progress.total_files, "bytes",
                                      (json_int_t) progress.total, "seconds", (g_get_monotonic_time () - start) / 1e6));
  printf (_("%s is in %s: every file has the hash that the hub tells.\n"), repo, name);
  return cli_finish_stdout (&options->output);
}

static CliStatus
begin_download (Options    *options,
                const char *repo)
{
  g_autoptr(GError) error = NULL;
  char *endpoint;

  if (!sl_hub_is_repo (repo))
    return cli_fail (&options->output, CLI_USAGE, _("“%s” is not the name of a repository (OWNER/NAME)."), repo);
  endpoint = sl_hub_dup_endpoint (options->endpoint, &error);
  if (endpoint == NULL)
    return cli_fail_error (&options->output, CLI_USAGE, error);
  g_free (options->endpoint);
  options->endpoint = endpoint;
  if (options->discard)
    {
      g_autofree char *dest = options->dir != NULL ? g_strdup (options->dir) : sl_library_dup_dest (repo);

      return sl_download_discard (dest, &error) ? CLI_OK : cli_fail_error (&options->output, CLI_INPUT, error);
    }
  if (!options->accept)
    return cli_fail (&options->output, CLI_USAGE,
                     _("The weights come under a licence of their publisher: read it at %s/%s. --accept-licence says that you accept it."),
                     endpoint, repo);
  return download (options, repo);
}

/* ------------------------------------------------------------------------------------------------ verify and remove */

static CliStatus
verify (const Options *options,
        const char    *name)
{
  g_autofree char *dir = sl_library_find (name);
  g_autoptr(GPtrArray) wrong = g_ptr_array_new_with_free_func (g_free);
  g_autoptr(GError) error = NULL;

  if (dir == NULL)
    return cli_fail (&options->output, CLI_INPUT, _("There is no model “%s” in the library."), name);
  if (!sl_library_verify (dir, wrong, NULL, NULL, cli_cancellable, &error))
    return cli_fail_error (&options->output, status_of (error), error);
  if (options->output.json)
    {
      json_t *array = json_array ();

      for (guint i = 0; i < wrong->len; i++)
        json_array_append_new (array, json_string (wrong->pdata[i]));
      cli_print_json (json_pack ("{s:s,s:b,s:o}", "name", name, "good", wrong->len == 0, "wrong", array));
    }
  else
    {
      for (guint i = 0; i < wrong->len; i++)
        printf ("%s\n", (const char *) wrong->pdata[i]);
      printf ("%s\n", wrong->len == 0 ? _("Every file is as it was downloaded.") : _("Not as it was downloaded."));
    }
  return wrong->len == 0 ? cli_finish_stdout (&options->output) : CLI_INPUT;
}

static CliStatus
remove_model (const Options *options,
              const char    *name)
{
  g_autofree char *dir = sl_library_find (name);
  g_autoptr(GFile) file = dir != NULL ? g_file_new_for_path (dir) : NULL;
  g_autoptr(GError) error = NULL;

  if (dir == NULL)
    return cli_fail (&options->output, CLI_INPUT, _("There is no model “%s” in the library."), name);
  if (!g_file_trash (file, cli_cancellable, &error))
    return cli_fail (&options->output, CLI_INPUT, _("“%s” cannot be put into the trash: %s."), dir, error->message);
  if (options->output.json)
    return cli_print_json (json_pack ("{s:s,s:b}", "name", name, "trashed", TRUE));
  printf (_("%s is in the trash.\n"), name);
  return cli_finish_stdout (&options->output);
}

/* ------------------------------------------------------------------------------------------------ the command */

static gboolean
check_numbers (const Options *self)
{
  return self->connections >= 0 && self->connections <= 16 && self->tries >= 0 && self->timeout >= 0 && self->limit >= 0 && self->first_wait >= 0
         && isfinite (self->limit) && isfinite (self->first_wait);
}

CliStatus
cli_models (int    argc,
            char **argv)
{
  g_auto(Options) options = { 0 };
  CliStatus status;
  const GOptionEntry entries[] = {
    { "revision", 0, 0, G_OPTION_ARG_FILENAME, &options.revision, N_("Branch, tag or commit (default: main)"), N_("REV") },
    { "endpoint", 0, 0, G_OPTION_ARG_FILENAME, &options.endpoint,
      N_("Another hub, or a mirror (default: HF_ENDPOINT, else Hugging Face)"), N_("URL") },
    { "dir", 'o', 0, G_OPTION_ARG_FILENAME, &options.dir, N_("The folder to make (default: one in the library)"), N_("DIR") },
    { "accept-licence", 0, 0, G_OPTION_ARG_NONE, &options.accept, N_("You have read the publisher's licence and accept it"), NULL },
    { "connections", 0, 0, G_OPTION_ARG_INT, &options.connections, N_("How many at once, up to 16 (default: 4)"), N_("N") },
    { "limit", 0, 0, G_OPTION_ARG_DOUBLE, &options.limit, N_("At most so many MiB per second"), N_("MIB") },
    { "tries", 0, 0, G_OPTION_ARG_INT, &options.tries, N_("Failures in a row before giving up (default: 8)"), N_("N") },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &options.timeout,
      N_("Seconds of silence after which a connection is lost (default: 30)"), N_("S") },
    { "first-wait", 0, 0, G_OPTION_ARG_DOUBLE, &options.first_wait,
      N_("Seconds before the second try; each further one waits twice as long"), N_("S") },
    { "discard", 0, 0, G_OPTION_ARG_NONE, &options.discard, N_("Delete what an unfinished download has fetched"), NULL },
    { NULL },
  };
  const char *what;

  if (!cli_parse (&argc, &argv, _("list | download OWNER/NAME | verify NAME | remove NAME"),
                  _("Downloads models, and looks after those that were."),
                  _("download fetches the files of a checkpoint, verifies each by its hash, and goes on where it ended when it is called again; "
                    "the folder is there when all of it is. A token for repositories that need one is read from HF_TOKEN and sent to the "
                    "hub's own host only. verify reads every file again. A model of the library can be named wherever a command takes "
                    "--model."),
                  entries, &options.output, &status))
    return status;
  what = argc > 1 ? argv[1] : "";
  if (!check_numbers (&options))
    return cli_fail (&options.output, CLI_USAGE, "%s",
                     _("The numbers of connections and tries, the limit and the times cannot be negative; there are at most 16 "
                       "connections."));
  if (g_str_equal (what, "list") && argc == 2)
    return list (&options);
  if (g_str_equal (what, "download") && argc == 3)
    return begin_download (&options, argv[2]);
  if (g_str_equal (what, "verify") && argc == 3)
    return verify (&options, argv[2]);
  if (g_str_equal (what, "remove") && argc == 3)
    return remove_model (&options, argv[2]);
  return cli_fail (&options.output, CLI_USAGE, "%s", _("models takes list, download OWNER/NAME, verify NAME or remove NAME."));
}
