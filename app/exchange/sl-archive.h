/* SPDX-License-Identifier: MIT
 *
 * SlArchive: conversations in one file, NAME.sightline: a zip whose entries are stored, in a fixed order and without times, so that the
 * same conversations are the same bytes. docs/exchange.md describes it. The command line and the window's export call this, on a thread
 * that may wait; what reads one is sl-import.h.
 */
#pragma once

#include "app/exchange/sl-export.h"

G_BEGIN_DECLS

#define SL_ARCHIVE_MIME_TYPE "application/vnd.sightline.conversations+zip"
#define SL_ARCHIVE_VERSION 1

/* As sl_export_write(). */
gboolean sl_archive_write (const SlExport *self, GError **error);

G_END_DECLS
