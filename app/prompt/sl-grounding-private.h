/* SPDX-License-Identifier: MIT
 *
 * What the readers of an answer share: the result being filled, and the scan that walks over the text of models other than DeepSeek-VL2
 * (sl-dialect*.c). Data flow: text → marks, lists and objects → SlFound with the numbers as they stand → when the
 * whole text is known, the space of the numbers → SlBox. One pass; the work is linear in the text. Any thread.
 */
#pragma once

#include "app/prompt/sl-grounding.h"

G_BEGIN_DECLS

struct _SlGrounding
{
  gatomicrefcount refs;
  char           *text;
  GArray         *spans;  /* SlSpan */
  GArray         *boxes;  /* SlBox */
  GPtrArray      *labels; /* char * */
  SlBoxSpace      space;  /* what the numbers were taken for */
};

/* How a box was written. */
typedef enum
{
  SL_FORM_MARKED,  /* <|det|>[[1, 2, 3, 4]]<|/det|>, also without its marks */
  SL_FORM_LAYOUT,  /* <|det|>title [1, 2, 3, 4]<|/det|>, also without its marks */
  SL_FORM_WIDE,    /* <｜box｜>[[1, 2, 3, 4]]<｜/box｜>, points and polygons */
  SL_FORM_TAGS,    /* <box><1><2><3><4></box> */
  SL_FORM_BBOX_2D, /* {"bbox_2d": [1, 2, 3, 4], "label": "x"} */
  SL_FORM_BOX_2D,  /* {"box_2d": [1, 2, 3, 4], "label": "x"}: y first */
} SlForm;

typedef enum { SL_SHAPE_BOX, SL_SHAPE_POINT, SL_SHAPE_POLYGON } SlShape;

/* A box before its numbers are placed. numbers: of a point the same two twice, of a polygon the least and the greatest of each axis. */
typedef struct
{
  SlForm   form;
  SlShape  shape;
  double   numbers[4];
  guint    count;          /* of the numbers that stand there, may be over 4 */
  gboolean cut, digits, other, no_brackets, no_closing;
  int      label;          /* -1: none */
  gsize    start, end, numbers_start, numbers_end;
} SlFound;

typedef struct
{
  SlGrounding *out;
  const char  *text;
  gsize        length, at;
  gsize        plain;      /* where the text that belongs to nothing yet begins */
  gsize        words;      /* where the words before an unmarked list may begin */
  int          label;      /* waiting for its boxes, -1: none */
  GArray      *found;      /* SlFound */
  gboolean     foreign;    /* there is more than DeepSeek-VL2's own marks */
} SlScan;

/* Fills spans, boxes, labels and space of `out`, whose text is set. FALSE, with nothing filled, where the text holds nothing but
 * DeepSeek-VL2's own marks in its own space: its own parser reads those better. */
gboolean sl_dialect_read (SlGrounding      *out,
                          const SlBoxSpace *space);

/* Within a scan. A span of no bytes is left out; the text before `start` becomes one of its own. */
void     sl_scan_add_span  (SlScan     *scan,
                            SlSpanKind  kind,
                            gsize       start,
                            gsize       end,
                            int         label,
                            gboolean    open);
/* LABEL of [start, end) whose words are [inner_start, inner_end), or the words given where they were escaped. Returns its index. */
int      sl_scan_add_label (SlScan     *scan,
                            gsize       start,
                            gsize       end,
                            gsize       inner_start,
                            gsize       inner_end,
                            const char *words,
                            gboolean    open);
/* The object that begins at scan->at, if it describes a box; moves behind it. */
gboolean sl_scan_object    (SlScan     *scan);
/* A number at text[at]; its end, or `at` if there is none. Runs of digits that no coordinate has set *digits. */
gsize    sl_scan_number    (const SlScan *scan,
                            gsize         at,
                            double       *value,
                            gboolean     *digits);

/* What the numbers of all of them are most likely of, where it is not given. found: of SlFound. */
SlBoxSpace sl_found_resolve_space (const GArray     *found,
                                   const SlBoxSpace *given);
/* In the picture, with the reason where something had to be done. out: whose labels it bears. */
SlBox      sl_found_place         (const SlFound    *found,
                                   const SlBoxSpace *space,
                                   SlGrounding      *out);

G_END_DECLS
