/* SPDX-License-Identifier: MIT
 *
 * The boxes of an answer as real rows: number, label, pixel coordinates, status.
 * What is drawn on the picture can be read, selected and lit here by keyboard and
 * screen reader. Shares SlBoxModel with the picture. UI thread only.
 */
#pragma once

#include "ui/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_BOX_LIST (sl_box_list_get_type ())

G_DECLARE_FINAL_TYPE (SlBoxList, sl_box_list, SL, BOX_LIST, GtkWidget)

GtkWidget *sl_box_list_new (void);

/* @items: the message's boxes, rejected ones included. */
void sl_box_list_set_model (SlBoxList  *self,
                            SlBoxModel *model,
                            GListModel *items);

G_END_DECLS
