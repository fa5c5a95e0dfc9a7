/* SPDX-License-Identifier: MIT
 *
 * The view's struct and what its parts call of each other: sl-document-view.c (what is shown), sl-document-view-actions.c (what a user
 * can do), sl-document-view-read.c (reading, and how far it is). Nobody else includes this.
 */
#pragma once

#include "ui/document/sl-block-list.h"
#include "ui/document/sl-document-view.h"
#include "ui/document/sl-page-list.h"
#include "ui/document/sl-read-popover.h"
#include "ui/pictures/sl-picture-view.h"

#include <adwaita.h>

struct _SlDocumentView
{
  GtkWidget parent_instance;

  GtkWidget *box;
  AdwWindowTitle *title;
  GtkButton *back;
  GtkMenuButton *read_button;
  GtkToggleButton *text_toggle; /* where there is room for one pane */
  GtkSearchBar *find_bar;
  GtkSearchEntry *find_entry;
  GtkWidget *find_nothing;
  GtkWidget *progress;
  GtkLabel *progress_label;
  GtkProgressBar *progress_bar;
  AdwFlap *flap;
  AdwLeaflet *panes;
  GtkBox *page_pane, *text_pane;
  GtkLabel *place;              /* "3 of 20" */
  GtkWidget *view;              /* SlPictureView */
  GtkWidget *blocks;            /* SlBlockList */
  GtkWidget *list;              /* SlPageList */
  GtkWidget *popover;           /* SlReadPopover */

  SlEngine *engine;
  SlDocument *document;
  SlDocumentPage *shown;        /* whose signals are connected */
  guint page;
  SlMessagePart *part;          /* its pixels */
  gboolean following;           /* one pane moves the other */
  gboolean drawing;
};

G_BEGIN_DECLS

void sl_document_view_install_actions (GtkWidgetClass *klass);
void sl_document_view_update_actions  (SlDocumentView *self);
void sl_document_view_show_page       (SlDocumentView *self,
                                       guint           page);
void sl_document_view_say             (SlDocumentView *self,
                                       const char     *sentence);
void sl_document_view_set_drawing     (SlDocumentView *self,
                                       gboolean        drawing);
/* sl-document-view-read.c. */
void sl_document_view_init_reading    (SlDocumentView *self);
void sl_document_view_update_progress (SlDocumentView *self);
/* An area of the page that is shown, picture pixels. */
void sl_document_view_read_area       (SlDocumentView *self,
                                       const double    area[4]);
/* sl-document-view-export.c. */
void sl_document_view_export          (SlDocumentView *self);

G_END_DECLS
