/* SPDX-License-Identifier: MIT
 *
 * The boxes of an answer as real rows (SlBoxRow). What is drawn on the picture can
 * be read, selected, lit and changed here by keyboard and screen reader. Shares
 * SlBoxModel with the picture. UI thread only.
 */
#pragma once

#include "ui/pictures/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_BOX_LIST (sl_box_list_get_type ())

G_DECLARE_FINAL_TYPE (SlBoxList, sl_box_list, SL, BOX_LIST, GtkWidget)

GtkWidget *sl_box_list_new (void);

/* Rows for all of the model's items, unusable ones included; an edited box takes
 * the place of the model's. */
void       sl_box_list_set_model   (SlBoxList  *self,
                                    SlBoxModel *model);
/* Whether the box whose expected overlap is least comes first, and those about which nothing is known (the user's own
 * among them) last; else boxes stand as the answer names them. */
void       sl_box_list_set_least_sure_first (SlBoxList *self,
                                             gboolean   first);
/* The item of the selected row, which may have no place on the picture; or NULL. */
SlBoxItem *sl_box_list_get_current (SlBoxList  *self);

G_END_DECLS
