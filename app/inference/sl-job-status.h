/* SPDX-License-Identifier: MIT
 *
 * How far an answer is, as plain values: what the inference thread writes and the job shows. Any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  SL_JOB_QUEUED,   /* see sl_job_get_position() */
  SL_JOB_VISION,   /* pictures are being encoded: fraction */
  SL_JOB_PREFILL,  /* the prompt is being read: fraction */
  SL_JOB_DECODING, /* tokens arrive */
  SL_JOB_DONE,     /* the last three are final */
  SL_JOB_STOPPED,
  SL_JOB_FAILED    /* sl_job_get_error_text() */
} SlJobState;

/* Everything that a status line shows, in one consistent reading as of the last drain. */
typedef struct
{
  SlJobState state;
  guint position;       /* QUEUED: jobs before this one, the running one included; else 0 */
  double fraction;      /* VISION, PREFILL: 0 … 1 */
  guint prompt_tokens;  /* 0 until known */
  guint reused_tokens;  /* of them, not read again */
  guint decoded_tokens; /* the engine's own counter, it stands still after a stop */
  double tokens_per_second;
  guint reasoning_bytes; /* of thinking that is no part of the answer */
  guint context_used, context_capacity;
  guint dropped_messages; /* left out so that the rest fits: SlSettings.overflow */
  gboolean elsewhere;     /* a server makes it: how far it has read is not known */
  gboolean low_detail;    /* every picture was read as one tile for the same reason */
} SlJobStatus;

G_END_DECLS
