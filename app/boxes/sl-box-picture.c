/* SPDX-License-Identifier: MIT
 *
 * Writes a picture with its boxes as PNG, SVG or PDF, and cuts boxes out. All three formats are one drawing on one of cairo's
 * surfaces.
 */
#include "app/boxes/sl-box-picture.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

/* No PDF reader has to take a longer page. */
#define PDF_MAX_SIDE 14400.0

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

static cairo_surface_t *
picture_to_surface (SlPicture *picture)
{
  int width = sl_picture_get_width (picture);
  int height = sl_picture_get_height (picture);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, width, height);

  if (cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    return surface;

  cairo_surface_flush (surface);
  for (int y = 0; y < height; y++)
    {
      const guint8 *in = sl_picture_get_rgb (picture) + y * sl_picture_get_stride (picture);
      guint32 *out = (guint32 *) (cairo_image_surface_get_data (surface) +
                                  (gsize) y * cairo_image_surface_get_stride (surface));

      for (int x = 0; x < width; x++, in += 3)
        out[x] = (guint32) in[0] << 16 | (guint32) in[1] << 8 | in[2];
    }
  cairo_surface_mark_dirty (surface);

  return surface;
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

  if (!sl_picture_get_turned (picture) && g_str_equal (sl_picture_get_mime_type (picture), CAIRO_MIME_TYPE_JPEG))
    cairo_surface_set_mime_data (surface, CAIRO_MIME_TYPE_JPEG, data, size, unref_bytes, g_bytes_ref (bytes));
}

static void
draw_boxes (const Drawing *drawing,
            cairo_t       *cr)
{
  g_autoptr(SlBoxPainter) painter = sl_box_painter_new ();
  SlBoxView view = {
    .scale = 1,
    .width = sl_picture_get_width (drawing->picture),
    .height = sl_picture_get_height (drawing->picture),
  };

  sl_box_painter_set_style (painter, &drawing->style);
  sl_box_painter_set_view (painter, &view);
  sl_box_painter_set_boxes (painter, drawing->boxes, drawing->n_boxes);
  sl_box_painter_draw (painter, cr);
}

/* ------------------------------------------------------------------------------------------------ files */

static cairo_status_t
write_to_fd (void                *closure,
             const unsigned char *data,
             unsigned int         length)
{
  int fd = GPOINTER_TO_INT (closure);

  while (length > 0)
    {
      ssize_t written = write (fd, data, length);

      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        return CAIRO_STATUS_WRITE_ERROR;
      data += written;
      length -= written;
    }

  return CAIRO_STATUS_SUCCESS;
}

static void
set_write_error (const char  *path,
                 const char  *reason,
                 GError     **error)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (errno), _("“%s” cannot be written: %s."), name, reason);
}

/* A device or pipe (/dev/stdout) is written as it is; a file is replaced when its successor is complete. */
static gboolean
is_special (const char *path)
{
  struct stat info;

  return stat (path, &info) == 0 && !S_ISREG (info.st_mode);
}

/* Pictures are drawn on in place; the others get the picture as their first shape. */
static cairo_surface_t *
create_target (const Drawing   *drawing,
               cairo_surface_t *pixels,
               int              fd)
{
  double width = sl_picture_get_width (drawing->picture);
  double height = sl_picture_get_height (drawing->picture);
  double scale = MIN (1, PDF_MAX_SIDE / MAX (width, height));
  cairo_surface_t *target;
  cairo_t *cr;

  if (drawing->format == SL_BOX_PICTURE_PNG)
    return cairo_surface_reference (pixels);

  if (drawing->format == SL_BOX_PICTURE_SVG)
    {
      target = cairo_svg_surface_create_for_stream (write_to_fd, GINT_TO_POINTER (fd), width, height);
      cairo_svg_surface_set_document_unit (target, CAIRO_SVG_UNIT_PX);
      scale = 1;
    }
  else
    {
      target = cairo_pdf_surface_create_for_stream (write_to_fd, GINT_TO_POINTER (fd), width * scale, height * scale);
      cairo_pdf_surface_set_metadata (target, CAIRO_PDF_METADATA_CREATE_DATE, "2000-01-01T00:00:00Z");
    }
  cairo_surface_set_device_scale (target, scale, scale);
  attach_original (drawing->picture, pixels);
  cr = cairo_create (target);
  cairo_set_source_surface (cr, pixels, 0, 0);
  cairo_paint (cr);
  cairo_destroy (cr);

  return target;
}

static cairo_status_t
write_drawing (const Drawing *drawing,
               int            fd)
{
  cairo_surface_t *pixels = picture_to_surface (drawing->picture);
  cairo_surface_t *target = create_target (drawing, pixels, fd);
  cairo_t *cr = cairo_create (target);
  cairo_status_t status;

  if (!drawing->plain)
    draw_boxes (drawing, cr);
  status = cairo_status (cr);
  cairo_destroy (cr);
  if (status == CAIRO_STATUS_SUCCESS && drawing->format == SL_BOX_PICTURE_PNG)
    status = cairo_surface_write_to_png_stream (target, write_to_fd, GINT_TO_POINTER (fd));
  cairo_surface_finish (target);
  if (status == CAIRO_STATUS_SUCCESS && drawing->format != SL_BOX_PICTURE_PNG)
    status = cairo_surface_status (target);
  cairo_surface_destroy (target);
  cairo_surface_destroy (pixels);

  return status;
}

static const char *
reason_of (cairo_status_t status,
           int            saved_errno)
{
  if (saved_errno != 0)
    return g_strerror (saved_errno);

  return cairo_status_to_string (status);
}

static gboolean
save (const Drawing  *drawing,
      const char     *path,
      GError        **error)
{
  gboolean special = is_special (path);
  g_autofree char *target = special ? g_strdup (path) : g_strconcat (path, ".XXXXXX", NULL);
  int fd = special ? g_open (path, O_WRONLY | O_CLOEXEC, 0) : g_mkstemp_full (target, O_WRONLY | O_CLOEXEC, 0666);
  cairo_status_t status;
  gboolean saved;
  int saved_errno;

  if (fd < 0)
    {
      set_write_error (path, g_strerror (errno), error);
      return FALSE;
    }

  errno = 0;
  status = write_drawing (drawing, fd);
  saved = status == CAIRO_STATUS_SUCCESS && (special || fsync (fd) == 0);
  saved_errno = saved ? 0 : status == CAIRO_STATUS_NO_MEMORY ? ENOMEM : errno;
  if (close (fd) != 0 && saved)
    {
      saved = FALSE;
      saved_errno = errno;
    }
  if (saved && !special && g_rename (target, path) != 0)
    {
      saved = FALSE;
      saved_errno = errno;
    }

  if (!saved)
    {
      errno = saved_errno;
      set_write_error (path, reason_of (status, saved_errno), error);
      if (!special)
        g_unlink (target);
    }

  return saved;
}

gboolean
sl_box_picture_write (SlPicture           *picture,
                      const SlPaintBox    *boxes,
                      gsize                n_boxes,
                      const SlBoxStyle    *style,
                      SlBoxPictureFormat   format,
                      const char          *path,
                      GError             **error)
{
  Drawing drawing = { picture, boxes, n_boxes, style != NULL ? *style : style_for_picture (picture), format, FALSE };

  return save (&drawing, path, error);
}

gboolean
sl_box_picture_write_plain (SlPicture   *picture,
                            const char  *path,
                            GError     **error)
{
  Drawing drawing = { picture, NULL, 0, sl_box_default_style, SL_BOX_PICTURE_PNG, TRUE };

  return save (&drawing, path, error);
}

/* ------------------------------------------------------------------------------------------------ new pictures */

/* B G R x in memory → R G B A, in place. */
static SlPicture *
picture_from_surface (cairo_surface_t  *surface,
                      const char       *name,
                      GError          **error)
{
  int width, height;
  gsize stride;
  guint8 *data;

  if (cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    {
      g_set_error (error, SL_PICTURE_ERROR, SL_PICTURE_ERROR_MEMORY, _("There is not enough memory for “%s”."), name);
      return NULL;
    }

  cairo_surface_flush (surface);
  width = cairo_image_surface_get_width (surface);
  height = cairo_image_surface_get_height (surface);
  stride = cairo_image_surface_get_stride (surface);
  data = cairo_image_surface_get_data (surface);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      {
        guint8 *pixel = data + y * stride + 4 * (gsize) x;
        guint32 value;

        memcpy (&value, pixel, sizeof value);
        pixel[0] = value >> 16 & 255;
        pixel[1] = value >> 8 & 255;
        pixel[2] = value & 255;
        pixel[3] = 255;
      }

  return sl_picture_new_from_rgba (data, width, height, stride, name, error);
}

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

  return sl_picture_new_from_rgba (rgba, width, height, (gsize) width * 4, name, error);
}

SlPicture *
sl_box_picture_mark (SlPicture               *picture,
                     const cairo_rectangle_t *area,
                     const char              *name,
                     GError                 **error)
{
  cairo_surface_t *surface = picture_to_surface (picture);
  cairo_t *cr = cairo_create (surface);
  double side = MAX (sl_picture_get_width (picture), sl_picture_get_height (picture));
  SlPicture *marked;

  /* Thick enough to survive the model's own scaling to tiles of 384. */
  cairo_set_line_width (cr, MAX (3, side / 150));
  cairo_set_source_rgb (cr, 1, 0, 0);
  cairo_rectangle (cr, area->x, area->y, area->width, area->height);
  cairo_stroke (cr);
  cairo_destroy (cr);
  marked = picture_from_surface (surface, name, error);
  cairo_surface_destroy (surface);

  return marked;
}
