/* SPDX-License-Identifier: MIT
 *
 * Pages as Markdown, HTML and plain text. What a model wrote is data: of its HTML only tables pass, without anything that could load or
 * run something. Pure, any thread.
 */
#pragma once

#include "app/document/sl-page.h"

G_BEGIN_DECLS

/* The file of a cut-out picture, relative to the text that shows it: "NAME_images/2_1.png" for the first one of page 2. NULL where the
 * block is none with a place. (transfer full) */
char *sl_page_dup_picture_name (const SlPage *page,
                                guint         block,
                                const char   *name);

/* Whole files; pages: SlPage. name: of the document, as in the names of pictures. (transfer full) */
char *sl_pages_to_markdown (GPtrArray  *pages,
                            const char *name);
char *sl_pages_to_html     (GPtrArray  *pages,
                            const char *name);
char *sl_pages_to_text     (GPtrArray  *pages);

/* A block's words without markup: cells of a table are separated by tabs, its rows by line breaks. (transfer full) */
char *sl_page_block_dup_plain   (const SlPageBlock *block);

/* Text for XML and HTML; characters that XML forbids are left out. (transfer full) */
char *sl_escape_xml        (const char    *text);

G_END_DECLS
