/* SPDX-License-Identifier: MIT
 *
 * A piece of an answer → stretches of its text with the probability of each: its tokens where they make up the text, else the whole with
 * their joint probability (some servers leave control tokens out of one of the two). Pure; any thread.
 */
#pragma once

#include "app/remote/sl-reply.h"

G_BEGIN_DECLS

/* logprob NaN: not known. */
typedef void (*SlRemoteMark) (const char *text, gsize length, float logprob, gpointer user_data);

/* TRUE where the stretches are the tokens, one for each. */
gboolean sl_remote_tokens_split (const SlReply *reply, SlRemoteMark mark, gpointer user_data);

/* Puts what the numbers of boxes were drawn from into the record of an answer that has n_tokens stretches, from the first-th on those
 * of this reply's server, and each of them a token. */
void sl_remote_tokens_note_coordinates (const SlReply *reply, guint first, guint n_tokens, SlGeneration *record);

G_END_DECLS
