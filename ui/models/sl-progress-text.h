/* SPDX-License-Identifier: MIT
 *
 * How far something is that takes minutes, in words: whole translatable pieces. Plain functions, UI thread.
 */
#pragma once

#include "app/hub/sl-downloads.h"

G_BEGIN_DECLS

/* "1.2 GB of 4.1 GB · 90 MB/s · 3 minutes left", as much of it as is known; seconds_left < 0: unknown. (transfer full) */
char *sl_progress_dup_text (guint64 bytes,
                            guint64 total,
                            double  bytes_per_second,
                            double  seconds_left);

/* How a download of the list is. (transfer full) */
char *sl_progress_dup_download (SlDownloadItem *item);
/* What its button says where it does not run: translated, static. */
const char *sl_progress_get_resume (SlDownloadItem *item);

G_END_DECLS
