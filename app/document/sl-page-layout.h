/* SPDX-License-Identifier: MIT
 *
 * Where the words of a block stand, as far as its place and its text can say it: lines of even height, words as wide as their
 * characters ask for. Every word lies inside of its block, so that a search finds it there. And the pages as hOCR and ALTO, which want
 * words. Pure, any thread.
 */
#pragma once

#include "app/document/sl-page.h"

G_BEGIN_DECLS

typedef struct
{
  char  *text;
  guint  line;                /* in the block, from 0 */
  double x, y, width, height; /* pixels of the page */
} SlWord;

/* The words of a block; over the whole page where it has no place. A GArray of SlWord that frees them. (transfer full) */
GArray *sl_page_lay_words  (const SlPage  *page,
                            const SlPageBlock *block);

/* Whole files; pages: SlPage. (transfer full) */
char   *sl_pages_to_hocr   (GPtrArray     *pages,
                            const char    *name);
char   *sl_pages_to_alto   (GPtrArray     *pages,
                            const char    *name);

G_END_DECLS
