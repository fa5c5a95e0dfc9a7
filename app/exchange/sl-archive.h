/* SPDX-License-Identifier: MIT
 *
 * SlArchive: conversations in one file, NAME.sightline: a zip whose entries are stored, in a fixed order and without times, so that the
 * same conversations are the same bytes. docs/exchange.md describes it. The command line and the window's export call this, on a thread
 * that may wait; what reads one is sl-import.h.
 */
#pragma once

#include <gio/gio.h>

#include "app/store/sl-database.h"
#include "app/system/sl-output.h"

G_BEGIN_DECLS

#define SL_ARCHIVE_MIME_TYPE "application/vnd.sightline.conversations+zip"
#define SL_ARCHIVE_VERSION 1

/* How far it is, 0 … 1; on the thread that works. */
typedef void (*SlExchangeProgress) (double fraction, gpointer user_data);

/* What an export is about and what becomes of it. */
typedef struct
{
  SlDatabase *database;
  const char *dir;    /* the history's folder */
  const gint64 *ids;  /* of conversations; the order says nothing */
  gsize n_ids;
  SlOutputs *outputs; /* its cancellable ends the export */
  const char *path;
  SlExchangeProgress progress; /* may be NULL */
  gpointer progress_data;
  GPtrArray *faults;  /* gets sentences about what could not be exported; the rest is */
} SlExport;

/* FALSE with error: there is no file. A conversation that is not there is an error. */
gboolean sl_archive_write (const SlExport *self, GError **error);

G_END_DECLS
