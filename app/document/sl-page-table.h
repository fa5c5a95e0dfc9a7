/* SPDX-License-Identifier: MIT
 *
 * SlPageTable: the table of a block, which a model writes as HTML, as cells: to be shown, corrected and written in other forms. What a model
 * wrote is data: of its tags only those of tables are read. A plain value of one thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A tag at the beginning of a text, which begins with '<'. length 0: it is none. */
typedef struct
{
  char     name[16]; /* in lower case, without the slash */
  gboolean closing;
  int      rowspan, colspan;
  gsize    length; /* bytes of the whole tag */
} SlTag;

SlTag        sl_tag_read              (const char        *text);
/* Of a table or inside of one, and without anything that could load or run something. */
gboolean     sl_tag_is_of_table       (const SlTag       *tag);

/* Text without the five named entities of XML and blanks that do not break. (transfer full) */
char        *sl_dup_without_entities  (const char        *text);

typedef struct
{
  char     *text;        /* as it is read: no tags, no entities */
  char     *html;        /* between its tags */
  guint     row, column; /* of its first field */
  guint     rowspan, colspan;
  gboolean  heading;     /* <th> */
} SlTableCell;

typedef struct
{
  GPtrArray *cells; /* SlTableCell, row by row */
  guint      n_rows, n_columns;
} SlPageTable;

#define SL_TABLE_MAX_COLUMNS 1000

/* The first table of a text, NULL where there is none. (transfer full) */
SlPageTable *sl_page_table_parse      (const char        *text);
void         sl_page_table_free       (SlPageTable       *self);
void         sl_page_table_set_cell   (SlPageTable       *self,
                                       guint              cell,
                                       const char        *text);
/* (transfer full) */
char        *sl_page_table_to_html    (const SlPageTable *self);
/* RFC 4180; a cell over several fields is in the first of them. (transfer full) */
char        *sl_page_table_to_csv     (const SlPageTable *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPageTable, sl_page_table_free)

G_END_DECLS
