/* SPDX-License-Identifier: MIT
 *
 * SlBoxItem: one located thing as a list row: a label and a rectangle on a picture, as the model wrote it or as a user changed
 * it. Both exist as objects of their own: an edited box names the model's box that it came from. Belongs to a message
 * (sl-message.h); the parser's value type is SlBox (sl-grounding.h).
 * UI thread. It must not know how a box is drawn or stored.
 */
#pragma once

#include "app/prompt/sl-grounding.h"
#include "app/sl-types.h"

#include <gio/gio.h>

G_BEGIN_DECLS

#define SL_TYPE_BOX_ITEM (sl_box_item_get_type ())
G_DECLARE_FINAL_TYPE (SlBoxItem, sl_box_item, SL, BOX_ITEM, GObject)

/* Property "visible" (gboolean, writable, notifies; not stored).
 * Signal "changed" (): label, coordinates, status, reason, confidence or picture changed. */

gint64 sl_box_item_get_id (SlBoxItem *self); /* 0: not stored yet, the answer still streams */
SlBoxKind sl_box_item_get_kind (SlBoxItem *self);
/* EDITED: id of the model's box, 0 for one that the user added. */
gint64 sl_box_item_get_origin (SlBoxItem *self);
const char *sl_box_item_get_label (SlBoxItem *self); /* never NULL */
/* x1 y1 x2 y2, 0 … 999 of the original upright picture; FALSE where there is no rectangle (INCOMPLETE, REJECTED). */
gboolean sl_box_item_get_coords (SlBoxItem *self, int coords[4]);
SlBoxStatus sl_box_item_get_status (SlBoxItem *self);
/* A part of a sentence in the user's language, "" where nothing is to be said. */
const char *sl_box_item_get_reason (SlBoxItem *self);
/* The same in English, for files. */
const char *sl_box_item_get_reason_english (SlBoxItem *self);
/* n-th label of the answer: matches SlSpan.label_index of its chip; -1 for none and for boxes that the user added. */
int sl_box_item_get_label_index (SlBoxItem *self);
/* Joint probability of the tokens that its numbers were written with, 0 … 1; negative where unknown, and for edited boxes. */
double sl_box_item_get_confidence (SlBoxItem *self);
/* How much of the union it can be expected to share with the true box, 0 … 1, as far as the model told; negative where unknown, and
 * for edited boxes. spread (may be NULL): the standard deviation of each coordinate, in 0 … 999. */
double sl_box_item_get_overlap (SlBoxItem *self, double spread[4]);
/* Whether a user stands for it: said that the model's box is right, or made it. */
gboolean sl_box_item_get_accepted (SlBoxItem *self);
/* Whether its label is worth another question: a box of the model's that has no rectangle, or whose expected overlap is below the
 * 0.5 from which on a found box is customarily counted as right (PASCAL VOC). */
gboolean sl_box_item_is_doubtful (SlBoxItem *self);
/* SHA-256 (hex) of the picture that it lies on; NULL where the conversation has none. */
const char *sl_box_item_get_picture (SlBoxItem *self);
/* Byte range in the answer's raw text; 0, 0 for boxes that the user added. */
void sl_box_item_get_range (SlBoxItem *self, gsize *start, gsize *end);
gboolean sl_box_item_get_visible (SlBoxItem *self);
void sl_box_item_set_visible (SlBoxItem *self, gboolean visible);

/* Ids (gint64 *) of the model's boxes for which an edited one of @items stands (transfer full); they are shown nowhere. */
GHashTable *sl_box_item_find_replaced (GListModel *items);
/* Whether it is one of them. */
gboolean sl_box_item_is_replaced (SlBoxItem *self, GHashTable *replaced);

G_END_DECLS
