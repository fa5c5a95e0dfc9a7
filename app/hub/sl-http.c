/* SPDX-License-Identifier: MIT
 *
 * GETs over libsoup. Redirects are followed here and not there, because a content host on another domain must not see the token,
 * and because a loop has to end in a sentence.
 */
#include "app/hub/sl-http.h"

#include <string.h>

#include <glib/gi18n-lib.h>
#include <libsoup/soup.h>

#define MAX_REDIRECTS 10
#define USER_AGENT    "Sightline/" SL_VERSION

struct _SlHttp
{
  SoupSession *session;
  GUri *owner; /* where the token may go, NULL: nowhere */
  char *authorization;
  guint silence;
};

G_DEFINE_QUARK (sl-http-error-quark, sl_http_error)

gboolean
sl_http_is_loopback (const char *host)
{
  g_autoptr (GInetAddress) address = host != NULL ? g_inet_address_new_from_string (host) : NULL;

  return g_strcmp0 (host, "localhost") == 0 || (address != NULL && g_inet_address_get_is_loopback (address));
}

SlHttp *
sl_http_new (const char *owner,
             const char *token,
             guint       silence)
{
  SlHttp *self = g_new0 (SlHttp, 1);

  self->silence = silence > 0 ? silence : SL_HTTP_SILENCE;
  self->session = soup_session_new_with_options ("timeout", self->silence, "user-agent", USER_AGENT, NULL);
  soup_session_remove_feature_by_type (self->session, SOUP_TYPE_CONTENT_DECODER);
  if (token != NULL && token[0] != '\0')
    {
      self->owner = g_uri_parse (owner, SOUP_HTTP_URI_FLAGS, NULL);
      self->authorization = g_strconcat ("Bearer ", token, NULL);
    }
  return self;
}

void
sl_http_free (SlHttp *self)
{
  if (self == NULL)
    return;
  soup_session_abort (self->session);
  g_object_unref (self->session);
  g_clear_pointer (&self->owner, g_uri_unref);
  g_free (self->authorization);
  g_free (self);
}

void
sl_http_reply_clear (SlHttpReply *self)
{
  g_clear_pointer (&self->etag, g_free);
  g_clear_pointer (&self->link, g_free);
  *self = (SlHttpReply){ .total = -1 };
}

/* ------------------------------------------------------------------------------------------------ failures */

guint
sl_http_get_silence (const SlHttp *self)
{
  return self->silence;
}

void
sl_http_propagate (SlHttp     *self,
                   GError    **error,
                   GError     *cause,
                   const char *uri)
{
  g_autoptr (GUri) parsed = g_uri_parse (uri, SOUP_HTTP_URI_FLAGS, NULL);
  const char *host = parsed != NULL && g_uri_get_host (parsed) != NULL ? g_uri_get_host (parsed) : uri;

  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, cause);
      return;
    }
  if (cause->domain == G_TLS_ERROR)
    g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_TLS, _("The connection to %s is not safe: %s"), host, cause->message);
  else if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
    g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_NETWORK, _("%s has been silent for %u seconds."), host, self->silence);
  else
    g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_NETWORK, _("The connection to %s failed: %s"), host, cause->message);
  g_error_free (cause);
}

static SlHttpError
kind_of_status (guint status)
{
  switch (status)
    {
    case SOUP_STATUS_UNAUTHORIZED:
    case SOUP_STATUS_FORBIDDEN:
      return SL_HTTP_ERROR_ACCESS;
    case SOUP_STATUS_NOT_FOUND:
    case SOUP_STATUS_GONE:
      return SL_HTTP_ERROR_NOT_FOUND;
    case 429:
    case SOUP_STATUS_SERVICE_UNAVAILABLE:
      return SL_HTTP_ERROR_BUSY;
    default:
      return status >= 500 ? SL_HTTP_ERROR_SERVER : SL_HTTP_ERROR_PROTOCOL;
    }
}

/* Retry-After in seconds: a number or a date; 0 where there is none, and no more than an hour. */
static int
read_retry_after (SoupMessageHeaders *headers)
{
  const char *text = soup_message_headers_get_one (headers, "Retry-After");
  g_autoptr (GDateTime) date = NULL;
  gint64 seconds = 0;

  if (text == NULL)
    return 0;
  if (g_ascii_isdigit (text[0]))
    seconds = g_ascii_strtoll (text, NULL, 10);
  else if ((date = soup_date_time_new_from_http_string (text)) != NULL)
    seconds = g_date_time_to_unix (date) - g_get_real_time () / G_USEC_PER_SEC;
  return CLAMP (seconds, 0, 3600);
}

static void
set_status_error (GError      **error,
                  SoupMessage  *message,
                  SlHttpReply  *reply)
{
  guint status = soup_message_get_status (message);
  const char *host = g_uri_get_host (soup_message_get_uri (message));
  const char *phrase = soup_message_get_reason_phrase (message);

  reply->retry_after = read_retry_after (soup_message_get_response_headers (message));
  switch (kind_of_status (status))
    {
    case SL_HTTP_ERROR_ACCESS:
      g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_ACCESS, _("%s does not give access (%u %s)."), host, status, phrase);
      break;
    case SL_HTTP_ERROR_NOT_FOUND:
      g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_NOT_FOUND, _("%s does not have “%s”."), host,
                   g_uri_get_path (soup_message_get_uri (message)));
      break;
    case SL_HTTP_ERROR_BUSY:
      g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_BUSY, _("%s asks to wait (%u %s)."), host, status, phrase);
      break;
    case SL_HTTP_ERROR_SERVER:
    case SL_HTTP_ERROR_NETWORK:
    case SL_HTTP_ERROR_TLS:
    case SL_HTTP_ERROR_PROTOCOL:
    default:
      g_set_error (error, SL_HTTP_ERROR, kind_of_status (status), _("%s answers with %u %s."), host, status, phrase);
      break;
    }
}

/* ------------------------------------------------------------------------------------------------ one request */

static int
port_of (GUri *uri)
{
  int port = g_uri_get_port (uri);

  return port > 0 ? port : g_str_equal (g_uri_get_scheme (uri), "https") ? 443 : 80;
}

static gboolean
same_origin (GUri *a,
             GUri *b)
{
  return g_ascii_strcasecmp (g_uri_get_host (a), g_uri_get_host (b)) == 0 && port_of (a) == port_of (b);
}

static void
add_headers (SlHttp      *self,
             SoupMessage *message,
             gint64       first,
             gint64       last,
             const char  *etag)
{
  SoupMessageHeaders *headers = soup_message_get_request_headers (message);
  GUri *uri = soup_message_get_uri (message);
  gboolean private = g_str_equal (g_uri_get_scheme (uri), "https") || sl_http_is_loopback (g_uri_get_host (uri));

  soup_message_headers_replace (headers, "Accept-Encoding", "identity");
  if (self->owner != NULL && private && same_origin (uri, self->owner))
    soup_message_headers_replace (headers, "Authorization", self->authorization);
  if (last >= 0)
    {
      soup_message_headers_set_range (headers, first, last);
      if (etag != NULL)
        soup_message_headers_replace (headers, "If-Range", etag);
    }
}

/* The address that a redirect leads to, never out of https into plain http; NULL with error. */
static char *
read_location (SoupMessage  *message,
               GError      **error)
{
  const char *location = soup_message_headers_get_one (soup_message_get_response_headers (message), "Location");
  const char *scheme = g_uri_get_scheme (soup_message_get_uri (message));
  g_autoptr (GUri) target = NULL;

  if (location != NULL)
    target = g_uri_parse_relative (soup_message_get_uri (message), location, SOUP_HTTP_URI_FLAGS, NULL);
  if (target != NULL && g_uri_get_host (target) != NULL
      && (g_str_equal (g_uri_get_scheme (target), "https") || (g_str_equal (g_uri_get_scheme (target), "http") && g_str_equal (scheme, "http"))))
    return g_uri_to_string (target);
  g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_PROTOCOL, _("%s redirects to nowhere."),
               g_uri_get_host (soup_message_get_uri (message)));
  return NULL;
}

static gboolean
read_reply (SoupMessage  *message,
            gint64        first,
            SlHttpReply  *reply,
            GError      **error)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (message);
  const char *encoding = soup_message_headers_get_one (headers, "Content-Encoding");
  goffset start, end, total;

  if (encoding != NULL && g_ascii_strcasecmp (encoding, "identity") != 0)
    {
      g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_PROTOCOL, _("%s sends what nobody asked for: “%s” is encoded as %s."),
                   g_uri_get_host (soup_message_get_uri (message)), g_uri_get_path (soup_message_get_uri (message)), encoding);
      return FALSE;
    }
  reply->etag = g_strdup (soup_message_headers_get_one (headers, "ETag"));
  reply->link = g_strdup (soup_message_headers_get_list (headers, "Link"));
  reply->partial = soup_message_get_status (message) == SOUP_STATUS_PARTIAL_CONTENT;
  if (!reply->partial)
    {
      if (soup_message_headers_get_encoding (headers) == SOUP_ENCODING_CONTENT_LENGTH)
        reply->total = soup_message_headers_get_content_length (headers);
      return TRUE;
    }
  if (!soup_message_headers_get_content_range (headers, &start, &end, &total) || start != first)
    {
      g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_PROTOCOL, _("%s sends another part of “%s” than was asked for."),
                   g_uri_get_host (soup_message_get_uri (message)), g_uri_get_path (soup_message_get_uri (message)));
      return FALSE;
    }
  reply->first = start;
  reply->total = total;
  return TRUE;
}

GInputStream *
sl_http_get (SlHttp        *self,
             const char    *uri,
             gint64         first,
             gint64         last,
             const char    *etag,
             SlHttpReply   *reply,
             GCancellable  *cancellable,
             GError       **error)
{
  g_autofree char *address = g_strdup (uri);

  *reply = (SlHttpReply){ .total = -1 };
  for (int redirects = 0; redirects <= MAX_REDIRECTS; redirects++)
    {
      g_autoptr (SoupMessage) message = soup_message_new (SOUP_METHOD_GET, address);
      g_autoptr (GInputStream) stream = NULL;
      GError *cause = NULL;
      char *next;

      if (message == NULL)
        {
          g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_PROTOCOL, _("“%s” is not an address."), address);
          return NULL;
        }
      soup_message_add_flags (message, SOUP_MESSAGE_NO_REDIRECT);
      add_headers (self, message, first, last, etag);
      stream = soup_session_send (self->session, message, cancellable, &cause);
      if (stream == NULL)
        {
          sl_http_propagate (self, error, cause, address);
          return NULL;
        }
      if (SOUP_STATUS_IS_SUCCESSFUL (soup_message_get_status (message)))
        return read_reply (message, first, reply, error) ? g_steal_pointer (&stream) : NULL;
      if (!SOUP_STATUS_IS_REDIRECTION (soup_message_get_status (message)))
        {
          set_status_error (error, message, reply);
          return NULL;
        }
      next = read_location (message, error);
      if (next == NULL)
        return NULL;
      g_free (address);
      address = next;
    }
  g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_PROTOCOL, _("“%s” leads from one address to the next without an end."), uri);
  return NULL;
}
