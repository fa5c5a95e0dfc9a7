/* SPDX-License-Identifier: MIT
 *
 * SlGeneration: the record of how one answer was made: model, settings, counts, timings, why it ended. Filled by a job
 * (sl-job.h), kept with the message, stored as one row. A boxed value: copy it to pass it to another thread.
 * It must not know the store or the engine's types.
 */
#pragma once

#include "app/sl-types.h"

G_BEGIN_DECLS

/* Alternatives that are kept of each token: the most likely ones, down to this probability. */
#define SL_MAX_ALTERNATIVES 5
#define SL_LEAST_ALTERNATIVE 0.001

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
#define SL_TOKEN_UNNUMBERED G_MAXINT32 /* id of a token whose text alone is known: another computer's */

typedef struct
{
  gint32 id;
  float logprob; /* natural log, of the unmasked, untempered distribution */
  guint32 end;
} SlTokenMark;

/* What the model might have written instead of a token, the token itself among them, most likely first. */
typedef struct
{
  guint32 token; /* index in SlGeneration.tokens */
  gint32 id;
  float logprob; /* as SlTokenMark.logprob */
  char *text;    /* UTF-8, special tokens as text; bytes that are no character as U+FFFD */
} SlAlternative;

/* The distribution from which one number of a box was drawn, over everything that could begin a number there (scaled to sum
 * to 1; `mass` is what that had of the whole). whole: the value has this mean and standard deviation, in 0 … 999: the model writes a
 * number as one token, or wrote it digit by digit. Else only the probabilities of its first digit are known. */
typedef struct
{
  guint32 token; /* index in SlGeneration.tokens */
  guint8 index;  /* 0 … 3: x1 y1 x2 y2 */
  gboolean whole;
  float mass, expected, deviation, digits[10];
} SlCoordinate;

/* Attention of every token to one picture: cells[token][row][column], equal cells that cover the upright picture. A token's
 * cells sum to the share of its attention that went to the picture. Never stored: a replay brings it back. */
typedef struct
{
  guint cols, rows;
  GArray *cells; /* of float */
} SlAttention;

#define SL_TYPE_GENERATION (sl_generation_get_type ())

typedef struct
{
  /* what ran; UTF-8, never NULL after sl_generation_new() */
  char *model;        /* the checkpoint folder's name */
  char *model_dir;    /* its path */
  char *quantisation; /* dtype of most weights: "bf16", "f32", "int8", "mix" … */
  char *device;       /* "cpu", "cuda:0 NVIDIA …" */
  char *place;        /* host of the server that answered; "": this computer */
  char *boxes_as;     /* what its boxes' numbers are taken for (sl_box_space_to_text()); "": DeepSeek-VL2's own */
  char *reasoning;    /* what it thought before it answered, where a server tells; "" */
  char *tiling;       /* "3×2 1×1": the local tile grid of each picture, in order; "" without pictures */

  /* settings */
  double temperature, top_p, repetition_penalty;
  gint32 top_k;
  guint64 seed;
  gint32 max_tokens;
  gboolean constrained; /* box grammar */
  char *system_text;    /* of the conversation then; NULL: not known */

  /* counts and timings (milliseconds) */
  guint prompt_tokens, reused_tokens, output_tokens;
  guint context_used, context_capacity; /* after the answer */
  guint mask_changed;                   /* steps where the box grammar changed the choice */
  guint passes;                         /* of the model behind the prompt; 0 where it is not known */
  guint drafted, drafted_right;         /* tokens that were read ahead in them, and those of them that came */
  gboolean tiling_changed;              /* a third picture changed how earlier ones were cut, or back */
  double vision_ms, prefill_ms, first_token_ms, decode_ms;
  double one_by_one_ms;                 /* what decode_ms would be with a pass per token; 0 where it is not known */

  SlStopReason stop;
  char *error; /* one sentence, NULL unless stop is SL_STOP_ERROR */

  GArray *tokens; /* of SlTokenMark, in order; may be empty (older rows), never NULL */
  GArray *alternatives;  /* of SlAlternative, by token; complete when the answer has ended; never NULL */
  GArray *coordinates;   /* of SlCoordinate, by token; the same */
  GArray *cuts;          /* of gsize: bytes of the raw text before which it repeated itself and was sent on; never NULL */
  GPtrArray *attentions; /* of SlAttention, one per picture of the conversation; empty unless asked for; never NULL */
} SlGeneration;

GType sl_generation_get_type (void);
SlGeneration *sl_generation_new (void);
SlGeneration *sl_generation_copy (const SlGeneration *self);
void sl_generation_free (SlGeneration *self);

/* Decoded tokens per second, 0 when nothing was decoded. */
double sl_generation_get_speed (const SlGeneration *self);

/* The joint probability of the tokens whose text overlaps bytes [start, end) of the answer: 0 … 1, or -1 when the tokens of
 * that range were not recorded. It is how sure the model was of what it wrote, not a detector's confidence. For a box the range
 * is that of its numbers (SlBox.numbers_start, numbers_end). */
double sl_generation_get_confidence (const SlGeneration *self, gsize start, gsize end);

/* The token whose text holds byte `offset` of the answer: for a hover. FALSE where none was recorded. start, end: its text. */
gboolean sl_generation_find_token (const SlGeneration *self, gsize offset, guint *token, gsize *start, gsize *end);
/* Borrowed; NULL where there are none. */
const SlAlternative *sl_generation_get_alternatives (const SlGeneration *self, guint token, guint *n_alternatives);
/* Those of the numbers in bytes [start, end), a box's range: coordinates[0 … 3] are x1 y1 x2 y2. FALSE unless all are known. */
gboolean sl_generation_get_coordinates (const SlGeneration *self, gsize start, gsize end, SlCoordinate coordinates[4]);
/* How much of the union the box in bytes [start, end) can be expected to share with the true one, 0 … 1, if the numbers are as far
 * off as the distributions say that they were drawn from: coords are its four, in 0 … 999. -1 where those are not known. spread (may
 * be NULL): the standard deviation of each. */
double sl_generation_get_overlap (const SlGeneration *self, gsize start, gsize end, const int coords[4], double spread[4]);
/* Adds a coordinate; one that completes the last (`completes`, of a number that was written digit by digit) goes into that. */
void sl_generation_add_coordinate (SlGeneration *self, const SlCoordinate *coordinate, gboolean completes);
/* One token's cells [rows][cols] of the n-th picture of the conversation; NULL where it was not recorded. */
const float *sl_generation_get_attention (const SlGeneration *self, guint token, guint picture, guint *cols, guint *rows);

/* For whoever makes the record. */
void sl_generation_add_alternative (SlGeneration *self, guint token, gint32 id, float logprob, const char *text);
/* An attention without tokens; cols * rows floats are appended to its cells for each. */
SlAttention *sl_attention_new (guint cols, guint rows);
/* Makes this the record of the whole of an answer that went on at byte `from`: earlier (may be NULL) is the record of its beginning.
 * Attention, which only one part has, is dropped. */
void sl_generation_prepend (SlGeneration *self, const SlGeneration *earlier, gsize from);

/* Tokens, alternatives and coordinates as they are stored: see sl-generation-format.c. The bytes may be damaged: what cannot be read is
 * left out. */
GByteArray *sl_generation_pack_tokens (const SlGeneration *self);
void sl_generation_unpack_tokens (SlGeneration *self, const guint8 *bytes, gsize length);
GByteArray *sl_generation_pack_alternatives (const SlGeneration *self);
void sl_generation_unpack_alternatives (SlGeneration *self, const guint8 *bytes, gsize length);
GByteArray *sl_generation_pack_coordinates (const SlGeneration *self);
void sl_generation_unpack_coordinates (SlGeneration *self, const guint8 *bytes, gsize length);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlGeneration, sl_generation_free)

G_END_DECLS
