/* SPDX-License-Identifier: MIT
 *
 * The files that are made of pages that were read: for the command line and for the window. Blocks; any thread, the pages and sources
 * are its own meanwhile.
 */
#pragma once

#include "app/document/sl-page-pdf.h"

G_BEGIN_DECLS

typedef enum
{
  SL_PAGES_MARKDOWN,
  SL_PAGES_HTML,
  SL_PAGES_TEXT,
  SL_PAGES_JSON,
  SL_PAGES_HOCR,
  SL_PAGES_ALTO,
  SL_PAGES_PDF,  /* the pages as they are, searchable */
  SL_PAGES_COCO, /* layout: a box and a class for each block, and the pages as pictures */
  SL_PAGES_CSV,  /* a file for each table */
} SlPagesFormat;
#define SL_N_PAGES_FORMATS 9

const char *sl_pages_format_get_nick         (SlPagesFormat format); /* "md", "html", … */
const char *sl_pages_format_get_ending       (SlPagesFormat format); /* ".md"; of CSV "_tables", a folder */
const char *sl_pages_format_get_display_name (SlPagesFormat format); /* translated */

typedef struct
{
  GPtrArray        *pages; /* SlPage; no two have one number */
  const char       *name;  /* what the files are called, without an ending */
  const char       *dir;
  SlPageSourceFunc  find;
  gpointer          user_data;
  SlOutputs        *outputs;
} SlPagesWork;

/* Pictures that a text shows go into NAME_images/, pages that a data set names into NAME_pages/. */
gboolean    sl_pages_write (const SlPagesWork *work,
                            SlPagesFormat      format,
                            GError           **error);

G_END_DECLS
