/* SPDX-License-Identifier: MIT
 *
 * An engine of strings in place of the real one: linked before the engine's library, it answers every prompt with a given text
 * in given pieces, and waits at gates that the test opens, so that every state of a job can be looked at without sleeping.
 * All functions may be called from any thread.
 */
#pragma once

#include <glib.h>

/* Back to: loads at once, answers "" at once, never fails. */
void fake_reset (void);
/* What every answer says, cut into tokens of `bytes` bytes each. */
void fake_set_answer (const char *text, gsize bytes);
/* The next engine is a document model of this family (static); NULL: it is none. */
void fake_set_document (const char *family);
/* The next load, or sync, fails with this sentence; a load that begins with "memory: " for lack of it. NULL: no more. */
void fake_fail_load (const char *sentence);
void fake_fail_sync (const char *sentence);

/* Syncs of a conversation whose spelling (fake_dup_prompt) is longer fail for the context, unless
 * their pictures are in low detail. 0: none do. */
void fake_set_longest_prompt (gsize bytes);

/* Gates: closed, the engine waits there until it is opened or cancelled. */
void fake_close_load_gate (void);
void fake_open_load_gate (void);
/* How many tokens may still be generated; G_MAXUINT: all. */
void fake_allow_tokens (guint n);

/* Tokens generated since the reset, over all answers. */
guint fake_get_generated (void);
/* Waits until that many tokens have been generated. */
void fake_wait_generated (guint n);
/* The conversation of the last sync: "system:…|user:…[5x3]…|assistant:…"; low detail as [5x3 low]. (transfer full) */
char *fake_dup_prompt (void);
/* What the last snapshot that was read held: the conversation of the sync before it was written. (transfer full) */
char *fake_dup_restored (void);
guint fake_get_open_engines (void);
/* Of the thread that opened an engine last, as getpriority() has it. */
int fake_get_priority (void);
