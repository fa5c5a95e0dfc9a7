/* SPDX-License-Identifier: MIT
 *
 * What a batch has found on a picture ↔ a line of its journal: everything that the export's shared files need, so that a later run
 * does not ask again. Called by batch.c. Main thread.
 */
#pragma once

#include "app/cli/ask.h"
#include "app/exports/sl-box-export.h"

G_BEGIN_DECLS

/* Puts an answer and its boxes into a record that has none, but for boxes of which less overlap is expected. */
void             cli_record_fill      (SlExportPicture       *record,
                                       const CliAnswer       *answer,
                                       double                 min_overlap);
json_t          *cli_record_to_json   (const SlExportPicture *record,
                                       const char            *key);
/* Without prompt and model, which all records of a run share; NULL for a line that is none. */
SlExportPicture *cli_record_from_json (json_t                *line);

G_END_DECLS
