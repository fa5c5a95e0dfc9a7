/* SPDX-License-Identifier: MIT
 *
 * Sentences about progress.
 */
#include "ui/models/sl-progress-text.h"

#include <glib/gi18n.h>
#include <math.h>

static char *
dup_time_left (double seconds)
{
  long left = lround (seconds);

  if (left < 60)
    return g_strdup (_("less than a minute left"));
  if (left < 3600)
    return g_strdup_printf (ngettext ("%ld minute left", "%ld minutes left", left / 60), left / 60);
  return g_strdup_printf (_("%ld:%02ld hours left"), left / 3600, left / 60 % 60);
}

char *
sl_progress_dup_text (guint64 bytes,
                      guint64 total,
                      double  bytes_per_second,
                      double  seconds_left)
{
  g_autofree char *came = g_format_size (bytes);
  g_autofree char *all = g_format_size (total);
  g_autofree char *rate = g_format_size ((guint64) bytes_per_second);
  g_autofree char *left = seconds_left >= 0 ? dup_time_left (seconds_left) : NULL;

  if (left == NULL)
    return g_strdup_printf (_("%s of %s"), came, all);
  /* Translators: what came, all of it, bytes per second, "3 minutes left" */
  return g_strdup_printf (_("%s of %s · %s/s · %s"), came, all, rate, left);
}

static char *
dup_running (const SlDownloadProgress *p)
{
  g_autofree char *bytes = g_format_size (p->bytes);
  g_autofree char *total = g_format_size (p->total);

  if (p->state == SL_DOWNLOAD_LISTING)
    return g_strdup (_("Looking at what there is…"));
  if (p->state == SL_DOWNLOAD_CHECKING)
    return g_strdup_printf (_("Everything is here; %u of %u files verified"), p->files, p->total_files);
  /* Translators: what came, all of it, seconds, why */
  if (p->state == SL_DOWNLOAD_WAITING)
    return g_strdup_printf (_("%s of %s · trying again in %.0f s · %s"), bytes, total, ceil (p->wait_seconds), p->reason);
  return sl_progress_dup_text (p->bytes, p->total, p->bytes_per_second, p->seconds_left);
}

char *
sl_progress_dup_download (SlDownloadItem *item)
{
  const SlDownloadProgress *progress = sl_download_item_get_progress (item);
  const GError *error = sl_download_item_get_error (item);
  guint ahead = sl_download_item_get_ahead (item);
  g_autofree char *bytes = g_format_size (progress->bytes);

  switch (sl_download_item_get_state (item))
    {
    case SL_DOWNLOAD_ITEM_QUEUED:
      return ahead <= 1 ? g_strdup (_("Waits for the download before it"))
                        : g_strdup_printf (ngettext ("Waits for %u download before it", "Waits for %u downloads before it", ahead), ahead);
    case SL_DOWNLOAD_ITEM_RUNNING:
      return dup_running (progress);
    case SL_DOWNLOAD_ITEM_FAILED:
      if (!g_error_matches (error, SL_HTTP_ERROR, SL_HTTP_ERROR_ACCESS))
        return g_strdup (error->message);
      /* Translators: a sentence that says that there is no access */
      return g_strdup_printf (_("%s Accept the terms on its page, then give Sightline a token of your account there."), error->message);
    case SL_DOWNLOAD_ITEM_DONE:
      return g_strdup (_("Downloaded: it is in the list above"));
    case SL_DOWNLOAD_ITEM_STOPPED:
    default:
      return progress->bytes > 0 ? g_strdup_printf (_("Stopped; %s are here"), bytes) : g_strdup (_("Stopped"));
    }
}

const char *
sl_progress_get_resume (SlDownloadItem *item)
{
  if (sl_download_item_get_state (item) != SL_DOWNLOAD_ITEM_FAILED)
    return _("Go On");
  return g_error_matches (sl_download_item_get_error (item), G_IO_ERROR, G_IO_ERROR_INVALID_DATA) ? _("Fetch Again") : _("Try Again");
}
