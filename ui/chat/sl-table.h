/* SPDX-License-Identifier: MIT
 *
 * SlTable: cells in rows and columns, as wide as they need to be; what is wider than the answer scrolls inside of it, so that no text
 * decides how wide the window is. Used by SlMarkdownView, which fills the cells. UI thread.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_TABLE (sl_table_get_type ())

G_DECLARE_FINAL_TYPE (SlTable, sl_table, SL, TABLE, GtkWidget)

GtkWidget *sl_table_new      (void);
/* Where the cells are attached; borrowed. */
GtkGrid   *sl_table_get_grid (SlTable *self);

G_END_DECLS
