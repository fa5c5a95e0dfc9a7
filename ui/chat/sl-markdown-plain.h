/* SPDX-License-Identifier: MIT
 *
 * An answer's Markdown as text for other programs: without its marks, a table as values. Pure functions, any thread.
 */
#pragma once

#include "ui/chat/sl-markdown.h"

G_BEGIN_DECLS

/* As it is read: markers of lists stay, tables are lines of cells with tabs between them. (transfer full) */
char *sl_markdown_dup_plain (const char *markdown);

/* separator '\t': a cell is one line without tabs; ',': as RFC 4180 writes it, a cell that a spreadsheet would take for a formula
 * behind an apostrophe. Lines end with "\n". (transfer full) */
char *sl_block_dup_table (const SlBlock *table,
                          char           separator);

G_END_DECLS
