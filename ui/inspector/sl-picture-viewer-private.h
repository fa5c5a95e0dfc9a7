/* SPDX-License-Identifier: MIT
 *
 * The viewer's struct and what its parts call of each other: sl-picture-viewer.c (what is shown),
 * sl-picture-viewer-actions.c (what a user can do with it), and those named below. Nobody else includes this.
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

  GtkWidget *review_tools;
  guint series, n_series; /* which one of a series that is looked through; 0: there is none */

  SlBoxStyle style;
  char *coloring, *opacity, *fill; /* as the menu names them */
  gboolean least_sure_first; /* in the list of boxes */
  gboolean asking;      /* the next drawn rectangle is a question, not a box */
  double pointer_x, pointer_y; /* picture pixels, NAN outside */
};

void sl_picture_viewer_install_actions (GtkWidgetClass  *klass);
void sl_picture_viewer_update_actions  (SlPictureViewer *self);
/* sl-picture-viewer-edit.c. */
void     sl_picture_viewer_install_edit_actions (GtkWidgetClass *klass);
gboolean sl_picture_viewer_can_edit    (SlPictureViewer *self);
/* Moves the box, or its lower right corner, by the model's 0…999. */
void sl_picture_viewer_nudge           (SlPictureViewer *self,
                                        int              dx,
                                        int              dy,
                                        gboolean         resize);
/* A rectangle was drawn (@box -1) or a box dragged; picture pixels. */
void sl_picture_viewer_take_area       (SlPictureViewer *self,
                                        int              box,
                                        double           x1,
                                        double           y1,
                                        double           x2,
                                        double           y2);
/* What the actions are about: the selected row or box, or NULL. */
SlBoxItem *sl_picture_viewer_get_current (SlPictureViewer *self);
SlMessagePart *sl_picture_viewer_get_part (SlPictureViewer *self);
void sl_picture_viewer_update_status   (SlPictureViewer *self);
void sl_picture_viewer_update_title    (SlPictureViewer *self);
/* sl-picture-viewer-review.c. */
void sl_picture_viewer_install_review_actions (GtkWidgetClass *klass);
void sl_picture_viewer_set_drawing     (SlPictureViewer *self,
                                        gboolean         drawing,
                                        gboolean         asking);
/* By one picture forward or back, where there is one. */
void sl_picture_viewer_turn            (SlPictureViewer *self,
                                        int              by);
/* The current box's place among those that are painted; -1: it is none, or not placed. */
int  sl_picture_viewer_get_paint_box   (SlPictureViewer *self);

/* sl-picture-viewer-crop.c. */
void sl_picture_viewer_install_crop_actions (GtkWidgetClass *klass);
/* The part that is shown if it is transparent, or NULL. */
SlMessagePart *sl_picture_viewer_get_transparent (SlPictureViewer *self);
/* Into the next question: the area cut out, or marked on a copy. */
void sl_picture_viewer_ask_area        (SlPictureViewer         *self,
                                        const cairo_rectangle_t *area,
                                        gboolean                 marked);

/* sl-picture-viewer-keys.c. */
void sl_picture_viewer_add_keys        (SlPictureViewer *self);
