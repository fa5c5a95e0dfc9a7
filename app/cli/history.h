/* SPDX-License-Identifier: MIT
 *
 * What the parts of `sightline-cli history` share. Main thread.
 */
#pragma once

#include "app/cli/cli.h"
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

typedef enum
{
  HISTORY_TALK, /* "json": a conversation file */
  HISTORY_ARCHIVE,
} HistoryFormat;

gboolean  history_format_from_nick (const char           *nick,
                                    HistoryFormat        *format);
/* Any format but HISTORY_TALK, into options->out; ids: of gint64. */
CliStatus history_export           (const HistoryOptions *options,
                                    SlDatabase           *database,
                                    const char           *dir,
                                    HistoryFormat         format,
                                    GArray               *ids);
/* The words behind “import” are files. */
CliStatus history_import           (const HistoryOptions *options,
                                    const char           *dir);

G_END_DECLS
