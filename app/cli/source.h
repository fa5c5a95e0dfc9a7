/* SPDX-License-Identifier: MIT
 *
 * CliSource: who answers: a model that is loaded here, or an engine on a server (--endpoint). ask, batch and eval open one and hand it to
 * cli_answer() without knowing which. One thread each; a crew of several opens a connection for each of its threads.
 */
#pragma once

#include "app/cli/cli.h"
#include "app/remote/sl-remote-client.h"

G_BEGIN_DECLS

typedef struct
{
  char *endpoint; /* an address: NULL for this computer */
  char *model;
  char *preset;
  char *boxes;    /* "SCALE ORDER" */
  char *ca_file;
  gboolean plain; /* http to another computer */
  int   timeout;  /* seconds; 0: the default */
} CliEndpointOptions;

void cli_endpoint_options_clear (CliEndpointOptions *options);

#define CLI_ENDPOINT_ENTRIES(o)                                                                                                \
  { "endpoint", 0, 0, G_OPTION_ARG_FILENAME, &(o).endpoint, N_("Ask an engine on a server: an address such as https://host:8000/v1"), \
    N_("URL") },                                                                                                               \
  { "endpoint-model", 0, 0, G_OPTION_ARG_FILENAME, &(o).model, N_("The server's name of the model (default: its only one)"), N_("M") }, \
  { "endpoint-kind", 0, 0, G_OPTION_ARG_FILENAME, &(o).preset,                                                                 \
    N_("other (default), sightline, vllm, sglang, lmdeploy or deepseek"), N_("KIND") },                                        \
  { "endpoint-boxes", 0, 0, G_OPTION_ARG_FILENAME, &(o).boxes,                                                                 \
    N_("What its boxes' numbers are: auto, 999, 1000, pixels or one; then auto, x or y for what comes first"), N_("“SCALE ORDER”") }, \
  { "endpoint-ca", 0, 0, G_OPTION_ARG_FILENAME, &(o).ca_file, N_("Certificates that its own is checked with (PEM)"), N_("FILE") },     \
  { "endpoint-plain", 0, 0, G_OPTION_ARG_NONE, &(o).plain, N_("Allow http, which everybody on the way can read"), NULL }, \
  { "endpoint-timeout", 0, 0, G_OPTION_ARG_INT, &(o).timeout, N_("Seconds of silence that end a question (default: 600)"), N_("N") }

typedef struct
{
  vl2_engine     *engine; /* or */
  vl2_session    *session;
  SlRemoteServer *server;
  SlRemoteClient *client;
  char           *key;
  SlRemoteTimeouts timeouts;
  double          load_ms;
} CliSource;

/* Loads the model, or finds the server's. session may be NULL. */
gboolean cli_source_open  (CliSource                        *self,
                           const CliEngineOptions           *engine,
                           const CliEndpointOptions         *endpoint,
                           const struct vl2_session_options *session,
                           GError                          **error);
void     cli_source_close (CliSource *self);
/* Another connection to the same server, for another thread. */
void     cli_source_clone (const CliSource *self,
                           CliSource       *out);
/* What people call the model, UTF-8. (transfer full) */
char    *cli_source_dup_model    (const CliSource *self);
/* What makes its answers comparable with earlier ones. (transfer full) */
char    *cli_source_dup_identity (const CliSource *self);

/* An error of sl_remote_client with the exit status that it means: what would hit every question is CLI_DEVICE. Takes cause. */
void     cli_set_remote   (GError **error,
                           GError  *cause);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CliSource, cli_source_close)

G_END_DECLS
