/* SPDX-License-Identifier: MIT
 *
 * SlEngine: the model in this process and the one queue of answers that it makes. Owns the inference thread, which owns the
 * engine's handles (they are opened, used and closed there). A GObject of the UI thread: all functions are called there and
 * all signals come there. Never blocks, except sl_engine_shutdown(). One of the answerers (sl-answerer.h). It must not know
 * conversations, the store or GTK.
 */
#pragma once

#include <gio/gio.h>

#include "app/inference/sl-answerer.h"
#include "app/inference/sl-guest.h"
#include "app/inference/sl-job.h"
#include "app/inference/sl-model-info.h"
#include "app/prompt/sl-plan.h"
#include "app/prompt/sl-prompt.h"

G_BEGIN_DECLS

#define SL_TYPE_ENGINE (sl_engine_get_type ())
G_DECLARE_FINAL_TYPE (SlEngine, sl_engine, SL, ENGINE, GObject)

/* Properties (all notify, read-only): "state" (gint, SlEngineState), "error-text" (string or NULL), "progress" (double
 * 0 … 1), "loaded-bytes" and "total-bytes" (guint64), "model-dir" (string or NULL: what is, or is being, loaded),
 * "busy" (gboolean: a job is running), "queue-length" (guint: jobs waiting, the running one not counted). */

SlEngine *sl_engine_new (void);

/* Starts loading the checkpoint in dir. What was loaded is unloaded first; a running job is stopped and waiting jobs stay in
 * the queue for the new model. A load in progress is cancelled. options may be NULL. */
void sl_engine_load (SlEngine *self, const char *dir, const SlEngineOptions *options);
/* Back to UNLOADED; no effect unless LOADING. Waiting jobs fail with a sentence. */
void sl_engine_cancel_load (SlEngine *self);
/* Gives the memory back after this long without a job; 0: never, which is the default. The next job loads the model again, as it
 * was loaded. Meanwhile the state is UNLOADED, model-dir stays, and sl_engine_is_asleep() holds. */
void sl_engine_set_idle_seconds (SlEngine *self, guint seconds);
gboolean sl_engine_is_asleep (SlEngine *self);
/* Loads it again without a job, where it was given back for a while; no effect unless it was. */
void sl_engine_wake (SlEngine *self);
/* Gives the memory back. The running job is stopped, waiting jobs fail with a sentence. */
void sl_engine_unload (SlEngine *self);

SlEngineState sl_engine_get_state (SlEngine *self);
const char *sl_engine_get_error_text (SlEngine *self);
/* FAILED because the model would not fit into memory: loading it all the same is a matter of SlEngineOptions.memory_limit. */
gboolean sl_engine_get_lacks_memory (SlEngine *self);
double sl_engine_get_progress (SlEngine *self);
guint64 sl_engine_get_loaded_bytes (SlEngine *self);
guint64 sl_engine_get_total_bytes (SlEngine *self);
const char *sl_engine_get_model_dir (SlEngine *self);
/* NULL unless READY. */
const SlModelInfo *sl_engine_get_info (SlEngine *self);
gboolean sl_engine_is_busy (SlEngine *self);
guint sl_engine_get_queue_length (SlEngine *self);

/* Queues an answer to the prompt (referenced). While a model is loading it waits; where none is loaded the job fails with a
 * sentence at its first drain. The caller owns the result; dropping it does not stop the answer. */
SlJob *sl_engine_submit (SlEngine *self, SlPrompt *prompt);

/* Guests (sl-guest.h): what other programs ask, behind everything that is submitted here. While a model is loading they wait; where none
 * is loaded they end at once. */
void sl_engine_submit_guest (SlEngine *self, SlGuest *guest);
void sl_engine_cancel_guest (SlEngine *self, SlGuest *guest);
/* at_once: answers that go on together, 1 … 16, each with the memory of a session; 0: nobody will ask for now, what was read for them is
 * given back. context: tokens of each, 0 = the model's. */
void sl_engine_set_guest_limits (SlEngine *self, guint at_once, guint context);
void sl_engine_count_guests (SlEngine *self, guint *waiting, guint *going);

/* Tokens that a picture of this size costs. n_pictures: pictures in the whole conversation, this one included; three or more
 * are not tiled. 0 unless READY. */
guint sl_engine_get_picture_tokens (SlEngine *self, int width, int height, SlDetail detail, guint n_pictures);

/* Plans the prompt with the loaded model on a worker thread, without running it; pictures that are still files are decoded
 * there. Exact for texts; an answer that this run generated is read with its own ids, which can be a few tokens more or less.
 * Cheap enough for every pause in typing: cancel the one before. G_IO_ERROR_NOT_INITIALIZED unless READY. */
void sl_engine_plan_async (SlEngine *self, SlPrompt *prompt, GCancellable *cancellable, GAsyncReadyCallback callback,
                           gpointer user_data);
SlPlan *sl_engine_plan_finish (SlEngine *self, GAsyncResult *result, GError **error);

/* Where the model keeps what it read of conversations that have a name (sl_prompt_set_session()), so that it need not read
 * them again in the next run. NULL, the default: nowhere. Files are for the owner alone, at most 1 GiB in all. */
void sl_engine_set_session_dir (SlEngine *self, const char *dir);
/* The conversation is deleted or something was taken out of it: nothing of it is kept, until it is asked in again. */
void sl_engine_forget_session (SlEngine *self, const char *name);

/* Stops everything, saves what was read, and joins the inference thread: at most a ViT layer, 64 tokens of reading or a token,
 * and the writing of one file away. Jobs can still be drained afterwards. Called by the last unref too. */
void sl_engine_shutdown (SlEngine *self);

G_END_DECLS
