/* SPDX-License-Identifier: MIT
 *
 * One question and its answer. Everything here runs on the server's thread but for a guest's events, which come by mail (sl-mail.h), and the
 * decoding of pictures. An exchange lives as long as its message.
 */
#include "app/server/sl-server-private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <glib/gi18n-lib.h>

#include "app/inference/sl-guest.h"
#include "app/pictures/sl-picture.h"
#include "app/server/sl-chat-reply.h"
#include "app/server/sl-mail.h"

#define MOST_UNSENT (1 << 20)      /* bytes that a client has not read */
#define MOST_PIXEL_BYTES (G_GUINT64_CONSTANT (1) << 30)
#define PATIENCE_SECONDS 60        /* for a client that reads nothing at all */

typedef struct
{
  SlServer *server;
  SoupServerMessage *message;
  SlChatRequest *request; /* until the reply has it */
  SlChatReply *reply;
  SlGuest *guest;
  SlMail *mail;
  char *room;
  guint64 client, pixel_bytes;
  GSource *watch, *timer, *patience;
  gint64 since;
  gsize unsent;
  gboolean streaming, finished, out_of_time;
} Exchange;

/* ------------------------------------------------------------------------------------------------ the end */

static void
destroy_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void
cancel_guest (Exchange *x)
{
  if (x->guest != NULL)
    sl_engine_cancel_guest (x->server->engine, x->guest);
  g_clear_pointer (&x->guest, sl_guest_unref);
}

static void
exchange_free (gpointer data)
{
  Exchange *x = data;

  cancel_guest (x);
  sl_mail_close (x->mail);
  destroy_source (&x->watch);
  destroy_source (&x->timer);
  destroy_source (&x->patience);
  x->server->pixel_bytes -= x->pixel_bytes;
  g_clear_pointer (&x->request, sl_chat_request_free);
  g_clear_pointer (&x->reply, sl_chat_reply_free);
  g_signal_handlers_disconnect_by_data (x->message, x);
  g_object_unref (x->message);
  g_free (x->room);
  g_free (x);
}

/* The message is out, or its connection is gone. */
static void
on_finished (SoupServerMessage *message,
             Exchange          *x)
{
  SlServer *server = x->server;

  if (!x->finished)
    server->counts.cancelled++;
  g_ptr_array_remove_fast (server->exchanges, x);
  sl_server_changed (server);
}

static void
hang_up (Exchange *x)
{
  GSocket *socket = soup_server_message_get_socket (x->message);

  cancel_guest (x);
  destroy_source (&x->watch);
  if (socket != NULL)
    g_socket_shutdown (socket, TRUE, TRUE, NULL);
  /* The write that fails is what ends it. */
  if (!x->streaming)
    soup_server_message_set_status (x->message, SOUP_STATUS_INTERNAL_SERVER_ERROR, NULL);
  else
    soup_message_body_append (soup_server_message_get_response_body (x->message), SOUP_MEMORY_STATIC, "\n", 1);
  soup_server_message_unpause (x->message);
}

static GSource *
add_timer (Exchange    *x,
           guint        seconds,
           GSourceFunc  callback)
{
  GSource *source = g_timeout_source_new_seconds (seconds);

  g_source_set_callback (source, callback, x, NULL);
  g_source_attach (source, x->server->context);
  return source;
}

static gboolean
on_out_of_patience (gpointer data)
{
  Exchange *x = data;

  g_clear_pointer (&x->patience, g_source_unref);
  if (x->unsent > 0)
    hang_up (x);
  return G_SOURCE_REMOVE;
}

/* From now on, for whoever reads nothing at all of what is there for him. */
static void
be_patient (Exchange *x)
{
  destroy_source (&x->patience);
  x->patience = add_timer (x, MIN (PATIENCE_SECONDS, x->server->options.seconds), on_out_of_patience);
}

static void
on_wrote (SoupServerMessage *message,
          guint              n_bytes,
          Exchange          *x)
{
  x->unsent -= MIN (n_bytes, x->unsent);
  be_patient (x);
}

/* Nothing more comes; the client may still have to read it. */
static void
complete (Exchange *x)
{
  x->finished = TRUE;
  destroy_source (&x->watch);
  destroy_source (&x->timer);
  be_patient (x);
  soup_message_body_complete (soup_server_message_get_response_body (x->message));
  soup_server_message_unpause (x->message);
}

static void
append (Exchange   *x,
        char       *text) /* taken */
{
  gsize length = strlen (text);

  if (length > 0)
    {
      x->unsent += length;
      soup_message_body_append (soup_server_message_get_response_body (x->message), SOUP_MEMORY_TAKE, text, length);
      soup_server_message_unpause (x->message);
    }
  else
    g_free (text);
}

static void
fail (Exchange          *x,
      const SlChatError *error)
{
  SlServerCounts *counts = &x->server->counts;

  counts->refused += error->status < 429;
  counts->busy += error->status == 429 || (error->status == 503 && x->guest == NULL);
  counts->failed += error->status >= 500 && x->guest != NULL;
  cancel_guest (x);
  if (x->streaming)
    {
      g_autofree char *json = sl_chat_error_dup_json (error);

      append (x, g_strdup_printf ("data: %s\n\n", json));
    }
  else
    sl_server_respond_error (x->message, error);
  complete (x);
}

/* ------------------------------------------------------------------------------------------------ answering */

static void
begin_stream (Exchange *x)
{
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (x->message);

  x->streaming = TRUE;
  soup_server_message_set_status (x->message, SOUP_STATUS_OK, NULL);
  soup_message_headers_set_encoding (headers, SOUP_ENCODING_CHUNKED);
  soup_message_headers_set_content_type (headers, "text/event-stream", NULL);
  soup_message_headers_replace (headers, "Cache-Control", "no-store");
  soup_message_body_set_accumulate (soup_server_message_get_response_body (x->message), FALSE);
}

static double
seconds_since (const Exchange *x)
{
  return (g_get_monotonic_time () - x->since) / 1e6;
}

static void
finish_answer (Exchange *x)
{
  SlServerCounts *counts = &x->server->counts;

  counts->answers++;
  counts->seconds += seconds_since (x);
  cancel_guest (x);
  if (x->streaming)
    append (x, sl_chat_reply_take_events (x->reply));
  else
    {
      char *json = sl_chat_reply_dup_json (x->reply);

      x->unsent = strlen (json);
      sl_server_respond_json (x->message, 200, json);
    }
  complete (x);
}

static void
end_badly (Exchange   *x,
           SlGuestEnd  end,
           const char *reason)
{
  SlChatError error = { 0 };

  if (end == SL_GUEST_TOO_LONG)
    sl_chat_error_set (&error, 400, "context_length_exceeded", "messages", "%s", reason);
  else if (end == SL_GUEST_REFUSED)
    sl_chat_error_set (&error, 400, NULL, "messages", "%s", reason);
  else if (x->out_of_time)
    sl_chat_error_set (&error, 504, "timeout", NULL, _("The answer took longer than %u seconds."), x->server->options.seconds);
  else if (end == SL_GUEST_CANCELLED)
    sl_chat_error_set (&error, 503, NULL, NULL, "%s", _("The model is being closed."));
  else
    sl_chat_error_set (&error, 500, NULL, NULL, "%s", reason != NULL ? reason : "");
  fail (x, &error);
  sl_chat_error_clear (&error);
}

/* FALSE: a stop text came. */
static gboolean
take_tokens (Exchange *x,
             GQueue   *tokens)
{
  SlServerCounts *counts = &x->server->counts;
  gboolean more = TRUE;
  SlChatToken *token;

  while ((token = g_queue_pop_head (tokens)) != NULL)
    {
      if (more)
        {
          if (sl_chat_reply_get_n_tokens (x->reply) == 0)
            counts->first_token_seconds += seconds_since (x);
          counts->tokens++;
          more = sl_chat_reply_add_token (x->reply, token);
        }
      sl_chat_token_free (token);
    }
  return more;
}

static void
read_news (Exchange *x,
           SlNews   *news)
{
  gboolean more;

  if (news->has_read)
    {
      x->server->counts.prompt_tokens += news->prompt_tokens;
      x->server->counts.cached_tokens += news->reused_tokens;
      sl_chat_reply_set_prompt (x->reply, news->prompt_tokens, news->reused_tokens);
      if (sl_chat_reply_get_request (x->reply)->stream)
        begin_stream (x);
    }
  more = take_tokens (x, &news->tokens);
  if (news->has_ended && news->end != SL_GUEST_DONE && more)
    {
      end_badly (x, news->end, news->reason);
      return;
    }
  if (!more || news->has_ended)
    {
      sl_chat_reply_set_end (x->reply, news->stop);
      finish_answer (x);
      return;
    }
  if (x->streaming)
    append (x, sl_chat_reply_take_events (x->reply));
  if (x->unsent > MOST_UNSENT)
    hang_up (x);
}

static void
on_news (gpointer  data,
         SlNews   *news)
{
  Exchange *x = data;

  if (!x->finished)
    read_news (x, news);
}

/* ------------------------------------------------------------------------------------------------ watching the client */

/* A client that sends nothing more while it waits is as it should be; one whose connection has ended wants no answer. */
static gboolean
on_socket (GSocket      *socket,
           GIOCondition  condition,
           gpointer      data)
{
  Exchange *x = data;
  char byte;
  ssize_t n = recv (g_socket_get_fd (socket), &byte, 1, MSG_PEEK | MSG_DONTWAIT);

  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return G_SOURCE_CONTINUE;
  g_clear_pointer (&x->watch, g_source_unref);
  if (n <= 0)
    hang_up (x);
  return G_SOURCE_REMOVE;
}

static gboolean
on_out_of_time (gpointer data)
{
  Exchange *x = data;

  x->out_of_time = TRUE;
  g_clear_pointer (&x->timer, g_source_unref);
  end_badly (x, SL_GUEST_CANCELLED, NULL);
  return G_SOURCE_REMOVE;
}

static void
watch_client (Exchange *x)
{
  GSocket *socket = soup_server_message_get_socket (x->message);

  g_signal_connect (x->message, "finished", G_CALLBACK (on_finished), x);
  g_signal_connect (x->message, "wrote-body-data", G_CALLBACK (on_wrote), x);
  x->timer = add_timer (x, x->server->options.seconds, on_out_of_time);
  if (socket == NULL)
    return;
  x->watch = g_socket_create_source (socket, G_IO_IN | G_IO_HUP | G_IO_ERR, NULL);
  g_source_set_callback (x->watch, G_SOURCE_FUNC (on_socket), x, NULL);
  g_source_attach (x->watch, x->server->context);
}

/* ------------------------------------------------------------------------------------------------ asking */

/* Pictures of one request on their way through a decoder. */
typedef struct
{
  SlMail *mail;
  GPtrArray *bytes; /* of GBytes */
  GPtrArray *pictures; /* of SlPicture */
  SlPictureLimits limits;
  guint at; /* of the one that failed */
  GError *error;
} Decoding;

static void
decoding_free (gpointer data)
{
  Decoding *decoding = data;

  sl_mail_unref (decoding->mail);
  g_ptr_array_unref (decoding->bytes);
  g_ptr_array_unref (decoding->pictures);
  g_clear_error (&decoding->error);
  g_free (decoding);
}

static void
submit (Exchange *x)
{
  g_autoptr (SlPrompt) prompt = sl_chat_request_make_prompt (x->request);
  const SlModelInfo *info = sl_engine_get_info (x->server->engine);
  guint alternatives = x->request->top_logprobs;
  SlChatError error = { 0 };

  if (info == NULL)
    {
      sl_chat_error_set (&error, 503, NULL, NULL, "%s", _("No model is loaded yet."));
      fail (x, &error);
      sl_chat_error_clear (&error);
      return;
    }
  x->reply = sl_chat_reply_new (g_steal_pointer (&x->request), info->name);
  x->guest = sl_guest_new (prompt, x->room, x->client, alternatives, &sl_mail_events, sl_mail_ref (x->mail), sl_mail_unref);
  sl_engine_submit_guest (x->server->engine, x->guest);
}

static gboolean
on_decoded (gpointer data)
{
  Decoding *decoding = data;
  Exchange *x = sl_mail_get_reader (decoding->mail);
  SlChatError error = { 0 };

  if (x == NULL || x->finished)
    return G_SOURCE_REMOVE;
  if (decoding->error != NULL)
    {
      g_autofree char *param = g_strdup_printf ("image_url %u", decoding->at + 1);

      sl_chat_error_set (&error, g_error_matches (decoding->error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE) ? 413 : 400, NULL, param,
                         "%s", decoding->error->message);
      fail (x, &error);
      sl_chat_error_clear (&error);
      return G_SOURCE_REMOVE;
    }
  for (guint i = 0; i < decoding->pictures->len; i++)
    {
      SlChatPicture *picture = g_ptr_array_index (x->request->pictures, i);

      picture->picture = g_object_ref (g_ptr_array_index (decoding->pictures, i));
      x->pixel_bytes += g_bytes_get_size (sl_picture_get_rgb_bytes (picture->picture));
    }
  x->server->pixel_bytes += x->pixel_bytes;
  if (x->server->pixel_bytes > MOST_PIXEL_BYTES && x->server->exchanges->len > 1)
    {
      sl_chat_error_set (&error, 503, "overloaded", NULL, "%s", _("Too many pictures are waiting; ask again in a moment."));
      fail (x, &error);
      sl_chat_error_clear (&error);
    }
  else
    submit (x);
  return G_SOURCE_REMOVE;
}

/* On a decoder's thread. */
static void
decode (gpointer data,
        gpointer user_data)
{
  Decoding *decoding = data;

  for (; decoding->error == NULL && decoding->at < decoding->bytes->len; decoding->at++)
    {
      g_autofree char *name = g_strdup_printf (_("Picture %u"), decoding->at + 1);
      SlPicture *picture = sl_picture_new_with_limits (g_ptr_array_index (decoding->bytes, decoding->at), name, &decoding->limits, NULL,
                                                       &decoding->error);

      if (picture == NULL)
        break;
      g_ptr_array_add (decoding->pictures, picture);
    }
  g_main_context_invoke_full (sl_mail_get_context (decoding->mail), G_PRIORITY_DEFAULT, on_decoded, decoding, decoding_free);
}

static void
decode_pictures (Exchange *x)
{
  Decoding *decoding;

  if (x->request->pictures->len == 0)
    {
      submit (x);
      return;
    }
  if (x->server->decoders == NULL)
    x->server->decoders = g_thread_pool_new (decode, NULL, 2, FALSE, NULL);
  decoding = g_new0 (Decoding, 1);
  decoding->mail = sl_mail_ref (x->mail);
  decoding->bytes = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  decoding->pictures = g_ptr_array_new_with_free_func (g_object_unref);
  decoding->limits = sl_picture_default_limits;
  decoding->limits.max_pixels = x->server->options.pixels;
  for (guint i = 0; i < x->request->pictures->len; i++)
    g_ptr_array_add (decoding->bytes, g_bytes_ref (((SlChatPicture *) g_ptr_array_index (x->request->pictures, i))->bytes));
  g_thread_pool_push (x->server->decoders, decoding, NULL);
}

/* The queue is full: 429 for whoever has questions in it, 503 where it is full of others'. */
static void
set_busy (SlServer    *self,
          guint64      client,
          SlChatError *error)
{
  for (guint i = 0; i < self->exchanges->len; i++)
    if (((Exchange *) g_ptr_array_index (self->exchanges, i))->client == client)
      {
        sl_chat_error_set (error, 429, "rate_limit_exceeded", NULL, "%s", _("Too many of your questions are waiting; ask again in a moment."));
        return;
      }
  sl_chat_error_set (error, 503, "overloaded", NULL, "%s", _("Too many questions are waiting; ask again in a moment."));
}

/* NULL with *error: what can be told before anything is decoded. */
static SlChatRequest *
read_request (SlServer          *self,
              SoupServerMessage *message,
              guint64            client,
              SlChatError       *error)
{
  const SlChatLimits limits = { self->options.body_bytes, self->options.pictures, 1000, (const char *const *) self->picture_dirs };
  g_autoptr (GBytes) body = soup_message_body_flatten (soup_server_message_get_request_body (message));
  g_autoptr (SlChatRequest) request = NULL;
  const SlModelInfo *info = sl_engine_get_info (self->engine);

  if (info == NULL)
    sl_engine_wake (self->engine); /* it may have been idle for long */
  if (info == NULL)
    sl_chat_error_set (error, 503, NULL, NULL, "%s", _("No model is loaded yet."));
  else if (self->exchanges->len >= self->options.queue + self->options.at_once)
    set_busy (self, client, error);
  else
    request = sl_chat_request_parse (g_bytes_get_data (body, NULL), g_bytes_get_size (body), &limits, error);
  if (request != NULL && request->model != NULL && strcmp (request->model, info->name) != 0)
    {
      sl_chat_error_set (error, 404, "model_not_found", "model", _("There is no model “%s” here; there is “%s”."), request->model,
                         info->name);
      return NULL;
    }
  return g_steal_pointer (&request);
}

void
sl_server_chat (SlServer          *self,
                SoupServerMessage *message,
                const char        *room,
                guint64            client)
{
  SlChatError error = { 0 };
  SlChatRequest *request = read_request (self, message, client, &error);
  Exchange *x;

  if (request == NULL)
    {
      self->counts.refused += error.status < 429;
      self->counts.busy += error.status >= 429;
      sl_server_respond_error (message, &error);
      sl_chat_error_clear (&error);
      return;
    }
  self->counts.requests++;
  x = g_new0 (Exchange, 1);
  x->server = self;
  x->message = g_object_ref (message);
  x->request = request;
  x->room = g_strdup (room);
  x->client = client;
  x->since = g_get_monotonic_time ();
  x->mail = sl_mail_new (self->context, on_news, x);
  if (self->exchanges->len == 0)
    g_ptr_array_set_free_func (self->exchanges, exchange_free);
  g_ptr_array_add (self->exchanges, x);
  soup_server_message_pause (message);
  watch_client (x);
  decode_pictures (x);
  sl_server_changed (self);
}

void
sl_server_break_off (SlServer *self)
{
  g_autoptr (GPtrArray) going = g_ptr_array_new ();

  for (guint i = 0; i < self->exchanges->len; i++)
    g_ptr_array_add (going, g_ptr_array_index (self->exchanges, i));
  for (guint i = 0; i < going->len; i++)
    hang_up (g_ptr_array_index (going, i));
}
