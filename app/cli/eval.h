/* SPDX-License-Identifier: MIT
 *
 * One run of `sightline-cli eval`, as its questions (eval.c) and its results (eval-results.c) share it. Main thread.
 */
#pragma once

#include "app/cli/ask.h"

G_BEGIN_DECLS

typedef struct
{
  CliOutput        output;
  CliEngineOptions engine;
  CliEndpointOptions endpoint;
  char            *out;
  int              max_tokens;
  gboolean         resume;
  gboolean         force;
} CliEvalOptions;

typedef struct
{
  const CliEvalOptions *options;
  CliSource      source;
  char          *folder; /* what relative paths start from */
  char          *sha256; /* of the questions: results belong to them */
  GPtrArray     *lines;  /* char *, none of them blank */
  GHashTable    *done;   /* indices whose results are in the file already */
  FILE          *results; /* NULL without --out */
  gint64         start, shown;
  gsize          asked;  /* in this run */
  gsize          scored, hits; /* with the earlier ones */
  json_t        *failures;     /* of those that could not be asked: index and message; the earlier ones, too */
  double         iou_sum;
} CliEval;

/* Begins the file of results, or goes on with one; TRUE where there is to be none. */
gboolean cli_eval_open_results (CliEval *self, GError **error);
gboolean cli_eval_write_line (const CliEval *self, json_t *value, GError **error);
/* Adds a result to the scores. */
void cli_eval_count (CliEval *self, json_t *result);

G_END_DECLS
