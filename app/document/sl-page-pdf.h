/* SPDX-License-Identifier: MIT
 *
 * A searchable PDF: the pages as they are, and their words beneath them, each where sl_page_lay_words() puts it. Blocks; one thread.
 */
#pragma once

#include "app/document/sl-page-source.h"
#include "app/document/sl-page.h"
#include "app/system/sl-output.h"

G_BEGIN_DECLS

/* Where page `index` of the array is: the source (borrowed until the next call) and its page there, from 0. NULL with error. */
typedef SlPageSource *(*SlPageSourceFunc) (guint index, int *page, gpointer user_data, GError **error);

/* pages: SlPage. What cannot be drawn or written is an error, and no file is left. */
gboolean sl_page_pdf_write (SlPageSourceFunc find,
                            gpointer         user_data,
                            GPtrArray       *pages,
                            SlOutputs       *outputs,
                            const char      *path,
                            GError         **error);

G_END_DECLS
