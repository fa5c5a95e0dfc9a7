/* SPDX-License-Identifier: MIT
 *
 * SlPlan: what a prompt costs before it is sent: tokens of every message and picture, room for the answer, memory, and the ways
 * out where it does not fit. Made by sl_engine_plan_async(); immutable. It must not know the engine's types or GTK.
 */
#pragma once

#include "app/sl-types.h"

G_BEGIN_DECLS

/* Ways out when a prompt does not fit into the context. */
typedef enum
{
  SL_OVERFLOW_REFUSE,      /* the answer fails with a sentence that holds the numbers */
  SL_OVERFLOW_DROP_OLDEST, /* the oldest turns are left out; the system message and the last question stay */
  SL_OVERFLOW_LOW_DETAIL,  /* every picture as one tile */
  SL_OVERFLOW_SHORTEN      /* only a person can do this: a choice of a plan, not a setting */
} SlOverflow;

typedef struct
{
  SlRole role;
  guint tokens; /* pictures included */
  guint n_pictures;
} SlPlanMessage;

typedef struct
{
  guint message; /* index */
  int width, height;
  int grid_w, grid_h;
  gboolean tiled;          /* cut into grid_w × grid_h tiles beside the whole view */
  gboolean tiling_changed; /* the last message's pictures changed how it is cut: it will be read anew */
  guint tokens;
} SlPlanPicture;

typedef struct
{
  gboolean possible;
  guint tokens;   /* of the prompt then, exactly; SHORTEN: what it may have */
  guint messages; /* DROP_OLDEST: how many are left out */
  guint excess;   /* SHORTEN: tokens that have to go from the last message */
} SlPlanChoice;

typedef struct
{
  guint tokens, capacity;
  guint room;              /* left for the answer; 0 where it does not fit */
  gboolean fits;
  gboolean tiling_changed; /* of any picture */
  SlPlanChoice choices[SL_OVERFLOW_SHORTEN + 1]; /* [SL_OVERFLOW_REFUSE] is never possible */

  GArray *messages; /* of SlPlanMessage, the system message included */
  GArray *pictures; /* of SlPlanPicture, in order */

  guint chunk;                                     /* tokens read at once */
  guint64 weight_bytes, cache_bytes, peak_bytes;   /* with this prompt and an answer */
  guint64 full_bytes;                              /* with the whole context in use */
  guint64 available_bytes;                         /* what the system can give now; G_MAXUINT64: unknown */
} SlPlan;

SlPlan *sl_plan_new (void);
void sl_plan_free (SlPlan *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPlan, sl_plan_free)

G_END_DECLS
