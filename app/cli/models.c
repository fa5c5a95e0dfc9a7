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
#include "app/hub/sl-published.h"
#include "app/inference/sl-model-folder.h"
#include "app/inference/sl-models.h"
#include "app/system/sl-diagnostics.h"

#define TICK_USEC   (G_USEC_PER_SEC / 4)
#define LINE_USEC   (10 * G_USEC_PER_SEC) /* where there is no terminal */

typedef struct
{
  CliOutput output;
  char *revision, *endpoint, *dir, *format, *vision;
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
  g_free (self->format);
  g_free (self->vision);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

/* ------------------------------------------------------------------------------------------------ list */

static const char *const places[] = { [SL_LIBRARY_OWN] = "library", [SL_LIBRARY_CACHE] = "cache", [SL_LIBRARY_FOLDER] = "folder" };

static json_t *
model_to_json (const SlLibraryModel *model)
{
  g_autofree char *dir = g_filename_display_name (model->dir);
  g_autofree char *name = g_filename_display_name (model->name);

  return json_pack ("{s:s,s:s,s:s*,s:s*,s:I,s:b,s:s,s:b}", "name", name, "dir", dir, "repo", model->repo, "commit", model->commit, "bytes",
                    (json_int_t) model->bytes, "complete", model->state == SL_LIBRARY_WHOLE, "place", places[model->place], "vanished",
                    model->state == SL_LIBRARY_VANISHED);
}

/* Where it is from, and what is the matter with it. (transfer full) */
static char *
describe_model (const SlLibraryModel *model)
{
  g_autofree char *dir = g_filename_display_name (model->dir);
  const char *from = model->repo != NULL ? model->repo : _("not downloaded by Sightline");

  if (model->state == SL_LIBRARY_VANISHED)
    return g_strdup_printf (_("%s is not there now"), dir);
  if (model->state == SL_LIBRARY_LEFTOVER)
    return g_strdup (_("left by work that was ended in the middle; “models remove” puts it into the trash"));
  if (model->state == SL_LIBRARY_UNFINISHED && model->place == SL_LIBRARY_CACHE)
    return g_strdup_printf (_("%s, not all of it is in the cache"), from);
  if (model->state == SL_LIBRARY_UNFINISHED)
    return g_strdup_printf (_("%s (unfinished: “models download” goes on with it)"), from);
  return model->place == SL_LIBRARY_OWN ? g_strdup (from) : g_strdup_printf ("%s, %s", from, dir);
}

static GPtrArray *
list_models (void)
{
  g_autoptr(SlModels) models = sl_models_new ();
  g_auto(GStrv) dirs = sl_models_dup_dirs (models);

  return sl_library_list ((const char *const *) dirs);
}

static CliStatus
list (const Options *options)
{
  g_autoptr(GPtrArray) models = list_models ();
  json_t *array = json_array ();

  for (guint i = 0; i < models->len; i++)
    {
      const SlLibraryModel *model = models->pdata[i];
      g_autofree char *size = g_format_size (model->bytes);
      g_autofree char *name = g_filename_display_name (model->name);
      g_autofree char *about = describe_model (model);

      json_array_append_new (array, model_to_json (model));
      if (!options->output.json)
        printf ("%-28s %10s  %s\n", name, size, about);
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

/* ------------------------------------------------------------------------------------------------ search */

static CliStatus
search (Options    *options,
        const char *words)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *endpoint = sl_hub_dup_endpoint (options->endpoint, &error);
  g_autoptr(SlHttp) http = endpoint != NULL ? sl_http_new (endpoint, g_getenv ("HF_TOKEN"), options->timeout) : NULL;
  g_autoptr(GPtrArray) hits = http != NULL ? sl_hub_search (http, endpoint, words, cli_cancellable, &error) : NULL;
  guint64 memory = sl_diagnostics_read_memory ("MemTotal");
  json_t *array = json_array ();

  if (hits == NULL)
    {
      json_decref (array);
      return cli_fail_error (&options->output, endpoint == NULL ? CLI_USAGE : cli_status_of_error (error), error);
    }
  for (guint i = 0; i < hits->len; i++)
    {
      const SlHubHit *hit = hits->pdata[i];
      const SlPublished *published = sl_published_find (hit->repo);
      g_autofree char *fit = published != NULL ? sl_published_dup_fit (published, memory) : g_strdup ("");

      json_array_append_new (array, json_pack ("{s:s,s:I,s:I}", "repo", hit->repo, "downloads", (json_int_t) hit->downloads, "likes",
                                               (json_int_t) hit->likes));
      if (!options->output.json)
        printf ("%-48s %9" G_GUINT64_FORMAT "  %s\n", hit->repo, hit->downloads, fit);
    }
  if (options->output.json)
    return cli_print_json (json_pack ("{s:o}", "models", array));
  json_decref (array);
  if (hits->len == 0)
    printf (_("%s has no such model.\n"), endpoint);
  return cli_finish_stdout (&options->output);
}

/* ------------------------------------------------------------------------------------------------ import and quantize */

/* The folder stays where it is. */
static CliStatus
import (Options    *options,
        const char *dir)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *path = g_canonicalize_filename (dir, NULL);
  g_autofree char *files = sl_model_folder_resolve (path);
  g_autofree char *name = sl_model_folder_dup_name (path);
  g_autofree char *shown = g_filename_display_name (name);
  g_autoptr(SlModelFolder) folder = sl_model_folder_inspect (files, &error);
  g_autoptr(SlModels) models = sl_models_new ();

  if (folder == NULL)
    return cli_fail_error (&options->output, CLI_INPUT, error);
  sl_models_add_dir (models, path);
  if (!sl_models_flush (models, &error))
    return cli_fail_error (&options->output, CLI_INPUT, error);
  if (options->output.json)
    return cli_print_json (json_pack ("{s:s,s:s}", "name", shown, "dir", folder->dir));
  printf (_("“%s” is a model of the library now; its files stay where they are.\n"), shown);
  return cli_finish_stdout (&options->output);
}

static CliStatus
quantize (Options    *options,
          const char *name)
{
  g_autofree char *model = g_file_test (name, G_FILE_TEST_IS_DIR) ? sl_model_folder_resolve (name) : cli_find_model (name);
  g_autofree char *folder = sl_library_dup_dir ();
  g_autofree char *dest = NULL;
  g_autofree char *made = NULL;
  vl2_error cause = { 0 };
  vl2_format format = VL2_FORMAT_MIX;

  if (model == NULL)
    return cli_fail (&options->output, CLI_INPUT, _("There is no model “%s” in the library."), name);
  if (options->format == NULL && vl2_format_for (model, &format, &cause) != VL2_OK)
    return cli_fail_vl2 (&options->output, &cause);
  made = sl_model_folder_dup_name (model);
  dest = g_strdup_printf ("%s/%s-%s", folder, made, options->format != NULL ? options->format : vl2_format_name (format));
  if (options->dir == NULL)
    g_mkdir_with_parents (folder, 0777);
  return cli_quantize_into (&options->output, model, options->dir != NULL ? options->dir : dest,
                            options->format != NULL ? options->format : vl2_format_name (format), options->vision);
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

/* An address says the hub, too, and may say the revision; options that were given hold. */
static gboolean
take_address (Options     *options,
              const char  *text,
              char       **repo,
              GError     **error)
{
  g_autofree char *host = NULL;
  g_autofree char *revision = NULL;
  char *endpoint;

  if (!sl_hub_parse (text, &host, repo, &revision, error))
    return FALSE;
  endpoint = sl_hub_dup_endpoint (options->endpoint != NULL ? options->endpoint : host, error);
  if (endpoint == NULL)
    return FALSE;
  g_free (options->endpoint);
  options->endpoint = endpoint;
  if (options->revision == NULL)
    options->revision = g_steal_pointer (&revision);
  return TRUE;
}

static CliStatus
begin_download (Options    *options,
                const char *text)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *repo = NULL;

  if (!take_address (options, text, &repo, &error))
    return cli_fail_error (&options->output, CLI_USAGE, error);
  if (options->discard)
    {
      g_autofree char *dest = options->dir != NULL ? g_strdup (options->dir) : sl_library_dup_dest (repo);

      return sl_download_discard (dest, &error) ? CLI_OK : cli_fail_error (&options->output, CLI_INPUT, error);
    }
  if (!options->accept)
    return cli_fail (&options->output, CLI_USAGE,
                     _("The weights come under a licence of their publisher: read it at %s/%s. --accept-licence says that you accept it."),
                     options->endpoint, repo);
  return download (options, repo);
}

/* ------------------------------------------------------------------------------------------------ verify and remove */

static CliStatus
verify (Options    *options,
        const char *name)
{
  g_autofree char *dir = g_file_test (name, G_FILE_TEST_IS_DIR) ? g_strdup (name) : cli_find_model (name);
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

static const SlLibraryModel *
find_listed (GPtrArray  *models,
             const char *name)
{
  for (guint i = 0; i < models->len; i++)
    {
      const SlLibraryModel *model = models->pdata[i];

      if (model->state != SL_LIBRARY_UNFINISHED && (g_str_equal (model->name, name) || g_strcmp0 (model->repo, name) == 0))
        return model;
    }
  return NULL;
}

/* What Sightline downloaded goes to the trash; a folder of the user's is only taken from the list, and the cache is another's. */
static CliStatus
remove_model (Options    *options,
              const char *name)
{
  g_autoptr(GPtrArray) listed = list_models ();
  const SlLibraryModel *model = find_listed (listed, name);
  g_autoptr(SlModels) models = sl_models_new ();
  g_autoptr(GFile) file = model != NULL ? g_file_new_for_path (model->dir) : NULL;
  g_autofree char *size = g_format_size (model != NULL ? model->bytes : 0);
  g_autoptr(GError) error = NULL;

  if (model == NULL)
    return cli_fail (&options->output, CLI_INPUT, _("There is no model “%s” in the library."), name);
  if (model->place == SL_LIBRARY_CACHE)
    return cli_fail (&options->output, CLI_INPUT, _("“%s” is in the cache of another program, which has to remove it."), model->dir);
  if (model->place == SL_LIBRARY_OWN && !g_file_trash (file, cli_cancellable, &error))
    return cli_fail (&options->output, CLI_INPUT, _("“%s” cannot be put into the trash: %s."), model->dir, error->message);
  sl_models_remove_dir (models, model->dir);
  if (!sl_models_flush (models, &error))
    return cli_fail_error (&options->output, CLI_INPUT, error);
  if (options->output.json)
    return cli_print_json (json_pack ("{s:s,s:b,s:I}", "name", name, "trashed", model->place == SL_LIBRARY_OWN, "bytes",
                                      (json_int_t) model->bytes));
  if (model->place == SL_LIBRARY_OWN)
    printf (_("%s is in the trash. Emptying it gives %s back.\n"), name, size);
  else
    printf (_("%s is not in the list any more; its files stay where they are.\n"), name);
  return cli_finish_stdout (&options->output);
}

/* ------------------------------------------------------------------------------------------------ the command */

static gboolean
check_numbers (const Options *self)
{
  return self->connections >= 0 && self->connections <= 16 && self->tries >= 0 && self->timeout >= 0 && self->limit >= 0 && self->first_wait >= 0
         && isfinite (self->limit) && isfinite (self->first_wait);
}

static CliStatus
dispatch (Options    *options,
          const char *what,
          const char *name)
{
  static const struct
  {
    const char *what;
    CliStatus (*run) (Options *options, const char *name);
  } commands[] = {
    { "search", search }, { "download", begin_download }, { "verify", verify }, { "import", import }, { "quantize", quantize },
    { "remove", remove_model },
  };

  if (g_str_equal (what, "list") && name == NULL)
    return list (options);
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (what, commands[i].what) && (name != NULL || commands[i].run == search))
      return commands[i].run (options, name);
  return cli_fail (&options->output, CLI_USAGE, "%s",
                   _("models takes list, search [WORDS], download OWNER/NAME, verify NAME, import DIR, quantize NAME or remove NAME."));
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
    { "format", 'f', 0, G_OPTION_ARG_FILENAME, &options.format, N_("quantize: mix, int8 or int4"), N_("FORMAT") },
    { "vision", 0, 0, G_OPTION_ARG_FILENAME, &options.vision, N_("quantize: vision tower in bf16 (default) or int8"), N_("TYPE") },
    { "discard", 0, 0, G_OPTION_ARG_NONE, &options.discard, N_("Delete what an unfinished download has fetched"), NULL },
    { NULL },
  };

  if (!cli_parse (&argc, &argv,
                  _("list | search [WORDS] | download OWNER/NAME | verify NAME | import DIR | quantize NAME | remove NAME"),
                  _("Finds and downloads models, and looks after those that are here."),
                  _("download takes OWNER/NAME or a page's address, fetches the files of a checkpoint, verifies each by its hash, and goes on "
                    "where it ended when it is called again; the folder is there when all of it is. A token for repositories that need one "
                    "is read from HF_TOKEN, or from the desktop's keyring once the hub asks for one, and sent to the hub's own host only. "
                    "list shows what was downloaded, what is in the cache of "
                    "Hugging Face's client, and folders that were imported; import leaves a folder where it is. verify reads every file "
                    "again. quantize makes NAME-FORMAT beside it in the library. A model of the library can be named wherever a command "
                    "takes --model."),
                  entries, &options.output, &status))
    return status;
  if (!check_numbers (&options))
    return cli_fail (&options.output, CLI_USAGE, "%s",
                     _("The numbers of connections and tries, the limit and the times cannot be negative; there are at most 16 "
                       "connections."));
  return dispatch (&options, argc > 1 && argc <= 3 ? argv[1] : "", argc == 3 ? argv[2] : NULL);
}
