/* SPDX-License-Identifier: MIT
 *
 * One box as a row: number, label, place, how sure the model was of its words,
 * what is wrong with it, whether it is drawn, and a menu of what can be done with
 * it. Its picture can be dragged out. Used by SlBoxList; its menu calls the
 * "viewer" actions of whoever is around it. UI thread only.
 */
#pragma once

#include "ui/pictures/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_BOX_ROW (sl_box_row_get_type ())

G_DECLARE_FINAL_TYPE (SlBoxRow, sl_box_row, SL, BOX_ROW, GtkListBoxRow)

GtkWidget *sl_box_row_new      (SlBoxModel *model,
                                SlBoxItem  *item);
SlBoxItem *sl_box_row_get_item (SlBoxRow   *self);
/* After a change of the model: numbers and places depend on each other. */
void       sl_box_row_update   (SlBoxRow   *self);

/* A box's number on its colour, as Pango markup: (transfer full). */
char      *sl_box_row_dup_badge (const SlPaintBox *box);

/* The menu of a box, also for the picture: (transfer full). */
GMenuModel *sl_box_row_create_menu (void);

G_END_DECLS
