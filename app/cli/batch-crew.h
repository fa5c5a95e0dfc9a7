/* SPDX-License-Identifier: MIT
 *
 * CliCrew: several questions of a batch at once: each thread has a connection of its own to the server. With a model on this computer there
 * is no thread, and a question is answered as it is handed in. The main thread prepares questions and takes the answers; export, journal
 * and everything else stay with it.
 */
#pragma once

#include "app/cli/ask.h"
#include "app/exports/sl-box-export.h"

G_BEGIN_DECLS

/* One picture on its way. */
typedef struct
{
  guint            index;
  const char      *path;
  char            *key;
  CliConversation *conversation;
  SlExportPicture *record;
  CliAnswer        answer;
  GError          *error; /* NULL: answered */
} CliWork;

void     cli_work_free (CliWork *self);

typedef struct _CliCrew CliCrew;

/* source and settings are borrowed. */
CliCrew *cli_crew_new  (const CliSource      *source,
                        const CliAskSettings *settings,
                        guint                 n_threads);
/* Waits until every thread has ended: cancel first where that is not to take long. */
void     cli_crew_free (CliCrew *self);
/* Takes the work. */
void     cli_crew_push (CliCrew *self,
                        CliWork *work);
/* The next that is ready, in the order of their ends; waits. One for each push. (transfer full) */
CliWork *cli_crew_pop  (CliCrew *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliCrew, cli_crew_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliWork, cli_work_free)

G_END_DECLS
