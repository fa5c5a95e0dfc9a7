/* SPDX-License-Identifier: MIT
 *
 * See sl-page-files.h. Pictures are cut out of the pixels that the model saw.
 */
#include "app/document/sl-page-files.h"

#include <errno.h>
#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>

#include "app/document/sl-page-layout.h"
#include "app/document/sl-page-table.h"
#include "app/document/sl-page-text.h"

static const struct
{
  const char *nick, *ending, *name;
} formats[SL_N_PAGES_FORMATS] = {
  { "md", ".md", N_("Markdown") },
  { "html", ".html", N_("HTML") },
  { "txt", ".txt", N_("Plain text") },
  { "json", ".json", N_("JSON, every block") },
  { "hocr", ".hocr", N_("hOCR") },
  { "alto", ".alto.xml", N_("ALTO XML") },
  { "pdf", ".pdf", N_("Searchable PDF") },
  { "coco", ".coco.json", N_("COCO layout, pages as pictures") },
  { "csv", "_tables", N_("Tables as CSV") },
};

const char *
sl_pages_format_get_nick (SlPagesFormat format)
{
  return formats[format].nick;
}

const char *
sl_pages_format_get_ending (SlPagesFormat format)
{
  return formats[format].ending;
}

const char *
sl_pages_format_get_display_name (SlPagesFormat format)
{
  return _(formats[format].name);
}

static char *
dup_path (const SlPagesWork *work,
          SlPagesFormat      format)
{
  g_autofree char *name = g_strconcat (work->name, formats[format].ending, NULL);

  return g_build_filename (work->dir, name, NULL);
}

static gboolean
write_text (const SlPagesWork *work,
            SlPagesFormat      format,
            char              *text,
            GError           **error)
{
  g_autofree char *path = dup_path (work, format);
  g_autofree char *owned = text;

  return sl_outputs_write (work->outputs, path, owned, strlen (owned), error);
}

/* In a folder beside the text. */
static gboolean
write_beside (const SlPagesWork *work,
              const char        *name,
              const void        *data,
              gsize              size,
              GError           **error)
{
  g_autofree char *path = g_build_filename (work->dir, name, NULL);
  g_autofree char *folder = g_path_get_dirname (path);

  if (g_mkdir_with_parents (folder, 0777) != 0)
    {
      sl_output_set_error (error, folder, errno);
      return FALSE;
    }
  return sl_outputs_write (work->outputs, path, data, size, error);
}

static char *
to_json (const SlPagesWork *work)
{
  json_t *pages = json_array (), *object = json_pack ("{s:s, s:i, s:o}", "format", "sightline-document", "version", 1, "pages", pages);
  char *text;

  for (guint i = 0; i < work->pages->len; i++)
    json_array_append_new (pages, sl_page_to_json (work->pages->pdata[i]));
  text = json_dumps (object, JSON_INDENT (1));
  json_decref (object);
  return text;
}

/* ------------------------------------------------------------------------------------------------ pictures */

static SlPicture *
render (const SlPagesWork *work,
        guint              index,
        GError           **error)
{
  const SlPage *page = work->pages->pdata[index];
  int number;
  SlPageSource *source = work->find (index, &number, work->user_data, error);
  double dpi;

  return source != NULL ? sl_page_source_render (source, number, MAX (page->width, page->height), &dpi, error) : NULL;
}

static gboolean
write_picture (const SlPagesWork *work,
               SlPicture         *picture,
               const double       pixels[4],
               const char        *name,
               GError           **error)
{
  int width = sl_picture_get_width (picture), height = sl_picture_get_height (picture);
  int x = CLAMP ((int) pixels[0], 0, width - 1), y = CLAMP ((int) pixels[1], 0, height - 1);
  int right = CLAMP ((int) pixels[2], x + 1, width), bottom = CLAMP ((int) pixels[3], y + 1, height);
  g_autoptr(GdkPixbuf) all = gdk_pixbuf_new_from_bytes (sl_picture_get_rgb_bytes (picture), GDK_COLORSPACE_RGB, FALSE, 8, width, height,
                                                        (int) sl_picture_get_stride (picture));
  g_autoptr(GdkPixbuf) part = gdk_pixbuf_new_subpixbuf (all, x, y, right - x, bottom - y);
  g_autofree char *data = NULL;
  gsize size;

  return gdk_pixbuf_save_to_buffer (part, &data, &size, "png", error, NULL) && write_beside (work, name, data, size, error);
}

static gboolean
write_page_pictures (const SlPagesWork *work,
                     guint              index,
                     GError           **error)
{
  const SlPage *page = work->pages->pdata[index];
  g_autoptr(SlPicture) picture = NULL;

  for (guint i = 0; i < page->blocks->len; i++)
    {
      g_autofree char *name = sl_page_dup_picture_name (page, i, work->name);
      double pixels[4];

      if (name == NULL)
        continue;
      if (picture == NULL)
        picture = render (work, index, error);
      if (picture == NULL)
        return FALSE;
      sl_page_get_pixels (page, page->blocks->pdata[i], pixels);
      if (!write_picture (work, picture, pixels, name, error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
write_pictures (const SlPagesWork *work,
                GError           **error)
{
  for (guint i = 0; i < work->pages->len; i++)
    if (!write_page_pictures (work, i, error))
      return FALSE;
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ data sets */

static int
find_category (json_t     *categories,
               const char *type)
{
  json_t *category;
  size_t i;

  json_array_foreach (categories, i, category)
    if (g_str_equal (json_string_value (json_object_get (category, "name")), type))
      return (int) i + 1;
  json_array_append_new (categories, json_pack ("{s:i, s:s, s:s}", "id", (int) i + 1, "name", type, "supercategory", "block"));
  return (int) i + 1;
}

static void
add_annotations (const SlPage *page,
                 int           image,
                 json_t       *categories,
                 json_t       *annotations)
{
  for (guint i = 0; i < page->blocks->len; i++)
    {
      const SlPageBlock *block = page->blocks->pdata[i];
      double p[4];
      json_t *object;

      if (!sl_page_get_pixels (page, block, p))
        continue;
      object = json_pack ("{s:i, s:i, s:i, s:[f,f,f,f], s:f, s:i, s:[], s:s}", "id", (int) json_array_size (annotations) + 1, "image_id",
                          image, "category_id", find_category (categories, block->type), "bbox", p[0], p[1], p[2] - p[0], p[3] - p[1],
                          "area", (p[2] - p[0]) * (p[3] - p[1]), "iscrowd", 0, "segmentation", "text", block->text);
      if (sl_page_block_get_score (block) >= 0)
        json_object_set_new (object, "score", json_real (sl_page_block_get_score (block)));
      json_array_append_new (annotations, object);
    }
}

static gboolean
write_coco (const SlPagesWork *work,
            GError           **error)
{
  json_t *images = json_array (), *categories = json_array (), *annotations = json_array ();
  json_t *object = json_pack ("{s:{s:s}, s:o, s:o, s:o}", "info", "description", "Layout of pages, made with Sightline", "images", images,
                              "categories", categories, "annotations", annotations);
  g_autofree char *text = NULL;
  gboolean written = TRUE;

  for (guint i = 0; i < work->pages->len && written; i++)
    {
      const SlPage *page = work->pages->pdata[i];
      const double all[4] = { 0, 0, page->width, page->height };
      g_autofree char *name = g_strdup_printf ("%s_pages/%d.png", work->name, page->number);
      g_autoptr(SlPicture) picture = render (work, i, error);

      written = picture != NULL && write_picture (work, picture, all, name, error);
      json_array_append_new (images, json_pack ("{s:i, s:s, s:i, s:i, s:s, s:i}", "id", (int) i + 1, "file_name", name, "width", page->width,
                                                "height", page->height, "source", page->source, "page", page->number));
      add_annotations (page, (int) i + 1, categories, annotations);
    }
  text = json_dumps (object, JSON_INDENT (1));
  json_decref (object);
  return written && write_text (work, SL_PAGES_COCO, g_steal_pointer (&text), error);
}

/* NAME_tables/2_1.csv is the first table of page 2; with the mark that spreadsheets know UTF-8 by. */
static gboolean
write_tables (const SlPagesWork *work,
              GError           **error)
{
  for (guint i = 0; i < work->pages->len; i++)
    {
      const SlPage *page = work->pages->pdata[i];
      guint number = 0;

      for (guint k = 0; k < page->blocks->len; k++)
        {
          g_autoptr(SlPageTable) table = sl_page_table_parse (((const SlPageBlock *) page->blocks->pdata[k])->text);
          g_autofree char *csv = table != NULL ? sl_page_table_to_csv (table) : NULL;
          g_autofree char *marked = csv != NULL ? g_strconcat ("\xef\xbb\xbf", csv, NULL) : NULL;
          g_autofree char *name = NULL;

          if (marked == NULL)
            continue;
          name = g_strdup_printf ("%s_tables/%d_%u.csv", work->name, page->number, ++number);
          if (!write_beside (work, name, marked, strlen (marked), error))
            return FALSE;
        }
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ a document */

static gboolean
write_pdf (const SlPagesWork *work,
           GError           **error)
{
  g_autofree char *path = dup_path (work, SL_PAGES_PDF);

  return sl_page_pdf_write (work->find, work->user_data, work->pages, work->outputs, path, error);
}

gboolean
sl_pages_write (const SlPagesWork *work,
                SlPagesFormat      format,
                GError           **error)
{
  switch (format)
    {
    case SL_PAGES_MARKDOWN:
      return write_pictures (work, error) && write_text (work, format, sl_pages_to_markdown (work->pages, work->name), error);
    case SL_PAGES_HTML:
      return write_pictures (work, error) && write_text (work, format, sl_pages_to_html (work->pages, work->name), error);
    case SL_PAGES_TEXT:
      return write_text (work, format, sl_pages_to_text (work->pages), error);
    case SL_PAGES_JSON:
      return write_text (work, format, to_json (work), error);
    case SL_PAGES_HOCR:
      return write_text (work, format, sl_pages_to_hocr (work->pages, work->name), error);
    case SL_PAGES_ALTO:
      return write_text (work, format, sl_pages_to_alto (work->pages, work->name), error);
    case SL_PAGES_PDF:
      return write_pdf (work, error);
    case SL_PAGES_COCO:
      return write_coco (work, error);
    case SL_PAGES_CSV:
    default:
      return write_tables (work, error);
    }
}
