/* SPDX-License-Identifier: MIT
 *
 * SlGrounding: a model's answer taken apart for people: text, label chips and boxes, each box with its status.
 * Immutable and refcounted (boxed), made from the raw text at any moment of streaming, on any thread.
 * It wraps the engine's parser so that the window needs no engine header. It must not know GTK or who asked.
 */
#pragma once

#include <glib-object.h>

#include "app/prompt/sl-box-space.h"

G_BEGIN_DECLS

typedef enum
{
  SL_BOX_OK,
  SL_BOX_CLAMPED,    /* usable after a correction that `reason` names */
  SL_BOX_INCOMPLETE, /* the text ended inside it */
  SL_BOX_REJECTED,   /* unusable, `reason` says why */
} SlBoxStatus;

/* Why a box is not OK: sl_box_reason_get_text(). */
typedef enum
{
  SL_BOX_REASON_NONE,
  SL_BOX_REASON_CUT, /* INCOMPLETE */
  SL_BOX_REASON_NO_NUMBERS, /* these seven: REJECTED */
  SL_BOX_REASON_ONE_NUMBER,
  SL_BOX_REASON_TWO_NUMBERS,
  SL_BOX_REASON_THREE_NUMBERS,
  SL_BOX_REASON_FRACTION,
  SL_BOX_REASON_DIGITS,
  SL_BOX_REASON_NOT_NUMBERS,
  SL_BOX_REASON_SURPLUS, /* the others: CLAMPED */
  SL_BOX_REASON_ABOVE,
  SL_BOX_REASON_BELOW,
  SL_BOX_REASON_SWAPPED,
  SL_BOX_REASON_NO_BRACKETS,
  SL_BOX_REASON_NO_CLOSING_BRACKET,
  SL_BOX_REASON_NO_AREA, /* REJECTED */
  SL_BOX_REASON_POINT,      /* these are other models': CLAMPED */
  SL_BOX_REASON_POLYGON,
  SL_BOX_REASON_NO_PICTURE, /* REJECTED */
} SlBoxReason;
#define SL_N_BOX_REASONS 19

typedef struct
{
  int         coords[4];   /* x1 y1 x2 y2 in 0…999 of the upright picture; only for OK and CLAMPED */
  SlBoxStatus status;
  SlBoxReason reason;      /* NONE for OK */
  const char *label;       /* the words between <|ref|> and <|/ref|>, NULL if the block has none */
  int         label_index; /* n-th label of the answer, −1 if none */
  gsize       start, end;  /* byte range in the raw text */
  gsize       numbers_start, numbers_end; /* of its numbers in it, for sl_generation_get_confidence() */
  gboolean    placed;      /* the numbers were finer than coords: */
  double      place[4];    /* x1 y1 x2 y2 as shares of the picture, 0 … 1 */
} SlBox;

typedef enum
{
  SL_SPAN_TEXT,
  SL_SPAN_LABEL,
  SL_SPAN_BOXES,
} SlSpanKind;

/* Runs in order, covering every byte of the raw text. */
typedef struct
{
  SlSpanKind kind;
  gsize      start, end;             /* whole run, markup included */
  gsize      inner_start, inner_end; /* LABEL: the label's words; otherwise the whole run */
  int        label_index;            /* LABEL: its index; BOXES: its label's index or −1; TEXT: −1 */
  gboolean   open;                   /* the text ended inside it (it is still streaming, or was cut off) */
} SlSpan;

typedef struct _SlGrounding SlGrounding;

#define SL_TYPE_GROUNDING (sl_grounding_get_type ())
GType        sl_grounding_get_type (void);

/* Never NULL: what cannot be parsed is text. length −1: NUL-terminated. */
SlGrounding *sl_grounding_parse (const char  *text,
                                 gssize       length);
/* The same of an answer of any model that a server may run: besides DeepSeek-VL2's marks, with or without blanks around them or
 * stripped altogether, a label in front of its list, "bbox_2d" and "box_2d" objects, <box><1><2><3><4></box>, and the marks of
 * DeepSeek-V4.1 with its points (a small box here) and polygons (the box around them). What DeepSeek-VL2 itself writes is read as
 * sl_grounding_parse() reads it. */
SlGrounding *sl_grounding_parse_in (const char       *text,
                                    gssize            length,
                                    const SlBoxSpace *space);
/* What the numbers were taken for: never AUTO where there are boxes. */
const SlBoxSpace *sl_grounding_get_space (SlGrounding *self);
SlGrounding *sl_grounding_ref   (SlGrounding *self);
void         sl_grounding_unref (SlGrounding *self);

/* Borrowed, valid as long as self. */
const char   *sl_grounding_get_text     (SlGrounding *self); /* the raw text */
const SlSpan *sl_grounding_get_spans    (SlGrounding *self,
                                         gsize       *n_spans);
const SlBox  *sl_grounding_get_boxes    (SlGrounding *self,
                                         gsize       *n_boxes);
gsize         sl_grounding_get_n_labels (SlGrounding *self);
const char   *sl_grounding_get_label    (SlGrounding *self,
                                         gsize        index); /* NULL beyond the last */

/* The answer without markup: labels stay as words, boxes vanish, white space around them is tidied.
 * For titles, search and screen readers. (transfer full) */
char         *sl_grounding_dup_plain_text (SlGrounding *self);

/* Reads the boxes of a text that grows, each part of it once. One thread at a time. */
typedef struct _SlBoxReader SlBoxReader;

SlBoxReader  *sl_box_reader_new  (void);
void          sl_box_reader_free (SlBoxReader *self);
/* text: that of the call before, and more. The boxes behind the first *n_before, which are settled: they are those that earlier calls
 * gave. Borrowed until the next call, label_index as in the whole text. */
const SlBox  *sl_box_reader_read (SlBoxReader *self,
                                  const char  *text,
                                  gsize        length,
                                  gsize       *n_before,
                                  gsize       *n_boxes);

/* Pixels as the official code computes them, px = (int)(c / 999 · size): x1 y1 x2 y2. A box that would lose its area so in a
 * small picture keeps one pixel.
 * FALSE (out untouched) if the box has no usable coordinates. */
gboolean      sl_box_get_pixels      (const SlBox *box,
                                      int          width,
                                      int          height,
                                      int          pixels[4]);
const char   *sl_box_status_get_nick (SlBoxStatus  status); /* "ok", "clamped", "incomplete", "rejected" */
gboolean      sl_box_status_from_nick (const char  *nick,
                                       SlBoxStatus *status);
/* A part of a sentence, "" for NONE: translated for people; in English, never changing, for files. */
const char   *sl_box_reason_get_text     (SlBoxReason  reason);
const char   *sl_box_reason_get_english  (SlBoxReason  reason);
SlBoxReason   sl_box_reason_from_english (const char  *english); /* NONE for words that no version wrote */

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlGrounding, sl_grounding_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlBoxReader, sl_box_reader_free)

G_END_DECLS
