/* SPDX-License-Identifier: MIT
 *
 * The window's struct and what its parts call of each other: sl-window.c (state), sl-window-actions.c (what a user
 * can do), sl-window-pictures.c (pictures coming in), sl-window-plan.c (asking, and what it costs), and those named below.
 * Nobody else includes this.
 *
 * What takes time carries the conversation, message or picture that it is about: by the time it is done, the window may show
 * another.
 */
#pragma once

#include "ui/chat/sl-chat-view.h"
#include "ui/chat/sl-empty-state.h"
#include "ui/composer/sl-composer.h"
#include "ui/composer/sl-intake.h"
#include "ui/document/sl-document-view.h"
#include "ui/folder/sl-folder-page.h"
#include "ui/inspector/sl-compare-view.h"
#include "ui/inspector/sl-picture-viewer.h"
#include "ui/models/sl-engine-bar.h"
#include "ui/models/sl-model-bar.h"
#include "ui/window/sl-sidebar.h"
#include "ui/window/sl-store-bar.h"
#include "ui/window/sl-window.h"

struct _SlWindow
{
  AdwApplicationWindow parent_instance;

  /* owned */
  SlEngine *engine;
  SlStore *store;
  SlHistory *history;
  SlModels *models;
  SlRemotes *remotes;
  SlServerSwitch *server;
  SlConversation *conversation;
  SlMessage *editing;      /* the question that the next Send replaces */
  SlIntake *intake;
  GPtrArray *waiting;      /* pictures whose conversation is not shown */
  GCancellable *opening;   /* of the conversation being opened */
  gint64 opening_id;       /* 0: none is */
  gint64 opening_message;  /* of it, to be brought into sight; 0: none */
  gboolean restored;       /* what was remembered of the last time is shown */
  gint64 remembered;       /* the conversation that the next start will show */
  gboolean restoring;      /* it is the one of the last time, and nothing else has been begun */
  gboolean carrying;       /* what is in the composer goes along to the conversation that is shown next */
  guint draft_source;      /* waits for a pause in typing */
  gint64 draft_conversation, draft_question; /* where the composer's content was last kept or taken from */
  guint recalled;          /* which question from the end Up has brought */
  gboolean showing_draft;  /* the composer is changed by us */
  GCancellable *planning;  /* of what is being written, for the meter */
  guint plan_source;       /* waits for a pause in typing */
  struct _SlQuestion *asking; /* on its way: planned, or a choice is asked about it; NULL if there is none */

  /* template */
  AdwToastOverlay *toasts;
  GtkStack *pages;
  AdwFlap *flap;
  SlSidebar *sidebar;
  AdwWindowTitle *title;
  GtkMenuButton *menu_button;
  GtkMenuButton *settings_button;
  GtkSearchBar *find_bar;
  GtkSearchEntry *find_entry;
  GtkWidget *find_nothing;
  GtkStack *content;
  SlEmptyState *empty;
  SlChatView *chat;
  SlModelBar *model_bar;
  SlEngineBar *engine_bar;
  GtkWidget *warning;
  GtkLabel *warning_label;
  SlComposer *composer;
  SlPictureViewer *viewer; /* NULL until it is first opened */
  SlCompareView *compare;  /* NULL until it is first opened */
  SlDocumentView *document; /* the same */
  SlFolderPage *folder;    /* NULL until it is first opened */
  GtkRevealer *drop_highlight;
  SlStoreBar *store_bar;

  char *compared_from;     /* the page that the comparison goes back to */
  gboolean closing;        /* what is not saved yet is being saved first */
  gboolean may_close;      /* it is, or the user does not want it */
};

/* What is being written: sl-window-draft.c. */
void     sl_window_connect_drafts (SlWindow *self);
void     sl_window_queue_draft    (SlWindow *self); /* after something changed */
void     sl_window_keep_draft     (SlWindow *self);
/* The one of the conversation that is shown; carry: before what is in the composer, which else goes. */
void     sl_window_show_draft     (SlWindow *self,
                                   gboolean  carry);
void     sl_window_leave_draft    (SlWindow *self);
/* The composer's "recall". */
gboolean sl_window_recall         (SlWindow *self,
                                   int       direction);
void     sl_window_begin_edit     (SlWindow  *self,
                                   SlMessage *question);
/* 0: one in which nothing has been asked yet; one such is like another. */
gint64   sl_window_key_of         (SlConversation *conversation);

/* The history: sl-window-store.c. */
void     sl_window_set_store    (SlWindow *self,
                                 SlStore  *store);
void     sl_window_show_opening (SlWindow *self); /* where it still is */
/* FALSE: not yet; the window closes by itself, or asks. */
gboolean sl_window_may_close    (SlWindow *self);
void     sl_window_store_repair  (GtkWidget *widget, const char *name, GVariant *parameter);
void     sl_window_store_begin   (GtkWidget *widget, const char *name, GVariant *parameter);
void     sl_window_store_retry   (GtkWidget *widget, const char *name, GVariant *parameter);
void     sl_window_store_dismiss (GtkWidget *widget, const char *name, GVariant *parameter);

/* The model: sl-window-model.c. */
void     sl_window_model_load   (GtkWidget *widget, const char *name, GVariant *parameter);
void     sl_window_model_choose (GtkWidget *widget, const char *name, GVariant *parameter);
void     sl_window_model_demo   (GtkWidget *widget, const char *name, GVariant *parameter);
void     sl_window_model_unload (GtkWidget *widget, const char *name, GVariant *parameter);
void     sl_window_model_cancel (GtkWidget *widget, const char *name, GVariant *parameter);

/* Reads the sample's pictures, then asks where it was chosen: sl-window-sample.c. */
void     sl_window_ask_sample   (SlWindow       *self,
                                 const SlSample *sample);

/* How answers are made: sl-window-settings.c. */
void sl_window_install_settings (GtkWidgetClass *klass);
void sl_window_init_settings    (SlWindow       *self);
/* Those of the conversation that is shown now. */
void sl_window_watch_settings   (SlWindow       *self);
void sl_window_update_settings  (SlWindow       *self);

/* Conversations into files and back: sl-window-exchange.c. */
void sl_window_install_exchange (GtkWidgetClass *klass);

/* Words in the conversation: sl-window-find.c. */
void sl_window_install_find     (GtkWidgetClass *klass);
void sl_window_init_find        (SlWindow       *self);
void sl_window_stop_finding     (SlWindow       *self);

/* A folder that is asked about: sl-window-folder.c. */
void sl_window_install_folder   (GtkWidgetClass *klass);
void sl_window_init_folder      (SlWindow       *self);
/* In the place of the conversation that is shown; message: that is brought into sight, 0: none. */
void sl_window_show_folder      (SlWindow       *self,
                                 SlConversation *conversation,
                                 gint64          message);
/* A crop or a marked copy becomes part of the next question: sl-window.c. */
void sl_window_take_area        (SlWindow       *self,
                                 SlPicture      *picture,
                                 gboolean        marked);

/* Turns: sl-window-turns.c. */
void sl_window_install_turns    (GtkWidgetClass *klass);
void sl_window_update_turns     (SlWindow       *self,
                                 gboolean        busy);

void sl_window_install_actions  (GtkWidgetClass *klass);
/* What the model reads, token marks and all. */
void sl_window_present_prompt   (SlWindow       *self,
                                 SlPrompt       *prompt);
void sl_window_connect_composer (SlWindow       *self);

/* Shows this conversation; NULL: a fresh one. */
void sl_window_set_conversation (SlWindow       *self,
                                 SlConversation *conversation);
/* Whatever was to be opened is not. */
void sl_window_stay             (SlWindow       *self);
void sl_window_update_actions   (SlWindow       *self);
void sl_window_stop_editing     (SlWindow       *self);
void sl_window_compare          (SlWindow       *self,
                                 SlMessage      *answer);

/* Sends what is written, to the conversation that is shown now; where that has consequences, the user is asked first. */
void sl_window_send             (SlWindow       *self);
/* Another conversation will be shown: what is on its way is no longer being written. */
void sl_window_leave_question   (SlWindow       *self);
/* Stops the answer of the conversation that is shown, also the one that is still to be begun. */
void sl_window_stop             (SlWindow       *self);
/* What is on its way to that conversation (0: to any) is not sent; it stays written. */
void sl_window_cancel_question  (SlWindow       *self,
                                 gint64          conversation);
/* Asks where the label is, on the picture of that answer's boxes. */
void sl_window_find_again       (SlWindow       *self,
                                 SlMessage      *answer,
                                 const char     *label);
/* Pictures: sl-window-pictures.c. */
void     sl_window_init_pictures         (SlWindow *self);
void     sl_window_dispose_pictures      (SlWindow *self);
/* Those that came for the conversation that is shown now, while it was not. */
void     sl_window_take_waiting_pictures (SlWindow *self);
void     sl_window_choose_pictures       (SlWindow *self);
/* FALSE: there is no picture on the clipboard. */
gboolean sl_window_paste                 (SlWindow *self);

/* Documents: sl-window-document.c. files (element-type GFile) that came; FALSE: no document model is loaded, they are pictures for a
 * question. */
gboolean sl_window_open_documents  (SlWindow  *self,
                                    GPtrArray *files);
void     sl_window_choose_document (GtkWidget *widget, const char *name, GVariant *parameter);

/* Who answers: sl-window-engine.c. */
void     sl_window_set_remotes (SlWindow  *self,
                                SlRemotes *remotes);
/* The conversation that is shown asks the engine that it asked before. */
void     sl_window_take_engine (SlWindow *self);
void     sl_window_update_title (SlWindow *self);
/* NULL: this computer's. Borrowed. */
SlRemoteEngine *sl_window_get_remote (SlConversation *conversation);
/* Has it to be agreed first that questions go there? Responses of the dialog: "cancel", "agree". */
gboolean sl_window_needs_leave (SlConversation *conversation);
GtkWidget *sl_window_make_leave_dialog (SlWindow       *self,
                                        SlConversation *conversation);
void     sl_window_give_leave (SlWindow       *self,
                               SlConversation *conversation);

/* The meter, after something changed. */
void sl_window_queue_plan       (SlWindow       *self);
void sl_window_cancel_plan      (SlWindow       *self);
