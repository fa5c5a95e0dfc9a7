/* SPDX-License-Identifier: MIT
 *
 * Layout once per change of boxes, view or style; drawing and hit testing read the result. A box's badge and label form
 * one tag that is tried at eight places around the frame, clamped into what is visible, and put where it covers the
 * least of the tags before it.
 */
#include "app/sl-box-painter.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <pango/pangocairo.h>

const SlBoxStyle sl_box_default_style = {
  .line_width = 2,
  .font_size = 13,
  .opacity = 1,
  .fill_opacity = 0,
  .show_labels = TRUE,
};

/* Neighbours in the list differ strongly in hue; all are mid-bright, so that one halo tone each is enough. */
static const SlBoxColor palette[SL_BOX_N_COLORS] = {
  { 1.00, 0.27, 0.23 }, /* red */
  { 0.10, 0.72, 1.00 }, /* sky */
  { 1.00, 0.80, 0.00 }, /* yellow */
  { 0.72, 0.36, 1.00 }, /* violet */
  { 0.20, 0.85, 0.35 }, /* green */
  { 1.00, 0.41, 0.77 }, /* pink */
  { 1.00, 0.55, 0.10 }, /* orange */
  { 0.25, 0.45, 1.00 }, /* blue */
  { 0.70, 0.92, 0.15 }, /* lime */
  { 0.85, 0.20, 0.55 }, /* magenta */
  { 0.70, 0.62, 0.35 }, /* sand */
  { 0.10, 0.85, 0.80 }, /* turquoise */
};

typedef struct
{
  SlPaintBox   box;          /* label owned */
  PangoLayout *label_layout; /* NULL: none */
  PangoLayout *badge_layout;
} Item;

struct _SlBoxPainter
{
  GArray       *items;    /* Item */
  GArray       *geometry; /* SlBoxGeometry, valid while !dirty */
  PangoContext *context;
  SlBoxView     view;
  SlBoxStyle    style;
  int           hovered;
  int           selected;
  gboolean      dirty;
};

SlBoxColor
sl_box_palette_get (guint index)
{
  return palette[index % SL_BOX_N_COLORS];
}

void
sl_box_painter_assign_colors (SlPaintBox    *boxes,
                              gsize          n_boxes,
                              SlBoxColoring  coloring)
{
  g_autoptr(GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (gsize i = 0; i < n_boxes; i++)
    {
      const char *label = boxes[i].label != NULL ? boxes[i].label : "";
      gpointer known;

      if (coloring == SL_BOX_COLORING_INSTANCE)
        {
          boxes[i].color = i;
        }
      else if (g_hash_table_lookup_extended (seen, label, NULL, &known))
        {
          boxes[i].color = GPOINTER_TO_UINT (known);
        }
      else
        {
          boxes[i].color = g_hash_table_size (seen);
          g_hash_table_insert (seen, (gpointer) label, GUINT_TO_POINTER (boxes[i].color));
        }
    }
}

static void
item_clear (gpointer data)
{
  Item *item = data;

  g_free ((char *) item->box.label);
  g_clear_object (&item->label_layout);
  g_clear_object (&item->badge_layout);
}

SlBoxPainter *
sl_box_painter_new (void)
{
  SlBoxPainter *self = g_new0 (SlBoxPainter, 1);
  cairo_font_options_t *options = cairo_font_options_create ();

  /* Unhinted: the same widths at every scale. */
  cairo_font_options_set_hint_metrics (options, CAIRO_HINT_METRICS_OFF);
  cairo_font_options_set_hint_style (options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_antialias (options, CAIRO_ANTIALIAS_GRAY);
  self->context = pango_font_map_create_context (pango_cairo_font_map_get_default ());
  pango_cairo_context_set_font_options (self->context, options);
  cairo_font_options_destroy (options);

  self->items = g_array_new (FALSE, TRUE, sizeof (Item));
  g_array_set_clear_func (self->items, item_clear);
  self->geometry = g_array_new (FALSE, TRUE, sizeof (SlBoxGeometry));
  self->view = (SlBoxView) { .scale = 1 };
  self->style = sl_box_default_style;
  self->hovered = -1;
  self->selected = -1;

  return self;
}

void
sl_box_painter_free (SlBoxPainter *self)
{
  if (self == NULL)
    return;

  g_array_unref (self->items);
  g_array_unref (self->geometry);
  g_object_unref (self->context);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ layout */

static PangoLayout *
create_text (SlBoxPainter *self,
             const char   *text,
             PangoWeight   weight)
{
  PangoLayout *layout = pango_layout_new (self->context);
  PangoFontDescription *font = pango_font_description_from_string ("Sans");

  pango_font_description_set_absolute_size (font, self->style.font_size * PANGO_SCALE);
  pango_font_description_set_weight (font, weight);
  pango_layout_set_font_description (layout, font);
  pango_font_description_free (font);
  pango_layout_set_single_paragraph_mode (layout, TRUE);
  pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
  pango_layout_set_text (layout, text, -1);

  return layout;
}

static void
create_texts (SlBoxPainter *self,
              Item         *item)
{
  g_clear_object (&item->label_layout);
  g_clear_object (&item->badge_layout);

  if (item->box.number > 0)
    {
      g_autofree char *number = g_strdup_printf ("%d", item->box.number);

      item->badge_layout = create_text (self, number, PANGO_WEIGHT_BOLD);
    }

  if (item->box.label != NULL && *item->box.label != '\0')
    item->label_layout = create_text (self, item->box.label, PANGO_WEIGHT_NORMAL);
}

void
sl_box_painter_set_boxes (SlBoxPainter     *self,
                          const SlPaintBox *boxes,
                          gsize             n_boxes)
{
  g_array_set_size (self->items, 0);

  for (gsize i = 0; i < n_boxes; i++)
    {
      Item item = { .box = boxes[i] };

      item.box.label = boxes[i].label != NULL ? g_utf8_make_valid (boxes[i].label, -1) : NULL;
      create_texts (self, &item);
      g_array_append_val (self->items, item);
    }

  self->hovered = -1;
  self->selected = -1;
  self->dirty = TRUE;
}

void
sl_box_painter_set_view (SlBoxPainter    *self,
                         const SlBoxView *view)
{
  g_return_if_fail (view->scale > 0);

  self->view = *view;
  self->dirty = TRUE;
}

void
sl_box_painter_set_style (SlBoxPainter     *self,
                          const SlBoxStyle *style)
{
  gboolean new_font = self->style.font_size != style->font_size;

  self->style = *style;
  self->dirty = TRUE;

  for (guint i = 0; new_font && i < self->items->len; i++)
    create_texts (self, &g_array_index (self->items, Item, i));
}

void
sl_box_painter_set_emphasis (SlBoxPainter *self,
                             int           hovered,
                             int           selected)
{
  self->hovered = hovered;
  self->selected = selected;
}

static double
rectangle_overlap (const cairo_rectangle_t *a,
                   const cairo_rectangle_t *b)
{
  double width = MIN (a->x + a->width, b->x + b->width) - MAX (a->x, b->x);
  double height = MIN (a->y + a->height, b->y + b->height) - MAX (a->y, b->y);

  return width > 0 && height > 0 ? width * height : 0;
}

static cairo_rectangle_t
rectangle_intersect (const cairo_rectangle_t *a,
                     const cairo_rectangle_t *b)
{
  double x = MAX (a->x, b->x);
  double y = MAX (a->y, b->y);

  return (cairo_rectangle_t) {
    x, y,
    MAX (0, MIN (a->x + a->width, b->x + b->width) - x),
    MAX (0, MIN (a->y + a->height, b->y + b->height) - y),
  };
}

static gboolean
rectangle_contains (const cairo_rectangle_t *r,
                    double                   x,
                    double                   y,
                    double                   slack)
{
  return r->width > 0 && x >= r->x - slack && x <= r->x + r->width + slack &&
         y >= r->y - slack && y <= r->y + r->height + slack;
}

static cairo_rectangle_t
visible_picture (SlBoxPainter *self)
{
  const SlBoxView *view = &self->view;
  cairo_rectangle_t picture = { view->x, view->y, view->width * view->scale, view->height * view->scale };

  return view->visible.width > 0 ? rectangle_intersect (&picture, &view->visible) : picture;
}

/* The tag's size: badge then label, side by side. Widths are 0 for what does not fit or does not exist. */
static void
measure_tag (SlBoxPainter            *self,
             Item                    *item,
             const cairo_rectangle_t *visible,
             double                  *badge_width,
             double                  *label_width,
             double                  *height)
{
  double pad = self->style.font_size * 0.35;
  PangoRectangle extents;

  *badge_width = *label_width = 0;
  *height = ceil (self->style.font_size * 1.45);
  if (*height > visible->height)
    return;

  if (item->badge_layout != NULL)
    {
      pango_layout_get_extents (item->badge_layout, NULL, &extents);
      *badge_width = MAX (*height, extents.width / (double) PANGO_SCALE + 2 * pad);
      if (*badge_width > visible->width)
        *badge_width = 0;
    }

  if (item->label_layout != NULL && self->style.show_labels)
    {
      double room = visible->width - *badge_width - 2 * pad;

      if (room < 2 * self->style.font_size)
        return;
      pango_layout_set_width (item->label_layout, -1);
      pango_layout_get_extents (item->label_layout, NULL, &extents);
      if (extents.width > room * PANGO_SCALE)
        {
          pango_layout_set_width (item->label_layout, (int) (room * PANGO_SCALE));
          pango_layout_get_extents (item->label_layout, NULL, &extents);
        }
      *label_width = MIN (extents.width / (double) PANGO_SCALE, room) + 2 * pad;
    }
}

/* The i-th place for a tag: above, inside top, below, inside bottom; each at the left, then at the right edge. */
#define N_PLACES 8

static cairo_rectangle_t
place_tag (SlBoxPainter            *self,
           const cairo_rectangle_t *frame,
           const cairo_rectangle_t *visible,
           double                   width,
           double                   height,
           int                      place)
{
  double half = self->style.line_width / 2;
  cairo_rectangle_t tag = { 0, 0, width, height };

  tag.x = place < 4 ? frame->x - half : frame->x + frame->width + half - width;
  switch (place % 4)
    {
    case 0:
      tag.y = frame->y - half - height;
      break;
    case 1:
      tag.y = frame->y - half;
      break;
    case 2:
      tag.y = frame->y + frame->height + half;
      break;
    default:
      tag.y = frame->y + frame->height + half - height;
      break;
    }

  tag.x = CLAMP (tag.x, visible->x, visible->x + visible->width - width);
  tag.y = CLAMP (tag.y, visible->y, visible->y + visible->height - height);

  return tag;
}

static double
covered_tags (SlBoxPainter            *self,
              guint                    n_placed,
              const cairo_rectangle_t *tag)
{
  double covered = 0;

  for (guint i = 0; i < n_placed; i++)
    {
      const SlBoxGeometry *other = &g_array_index (self->geometry, SlBoxGeometry, i);

      covered += rectangle_overlap (tag, &other->badge) + rectangle_overlap (tag, &other->label);
    }

  return covered;
}

static void
layout_tag (SlBoxPainter            *self,
            guint                    index,
            const cairo_rectangle_t *visible)
{
  Item *item = &g_array_index (self->items, Item, index);
  SlBoxGeometry *geometry = &g_array_index (self->geometry, SlBoxGeometry, index);
  cairo_rectangle_t best = { 0 };
  double badge_width, label_width, height, least = G_MAXDOUBLE;

  measure_tag (self, item, visible, &badge_width, &label_width, &height);
  if (badge_width + label_width <= 0)
    return;

  for (int place = 0; place < N_PLACES && least > 0; place++)
    {
      cairo_rectangle_t tag = place_tag (self, &geometry->frame, visible, badge_width + label_width, height, place);
      double covered = covered_tags (self, index, &tag);

      if (covered < least)
        {
          least = covered;
          best = tag;
        }
    }

  if (badge_width > 0)
    geometry->badge = (cairo_rectangle_t) { best.x, best.y, badge_width, height };
  if (label_width > 0)
    geometry->label = (cairo_rectangle_t) { best.x + badge_width, best.y, label_width, height };
}

static void
layout_box (SlBoxPainter            *self,
            guint                    index,
            const cairo_rectangle_t *visible)
{
  const SlPaintBox *box = &g_array_index (self->items, Item, index).box;
  SlBoxGeometry *geometry = &g_array_index (self->geometry, SlBoxGeometry, index);
  const SlBoxView *view = &self->view;
  double slack = self->style.line_width;

  *geometry = (SlBoxGeometry) { 0 };
  if (box->hidden)
    return;

  geometry->frame = (cairo_rectangle_t) {
    view->x + box->x1 * view->scale,
    view->y + box->y1 * view->scale,
    (box->x2 - box->x1) * view->scale,
    (box->y2 - box->y1) * view->scale,
  };

  if (geometry->frame.x <= visible->x + visible->width + slack &&
      geometry->frame.y <= visible->y + visible->height + slack &&
      geometry->frame.x + geometry->frame.width >= visible->x - slack &&
      geometry->frame.y + geometry->frame.height >= visible->y - slack)
    layout_tag (self, index, visible);
}

const SlBoxGeometry *
sl_box_painter_layout (SlBoxPainter *self,
                       gsize        *n_boxes)
{
  if (self->dirty)
    {
      cairo_rectangle_t visible = visible_picture (self);

      g_array_set_size (self->geometry, self->items->len);
      for (guint i = 0; i < self->items->len; i++)
        layout_box (self, i, &visible);
      self->dirty = FALSE;
    }

  if (n_boxes != NULL)
    *n_boxes = self->geometry->len;

  return (const SlBoxGeometry *) self->geometry->data;
}

int
sl_box_painter_hit (SlBoxPainter *self,
                    double        x,
                    double        y,
                    double        slack)
{
  gsize n_boxes;
  const SlBoxGeometry *geometry = sl_box_painter_layout (self, &n_boxes);
  double smallest = G_MAXDOUBLE;
  int hit = -1;

  for (gsize i = n_boxes; i-- > 0;)
    {
      if (rectangle_contains (&geometry[i].badge, x, y, 0) || rectangle_contains (&geometry[i].label, x, y, 0))
        return (int) i;
    }

  for (gsize i = 0; i < n_boxes; i++)
    {
      double area = geometry[i].frame.width * geometry[i].frame.height;

      if (!g_array_index (self->items, Item, i).box.hidden && area < smallest &&
          rectangle_contains (&geometry[i].frame, x, y, slack))
        {
          smallest = area;
          hit = (int) i;
        }
    }

  return hit;
}

/* ------------------------------------------------------------------------------------------------ drawing */

static double
luminance (SlBoxColor color)
{
  return 0.2126 * color.red + 0.7152 * color.green + 0.0722 * color.blue;
}

/* Black or white, whichever stands out from the colour. */
static void
set_contrast (cairo_t    *cr,
              SlBoxColor  color,
              double      alpha)
{
  double tone = luminance (color) > 0.5 ? 0 : 1;

  cairo_set_source_rgba (cr, tone, tone, tone, alpha);
}

static void
draw_frame (SlBoxPainter *self,
            cairo_t      *cr,
            guint         index)
{
  const SlPaintBox *box = &g_array_index (self->items, Item, index).box;
  const cairo_rectangle_t *frame = &g_array_index (self->geometry, SlBoxGeometry, index).frame;
  SlBoxColor color = sl_box_palette_get (box->color);
  gboolean strong = (int) index == self->hovered || (int) index == self->selected;
  double width = self->style.line_width * (strong ? 1.75 : 1);
  double halo = MAX (1, self->style.line_width * 0.5);
  double fill = self->style.fill_opacity + ((int) index == self->hovered ? 0.18 : (int) index == self->selected ? 0.10 : 0);

  cairo_set_line_join (cr, CAIRO_LINE_JOIN_MITER);
  if (fill > 0)
    {
      cairo_rectangle (cr, frame->x, frame->y, frame->width, frame->height);
      cairo_set_source_rgba (cr, color.red, color.green, color.blue, MIN (1, fill));
      cairo_fill (cr);
    }

  cairo_rectangle (cr, frame->x, frame->y, frame->width, frame->height);
  cairo_set_line_width (cr, width + 2 * halo);
  set_contrast (cr, color, 0.75);
  cairo_stroke_preserve (cr);

  if (box->uncertain)
    cairo_set_dash (cr, (double[]) { 3 * width, 2 * width }, 2, 0);
  cairo_set_line_width (cr, width);
  cairo_set_source_rgb (cr, color.red, color.green, color.blue);
  cairo_stroke (cr);
  cairo_set_dash (cr, NULL, 0, 0);
}

static void
draw_text (cairo_t                 *cr,
           PangoLayout             *layout,
           const cairo_rectangle_t *ground)
{
  PangoRectangle extents;

  pango_layout_get_extents (layout, NULL, &extents);
  cairo_move_to (cr, ground->x + (ground->width - extents.width / (double) PANGO_SCALE) / 2,
                 ground->y + (ground->height - extents.height / (double) PANGO_SCALE) / 2);
  pango_cairo_show_layout (cr, layout);
}

static void
draw_tag (SlBoxPainter *self,
          cairo_t      *cr,
          guint         index)
{
  const Item *item = &g_array_index (self->items, Item, index);
  const SlBoxGeometry *geometry = &g_array_index (self->geometry, SlBoxGeometry, index);
  SlBoxColor color = sl_box_palette_get (item->box.color);

  if (geometry->badge.width > 0)
    {
      cairo_rectangle (cr, geometry->badge.x, geometry->badge.y, geometry->badge.width, geometry->badge.height);
      set_contrast (cr, color, 1);
      cairo_fill (cr);
      cairo_set_source_rgb (cr, color.red, color.green, color.blue);
      draw_text (cr, item->badge_layout, &geometry->badge);
    }

  if (geometry->label.width > 0)
    {
      cairo_rectangle (cr, geometry->label.x, geometry->label.y, geometry->label.width, geometry->label.height);
      cairo_set_source_rgba (cr, color.red, color.green, color.blue, 0.92);
      cairo_fill (cr);
      set_contrast (cr, color, 1);
      draw_text (cr, item->label_layout, &geometry->label);
    }
}

static gboolean
is_drawn (SlBoxPainter *self,
          int           index)
{
  return index >= 0 && index < (int) self->items->len && !g_array_index (self->items, Item, index).box.hidden;
}

static void
draw_everything (SlBoxPainter *self,
                 cairo_t      *cr)
{
  int n_boxes = (int) self->items->len;

  for (int i = 0; i < n_boxes; i++)
    {
      if (is_drawn (self, i) && i != self->hovered && i != self->selected)
        draw_frame (self, cr, i);
    }
  for (int i = 0; i < n_boxes; i++)
    {
      if (is_drawn (self, i) && i != self->hovered && i != self->selected)
        draw_tag (self, cr, i);
    }

  if (is_drawn (self, self->selected) && self->selected != self->hovered)
    {
      draw_frame (self, cr, self->selected);
      draw_tag (self, cr, self->selected);
    }
  if (is_drawn (self, self->hovered))
    {
      draw_frame (self, cr, self->hovered);
      draw_tag (self, cr, self->hovered);
    }
}

void
sl_box_painter_draw (SlBoxPainter *self,
                     cairo_t      *cr)
{
  if (self->items->len == 0 || self->style.opacity <= 0)
    return;

  sl_box_painter_layout (self, NULL);
  cairo_save (cr);
  if (self->style.opacity < 1)
    {
      cairo_push_group (cr);
      draw_everything (self, cr);
      cairo_pop_group_to_source (cr);
      cairo_paint_with_alpha (cr, self->style.opacity);
    }
  else
    {
      draw_everything (self, cr);
    }
  cairo_restore (cr);
}

/* ------------------------------------------------------------------------------------------------ files */

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

static gboolean
save_png (cairo_surface_t  *surface,
          const char       *path,
          GError          **error)
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
  status = cairo_surface_write_to_png_stream (surface, write_to_fd, GINT_TO_POINTER (fd));
  saved = status == CAIRO_STATUS_SUCCESS && (special || fsync (fd) == 0);
  saved_errno = errno;
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
      set_write_error (path, saved_errno != 0 ? g_strerror (saved_errno) : cairo_status_to_string (status), error);
      if (!special)
        g_unlink (target);
    }

  return saved;
}

gboolean
sl_box_painter_render_png (SlPicture         *picture,
                           const SlPaintBox  *boxes,
                           gsize              n_boxes,
                           const SlBoxStyle  *style,
                           const char        *path,
                           GError           **error)
{
  g_autoptr(SlBoxPainter) painter = sl_box_painter_new ();
  SlBoxView view = { 0, 0, 1, sl_picture_get_width (picture), sl_picture_get_height (picture), { 0 } };
  SlBoxStyle fitting = style != NULL ? *style : style_for_picture (picture);
  cairo_surface_t *surface = picture_to_surface (picture);
  cairo_t *cr = cairo_create (surface);
  cairo_status_t status;
  gboolean saved = FALSE;

  sl_box_painter_set_style (painter, &fitting);
  sl_box_painter_set_view (painter, &view);
  sl_box_painter_set_boxes (painter, boxes, n_boxes);
  sl_box_painter_draw (painter, cr);
  status = cairo_status (cr);
  cairo_destroy (cr);

  if (status != CAIRO_STATUS_SUCCESS)
    {
      errno = status == CAIRO_STATUS_NO_MEMORY ? ENOMEM : EINVAL;
      set_write_error (path, cairo_status_to_string (status), error);
    }
  else
    {
      saved = save_png (surface, path, error);
    }

  cairo_surface_destroy (surface);

  return saved;
}
