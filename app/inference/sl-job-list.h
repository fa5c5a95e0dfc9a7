/* SPDX-License-Identifier: MIT
 *
 * SlJobList: the jobs of an engine that are not finished, drained by a timeout, so that an answer arrives where nobody draws. Of the
 * thread that made it. It must not know who makes answers.
 */
#pragma once

#include "app/inference/sl-job.h"

G_BEGIN_DECLS

typedef struct _SlJobList SlJobList;

/* Of the thread's main context. */
SlJobList *sl_job_list_new (void);
void sl_job_list_free (SlJobList *self);
/* References the job until it is finished; drains about 20 times a second while there are any. */
void sl_job_list_add (SlJobList *self, SlJob *job);
void sl_job_list_drain (SlJobList *self);
/* Drains once more and lets go of all. */
void sl_job_list_clear (SlJobList *self);
guint sl_job_list_get_length (const SlJobList *self);

G_END_DECLS
