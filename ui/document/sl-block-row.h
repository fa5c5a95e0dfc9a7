/* SPDX-License-Identifier: MIT
 *
 * SlBlockRow: a block of a page in words: its number and colour on the picture, what it is, how sure it is, its text as Markdown or its
 * table, which can be corrected in place. Changes nothing itself. Used by SlBlockList; UI thread.
 */
#pragma once

#include "app/document/sl-page.h"
#include "ui/pictures/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_BLOCK_ROW (sl_block_row_get_type ())

G_DECLARE_FINAL_TYPE (SlBlockRow, sl_block_row, SL, BLOCK_ROW, GtkListBoxRow)

/* Signals: "text" (const char *text): the user changed it; "wish" (const char *action): a button or the menu: "accept", "read-area", "up",
 * "down", "remove", "zoom"; "lit" (gboolean): the pointer came or went. */

GtkWidget *sl_block_row_new       (void);
/* paint_box: what it looks like on the picture; NULL: it has no place. While the user writes in it, its text stays. */
void       sl_block_row_set_block (SlBlockRow       *self,
                                   const SlPageBlock    *block,
                                   const SlPaintBox *paint_box);
void       sl_block_row_edit      (SlBlockRow       *self);

/* What people call a type of the model's; static where it is known. */
const char *sl_block_type_get_display_name (const char *type);
/* The known ones, in the order of their colours; NULL-terminated. */
const char *const *sl_block_types_get_display_names (void);

G_END_DECLS
