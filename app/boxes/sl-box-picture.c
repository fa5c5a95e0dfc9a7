/* SPDX-License-Identifier: MIT
 *
 * Writes a picture with its boxes as PNG, SVG or PDF, and cuts boxes out. All three formats are one drawing on one of cairo's
 * surfaces.
 */
#include "app/boxes/sl-box-picture.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture-format.h"
#include "app/pictures/sl-picture-profile.h"

/* No PDF reader has to take a longer page. */
#define PDF_MAX_SIDE 14400.0

/* cairo takes no longer image; a larger picture is drawn in pieces. */
#define MAX_SURFACE_SIDE 32767
#define PIECE_SIDE       16384

typedef struct
{
  SlPicture          *picture;
  const SlPaintBox   *boxes;
  gsize               n_boxes;
  SlBoxStyle          style;
  SlBoxPictureFormat  format;
  gboolean            plain; /* no boxes, not even an empty layer */
} Drawing;

/* ------------------------------------------------------------------------------------------------ drawing */

/* Part of the picture, for cairo. */
static cairo_surface_t *
area_to_surface (SlPicture                   *picture,
                 const cairo_rectangle_int_t *area)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, area->width, area->height);

  if (cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    return surface;

  cairo_surface_flush (surface);
  for (int y = 0; y < area->height; y++)
    {
      const guint8 *in = sl_picture_get_rgb (picture) + (gsize) (area->y + y) * sl_picture_get_stride (picture) + 3 * (gsize) area->x;
      guint32 *out = (guint32 *) (cairo_image_surface_get_data (surface) +
                                  (gsize) y * cairo_image_surface_get_stride (surface));

      for (int x = 0; x < area->width; x++, in += 3)
        out[x] = (guint32) in[0] << 16 | (guint32) in[1] << 8 | in[2];
    }
  cairo_surface_mark_dirty (surface);

  return surface;
}

static gboolean
is_one_piece (SlPicture *picture)
{
  return MAX (sl_picture_get_width (picture), sl_picture_get_height (picture)) <= MAX_SURFACE_SIDE;
}

/* The next piece of the picture behind `area`, row by row; an empty one is before the first. */
static gboolean
next_piece (SlPicture             *picture,
            cairo_rectangle_int_t *area)
{
  int width = sl_picture_get_width (picture);
  int height = sl_picture_get_height (picture);
  int side = is_one_piece (picture) ? MAX_SURFACE_SIDE : PIECE_SIDE;

  if (area->width > 0 && area->x + area->width < width)
    area->x += area->width;
  else
    {
      area->x = 0;
      area->y += area->height;
    }
  area->width = MIN (side, width - area->x);
  area->height = MIN (side, height - area->y);

  return area->height > 0;
}

static SlBoxStyle
style_for_picture (SlPicture *picture)
{
  double side = MAX (sl_picture_get_width (picture), sl_picture_get_height (picture));
  double factor = MAX (side / 900, 0.75);
  SlBoxStyle style = sl_box_default_style;

  style.line_width *= factor;
  style.font_size *= factor;

  return style;
}

static void
unref_bytes (void *bytes)
{
  g_bytes_unref (bytes);
}

/* A photo stays the file that it was, inside of an SVG or PDF. */
static void
attach_original (SlPicture       *picture,
                 cairo_surface_t *surface)
{
  GBytes *bytes = sl_picture_get_bytes (picture);
  gsize size;
  const guint8 *data = g_bytes_get_data (bytes, &size);

  if (sl_picture_get_plain (picture) && g_str_equal (sl_picture_get_mime_type (picture), CAIRO_MIME_TYPE_JPEG) &&
      sl_picture_format_is_plain_jpeg (data, size))
    cairo_surface_set_mime_data (surface, CAIRO_MIME_TYPE_JPEG, data, size, unref_bytes, g_bytes_ref (bytes));
}

static void
draw_boxes (cairo_t       *cr,
            gconstpointer  data)
{
  const Drawing *drawing = data;
  g_autoptr(SlBoxPainter) painter = NULL;
  SlBoxView view = {
    .scale = 1,
    .width = sl_picture_get_width (drawing->picture),
    .height = sl_picture_get_height (drawing->picture),
  };

  if (drawing->plain)
    return;
  painter = sl_box_painter_new ();
  sl_box_painter_set_style (painter, &drawing->style);
  sl_box_painter_set_view (painter, &view);
  sl_box_painter_set_boxes (painter, drawing->boxes, drawing->n_boxes);
  sl_box_painter_draw (painter, cr);
}

/* Pieces overlap by a pixel, so that no seam shines through where they are scaled. */
void
sl_box_picture_paint (SlPicture *picture,
                      cairo_t   *cr)
{
  cairo_rectangle_int_t piece = { 0 };

  while (next_piece (picture, &piece) && cairo_status (cr) == CAIRO_STATUS_SUCCESS)
    {
      cairo_rectangle_int_t area = {
        piece.x,
        piece.y,
        MIN (piece.width + 1, sl_picture_get_width (picture) - piece.x),
        MIN (piece.height + 1, sl_picture_get_height (picture) - piece.y),
      };
      cairo_surface_t *pixels = area_to_surface (picture, &area);

      if (is_one_piece (picture))
        attach_original (picture, pixels);
      cairo_set_source_surface (cr, pixels, area.x, area.y);
      cairo_paint (cr);
      cairo_surface_destroy (pixels);
    }
}

static void
take_pixels (cairo_surface_t             *surface,
             const cairo_rectangle_int_t *area,
             guint8                      *pixels,
             gsize                        stride,
             int                          n_channels)
{
  cairo_surface_flush (surface);
  for (int y = 0; y < area->height; y++)
    {
      const guint32 *in = (const guint32 *) (cairo_image_surface_get_data (surface) +
                                             (gsize) y * cairo_image_surface_get_stride (surface));
      guint8 *out = pixels + (area->y + y) * stride + (gsize) n_channels * area->x;

      for (int x = 0; x < area->width; x++, out += n_channels)
        {
          out[0] = in[x] >> 16 & 255;
          out[1] = in[x] >> 8 & 255;
          out[2] = in[x] & 255;
          if (n_channels == 4)
            out[3] = 255;
        }
    }
}

typedef void (*DrawFunc) (cairo_t       *cr,
                          gconstpointer  data);

/* The picture with something drawn on it, R G B or R G B A without padding, whatever its size. NULL: no memory. */
static guint8 *
render (SlPicture     *picture,
        int            n_channels,
        DrawFunc       draw,
        gconstpointer  data)
{
  gsize stride = (gsize) n_channels * sl_picture_get_width (picture);
  g_autofree guint8 *pixels = g_try_malloc_n (stride, sl_picture_get_height (picture));
  cairo_rectangle_int_t piece = { 0 };
  cairo_status_t status = CAIRO_STATUS_SUCCESS;

  while (pixels != NULL && status == CAIRO_STATUS_SUCCESS && next_piece (picture, &piece))
    {
      cairo_surface_t *surface = area_to_surface (picture, &piece);
      cairo_t *cr = cairo_create (surface);

      cairo_translate (cr, -piece.x, -piece.y);
      draw (cr, data);
      status = cairo_status (cr);
      if (status == CAIRO_STATUS_SUCCESS)
        take_pixels (surface, &piece, pixels, stride, n_channels);
      cairo_destroy (cr);
      cairo_surface_destroy (surface);
    }

  return status == CAIRO_STATUS_SUCCESS ? g_steal_pointer (&pixels) : NULL;
}

/* ------------------------------------------------------------------------------------------------ files */

static cairo_status_t
write_to_output (void                *output,
                 const unsigned char *data,
                 unsigned int         length)
{
  errno = sl_output_write (output, data, length);

  return errno == 0 ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static cairo_surface_t *
create_document (const Drawing *drawing,
                 SlOutput      *output)
{
  double width = sl_picture_get_width (drawing->picture);
  double height = sl_picture_get_height (drawing->picture);
  double scale = MIN (1, PDF_MAX_SIDE / MAX (width, height));
  cairo_surface_t *document;

  if (drawing->format == SL_BOX_PICTURE_SVG)
    {
      document = cairo_svg_surface_create_for_stream (write_to_output, output, width, height);
      cairo_svg_surface_set_document_unit (document, CAIRO_SVG_UNIT_PX);
      scale = 1;
    }
  else
    {
      document = cairo_pdf_surface_create_for_stream (write_to_output, output, width * scale, height * scale);
      cairo_pdf_surface_set_metadata (document, CAIRO_PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z");
    }
  cairo_surface_set_device_scale (document, scale, scale);

  return document;
}

static cairo_status_t
write_document (const Drawing *drawing,
                SlOutput      *output)
{
  cairo_surface_t *document = create_document (drawing, output);
  cairo_t *cr = cairo_create (document);
  cairo_status_t status;

  sl_box_picture_paint (drawing->picture, cr);
  draw_boxes (cr, drawing);
  status = cairo_status (cr);
  cairo_destroy (cr);
  cairo_surface_finish (document);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_status (document);
  cairo_surface_destroy (document);

  return status;
}

/* A PNG on its way to the file, with the picture's colour profile behind its head: no writer puts one there. */
typedef struct
{
  SlOutput *output;
  GBytes   *profile; /* the chunk, borrowed; NULL: none, or it is written */
  gsize     head;    /* bytes to come before it */
} Png;

static cairo_status_t
write_to_png (void                *data,
              const unsigned char *bytes,
              unsigned int         length)
{
  Png *png = data;
  unsigned int first = MIN (length, png->head);
  GBytes *chunk = png->profile;
  cairo_status_t status;

  if (chunk == NULL)
    return write_to_output (png->output, bytes, length);
  status = write_to_output (png->output, bytes, first);
  png->head -= first;
  if (status != CAIRO_STATUS_SUCCESS || png->head > 0)
    return status;
  png->profile = NULL;
  status = write_to_output (png->output, g_bytes_get_data (chunk, NULL), g_bytes_get_size (chunk));

  return status == CAIRO_STATUS_SUCCESS ? write_to_output (png->output, bytes + first, length - first) : status;
}

static gboolean
save_to_png (const char  *data,
             gsize        size,
             GError     **error,
             gpointer     png)
{
  if (write_to_png (png, (const guint8 *) data, size) == CAIRO_STATUS_SUCCESS)
    return TRUE;

  g_set_error_literal (error, G_IO_ERROR, g_io_error_from_errno (errno), g_strerror (errno));
  return FALSE;
}

/* As write_png(), past the size that cairo takes. */
static cairo_status_t
write_large_png (const Drawing *drawing,
                 Png           *png)
{
  int width = sl_picture_get_width (drawing->picture);
  int height = sl_picture_get_height (drawing->picture);
  guint8 *pixels = width > G_MAXINT / 3 ? NULL : render (drawing->picture, 3, draw_boxes, drawing);
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(GdkPixbuf) pixbuf = NULL;
  g_autoptr(GError) error = NULL;

  if (pixels == NULL)
    return CAIRO_STATUS_NO_MEMORY;
  bytes = g_bytes_new_take (pixels, (gsize) 3 * width * height);
  pixbuf = gdk_pixbuf_new_from_bytes (bytes, GDK_COLORSPACE_RGB, FALSE, 8, width, height, 3 * width);
  if (gdk_pixbuf_save_to_callback (pixbuf, save_to_png, png, "png", &error, NULL))
    return CAIRO_STATUS_SUCCESS;

  return error->domain == G_IO_ERROR ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_NO_MEMORY;
}

static cairo_status_t
write_png (const Drawing *drawing,
           SlOutput      *output)
{
  cairo_rectangle_int_t whole = { 0, 0, sl_picture_get_width (drawing->picture), sl_picture_get_height (drawing->picture) };
  GBytes *profile = sl_picture_get_profile (drawing->picture);
  g_autoptr(GBytes) chunk = profile != NULL ? sl_picture_profile_to_chunk (profile) : NULL;
  Png png = { output, chunk, SL_PNG_HEAD_BYTES };
  cairo_surface_t *pixels;
  cairo_t *cr;
  cairo_status_t status;

  if (!is_one_piece (drawing->picture))
    return write_large_png (drawing, &png);

  pixels = area_to_surface (drawing->picture, &whole);
  cr = cairo_create (pixels);
  draw_boxes (cr, drawing);
  status = cairo_status (cr);
  cairo_destroy (cr);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_write_to_png_stream (pixels, write_to_png, &png);
  cairo_surface_destroy (pixels);

  return status;
}

/* cairo knows reasons that no errno stands for. */
static gboolean
fail_drawing (const char      *path,
              cairo_status_t   status,
              GError         **error)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, status == CAIRO_STATUS_NO_MEMORY ? G_IO_ERROR_NO_SPACE : G_IO_ERROR_NOT_SUPPORTED,
               _("“%s” cannot be written: %s."), name, cairo_status_to_string (status));

  return FALSE;
}

static gboolean
save (const Drawing  *drawing,
      SlOutputs      *outputs,
      const char     *path,
      GError        **error)
{
  g_autoptr(SlOutput) output = sl_outputs_open (outputs, path, error);
  cairo_status_t status;
  int saved_errno;

  if (output == NULL)
    return FALSE;

  errno = 0;
  status = drawing->format == SL_BOX_PICTURE_PNG ? write_png (drawing, output)
                                                 : write_document (drawing, output);
  saved_errno = errno;
  if (status != CAIRO_STATUS_SUCCESS && (saved_errno == 0 || status != CAIRO_STATUS_WRITE_ERROR))
    return fail_drawing (path, status, error);

  return sl_output_finish (g_steal_pointer (&output), status == CAIRO_STATUS_SUCCESS ? 0 : saved_errno, error);
}

gboolean
sl_box_picture_write (SlPicture           *picture,
                      const SlPaintBox    *boxes,
                      gsize                n_boxes,
                      const SlBoxStyle    *style,
                      SlBoxPictureFormat   format,
                      SlOutputs           *outputs,
                      const char          *path,
                      GError             **error)
{
  Drawing drawing = { picture, boxes, n_boxes, style != NULL ? *style : style_for_picture (picture), format, FALSE };

  return save (&drawing, outputs, path, error);
}

gboolean
sl_box_picture_write_plain (SlPicture   *picture,
                            SlOutputs   *outputs,
                            const char  *path,
                            GError     **error)
{
  Drawing drawing = { picture, NULL, 0, sl_box_default_style, SL_BOX_PICTURE_PNG, TRUE };

  return save (&drawing, outputs, path, error);
}

/* ------------------------------------------------------------------------------------------------ new pictures */

static void
clip_area (SlPicture               *picture,
           const cairo_rectangle_t *area,
           int                      out[4])
{
  int width = sl_picture_get_width (picture);
  int height = sl_picture_get_height (picture);

  out[0] = CLAMP ((int) floor (area->x), 0, width - 1);
  out[1] = CLAMP ((int) floor (area->y), 0, height - 1);
  out[2] = CLAMP ((int) ceil (area->x + area->width), out[0] + 1, width);
  out[3] = CLAMP ((int) ceil (area->y + area->height), out[1] + 1, height);
}

SlPicture *
sl_box_picture_crop (SlPicture               *picture,
                     const cairo_rectangle_t *area,
                     const char              *name,
                     GError                 **error)
{
  g_autofree guint8 *rgba = NULL;
  int edges[4];
  int width, height;

  clip_area (picture, area, edges);
  width = edges[2] - edges[0];
  height = edges[3] - edges[1];
  rgba = g_try_malloc_n ((gsize) width * height, 4);
  if (rgba == NULL)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY, _("There is not enough memory for “%s”."), name);
      return NULL;
    }

  for (int y = 0; y < height; y++)
    {
      const guint8 *in = sl_picture_get_rgb (picture) + (gsize) (edges[1] + y) * sl_picture_get_stride (picture) +
                         3 * (gsize) edges[0];
      guint8 *out = rgba + (gsize) y * width * 4;

      for (int x = 0; x < width; x++, in += 3, out += 4)
        {
          memcpy (out, in, 3);
          out[3] = 255;
        }
    }

  return sl_picture_new_part (picture, rgba, width, height, (gsize) width * 4, name, error);
}

typedef struct
{
  const cairo_rectangle_t *area;
  double                   line_width;
} Mark;

static void
draw_mark (cairo_t       *cr,
           gconstpointer  data)
{
  const Mark *mark = data;

  cairo_set_line_width (cr, mark->line_width);
  cairo_set_source_rgb (cr, 1, 0, 0);
  cairo_rectangle (cr, mark->area->x, mark->area->y, mark->area->width, mark->area->height);
  cairo_stroke (cr);
}

SlPicture *
sl_box_picture_mark (SlPicture               *picture,
                     const cairo_rectangle_t *area,
                     const char              *name,
                     GError                 **error)
{
  int width = sl_picture_get_width (picture);
  int height = sl_picture_get_height (picture);
  /* Thick enough to survive the model's own scaling to tiles of 384. */
  Mark mark = { area, MAX (3, MAX (width, height) / 150.0) };
  g_autofree guint8 *rgba = render (picture, 4, draw_mark, &mark);

  if (rgba == NULL)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY, _("There is not enough memory for “%s”."), name);
      return NULL;
    }

  return sl_picture_new_part (picture, rgba, width, height, (gsize) width * 4, name, error);
}
