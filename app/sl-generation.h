/* SPDX-License-Identifier: MIT
 *
 * SlGeneration: the record of how one answer was made: model, settings, counts, timings, why it ended. Filled by a job
 * (sl-job.h), kept with the message, stored as one row. A boxed value: copy it to pass it to another thread.
 * It must not know the store or the engine's types.
 */
#pragma once

#include "app/sl-types.h"

G_BEGIN_DECLS

/* Why an answer ended. Stored as numbers: append only. */
typedef enum
{
  SL_STOP_NONE,       /* not ended, or ended by a crash */
  SL_STOP_EOS,        /* the model said that it is done */
  SL_STOP_MAX_TOKENS, /* the limit of this answer */
  SL_STOP_CONTEXT,    /* the conversation is full */
  SL_STOP_USER,       /* sl_job_stop() */
  SL_STOP_REPETITION, /* the model was repeating itself */
  SL_STOP_ERROR       /* see error */
} SlStopReason;

/* One generated token: what the "under the hood" view shades and box confidence is computed from. end: byte offset in
 * the answer's raw text just behind the token's text. A mark with id -1 and logprob NaN covers text of which nothing was
 * recorded: the beginning of an answer that was interrupted and continued. */
typedef struct
{
  gint32 id;
  float logprob; /* natural log, of the unmasked, untempered distribution */
  guint32 end;
} SlTokenMark;

#define SL_TYPE_GENERATION (sl_generation_get_type ())

typedef struct
{
  /* what ran; UTF-8, never NULL after sl_generation_new() */
  char *model;        /* the checkpoint folder's name */
  char *model_dir;    /* its path */
  char *quantisation; /* dtype of most weights: "bf16", "f32", "int8", "mix" … */
  char *device;       /* "cpu", "cuda:0 NVIDIA …" */
  char *tiling;       /* "3×2 1×1": the local tile grid of each picture, in order; "" without pictures */

  /* settings */
  double temperature, top_p, repetition_penalty;
  gint32 top_k;
  guint64 seed;
  gint32 max_tokens;
  gboolean constrained; /* box grammar */

  /* counts and timings (milliseconds) */
  guint prompt_tokens, reused_tokens, output_tokens;
  guint context_used, context_capacity; /* after the answer */
  guint mask_changed;                   /* steps where the box grammar changed the choice */
  gboolean tiling_changed;              /* a third picture changed how earlier ones were cut, or back */
  double vision_ms, prefill_ms, first_token_ms, decode_ms;

  SlStopReason stop;
  char *error; /* one sentence, NULL unless stop is SL_STOP_ERROR */

  GArray *tokens; /* of SlTokenMark, in order; may be empty (older rows), never NULL */
} SlGeneration;

GType sl_generation_get_type (void);
SlGeneration *sl_generation_new (void);
SlGeneration *sl_generation_copy (const SlGeneration *self);
void sl_generation_free (SlGeneration *self);

/* Decoded tokens per second, 0 when nothing was decoded. */
double sl_generation_get_speed (const SlGeneration *self);

/* The joint probability of the tokens whose text overlaps bytes [start, end) of the answer: 0 … 1, or -1 when the tokens of
 * that range were not recorded. It is how sure the model was of what it wrote, not a detector's confidence. */
double sl_generation_get_confidence (const SlGeneration *self, gsize start, gsize end);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlGeneration, sl_generation_free)

G_END_DECLS
