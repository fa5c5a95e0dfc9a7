/* SPDX-License-Identifier: MIT
 *
 * The forms in which conversations are handed over, a line of a table each.
 */
#include "app/exchange/sl-exchange.h"

#include <glib/gi18n-lib.h>

#include "app/exchange/sl-archive.h"
#include "app/exchange/sl-transcript.h"

static const struct
{
  const char *nick, *extension, *name;
  gboolean (*write) (const SlExport *self, GError **error);
} formats[SL_N_EXCHANGE_FORMATS] = {
  [SL_EXCHANGE_ARCHIVE] = { "sightline", ".sightline", N_("Everything, to Be Imported Again"), sl_archive_write },
  [SL_EXCHANGE_HTML] = { "html", ".html", N_("Web Page (HTML)"), sl_transcript_write_html },
  [SL_EXCHANGE_PDF] = { "pdf", ".pdf", N_("Document (PDF)"), sl_transcript_write_pdf },
  [SL_EXCHANGE_MARKDOWN] = { "markdown", "", N_("Folder of Markdown and Pictures"), sl_transcript_write_markdown },
};

const char *
sl_exchange_format_get_nick (SlExchangeFormat format)
{
  return formats[format].nick;
}

const char *
sl_exchange_format_get_extension (SlExchangeFormat format)
{
  return formats[format].extension;
}

const char *
sl_exchange_format_get_display_name (SlExchangeFormat format)
{
  return _(formats[format].name);
}

gboolean
sl_export_write (const SlExport    *self,
                 SlExchangeFormat   format,
                 GError           **error)
{
  return formats[format].write (self, error);
}

GArray *
sl_export_list_all (SlDatabase  *database,
                    GError     **error)
{
  g_autoptr (GPtrArray) summaries = sl_database_list (database, error);
  GArray *ids;

  if (summaries == NULL)
    return NULL;
  ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  for (guint i = 0; i < summaries->len; i++)
    g_array_append_val (ids, ((const SlSummaryRecord *) g_ptr_array_index (summaries, i))->id);
  return ids;
}
