/* SPDX-License-Identifier: MIT
 *
 * What `sightline-cli batch` was asked for. Main thread.
 */
#pragma once

#include "app/cli/ask.h"
#include "app/exports/sl-box-export.h"

G_BEGIN_DECLS

typedef struct
{
  CliOutput         output;
  CliEngineOptions  engine;
  CliEndpointOptions endpoint;
  CliAskSettings    settings;
  int               jobs;
  char             *prompt;
  char             *mode;
  char             *format;
  char             *out;
  char             *classes;
  double            min_overlap;
  char            **words;
  gint64            seed;
  gboolean          raw;
  gboolean          again;
  gboolean          force;
  gboolean          recursive;
} CliBatchOptions;

void cli_batch_options_clear (CliBatchOptions *options);
/* FALSE: the run ends with *status. */
gboolean cli_batch_options_parse (CliBatchOptions *options, int argc, char **argv, CliStatus *status);
/* Fills what follows from them; a sentence where they make no sense, or NULL. */
const char *cli_batch_options_check (CliBatchOptions *options, SlExportFormat *format);

G_END_DECLS
