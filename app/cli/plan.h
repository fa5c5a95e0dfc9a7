/* SPDX-License-Identifier: MIT
 *
 * CliPlan: a plan of the engine for people and scripts (`info --plan`), and reading a conversation that may not fit into the
 * context (`ask --on-overflow`). Main thread.
 */
#pragma once

#include "app/cli/ask.h"

G_BEGIN_DECLS

json_t   *cli_plan_to_json (const struct vl2_plan *plan);
void      cli_plan_print   (const struct vl2_plan *plan);

/* Reads the conversation into the session; where it does not fit, what settings->overflow says happens. Fills prompt, sync,
 * dropped_messages and low_detail of *answer. */
gboolean  cli_read         (vl2_session            *session,
                            const vl2_conversation *conversation,
                            const CliAskSettings   *settings,
                            CliAnswer              *answer,
                            GError                **error);

G_END_DECLS
