/* SPDX-License-Identifier: MIT
 *
 * A block of code in an answer: highlighted, scrolls sideways, with its language
 * and a copy button above. Made by SlMarkdownView. UI thread only.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_CODE_BLOCK (sl_code_block_get_type ())

G_DECLARE_FINAL_TYPE (SlCodeBlock, sl_code_block, SL, CODE_BLOCK, GtkWidget)

GtkWidget *sl_code_block_new (void);

/* Appends where @code only grew, so that highlighting is not redone per token. */
void sl_code_block_set_content (SlCodeBlock *self,
                                const char  *code,
                                const char  *language);

G_END_DECLS
