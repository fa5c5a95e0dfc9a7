/* SPDX-License-Identifier: MIT
 *
 * A wrapping label with small widgets inside its text. The text is a stock
 * GtkLabel (selectable, read by screen readers); every anchor character keeps
 * room for one child through a Pango shape. Used by SlMarkdownView for
 * paragraphs that contain label chips. UI thread only.
 */
#pragma once

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_FLOW_LABEL (sl_flow_label_get_type ())

G_DECLARE_FINAL_TYPE (SlFlowLabel, sl_flow_label, SL, FLOW_LABEL, GtkWidget)

GtkWidget *sl_flow_label_new (void);

/* Of what it says: right to left where it begins with such a letter. */
GtkTextDirection sl_flow_label_get_text_direction (SlFlowLabel *self);

/* It is never narrower than its text, up to this width. */
void       sl_flow_label_set_least_width (SlFlowLabel *self,
                                          int          width);

/* The label that shows the text, for style classes and attributes. */
GtkLabel *sl_flow_label_get_label (SlFlowLabel *self);

/* @children: (element-type GtkWidget) one for each anchor in @markup, in order.
 * Children that are already inside stay as they are (focus included). */
void sl_flow_label_set_content (SlFlowLabel *self,
                                const char  *markup,
                                GPtrArray   *children);

/* Takes the children's sizes again, after they changed. */
void sl_flow_label_update_children (SlFlowLabel *self);

G_END_DECLS
