/* SPDX-License-Identifier: MIT
 *
 * SlAnswerer: whatever answers a conversation: SlEngine, which is the model of this computer, or an engine on a server
 * (app/remote/sl-remote-engine.h). Both give the same job with the same events (sl-job.h: queued, reading, tokens, done with counts,
 * error), so that conversations, the window and everything behind them do not know which one answers. UI thread.
 */
#pragma once

#include "app/inference/sl-job.h"
#include "app/prompt/sl-prompt.h"

G_BEGIN_DECLS

/* What not every engine can do. */
typedef enum
{
  SL_ABILITY_PLAN,      /* tell what a prompt costs before it is sent */
  SL_ABILITY_ATTENTION, /* tell what it looked at */
  SL_ABILITY_CONSTRAIN, /* keep boxes to their grammar */
  SL_ABILITY_CONTINUE,  /* go on with an answer */
  SL_ABILITY_SAMPLE,    /* top_k and the repetition penalty */
  SL_ABILITY_SEED,
  SL_ABILITY_DETAIL,    /* read pictures as one tile each */
} SlAbility;

#define SL_TYPE_ANSWERER (sl_answerer_get_type ())
G_DECLARE_INTERFACE (SlAnswerer, sl_answerer, SL, ANSWERER, GObject)

struct _SlAnswererInterface
{
  GTypeInterface parent;

  SlJob *(*submit) (SlAnswerer *self, SlPrompt *prompt);
  const char *(*get_id) (SlAnswerer *self);
  char *(*dup_place) (SlAnswerer *self);
  char *(*dup_why_not) (SlAnswerer *self, SlAbility ability);
};

/* Queues an answer to the prompt (referenced). What is wrong, the job says at its first drain. The caller owns the result; dropping it
 * does not stop the answer. */
SlJob *sl_answerer_submit (SlAnswerer *self, SlPrompt *prompt);
/* What a conversation keeps of its choice; "" for this computer. Borrowed. */
const char *sl_answerer_get_id (SlAnswerer *self);
/* The host that questions and pictures go to; NULL: they stay on this computer. (transfer full) */
char *sl_answerer_dup_place (SlAnswerer *self);
/* Why it cannot do that, a sentence for people; NULL: it can. (transfer full) */
char *sl_answerer_dup_why_not (SlAnswerer *self, SlAbility ability);

G_END_DECLS
