/* SPDX-License-Identifier: MIT
 *
 * A text file: one line of JSON with the list, then "p FILE PIECE HASH" for a piece and "f FILE" for a file that begins again. A line
 * without its end is no line.
 */
#include "app/hub/sl-journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#define MAX_BYTES  (64u << 20)

struct _SlJournal
{
  char *folder, *path, *lock_path;
  int lock_fd, fd;
  GMutex mutex; /* what follows, and writing */
  SlHubTree *tree;
  GArray **pieces; /* [files] of guint64, 0: not there */
};

static gboolean
fail (GError     **error,
      const char  *path,
      int          code)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (code), _("“%s” cannot be written: %s."), name, g_strerror (code));
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ reading */

static void
make_pieces (SlJournal *self)
{
  self->pieces = g_new0 (GArray *, self->tree->files->len);
  for (guint i = 0; i < self->tree->files->len; i++)
    {
      const SlHubFile *file = self->tree->files->pdata[i];

      self->pieces[i] = g_array_sized_new (FALSE, TRUE, sizeof (guint64), (file->size + SL_PIECE_BYTES - 1) / SL_PIECE_BYTES);
      g_array_set_size (self->pieces[i], (file->size + SL_PIECE_BYTES - 1) / SL_PIECE_BYTES);
    }
}

static void
drop_tree (SlJournal *self)
{
  for (guint i = 0; self->tree != NULL && i < self->tree->files->len; i++)
    g_array_unref (self->pieces[i]);
  g_clear_pointer (&self->pieces, g_free);
  g_clear_pointer (&self->tree, sl_hub_tree_free);
}

static void
read_line (SlJournal  *self,
           const char *line)
{
  guint file = 0, piece = 0;
  guint64 hash = 0;

  if (sscanf (line, "p %u %u %" G_GINT64_MODIFIER "x", &file, &piece, &hash) == 3)
    {
      if (file < self->tree->files->len && piece < self->pieces[file]->len)
        g_array_index (self->pieces[file], guint64, piece) = hash;
    }
  else if (sscanf (line, "f %u", &file) == 1 && file < self->tree->files->len && self->pieces[file]->len > 0)
    memset (self->pieces[file]->data, 0, self->pieces[file]->len * sizeof (guint64));
}

/* What is there, as far as its last whole line; the rest is cut off, so that the next line begins where a line begins. */
static void
read_journal (SlJournal *self)
{
  g_autofree char *text = NULL;
  gsize length = 0;
  char *line, *end;

  if (!g_file_get_contents (self->path, &text, &length, NULL) || length > MAX_BYTES || (end = strchr (text, '\n')) == NULL)
    return;
  *end = '\0';
  self->tree = sl_hub_tree_from_line (text);
  if (self->tree == NULL)
    return;
  make_pieces (self);
  for (line = end + 1; (end = strchr (line, '\n')) != NULL; line = end + 1)
    {
      *end = '\0';
      read_line (self, line);
    }
  if (ftruncate (self->fd, line - text) != 0)
    drop_tree (self);
}

/* ------------------------------------------------------------------------------------------------ opening */

SlJournal *
sl_journal_open (const char  *folder,
                 GError     **error)
{
  g_autoptr (SlJournal) self = g_new0 (SlJournal, 1);

  g_mutex_init (&self->mutex);
  self->folder = g_strdup (folder);
  self->path = g_build_filename (folder, "journal", NULL);
  self->lock_path = g_build_filename (folder, "lock", NULL);
  self->fd = self->lock_fd = -1;
  if (g_mkdir_with_parents (folder, 0777) != 0)
    {
      fail (error, folder, errno);
      return NULL;
    }
  self->lock_fd = open (self->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (self->lock_fd < 0)
    {
      fail (error, self->lock_path, errno);
      return NULL;
    }
  if (flock (self->lock_fd, LOCK_EX | LOCK_NB) != 0)
    {
      g_autofree char *name = g_filename_display_name (folder);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_BUSY, _("“%s” is being downloaded already."), name);
      return NULL;
    }
  self->fd = open (self->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (self->fd < 0)
    {
      fail (error, self->path, errno);
      return NULL;
    }
  read_journal (self);
  return g_steal_pointer (&self);
}

void
sl_journal_free (SlJournal *self)
{
  if (self == NULL)
    return;
  drop_tree (self);
  if (self->fd >= 0)
    close (self->fd);
  if (self->lock_fd >= 0)
    close (self->lock_fd);
  g_mutex_clear (&self->mutex);
  g_free (self->folder);
  g_free (self->path);
  g_free (self->lock_path);
  g_free (self);
}

const SlHubTree *
sl_journal_get_tree (SlJournal *self)
{
  return self->tree;
}

void
sl_journal_remove (SlJournal *self)
{
  g_unlink (self->path);
  g_unlink (self->lock_path);
}

/* ------------------------------------------------------------------------------------------------ writing */

/* The mutex is held. A line that did not fit is cut off again: half of one and a whole one behind it would be believed as one. */
static gboolean
append (SlJournal   *self,
        const char  *line,
        GError     **error)
{
  gsize length = strlen (line), done = 0;
  off_t start = lseek (self->fd, 0, SEEK_END);

  while (done < length)
    {
      gssize n = write (self->fd, line + done, length - done);
      int code = n == 0 ? ENOSPC : errno;

      if (n > 0)
        done += n;
      else if (n == 0 || code != EINTR)
        {
          if (start < 0 || ftruncate (self->fd, start) != 0)
            code = EIO;
          return fail (error, self->path, code);
        }
    }
  return TRUE;
}

gboolean
sl_journal_begin (SlJournal  *self,
                  SlHubTree  *tree,
                  GError    **error)
{
  g_autofree char *line = sl_hub_tree_to_line (tree);
  gboolean good;

  g_mutex_lock (&self->mutex);
  drop_tree (self);
  self->tree = tree;
  make_pieces (self);
  if (line == NULL || ftruncate (self->fd, 0) != 0)
    good = fail (error, self->path, line == NULL ? ENOMEM : errno);
  else
    good = append (self, line, error);
  g_mutex_unlock (&self->mutex);
  return good;
}

gboolean
sl_journal_get_piece (SlJournal *self,
                      guint      file,
                      guint      piece,
                      guint64   *hash)
{
  g_mutex_lock (&self->mutex);
  *hash = g_array_index (self->pieces[file], guint64, piece);
  g_mutex_unlock (&self->mutex);
  return *hash != 0;
}

gboolean
sl_journal_add_piece (SlJournal  *self,
                      guint       file,
                      guint       piece,
                      guint64     hash,
                      GError    **error)
{
  g_autofree char *line = g_strdup_printf ("p %u %u %" G_GINT64_MODIFIER "x\n", file, piece, hash);
  gboolean good;

  g_mutex_lock (&self->mutex);
  g_array_index (self->pieces[file], guint64, piece) = hash;
  good = append (self, line, error);
  g_mutex_unlock (&self->mutex);
  return good;
}

gboolean
sl_journal_forget (SlJournal  *self,
                   guint       file,
                   GError    **error)
{
  g_autofree char *line = g_strdup_printf ("f %u\n", file);
  gboolean good;

  g_mutex_lock (&self->mutex);
  if (self->pieces[file]->len > 0)
    memset (self->pieces[file]->data, 0, self->pieces[file]->len * sizeof (guint64));
  good = append (self, line, error);
  g_mutex_unlock (&self->mutex);
  return good;
}
