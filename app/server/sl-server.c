/* SPDX-License-Identifier: MIT
 *
 * Listening, and who is let in: addresses, connections, keys, sizes and times. Everything on the server's thread.
 */
#include "app/server/sl-server-private.h"

#include <string.h>
#include <sys/socket.h>

#include <glib/gi18n-lib.h>

#define REQUEST_SECONDS 30 /* from the beginning of a connection to the last byte of its request */
#define RETRY_SECONDS "2"
#define BACKLOG 1024
#define KERNEL_BYTES (128 * 1024) /* of an answer that is not read yet; Linux takes twice as much */

enum { DRAINED, CHANGED, N_SIGNALS };

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlServer, sl_server, G_TYPE_OBJECT)

const SlServerOptions sl_server_default_options = { .host = "127.0.0.1", .at_once = 8, .queue = 64, .body_bytes = 48 << 20,
                                                    .pixels = 64000000, .pictures = 16, .seconds = 600, .connections = 2048 };

static void
sl_server_dispose (GObject *object)
{
  SlServer *self = SL_SERVER (object);

  sl_server_stop (self);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (sl_server_parent_class)->dispose (object);
}

static void
sl_server_finalize (GObject *object)
{
  SlServer *self = SL_SERVER (object);

  if (self->decoders != NULL)
    g_thread_pool_free (self->decoders, FALSE, TRUE);
  g_ptr_array_unref (self->exchanges);
  g_main_context_unref (self->context);
  g_free (self->host);
  g_strfreev (self->keys);
  g_strfreev (self->picture_dirs);
  G_OBJECT_CLASS (sl_server_parent_class)->finalize (object);
}

static void
sl_server_class_init (SlServerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = sl_server_dispose;
  object_class->finalize = sl_server_finalize;
  signals[CHANGED] = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[DRAINED] = g_signal_new ("drained", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_server_init (SlServer *self)
{
  self->context = g_main_context_ref_thread_default ();
  self->exchanges = g_ptr_array_new ();
}

SlServer *
sl_server_new (SlEngine *engine)
{
  SlServer *self = g_object_new (SL_TYPE_SERVER, NULL);

  self->engine = g_object_ref (engine);
  return self;
}

/* ------------------------------------------------------------------------------------------------ responses */

void
sl_server_respond_json (SoupServerMessage *message,
                        guint              status,
                        char              *json)
{
  soup_server_message_set_status (message, status, NULL);
  soup_server_message_set_response (message, "application/json", SOUP_MEMORY_TAKE, json, strlen (json));
}

void
sl_server_respond_error (SoupServerMessage *message,
                         const SlChatError *error)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  sl_server_respond_json (message, error->status, sl_chat_error_dup_json (error));
  if (error->status == 429 || error->status == 503)
    soup_message_headers_replace (headers, "Retry-After", RETRY_SECONDS);
  if (error->status == 401)
    soup_message_headers_replace (headers, "WWW-Authenticate", "Bearer");
}

static void
refuse (SlServer          *self,
        SoupServerMessage *message,
        guint              status,
        const char        *code,
        const char        *sentence)
{
  SlChatError error = { 0 };

  self->counts.refused += status < 500;
  self->counts.busy += status == 503;
  sl_chat_error_set (&error, status, code, NULL, "%s", sentence);
  sl_server_respond_error (message, &error);
  sl_chat_error_clear (&error);
}

/* ------------------------------------------------------------------------------------------------ keys */

static void
digest (const char *text,
        guint8      out[32])
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize length = 32;

  g_checksum_update (sum, (const guchar *) text, strlen (text));
  g_checksum_get_digest (sum, out, &length);
}

/* The place of the key that was shown, -1: none. Every key is compared to its end, whichever fits: how long it takes says nothing. */
static int
find_key (SlServer   *self,
          const char *shown)
{
  guint8 mine[32], theirs[32];
  int found = -1;

  digest (shown, theirs);
  for (int i = 0; self->keys[i] != NULL; i++)
    {
      volatile guint8 differs = 0;

      digest (self->keys[i], mine);
      for (int j = 0; j < 32; j++)
        differs |= mine[j] ^ theirs[j];
      if (differs == 0)
        found = i;
    }
  return found;
}

/* Fills room, the name of what this client may share. FALSE: it has been refused. */
static gboolean
check_key (SlServer          *self,
           SoupServerMessage *message,
           char               room[16])
{
  const char *header = soup_message_headers_get_one (soup_server_message_get_request_headers (message), "Authorization");
  int key = -1;

  g_strlcpy (room, "", 16);
  if (self->keys == NULL)
    return TRUE;
  if (header != NULL && g_ascii_strncasecmp (header, "Bearer ", 7) == 0)
    key = find_key (self, header + 7);
  if (key < 0)
    refuse (self, message, 401, "invalid_api_key", _("A key is needed in the Authorization header, and this is none of them."));
  g_snprintf (room, 16, "%d", key);
  return key >= 0;
}

static gboolean
is_loopback (const char *host)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (host);

  return address != NULL && g_inet_address_get_is_loopback (address);
}

/* Without a key, a page in a browser must not get here: under a name of its own that resolves to this computer, or by a form. */
static gboolean
check_origin (SlServer          *self,
              SoupServerMessage *message)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  GUri *uri = soup_server_message_get_uri (message);
  const char *host = uri != NULL ? g_uri_get_host (uri) : NULL;
  gboolean good = host != NULL && (is_loopback (host) || g_ascii_strcasecmp (host, "localhost") == 0 || strcmp (host, self->host) == 0);

  if (self->keys == NULL && (!good || soup_message_headers_get_one (headers, "Origin") != NULL))
    {
      refuse (self, message, 403, NULL, _("Without a key, only programs of this computer are answered, and no web pages."));
      return FALSE;
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ routes */

static gboolean
is_method (SlServer          *self,
           SoupServerMessage *message,
           const char        *method)
{
  if (strcmp (soup_server_message_get_method (message), method) == 0)
    return TRUE;
  soup_message_headers_replace (soup_server_message_get_response_headers (message), "Allow", method);
  refuse (self, message, 405, NULL, _("This address has another method."));
  return FALSE;
}

static void
respond_models (SlServer          *self,
                SoupServerMessage *message)
{
  const SlModelInfo *info = sl_engine_get_info (self->engine);
  GString *json = g_string_new ("{\"object\":\"list\",\"data\":[");

  if (info != NULL)
    {
      g_autofree char *name = g_strescape (info->name, NULL);
      guint context = self->options.context > 0 ? MIN (self->options.context, (guint) info->context) : (guint) info->context;

      g_string_append_printf (json, "{\"id\":\"%s\",\"object\":\"model\",\"created\":0,\"owned_by\":\"sightline\",\"max_model_len\":%u}",
                              name, context);
    }
  g_string_append (json, "]}");
  sl_server_respond_json (message, 200, g_string_free (json, FALSE));
}

static void
respond_health (SlServer          *self,
                SoupServerMessage *message)
{
  SlEngineState state = sl_engine_get_state (self->engine);
  gboolean good = state == SL_ENGINE_READY && !self->draining;

  sl_server_respond_json (message, good ? 200 : 503,
                          g_strdup_printf ("{\"status\":\"%s\"}", self->draining ? "stopping" : state == SL_ENGINE_READY ? "ok"
                                                                  : state == SL_ENGINE_LOADING ? "loading" : "no model"));
}

static void
respond_metrics (SlServer          *self,
                 SoupServerMessage *message)
{
  char *text = sl_server_dup_metrics (self);

  soup_server_message_set_status (message, SOUP_STATUS_OK, NULL);
  soup_server_message_set_response (message, "text/plain; version=0.0.4", SOUP_MEMORY_TAKE, text, strlen (text));
}

/* Whose turn it is: a key at an address. */
static guint64
client_of (SoupServerMessage *message,
           const char        *room)
{
  const char *host = soup_server_message_get_remote_host (message);
  g_autofree char *name = g_strdup_printf ("%s %s", room, host != NULL ? host : "");

  return g_str_hash (name);
}

static void
respond_chat (SlServer          *self,
              SoupServerMessage *message,
              const char        *room)
{
  SoupMessageHeaders *headers = soup_server_message_get_request_headers (message);
  const char *type = soup_message_headers_get_content_type (headers, NULL);

  if (g_object_get_data (G_OBJECT (message), "sl-server-too-large") != NULL)
    {
      g_autofree char *sentence = g_strdup_printf (_("The body has more than %zu bytes."), self->options.body_bytes);

      refuse (self, message, 413, NULL, sentence);
    }
  else if (type == NULL || g_ascii_strcasecmp (type, "application/json") != 0)
    refuse (self, message, 415, NULL, _("The body has to be of the type application/json."));
  else if (self->draining)
    refuse (self, message, 503, NULL, _("The server is being stopped."));
  else
    sl_server_chat (self, message, room, client_of (message, room));
}

static void
on_request (SoupServer        *soup,
            SoupServerMessage *message,
            const char        *path,
            GHashTable        *query,
            gpointer           data)
{
  SlServer *self = data;
  char room[16];

  /* libsoup 3.2 neither tells of a second request of a connection when it begins, nor sees the end of one that waits for it. */
  soup_message_headers_replace (soup_server_message_get_response_headers (message), "Connection", "close");
  if (!check_origin (self, message))
    return;
  if (strcmp (path, "/health") == 0)
    {
      if (is_method (self, message, "GET"))
        respond_health (self, message);
      return;
    }
  if (!check_key (self, message, room))
    return;
  if (strcmp (path, "/metrics") == 0)
    {
      if (is_method (self, message, "GET"))
        respond_metrics (self, message);
    }
  else if (strcmp (path, "/v1/models") == 0)
    {
      if (is_method (self, message, "GET"))
        respond_models (self, message);
    }
  else if (strcmp (path, "/v1/chat/completions") == 0)
    {
      if (is_method (self, message, "POST"))
        respond_chat (self, message, room);
    }
  else
    refuse (self, message, 404, NULL, _("There is nothing at this address."));
}

/* ------------------------------------------------------------------------------------------------ connections */

/* A connection has one message. Its socket would not do: libsoup 3.2 does not give it back. */
static void
on_message_gone (gpointer  data,
                 GObject  *message)
{
  SlServer *self = data;

  self->n_connections--;
  g_object_unref (self);
}

static gboolean
on_request_late (gpointer data)
{
  GSocket *socket = soup_server_message_get_socket (data);

  if (socket != NULL)
    g_socket_shutdown (socket, TRUE, TRUE, NULL);
  g_object_set_data (data, "sl-server-timer", NULL);
  return G_SOURCE_REMOVE;
}

static void
remove_timer (gpointer data)
{
  GSource *source = data;

  g_source_destroy (source);
  g_source_unref (source);
}

static void
drop_body (SoupServerMessage *message)
{
  SoupMessageBody *body = soup_server_message_get_request_body (message);

  g_object_set_data (G_OBJECT (message), "sl-server-too-large", GINT_TO_POINTER (1));
  soup_message_body_set_accumulate (body, FALSE);
  soup_message_body_truncate (body);
}

static void
on_got_headers (SoupServerMessage *message,
                SlServer          *self)
{
  goffset length = soup_message_headers_get_content_length (soup_server_message_get_request_headers (message));

  if (length > 0 && (guint64) length > self->options.body_bytes)
    drop_body (message);
}

static void
on_got_chunk (SoupServerMessage *message,
              GBytes            *chunk,
              SlServer          *self)
{
  gsize *received = g_object_get_data (G_OBJECT (message), "sl-server-received");

  if (received == NULL)
    {
      received = g_new0 (gsize, 1);
      g_object_set_data_full (G_OBJECT (message), "sl-server-received", received, g_free);
    }
  *received += g_bytes_get_size (chunk);
  if (*received > self->options.body_bytes && g_object_get_data (G_OBJECT (message), "sl-server-too-large") == NULL)
    drop_body (message);
}

static void
on_got_body (SoupServerMessage *message,
             SlServer          *self)
{
  g_object_set_data (G_OBJECT (message), "sl-server-timer", NULL);
}

static void
on_request_started (SoupServer        *soup,
                    SoupServerMessage *message,
                    SlServer          *self)
{
  GSocket *socket = soup_server_message_get_socket (message);
  GSource *timer = g_timeout_source_new_seconds (REQUEST_SECONDS);

  g_source_set_callback (timer, on_request_late, message, NULL);
  g_source_attach (timer, self->context);
  g_object_set_data_full (G_OBJECT (message), "sl-server-timer", timer, remove_timer);
  g_signal_connect_object (message, "got-headers", G_CALLBACK (on_got_headers), self, 0);
  g_signal_connect_object (message, "got-chunk", G_CALLBACK (on_got_chunk), self, 0);
  g_signal_connect_object (message, "got-body", G_CALLBACK (on_got_body), self, 0);
  g_object_weak_ref (G_OBJECT (message), on_message_gone, g_object_ref (self));
  self->n_connections++;
  if (socket != NULL && self->n_connections > self->options.connections)
    g_socket_shutdown (socket, TRUE, TRUE, NULL);
}

/* ------------------------------------------------------------------------------------------------ start and end */

static gboolean
check_options (const SlServerOptions  *options,
               GError                **error)
{
  g_autoptr (GInetAddress) address = g_inet_address_new_from_string (options->host);

  if (address == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("“%s” is no address to listen at, as 127.0.0.1 is."), options->host);
  else if (options->keys == NULL && !g_inet_address_get_is_loopback (address))
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                 _("%s can be reached from other computers; that needs keys."), options->host);
  for (guint i = 0; options->keys != NULL && options->keys[i] != NULL; i++)
    if (strlen (options->keys[i]) < SL_SERVER_LEAST_KEY && (error == NULL || *error == NULL))
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("A key has to have at least %d characters."), SL_SERVER_LEAST_KEY);
  return error == NULL || *error == NULL;
}

/* libsoup's own would let ten connections wait to be taken, and a burst of more of them wait for seconds; and the kernel would keep
 * megabytes for each client that does not read. Connections inherit the latter. */
static GSocket *
listen_at (GInetAddress  *address,
           guint16        port,
           GError       **error)
{
  g_autoptr (GSocketAddress) where = g_inet_socket_address_new (address, port);
  g_autoptr (GSocket) socket = g_socket_new (g_inet_address_get_family (address), G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, error);

  if (socket == NULL || !g_socket_bind (socket, where, TRUE, error))
    return NULL;
  g_socket_set_listen_backlog (socket, BACKLOG);
  g_socket_set_option (socket, SOL_SOCKET, SO_SNDBUF, KERNEL_BYTES, NULL);
  return g_socket_listen (socket, error) ? g_steal_pointer (&socket) : NULL;
}

gboolean
sl_server_start (SlServer               *self,
                 const SlServerOptions  *options,
                 GError                **error)
{
  g_autoptr (GInetAddress) address = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_autoptr (SoupServer) soup = NULL;

  g_return_val_if_fail (SL_IS_SERVER (self) && self->soup == NULL, FALSE);
  if (!check_options (options, error))
    return FALSE;
  address = g_inet_address_new_from_string (options->host);
  socket = listen_at (address, options->port, error);
  soup = soup_server_new ("server-header", "Sightline", NULL);
  g_signal_connect_object (soup, "request-started", G_CALLBACK (on_request_started), self, 0);
  soup_server_add_handler (soup, NULL, on_request, self, NULL);
  if (socket == NULL || !soup_server_listen_socket (soup, socket, 0, error))
    {
      g_prefix_error (error, _("%s, port %u: "), options->host, options->port);
      return FALSE;
    }
  self->options = *options;
  g_free (self->host);
  self->host = g_strdup (options->host);
  g_strfreev (self->keys);
  self->keys = g_strdupv ((char **) options->keys);
  g_strfreev (self->picture_dirs);
  self->picture_dirs = g_strdupv ((char **) options->picture_dirs);
  self->options.host = NULL;
  self->options.keys = self->options.picture_dirs = NULL;
  self->draining = FALSE;
  self->soup = g_steal_pointer (&soup);
  sl_engine_set_guest_limits (self->engine, options->at_once, options->context);
  return TRUE;
}

void
sl_server_changed (SlServer *self)
{
  g_signal_emit (self, signals[CHANGED], 0);
  if (self->draining && self->exchanges->len == 0)
    g_signal_emit (self, signals[DRAINED], 0);
}

void
sl_server_drain (SlServer *self)
{
  GSList *listeners;

  g_return_if_fail (SL_IS_SERVER (self));

  listeners = self->soup != NULL ? soup_server_get_listeners (self->soup) : NULL;
  self->draining = TRUE;
  for (GSList *l = listeners; l != NULL; l = l->next) /* soup_server_disconnect() would break answers off */
    g_socket_close (l->data, NULL);
  g_slist_free (listeners);
  sl_server_changed (self);
}

void
sl_server_stop (SlServer *self)
{
  g_return_if_fail (SL_IS_SERVER (self));

  if (self->soup == NULL)
    return;
  sl_server_break_off (self);
  soup_server_disconnect (self->soup);
  g_clear_object (&self->soup);
}

char *
sl_server_dup_address (SlServer *self)
{
  GSList *uris = self->soup != NULL ? soup_server_get_uris (self->soup) : NULL;
  char *address = NULL;

  if (uris != NULL)
    address = g_strdup_printf (strchr (self->host, ':') != NULL ? "http://[%s]:%d/v1" : "http://%s:%d/v1", self->host,
                               g_uri_get_port (uris->data));
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);
  return address;
}

guint
sl_server_get_n_active (SlServer *self)
{
  return self->exchanges->len;
}
