/* SPDX-License-Identifier: MIT
 *
 * Two answers on one picture, side by side or one over the other, with the IoU of
 * the boxes that belong together and a list of those that only one answer has. A
 * pair has one number and one colour on both sides. Owned by SlWindow; only looks,
 * changes nothing. UI thread only.
 */
#pragma once

#include "app/conversation/sl-conversation.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_COMPARE_VIEW (sl_compare_view_get_type ())

G_DECLARE_FINAL_TYPE (SlCompareView, sl_compare_view, SL, COMPARE_VIEW, GtkWidget)

/* Signal: "close" (). */

/* This answer beside another one of the conversation on the same picture: another answer to the same question where there is
 * one. FALSE, and nothing changes, where no other answer has boxes on it. */
gboolean sl_compare_view_show  (SlCompareView  *self,
                                SlConversation *conversation,
                                SlMessage      *answer);

/* Lets go of everything that was shown. */
void     sl_compare_view_clear (SlCompareView  *self);

G_END_DECLS
