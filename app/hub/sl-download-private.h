/* SPDX-License-Identifier: MIT
 *
 * A running download as its threads share it. sl-download.c begins and ends it, sl-download-fetch.c has the threads.
 */
#pragma once

#include "app/hub/sl-download.h"
#include "app/hub/sl-part.h"

G_BEGIN_DECLS

#define SAMPLES 20 /* of the rate, a quarter of a second each */

struct _SlDownload
{
  char *endpoint, *repo, *revision, *dest, *folder, *token;
  guint connections, tries, silence;
  double first_wait;
  GCancellable *cancellable; /* of the run: the caller's, or a failure of one thread */

  GMutex mutex; /* all that follows */
  GCond changed;
  GCond ended; /* an error, or all is here: for those who wait for nothing else */
  SlDownloadProgress progress;
  const SlHubTree *tree; /* the journal's */
  GPtrArray *parts;      /* of SlPart */
  GPtrArray *spare;      /* buffers of a piece that nobody uses */
  GError *error;         /* the first that ends the run */
  guint strikes;         /* failed requests since a piece came */
  gint64 wait_until;     /* monotonic µs: nobody asks before */
  guint64 limit;         /* bytes per second, 0: none */
  gint64 allowed_from;   /* monotonic µs: the next byte may come then */
  struct
  {
    gint64 time;
    guint64 bytes;
  } samples[SAMPLES];
  guint n_samples;
  guint64 received;
};

/* Fetches and hashes until every part is finished, or the error is set. Blocks. */
void sl_download_fetch (SlDownload *self);

/* The first error wins and ends the run. Takes it. */
void sl_download_fail (SlDownload *self, GError *error);

G_END_DECLS
