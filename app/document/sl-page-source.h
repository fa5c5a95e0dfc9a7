/* SPDX-License-Identifier: MIT
 *
 * SlPageSource: the pages of one file, a picture being one page: how many, how large, as pixels for a model and as they are for a PDF.
 * Blocks while it renders; one thread. PDF needs poppler, which a build may lack: then it is refused with a sentence.
 */
#pragma once

#include <cairo.h>

#include "app/pictures/sl-picture.h"

G_BEGIN_DECLS

typedef struct _SlPageSource SlPageSource;

SlPageSource *sl_page_source_open    (const char    *path,
                                      GCancellable  *cancellable,
                                      GError       **error);
void          sl_page_source_close   (SlPageSource  *self);
int           sl_page_source_get_n_pages (SlPageSource *self);
const char   *sl_page_source_get_name    (SlPageSource *self); /* of the file, valid UTF-8 */

/* Page `page` from 0: its pixels, a PDF's with so many on the longer side, a picture's as they are; *dpi: how fine they are.
 * (transfer full) */
SlPicture    *sl_page_source_render  (SlPageSource  *self,
                                      int            page,
                                      int            longer_side,
                                      double        *dpi,
                                      GError       **error);
/* The same of a part of it, x1 y1 x2 y2 as shares of the page. */
SlPicture    *sl_page_source_render_area (SlPageSource  *self,
                                          int            page,
                                          const double   area[4],
                                          int            longer_side,
                                          double        *dpi,
                                          GError       **error);
/* In points, 72 to the inch. FALSE for a page that cannot be read. */
gboolean      sl_page_source_get_size (SlPageSource *self,
                                       int           page,
                                       double       *width,
                                       double       *height);
/* Draws the page in points, from 0, 0 on: as lines and letters where it is a PDF, a JPEG as it is. */
gboolean      sl_page_source_draw    (SlPageSource  *self,
                                      int            page,
                                      cairo_t       *cr,
                                      GError       **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPageSource, sl_page_source_close)

G_END_DECLS
