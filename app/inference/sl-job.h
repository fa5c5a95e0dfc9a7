/* SPDX-License-Identifier: MIT
 *
 * SlJob: one answer being made by an SlEngine: its place in the queue, its progress, its tokens, its end.
 * Made by sl_engine_submit(). A GObject of the UI thread: every function here is called there, every signal and notify is
 * emitted there, and only from sl_job_drain(). It must not know conversations or the store.
 *
 * Tokens wait in a bounded ring that the inference thread fills. Whoever shows the answer calls sl_job_drain() once per frame
 * from a tick callback; without one (headless, hidden window) a timeout of the engine drains about 20 times a second, so an
 * answer always arrives. Draining twice is harmless.
 */
#pragma once

#include "app/generation/sl-generation.h"
#include "app/inference/sl-job-status.h"
#include "app/sl-types.h"

G_BEGIN_DECLS

#define SL_TYPE_JOB (sl_job_get_type ())
G_DECLARE_FINAL_TYPE (SlJob, sl_job, SL, JOB, GObject)

/* Properties: "state" (gint, SlJobState; notify), "position" (guint; notify).
 * Signals:
 *   text (const char *delta)  complete UTF-8, never half a character
 *   changed ()                any number in the status changed
 *   finished ()               once; after the last text; state is DONE, STOPPED or FAILED */

/* Moves what has arrived to the UI thread and emits the signals. TRUE while more may come. */
gboolean sl_job_drain (SlJob *self);

/* Stops the answer: at once where it is queued, else the engine ends within a token, a ViT layer or a prefill chunk. What
 * was said so far is kept. "finished" comes from a later drain. */
void sl_job_stop (SlJob *self);

SlJobState sl_job_get_state (SlJob *self);
gboolean sl_job_is_finished (SlJob *self);
guint sl_job_get_position (SlJob *self);
const SlJobStatus *sl_job_get_status (SlJob *self);
/* The answer so far, as of the last drain; special tokens kept. */
const char *sl_job_get_text (SlJob *self);
/* One sentence, NULL unless FAILED. */
const char *sl_job_get_error_text (SlJob *self);
/* The record so far; complete once finished. Valid until the next drain. */
const SlGeneration *sl_job_get_generation (SlJob *self);

/* The engine's live token counter, not the drained one: it must not move after a stop. Any thread. */
guint sl_job_peek_decoded (SlJob *self);

G_END_DECLS
