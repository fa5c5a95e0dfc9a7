/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlFolderPage share: the table (sl-folder-page.c), looking through it (sl-folder-page-review.c).
 */
#pragma once

#include "ui/folder/sl-folder-page.h"
#include "ui/inspector/sl-picture-viewer.h"
#include "ui/pictures/sl-mipmap.h"

#include <adwaita.h>

#define SL_FOLDER_AHEAD 2 /* pictures that are decoded before they are wanted */

struct _SlFolderPage
{
  GtkWidget parent_instance;

  SlFolderJob *job;
  GtkFilterListModel *filtered;
  GtkFilter *filter;
  guint update_source; /* once for many changes */

  GtkStack *stack;
  AdwWindowTitle *title;
  GtkButton *run;
  GtkProgressBar *progress;
  GtkLabel *progress_label;
  GtkWidget *error;
  GtkLabel *error_label;
  GtkButton *go_on;
  GtkDropDown *states, *certainties;
  GtkGridView *grid;
  GtkStack *content;

  /* looking through */
  SlPictureViewer *viewer; /* NULL until it is first opened */
  GPtrArray *series;       /* of SlFolderRow, as it was filtered when it began */
  guint position;
  SlBoxModel *boxes;
  GPtrArray *held;         /* of SlMessagePart whose pixels are wanted */
  GPtrArray *mipmaps;      /* theirs, as far as there are any */
};

/* sl-folder-page-review.c */
void sl_folder_page_review      (SlFolderPage *self,
                                 SlFolderRow  *row);
void sl_folder_page_stop_review (SlFolderPage *self);
void sl_folder_page_export      (SlFolderPage *self);
