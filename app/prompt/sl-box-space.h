/* SPDX-License-Identifier: MIT
 *
 * SlBoxSpace: what the numbers of a box mean: their scale, which axis comes first, and the picture that they lie on. Models that other
 * servers run do not agree on it and their answers do not say it, so an engine declares it, a calibration measures it, and an answer
 * keeps what was assumed. A plain value, any thread. It must not know forms of text (sl-grounding.h) or engines.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  SL_BOX_SCALE_AUTO,   /* by the form of the text, and where that says nothing, by the numbers themselves */
  SL_BOX_SCALE_999,    /* 0 … 999 of each side: DeepSeek */
  SL_BOX_SCALE_1000,   /* 0 … 1000 */
  SL_BOX_SCALE_PIXELS, /* of the upright picture */
  SL_BOX_SCALE_ONE,    /* 0 … 1, with a fraction */
} SlBoxScale;
#define SL_N_BOX_SCALES 5

typedef enum
{
  SL_BOX_ORDER_AUTO,    /* y first in "box_2d", else x */
  SL_BOX_ORDER_X_FIRST, /* x1 y1 x2 y2 */
  SL_BOX_ORDER_Y_FIRST, /* y1 x1 y2 x2 */
} SlBoxOrder;
#define SL_N_BOX_ORDERS 3

typedef struct
{
  SlBoxScale scale;
  SlBoxOrder order;
  int        width, height; /* of the picture; 0: not known, boxes in pixels cannot be placed */
} SlBoxSpace;

/* "auto", "999", "1000", "pixels", "one"; "auto", "x", "y": options, files. */
const char *sl_box_scale_get_nick (SlBoxScale scale);
const char *sl_box_order_get_nick (SlBoxOrder order);
/* Translated: "0 … 999", "x first". */
const char *sl_box_scale_get_display_name (SlBoxScale scale);
const char *sl_box_order_get_display_name (SlBoxOrder order);

/* "1000 y", as it is stored with an answer, and back: FALSE (out untouched) for other words. Width and height are no
 * part of it. (transfer full) */
char    *sl_box_space_to_text   (const SlBoxSpace *self);
gboolean sl_box_space_from_text (const char       *text,
                                 SlBoxSpace       *out);

/* Four numbers in this space (scale and order not AUTO) → left, top, right, bottom as shares of the picture, 0 … 1 unless they lie
 * outside. FALSE where the picture's size is needed and not known. */
gboolean sl_box_space_place     (const SlBoxSpace *self,
                                 const double      numbers[4],
                                 double            place[4]);

G_END_DECLS
