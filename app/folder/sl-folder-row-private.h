/* SPDX-License-Identifier: MIT
 *
 * How SlFolderJob makes and changes rows.
 */
#pragma once

#include "app/folder/sl-folder-row.h"

G_BEGIN_DECLS

/* Both are referenced. */
SlFolderRow *sl_folder_row_new (SlConversation *conversation, SlFolderPictureRecord *record);
/* Another one of the same path. */
void sl_folder_row_set_record (SlFolderRow *self, SlFolderPictureRecord *record);
SlFolderPictureRecord *sl_folder_row_get_record (SlFolderRow *self);
/* NULL before it was asked, or where that is lost. */
SlMessage *sl_folder_row_get_question (SlFolderRow *self);
/* It is the one that is being read or asked. */
void sl_folder_row_set_current (SlFolderRow *self, gboolean current);
/* It failed, and waits again. */
void sl_folder_row_retry (SlFolderRow *self);
/* The record, the answer or its boxes have changed: reads them again. */
void sl_folder_row_update (SlFolderRow *self);

G_END_DECLS
