/* SPDX-License-Identifier: MIT
 *
 * `sightline-cli serve`: the model as a server until a signal comes; then what is being answered ends, and a second signal ends it at
 * once. Main thread, on a main loop.
 */
#include "app/cli/cli.h"

#include <string.h>
#include <sys/resource.h>

#include <glib/gi18n.h>

#include "app/server/sl-server.h"

#define LOOK_MS 100 /* at the signals, which only set a flag */

typedef struct
{
  CliOutput        output;
  CliEngineOptions engine;
  SlServerOptions  server;
  char            *host, *key_file;
  char           **keys, **picture_dirs;
  int              port, at_once, queue, context, seconds;
} Options;

typedef struct
{
  const Options *options;
  GMainLoop *loop;
  SlEngine *engine;
  SlServer *server;
  CliStatus status;
  gboolean draining;
} Serving;

static void
options_clear (Options *options)
{
  cli_engine_options_clear (&options->engine);
  g_free (options->host);
  g_free (options->key_file);
  g_strfreev (options->keys);
  g_strfreev (options->picture_dirs);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Options, options_clear)

static const char *
describe (void)
{
  return _("Addresses: /v1/models, /v1/chat/completions, /health, /metrics. The protocol is that of OpenAI's chat completions; answers "
           "carry their boxes as “boxes”. Texts of the user may hold the grounding tokens.\n\n"
           "Without --key-file only programs of this computer are answered, and only at a loopback address. The key file has one key per "
           "line, each of at least 16 characters; what is read and kept for one key serves no other.\n\n"
           "SIGTERM or Ctrl+C takes no more questions and lets answers end; a second one ends at once.\n\n"
           "Nothing that is asked or answered is written down.");
}

static gboolean
parse (Options    *options,
       int        *argc,
       char     ***argv,
       CliStatus  *status)
{
  const GOptionEntry entries[] = {
    CLI_ENGINE_ENTRIES (options->engine),
    { "host", 0, 0, G_OPTION_ARG_FILENAME, &options->host, N_("Address to listen at (default: 127.0.0.1)"), N_("ADDRESS") },
    { "port", 0, 0, G_OPTION_ARG_INT, &options->port, N_("Port to listen at (default: 8080; 0: any that is free)"), N_("N") },
    { "key-file", 0, 0, G_OPTION_ARG_FILENAME, &options->key_file, N_("Ask for one of the keys in a file, one per line"), N_("FILE") },
    { "picture-dir", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options->picture_dirs, N_("Let requests name files below a folder"), N_("DIR") },
    { "at-once", 0, 0, G_OPTION_ARG_INT, &options->at_once, N_("Answers that go on together, 1 to 16 (default: 8)"), N_("N") },
    { "queue", 0, 0, G_OPTION_ARG_INT, &options->queue, N_("Questions that may wait beyond those (default: 64)"), N_("N") },
    { "context", 0, 0, G_OPTION_ARG_INT, &options->context, N_("Tokens of each conversation (default: the model's)"), N_("N") },
    { "time-limit", 0, 0, G_OPTION_ARG_INT, &options->seconds, N_("Seconds that an answer may take (default: 600)"), N_("N") },
    { NULL }
  };

  return cli_parse (argc, argv, NULL, _("Answer other programs, as an OpenAI-compatible server."), describe (), entries, &options->output,
                    status);
}

static gboolean
read_keys (Options  *options,
           GError  **error)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GStrvBuilder) keys = g_strv_builder_new ();

  if (options->key_file == NULL)
    return TRUE;
  if (!g_file_get_contents (options->key_file, &text, NULL, error))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    if (*g_strstrip (lines[i]) != '\0')
      g_strv_builder_add (keys, lines[i]);
  options->keys = g_strv_builder_end (keys);
  if (options->keys[0] != NULL)
    return TRUE;
  cli_set_error (error, CLI_INPUT, _("%s holds no key."), options->key_file);
  return FALSE;
}

static gboolean
resolve (Options  *options,
         GError  **error)
{
  const char *complaint = NULL;

  if (options->port < 0 || options->port > 65535)
    complaint = _("--port has to be between 0 and 65535.");
  else if (options->at_once < 1 || options->at_once > 16)
    complaint = _("--at-once has to be between 1 and 16.");
  else if (options->queue < 0 || options->context < 0 || options->seconds < 1)
    complaint = _("--queue and --context cannot be negative, and --time-limit has to be at least 1.");
  if (complaint != NULL)
    {
      cli_set_error (error, CLI_USAGE, "%s", complaint);
      return FALSE;
    }
  if (!read_keys (options, error))
    return FALSE;
  options->server.host = options->host != NULL ? options->host : "127.0.0.1";
  options->server.port = (guint16) options->port;
  options->server.keys = (const char *const *) options->keys;
  options->server.picture_dirs = (const char *const *) options->picture_dirs;
  options->server.at_once = (guint) options->at_once;
  options->server.queue = (guint) options->queue;
  options->server.context = (guint) options->context;
  options->server.seconds = (guint) options->seconds;
  return TRUE;
}

/* A connection is a file. */
static void
allow_files (void)
{
  struct rlimit limit;

  if (getrlimit (RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
}

static void
end (Serving   *serving,
     CliStatus  status)
{
  serving->status = status;
  g_main_loop_quit (serving->loop);
}

static void
start (Serving *serving)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *address = NULL;

  if (!sl_server_start (serving->server, &serving->options->server, &error))
    {
      end (serving, cli_fail_error (&serving->options->output, CLI_INPUT, error));
      return;
    }
  address = sl_server_dup_address (serving->server);
  if (serving->options->output.json)
    cli_print_json (json_pack ("{s:s}", "address", address));
  else
    {
      printf (_("Listening at %s"), address);
      putchar ('\n');
    }
  fflush (stdout);
}

static void
on_state (Serving *serving)
{
  SlEngineState state = sl_engine_get_state (serving->engine);
  g_autofree char *address = sl_server_dup_address (serving->server);

  if (state == SL_ENGINE_READY && address == NULL)
    start (serving);
  else if (state == SL_ENGINE_FAILED)
    end (serving, cli_fail (&serving->options->output, sl_engine_get_lacks_memory (serving->engine) ? CLI_DEVICE : CLI_INPUT, "%s",
                            sl_engine_get_error_text (serving->engine)));
}

static void
on_drained (Serving *serving)
{
  end (serving, CLI_OK);
}

static gboolean
on_look (gpointer data)
{
  Serving *serving = data;

  if (!serving->draining && atomic_load (&cli_cancel))
    {
      serving->draining = TRUE;
      sl_server_drain (serving->server);
    }
  return G_SOURCE_CONTINUE;
}

static CliStatus
run (const Options *options,
     const char    *dir)
{
  const SlEngineOptions engine_options = { .device = options->engine.device, .threads = options->engine.threads,
                                           .context = options->context,
                                           .memory_limit = options->engine.memory_limit < 0
                                                             ? G_MAXUINT64 : (guint64) options->engine.memory_limit << 20 };
  g_autoptr (GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr (SlEngine) engine = sl_engine_new ();
  g_autoptr (SlServer) server = sl_server_new (engine);
  Serving serving = { options, loop, engine, server, CLI_OK, FALSE };
  guint look = g_timeout_add (LOOK_MS, on_look, &serving);

  g_signal_connect_swapped (engine, "notify::state", G_CALLBACK (on_state), &serving);
  g_signal_connect_swapped (server, "drained", G_CALLBACK (on_drained), &serving);
  sl_engine_load (engine, dir, &engine_options);
  g_main_loop_run (loop);
  g_source_remove (look);
  g_signal_handlers_disconnect_by_data (engine, &serving);
  g_signal_handlers_disconnect_by_data (server, &serving);
  sl_server_stop (server);
  while (g_main_context_iteration (NULL, FALSE))
    ;
  sl_engine_shutdown (engine);
  return serving.status;
}

CliStatus
cli_serve (int    argc,
           char **argv)
{
  g_auto (Options) options = { .server = sl_server_default_options, .port = 8080, .at_once = 8, .queue = 64, .seconds = 600 };
  g_autoptr (GError) error = NULL;
  g_autofree char *dir = NULL;
  CliStatus status;

  if (!parse (&options, &argc, &argv, &status))
    return status;
  if (argc > 1)
    return cli_fail (&options.output, CLI_USAGE, "%s", _("serve takes no arguments."));
  if (!resolve (&options, &error) || (dir = cli_model_dir (options.engine.model, &error)) == NULL)
    return cli_fail_error (&options.output, cli_status_of_error (error), error);
  allow_files ();
  return run (&options, dir);
}
