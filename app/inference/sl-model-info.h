/* SPDX-License-Identifier: MIT
 *
 * What the engine and its thread say of a model: how it is loaded, in what state it is, what it is. Plain values, any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum
{
  SL_ENGINE_UNLOADED,
  SL_ENGINE_LOADING, /* progress; jobs may already be submitted, they wait */
  SL_ENGINE_READY,
  SL_ENGINE_FAILED   /* error-text says why; loading again is allowed */
} SlEngineState;

/* How to load a checkpoint; all zero is the default. */
typedef struct
{
  const char *device; /* NULL or "auto", "cpu", "cuda" */
  int threads;        /* 0 = physical cores */
  int context;        /* tokens, 0 = the model's own */
  guint64 memory_limit; /* bytes: what needs more is refused. 0 = what the system can give, G_MAXUINT64 = not checked */
} SlEngineOptions;

/* What a loaded model is. Valid while the state is READY. Strings belong to the struct. */
typedef struct
{
  char *dir, *name; /* name: the folder's */
  char *family; /* "DeepSeek-VL2", "DeepSeek-OCR", … */
  char *device, *isa, *architecture, *router, *weight_dtype;
  char *identity; /* of the weights, the same wherever they lie and whatever they are called */
  char *fallback; /* why the processor computes although there is a GPU; "" where it does not */
  guint64 parameters, weight_bytes;
  int layers, hidden, vocab, experts, experts_per_token, context, threads;
  int tile_side, tokens_per_tile;
  gboolean document; /* reads pages: app/document/ */
  gboolean is_demo; /* the bundled one: knows shapes and short words only */
} SlModelInfo;

SlModelInfo *sl_model_info_copy (const SlModelInfo *self); /* NULL gives NULL */
void sl_model_info_free (SlModelInfo *self);

G_END_DECLS
