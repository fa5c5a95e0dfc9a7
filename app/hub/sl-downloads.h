/* SPDX-License-Identifier: MIT
 *
 * SlDownloads: the downloads that the window shows, as a list: what waits, runs, was stopped, failed or came to its end. One runs at a
 * time, on a thread of its own; what an earlier run of the program left unfinished is in the list from the start, stopped.
 * Made by the application. UI thread. It must not know GTK.
 */
#pragma once

#include "app/hub/sl-download.h"

G_BEGIN_DECLS

typedef enum
{
  SL_DOWNLOAD_ITEM_QUEUED,
  SL_DOWNLOAD_ITEM_RUNNING,
  SL_DOWNLOAD_ITEM_STOPPED, /* by the user, or by the end of the program: sl_downloads_resume() goes on */
  SL_DOWNLOAD_ITEM_FAILED,  /* sl_download_item_get_error(); resuming goes on, too */
  SL_DOWNLOAD_ITEM_DONE
} SlDownloadItemState;

#define SL_TYPE_DOWNLOAD_ITEM (sl_download_item_get_type ())
G_DECLARE_FINAL_TYPE (SlDownloadItem, sl_download_item, SL, DOWNLOAD_ITEM, GObject)

/* Signal "changed" (): state or numbers; while it runs about four times a second. */
const char *sl_download_item_get_repo (SlDownloadItem *self);
const char *sl_download_item_get_dest (SlDownloadItem *self); /* the folder that it makes */
SlDownloadItemState sl_download_item_get_state (SlDownloadItem *self);
/* As of the last "changed". */
const SlDownloadProgress *sl_download_item_get_progress (SlDownloadItem *self);
/* Why it failed; NULL in other states. */
const GError *sl_download_item_get_error (SlDownloadItem *self);
/* How many come before it, the running one included: 0 unless QUEUED. */
guint sl_download_item_get_ahead (SlDownloadItem *self);

/* A list model of SlDownloadItem. Property "busy" (gboolean, notify): something runs or waits.
 * Signal "finished" (SlDownloadItem): its folder is there. */
#define SL_TYPE_DOWNLOADS (sl_downloads_get_type ())
G_DECLARE_FINAL_TYPE (SlDownloads, sl_downloads, SL, DOWNLOADS, GObject)

/* endpoint: NULL for the default. */
SlDownloads *sl_downloads_new (const char *endpoint);

/* Puts the repository at the end of the queue, or resumes it where it is in the list. The user has accepted its licence. */
SlDownloadItem *sl_downloads_add (SlDownloads *self, const char *repo);
SlDownloadItem *sl_downloads_find (SlDownloads *self, const char *repo); /* NULL: not in the list; borrowed */
void sl_downloads_stop (SlDownloads *self, SlDownloadItem *item);
void sl_downloads_resume (SlDownloads *self, SlDownloadItem *item);
/* It waits for the running one only. */
void sl_downloads_put_first (SlDownloads *self, SlDownloadItem *item);
/* Of all together, from now on; 0: as fast as it goes. */
void sl_downloads_set_limit (SlDownloads *self, guint64 bytes_per_second);
/* Stops it, deletes what was fetched and takes it from the list. */
void sl_downloads_discard (SlDownloads *self, SlDownloadItem *item);
/* Stops what runs and waits for it, at the end of the program: seconds at most. What was fetched stays. */
void sl_downloads_close (SlDownloads *self);
gboolean sl_downloads_is_busy (SlDownloads *self);
const char *sl_downloads_get_endpoint (SlDownloads *self);

G_END_DECLS
