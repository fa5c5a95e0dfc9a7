/* SPDX-License-Identifier: MIT
 *
 * cli_answer() for an engine on a server: the same CliAnswer, filled from its pieces. The thread of the source's connection.
 */
#pragma once

#include "app/cli/ask.h"

G_BEGIN_DECLS

/* What only a server's answer has. */
struct _CliRemoteAnswer
{
  char    *host, *model;  /* as the server names it */
  GString *reasoning;
  char   **notes;         /* what it does not keep of the question */
  gboolean has_boxes;     /* it told what its numbers are */
  guint    prompt_tokens, output_tokens, cached_tokens;
  double   first_ms, total_ms;
};

gboolean  cli_answer_remote         (const CliSource        *source,
                                     CliConversation        *conversation,
                                     const CliAskSettings   *settings,
                                     gboolean                stream,
                                     CliAnswer              *answer,
                                     GError                **error);
void      cli_remote_answer_free    (CliRemoteAnswer        *self);
void      cli_remote_answer_to_json (const CliRemoteAnswer  *self,
                                     SlGrounding            *grounding,
                                     json_t                 *object);

G_END_DECLS
