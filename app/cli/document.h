/* SPDX-License-Identifier: MIT
 *
 * CliDocument: what the files of `document` share: the pages that are to be read, how one is read, and what is written of those that
 * were. Main thread.
 */
#pragma once

#include "app/cli/batch-journal.h"
#include "app/cli/cli.h"
#include "app/document/sl-page-source.h"
#include "app/document/sl-page.h"

G_BEGIN_DECLS

typedef enum
{
  CLI_DOCUMENT_MARKDOWN = 1,
  CLI_DOCUMENT_HTML = 2,
  CLI_DOCUMENT_TEXT = 4,
  CLI_DOCUMENT_JSON = 8,
  CLI_DOCUMENT_HOCR = 16,
  CLI_DOCUMENT_ALTO = 32,
  CLI_DOCUMENT_PDF = 64,
} CliDocumentFormats;

typedef enum
{
  CLI_TASK_MARKDOWN,
  CLI_TASK_OCR,
  CLI_TASK_TEXT,
  CLI_TASK_FIGURE,
  CLI_TASK_DESCRIBE,
  CLI_TASK_LOCATE,
} CliTask;

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
  vl2_detail detail;
  CliTask    task;
  char      *locate; /* of LOCATE: what */
  char      *prompt; /* instead of a task, or NULL */
  int        max_tokens;
  gboolean   break_cycles; /* where a page repeats itself, go on with its next block */
} CliReading;

/* "markdown", "locate:the stamp"; FALSE for other words. */
gboolean cli_task_from_nick    (const char         *nick,
                                CliReading         *reading);
/* "md,pdf"; FALSE for other words. */
gboolean cli_formats_from_text (const char         *text,
                                CliDocumentFormats *out);
/* "1-3,7,20-": pages of [0, n) as a set of gint; NULL for what makes no sense. NULL text: all. (transfer full) */
GArray  *cli_pages_from_text   (const char         *text,
                                int                 n);

/* Reads page `number` (from 0). *tokens: of the answer. (transfer full) */
SlPage  *cli_read_page         (const CliReading   *reading,
                                CliFile            *file,
                                int                 number,
                                gsize              *tokens,
                                GError            **error);

/* Writes what was read of a file. */
gboolean cli_write_file        (CliFile            *file,
                                const char         *dir,
                                CliDocumentFormats  formats,
                                GError            **error);

G_END_DECLS
