/* SPDX-License-Identifier: MIT
 *
 * SlExport: what whoever writes conversations into a file has to know. Filled by sl_export_write()'s caller, read by the writers.
 */
#pragma once

#include <gio/gio.h>

#include "app/store/sl-database.h"
#include "app/system/sl-output.h"

G_BEGIN_DECLS

/* How far it is, 0 … 1; on the thread that works. */
typedef void (*SlExchangeProgress) (double fraction, gpointer user_data);

/* What an export is about and what becomes of it. */
typedef struct
{
  SlDatabase *database;
  const char *dir;    /* the history's folder */
  const gint64 *ids;  /* of conversations; the order says nothing in an archive */
  gsize n_ids;
  SlOutputs *outputs; /* its cancellable ends the export */
  const char *path;
  SlExchangeProgress progress; /* may be NULL */
  gpointer progress_data;
  GPtrArray *faults;  /* gets sentences about what could not be exported; the rest is */
} SlExport;

G_END_DECLS
