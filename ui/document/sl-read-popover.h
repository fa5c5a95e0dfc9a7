/* SPDX-License-Identifier: MIT
 *
 * SlReadPopover: which pages are to be read, what for and how finely. Reads nothing itself. Used by SlDocumentView; UI thread.
 */
#pragma once

#include "app/prompt/sl-page-question.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_READ_POPOVER (sl_read_popover_get_type ())

G_DECLARE_FINAL_TYPE (SlReadPopover, sl_read_popover, SL, READ_POPOVER, GtkPopover)

/* Signal "read" (SlPageQuestion *, GArray *pages of guint, gboolean again): borrowed. */

GtkWidget *sl_read_popover_new (void);
/* family: of the model, NULL: none is loaded; why_not: why nothing can be read now, or NULL. */
void       sl_read_popover_set (SlReadPopover *self,
                                guint          n_pages,
                                const char    *family,
                                const char    *why_not);

G_END_DECLS
