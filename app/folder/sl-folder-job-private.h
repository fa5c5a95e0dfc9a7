/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlFolderJob share: its rows and state (sl-folder-job.c), asking (sl-folder-job-run.c).
 */
#pragma once

#include "app/folder/sl-folder-job.h"
#include "app/folder/sl-folder-row-private.h"

G_BEGIN_DECLS

#define SL_FOLDER_N_TIMES 16 /* of the last answers, for the rate */

struct _SlFolderJob
{
  GObject parent_instance;

  SlHistory *history;
  SlConversation *conversation;
  SlFolderRecord *record; /* the conversation's */
  GPtrArray *rows;        /* of SlFolderRow */

  SlFolderJobState state;
  char *error_text;
  gboolean other_model, any_model;
  SlFolderRow *current;       /* that is being read or asked */
  gboolean asking;            /* the second */
  GCancellable *cancellable;  /* of looking and reading */
  gint64 began;               /* monotonic µs: the current one */
  double times[SL_FOLDER_N_TIMES];      /* seconds */
  guint n_times, n_failures;
};

/* sl-folder-job.c. The last may let the job go: alive only if the caller holds it. */
void sl_folder_job_emit_progress (SlFolderJob *self);
void sl_folder_job_store_row (SlFolderJob *self, SlFolderRow *row);
SlFolderRow *sl_folder_job_find_waiting (SlFolderJob *self); /* the first; borrowed; NULL */
void sl_folder_job_set_other_model (SlFolderJob *self, gboolean other_model);
void sl_folder_job_set_state (SlFolderJob *self, SlFolderJobState state, const char *error_text);

/* sl-folder-job-run.c: the conversation has begun or ended an answer; the next picture, where nothing else is under way. */
void sl_folder_job_on_busy (SlFolderJob *self);
void sl_folder_job_on_engine_state (SlFolderJob *self);
void sl_folder_job_next (SlFolderJob *self);

G_END_DECLS
