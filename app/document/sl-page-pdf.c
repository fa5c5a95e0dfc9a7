/* SPDX-License-Identifier: MIT
 *
 * See sl-page-pdf.h. Words lie beneath the page and a white ground: readers find and select them, and nobody sees them.
 */
#include "app/document/sl-page-pdf.h"

#include <errno.h>

#include <cairo-pdf.h>
#include <glib/gi18n-lib.h>
#include <pango/pangocairo.h>

#include "app/document/sl-page-layout.h"

#define HAIR 0.01 /* points */

static cairo_status_t
write_some (void                *closure,
            const unsigned char *data,
            unsigned int         length)
{
  return sl_output_write (closure, data, length) == 0 ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

/* As large as its place lets it be, and no letter wider than it is high: readers would take stretched ones for words of their own.
 * across, down: points to a pixel. */
static void
draw_word (cairo_t      *cr,
           PangoLayout  *layout,
           const SlWord *word,
           double        across,
           double        down)
{
  PangoRectangle extents;
  double scale;

  pango_layout_set_text (layout, word->text, -1);
  pango_layout_get_extents (layout, NULL, &extents);
  if (extents.width <= 0 || extents.height <= 0)
    return;
  scale = MIN (word->width * across / extents.width, word->height * down / extents.height) * PANGO_SCALE;
  cairo_save (cr);
  cairo_translate (cr, word->x * across, word->y * down);
  cairo_scale (cr, scale, scale);
  pango_cairo_update_layout (cr, layout);
  cairo_move_to (cr, 0, 0);
  pango_cairo_show_layout (cr, layout);
  cairo_restore (cr);
}

static void
draw_words (cairo_t      *cr,
            const SlPage *page,
            double        width,
            double        height)
{
  PangoLayout *layout = pango_cairo_create_layout (cr);
  PangoFontDescription *font = pango_font_description_from_string ("Sans 10");

  pango_layout_set_font_description (layout, font);
  cairo_save (cr);
  cairo_set_source_rgb (cr, 1, 1, 1);
  for (guint i = 0; i < page->blocks->len; i++)
    {
      g_autoptr(GArray) words = sl_page_lay_words (page, page->blocks->pdata[i]);

      for (guint k = 0; k < words->len; k++)
        draw_word (cr, layout, &g_array_index (words, SlWord, k), width / page->width, height / page->height);
    }
  cairo_restore (cr);
  pango_font_description_free (font);
  g_object_unref (layout);
}

static gboolean
draw_page (cairo_surface_t *surface,
           SlPageSource    *source,
           int              number,
           const SlPage    *page,
           GError         **error)
{
  double width, height;
  cairo_t *cr;
  gboolean drawn;

  if (!sl_page_source_get_size (source, number, &width, &height))
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_READ, _("Page %d of “%s” cannot be read."), number + 1,
                   sl_page_source_get_name (source));
      return FALSE;
    }
  cairo_pdf_surface_set_size (surface, width, height);
  cr = cairo_create (surface);
  draw_words (cr, page, width, height);
  /* cairo forgets what lies beneath something opaque that covers everything. */
  cairo_rectangle (cr, HAIR, HAIR, width - 2 * HAIR, height - 2 * HAIR);
  cairo_clip (cr);
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_paint (cr);
  drawn = sl_page_source_draw (source, number, cr, error);
  cairo_show_page (cr);
  cairo_destroy (cr);
  return drawn;
}

gboolean
sl_page_pdf_write (SlPageSourceFunc   find,
                   gpointer           user_data,
                   GPtrArray         *pages,
                   SlOutputs         *outputs,
                   const char        *path,
                   GError           **error)
{
  g_autoptr(SlOutput) output = sl_outputs_open (outputs, path, error);
  cairo_surface_t *surface;
  cairo_status_t status;
  gboolean drawn = TRUE;

  if (output == NULL)
    return FALSE;
  surface = cairo_pdf_surface_create_for_stream (write_some, output, 595, 842);
  for (guint i = 0; i < pages->len && drawn; i++)
    {
      int number;
      SlPageSource *source = find (i, &number, user_data, error);

      drawn = source != NULL && draw_page (surface, source, number, pages->pdata[i], error);
    }
  cairo_surface_finish (surface);
  status = cairo_surface_status (surface);
  cairo_surface_destroy (surface);
  if (!drawn)
    return FALSE;
  return sl_output_finish (g_steal_pointer (&output), status == CAIRO_STATUS_SUCCESS ? 0 : status == CAIRO_STATUS_NO_MEMORY ? ENOMEM : EIO, error);
}
