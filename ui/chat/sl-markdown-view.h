/* SPDX-License-Identifier: MIT
 *
 * Shows Markdown that grows: one widget per block, and only blocks that differ
 * from the last call are touched, so an answer can be set again every frame.
 * Used by SlAnswerView. UI thread only.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_MARKDOWN_VIEW (sl_markdown_view_get_type ())

G_DECLARE_FINAL_TYPE (SlMarkdownView, sl_markdown_view, SL, MARKDOWN_VIEW, GtkWidget)

/* Gives the widget for the n-th anchor (SL_MARKDOWN_ANCHOR) in the text. Asked
 * again for the same index only if its paragraph was rebuilt. (transfer floating) */
typedef GtkWidget *(*SlAnchorFunc) (guint index, gpointer user_data);

GtkWidget *sl_markdown_view_new (void);

void sl_markdown_view_set_anchor_func (SlMarkdownView *self,
                                       SlAnchorFunc    func,
                                       gpointer        user_data);

void sl_markdown_view_set_text (SlMarkdownView *self,
                                const char     *markdown);

G_END_DECLS
