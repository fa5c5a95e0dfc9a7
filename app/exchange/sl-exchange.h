/* SPDX-License-Identifier: MIT
 *
 * The forms in which conversations are handed over. The command line and the window call this on a thread
 * that may wait. What reads files is sl-import.h.
 */
#pragma once

#include "app/exchange/sl-export.h"

G_BEGIN_DECLS

typedef enum
{
  SL_EXCHANGE_ARCHIVE, /* sl-archive.h */
  SL_EXCHANGE_HTML,    /* these: sl-transcript.h */
  SL_EXCHANGE_PDF,
  SL_EXCHANGE_MARKDOWN,
  SL_N_EXCHANGE_FORMATS
} SlExchangeFormat;

/* "sightline", "html", "pdf", "markdown"; what a file's name ends with, "" for a folder; and what a user reads (translated). */
const char *sl_exchange_format_get_nick         (SlExchangeFormat format);
const char *sl_exchange_format_get_extension    (SlExchangeFormat format);
const char *sl_exchange_format_get_display_name (SlExchangeFormat format);

/* FALSE with error: there is no file. A conversation that is not there is an error. */
gboolean sl_export_write (const SlExport *self, SlExchangeFormat format, GError **error);
/* The ids of every conversation, the newest first: gint64; NULL with error. (transfer full) */
GArray *sl_export_list_all (SlDatabase *database, GError **error);

G_END_DECLS
