/* SPDX-License-Identifier: MIT
 *
 * Where badges and labels go, and what lies under a point. A box's badge and label form one tag that is tried at eight
 * places around the frame, clamped into what is visible. A tag that finds no free place shrinks to its badge; the
 * badge goes where it covers the least of those before it. Where all labels, or all badges, would cover much of the
 * picture, as in a small preview of a crowd, there are none. Tags are kept by rows as high as a tag, so that a crowd of
 * boxes costs a few comparisons each. Used by SlBoxPainter alone; one thread at a time.
 */
#include "app/boxes/sl-box-painter-private.h"

#include <math.h>

/* Above, inside top, below, inside bottom; each at the left, then at the right edge. */
#define N_PLACES 8

/* Shares of what is visible that all labels and all badges may cover. */
#define MOST_LABELS 0.2
#define MOST_BADGES 0.33

/* The tags placed so far: rows[i] holds those that touch the i-th stripe of `height` from `top` on. */
typedef struct
{
  GArray **rows; /* cairo_rectangle_t */
  int      n_rows;
  double   top, height;
} Placed;

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

double
sl_box_painter_snap (SlBoxPainter *self,
                     double        value)
{
  return self->view.grid > 0 ? round (value / self->view.grid) * self->view.grid : value;
}

static double
tag_height (SlBoxPainter *self)
{
  return ceil (self->style.font_size * 1.45);
}

/* ------------------------------------------------------------------------------------------------ tags */

static void
placed_init (Placed                  *placed,
             SlBoxPainter            *self,
             const cairo_rectangle_t *visible)
{
  placed->top = visible->y;
  placed->height = tag_height (self);
  placed->n_rows = CLAMP ((int) (visible->height / placed->height) + 1, 1, 4096);
  placed->rows = g_new0 (GArray *, placed->n_rows);
}

static void
placed_clear (Placed *placed)
{
  for (int i = 0; i < placed->n_rows; i++)
    g_clear_pointer (&placed->rows[i], g_array_unref);
  g_free (placed->rows);
}

static void
placed_get_rows (const Placed            *placed,
                 const cairo_rectangle_t *tag,
                 int                     *first,
                 int                     *last)
{
  *first = CLAMP ((int) floor ((tag->y - placed->top) / placed->height), 0, placed->n_rows - 1);
  *last = CLAMP ((int) floor ((tag->y + tag->height - placed->top) / placed->height), 0, placed->n_rows - 1);
}

static void
placed_add (Placed                  *placed,
            const cairo_rectangle_t *tag)
{
  int first, last;

  placed_get_rows (placed, tag, &first, &last);
  for (int row = first; row <= last; row++)
    {
      if (placed->rows[row] == NULL)
        placed->rows[row] = g_array_new (FALSE, FALSE, sizeof (cairo_rectangle_t));
      g_array_append_val (placed->rows[row], *tag);
    }
}

/* Area of the tag that lies on others, as soon as it is more than `enough`; one that touches two rows may count twice, which
 * does not matter for choosing. */
static double
placed_get_covered (const Placed            *placed,
                    const cairo_rectangle_t *tag,
                    double                   enough)
{
  double covered = 0;
  int first, last;

  placed_get_rows (placed, tag, &first, &last);
  for (int row = first; row <= last; row++)
    for (guint i = 0; placed->rows[row] != NULL && i < placed->rows[row]->len && covered <= enough; i++)
      covered += rectangle_overlap (tag, &g_array_index (placed->rows[row], cairo_rectangle_t, i));

  return covered;
}

/* The tag's size: badge then label, side by side. Widths are 0 for what does not fit or does not exist. */
static void
measure_tag (SlBoxPainter            *self,
             SlPaintItem             *item,
             const cairo_rectangle_t *visible,
             double                  *badge_width,
             double                  *label_width,
             double                  *height)
{
  double pad = self->style.font_size * 0.35;
  double room;

  *badge_width = *label_width = 0;
  *height = tag_height (self);
  if (*height > visible->height)
    return;

  if (item->badge_layout != NULL)
    {
      *badge_width = MAX (*height, item->badge_width + 2 * pad);
      *badge_width = sl_box_painter_snap (self, *badge_width);
      if (*badge_width > visible->width)
        *badge_width = 0;
    }

  if (item->label_layout == NULL || !self->style.show_labels)
    return;
  room = visible->width - *badge_width - 2 * pad;
  if (room < 2 * self->style.font_size)
    return;
  pango_layout_set_width (item->label_layout, item->label_width > room ? (int) (room * PANGO_SCALE) : -1);
  *label_width = sl_box_painter_snap (self, MIN (item->label_width, room) + 2 * pad);
}

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

  tag.x = sl_box_painter_snap (self, CLAMP (tag.x, visible->x, visible->x + visible->width - width));
  tag.y = sl_box_painter_snap (self, CLAMP (tag.y, visible->y, visible->y + visible->height - height));

  return tag;
}

/* The place that covers least; the area covered. Where only a free place will do, it need not be known how much. */
static double
find_place (SlBoxPainter            *self,
            const Placed            *placed,
            const cairo_rectangle_t *frame,
            const cairo_rectangle_t *visible,
            double                   width,
            double                   height,
            gboolean                 only_free,
            cairo_rectangle_t       *best)
{
  double least = G_MAXDOUBLE;

  for (int place = 0; place < N_PLACES && least > 0; place++)
    {
      cairo_rectangle_t tag = place_tag (self, frame, visible, width, height, place);
      double covered = placed_get_covered (placed, &tag, only_free ? 0 : least);

      if (covered < least)
        {
          least = covered;
          *best = tag;
        }
    }

  return least;
}

static void
set_tag (SlBoxGeometry           *geometry,
         const cairo_rectangle_t *tag,
         double                   badge_width)
{
  if (badge_width > 0)
    geometry->badge = (cairo_rectangle_t) { tag->x, tag->y, badge_width, tag->height };
  if (tag->width > badge_width)
    geometry->label = (cairo_rectangle_t) { tag->x + badge_width, tag->y, tag->width - badge_width, tag->height };
}

/* What there is room for. */
typedef struct
{
  gboolean labels, badges;
} Room;

static void
layout_tag (SlBoxPainter            *self,
            guint                    index,
            const cairo_rectangle_t *visible,
            const Room              *room,
            Placed                  *placed)
{
  SlPaintItem *item = sl_box_painter_item (self, index);
  SlBoxGeometry *geometry = &g_array_index (self->geometry, SlBoxGeometry, index);
  cairo_rectangle_t tag = { 0 }, badge = { 0 };
  double badge_width, label_width, height, covered;

  measure_tag (self, item, visible, &badge_width, &label_width, &height);
  label_width = room->labels ? label_width : 0;
  badge_width = room->badges ? badge_width : 0;
  if (badge_width + label_width <= 0)
    return;

  covered = find_place (self, placed, &geometry->frame, visible, badge_width + label_width, height,
                        badge_width > 0 && label_width > 0, &tag);
  if (covered > 0 && badge_width > 0 && label_width > 0)
    {
      find_place (self, placed, &geometry->frame, visible, badge_width, height, FALSE, &badge);
      tag = badge;
    }
  placed_add (placed, &tag);
  set_tag (geometry, &tag, badge_width);
}

static gboolean
is_in_sight (SlBoxPainter            *self,
             const cairo_rectangle_t *frame,
             const cairo_rectangle_t *visible)
{
  double slack = self->style.line_width;

  return frame->x <= visible->x + visible->width + slack && frame->y <= visible->y + visible->height + slack &&
         frame->x + frame->width >= visible->x - slack && frame->y + frame->height >= visible->y - slack;
}

static void
layout_frame (SlBoxPainter *self,
              guint         index)
{
  const SlPaintBox *box = &sl_box_painter_item (self, index)->box;
  SlBoxGeometry *geometry = &g_array_index (self->geometry, SlBoxGeometry, index);
  const SlBoxView *view = &self->view;
  double x1, y1;

  *geometry = (SlBoxGeometry) { 0 };
  if (box->hidden)
    return;

  x1 = sl_box_painter_snap (self, view->x + box->x1 * view->scale);
  y1 = sl_box_painter_snap (self, view->y + box->y1 * view->scale);
  geometry->frame = (cairo_rectangle_t) {
    x1,
    y1,
    sl_box_painter_snap (self, view->x + box->x2 * view->scale) - x1,
    sl_box_painter_snap (self, view->y + box->y2 * view->scale) - y1,
  };
}

/* A box that is seen at all. */
static gboolean
has_tag (SlBoxPainter            *self,
         guint                    index,
         const cairo_rectangle_t *visible)
{
  return !sl_box_painter_item (self, index)->box.hidden &&
         is_in_sight (self, &g_array_index (self->geometry, SlBoxGeometry, index).frame, visible);
}

static Room
find_room (SlBoxPainter            *self,
           const cairo_rectangle_t *visible)
{
  double labels = 0, badges = 0, area = visible->width * visible->height;

  for (guint i = 0; i < self->items->len; i++)
    {
      double badge_width, label_width, height;

      if (!has_tag (self, i, visible))
        continue;
      measure_tag (self, sl_box_painter_item (self, i), visible, &badge_width, &label_width, &height);
      labels += label_width * height;
      badges += badge_width * height;
    }

  return (Room) { labels <= MOST_LABELS * area, badges <= MOST_BADGES * area };
}

void
sl_box_painter_place_strong (SlBoxPainter      *self,
                             guint              index,
                             cairo_rectangle_t *badge,
                             cairo_rectangle_t *label)
{
  const SlBoxGeometry *geometry = &sl_box_painter_layout (self, NULL)[index];
  cairo_rectangle_t visible = visible_picture (self);
  SlBoxGeometry strong = *geometry;
  double badge_width, label_width, height;
  cairo_rectangle_t tag;

  if (geometry->label.width <= 0 && is_in_sight (self, &geometry->frame, &visible))
    {
      measure_tag (self, sl_box_painter_item (self, index), &visible, &badge_width, &label_width, &height);
      if (badge_width + label_width > 0)
        {
          tag = place_tag (self, &geometry->frame, &visible, badge_width + label_width, height, 0);
          set_tag (&strong, &tag, badge_width);
        }
    }
  *badge = strong.badge;
  *label = strong.label;
}

/* ------------------------------------------------------------------------------------------------ public */

const SlBoxGeometry *
sl_box_painter_layout (SlBoxPainter *self,
                       gsize        *n_boxes)
{
  if (self->dirty)
    {
      cairo_rectangle_t visible = visible_picture (self);
      Placed placed;
      Room room;

      g_array_set_size (self->geometry, self->items->len);
      for (guint i = 0; i < self->items->len; i++)
        layout_frame (self, i);
      room = find_room (self, &visible);
      placed_init (&placed, self, &visible);
      for (guint i = 0; i < self->items->len; i++)
        if (has_tag (self, i, &visible))
          layout_tag (self, i, &visible, &room, &placed);
      placed_clear (&placed);
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

      if (!sl_box_painter_item (self, i)->box.hidden && area < smallest &&
          rectangle_contains (&geometry[i].frame, x, y, slack))
        {
          smallest = area;
          hit = (int) i;
        }
    }

  return hit;
}
