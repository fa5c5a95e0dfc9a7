/* SPDX-License-Identifier: MIT
 *
 * What the parts of `sightline-cli history` share. Main thread.
 */
#pragma once

#include "app/cli/cli.h"
#include "app/exchange/sl-exchange.h"
#include "app/store/sl-database.h"

G_BEGIN_DECLS

typedef struct
{
  CliOutput   output;
  char       *dir;
  char       *out;
  char       *format;
  char      **words;
  gboolean    all;
  gboolean    force;
} HistoryOptions;

/* Into options->out; ids: of gint64. */
CliStatus history_export           (const HistoryOptions *options,
                                    SlDatabase           *database,
                                    const char           *dir,
                                    SlExchangeFormat      format,
                                    GArray               *ids);
/* The words behind “import” are files. */
CliStatus history_import           (const HistoryOptions *options,
                                    const char           *dir);

G_END_DECLS
