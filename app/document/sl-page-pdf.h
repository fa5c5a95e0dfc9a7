/* SPDX-License-Identifier: MIT
 *
 * A searchable PDF: the pages as they are, and their words beneath them, each where sl_page_lay_words() puts it. Blocks; one thread.
 */
#pragma once

#include "app/document/sl-page-source.h"
#include "app/document/sl-page.h"
#include "app/system/sl-output.h"

G_BEGIN_DECLS

/* pages: SlPage of this source. What cannot be drawn or written is an error, and no file is left. */
gboolean sl_page_pdf_write (SlPageSource  *source,
                            GPtrArray     *pages,
                            SlOutputs     *outputs,
                            const char    *path,
                            GError       **error);

G_END_DECLS
