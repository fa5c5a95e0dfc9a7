/* SPDX-License-Identifier: MIT
 *
 * SlExportJob: answers of a conversation → files, without holding up the window: what is to be written is collected on the
 * UI thread, reading pictures and writing happens on a worker. Called by the window. It must not know GTK.
 */
#pragma once

#include "app/conversation/sl-conversation.h"
#include "app/exports/sl-box-export.h"

G_BEGIN_DECLS

#define SL_TYPE_EXPORT_JOB (sl_export_job_get_type ())
G_DECLARE_FINAL_TYPE (SlExportJob, sl_export_job, SL, EXPORT_JOB, GObject)

SlExportJob *sl_export_job_new (SlExportFormat format);
/* A list of classes, see sl_box_export_set_classes(); name: its file's. Before it runs. */
void sl_export_job_set_classes (SlExportJob *self, GBytes *list, const char *name);
/* The answer's boxes as they are now, hidden ones and model boxes that the user replaced left out. only: a single box of it,
 * or NULL. Answers without a picture are nothing. */
void sl_export_job_add_answer (SlExportJob *self, SlConversation *conversation, SlMessage *answer, SlBoxItem *only);
/* The same of what a user stands for (sl_box_item_get_accepted()), hidden or not. */
void sl_export_job_add_accepted (SlExportJob *self, SlConversation *conversation, SlMessage *answer);
/* Every answer of the shown path that has boxes. */
void sl_export_job_add_conversation (SlExportJob *self, SlConversation *conversation);
guint sl_export_job_get_n_pictures (SlExportJob *self);
/* A name for the file or folder, after the first picture; owned by the caller. */
char *sl_export_job_dup_name (SlExportJob *self);
/* Can the whole go into one file? */
gboolean sl_export_job_is_file (SlExportJob *self);

/* path: the file where sl_export_job_is_file(), which is replaced where it exists: ask before; else the folder, which appears
 * when it is complete, under another name where it exists. What fails or is cancelled leaves nothing; cancelling takes effect
 * between two pictures and while one is written. Once per job. */
void sl_export_job_run_async (SlExportJob *self, const char *path, GCancellable *cancellable, GAsyncReadyCallback callback,
                              gpointer user_data);
gboolean sl_export_job_run_finish (SlExportJob *self, GAsyncResult *result, GError **error);
/* How many of sl_export_job_get_n_pictures() are done. Any thread, while it runs too. */
guint sl_export_job_get_n_done (SlExportJob *self);
/* Then: what was left out, a sentence on each line, or NULL. */
const char *sl_export_job_get_notes (SlExportJob *self);
/* What was written, when it has been. */
const char *sl_export_job_get_path (SlExportJob *self);

G_END_DECLS
