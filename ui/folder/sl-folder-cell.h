/* SPDX-License-Identifier: MIT
 *
 * One picture of a folder in the table: small, with its boxes, its name and what is to be said of it. Shows any row that it is given; as
 * many of them are there as fit on the display. UI thread only.
 */
#pragma once

#include "app/folder/sl-folder-row.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_FOLDER_CELL (sl_folder_cell_get_type ())

G_DECLARE_FINAL_TYPE (SlFolderCell, sl_folder_cell, SL, FOLDER_CELL, GtkWidget)

GtkWidget *sl_folder_cell_new     (void);
/* NULL: nothing. */
void       sl_folder_cell_set_row (SlFolderCell *self,
                                   SlFolderRow  *row);

G_END_DECLS
