/* SPDX-License-Identifier: MIT
 *
 * SlDocumentView: a document over the whole window: its pages as small pictures, one page with its boxes, and beside it the blocks that
 * were read of it; where there is no room for both, one of the two. Reading, correcting, finding and exporting start here. Owned by
 * SlWindow; UI thread only.
 */
#pragma once

#include "app/document/sl-document.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_DOCUMENT_VIEW (sl_document_view_get_type ())

G_DECLARE_FINAL_TYPE (SlDocumentView, sl_document_view, SL, DOCUMENT_VIEW, GtkWidget)

/* Signals: "close" (); "said" (string sentence): something that the user should know. */

GtkWidget  *sl_document_view_new          (SlEngine       *engine);
/* NULL: none; what is being read of the one before is left. */
void        sl_document_view_set_document (SlDocumentView *self,
                                           SlDocument     *document);
SlDocument *sl_document_view_get_document (SlDocumentView *self);
/* -1: none. */
int         sl_document_view_get_block    (SlDocumentView *self);
guint       sl_document_view_get_page     (SlDocumentView *self);
void        sl_document_view_select       (SlDocumentView *self,
                                           guint           page,
                                           int             block);

G_END_DECLS
