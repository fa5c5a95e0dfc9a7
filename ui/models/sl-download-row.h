/* SPDX-License-Identifier: MIT
 *
 * One repository to get: what it is and whether it fits this computer, a button that downloads it, and while that lasts how far it
 * is, with Stop, Go On and Discard. Made by SlModelPage. UI thread.
 */
#pragma once

#include "app/hub/sl-downloads.h"

#include <adwaita.h>

G_BEGIN_DECLS

#define SL_TYPE_DOWNLOAD_ROW (sl_download_row_get_type ())

G_DECLARE_FINAL_TYPE (SlDownloadRow, sl_download_row, SL, DOWNLOAD_ROW, AdwPreferencesRow)

/* memory: of this computer, 0 unknown. Asks for the licence before it begins. */
GtkWidget *sl_download_row_new (SlDownloads *downloads,
                                const char  *repo,
                                guint64      memory);

const char *sl_download_row_get_repo (SlDownloadRow *self);

/* The same as its button: asks for the licence, then downloads. */
void sl_download_row_begin (SlDownloadRow *self);

G_END_DECLS
