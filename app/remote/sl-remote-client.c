/* SPDX-License-Identifier: MIT
 *
 * Requests over libsoup. A message is not redirected by it: a key and pictures must not go where nobody agreed to.
 */
#include "app/remote/sl-remote-client.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <jansson.h>
#include <libsoup/soup.h>

#include "app/remote/sl-sse.h"

#define USER_AGENT "Sightline/" SL_VERSION
#define BLOCK (64 * 1024)
#define BODY_LIMIT (64 * 1024 * 1024) /* of an answer in one piece, a list of models, a refusal */

struct _SlRemoteClient
{
  SoupSession *session;
  SlRemoteServer *server;
  char *authorization, *host;
  SlRemoteTimeouts timeouts;
  GError *ca_error; /* the file of certificates cannot be read */
  guint retry_after;
};

G_DEFINE_QUARK (sl-remote-error-quark, sl_remote_error)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (json_t, json_decref)

SlRemoteClient *
sl_remote_client_new (SlRemoteServer         *server,
                      const char             *key,
                      const SlRemoteTimeouts *timeouts)
{
  SlRemoteClient *self = g_new0 (SlRemoteClient, 1);

  self->server = sl_remote_server_ref (server);
  self->host = sl_remote_server_dup_host (server);
  self->timeouts.connect = timeouts != NULL && timeouts->connect > 0 ? timeouts->connect : SL_REMOTE_CONNECT;
  self->timeouts.silence = timeouts != NULL && timeouts->silence > 0 ? timeouts->silence : SL_REMOTE_SILENCE;
  self->session = soup_session_new_with_options ("timeout", self->timeouts.connect, "user-agent", USER_AGENT, NULL);
  if (key != NULL && key[0] != '\0')
    self->authorization = g_strconcat ("Bearer ", key, NULL);
  if (server->ca_file != NULL)
    {
      g_autoptr (GTlsDatabase) database = g_tls_file_database_new (server->ca_file, &self->ca_error);

      if (database != NULL)
        soup_session_set_tls_database (self->session, database);
    }
  return self;
}

void
sl_remote_client_free (SlRemoteClient *self)
{
  if (self == NULL)
    return;
  soup_session_abort (self->session);
  g_object_unref (self->session);
  sl_remote_server_unref (self->server);
  g_clear_error (&self->ca_error);
  g_free (self->authorization);
  g_free (self->host);
  g_free (self);
}

guint
sl_remote_client_get_retry_after (const SlRemoteClient *self)
{
  return self->retry_after;
}

/* ------------------------------------------------------------------------------------------------ failures */

/* Takes cause. begun: an answer had begun. */
static void
propagate (SlRemoteClient *self,
           gboolean        begun,
           gboolean        connected,
           GError         *cause,
           GError        **error)
{
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, cause);
      return;
    }
  if (cause->domain == G_TLS_ERROR && !begun)
    g_set_error (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_TLS, _("The connection to %s is not safe: %s"), self->host, cause->message);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) && !connected)
    g_set_error (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_NETWORK,
                 ngettext ("%s could not be reached within %u second.", "%s could not be reached within %u seconds.",
                           self->timeouts.connect),
                 self->host, self->timeouts.connect);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    g_set_error (error, SL_REMOTE_ERROR, begun ? SL_REMOTE_ERROR_CUT : SL_REMOTE_ERROR_NETWORK,
                 ngettext ("%s was silent for %u second.", "%s was silent for %u seconds.", self->timeouts.silence), self->host,
                 self->timeouts.silence);
  else if (begun)
    g_set_error (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_CUT, _("The connection to %s broke off in the middle of the answer: %s"),
                 self->host, cause->message);
  else
    g_set_error (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_NETWORK, _("The connection to %s failed: %s"), self->host, cause->message);
  g_error_free (cause);
}

/* Retry-After in seconds, a number or a date, no more than an hour. */
static guint
read_retry_after (SoupMessageHeaders *headers)
{
  const char *text = soup_message_headers_get_one (headers, "Retry-After");
  g_autoptr (GDateTime) date = NULL;
  gint64 seconds = 0;

  if (text != NULL && g_ascii_isdigit (text[0]))
    seconds = g_ascii_strtoll (text, NULL, 10);
  else if (text != NULL && (date = soup_date_time_new_from_http_string (text)) != NULL)
    seconds = g_date_time_to_unix (date) - g_get_real_time () / G_USEC_PER_SEC;
  return (guint) CLAMP (seconds, 0, 3600);
}

static SlRemoteError
kind_of_status (guint status)
{
  switch (status)
    {
    case SOUP_STATUS_UNAUTHORIZED:
      return SL_REMOTE_ERROR_KEY;
    case SOUP_STATUS_FORBIDDEN:
      return SL_REMOTE_ERROR_FORBIDDEN;
    case SOUP_STATUS_NOT_FOUND:
      return SL_REMOTE_ERROR_NOT_FOUND;
    case SOUP_STATUS_REQUEST_ENTITY_TOO_LARGE:
      return SL_REMOTE_ERROR_TOO_LARGE;
    case 429:
    case SOUP_STATUS_SERVICE_UNAVAILABLE:
      return SL_REMOTE_ERROR_BUSY;
    default:
      return status >= 500 ? SL_REMOTE_ERROR_SERVER : status >= 400 ? SL_REMOTE_ERROR_REFUSED : SL_REMOTE_ERROR_PROTOCOL;
    }
}

/* Our sentence for the status. (transfer full) */
static char *
dup_sentence (SlRemoteClient *self,
              SlRemoteError   kind,
              SoupMessage    *message)
{
  switch (kind)
    {
    case SL_REMOTE_ERROR_KEY:
      return g_strdup_printf (self->authorization != NULL ? _("%s does not accept the key (401)") : _("%s wants a key (401)"), self->host);
    case SL_REMOTE_ERROR_FORBIDDEN:
      return g_strdup_printf (_("%s does not allow this (403)"), self->host);
    case SL_REMOTE_ERROR_NOT_FOUND:
      return g_strdup_printf (_("%s knows neither “%s” nor perhaps the model “%s” (404)"), self->host,
                              g_uri_get_path (soup_message_get_uri (message)), self->server->model);
    case SL_REMOTE_ERROR_TOO_LARGE:
      return g_strdup_printf (_("The question with its pictures is too large for %s (413)"), self->host);
    case SL_REMOTE_ERROR_BUSY:
      return self->retry_after > 0 ? g_strdup_printf (ngettext ("%s asks to wait for %u second (%u)", "%s asks to wait for %u seconds (%u)",
                                                                self->retry_after),
                                                      self->host, self->retry_after, soup_message_get_status (message))
                                   : g_strdup_printf (_("%s has too much to do now (%u)"), self->host, soup_message_get_status (message));
    case SL_REMOTE_ERROR_REFUSED:
      return g_strdup_printf (_("%s refuses the question (%u)"), self->host, soup_message_get_status (message));
    case SL_REMOTE_ERROR_SERVER:
      return g_strdup_printf (_("%s has failed (%u)"), self->host, soup_message_get_status (message));
    default:
      return g_strdup_printf (_("%s sends this program elsewhere (%u): enter the address that it names"), self->host,
                              soup_message_get_status (message));
    }
}

static GBytes *
read_all (GInputStream  *stream,
          GCancellable  *cancellable,
          GError       **error)
{
  g_autoptr (GByteArray) all = g_byte_array_new ();
  g_autofree guint8 *block = g_malloc (BLOCK);
  gssize n;

  while ((n = g_input_stream_read (stream, block, BLOCK, cancellable, error)) > 0 && all->len < BODY_LIMIT)
    g_byte_array_append (all, block, (guint) n);
  return n < 0 ? NULL : g_bytes_new (all->data, all->len);
}

static void
set_status_error (SlRemoteClient *self,
                  SoupMessage    *message,
                  GInputStream   *stream,
                  GCancellable   *cancellable,
                  GError        **error)
{
  SlRemoteError kind = kind_of_status (soup_message_get_status (message));
  const char *location = soup_message_headers_get_one (soup_message_get_response_headers (message), "Location");
  g_autoptr (GBytes) body = read_all (stream, cancellable, NULL);
  g_autofree char *words = NULL;
  g_autofree char *sentence = NULL;

  self->retry_after = read_retry_after (soup_message_get_response_headers (message));
  sentence = dup_sentence (self, kind, message);
  if (kind == SL_REMOTE_ERROR_PROTOCOL && location != NULL)
    words = g_utf8_make_valid (location, MIN (strlen (location), 300));
  else if (body != NULL && g_bytes_get_size (body) > 0)
    words = sl_reply_dup_error (g_bytes_get_data (body, NULL), g_bytes_get_size (body));
  if (words != NULL)
    g_set_error (error, SL_REMOTE_ERROR, kind, "%s: %s", sentence, words);
  else
    g_set_error (error, SL_REMOTE_ERROR, kind, "%s.", sentence);
}

/* ------------------------------------------------------------------------------------------------ one request */

typedef struct
{
  SlRemoteClient *client;
  gboolean connected; /* also by an earlier request */
} Connecting;

/* Until a connection stands the short limit counts, from then on the long one. */
static void
on_network_event (SoupMessage        *message,
                  GSocketClientEvent  event,
                  GIOStream          *connection,
                  Connecting         *connecting)
{
  GIOStream *base = connection;

  connecting->connected = event == G_SOCKET_CLIENT_COMPLETE;
  if (!connecting->connected)
    return;
  while (base != NULL && !G_IS_SOCKET_CONNECTION (base))
    {
      GIOStream *below = NULL;

      if (G_IS_TLS_CONNECTION (base))
        g_object_get (base, "base-io-stream", &below, NULL);
      base = below;
      g_clear_object (&below); /* what is above holds it */
    }
  if (base != NULL)
    g_socket_set_timeout (g_socket_connection_get_socket (G_SOCKET_CONNECTION (base)), connecting->client->timeouts.silence);
}

/* The body of an answer that is one; NULL with error. */
static GInputStream *
send_request (SlRemoteClient  *self,
              const char      *method,
              const char      *path,
              GBytes          *body,
              SoupMessage    **message,
              GCancellable    *cancellable,
              GError         **error)
{
  g_autofree char *address = g_strconcat (self->server->address, path, NULL);
  g_autoptr (GInputStream) stream = NULL;
  Connecting connecting = { self, TRUE };
  SoupMessageHeaders *headers;
  GError *cause = NULL;
  gulong handler;

  self->retry_after = 0;
  if (self->ca_error != NULL)
    {
      g_set_error (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_TLS, _("The certificates in “%s” cannot be read: %s"), self->server->ca_file,
                   self->ca_error->message);
      return NULL;
    }
  if (!sl_remote_server_check (self->server, error))
    return NULL;
  *message = soup_message_new (method, address);
  if (*message == NULL)
    {
      g_set_error (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_PROTOCOL, _("“%s” is not an address."), address);
      return NULL;
    }
  soup_message_add_flags (*message, SOUP_MESSAGE_NO_REDIRECT);
  headers = soup_message_get_request_headers (*message);
  soup_message_headers_replace (headers, "Accept", body != NULL ? "text/event-stream, application/json" : "application/json");
  if (self->authorization != NULL)
    soup_message_headers_replace (headers, "Authorization", self->authorization);
  if (body != NULL)
    soup_message_set_request_body_from_bytes (*message, "application/json", body);
  handler = g_signal_connect (*message, "network-event", G_CALLBACK (on_network_event), &connecting);
  stream = soup_session_send (self->session, *message, cancellable, &cause);
  g_signal_handler_disconnect (*message, handler);
  if (stream == NULL)
    {
      propagate (self, FALSE, connecting.connected, cause, error);
      return NULL;
    }
  if (SOUP_STATUS_IS_SUCCESSFUL (soup_message_get_status (*message)))
    return g_steal_pointer (&stream);
  set_status_error (self, *message, stream, cancellable, error);
  return NULL;
}

char **
sl_remote_client_list_models (SlRemoteClient  *self,
                              GCancellable    *cancellable,
                              GError         **error)
{
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) stream = send_request (self, SOUP_METHOD_GET, "/models", NULL, &message, cancellable, error);
  g_autoptr (GBytes) body = NULL;
  g_autoptr (json_t) root = NULL;
  g_autoptr (GStrvBuilder) models = g_strv_builder_new ();
  GError *cause = NULL;
  json_t *data, *entry;
  gsize i;

  if (stream == NULL)
    return NULL;
  body = read_all (stream, cancellable, &cause);
  if (body == NULL)
    {
      propagate (self, FALSE, TRUE, cause, error);
      return NULL;
    }
  root = json_loadb (g_bytes_get_data (body, NULL), g_bytes_get_size (body), 0, NULL);
  data = json_object_get (root, "data");
  if (!json_is_array (data))
    {
      g_set_error (error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_PROTOCOL,
                   _("%s does not speak the OpenAI format: its list of models is none."), self->host);
      return NULL;
    }
  json_array_foreach (data, i, entry)
    if (json_is_string (json_object_get (entry, "id")))
      g_strv_builder_add (models, json_string_value (json_object_get (entry, "id")));
  return g_strv_builder_end (models);
}

/* ------------------------------------------------------------------------------------------------ an answer */

typedef struct
{
  SlRemoteClient *client;
  SlRemotePiece piece;
  gpointer user_data;
  gboolean begun, done; /* something came; the server said that it is complete */
  GError *error;
} Answer;

/* FALSE: what came is an error, which is in answer->error now. */
static gboolean
take_piece (Answer     *answer,
            const char *data,
            gsize       length)
{
  g_auto (SlReply) reply = { 0 };

  if (!sl_reply_parse (data, length, &reply, &answer->error))
    {
      answer->error->domain = SL_REMOTE_ERROR;
      answer->error->code = SL_REMOTE_ERROR_PROTOCOL;
      return FALSE;
    }
  if (reply.error != NULL)
    {
      g_set_error (&answer->error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_SERVER, _("%s has failed: %s"), answer->client->host, reply.error);
      return FALSE;
    }
  answer->begun |= reply.text != NULL || reply.reasoning != NULL;
  answer->done |= reply.stop != SL_STOP_NONE;
  answer->piece (&reply, answer->user_data);
  return TRUE;
}

static gboolean
on_event (const char *event,
          const char *data,
          gsize       length,
          gpointer    user_data)
{
  Answer *answer = user_data;

  if (strcmp (data, "[DONE]") == 0)
    {
      answer->done = TRUE;
      return FALSE;
    }
  return take_piece (answer, data, length);
}

static void
read_stream (Answer       *answer,
             GInputStream *stream,
             GCancellable *cancellable)
{
  g_autoptr (SlSse) sse = sl_sse_new (on_event, answer);
  g_autofree char *block = g_malloc (BLOCK);
  GError *cause = NULL;
  gssize n;

  while ((n = g_input_stream_read (stream, block, BLOCK, cancellable, &cause)) > 0)
    if (!sl_sse_push (sse, block, (gsize) n, answer->error == NULL ? &answer->error : NULL))
      return;
  if (n == 0)
    sl_sse_end (sse);
  else if (!answer->done || g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    propagate (answer->client, answer->begun, TRUE, cause, &answer->error);
  else
    g_error_free (cause); /* the answer was complete; how the connection ended does not matter */
}

static void
read_whole (Answer       *answer,
            GInputStream *stream,
            GCancellable *cancellable)
{
  GError *cause = NULL;
  g_autoptr (GBytes) body = read_all (stream, cancellable, &cause);

  if (body == NULL)
    propagate (answer->client, FALSE, TRUE, cause, &answer->error);
  else if (take_piece (answer, g_bytes_get_data (body, NULL), g_bytes_get_size (body)))
    answer->done = TRUE;
}

gboolean
sl_remote_client_ask (SlRemoteClient  *self,
                      GBytes          *body,
                      SlRemotePiece    piece,
                      gpointer         user_data,
                      GCancellable    *cancellable,
                      GError         **error)
{
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GInputStream) stream = send_request (self, SOUP_METHOD_POST, "/chat/completions", body, &message, cancellable, error);
  Answer answer = { .client = self, .piece = piece, .user_data = user_data };
  const char *type;

  if (stream == NULL)
    return FALSE;
  type = soup_message_headers_get_content_type (soup_message_get_response_headers (message), NULL);
  if (type != NULL && g_ascii_strcasecmp (type, "text/event-stream") == 0)
    read_stream (&answer, stream, cancellable);
  else
    read_whole (&answer, stream, cancellable);
  if (answer.error == NULL && !answer.done)
    g_set_error (&answer.error, SL_REMOTE_ERROR, SL_REMOTE_ERROR_CUT,
                 _("%s broke off without saying that the answer is complete."), self->host);
  if (answer.error == NULL)
    return TRUE;
  soup_session_abort (self->session); /* not a byte more is read, and the server sees it */
  g_propagate_error (error, answer.error);
  return FALSE;
}
