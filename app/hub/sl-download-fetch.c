/* SPDX-License-Identifier: MIT
 *
 * The threads of a running download: some fetch, one hashes. Each fetching thread takes a span of pieces that nobody has, asks for
 * it from the hub's own address (a signed one of a content host may have run out), and gives back what did not come.
 */
#include "app/hub/sl-download-private.h"

#include <inttypes.h>
#include <math.h>

#include <glib/gi18n-lib.h>

#define SPAN_PIECES 64
#define READ_BYTES  (128u << 10) /* written while the processor's cache has them */
#define MAX_WAIT    30.0
#define LEAST_RATE  512 /* bytes per second */
#define SAMPLE_USEC (G_USEC_PER_SEC / 4)
#define SPARE       8                     /* buffers of pieces that wait to be hashed */
#define ENOUGH_RATE ((guint64) 200 << 20) /* bytes per second of one connection, beside which others would only cost */
#define LOOK_USEC   (G_USEC_PER_SEC / 2)  /* how long it has to show that */

typedef struct
{
  SlDownload *download;
  SlHttp *http;
  guint8 *buffer; /* [SL_PIECE_BYTES] */
} Fetcher;

typedef struct
{
  SlPart *part;
  guint first, n; /* pieces that were taken */
  guint next;     /* the piece that the stream is at */
  gsize filled;   /* bytes of it in the buffer */
  gboolean wanted; /* nobody had it when it began */
  gint64 since;   /* monotonic µs: bytes that came from then on are counted */
  gsize came;
} Span;

void
sl_download_fail (SlDownload *self,
                  GError     *error)
{
  g_mutex_lock (&self->mutex);
  if (self->error == NULL)
    self->error = error;
  else
    g_error_free (error);
  g_cond_broadcast (&self->changed);
  g_cond_broadcast (&self->ended);
  g_mutex_unlock (&self->mutex);
  g_cancellable_cancel (self->cancellable);
}

/* ------------------------------------------------------------------------------------------------ rate */

/* The mutex is held. */
static void
note_received (SlDownload *self,
               gsize       n)
{
  gint64 now = g_get_monotonic_time ();

  self->received += n;
  if (self->n_samples > 0 && now - self->samples[(self->n_samples - 1) % SAMPLES].time < SAMPLE_USEC)
    return;
  self->samples[self->n_samples % SAMPLES].time = now;
  self->samples[self->n_samples % SAMPLES].bytes = self->received;
  self->n_samples++;
}

/* Sleeps until the bytes that came may have come. The limit may change meanwhile. */
static void
obey_limit (SlDownload *self,
            gsize       n)
{
  gint64 now = g_get_monotonic_time (), until;

  g_mutex_lock (&self->mutex);
  note_received (self, n);
  until = self->limit > 0 ? MAX (self->allowed_from, now) + (gint64) (n * (double) G_USEC_PER_SEC / self->limit) : now;
  self->allowed_from = until;
  while (self->error == NULL && self->limit > 0 && g_get_monotonic_time () < until && !g_cancellable_is_cancelled (self->cancellable))
    g_cond_wait_until (&self->changed, &self->mutex, MIN (until, g_get_monotonic_time () + SAMPLE_USEC));
  g_mutex_unlock (&self->mutex);
}

/* ------------------------------------------------------------------------------------------------ spans */

/* The mutex is held. */
static gboolean
take_span (SlDownload *self,
           Span       *span)
{
  for (guint i = 0; i < self->parts->len; i++)
    {
      span->part = self->parts->pdata[i];
      span->n = sl_part_take (span->part, SPAN_PIECES, &span->first);
      span->next = span->first;
      span->filled = 0;
      if (span->n > 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
all_finished (const SlDownload *self)
{
  for (guint i = 0; i < self->parts->len; i++)
    if (!sl_part_is_finished (self->parts->pdata[i]))
      return FALSE;
  return TRUE;
}

/* Waits for something to fetch, or for the time at which asking is allowed again; FALSE at the end. */
static gboolean
wait_for_span (SlDownload *self,
               Span       *span)
{
  gboolean found = FALSE;

  g_mutex_lock (&self->mutex);
  while (self->error == NULL && !all_finished (self))
    {
      gint64 now = g_get_monotonic_time ();

      if (now < self->wait_until)
        g_cond_wait_until (&self->changed, &self->mutex, MIN (self->wait_until, now + SAMPLE_USEC));
      else if ((found = take_span (self, span)))
        break;
      else
        g_cond_wait (&self->changed, &self->mutex);
    }
  g_mutex_unlock (&self->mutex);
  return found;
}

static void
give_back (SlDownload *self,
           Span       *span)
{
  g_mutex_lock (&self->mutex);
  sl_part_release (span->part, span->first, span->n);
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->mutex);
}

/* ------------------------------------------------------------------------------------------------ failures */

static gboolean
is_passing (const GError *error)
{
  return error->domain == SL_HTTP_ERROR
         && (error->code == SL_HTTP_ERROR_NETWORK || error->code == SL_HTTP_ERROR_BUSY || error->code == SL_HTTP_ERROR_SERVER);
}

/* A failure that passes puts everybody off for a while; too many in a row, or another one, end the run. Access that was there a
 * moment ago may be a signed address that ran out, and is asked for once more. Takes the error. */
static void
strike (SlDownload *self,
        GError     *error,
        int         retry_after)
{
  gboolean again = is_passing (error), once;

  g_mutex_lock (&self->mutex);
  once = g_error_matches (error, SL_HTTP_ERROR, SL_HTTP_ERROR_ACCESS) && self->received > 0 && self->strikes == 0;
  self->strikes++;
  if ((again && self->strikes < self->tries) || once)
    {
      double wait = MAX (MIN (self->first_wait * exp2 (self->strikes - 1), MAX_WAIT), retry_after);

      self->wait_until = MAX (self->wait_until, g_get_monotonic_time () + (gint64) (wait * G_USEC_PER_SEC));
      g_strlcpy (self->progress.reason, error->message, sizeof self->progress.reason);
      g_error_free (g_steal_pointer (&error));
      g_cond_broadcast (&self->changed);
    }
  g_mutex_unlock (&self->mutex);
  if (error != NULL)
    sl_download_fail (self, error);
}

/* ------------------------------------------------------------------------------------------------ fetching */

/* Bytes that came, behind those that are in the buffer. */
static gboolean
store_bytes (Fetcher  *self,
             Span     *span,
             gsize     n,
             GError  **error)
{
  SlDownload *download = self->download;

  if (span->filled == 0)
    {
      g_mutex_lock (&download->mutex);
      span->wanted = !sl_part_has (span->part, span->next);
      g_mutex_unlock (&download->mutex);
    }
  if (span->wanted && !sl_part_write (span->part, span->next, span->filled, self->buffer + span->filled, n, error))
    return FALSE;
  span->filled += n;
  return TRUE;
}

/* A whole piece is in the buffer. */
static gboolean
store_piece (Fetcher  *self,
             Span     *span,
             GError  **error)
{
  SlDownload *download = self->download;

  if (span->wanted && !sl_part_note (span->part, span->next, self->buffer, span->filled, error))
    return FALSE;
  g_mutex_lock (&download->mutex);
  sl_part_keep (span->part, span->next);
  if (span->wanted && download->spare->len > 0 && sl_part_hold (span->part, span->next, self->buffer))
    self->buffer = g_ptr_array_steal_index_fast (download->spare, download->spare->len - 1);
  download->strikes = 0;
  g_cond_broadcast (&download->changed);
  g_mutex_unlock (&download->mutex);
  span->next++;
  span->filled = 0;
  return TRUE;
}

/* A server that sends a byte now and then is as good as silent. */
static gboolean
is_too_slow (Fetcher *self,
             Span    *span,
             gsize    n)
{
  guint silence = sl_http_get_silence (self->http);
  gint64 now = g_get_monotonic_time ();
  gboolean slow;

  span->came += n;
  if (now - span->since < silence * (gint64) G_USEC_PER_SEC)
    return FALSE;
  slow = span->came < LEAST_RATE * silence;
  span->since = now;
  span->came = 0;
  return slow;
}

static gboolean
read_span (Fetcher       *self,
           Span          *span,
           const char    *uri,
           GInputStream  *stream,
           GError       **error)
{
  GCancellable *cancellable = self->download->cancellable;

  while (span->next < span->first + span->n)
    {
      gsize size = sl_part_get_piece_size (span->part, span->next);
      GError *cause = NULL;
      gssize n = g_input_stream_read (stream, self->buffer + span->filled, MIN (size - span->filled, READ_BYTES), cancellable, &cause);

      if (n == 0)
        cause = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT, _("it was closed too early"));
      else if (n > 0 && is_too_slow (self, span, n))
        cause = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, "");
      if (cause != NULL)
        {
          sl_http_propagate (self->http, error, cause, uri);
          return FALSE;
        }
      obey_limit (self->download, n);
      if (!store_bytes (self, span, n, error) || (span->filled == size && !store_piece (self, span, error)))
        return FALSE;
    }
  return TRUE;
}

/* The server sent the whole where a part was asked for. From the first byte on it will do; else another call begins there. */
static gboolean
take_whole (Fetcher           *self,
            Span              *span,
            const SlHttpReply *reply,
            GError           **error)
{
  const SlHubFile *file = sl_part_get_file (span->part);

  if (reply->total >= 0 && (guint64) reply->total != file->size)
    {
      g_set_error (error, SL_HTTP_ERROR, SL_HTTP_ERROR_PROTOCOL,
                   _("“%s” has %" PRId64 " bytes where %" PRIu64 " were announced."), file->name, reply->total, file->size);
      return FALSE;
    }
  if (!reply->partial && span->n < sl_part_get_n_pieces (span->part))
    {
      g_mutex_lock (&self->download->mutex);
      sl_part_set_whole_only (span->part);
      g_mutex_unlock (&self->download->mutex);
      if (span->first > 0)
        span->n = 0;
    }
  return TRUE;
}

static gboolean
fetch_span (Fetcher  *self,
            Span     *span,
            int      *retry_after,
            GError  **error)
{
  SlDownload *download = self->download;
  const SlHubFile *file = sl_part_get_file (span->part);
  g_autofree char *uri = sl_hub_dup_file_uri (download->tree, file);
  g_autofree char *etag = NULL;
  guint n_taken = span->n;
  gint64 start = (gint64) span->first * SL_PIECE_BYTES, end = MIN (start + (gint64) span->n * SL_PIECE_BYTES, (gint64) file->size) - 1;
  gboolean whole = span->n == sl_part_get_n_pieces (span->part), good;
  g_auto (SlHttpReply) reply = { 0 };
  g_autoptr (GInputStream) stream = NULL;

  g_mutex_lock (&download->mutex);
  etag = g_strdup (sl_part_get_etag (span->part));
  g_mutex_unlock (&download->mutex);
  stream = sl_http_get (self->http, uri, start, whole ? -1 : end, etag, &reply, download->cancellable, error);
  *retry_after = reply.retry_after;
  if (stream == NULL || !take_whole (self, span, &reply, error))
    return FALSE;
  g_mutex_lock (&download->mutex);
  sl_part_set_etag (span->part, reply.etag);
  g_mutex_unlock (&download->mutex);
  span->since = g_get_monotonic_time ();
  span->came = 0;
  good = read_span (self, span, uri, stream, error);
  span->n = n_taken;
  return good;
}

/* Waits until the first connection has shown that it does not bring enough by itself. */
static void
wait_for_need (SlDownload *self)
{
  guint64 before, enough = ENOUGH_RATE * LOOK_USEC / G_USEC_PER_SEC;

  g_mutex_lock (&self->mutex);
  do
    {
      gint64 until = g_get_monotonic_time () + LOOK_USEC;

      before = self->received;
      while (self->error == NULL && !all_finished (self) && g_cond_wait_until (&self->ended, &self->mutex, until))
        ;
    }
  while (self->error == NULL && !all_finished (self) && self->received - before >= enough);
  g_mutex_unlock (&self->mutex);
}

static gpointer
fetch_loop (gpointer data)
{
  SlDownload *download = data;
  Fetcher self = { .download = download,
                   .http = sl_http_new (download->endpoint, download->token, download->silence),
                   .buffer = g_malloc (SL_PIECE_BYTES) };
  Span span;

  while (wait_for_span (download, &span))
    {
      GError *error = NULL;
      int retry_after = 0;
      gboolean good = fetch_span (&self, &span, &retry_after, &error);

      give_back (download, &span);
      if (!good)
        strike (download, error, retry_after);
    }
  sl_http_free (self.http);
  g_free (self.buffer);
  return NULL;
}

static gpointer
help_loop (gpointer data)
{
  wait_for_need (data);
  return fetch_loop (data);
}

/* ------------------------------------------------------------------------------------------------ hashing */

static gboolean
finish_part (SlDownload  *self,
             SlPart      *part,
             GError     **error)
{
  gboolean right = sl_part_is_right (part), good;

  if (right && !sl_part_publish (part, error))
    return FALSE;
  g_mutex_lock (&self->mutex);
  if (right)
    sl_part_set_finished (part);
  good = right || sl_part_begin_again (part, error);
  g_cond_broadcast (&self->changed);
  if (all_finished (self))
    g_cond_broadcast (&self->ended);
  g_mutex_unlock (&self->mutex);
  return good;
}

/* A part with something to do, NULL at the end. held: its next piece where that is in memory. */
static SlPart *
wait_for_part (SlDownload  *self,
               guint8     **held)
{
  SlPart *found = NULL;

  g_mutex_lock (&self->mutex);
  while (self->error == NULL && found == NULL && !all_finished (self))
    {
      for (guint i = 0; i < self->parts->len && found == NULL; i++)
        if (sl_part_wants_hashing (self->parts->pdata[i]) || sl_part_is_complete (self->parts->pdata[i]))
          found = self->parts->pdata[i];
      if (found == NULL)
        g_cond_wait (&self->changed, &self->mutex);
    }
  *held = found != NULL && sl_part_wants_hashing (found) ? sl_part_take_held (found) : NULL;
  g_mutex_unlock (&self->mutex);
  return found;
}

/* Takes `held`. */
static gboolean
hash_piece (SlDownload  *self,
            SlPart      *part,
            guint8      *held,
            GError     **error)
{
  gboolean good = sl_part_hash_next (part, held, error);

  g_mutex_lock (&self->mutex);
  if (good)
    sl_part_note_hashed (part);
  if (held != NULL)
    g_ptr_array_add (self->spare, held);
  g_mutex_unlock (&self->mutex);
  return good;
}

static gpointer
hash_loop (gpointer data)
{
  SlDownload *self = data;
  guint8 *held;
  SlPart *part;

  while ((part = wait_for_part (self, &held)) != NULL)
    {
      GError *error = NULL;

      if (sl_part_is_complete (part) ? !finish_part (self, part, &error) : !hash_piece (self, part, held, &error))
        sl_download_fail (self, error);
    }
  return NULL;
}

/* ------------------------------------------------------------------------------------------------ all of it */

/* Cancelling has to wake whoever waits. */
static void
on_cancelled (GCancellable *cancellable,
              SlDownload   *self)
{
  g_mutex_lock (&self->mutex);
  if (self->error == NULL)
    g_set_error_literal (&self->error, G_IO_ERROR, G_IO_ERROR_CANCELLED, _("The download was stopped."));
  g_cond_broadcast (&self->changed);
  g_cond_broadcast (&self->ended);
  g_mutex_unlock (&self->mutex);
}

void
sl_download_fetch (SlDownload *self)
{
  g_autofree GThread **threads = g_new0 (GThread *, self->connections);
  GThread *hasher;
  gulong handler = g_cancellable_connect (self->cancellable, G_CALLBACK (on_cancelled), self, NULL);

  for (guint i = 0; i < SPARE; i++)
    g_ptr_array_add (self->spare, g_malloc (SL_PIECE_BYTES));
  hasher = g_thread_new ("download-hash", hash_loop, self);
  for (guint i = 0; i < self->connections; i++)
    threads[i] = g_thread_new ("download", i == 0 ? fetch_loop : help_loop, self);
  for (guint i = 0; i < self->connections; i++)
    g_thread_join (threads[i]);
  g_thread_join (hasher);
  g_ptr_array_set_size (self->spare, 0);
  g_cancellable_disconnect (self->cancellable, handler);
}
