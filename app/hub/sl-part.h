/* SPDX-License-Identifier: MIT
 *
 * SlPart: one file of a download: its pieces on the disk under "NAME.part", which of them are there, its hash as far as they follow
 * each other, and at the end its name. The download's threads share it; what is not said to be otherwise is called with the
 * download's lock held. It must not know the network.
 */
#pragma once

#include "app/hub/sl-journal.h"

G_BEGIN_DECLS

typedef struct _SlPart SlPart;

/* file is borrowed, as journal is. */
SlPart *sl_part_new (const char *folder, const SlHubFile *file, guint index, SlJournal *journal);
void sl_part_free (SlPart *self);

/* Looks at what is on the disk: a finished file of the right size, else every piece that the journal knows, against its hash. Blocks
 * as long as reading takes; before the threads begin. */
gboolean sl_part_recover (SlPart *self, GCancellable *cancellable, GError **error);

const SlHubFile *sl_part_get_file (const SlPart *self);
guint64 sl_part_get_bytes (const SlPart *self); /* that are there */
gboolean sl_part_is_finished (const SlPart *self);

/* Takes up to `most` pieces in a row that nobody has and nobody fetches; 0: there are none, or the server gives this file only whole
 * and somebody fetches it. */
guint sl_part_take (SlPart *self, guint most, guint *first);
/* Those of them that did not come are free again. */
void sl_part_release (SlPart *self, guint first, guint n);
gboolean sl_part_has (const SlPart *self, guint piece);
guint sl_part_get_n_pieces (const SlPart *self);
gsize sl_part_get_piece_size (const SlPart *self, guint piece);

/* The server sends this file from its beginning only. */
void sl_part_set_whole_only (SlPart *self);
gboolean sl_part_is_whole_only (const SlPart *self);
/* The entity that the pieces are of, for later ranges. */
const char *sl_part_get_etag (const SlPart *self);
void sl_part_set_etag (SlPart *self, const char *etag);

/* Without the lock: writes bytes of a piece, from `at` in it, as they come. */
gboolean sl_part_write (SlPart *self, guint piece, gsize at, const guint8 *bytes, gsize length, GError **error);
/* Without the lock: notes a piece of which all is written. sl_part_keep() then says that it is there. */
gboolean sl_part_note (SlPart *self, guint piece, const guint8 *bytes, gsize length, GError **error);
void sl_part_keep (SlPart *self, guint piece);
/* Takes the buffer of a piece that was written, so that it need not be read back to be hashed; FALSE, and the buffer stays the caller's,
 * where its turn is far. */
gboolean sl_part_hold (SlPart *self, guint piece, guint8 *buffer);

/* A piece that is there and not hashed yet, in its order. */
gboolean sl_part_wants_hashing (const SlPart *self);
/* The buffer of the next piece in that order, the caller's from now on; NULL: it has to be read. */
guint8 *sl_part_take_held (SlPart *self);
/* Without the lock, from one thread: hashes the next piece, which is in `held` or, where that is NULL, on the disk.
 * sl_part_note_hashed() then says so. */
gboolean sl_part_hash_next (SlPart *self, const guint8 *held, GError **error);
void sl_part_note_hashed (SlPart *self);
/* All pieces are hashed, and the file is not finished. */
gboolean sl_part_is_complete (const SlPart *self);
/* Without the lock, from the hashing thread, once, when it is complete: is the hash the hub's? */
gboolean sl_part_is_right (SlPart *self);
/* Without the lock: gives the file its name, durably. sl_part_set_finished() then says so. */
gboolean sl_part_publish (SlPart *self, GError **error);
void sl_part_set_finished (SlPart *self);
/* It was not right: all of it is wanted again. FALSE with a sentence the third time. */
gboolean sl_part_begin_again (SlPart *self, GError **error);

G_END_DECLS
