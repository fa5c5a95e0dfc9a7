/* SPDX-License-Identifier: MIT
 *
 * What the subcommands of sightline-cli share: exit codes, error reporting, options that several of them take, UTF-8
 * checks of what comes from outside, cancelling with Ctrl+C, and opening the engine. Everything runs on the main thread.
 */
#pragma once

#include <gio/gio.h>
#include <jansson.h>

#include "app/system/sl-output.h"
#include "engine/vl2.h"

G_BEGIN_DECLS

/* Part of the program's contract with scripts. */
typedef enum
{
  CLI_OK = 0,
  CLI_USAGE = 2,     /* the command line makes no sense */
  CLI_INPUT = 3,     /* a model, picture, file or prompt cannot be used */
  CLI_DEVICE = 4,    /* the compute device failed, or not enough memory */
  CLI_CANCELLED = 5, /* SIGINT or SIGTERM */
} CliStatus;

typedef struct
{
  gboolean json; /* print one JSON object, errors included */
} CliOutput;

/* Prints the sentence to stderr and, with --json, {"error": {"code", "message"}} to stdout. Returns status. */
CliStatus cli_fail         (const CliOutput   *output,
                            CliStatus          status,
                            const char        *format,
                            ...) G_GNUC_PRINTF (3, 4);
CliStatus cli_fail_error   (const CliOutput   *output,
                            CliStatus          status,
                            const GError      *error);
CliStatus cli_fail_vl2     (const CliOutput   *output,
                            const vl2_error   *error);
CliStatus cli_status_of    (vl2_status         status);
/* Of an error of this program or of SlPicture, GIO and the engine's status. */
CliStatus cli_status_of_error (const GError   *error);

/* An engine's error as GError: domain CLI_ERROR, code = CliStatus. */
#define CLI_ERROR (cli_error_quark ())
GQuark    cli_error_quark  (void);
void      cli_set_error    (GError           **error,
                            CliStatus          status,
                            const char        *format,
                            ...) G_GNUC_PRINTF (3, 4);
void      cli_set_vl2      (GError           **error,
                            const vl2_error   *cause);
/* A model's files could not be read: says why, if the folder shows it (app/inference/sl-model-folder.h: only). */
void      cli_set_model_error (GError        **error,
                               const char     *dir,
                               const char     *only,
                               const vl2_error *cause);

/* {"error": {"code": 3, "message": "…"}} */
json_t   *cli_error_to_json (CliStatus         status,
                             const char       *message);

/* Prints compact JSON and a line break; takes the reference. CLI_INPUT if stdout cannot be written. */
CliStatus cli_print_json   (json_t            *value);
/* After printing text: did it all reach its destination? */
CliStatus cli_finish_stdout (const CliOutput  *output);

/* Parses with `--help` for the subcommand. Options: a NULL-terminated table; strings must be FILENAME kinds, so that bytes
 * come through as they are. FALSE with *status set: help was printed, or the usage is wrong (a sentence was printed). */
gboolean  cli_parse        (int               *argc,
                            char            ***argv,
                            const char        *parameters,
                            const char        *summary,
                            const char        *description,
                            const GOptionEntry *entries,
                            CliOutput         *output,
                            CliStatus         *status);

/* FALSE with a sentence if text is not UTF-8; what names its origin ("The prompt"). */
gboolean  cli_check_utf8   (const char        *text,
                            gssize             length,
                            const char        *what,
                            GError           **error);
/* A file's name as it was given, or the path that a file:// address stands for. */
char     *cli_dup_path     (const char        *given);
/* All of stdin, NUL-terminated. */
/* Behind the byte order mark that some editors put in front of a text. */
const char *cli_skip_mark  (const char        *text,
                            gsize             *length);
/* One line of a file of questions: a JSON object, NULL with error if it is none. */
json_t   *cli_parse_line   (const char        *text,
                            gsize              length,
                            GError           **error);
char     *cli_read_stdin   (gsize             *length,
                            GError           **error);

/* Both are set by SIGINT and SIGTERM; a second signal ends the program at once. cli_catch_signals() comes before any other
 * thread is started. */
extern vl2_cancel cli_cancel;
extern GCancellable *cli_cancellable;
void      cli_catch_signals (void);

/* What this run writes goes through here, and what it reads is noted here by whoever opens it. --force has its replace set. */
extern SlOutputs *cli_outputs;
#define CLI_FORCE_ENTRY(force) { "force", 0, 0, G_OPTION_ARG_NONE, &(force), N_("Replace a file that exists"), NULL }
/* Could path be written? Asked when everything that is read is known and before the work; path may be NULL. The sentence says
 * how to have a file replaced. */
gboolean  cli_check_output (const char        *path,
                            GError           **error);

/* The folder of the library's model of this name, or of this repository; NULL if there is none. (transfer full) */
char     *cli_find_model   (const char        *name);
/* The folder given, or what is in it where that is a hub's cache folder, or the model of that name in the library, or the bundled
 * model's. NULL with a sentence if there is none. */
char     *cli_model_dir    (const char        *given,
                            GError           **error);

typedef struct
{
  char *model;
  char *device;
  int   threads;
  int   host_layers;
  gint64 memory_limit; /* MiB; 0: what is free, -1: none */
  gboolean headers_only;
} CliEngineOptions;

void      cli_engine_options_clear (CliEngineOptions *options);

#define CLI_ENGINE_ENTRIES(o)                                                                                     \
  { "model", 'm', 0, G_OPTION_ARG_FILENAME, &(o).model, N_("Checkpoint folder (default: the bundled demo model)"), N_("DIR") }, \
  { "device", 0, 0, G_OPTION_ARG_FILENAME, &(o).device, N_("Where to compute: auto, cpu or cuda"), N_("DEVICE") }, \
  { "threads", 0, 0, G_OPTION_ARG_INT, &(o).threads, N_("CPU threads (default: physical cores)"), N_("N") }, \
  { "host-layers", 0, 0, G_OPTION_ARG_INT, &(o).host_layers,                                                \
    N_("On a GPU: keep the experts of at least the last N layers in the computer's memory"), N_("N") },     \
  { "memory-limit", 0, 0, G_OPTION_ARG_INT64, &(o).memory_limit,                                            \
    N_("Refuse a model that needs more (default: what is free; -1: no limit)"), N_("MIB") }

/* What is transparent is laid over white, in every picture of this run. */
extern gboolean cli_on_white;

#define CLI_PICTURE_ENTRIES                                                                                    \
  { "on-white", 0, 0, G_OPTION_ARG_NONE, &cli_on_white, N_("Lay transparent pictures over white"), NULL }

/* Most memory that this process has had so far, 0 where the system does not say. */
guint64   cli_peak_bytes   (void);

/* load_ms may be NULL. */
vl2_engine *cli_open_engine (const CliEngineOptions *options,
                             double                 *load_ms,
                             GError                **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (json_t, json_decref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (vl2_engine, vl2_engine_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (vl2_session, vl2_session_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (vl2_tokenizer, vl2_tokenizer_close)

/* The subcommands. argv[0] is the subcommand's name. */
CliStatus cli_ask        (int argc, char **argv);
CliStatus cli_batch      (int argc, char **argv);
CliStatus cli_document   (int argc, char **argv);
CliStatus cli_tokenize   (int argc, char **argv);
CliStatus cli_detokenize (int argc, char **argv);
CliStatus cli_preprocess (int argc, char **argv);
CliStatus cli_dump       (int argc, char **argv);
CliStatus cli_info       (int argc, char **argv);
CliStatus cli_devices    (int argc, char **argv);
CliStatus cli_verify     (int argc, char **argv);
CliStatus cli_eval       (int argc, char **argv);
CliStatus cli_history    (int argc, char **argv);
CliStatus cli_quantize   (int argc, char **argv);
/* The work of `quantize` for `models quantize`: format and vision NULL for their defaults. */
CliStatus cli_quantize_into (const CliOutput *output, const char *model, const char *out, const char *format, const char *vision);
CliStatus cli_models     (int argc, char **argv);
CliStatus cli_bench      (int argc, char **argv);
CliStatus cli_serve      (int argc, char **argv);

G_END_DECLS
