/* SPDX-License-Identifier: MIT
 *
 * The sentence under an answer: what is going on (place in the queue, stage, rate,
 * time left) and, when it is over, what it took. Pure functions on values, no
 * widget; called by SlAnswerRow on the UI thread.
 */
#pragma once

#include "app/conversation/sl-message.h"

G_BEGIN_DECLS

/* @stage_elapsed: seconds since the job entered its present state. (transfer full) */
char *sl_answer_status_dup_running (const SlJobStatus *status,
                                    double             stage_elapsed);

/* NULL-safe; (transfer full), "" where there is nothing to say. */
char *sl_answer_status_dup_finished (SlMessageStatus     status,
                                     const SlGeneration *generation);

G_END_DECLS
