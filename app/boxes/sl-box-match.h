/* SPDX-License-Identifier: MIT
 *
 * Which boxes of one answer are those of another: pairs with the greatest sum of IoU (intersection over union), and what has no
 * partner. Called by the window's comparison. Pure functions on values, any thread. It must not know where boxes come from.
 */
#pragma once

#include "app/boxes/sl-box-painter.h"

G_BEGIN_DECLS

/* Boxes that share less than this are not one thing seen twice. */
#define SL_BOX_MATCH_LEAST_IOU 0.1

typedef struct
{
  int    first, second; /* indices; −1: no partner */
  double iou;           /* 0 without a partner */
} SlBoxPair;

/* Jaccard index of the two rectangles, 0 … 1. Rectangles without an area have it only with their like. */
double  sl_box_get_iou (const SlPaintBox *a,
                        const SlPaintBox *b);

/* The optimal assignment: no other has a greater sum of IoU; between equals one that pairs same labels. Labels need not be the
 * same otherwise, as two prompts name one thing differently. (transfer full) array of SlBoxPair: first's boxes in order, then
 * those of second that are left. Cubic in the number of boxes: 30 ms for 300 against 300. */
GArray *sl_box_match   (const SlPaintBox *first,
                        gsize             n_first,
                        const SlPaintBox *second,
                        gsize             n_second);

G_END_DECLS
