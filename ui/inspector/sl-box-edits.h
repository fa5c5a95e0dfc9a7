/* SPDX-License-Identifier: MIT
 *
 * What a user changed about an answer's boxes, with undo and redo. Keeps the
 * model's box and the user's apart: the first change to a model's box makes one
 * of the user's that stands for it. Owned by the viewer, one per answer shown;
 * every change goes to SlConversation, which stores it. Knows no widget.
 */
#pragma once

#include "app/conversation/sl-conversation.h"

G_BEGIN_DECLS

#define SL_TYPE_BOX_EDITS (sl_box_edits_get_type ())

G_DECLARE_FINAL_TYPE (SlBoxEdits, sl_box_edits, SL, BOX_EDITS, GObject)

/* Signal: "changed" (): what can be undone or redone. */
SlBoxEdits *sl_box_edits_new (SlConversation *conversation,
                              SlMessage      *answer);

/* FALSE while the answer is being written: nothing can be changed then. */
gboolean sl_box_edits_is_possible (SlBoxEdits *self);

/* Coordinates are 0…999. Each returns the item that shows the result, borrowed. */
SlBoxItem *sl_box_edits_add    (SlBoxEdits *self,
                                const char *label,
                                const int   coords[4]);
/* @label NULL: as it is. */
SlBoxItem *sl_box_edits_change (SlBoxEdits *self,
                                SlBoxItem  *item,
                                const char *label,
                                const int   coords[4]);
void       sl_box_edits_remove (SlBoxEdits *self,
                                SlBoxItem  *item);
/* The model's box instead of the user's. */
void       sl_box_edits_revert (SlBoxEdits *self,
                                SlBoxItem  *item);

gboolean   sl_box_edits_can_undo (SlBoxEdits *self);
gboolean   sl_box_edits_can_redo (SlBoxEdits *self);
/* The box that it was about, NULL if it is gone. */
SlBoxItem *sl_box_edits_undo     (SlBoxEdits *self);
SlBoxItem *sl_box_edits_redo     (SlBoxEdits *self);

G_END_DECLS
