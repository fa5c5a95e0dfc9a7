/* SPDX-License-Identifier: MIT
 *
 * See sl-page-source.h.
 */
#include "app/document/sl-page-source.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#ifdef SL_HAVE_POPPLER
#include <poppler.h>
#endif

#define PICTURE_DPI 150.0  /* of a picture, which does not say it */
#define PDF_LIMIT (1u << 30)

struct _SlPageSource
{
  char      *name;
  SlPicture *picture; /* NULL: a PDF */
#ifdef SL_HAVE_POPPLER
  PopplerDocument *document;
#endif
};

static gboolean
is_pdf (const char *path)
{
  char head[5] = "";
  FILE *file = fopen (path, "rbe");
  gboolean found = file != NULL && fread (head, 1, sizeof head, file) == sizeof head && memcmp (head, "%PDF-", sizeof head) == 0;

  if (file != NULL)
    fclose (file);
  return found;
}

#ifdef SL_HAVE_POPPLER
static gboolean
open_pdf (SlPageSource  *self,
          const char    *path,
          GError       **error)
{
  g_autoptr(GMappedFile) file = g_mapped_file_new (path, FALSE, error);
  g_autoptr(GError) cause = NULL;
  g_autoptr(GBytes) bytes = NULL;

  if (file == NULL)
    return FALSE;
  if (g_mapped_file_get_length (file) > PDF_LIMIT)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_TOO_LARGE, _("“%s” is too large."), self->name);
      return FALSE;
    }
  bytes = g_bytes_new (g_mapped_file_get_contents (file), g_mapped_file_get_length (file)); /* the file may be cut while it is read */
  self->document = poppler_document_new_from_bytes (bytes, NULL, &cause);
  if (self->document == NULL && g_error_matches (cause, POPPLER_ERROR, POPPLER_ERROR_ENCRYPTED))
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_READ, _("“%s” is protected by a password."), self->name);
  else if (self->document == NULL)
    g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_BROKEN, _("“%s” is damaged: %s"), self->name, cause->message);
  return self->document != NULL;
}
#else
static gboolean
open_pdf (SlPageSource  *self,
          const char    *path,
          GError       **error)
{
  g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_FORMAT, _("“%s” is a PDF, which this build cannot read."), self->name);
  return FALSE;
}
#endif

SlPageSource *
sl_page_source_open (const char    *path,
                     GCancellable  *cancellable,
                     GError       **error)
{
  g_autoptr(SlPageSource) self = g_new0 (SlPageSource, 1);

  self->name = g_filename_display_basename (path);
  if (is_pdf (path))
    return open_pdf (self, path, error) ? g_steal_pointer (&self) : NULL;

  g_autoptr(GFile) file = g_file_new_for_path (path);

  self->picture = sl_picture_new_from_file (file, cancellable, error);
  return self->picture != NULL ? g_steal_pointer (&self) : NULL;
}

void
sl_page_source_close (SlPageSource *self)
{
  if (self == NULL)
    return;
  g_clear_object (&self->picture);
#ifdef SL_HAVE_POPPLER
  g_clear_object (&self->document);
#endif
  g_free (self->name);
  g_free (self);
}

const char *
sl_page_source_get_name (SlPageSource *self)
{
  return self->name;
}

/* ------------------------------------------------------------------------------------------------ PDF */

#ifdef SL_HAVE_POPPLER
static PopplerPage *
get_page (SlPageSource *self,
          int           page)
{
  return page >= 0 && page < poppler_document_get_n_pages (self->document) ? poppler_document_get_page (self->document, page) : NULL;
}

static cairo_surface_t *
draw_pixels (PopplerPage *page,
             double       x,
             double       y,
             int          width,
             int          height,
             double       scale)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, width, height);
  cairo_t *cr = cairo_create (surface);

  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_paint (cr);
  cairo_scale (cr, scale, scale);
  cairo_translate (cr, -x, -y);
  poppler_page_render (page, cr);
  cairo_destroy (cr);
  cairo_surface_flush (surface);
  return surface;
}

static SlPicture *
picture_of (cairo_surface_t *surface,
            const char      *name,
            GError         **error)
{
  int width = cairo_image_surface_get_width (surface), height = cairo_image_surface_get_height (surface);
  gsize from = (gsize) cairo_image_surface_get_stride (surface);
  g_autofree guint8 *rgba = g_try_malloc_n ((gsize) width * (gsize) height, 4);

  if (rgba == NULL || cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY, _("There is not enough memory for a page of “%s”."), name);
      return NULL;
    }
  for (int y = 0; y < height; y++)
    {
      const guint32 *row = (const guint32 *) (const void *) (cairo_image_surface_get_data (surface) + (gsize) y * from);

      for (int x = 0; x < width; x++)
        {
          guint8 *to = rgba + ((gsize) y * (gsize) width + (gsize) x) * 4;

          to[0] = (guint8) (row[x] >> 16);
          to[1] = (guint8) (row[x] >> 8);
          to[2] = (guint8) row[x];
          to[3] = 255;
        }
    }
  return sl_picture_new_from_rgba (rgba, width, height, (gsize) width * 4, name, error);
}

static SlPicture *
render_pdf (SlPageSource  *self,
            int            number,
            const double   area[4],
            int            longer_side,
            double        *dpi,
            GError       **error)
{
  PopplerPage *page = get_page (self, number);
  double x, y, width = 0, height = 0, scale;
  cairo_surface_t *surface;
  SlPicture *picture;

  if (page != NULL)
    poppler_page_get_size (page, &width, &height);
  if (!(width >= 1 && height >= 1))
    {
      g_clear_object (&page);
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_BROKEN, _("Page %d of “%s” cannot be read."), number + 1, self->name);
      return NULL;
    }
  x = area[0] * width;
  y = area[1] * height;
  width *= area[2] - area[0];
  height *= area[3] - area[1];
  scale = longer_side / MAX (width, height);
  *dpi = 72 * scale;
  surface = draw_pixels (page, x, y, MAX (1, (int) lrint (width * scale)), MAX (1, (int) lrint (height * scale)), scale);
  picture = picture_of (surface, self->name, error);
  cairo_surface_destroy (surface);
  g_object_unref (page);
  return picture;
}
#endif

int
sl_page_source_get_n_pages (SlPageSource *self)
{
#ifdef SL_HAVE_POPPLER
  if (self->picture == NULL)
    return poppler_document_get_n_pages (self->document);
#endif
  return 1;
}

/* Pixels of a picture as they are: there are no finer ones. */
static SlPicture *
cut_picture (SlPicture     *picture,
             const double   area[4],
             GError       **error)
{
  int width = sl_picture_get_width (picture), height = sl_picture_get_height (picture);
  int x = CLAMP ((int) floor (area[0] * width), 0, width - 1), y = CLAMP ((int) floor (area[1] * height), 0, height - 1);
  int right = CLAMP ((int) ceil (area[2] * width), x + 1, width), bottom = CLAMP ((int) ceil (area[3] * height), y + 1, height);
  gsize stride = (gsize) (right - x) * 4;
  g_autofree guint8 *rgba = NULL;

  if (right - x == width && bottom - y == height)
    return g_object_ref (picture);
  rgba = g_try_malloc_n ((gsize) (bottom - y), stride);
  if (rgba == NULL)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY, _("There is not enough memory for a page of “%s”."),
                   sl_picture_get_name (picture));
      return NULL;
    }
  for (int row = y; row < bottom; row++)
    {
      const guint8 *from = sl_picture_get_rgb (picture) + (gsize) row * sl_picture_get_stride (picture) + (gsize) x * 3;
      guint8 *to = rgba + (gsize) (row - y) * stride;

      for (int i = x; i < right; i++, from += 3, to += 4)
        {
          memcpy (to, from, 3);
          to[3] = 255;
        }
    }
  return sl_picture_new_from_rgba (rgba, right - x, bottom - y, stride, sl_picture_get_name (picture), error);
}

SlPicture *
sl_page_source_render_area (SlPageSource  *self,
                            int            page,
                            const double   area[4],
                            int            longer_side,
                            double        *dpi,
                            GError       **error)
{
#ifdef SL_HAVE_POPPLER
  if (self->picture == NULL)
    return render_pdf (self, page, area, longer_side, dpi, error);
#endif
  *dpi = PICTURE_DPI;
  return cut_picture (self->picture, area, error);
}

SlPicture *
sl_page_source_render (SlPageSource  *self,
                       int            page,
                       int            longer_side,
                       double        *dpi,
                       GError       **error)
{
  return sl_page_source_render_area (self, page, (double[]) { 0, 0, 1, 1 }, longer_side, dpi, error);
}

gboolean
sl_page_source_get_size (SlPageSource *self,
                         int           page,
                         double       *width,
                         double       *height)
{
  if (self->picture != NULL)
    {
      *width = sl_picture_get_width (self->picture) * 72 / PICTURE_DPI;
      *height = sl_picture_get_height (self->picture) * 72 / PICTURE_DPI;
      return TRUE;
    }
#ifdef SL_HAVE_POPPLER
  PopplerPage *found = get_page (self, page);

  if (found == NULL)
    return FALSE;
  poppler_page_get_size (found, width, height);
  g_object_unref (found);
  return *width >= 1 && *height >= 1;
#else
  return FALSE;
#endif
}

/* ------------------------------------------------------------------------------------------------ drawing */

static void
unref_bytes (void *bytes)
{
  g_bytes_unref (bytes);
}

static gboolean
draw_picture (SlPicture  *picture,
              cairo_t    *cr,
              GError    **error)
{
  int width = sl_picture_get_width (picture), height = sl_picture_get_height (picture);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, width, height);
  GBytes *bytes = sl_picture_get_bytes (picture);

  if (cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    {
      cairo_surface_destroy (surface);
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY, _("There is not enough memory for a page of “%s”."),
                   sl_picture_get_name (picture));
      return FALSE;
    }
  for (int y = 0; y < height; y++)
    {
      const guint8 *from = sl_picture_get_rgb (picture) + (gsize) y * sl_picture_get_stride (picture);
      guint32 *to = (guint32 *) (void *) (cairo_image_surface_get_data (surface) + (gsize) y * (gsize) cairo_image_surface_get_stride (surface));

      for (int x = 0; x < width; x++, from += 3)
        to[x] = (guint32) from[0] << 16 | (guint32) from[1] << 8 | from[2];
    }
  cairo_surface_mark_dirty (surface);
  if (sl_picture_get_plain (picture) && g_str_equal (sl_picture_get_mime_type (picture), "image/jpeg"))
    cairo_surface_set_mime_data (surface, CAIRO_MIME_TYPE_JPEG, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), unref_bytes,
                                 g_bytes_ref (bytes));
  cairo_save (cr);
  cairo_scale (cr, 72 / PICTURE_DPI, 72 / PICTURE_DPI);
  cairo_set_source_surface (cr, surface, 0, 0);
  cairo_paint (cr);
  cairo_restore (cr);
  cairo_surface_destroy (surface);
  return TRUE;
}

gboolean
sl_page_source_draw (SlPageSource  *self,
                     int            page,
                     cairo_t       *cr,
                     GError       **error)
{
#ifdef SL_HAVE_POPPLER
  if (self->picture == NULL)
    {
      PopplerPage *found = get_page (self, page);

      if (found == NULL)
        {
          g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_BROKEN, _("Page %d of “%s” cannot be read."), page + 1, self->name);
          return FALSE;
        }
      poppler_page_render_for_printing (found, cr);
      g_object_unref (found);
      return TRUE;
    }
#endif
  return draw_picture (self->picture, cr, error);
}
