/* SPDX-License-Identifier: MIT
 *
 * A conversation → the body of a chat completion as one kind of server wants it: messages whose roles alternate, pictures as data
 * addresses at their place, modes in the server's words, the settings that it knows. Blocks while pictures are read: worker threads.
 * It must not know how the body is sent.
 *
 * A picture goes as the file that it came as where the server reads it as this program does (PNG of 8 bits, JPEG of one or three
 * components, GIF, WebP, nothing to turn) and it is small enough; else as a PNG of the upright pixels, of the same size. One that is too
 * large all the same is refused with a sentence.
 */
#pragma once

#include <gio/gio.h>

#include "app/prompt/sl-prompt.h"
#include "app/remote/sl-remote-server.h"

G_BEGIN_DECLS

typedef struct
{
  gboolean stream;
  gboolean logprobs; /* and the alternatives of each token */
} SlRemoteWish;

/* JSON in UTF-8. notes (may be NULL): what of the settings or the order of the prompt this server does not keep, sentences for people,
 * NULL-terminated, empty for nothing. (transfer full) */
GBytes *sl_remote_request_build (const SlRemoteServer *server, SlPrompt *prompt, const SlRemoteWish *wish, char ***notes,
                                 GCancellable *cancellable, GError **error);

G_END_DECLS
