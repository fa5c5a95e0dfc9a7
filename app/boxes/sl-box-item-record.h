/* SPDX-License-Identifier: MIT
 *
 * A box item and the row that the history keeps of it. For who makes and changes boxes: the conversation. UI thread.
 */
#pragma once

#include "app/boxes/sl-box-item.h"
#include "app/store/sl-records.h"

G_BEGIN_DECLS

/* The record is taken. */
SlBoxItem *sl_box_item_new (SlBoxRecord *record);
const SlBoxRecord *sl_box_item_get_record (SlBoxItem *self);
void sl_box_item_take_record (SlBoxItem *self, SlBoxRecord *record);

G_END_DECLS
