/* SPDX-License-Identifier: MIT
 *
 * SlPageList: the pages of a document as small pictures with how far they are, to choose one. Used by SlDocumentView; UI thread.
 */
#pragma once

#include "app/document/sl-document.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_PAGE_LIST (sl_page_list_get_type ())

G_DECLARE_FINAL_TYPE (SlPageList, sl_page_list, SL, PAGE_LIST, GtkWidget)

/* Signal "chosen" (guint page): by the user. */

GtkWidget *sl_page_list_new          (void);
void       sl_page_list_set_document (SlPageList *self,
                                      SlDocument *document);
void       sl_page_list_set_page     (SlPageList *self,
                                      guint       page);

G_END_DECLS
