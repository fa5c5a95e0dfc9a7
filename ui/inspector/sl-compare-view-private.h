/* SPDX-License-Identifier: MIT
 *
 * What the files of SlCompareView share.
 */
#pragma once

#include "ui/inspector/sl-compare-view.h"

#include "app/boxes/sl-box-match.h"

#include "ui/pictures/sl-box-model.h"

#include <adwaita.h>

enum
{
  SL_COMPARE_FIRST,
  SL_COMPARE_SECOND,
  SL_COMPARE_BOTH,
  SL_N_COMPARE_VIEWS,
};

struct _SlCompareView
{
  GtkWidget parent_instance;

  GtkWidget *box;
  AdwWindowTitle *title;
  GtkButton *back;
  GtkToggleButton *overlay;
  AdwFlap *flap;
  GtkLabel *summary;
  GtkListBox *list;
  GtkBox *choosers;
  GtkLabel *first_legend, *second_legend;
  GtkDropDown *first_choice, *second_choice;
  GtkBox *views;
  GtkWidget *pictures[SL_N_COMPARE_VIEWS]; /* SlPictureView */

  SlConversation *conversation;
  GPtrArray *answers;   /* SlMessage: what can be chosen */
  SlMessagePart *part;  /* the picture */
  SlBoxModel *models[SL_N_COMPARE_VIEWS];
  GArray *pairs;        /* SlBoxPair; a box's number is 1 + its pair's place */
  gboolean filling;     /* the drop downs are being set up, not used */
  gboolean following;   /* light, selection or zoom is being passed on */
};

/* After another answer was chosen: matches both again. */
void sl_compare_view_update        (SlCompareView *self);
/* A pair's box in one of the views, -1 if it has none there. */
int  sl_compare_view_get_box       (SlCompareView *self,
                                    int            view,
                                    int            pair);

/* sl-compare-view-choice.c. */
void sl_compare_view_set_up_choice (SlCompareView *self,
                                    GtkDropDown   *choice);
/* Offers all answers, with these two chosen. */
void sl_compare_view_fill_choices  (SlCompareView *self,
                                    guint          first,
                                    guint          second);

/* sl-compare-view-list.c: makes the rows anew; lights and selects one, -1: none. */
void sl_compare_view_update_list   (SlCompareView *self);
void sl_compare_view_show_row      (SlCompareView *self,
                                    int            lit,
                                    int            selected);
