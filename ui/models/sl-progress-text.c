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
