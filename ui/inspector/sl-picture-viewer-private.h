/* SPDX-License-Identifier: MIT
 *
 * The viewer's struct and what its parts call of each other: sl-picture-viewer.c (what is
 * shown), sl-picture-viewer-actions.c (what a user can do with it). Nobody else includes
 * this.
 */
#pragma once

#include "ui/inspector/sl-box-edits.h"
#include "ui/inspector/sl-picture-viewer.h"

#include <adwaita.h>

struct _SlPictureViewer
{
  GtkWidget parent_instance;

  GtkWidget *box;
  AdwWindowTitle *title;
  GtkButton *back;
  GtkWidget *list_toggle;
  AdwFlap *flap;
  GtkBox *boxes_pane, *hood_pane;
  GtkWidget *belongs;
  GtkDropDown *belongs_to;
  GtkWidget *box_tools;
  GtkOverlay *overlay;
  GtkButton *previous, *next;
  GtkButton *zoom_out, *zoom_in, *zoom_fit, *zoom_level;
  GtkLabel *status;
  GtkWidget *hint;      /* what the pointer draws now */
  GtkLabel *hint_label;
  GtkWidget *view;      /* SlPictureView */
  GtkWidget *list;      /* SlBoxList */
  GtkWidget *hood;      /* SlHoodView */
  GtkWidget *box_menu;  /* GtkPopoverMenu on the picture */

  SlConversation *conversation;
  SlMessage *answer;
  SlBoxModel *boxes;
  SlBoxEdits *edits;
  GPtrArray *parts;     /* SlMessagePart */
  guint position;
  gboolean filling;     /* the drop down is being set up, not used */

  SlBoxStyle style;
  char *coloring, *opacity, *fill; /* as the menu names them */
  gboolean least_sure_first; /* in the list of boxes */
  gboolean asking;      /* the next drawn rectangle is a question, not a box */
  double pointer_x, pointer_y; /* picture pixels, NAN outside */
};

void sl_picture_viewer_install_actions (GtkWidgetClass  *klass);
void sl_picture_viewer_update_actions  (SlPictureViewer *self);
/* A rectangle was drawn (@box -1) or a box dragged; picture pixels. */
void sl_picture_viewer_take_area       (SlPictureViewer *self,
                                        int              box,
                                        double           x1,
                                        double           y1,
                                        double           x2,
                                        double           y2);
/* TRUE if the key did something. */
gboolean sl_picture_viewer_take_key    (SlPictureViewer *self,
                                        guint            keyval,
                                        GdkModifierType  state);

/* What the actions are about: the selected row or box, or NULL. */
SlBoxItem *sl_picture_viewer_get_current (SlPictureViewer *self);
SlMessagePart *sl_picture_viewer_get_part (SlPictureViewer *self);
void sl_picture_viewer_update_status   (SlPictureViewer *self);
void sl_picture_viewer_set_drawing     (SlPictureViewer *self,
                                        gboolean         drawing,
                                        gboolean         asking);
