/* SPDX-License-Identifier: MIT
 *
 * Pieces of one file, on the disk and in a hash. Two hashes: each piece has one of our own, which tells what a crash left; the whole
 * has the hub's, which is computed while the pieces arrive, from the first on: from memory where one is next, else reading it back from
 * the system's cache.
 */
#include "app/hub/sl-part.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <xxhash.h>

#define MAX_TRIES   3
#define HELD        8 /* pieces in memory that wait for their turn to be hashed */
#define SYNC_PIECES 8 /* are handed to the disk together, while more arrives: little is left to wait for at the end */

enum { MISSING, TAKEN, PRESENT };

struct _SlPart
{
  const SlHubFile *file;
  guint index;
  SlJournal *journal;
  char *path, *part_path, *etag;
  int fd;
  guint n_pieces, n_present, n_taken, n_hashed, tries;
  guint64 bytes;
  guint8 *states; /* [n_pieces] */
  guint8 *buffer; /* of the hashing thread, and of recovery */
  guint8 *held[HELD]; /* of piece i at i % HELD */
  gboolean whole_only, finished;
  union
  {
    struct sha1_ctx sha1;
    struct sha256_ctx sha256;
  } hash;
};

static void
begin_hash (SlPart *self)
{
  g_autofree char *head = g_strdup_printf ("blob %" G_GUINT64_FORMAT, self->file->size);

  self->n_hashed = 0;
  if (self->file->kind == SL_HUB_HASH_SHA256)
    {
      sha256_init (&self->hash.sha256);
      return;
    }
  sha1_init (&self->hash.sha1);
  sha1_update (&self->hash.sha1, strlen (head) + 1, (const guint8 *) head);
}

SlPart *
sl_part_new (const char      *folder,
             const SlHubFile *file,
             guint            index,
             SlJournal       *journal)
{
  SlPart *self = g_new0 (SlPart, 1);

  self->file = file;
  self->index = index;
  self->journal = journal;
  self->path = g_build_filename (folder, file->name, NULL);
  self->part_path = g_strconcat (self->path, ".part", NULL);
  self->n_pieces = (file->size + SL_PIECE_BYTES - 1) / SL_PIECE_BYTES;
  self->states = g_new0 (guint8, self->n_pieces);
  self->buffer = g_malloc (MIN (file->size, SL_PIECE_BYTES) + 1);
  self->fd = -1;
  begin_hash (self);
  return self;
}

void
sl_part_free (SlPart *self)
{
  if (self == NULL)
    return;
  if (self->fd >= 0)
    close (self->fd);
  g_free (self->path);
  g_free (self->part_path);
  g_free (self->etag);
  g_free (self->states);
  g_free (self->buffer);
  for (guint i = 0; i < HELD; i++)
    g_free (self->held[i]);
  g_free (self);
}

static gboolean
fail (const char  *path,
      int          code,
      GError     **error)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), _("“%s” cannot be written: %s."), name, g_strerror (code));
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ what is there */

const SlHubFile *
sl_part_get_file (const SlPart *self)
{
  return self->file;
}

guint64
sl_part_get_bytes (const SlPart *self)
{
  return self->bytes;
}

gboolean
sl_part_is_finished (const SlPart *self)
{
  return self->finished;
}

gboolean
sl_part_has (const SlPart *self,
             guint         piece)
{
  return self->states[piece] == PRESENT;
}

guint
sl_part_get_n_pieces (const SlPart *self)
{
  return self->n_pieces;
}

gsize
sl_part_get_piece_size (const SlPart *self,
                        guint         piece)
{
  return MIN (self->file->size - (guint64) piece * SL_PIECE_BYTES, SL_PIECE_BYTES);
}

static gboolean
read_piece (SlPart  *self,
            guint    piece,
            GError **error)
{
  gsize size = sl_part_get_piece_size (self, piece), done = 0;

  while (done < size)
    {
      gssize n = pread (self->fd, self->buffer + done, size - done, (off_t) piece * SL_PIECE_BYTES + done);

      if (n > 0)
        done += n;
      else if (n == 0 || errno != EINTR)
        return fail (self->part_path, n == 0 ? EIO : errno, error);
    }
  return TRUE;
}

static guint64
piece_hash (const guint8 *bytes,
            gsize         length)
{
  guint64 hash = XXH64 (bytes, length, 0);

  return hash != 0 ? hash : 1;
}

gboolean
sl_part_recover (SlPart        *self,
                 GCancellable  *cancellable,
                 GError       **error)
{
  struct stat info;

  if (lstat (self->path, &info) == 0 && S_ISREG (info.st_mode) && (guint64) info.st_size == self->file->size
      && g_rename (self->path, self->part_path) != 0)
    return fail (self->part_path, errno, error);
  self->fd = open (self->part_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (self->fd < 0)
    return fail (self->part_path, errno, error);
  for (guint i = 0; i < self->n_pieces; i++)
    {
      guint64 hash;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (sl_journal_get_piece (self->journal, self->index, i, &hash) && read_piece (self, i, NULL)
          && piece_hash (self->buffer, sl_part_get_piece_size (self, i)) == hash)
        sl_part_keep (self, i);
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ who fetches what */

guint
sl_part_take (SlPart *self,
              guint   most,
              guint  *first)
{
  guint n = 0;

  *first = 0;
  if (self->finished || self->n_present + self->n_taken == self->n_pieces || (self->whole_only && self->n_taken > 0))
    return 0;
  if (self->whole_only)
    most = self->n_pieces;
  else
    while (self->states[*first] != MISSING)
      ++*first;
  while (n < most && *first + n < self->n_pieces && (self->whole_only || self->states[*first + n] == MISSING))
    {
      if (self->states[*first + n] == MISSING)
        {
          self->states[*first + n] = TAKEN;
          self->n_taken++;
        }
      n++;
    }
  return n;
}

void
sl_part_release (SlPart *self,
                 guint   first,
                 guint   n)
{
  for (guint i = first; i < first + n && i < self->n_pieces; i++)
    if (self->states[i] == TAKEN)
      {
        self->states[i] = MISSING;
        self->n_taken--;
      }
}

void
sl_part_set_whole_only (SlPart *self)
{
  self->whole_only = TRUE;
}

gboolean
sl_part_is_whole_only (const SlPart *self)
{
  return self->whole_only;
}

const char *
sl_part_get_etag (const SlPart *self)
{
  return self->etag;
}

void
sl_part_set_etag (SlPart     *self,
                  const char *etag)
{
  /* A weak one says nothing about bytes. */
  if (self->etag == NULL && etag != NULL && !g_str_has_prefix (etag, "W/"))
    self->etag = g_strdup (etag);
}

/* ------------------------------------------------------------------------------------------------ writing */

gboolean
sl_part_write (SlPart        *self,
               guint          piece,
               gsize          at,
               const guint8  *bytes,
               gsize          length,
               GError       **error)
{
  gsize done = 0;

  while (done < length)
    {
      gssize n = pwrite (self->fd, bytes + done, length - done, (off_t) piece * SL_PIECE_BYTES + at + done);

      if (n > 0)
        done += n;
      else if (n == 0 || errno != EINTR)
        return fail (self->part_path, n == 0 ? ENOSPC : errno, error);
    }
  return TRUE;
}

gboolean
sl_part_note (SlPart        *self,
              guint          piece,
              const guint8  *bytes,
              gsize          length,
              GError       **error)
{
  if (piece % SYNC_PIECES == SYNC_PIECES - 1)
    sync_file_range (self->fd, (off_t) (piece + 1 - SYNC_PIECES) * SL_PIECE_BYTES, (off_t) SYNC_PIECES * SL_PIECE_BYTES,
                     SYNC_FILE_RANGE_WRITE);
  return sl_journal_add_piece (self->journal, self->index, piece, piece_hash (bytes, length), error);
}

void
sl_part_keep (SlPart *self,
              guint   piece)
{
  if (self->states[piece] == PRESENT)
    return;
  self->n_taken -= self->states[piece] == TAKEN;
  self->states[piece] = PRESENT;
  self->n_present++;
  self->bytes += sl_part_get_piece_size (self, piece);
}

gboolean
sl_part_hold (SlPart *self,
              guint   piece,
              guint8 *buffer)
{
  if (piece < self->n_hashed || piece - self->n_hashed >= HELD || self->held[piece % HELD] != NULL)
    return FALSE;
  self->held[piece % HELD] = buffer;
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ the whole */

gboolean
sl_part_wants_hashing (const SlPart *self)
{
  return !self->finished && self->n_hashed < self->n_pieces && self->states[self->n_hashed] == PRESENT;
}

guint8 *
sl_part_take_held (SlPart *self)
{
  return g_steal_pointer (&self->held[self->n_hashed % HELD]);
}

gboolean
sl_part_hash_next (SlPart        *self,
                   const guint8  *held,
                   GError       **error)
{
  gsize size = sl_part_get_piece_size (self, self->n_hashed);
  const guint8 *bytes = held != NULL ? held : self->buffer;

  if (held == NULL && !read_piece (self, self->n_hashed, error))
    return FALSE;
  if (self->file->kind == SL_HUB_HASH_SHA256)
    sha256_update (&self->hash.sha256, size, bytes);
  else
    sha1_update (&self->hash.sha1, size, bytes);
  return TRUE;
}

void
sl_part_note_hashed (SlPart *self)
{
  self->n_hashed++;
}

gboolean
sl_part_is_complete (const SlPart *self)
{
  return !self->finished && self->n_hashed == self->n_pieces;
}

static char *
end_hash (SlPart *self)
{
  guint8 digest[SHA256_DIGEST_SIZE];
  gsize size = self->file->kind == SL_HUB_HASH_SHA256 ? SHA256_DIGEST_SIZE : SHA1_DIGEST_SIZE;
  GString *text = g_string_new (NULL);

  if (self->file->kind == SL_HUB_HASH_SHA256)
    sha256_digest (&self->hash.sha256, size, digest);
  else
    sha1_digest (&self->hash.sha1, size, digest);
  for (gsize i = 0; i < size; i++)
    g_string_append_printf (text, "%02x", digest[i]);
  return g_string_free (text, FALSE);
}

gboolean
sl_part_is_right (SlPart *self)
{
  g_autofree char *hash = end_hash (self);

  return g_str_equal (hash, self->file->hash);
}

gboolean
sl_part_begin_again (SlPart  *self,
                     GError **error)
{
  if (++self->tries == MAX_TRIES || self->n_pieces == 0)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                   _("“%s” arrives damaged: its hash is not the one that the hub tells. It was fetched %d times."), self->file->name,
                   MAX_TRIES);
      return FALSE;
    }
  memset (self->states, MISSING, self->n_pieces);
  self->n_present = self->n_taken = 0;
  self->bytes = 0;
  g_clear_pointer (&self->etag, g_free);
  begin_hash (self);
  return sl_journal_forget (self->journal, self->index, error);
}

gboolean
sl_part_publish (SlPart  *self,
                 GError **error)
{
  /* What a crash left behind the end would be too much now. */
  if (ftruncate (self->fd, self->file->size) != 0 || fsync (self->fd) != 0 || g_rename (self->part_path, self->path) != 0)
    return fail (self->part_path, errno, error);
  return TRUE;
}

void
sl_part_set_finished (SlPart *self)
{
  self->finished = TRUE;
}
