/* SPDX-License-Identifier: MIT
 *
 * CliJournal: what a batch has done so far, beside its export, so that a run that was cut off goes on where it was and knows
 * which files are its own. A line is a JSON object: the head, which says what the work is; one for each picture that is done;
 * one for each file before it gets its name, with its hash. Called by batch.c. Main thread.
 */
#pragma once

#include "app/cli/cli.h"

G_BEGIN_DECLS

#define CLI_JOURNAL_NAME "sightline-batch.jsonl"

typedef struct _CliJournal CliJournal;

/* Opens or begins the journal of the folder and lets outputs (borrowed) know what is the run's own. head: what makes two runs the
 * same work. A folder that holds other work is refused, unless again: then the work begins anew, what was done before counts as
 * nothing, and its files may be replaced. No two runs share a folder at a time. */
CliJournal *cli_journal_open    (const char   *dir,
                                 json_t       *head,
                                 gboolean      again,
                                 SlOutputs    *outputs,
                                 GError      **error);
void        cli_journal_close   (CliJournal   *self);
/* What the same work has done before: json_t * with a string "key" each, the last one where a key was done twice. Borrowed. */
GPtrArray  *cli_journal_get_done (CliJournal  *self);
/* Did a run write the file? By its name alone. */
gboolean    cli_journal_is_own  (CliJournal   *self,
                                 const char   *path);
/* Takes the reference. */
gboolean    cli_journal_add     (CliJournal   *self,
                                 json_t       *line,
                                 GError      **error);
/* When the work that began anew is complete: the files of the one before that it did not replace go, unless somebody changed
 * them. */
void        cli_journal_drop_old (CliJournal  *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliJournal, cli_journal_close)

G_END_DECLS
