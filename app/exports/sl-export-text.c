/* SPDX-License-Identifier: MIT
 *
 * Text as strict readers take it, for all formats: XML, fields of a CSV file, and the table of which file came from where.
 * Called by SlBoxExport and its formats.
 */
#include "app/exports/sl-box-export-private.h"

#include <string.h>

char *
sl_export_clean_text (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *plain = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);
      gboolean allowed = (c >= 0x20 && (c < 0x7f || c > 0x9f) && (c & 0xfffe) != 0xfffe && c != 0x2028 && c != 0x2029) || c == '\t';

      g_string_append_unichar (plain, allowed ? c : ' ');
    }

  return g_strstrip (g_string_free (plain, FALSE));
}

char *
sl_export_escape_xml (const char *text)
{
  g_autofree char *plain = sl_export_clean_text (text);

  return g_markup_escape_text (plain, -1);
}

/* RFC 4180. What a spreadsheet would run as a formula is kept as text by a leading apostrophe. */
void
sl_export_append_field (GString    *line,
                        const char *text)
{
  if (line->len > 0)
    g_string_append_c (line, ',');
  g_string_append_c (line, '"');
  if (text != NULL && strchr ("=+-@\t\r", *text) != NULL && *text != '\0')
    g_string_append_c (line, '\'');
  for (const char *p = text != NULL ? text : ""; *p != '\0'; p++)
    {
      if (*p == '"')
        g_string_append_c (line, '"');
      g_string_append_c (line, *p);
    }
  g_string_append_c (line, '"');
}

void
sl_export_append_number (GString *line,
                         double   value)
{
  char number[G_ASCII_DTOSTR_BUF_SIZE];

  g_string_append (line, g_ascii_formatd (number, sizeof number, "%.9g", value));
}

static void
append_source (GString               *table,
               const SlExportPicture *record,
               const char            *file)
{
  g_autoptr(GString) line = g_string_new (NULL);

  sl_export_append_field (line, file);
  sl_export_append_field (line, record->path != NULL ? record->path : record->name);
  sl_export_append_field (line, record->sha256);
  g_string_append_printf (line, ",%d,%d\r\n", record->width, record->height);
  g_string_append (table, line->str);
}

gboolean
sl_box_export_write_sources (SlBoxExport  *self,
                             GError      **error)
{
  g_autoptr(GString) table = g_string_new ("file,source,sha256,width,height\r\n");

  for (guint i = 0; i < self->pictures->len; i++)
    {
      const SlExportPicture *record = self->pictures->pdata[i];

      if (self->format != SL_EXPORT_CROPS)
        append_source (table, record, record->file);
      for (guint k = 0; self->format == SL_EXPORT_CROPS && k < record->boxes->len; k++)
        {
          g_autofree char *crop = sl_export_dup_crop_name (record, record->boxes->pdata[k]);
          int px[4];

          if (sl_export_picture_get_pixels (record, record->boxes->pdata[k], px))
            append_source (table, record, crop);
        }
    }

  return sl_box_export_write_text (self, NULL, SL_EXPORT_SOURCES, table->str, error);
}
