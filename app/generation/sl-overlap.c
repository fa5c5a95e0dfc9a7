/* SPDX-License-Identifier: MIT
 *
 * How sure a box is, as something that means something: the overlap with the true box that its coordinates' distributions let
 * expect. Each of the four numbers is taken to be off on its own, by a Laplace distribution around the mean that the model offered,
 * with the spread that it offered: docs/boxes.md says how well that holds. Any thread that owns the value.
 */
#include "app/generation/sl-generation.h"

#include <math.h>

/* Equally likely points that stand for a distribution: a box costs their fourth power. */
#define POINTS 12

/* A corner's two distributions in one direction: every pair of points. */
typedef struct
{
  double common[POINTS * POINTS]; /* length that is shared with the written box */
  double length[POINTS * POINTS];
} Side;

static double
quantile (const SlCoordinate *coordinate,
          int                 point)
{
  double p = (point + 0.5) / POINTS - 0.5;

  return coordinate->expected - (p < 0 ? -1 : 1) * log (1 - 2 * fabs (p)) / G_SQRT2 * coordinate->deviation;
}

static void
fill_side (Side               *side,
           const SlCoordinate *low,
           const SlCoordinate *high,
           double              from,
           double              to)
{
  for (int i = 0; i < POINTS; i++)
    for (int k = 0; k < POINTS; k++)
      {
        double a = quantile (low, i), b = quantile (high, k);

        side->length[i * POINTS + k] = MAX (b - a, 0);
        side->common[i * POINTS + k] = MAX (MIN (b, to) - MAX (a, from), 0);
      }
}

double
sl_generation_get_overlap (const SlGeneration *self,
                           gsize               start,
                           gsize               end,
                           const int           coords[4],
                           double              spread[4])
{
  SlCoordinate c[4];
  double area = (double) (coords[2] - coords[0]) * (coords[3] - coords[1]), sum = 0;
  Side x, y;

  g_return_val_if_fail (self != NULL, -1);

  if (area <= 0 || !sl_generation_get_coordinates (self, start, end, c))
    return -1;
  for (int i = 0; i < 4; i++)
    if (!c[i].whole || !isfinite (c[i].expected) || !isfinite (c[i].deviation))
      return -1;
  for (int i = 0; spread != NULL && i < 4; i++)
    spread[i] = c[i].deviation;
  fill_side (&x, &c[0], &c[2], coords[0], coords[2]);
  fill_side (&y, &c[1], &c[3], coords[1], coords[3]);
  for (int i = 0; i < POINTS * POINTS; i++)
    for (int k = 0; k < POINTS * POINTS; k++)
      {
        double common = x.common[i] * y.common[k];

        sum += common / (area + x.length[i] * y.length[k] - common);
      }
  return sum / (POINTS * POINTS * POINTS * POINTS);
}
