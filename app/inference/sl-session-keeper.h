/* SPDX-License-Identifier: MIT
 *
 * SlSessionKeeper: what the model has read of each conversation, as files <dir>/<name>.session beside the history, so that a
 * conversation of yesterday is answered at once. The inference thread saves and restores through it; other threads only set
 * the folder and forget names. A file is a shortcut: whatever is wrong with one, the conversation is read again. Files hold
 * what was said, so they lie with the history and go with it: forget() before a conversation is deleted; the database's purge
 * removes what a crash in between has left.
 * It must not know conversations, jobs or GObjects.
 */
#pragma once

#include <gio/gio.h>

#include "engine/vl2.h"

G_BEGIN_DECLS

#define SL_SESSION_FILE_LIMIT  (G_GUINT64_CONSTANT (256) << 20)
#define SL_SESSION_TOTAL_LIMIT (G_GUINT64_CONSTANT (1) << 30)

typedef struct _SlSessionKeeper SlSessionKeeper;

SlSessionKeeper *sl_session_keeper_new (void);
void sl_session_keeper_free (SlSessionKeeper *self);

/* Any thread. NULL: nothing is kept. The folder is made, for its owner alone, when something is saved. */
void sl_session_keeper_set_dir (SlSessionKeeper *self, const char *dir);
/* Any thread, never waits. What the session holds under that name will not be written any more; the caller removes the file
 * whose path it gets (owned; NULL: none is kept). */
char *sl_session_keeper_forget (SlSessionKeeper *self, const char *name);

/* Inference thread: before and after a job of that conversation (NULL: one that is not kept). begin saves what another
 * conversation left unsaved, unless cancelled, and restores this one's file where this session has not had it yet. */
void sl_session_keeper_begin (SlSessionKeeper *self, vl2_session *session, const char *name, const vl2_cancel *cancel);
void sl_session_keeper_end (SlSessionKeeper *self, const char *name);
/* There is something to save. */
gboolean sl_session_keeper_is_due (SlSessionKeeper *self);
void sl_session_keeper_save (SlSessionKeeper *self, vl2_session *session, const vl2_cancel *cancel);
/* The session is gone. */
void sl_session_keeper_reset (SlSessionKeeper *self);

/* Blocks: removes the least recently used files until the rest takes at most `limit` bytes. */
void sl_session_keeper_trim (const char *dir, guint64 limit);

G_END_DECLS
