/* SPDX-License-Identifier: MIT
 *
 * Where the boxes of an answer lie: which space their numbers are of, once all are known, and what has to be done to each.
 */
#include "app/prompt/sl-grounding-private.h"

#include <math.h>

#define POINT_SIDE  (10.0 / 999) /* of the small box that shows a point */

SlBoxSpace
sl_found_resolve_space (const GArray     *found,
                        const SlBoxSpace *given)
{
  const SlFound *first = found->len > 0 ? &g_array_index (found, SlFound, 0) : NULL;
  SlBoxSpace space = *given;
  double greatest = 0;
  gboolean fraction = FALSE, whole = FALSE;

  for (guint i = 0; i < found->len; i++)
    for (guint n = 0; n < MIN (4, g_array_index (found, SlFound, i).count); n++)
      {
        double number = g_array_index (found, SlFound, i).numbers[n];

        greatest = MAX (greatest, number);
        fraction |= number != floor (number);
        whole |= number > 1;
      }
  if (space.order == SL_BOX_ORDER_AUTO)
    space.order = first != NULL && first->form == SL_FORM_BOX_2D ? SL_BOX_ORDER_Y_FIRST : SL_BOX_ORDER_X_FIRST;
  if (space.scale != SL_BOX_SCALE_AUTO)
    return space;
  if (first == NULL || first->form == SL_FORM_MARKED || first->form == SL_FORM_LAYOUT || first->form == SL_FORM_WIDE)
    space.scale = SL_BOX_SCALE_999;
  else if (first->form == SL_FORM_TAGS)
    space.scale = SL_BOX_SCALE_1000;
  else
    space.scale = fraction && !whole ? SL_BOX_SCALE_ONE : greatest > 1000 ? SL_BOX_SCALE_PIXELS : SL_BOX_SCALE_1000;
  return space;
}

static SlBoxReason
refusal (const SlFound *found)
{
  static const SlBoxReason counts[] = { SL_BOX_REASON_NO_NUMBERS, SL_BOX_REASON_ONE_NUMBER, SL_BOX_REASON_TWO_NUMBERS,
                                        SL_BOX_REASON_THREE_NUMBERS };

  if (found->digits)
    return SL_BOX_REASON_DIGITS;
  if (found->other)
    return SL_BOX_REASON_NOT_NUMBERS;
  if (found->shape == SL_SHAPE_BOX)
    return found->count < 4 ? counts[found->count] : SL_BOX_REASON_NONE;
  return found->count < 2 ? counts[found->count] : found->count % 2 != 0 ? SL_BOX_REASON_NOT_NUMBERS : SL_BOX_REASON_NONE;
}

static void
swap_ends (double place[4],
           int    axis)
{
  double first = place[axis];

  place[axis] = place[axis + 2];
  place[axis + 2] = first;
}

/* Into the picture, with the corners the right way round. What had to be done: NONE, or the reason. */
static SlBoxReason
tidy_place (const SlFound *found,
            double         place[4])
{
  SlBoxReason reason = found->count > 4 ? SL_BOX_REASON_SURPLUS : SL_BOX_REASON_NONE;

  if (found->shape != SL_SHAPE_BOX)
    reason = found->shape == SL_SHAPE_POINT ? SL_BOX_REASON_POINT : SL_BOX_REASON_POLYGON;
  for (int i = 0; found->shape == SL_SHAPE_POINT && i < 4; i++)
    place[i] += i < 2 ? -POINT_SIDE / 2 : POINT_SIDE / 2;
  for (int axis = 0; axis < 2; axis++)
    if (place[axis] > place[axis + 2])
      {
        swap_ends (place, axis);
        reason = reason != SL_BOX_REASON_NONE ? reason : SL_BOX_REASON_SWAPPED;
      }
  for (int i = 0; i < 4; i++)
    {
      if (reason == SL_BOX_REASON_NONE && place[i] > 1 + 1e-9)
        reason = SL_BOX_REASON_ABOVE;
      if (reason == SL_BOX_REASON_NONE && place[i] < 0)
        reason = SL_BOX_REASON_BELOW;
      place[i] = CLAMP (place[i], 0, 1);
    }
  if (reason == SL_BOX_REASON_NONE && found->no_brackets && found->form != SL_FORM_TAGS)
    reason = SL_BOX_REASON_NO_BRACKETS;
  return reason != SL_BOX_REASON_NONE || !found->no_closing ? reason : SL_BOX_REASON_NO_CLOSING_BRACKET;
}

SlBox
sl_found_place (const SlFound    *found,
                const SlBoxSpace *space,
                SlGrounding      *out)
{
  SlBox box = { .label = found->label >= 0 ? sl_grounding_get_label (out, found->label) : NULL, .label_index = found->label,
                .start = found->start, .end = found->end, .numbers_start = found->numbers_start, .numbers_end = found->numbers_end };
  SlBoxReason refused = refusal (found);

  if (found->cut)
    refused = SL_BOX_REASON_CUT;
  else if (refused == SL_BOX_REASON_NONE && !sl_box_space_place (space, found->numbers, box.place))
    refused = SL_BOX_REASON_NO_PICTURE;
  if (refused != SL_BOX_REASON_NONE)
    {
      box.status = refused == SL_BOX_REASON_CUT ? SL_BOX_INCOMPLETE : SL_BOX_REJECTED;
      box.reason = refused;
      return box;
    }
  box.reason = tidy_place (found, box.place);
  box.status = box.reason == SL_BOX_REASON_NONE ? SL_BOX_OK : SL_BOX_CLAMPED;
  for (int i = 0; i < 4; i++)
    box.coords[i] = (int) (box.place[i] * 999 + 0.5);
  box.placed = space->scale != SL_BOX_SCALE_999;
  if (box.place[0] >= box.place[2] || box.place[1] >= box.place[3])
    {
      box.status = SL_BOX_REJECTED;
      box.reason = SL_BOX_REASON_NO_AREA;
      return box;
    }
  for (int i = 0; i < 2; i++) /* less than a thousandth of the side */
    if (box.coords[i] == box.coords[i + 2])
      box.coords[i + 2] < 999 ? box.coords[i + 2]++ : box.coords[i]--;
  return box;
}
