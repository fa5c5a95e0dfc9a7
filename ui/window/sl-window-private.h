/* SPDX-License-Identifier: MIT
 *
 * The window's struct and what its parts call of each other: sl-window.c (state),
 * sl-window-actions.c (what a user can do), sl-window-plan.c (what asking costs). Nobody else includes this.
 */
#pragma once

#include "ui/chat/sl-chat-view.h"
#include "ui/chat/sl-empty-state.h"
#include "ui/composer/sl-composer.h"
#include "ui/composer/sl-intake.h"
#include "ui/inspector/sl-compare-view.h"
#include "ui/inspector/sl-picture-viewer.h"
#include "ui/models/sl-model-bar.h"
#include "ui/window/sl-sidebar.h"
#include "ui/window/sl-window.h"

struct _SlWindow
{
  AdwApplicationWindow parent_instance;

  /* owned */
  SlEngine *engine;
  SlStore *store;
  SlHistory *history;
  SlModels *models;
  SlConversation *conversation;
  SlMessage *editing;      /* the question that the next Send replaces */
  SlIntake *intake;
  GtkFileChooserNative *chooser;
  GCancellable *opening;   /* of the conversation being opened */
  GCancellable *planning;  /* of what is being written */
  guint plan_source;       /* waits for a pause in typing */
  double fullness;         /* of the context, at the last plan */

  /* template */
  AdwToastOverlay *toasts;
  GtkStack *pages;
  AdwFlap *flap;
  SlSidebar *sidebar;
  AdwWindowTitle *title;
  GtkMenuButton *menu_button;
  GtkStack *content;
  SlEmptyState *empty;
  SlChatView *chat;
  SlModelBar *model_bar;
  GtkWidget *warning;
  GtkLabel *warning_label;
  SlComposer *composer;
  SlPictureViewer *viewer; /* NULL until it is first opened */
  SlCompareView *compare;  /* NULL until it is first opened */
  GtkRevealer *drop_highlight;

  char *compared_from;     /* the page that the comparison goes back to */
  char *store_warning;     /* what of the warning came from the store */
};

void sl_window_install_actions  (GtkWidgetClass *klass);
void sl_window_connect_composer (SlWindow       *self);

/* Shows this conversation; NULL: a fresh one. */
void sl_window_set_conversation (SlWindow       *self,
                                 SlConversation *conversation);
void sl_window_update_actions   (SlWindow       *self);
void sl_window_stop_editing     (SlWindow       *self);
void sl_window_compare          (SlWindow       *self,
                                 SlMessage      *answer);

/* Sends what is written; where that has consequences, the user is asked first. */
void sl_window_send             (SlWindow       *self);
void sl_window_send_now         (SlWindow       *self,
                                 SlOverflow      overflow);
/* Asks where the label is, on the picture of that answer's boxes. */
void sl_window_find_again       (SlWindow       *self,
                                 SlMessage      *answer,
                                 const char     *label);
/* The meter, after something changed. */
void sl_window_queue_plan       (SlWindow       *self);
void sl_window_cancel_plan      (SlWindow       *self);
