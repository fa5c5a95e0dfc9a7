/* SPDX-License-Identifier: MIT
 *
 * Pairs the boxes of two answers by IoU. The assignment is Kuhn's Hungarian method in the form with potentials and shortest
 * augmenting paths (Jonker and Volgenant, 1987): one path per row, each found in a Dijkstra-like sweep over the columns.
 */
#include "app/boxes/sl-box-match.h"

#include <math.h>
#include <string.h>

/* Less than any difference of IoU that is not rounding, for any number of boxes that an answer has room for. */
#define SAME_LABEL 1e-9

static double
get_overlap (double a1,
             double a2,
             double b1,
             double b2)
{
  return MAX (0, MIN (a2, b2) - MAX (a1, b1));
}

double
sl_box_get_iou (const SlPaintBox *a,
                const SlPaintBox *b)
{
  double common = get_overlap (a->x1, a->x2, b->x1, b->x2) * get_overlap (a->y1, a->y2, b->y1, b->y2);
  double all = (a->x2 - a->x1) * (a->y2 - a->y1) + (b->x2 - b->x1) * (b->y2 - b->y1) - common;

  if (all > 0)
    return common / all;
  return a->x1 == b->x1 && a->y1 == b->y1 && a->x2 == b->x2 && a->y2 == b->y2 ? 1 : 0;
}

/* What a pair is worth; 0 for no pair. */
static double
get_worth (const SlPaintBox *a,
           const SlPaintBox *b)
{
  double iou = sl_box_get_iou (a, b);

  if (iou < SL_BOX_MATCH_LEAST_IOU)
    return 0;
  return iou + (g_strcmp0 (a->label, b->label) == 0 ? SAME_LABEL : 0);
}

/* Rows are the smaller side. Rows and columns count from 1; column 0 holds the row that looks for a place. */
typedef struct
{
  const SlPaintBox *rows, *columns;
  gsize n_rows, n_columns;
  double *row_price, *column_price, *distance;
  gsize *row_of, *before; /* by column */
  gboolean *done;
} Assignment;

/* Shortens the distances by way of the row that column `at` has, and gives the nearest column that is not done. */
static gsize
relax (Assignment *self,
       gsize       at,
       double     *step)
{
  gsize row = self->row_of[at], nearest = 0;

  *step = INFINITY;
  for (gsize j = 1; j <= self->n_columns; j++)
    {
      double distance;

      if (self->done[j])
        continue;
      distance = -get_worth (&self->rows[row - 1], &self->columns[j - 1]) - self->row_price[row] - self->column_price[j];
      if (distance < self->distance[j])
        {
          self->distance[j] = distance;
          self->before[j] = at;
        }
      if (self->distance[j] < *step)
        {
          *step = self->distance[j];
          nearest = j;
        }
    }
  return nearest;
}

static void
move_prices (Assignment *self,
             double      step)
{
  for (gsize j = 0; j <= self->n_columns; j++)
    if (self->done[j])
      {
        self->row_price[self->row_of[j]] += step;
        self->column_price[j] -= step;
      }
    else
      self->distance[j] -= step;
}

static void
place_row (Assignment *self,
           gsize       row)
{
  gsize at = 0;

  self->row_of[0] = row;
  for (gsize j = 0; j <= self->n_columns; j++)
    {
      self->distance[j] = INFINITY;
      self->done[j] = FALSE;
    }
  do
    {
      double step;
      gsize next;

      self->done[at] = TRUE;
      next = relax (self, at, &step);
      move_prices (self, step);
      at = next;
    }
  while (self->row_of[at] != 0);
  for (; at != 0; at = self->before[at])
    self->row_of[at] = self->row_of[self->before[at]];
}

/* By column: 1 + the row that has it, or 0. (transfer full) */
static gsize *
assign (const SlPaintBox *rows,
        gsize             n_rows,
        const SlPaintBox *columns,
        gsize             n_columns)
{
  Assignment self = { rows, columns, n_rows, n_columns };

  self.row_price = g_new0 (double, n_rows + 1);
  self.column_price = g_new0 (double, n_columns + 1);
  self.distance = g_new0 (double, n_columns + 1);
  self.row_of = g_new0 (gsize, n_columns + 1);
  self.before = g_new0 (gsize, n_columns + 1);
  self.done = g_new0 (gboolean, n_columns + 1);
  for (gsize row = 1; row <= n_rows; row++)
    place_row (&self, row);
  g_free (self.row_price);
  g_free (self.column_price);
  g_free (self.distance);
  g_free (self.before);
  g_free (self.done);
  return self.row_of;
}

GArray *
sl_box_match (const SlPaintBox *first,
              gsize             n_first,
              const SlPaintBox *second,
              gsize             n_second)
{
  GArray *pairs = g_array_new (FALSE, FALSE, sizeof (SlBoxPair));
  gboolean turned = n_first > n_second;
  g_autofree gsize *row_of = turned ? assign (second, n_second, first, n_first)
                                    : assign (first, n_first, second, n_second);
  g_autofree gboolean *taken = g_new0 (gboolean, n_second + 1);

  for (gsize i = 0; i < n_first; i++)
    {
      SlBoxPair pair = { i, -1, 0 };
      gsize j = 0;

      if (turned)
        j = row_of[i + 1];
      else
        while (j < n_second && row_of[++j] != i + 1)
          ;
      if (j > 0 && get_worth (&first[i], &second[j - 1]) > 0)
        {
          pair.second = j - 1;
          pair.iou = sl_box_get_iou (&first[i], &second[j - 1]);
          taken[j - 1] = TRUE;
        }
      g_array_append_val (pairs, pair);
    }
  for (gsize j = 0; j < n_second; j++)
    if (!taken[j])
      {
        SlBoxPair pair = { -1, j, 0 };
        g_array_append_val (pairs, pair);
      }
  return pairs;
}
