/* SPDX-License-Identifier: MIT
 *
 * SlJournal: what of a download is on the disk already: the list of files, and each piece with a hash of its own. A folder's journal
 * is held by one download at a time, across processes. Written by appending, so that whatever ends the program costs no more than a
 * last half line; a piece whose bytes did not reach the disk is told by its hash. Any thread; it must not know the network.
 */
#pragma once

#include "app/hub/sl-hub.h"

G_BEGIN_DECLS

#define SL_PIECE_BYTES (1u << 20)

typedef struct _SlJournal SlJournal;

/* Makes the folder where it is not there, and holds its journal. NULL with G_IO_ERROR BUSY where another download holds it, or the
 * system's reason. (transfer full) */
SlJournal *sl_journal_open (const char *folder, GError **error);
void sl_journal_free (SlJournal *self);

/* The list that the journal begins with; NULL for a new one, and for one that is damaged so that nothing in it can be believed.
 * Borrowed. */
const SlHubTree *sl_journal_get_tree (SlJournal *self);
/* Begins anew with this list (taken). */
gboolean sl_journal_begin (SlJournal *self, SlHubTree *tree, GError **error);

/* Hash of a piece as it was written; FALSE if it was not. */
gboolean sl_journal_get_piece (SlJournal *self, guint file, guint piece, guint64 *hash);
gboolean sl_journal_add_piece (SlJournal *self, guint file, guint piece, guint64 hash, GError **error);
/* The file's pieces were not worth keeping. */
gboolean sl_journal_forget (SlJournal *self, guint file, GError **error);

/* Takes journal and lock out of the folder, which then holds the files alone. */
void sl_journal_remove (SlJournal *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlJournal, sl_journal_free)

G_END_DECLS
