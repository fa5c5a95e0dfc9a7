/* SPDX-License-Identifier: MIT
 *
 * Asks what to export, as what and where to, and does it in the background. Used by
 * SlWindow. UI thread only.
 */
#pragma once

#include "app/conversation/sl-conversation.h"
#include "app/exports/sl-export-job.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

/* How it ended, as a sentence for the user. Not called if the user gives up or cancels: then nothing is there. */
typedef void (*SlExportDone) (GtkWindow *parent, const char *sentence);

/* @answer: what "this answer" is, NULL: only the conversation can be exported. @box: one
 * of its boxes, or NULL. @done is not called once @parent is gone. */
void sl_export_dialog_present (GtkWindow      *parent,
                               SlConversation *conversation,
                               SlMessage      *answer,
                               SlBoxItem      *box,
                               SlExportDone    done);

/* The same of answers that the caller adds to the job; @data is released by @destroy in any case. */
typedef void (*SlExportCollect) (SlExportJob *job, gpointer data);
void sl_export_dialog_present_collected (GtkWindow       *parent,
                                         const char      *what,
                                         SlExportCollect  collect,
                                         gpointer         data,
                                         GDestroyNotify   destroy,
                                         SlExportDone     done);

G_END_DECLS
