/* SPDX-License-Identifier: MIT
 *
 * See document.h: what is written of a file's pages. Pictures of a page are cut out of the pixels that the model saw.
 */
#include "app/cli/document.h"

#include <errno.h>
#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n.h>

#include "app/document/sl-page-layout.h"
#include "app/document/sl-page-pdf.h"
#include "app/document/sl-page-text.h"

static gboolean
write_text (const CliFile *file,
            const char    *dir,
            const char    *ending,
            char          *text,
            GError       **error)
{
  g_autofree char *name = g_strconcat (file->name, ending, NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *owned = text;

  return sl_outputs_write (cli_outputs, path, owned, strlen (owned), error);
}

static char *
to_json (const CliFile *file)
{
  json_t *pages = json_array (), *object = json_pack ("{s:s, s:i, s:o}", "format", "sightline-document", "version", 1, "pages", pages);
  char *text;

  for (guint i = 0; i < file->pages->len; i++)
    json_array_append_new (pages, sl_page_to_json (file->pages->pdata[i]));
  text = json_dumps (object, JSON_INDENT (1));
  json_decref (object);
  return text;
}

/* ------------------------------------------------------------------------------------------------ pictures */

static gboolean
write_picture (SlPicture    *picture,
               const double  pixels[4],
               const char   *path,
               GError      **error)
{
  int width = sl_picture_get_width (picture), height = sl_picture_get_height (picture);
  int x = CLAMP ((int) pixels[0], 0, width - 1), y = CLAMP ((int) pixels[1], 0, height - 1);
  int right = CLAMP ((int) pixels[2], x + 1, width), bottom = CLAMP ((int) pixels[3], y + 1, height);
  g_autoptr(GdkPixbuf) all = gdk_pixbuf_new_from_bytes (sl_picture_get_rgb_bytes (picture), GDK_COLORSPACE_RGB, FALSE, 8, width, height,
                                                        (int) sl_picture_get_stride (picture));
  g_autoptr(GdkPixbuf) part = gdk_pixbuf_new_subpixbuf (all, x, y, right - x, bottom - y);
  g_autofree char *data = NULL;
  gsize size;

  return gdk_pixbuf_save_to_buffer (part, &data, &size, "png", error, NULL) && sl_outputs_write (cli_outputs, path, data, size, error);
}

static gboolean
write_page_pictures (CliFile       *file,
                     const SlPage  *page,
                     const char    *dir,
                     GError       **error)
{
  g_autoptr(SlPicture) picture = NULL;

  for (guint i = 0; i < page->blocks->len; i++)
    {
      g_autofree char *name = sl_page_dup_picture_name (page, i, file->name);
      g_autofree char *path = name != NULL ? g_build_filename (dir, name, NULL) : NULL;
      g_autofree char *folder = path != NULL ? g_path_get_dirname (path) : NULL;
      double pixels[4], dpi;

      if (path == NULL)
        continue;
      if (picture == NULL)
        picture = sl_page_source_render (file->source, page->number - 1, MAX (page->width, page->height), &dpi, error);
      if (picture == NULL)
        return FALSE;
      if (g_mkdir_with_parents (folder, 0777) != 0)
        {
          sl_output_set_error (error, folder, errno);
          return FALSE;
        }
      sl_page_get_pixels (page, page->blocks->pdata[i], pixels);
      if (!write_picture (picture, pixels, path, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
write_pictures (CliFile     *file,
                const char  *dir,
                GError     **error)
{
  for (guint i = 0; i < file->pages->len; i++)
    if (!write_page_pictures (file, file->pages->pdata[i], dir, error))
      return FALSE;
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ a file */

static gboolean
write_pdf (CliFile     *file,
           const char  *dir,
           GError     **error)
{
  g_autofree char *name = g_strconcat (file->name, ".pdf", NULL);
  g_autofree char *path = g_build_filename (dir, name, NULL);

  return sl_page_pdf_write (file->source, file->pages, cli_outputs, path, error);
}

gboolean
cli_write_file (CliFile            *file,
                const char         *dir,
                CliDocumentFormats  formats,
                GError            **error)
{
  if (file->pages->len == 0)
    return TRUE;
  if (formats & (CLI_DOCUMENT_MARKDOWN | CLI_DOCUMENT_HTML) && !write_pictures (file, dir, error))
    return FALSE;
  if (formats & CLI_DOCUMENT_MARKDOWN && !write_text (file, dir, ".md", sl_pages_to_markdown (file->pages, file->name), error))
    return FALSE;
  if (formats & CLI_DOCUMENT_HTML && !write_text (file, dir, ".html", sl_pages_to_html (file->pages, file->name), error))
    return FALSE;
  if (formats & CLI_DOCUMENT_TEXT && !write_text (file, dir, ".txt", sl_pages_to_text (file->pages), error))
    return FALSE;
  if (formats & CLI_DOCUMENT_JSON && !write_text (file, dir, ".json", to_json (file), error))
    return FALSE;
  if (formats & CLI_DOCUMENT_HOCR && !write_text (file, dir, ".hocr", sl_pages_to_hocr (file->pages, file->name), error))
    return FALSE;
  if (formats & CLI_DOCUMENT_ALTO && !write_text (file, dir, ".alto.xml", sl_pages_to_alto (file->pages, file->name), error))
    return FALSE;
  return !(formats & CLI_DOCUMENT_PDF) || write_pdf (file, dir, error);
}
