/* SPDX-License-Identifier: MIT
 *
 * SlFolderRow: one picture of a folder that is asked about: whether it has been asked, what was found, what a user has said of it. Made
 * and kept by SlFolderJob; others read and listen. UI thread.
 */
#pragma once

#include "app/conversation/sl-conversation.h"

G_BEGIN_DECLS

#define SL_TYPE_FOLDER_ROW (sl_folder_row_get_type ())
G_DECLARE_FINAL_TYPE (SlFolderRow, sl_folder_row, SL, FOLDER_ROW, GObject)

typedef enum
{
  SL_FOLDER_WAITING,  /* has not been asked, or the answer did not come to its end */
  SL_FOLDER_ASKING,   /* is being read, or asked */
  SL_FOLDER_FAILED,   /* sl_folder_row_get_error_text() */
  SL_FOLDER_ANSWERED
} SlFolderState;

/* Signal: changed (): anything of what follows. */
const char *sl_folder_row_get_name (SlFolderRow *self); /* below the folder, valid UTF-8 */
SlFolderState sl_folder_row_get_state (SlFolderRow *self);
/* A sentence; NULL unless FAILED. */
const char *sl_folder_row_get_error_text (SlFolderRow *self);
/* The answer, also one that is being written or did not come to its end; NULL before. Borrowed. */
SlMessage *sl_folder_row_get_answer (SlFolderRow *self);
/* The picture, once it has been read; NULL before. Borrowed. */
SlMessagePart *sl_folder_row_get_part (SlFolderRow *self);
/* Boxes with a place, those that a user removed left out. */
guint sl_folder_row_get_n_boxes (SlFolderRow *self);
/* Of them: the model's, about which nobody has said anything. */
guint sl_folder_row_get_n_undecided (SlFolderRow *self);
/* The least expected overlap of the model's boxes that were not replaced, 0 … 1; negative: none is known. */
double sl_folder_row_get_overlap (SlFolderRow *self);
/* Every box has been decided about; where there is none: a user has seen that. */
gboolean sl_folder_row_get_reviewed (SlFolderRow *self);

G_END_DECLS
