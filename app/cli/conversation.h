/* SPDX-License-Identifier: MIT
 *
 * CliConversation: a conversation put together on the command line, from a file or from a prompt and pictures, in the form
 * that the engine takes. Owns texts and pictures. Main thread.
 */
#pragma once

#include <gio/gio.h>

#include "app/pictures/sl-picture.h"
#include "app/prompt/sl-mode.h"
#include "engine/vl2.h"

G_BEGIN_DECLS

typedef struct _CliConversation CliConversation;

CliConversation *cli_conversation_new  (void);
void             cli_conversation_free (CliConversation *self);

/* Reads a conversation file (docs/conversation-format.md). */
gboolean   cli_conversation_load       (CliConversation  *self,
                                        const char       *path,
                                        GError          **error);

/* A user's message as the window would send it: pictures, then the text in a mode. raw: special tokens in the text are tokens. */
gboolean   cli_conversation_add_prompt (CliConversation    *self,
                                        const char *const  *pictures,
                                        const char         *text,
                                        SlMode              mode,
                                        gboolean            raw,
                                        GError            **error);

/* Earlier turns from a file, then a prompt; each part where it is given. mode: as the option has it, NULL = chat. */
CliConversation *cli_conversation_build (const char         *path,
                                         const char *const  *pictures,
                                         const char         *text,
                                         const char         *mode,
                                         gboolean            raw,
                                         GError            **error);

/* An answer of the model, as raw text, before the next prompt; what continued a message belongs to that message. */
void       cli_conversation_add_answer (CliConversation  *self,
                                        const char       *text);

/* Every picture that is there now is to cost as little as it can. */
void       cli_conversation_lower_detail (CliConversation *self);

/* Borrowed; valid until the next change. */
const vl2_conversation *cli_conversation_get (CliConversation *self);

gsize      cli_conversation_get_n_messages (CliConversation *self);
gsize      cli_conversation_get_n_pictures (CliConversation *self);
SlPicture *cli_conversation_get_picture    (CliConversation *self,
                                            gsize            index);

/* Borrows the pixels. */
vl2_picture cli_picture_pixels (SlPicture *picture);

/* Decodes one file; Ctrl+C is noticed while it decodes. */
SlPicture *cli_load_picture    (const char       *path,
                                gboolean          on_white,
                                GError          **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliConversation, cli_conversation_free)

G_END_DECLS
