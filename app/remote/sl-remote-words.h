/* SPDX-License-Identifier: MIT
 *
 * The words of a message as a server's model understands them: DeepSeek-VL2's marks as they are, or what Find and Ground mean said in
 * words. What a user typed literally cannot become a control token there: a joiner is put into it. Pure; any thread.
 */
#pragma once

#include "app/prompt/sl-mode.h"
#include "app/remote/sl-remote-server.h"

G_BEGIN_DECLS

/* Appends one text part. Whether a reference is open (between <|ref|> and <|/ref|>) is kept in *asking from part to part. */
void sl_remote_words_append (GString *out, const SlRemoteServer *server, const char *text, SlMarkup markup, gboolean *asking);

G_END_DECLS
