/* SPDX-License-Identifier: MIT
 *
 * SlFolderJob: the same question about every picture of a folder, one after the other, as a list of SlFolderRow in the order of their
 * names that fills while it runs. It is a conversation whose questions are each a first message, so that answers, boxes and what a user
 * said of them lie in the history as all others do: what a crash or a pause leaves undone is what has no complete answer.
 *
 *   folder ─ look (worker) ─▶ rows ─ next that waits ─▶ picture (worker) ─▶ conversation ─▶ engine, patiently ─▶ row ─▶ …
 *
 * UI thread. It must not know GTK.
 */
#pragma once

#include "app/folder/sl-folder-row.h"
#include "app/history/sl-history.h"

G_BEGIN_DECLS

#define SL_TYPE_FOLDER_JOB (sl_folder_job_get_type ())
G_DECLARE_FINAL_TYPE (SlFolderJob, sl_folder_job, SL, FOLDER_JOB, GObject)

typedef enum
{
  SL_FOLDER_JOB_PAUSED,
  SL_FOLDER_JOB_LOOKING, /* the folder is being read; then it runs */
  SL_FOLDER_JOB_RUNNING,
  SL_FOLDER_JOB_DONE     /* nothing waits */
} SlFolderJobState;

typedef struct
{
  guint n_pictures, n_waiting, n_failed, n_answered, n_reviewed; /* n_reviewed: of those that were answered */
  double per_minute;   /* as of the last answers; 0: not known yet */
  double seconds_left; /* the same */
} SlFolderProgress;

/* Properties (notify): "state" (gint), "error-text" (string or NULL: why it is paused where nobody asked for that), "other-model"
 * (gboolean: because another model is loaded than the one that was asked so far). Signal: progress (): any number of it. */

/* In a conversation of its own, called after folder and prompt, which is in the history at once and asks whom @like asks, with its
 * settings (NULL: with the usual ones). Paused. (transfer full) */
SlFolderJob *sl_folder_job_new (SlHistory *history, SlConversation *like, const char *path, gboolean recursive, const char *prompt,
                                SlMode mode);
/* The one of a conversation that asks about a folder: the same object as long as somebody has it or it runs. (transfer full) */
SlFolderJob *sl_folder_job_get (SlHistory *history, SlConversation *conversation);

SlConversation *sl_folder_job_get_conversation (SlFolderJob *self); /* borrowed */
const SlFolderRecord *sl_folder_job_get_record (SlFolderJob *self);
SlFolderJobState sl_folder_job_get_state (SlFolderJob *self);
const char *sl_folder_job_get_error_text (SlFolderJob *self);
gboolean sl_folder_job_get_other_model (SlFolderJob *self);
void sl_folder_job_get_progress (SlFolderJob *self, SlFolderProgress *progress);

/* Looks at the folder again and asks about every picture that waits. any_model: also where another model is loaded than before. */
void sl_folder_job_run (SlFolderJob *self, gboolean any_model);
/* What is being asked is stopped and waits again. */
void sl_folder_job_pause (SlFolderJob *self);
/* Those that failed wait again; it runs. */
void sl_folder_job_retry (SlFolderJob *self);

/* A user has seen what was found on it, or takes that back. */
void sl_folder_job_set_seen (SlFolderJob *self, SlFolderRow *row, gboolean seen);
/* A user has changed or accepted boxes of its answer. */
void sl_folder_job_note_boxes (SlFolderJob *self, SlFolderRow *row);

G_END_DECLS
