/* SPDX-License-Identifier: MIT
 *
 * SlDownload: a repository of a hub → a folder that is there when every file in it has been verified, and not before. Files are
 * fetched in pieces over several connections, hashed while they arrive, and go on after anything that ended the program.
 * sl_download_run() blocks and belongs to one worker thread; progress and the limit may be asked for and set from any.
 *
 *   DEST.download/  journal lock NAME.part…  ──all files right──▶  DEST/
 */
#pragma once

#include "app/hub/sl-hub.h"

G_BEGIN_DECLS

typedef struct _SlDownload SlDownload;

typedef struct
{
  const char *endpoint; /* of sl_hub_dup_endpoint() */
  const char *repo;     /* "owner/name" */
  const char *revision; /* NULL: "main"; an unfinished download keeps the commit that it began with */
  const char *dest;     /* the folder to make */
  const char *token;    /* NULL: the one that the keyring has for the endpoint's host, once that gives no access without */
  guint connections;    /* 0: four */
  guint64 bytes_per_second; /* 0: as fast as it goes */
  guint tries;          /* in a row without a piece, before it gives up; 0: eight */
  guint silence;        /* seconds; 0: SL_HTTP_SILENCE */
  double first_wait;    /* seconds before the second try, doubled each time up to 30; 0: one */
} SlDownloadOptions;

typedef enum
{
  SL_DOWNLOAD_LISTING,  /* asking what there is, or looking at what was fetched before */
  SL_DOWNLOAD_FETCHING,
  SL_DOWNLOAD_WAITING,  /* for a host that asks for it, or that could not be reached: wait_seconds, reason */
  SL_DOWNLOAD_CHECKING, /* everything is here; hashes are still computed */
  SL_DOWNLOAD_DONE
} SlDownloadState;

typedef struct
{
  SlDownloadState state;
  guint64 bytes, total;     /* on the disk, of all files */
  guint files, total_files; /* verified, all */
  double bytes_per_second;  /* of the last seconds */
  double seconds_left;      /* negative: unknown */
  double wait_seconds;
  char reason[400];         /* why it waits */
} SlDownloadProgress;

/* Options are copied. */
SlDownload *sl_download_new (const SlDownloadOptions *options);
void sl_download_free (SlDownload *self);

/* FALSE with a sentence: SL_HTTP_ERROR, G_IO_ERROR (EXISTS: DEST is there; BUSY: somebody fetches it; NO_SPACE with the numbers;
 * CANCELLED; INVALID_DATA: a file that arrives damaged again and again). What was fetched stays for the next run, which goes on. */
gboolean sl_download_run (SlDownload *self, GCancellable *cancellable, GError **error);

void sl_download_get_progress (SlDownload *self, SlDownloadProgress *progress);
void sl_download_set_limit (SlDownload *self, guint64 bytes_per_second);

/* Deletes what an unfinished download of this folder has fetched. TRUE where there is nothing. */
gboolean sl_download_discard (const char *dest, GError **error);
/* Is there one, and of which repository? (transfer full), NULL: none. */
char *sl_download_dup_unfinished (const char *dest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlDownload, sl_download_free)

G_END_DECLS
