/* SPDX-License-Identifier: MIT
 *
 * CliDocument: what the files of `document` share: the pages that are to be read, and how one is read. Main thread.
 */
#pragma once

#include "app/cli/batch-journal.h"
#include "app/cli/cli.h"
#include "app/document/sl-page-files.h"
#include "app/document/sl-page-source.h"
#include "app/document/sl-page.h"
#include "app/prompt/sl-page-question.h"

G_BEGIN_DECLS

/* One file that was given. */
typedef struct
{
  char         *path;
  char         *name;   /* what its results are called, without an ending; no two files share one */
  char         *sha256; /* of its bytes */
  SlPageSource *source;
  GPtrArray    *pages;  /* SlPage, those that were read, in their order */
} CliFile;

void     cli_file_free (CliFile *self);

/* How pages are asked about. */
typedef struct
{
  vl2_engine *engine;
  vl2_session *session;
  SlPageQuestion question;
} CliReading;

/* "md,pdf" as a set of 1 << SlPagesFormat; FALSE for other words. */
gboolean cli_formats_from_text (const char         *text,
                                guint              *out);
/* Reads pages `numbers` (from 0) in one context. *tokens: of the answer. Of SlPage, NULL for one that the answer does not have. (transfer full) */
GPtrArray *cli_read_pages      (const CliReading   *reading,
                                CliFile            *file,
                                const int          *numbers,
                                guint               n,
                                gsize              *tokens,
                                GError            **error);

/* Writes what was read of a file. */
gboolean cli_write_file        (CliFile            *file,
                                const char         *dir,
                                guint               formats,
                                GError            **error);

G_END_DECLS
