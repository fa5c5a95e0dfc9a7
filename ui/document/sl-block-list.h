/* SPDX-License-Identifier: MIT
 *
 * SlBlockList: the blocks of one page beside its picture, in the order of reading. Light and selection are in the SlBoxModel that the
 * picture shows too, so that both travel both ways; corrections go to the document. Used by SlDocumentView; UI thread.
 */
#pragma once

#include "app/document/sl-document.h"
#include "ui/pictures/sl-box-model.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_BLOCK_LIST (sl_block_list_get_type ())

G_DECLARE_FINAL_TYPE (SlBlockList, sl_block_list, SL, BLOCK_LIST, GtkWidget)

/* Signals: "selected" (int block): by the user; "zoom" (int block); "scrolled" (int block): this one is at the top now. */

GtkWidget  *sl_block_list_new          (void);
void        sl_block_list_set_document (SlBlockList *self,
                                        SlDocument  *document);
/* picture (may be NULL): the page's, on which boxes lie. Called again after every change of the page. */
void        sl_block_list_show_page    (SlBlockList   *self,
                                        guint          page,
                                        SlMessagePart *picture);
SlBoxModel *sl_block_list_get_boxes    (SlBlockList *self);
/* -1: none. */
int         sl_block_list_get_selected (SlBlockList *self);
/* Brings it into sight; emits nothing. */
void        sl_block_list_select       (SlBlockList *self,
                                        int          block);
/* So that it can be seen, without a selection. */
void        sl_block_list_reveal       (SlBlockList *self,
                                        int          block);
void        sl_block_list_edit         (SlBlockList *self,
                                        int          block);
/* Block of a box on the picture and back; -1: none. */
int         sl_block_list_find_block   (SlBlockList *self,
                                        int          paint_box);
int         sl_block_list_find_box     (SlBlockList *self,
                                        int          block);
/* What a row's button or a key asks for: "accept", "up", "down", "remove", "zoom", "read-area". */
void        sl_block_list_do           (SlBlockList *self,
                                        int          block,
                                        const char  *wish);

G_END_DECLS
