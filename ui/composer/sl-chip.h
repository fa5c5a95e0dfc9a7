/* SPDX-License-Identifier: MIT
 *
 * A label of an answer as a small coloured button with the numbers of its boxes
 * on a badge. Made by SlAnswerView; tells SlBoxModel what the pointer or the
 * keyboard focus is on, and lights up when the model says that one of its boxes
 * is lit from elsewhere. UI thread only.
 */
#pragma once

#include "ui/pictures/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_CHIP (sl_chip_get_type ())

G_DECLARE_FINAL_TYPE (SlChip, sl_chip, SL, CHIP, GtkButton)

/* @label_index: the chip's place in the answer, as in SlGrounding. */
GtkWidget *sl_chip_new (SlBoxModel *model,
                        int         label_index);

int sl_chip_get_label_index (SlChip *self);

/* Reads words, numbers and colour from the model again. @finished: the answer will not change any more, so that a label
 * whose boxes came out broken offers to be found again. */
void     sl_chip_update       (SlChip  *self,
                               gboolean finished);
gboolean sl_chip_offers_again (SlChip  *self);

G_END_DECLS
