/* SPDX-License-Identifier: MIT
 *
 * What one answer located: its boxes in pixels of the picture they belong to,
 * with numbers and colours, and which of them are lit (under the pointer or the
 * focus) or selected. Chips, the picture under the answer, the viewer and the
 * box list share one model, so that light travels both ways. Knows no widget.
 * UI thread only.
 */
#pragma once

#include "app/boxes/sl-box-item.h"
#include "app/boxes/sl-box-painter.h"
#include "app/conversation/sl-message-part.h"
#include "app/prompt/sl-grounding.h"

#include <gio/gio.h>

G_BEGIN_DECLS

#define SL_TYPE_BOX_MODEL (sl_box_model_get_type ())

G_DECLARE_FINAL_TYPE (SlBoxModel, sl_box_model, SL, BOX_MODEL, GObject)

/* Signals: "changed" (boxes, picture), "shown-changed" (which are hidden, colours),
 * "lit-changed" (lit or selected). Follows the items: an edit shows at once. */
SlBoxModel *sl_box_model_new (void);

/* Takes the answer as far as it has come: @items is the message's list of
 * SlBoxItem. @part, the picture that they lie on, may be NULL (there is none): boxes
 * then have no place and are not drawn. An edited box takes the place of the model's. */
void sl_box_model_set_answer (SlBoxModel    *self,
                              SlGrounding   *grounding,
                              GListModel    *items,
                              SlMessagePart *part);

SlGrounding   *sl_box_model_get_grounding (SlBoxModel *self);
SlMessagePart *sl_box_model_get_part      (SlBoxModel *self);
/* SlBoxItem: what a list shows, unusable boxes included; the user's box takes the place
 * of the model's. */
GListModel  *sl_box_model_get_shown     (SlBoxModel *self);

/* By label at first. */
void sl_box_model_set_coloring    (SlBoxModel    *self,
                                   SlBoxColoring  coloring);
/* Labels (NULL-terminated, static) that have the first colours, whatever is there: one label has one colour on every picture. */
void sl_box_model_set_first_labels (SlBoxModel        *self,
                                    const char *const *labels);
/* Boxes that no user stands for yet are dashed. */
void sl_box_model_set_reviewing   (SlBoxModel    *self,
                                   gboolean       reviewing);
/* For a comparison: @numbers are those on the badges, one for each paint box, and the colours as well; boxes from
 * @first_dashed on are dashed. Holds until the boxes change. */
void sl_box_model_set_numbers     (SlBoxModel    *self,
                                   const int     *numbers,
                                   gsize          n_numbers,
                                   gsize          first_dashed);
/* @label NULL: all boxes. */
void sl_box_model_set_all_visible (SlBoxModel    *self,
                                   const char    *label,
                                   gboolean       visible);

/* The drawable boxes; borrowed until the next change. */
const SlPaintBox *sl_box_model_get_paint_boxes (SlBoxModel *self,
                                                gsize      *n_boxes);

/* The item that a paint box shows (borrowed), and back; -1 if it is not drawn. */
SlBoxItem *sl_box_model_get_item       (SlBoxModel *self,
                                        gsize       paint_box);
int        sl_box_model_find_paint_box (SlBoxModel *self,
                                        SlBoxItem  *item);

/* Of a label: the numbers on its boxes ("1", "1–3", "" if none), its colour
 * (FALSE if it has no box) and its first paint box (-1). */
char     *sl_box_model_dup_label_numbers (SlBoxModel *self,
                                          int         label_index);
gboolean  sl_box_model_get_label_color   (SlBoxModel *self,
                                          int         label_index,
                                          SlBoxColor *color);
int       sl_box_model_get_label_first   (SlBoxModel *self,
                                          int         label_index);

/* All that the model wrote of this label's boxes is incomplete or unusable. */
gboolean  sl_box_model_is_label_broken (SlBoxModel *self,
                                        int         label_index);

/* Light: by label (a chip) or by box (picture, list); -1 puts it out. */
void     sl_box_model_light_label  (SlBoxModel *self,
                                    int         label_index);
void     sl_box_model_light_box    (SlBoxModel *self,
                                    int         paint_box);
gboolean sl_box_model_is_lit       (SlBoxModel *self,
                                    gsize       paint_box);
gboolean sl_box_model_is_label_lit (SlBoxModel *self,
                                    int         label_index);

void sl_box_model_select       (SlBoxModel *self,
                                int         paint_box);
int  sl_box_model_get_selected (SlBoxModel *self);

G_END_DECLS
