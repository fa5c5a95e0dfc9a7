/* SPDX-License-Identifier: MIT
 *
 * SlPage: one page of a document as a model read it: blocks in reading order, each with its type, place and text. Made from the
 * answer of a document model in either of its forms, or from what an earlier run kept as JSON. A plain value of one thread. It must not
 * know who asked, or how pages are written (sl-page-text.h, sl-page-layout.h, sl-page-pdf.h).
 */
#pragma once

#include <glib.h>
#include <jansson.h>

#include "app/generation/sl-generation.h"

G_BEGIN_DECLS

typedef struct
{
  char    *type;      /* the model's word: "text", "title", "sub_title", "table", "image", "equation" …; "text" where it gave none */
  char    *text;      /* Markdown, a table as HTML; never NULL */
  gboolean has_place;
  int      place[4];  /* x1 y1 x2 y2 in 0 … 999 of the page */
  gboolean  cut;       /* it repeated itself, and was ended there */
  double   certainty; /* mean probability of the tokens that wrote the text, 0 … 1; negative: not known */
  double   overlap;   /* that its place can be expected to have with the true one, 0 … 1; negative: not known */
  gboolean edited;    /* a user changed it */
  gboolean accepted;  /* a user looked at it */
} SlPageBlock;

typedef struct
{
  char      *source;        /* file's name, valid UTF-8 */
  int        number;        /* page of the file, from 1 */
  int        width, height; /* pixels that the model saw */
  double     dpi;           /* of those pixels */
  char      *stop;          /* why the answer ended: "eos", "max_tokens", … */
  GPtrArray *blocks;        /* SlPageBlock */
} SlPage;

SlPage  *sl_page_new       (const char         *source,
                            int                 number,
                            int                 width,
                            int                 height,
                            double              dpi);
SlPage  *sl_page_copy      (const SlPage       *self); /* (transfer full) */
void     sl_page_free      (SlPage             *self);

/* An empty block at the end, or before block `at`; borrowed. */
SlPageBlock *sl_page_add_block (SlPage             *self,
                            int                 at,
                            const char         *type);

/* Takes the answer apart: <|ref|>type<|/ref|><|det|>[[…]]<|/det|>text and <|det|>type [x, y, x, y]<|/det|>text, and text without any.
 * record: of its tokens, boxes and cuts; may be NULL. */
void     sl_page_read      (SlPage             *self,
                            const char         *answer,
                            const SlGeneration *record);

/* The same of several pages (element-type SlPage) that were read at once, with SL_PAGE_MARK between them; how many of them the answer has. */
guint    sl_pages_read     (GPtrArray          *pages,
                            const char         *answer,
                            const SlGeneration *record);

/* Pixels of a block's place; FALSE where it has none. */
gboolean sl_page_get_pixels (const SlPage      *self,
                             const SlPageBlock     *block,
                             double             pixels[4]);
gboolean sl_page_block_is_picture (const SlPageBlock    *self);
gboolean sl_page_block_is_table   (const SlPageBlock    *self);
/* How sure the model was of its text and place: the lower of the two. 1 where a user wrote or accepted it; negative: not known. */
double   sl_page_block_get_score  (const SlPageBlock    *self);

/* {"source", "page", "width", "height", "dpi", "stop", "blocks": [{"type", "box_999", "box_px", "certainty", "overlap",
 * "text", "cut", "edited", "accepted"}]} and back: NULL for what is not that. The last three are there where they are true. (transfer full) */
json_t  *sl_page_to_json   (const SlPage       *self);
SlPage  *sl_page_from_json (json_t             *object);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPage, sl_page_free)

G_END_DECLS
