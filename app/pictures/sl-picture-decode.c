/* SPDX-License-Identifier: MIT
 *
 * Waits for a picture that a thread of its own decodes (sl-picture-decode-run.c): a chunked loader stops at the deadline, one that
 * does all its work at the end (tiff, svg, heif) is left behind and its result thrown away. How many may be left behind is bounded,
 * so that hostile files cannot pile up threads.
 */
#include "app/pictures/sl-picture-decode-private.h"

#include <glib/gi18n-lib.h>

#define MAX_LEFT_BEHIND 4
#define SVG_MAX_BYTES   (8 * 1024 * 1024)

static gint n_left_behind;

static void
decode_unref (SlPictureDecode *decode)
{
  if (!g_atomic_ref_count_dec (&decode->refs))
    return;

  g_bytes_unref (decode->bytes);
  g_free (decode->name);
  g_mutex_clear (&decode->lock);
  g_cond_clear (&decode->cond);
  g_clear_pointer (&decode->profile, g_bytes_unref);
  g_clear_object (&decode->result);
  g_clear_error (&decode->error);
  g_free (decode);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPictureDecode, decode_unref)

static gpointer
decode_thread (gpointer data)
{
  g_autoptr(SlPictureDecode) decode = data;
  g_autoptr(GError) error = NULL;
  SlPicture *picture = sl_picture_decode_run (decode, &error);

  g_mutex_lock (&decode->lock);
  decode->result = picture;
  decode->error = g_steal_pointer (&error);
  decode->done = TRUE;
  g_cond_signal (&decode->cond);
  if (g_atomic_int_get (&decode->stop))
    g_atomic_int_add (&n_left_behind, -1);
  g_mutex_unlock (&decode->lock);

  return NULL;
}

static void
on_cancelled (GCancellable *cancellable,
              gpointer      user_data)
{
  SlPictureDecode *decode = user_data;

  g_mutex_lock (&decode->lock);
  g_cond_signal (&decode->cond);
  g_mutex_unlock (&decode->lock);
}

static void
set_too_slow (SlPictureDecode  *decode,
              GError **error)
{
  g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW,
               _("“%s” took longer than %.0f seconds to decode and was given up."),
               decode->name, decode->limits.deadline_us / (double) G_USEC_PER_SEC);
}

static SlPicture *
decode_wait (SlPictureDecode        *decode,
             GCancellable  *cancellable,
             GError       **error)
{
  SlPicture *picture = NULL;
  gulong handler = 0;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), decode, NULL);

  g_mutex_lock (&decode->lock);
  while (!decode->done && !g_cancellable_is_cancelled (cancellable))
    {
      if (!g_cond_wait_until (&decode->cond, &decode->lock, decode->deadline))
        break;
    }

  if (!decode->done)
    {
      g_atomic_int_set (&decode->stop, 1);
      g_atomic_int_add (&n_left_behind, 1);
      if (!g_cancellable_set_error_if_cancelled (cancellable, error))
        set_too_slow (decode, error);
    }
  else if (g_error_matches (decode->error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW))
    {
      set_too_slow (decode, error);
    }
  else
    {
      picture = g_steal_pointer (&decode->result);
      if (decode->error != NULL)
        g_propagate_error (error, g_steal_pointer (&decode->error));
    }
  g_mutex_unlock (&decode->lock);

  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);

  return picture;
}

/* Everything that can be said without a decoder. NONE with error where it must not run. */
static SlPictureFormat
check_format (GBytes                 *bytes,
              const char             *name,
              const SlPictureLimits  *limits,
              GError                **error)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);
  SlPictureFormat format = sl_picture_format_sniff (data, size);
  guint width, height;

  if (format == SL_PICTURE_FORMAT_NONE)
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT,
                 _("“%s” is not a picture in a format that Sightline knows (PNG, JPEG, WebP, TIFF, GIF, BMP, SVG, HEIC, AVIF)."),
                 name);
  else if (format == SL_PICTURE_FORMAT_SVG && size > SVG_MAX_BYTES)
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE,
                 _("“%s” is too large: a drawing may have %d megabytes."), name, SVG_MAX_BYTES >> 20);
  else if (sl_picture_format_get_size (format, data, size, &width, &height) &&
           (guint64) width * height > limits->max_pixels)
    sl_picture_set_too_many_pixels (name, width, height, limits, error);
  else
    return format;

  return SL_PICTURE_FORMAT_NONE;
}

SlPicture *
sl_picture_decode (GBytes                 *bytes,
                   const char             *name,
                   gboolean                on_white,
                   int                     side,
                   const SlPictureLimits  *limits,
                   GCancellable           *cancellable,
                   GError                **error)
{
  SlPictureFormat format = check_format (bytes, name, limits, error);
  g_autoptr(SlPictureDecode) decode = NULL;
  g_autoptr(GThread) thread = NULL;

  if (format == SL_PICTURE_FORMAT_NONE)
    return NULL;

  if (g_atomic_int_get (&n_left_behind) >= MAX_LEFT_BEHIND)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_SLOW,
                   _("“%s” has to wait: earlier pictures that were given up are still being decoded."), name);
      return NULL;
    }

  decode = g_new0 (SlPictureDecode, 1);
  g_atomic_ref_count_init (&decode->refs);
  g_mutex_init (&decode->lock);
  g_cond_init (&decode->cond);
  decode->bytes = g_bytes_ref (bytes);
  decode->name = g_strdup (name);
  decode->format = format;
  decode->on_white = on_white;
  decode->side = side;
  decode->limits = *limits;
  decode->deadline = g_get_monotonic_time () + limits->deadline_us;

  g_atomic_ref_count_inc (&decode->refs);
  thread = g_thread_try_new ("sl-decode", decode_thread, decode, error);
  if (thread == NULL)
    {
      decode_unref (decode);
      return NULL;
    }

  return decode_wait (decode, cancellable, error);
}
