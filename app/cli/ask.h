/* SPDX-License-Identifier: MIT
 *
 * CliAsk: one answer, shared by `ask` for a single prompt and `ask --batch` for many: reads a conversation into a session,
 * generates, and collects everything that --json prints. Main thread.
 */
#pragma once

#include "app/cli/cli.h"
#include "app/cli/conversation.h"
#include "app/cli/source.h"
#include "app/generation/sl-generation.h"
#include "app/prompt/sl-grounding.h"
#include "app/prompt/sl-mode.h"
#include "app/prompt/sl-plan.h"

G_BEGIN_DECLS

/* Stands for a number that was not given. */
#define CLI_UNSET (-G_MAXDOUBLE)

/* Settings of an answer; CLI_UNSET, or −1 for top_k, where the mode's own value counts. */
typedef struct
{
  SlMode  mode;
  double  temperature;
  double  top_p;
  double  repetition_penalty;
  int     top_k;
  int     max_tokens;
  guint64 seed;
  SlOverflow overflow;
  gboolean constrain;    /* the box grammar */
  int     alternatives;  /* of every token; negative: tokens are not reported at all */
  int     cells;         /* of the attention's grid, 0: no attention */
  GArray *layers;        /* int32_t that it is the mean of; NULL or empty: all */
  gboolean patient;      /* a server that is busy or away is asked again after a while */
} CliAskSettings;

typedef struct _CliRemoteAnswer CliRemoteAnswer; /* answer-remote.h */

typedef struct
{
  GString                *text; /* raw, special tokens kept; what was written now */
  char                   *continued; /* the beginning that the conversation's last message gave, NULL if that was a question */
  GArray                 *ids;  /* int32_t */
  struct vl2_prompt       prompt; /* what was read: of the fitted conversation where it did not fit */
  gsize                   dropped_messages;
  gboolean                low_detail;
  struct vl2_sync_report  sync;
  struct vl2_generation   generation;
  struct vl2_sampling     sampling;
  gboolean                constrained;
  SlGrounding            *grounding; /* of the finished text, beginning and all */
  SlGeneration           *record;    /* token marks and coordinates only */
  CliRemoteAnswer        *remote;    /* NULL unless a server answered */
  json_t                 *tokens;    /* what --logprobs and --attention print; NULL where neither was asked for */
} CliAnswer;

void       cli_answer_clear (CliAnswer *self);

/* Fills *answer, which the caller clears in any case: after a cancel it holds what was generated so far, and FALSE comes
 * with CLI_CANCELLED. stream: print the text to stdout while it comes. */
gboolean   cli_answer       (const CliSource      *source,
                             CliConversation      *conversation,
                             const CliAskSettings *settings,
                             gboolean              stream,
                             CliAnswer            *answer,
                             GError              **error);

/* The answer's first usable box, NULL if it has none. Borrowed. */
const SlBox *cli_first_box    (SlGrounding *grounding);
/* Intersection over union of left, top, right, bottom; 0 where both are empty. */
double       cli_iou          (const double a[4],
                               const double b[4]);

/* The object that --json prints. */
json_t    *cli_answer_to_json (CliAnswer       *answer,
                               CliConversation *conversation,
                               double           load_ms);

/* Reads JSON lines from path ("-": stdin), answers each with the defaults given, prints one object per line. */
CliStatus  cli_ask_batch    (const CliSource      *source,
                             const char           *path,
                             const CliAskSettings *defaults,
                             gboolean              raw,
                             const CliOutput      *output);

G_END_DECLS
