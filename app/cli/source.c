/* SPDX-License-Identifier: MIT
 *
 * See source.h. The key of a server comes from SIGHTLINE_API_KEY or the keyring, never from the command line, which others can read.
 */
#include "app/cli/source.h"

#include <string.h>

#include <glib/gi18n.h>

#include "app/inference/sl-model-folder.h"
#include "app/system/sl-secret.h"

void
cli_endpoint_options_clear (CliEndpointOptions *options)
{
  g_free (options->endpoint);
  g_free (options->model);
  g_free (options->preset);
  g_free (options->boxes);
  g_free (options->ca_file);
}

/* ------------------------------------------------------------------------------------------------ a server */

void
cli_set_remote (GError **error,
                GError  *cause)
{
  CliStatus status = CLI_INPUT;

  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      cli_set_error (error, CLI_CANCELLED, "%s", _("Cancelled."));
      g_error_free (cause);
      return;
    }
  if (cause->domain == SL_REMOTE_ERROR)
    switch ((SlRemoteError) cause->code)
      {
      case SL_REMOTE_ERROR_NETWORK:
      case SL_REMOTE_ERROR_TLS:
      case SL_REMOTE_ERROR_KEY:
      case SL_REMOTE_ERROR_FORBIDDEN:
      case SL_REMOTE_ERROR_NOT_FOUND:
      case SL_REMOTE_ERROR_BUSY:
      case SL_REMOTE_ERROR_PROTOCOL:
        status = CLI_DEVICE;
        break;
      case SL_REMOTE_ERROR_TOO_LARGE:
      case SL_REMOTE_ERROR_REFUSED:
      case SL_REMOTE_ERROR_SERVER:
      case SL_REMOTE_ERROR_CUT:
      default:
        break;
      }
  cli_set_error (error, status, "%s", cause->message);
  g_error_free (cause);
}

static SlRemoteServer *
describe_server (const CliEndpointOptions  *options,
                 GError                   **error)
{
  SlRemotePreset preset = SL_REMOTE_OTHER;
  g_autoptr(SlRemoteServer) server = NULL;
  g_autoptr(GError) cause = NULL;

  if (options->preset != NULL && !sl_remote_preset_from_nick (options->preset, &preset))
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--endpoint-kind has to be other, sightline, vllm, sglang, lmdeploy or deepseek."));
      return NULL;
    }
  server = sl_remote_server_new (preset);
  if (options->boxes != NULL && !sl_box_space_from_text (options->boxes, &server->space))
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--endpoint-boxes has to be a scale and an order, such as “1000 y”."));
      return NULL;
    }
  g_free (server->address);
  server->address = sl_remote_server_normalise (options->endpoint, &cause);
  server->plain_allowed = options->plain;
  server->ca_file = g_strdup (options->ca_file);
  if (server->address == NULL)
    {
      cli_set_error (error, CLI_USAGE, "%s", cause->message);
      return NULL;
    }
  if (!sl_remote_server_check (server, &cause))
    {
      cli_set_error (error, CLI_USAGE, _("%s Give --endpoint-plain if that is meant."), cause->message);
      return NULL;
    }
  g_free (server->model);
  server->model = g_strdup (options->model != NULL ? options->model : "");

  return g_steal_pointer (&server);
}

/* A keyring that does not answer is no key: the server says whether it wants one. */
static char *
find_key (const SlRemoteServer *server)
{
  const char *given = g_getenv ("SIGHTLINE_API_KEY");
  g_autofree char *host = sl_remote_server_dup_host (server);
  char *secret, *copy;

  if (given != NULL)
    return g_strdup (given);
  secret = sl_secret_lookup (SL_SECRET_ENGINE, host, cli_cancellable, NULL);
  copy = g_strdup (secret);
  sl_secret_free (secret);

  return copy;
}

/* The only one that is served, where none was named. */
static gboolean
choose_model (CliSource  *self,
              GError    **error)
{
  GError *cause = NULL;
  g_auto(GStrv) models = NULL;

  if (self->server->model[0] != '\0')
    return TRUE;
  models = sl_remote_client_list_models (self->client, cli_cancellable, &cause);
  if (models == NULL)
    {
      cli_set_remote (error, cause);
      return FALSE;
    }
  if (g_strv_length (models) != 1)
    {
      g_autofree char *names = g_strjoinv (", ", models);

      cli_set_error (error, CLI_USAGE, _("Choose one with --endpoint-model; the server has: %s."), names);
      return FALSE;
    }
  g_free (self->server->model);
  self->server->model = g_strdup (models[0]);

  return TRUE;
}

static gboolean
open_server (CliSource                 *self,
             const CliEndpointOptions  *options,
             GError                   **error)
{
  self->server = describe_server (options, error);
  if (self->server == NULL)
    return FALSE;
  if (options->timeout < 0)
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--endpoint-timeout cannot be negative."));
      return FALSE;
    }
  self->timeouts.silence = (guint) options->timeout;
  self->timeouts.connect = (guint) MIN (options->timeout, SL_REMOTE_CONNECT);
  self->key = find_key (self->server);
  self->client = sl_remote_client_new (self->server, self->key, &self->timeouts);

  return choose_model (self, error);
}

/* ------------------------------------------------------------------------------------------------ either */

gboolean
cli_source_open (CliSource                         *self,
                 const CliEngineOptions            *engine,
                 const CliEndpointOptions          *endpoint,
                 const struct vl2_session_options  *session,
                 GError                           **error)
{
  vl2_error cause = { 0 };

  if (endpoint->endpoint != NULL)
    return open_server (self, endpoint, error);
  if (endpoint->model != NULL || endpoint->preset != NULL || endpoint->boxes != NULL || endpoint->ca_file != NULL || endpoint->plain
      || endpoint->timeout != 0)
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--endpoint-… goes with --endpoint."));
      return FALSE;
    }
  self->engine = cli_open_engine (engine, &self->load_ms, error);
  if (self->engine == NULL)
    return FALSE;
  if (vl2_session_open (self->engine, session, &self->session, &cause) == VL2_OK)
    return TRUE;
  cli_set_vl2 (error, &cause);

  return FALSE;
}

void
cli_source_close (CliSource *self)
{
  g_clear_pointer (&self->session, vl2_session_close);
  g_clear_pointer (&self->engine, vl2_engine_close);
  g_clear_pointer (&self->client, sl_remote_client_free);
  g_clear_pointer (&self->server, sl_remote_server_unref);
  g_clear_pointer (&self->key, g_free);
}

void
cli_source_clone (const CliSource *self,
                  CliSource       *out)
{
  *out = (CliSource) { .server = sl_remote_server_ref (self->server), .key = g_strdup (self->key),
                       .timeouts = self->timeouts };
  out->client = sl_remote_client_new (out->server, out->key, &out->timeouts);
}

char *
cli_source_dup_model (const CliSource *self)
{
  g_autofree char *name = NULL;

  if (self->server != NULL)
    return g_strdup (self->server->model);
  name = sl_model_folder_dup_name (vl2_engine_info (self->engine)->dir);

  return g_filename_display_name (name);
}

char *
cli_source_dup_identity (const CliSource *self)
{
  char identity[48];

  if (self->server != NULL)
    {
      g_autofree char *space = sl_box_space_to_text (&self->server->space);

      return g_strdup_printf ("%s %s %s %s", self->server->address, self->server->model,
                              sl_remote_preset_get_traits (self->server->preset)->nick, space);
    }
  vl2_engine_identity (self->engine, identity);

  return g_strdup (identity);
}
