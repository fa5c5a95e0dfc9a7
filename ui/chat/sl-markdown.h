/* SPDX-License-Identifier: MIT
 *
 * Turns Markdown text into a flat list of blocks that widgets can show one by
 * one. Owns the parsed blocks only: it knows no widget and can be tested
 * without a display. Called on the UI thread by SlMarkdownView for every frame
 * in which an answer grew, so it is one pass and allocates little.
 */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

/* Where an inline widget (a label chip) stands in the text. */
#define SL_MARKDOWN_ANCHOR "\357\277\274" /* U+FFFC OBJECT REPLACEMENT CHARACTER */

typedef enum
{
  SL_BLOCK_TEXT,
  SL_BLOCK_HEADING,
  SL_BLOCK_CODE,
  SL_BLOCK_TABLE,
  SL_BLOCK_RULE,
} SlBlockKind;

typedef struct
{
  SlBlockKind kind;
  guint level;        /* heading: 1..6 */
  guint indent;       /* lists around this block, 0..6 */
  guint quote;        /* block quotes around this block, 0..6 */
  char *marker;       /* list bullet or number, only on an item's first block */
  char *content;      /* Pango markup (text, heading) or plain text (code) */
  char *language;     /* code: info string, or NULL */
  guint n_columns;    /* table */
  char *aligns;       /* table: 'l', 'c' or 'r' for each column, 'l' where the text does not say */
  GPtrArray *cells;   /* table: markup, row by row, the heading row first */
  guint first_anchor; /* index of the first anchor in this block */
  guint n_anchors;
} SlBlock;

/* Parses @text (UTF-8; invalid bytes become U+FFFD). Never fails: what is not
 * Markdown is text. The blocks belong to the returned array. */
GPtrArray *sl_markdown_parse (const char *text);

guint sl_markdown_count_anchors (const char *text);

/* Pango lays out one word of thousands of letters in quadratic time when it may
 * break anywhere (seconds for an answer that is one long number). Labels here
 * break between words only; this puts invisible break opportunities (U+200B) into
 * words that are too long to be words. (transfer full) */
char *sl_markdown_break_long_words (const char *text,
                                    gsize       size);

gboolean sl_block_equal (const SlBlock *a, const SlBlock *b);

G_END_DECLS
