/* SPDX-License-Identifier: MIT
 *
 * Files that appear whole, and never over another unasked: see the header. A file on its way has no name at all where the file
 * system can do that (O_TMPFILE), else a short one that sl_output_sweep() knows. Its final name is given by linking, which fails
 * where there is something, or by renaming where replacing was asked for.
 */
#include "app/system/sl-output-private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

/* Short: the name that it stands for may be as long as names can be. */
#define TEMPORARY_PREFIX ".sightline-"
#define TEMPORARY        TEMPORARY_PREFIX "XXXXXX"

struct _SlOutput
{
  SlOutputs *outputs;
  char      *path;
  char      *temporary; /* NULL: it has no name yet */
  int        fd;
  gboolean   stream;    /* a device or pipe */
};

/* ------------------------------------------------------------------------------------------------ a file on its way */

static char *
make_temporary (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);

  return g_build_filename (folder, TEMPORARY, NULL);
}

static int
open_stream (const char *path)
{
  const char *number = g_str_equal (path, "/dev/stdout")              ? "1"
                       : g_str_equal (path, "/dev/stderr")            ? "2"
                       : g_str_has_prefix (path, "/dev/fd/")          ? path + strlen ("/dev/fd/")
                       : g_str_has_prefix (path, "/proc/self/fd/")    ? path + strlen ("/proc/self/fd/")
                                                                      : NULL;
  guint64 fd = 0;

  if (number != NULL && g_ascii_string_to_unsigned (number, 10, 0, G_MAXINT, &fd, NULL))
    return fcntl ((int) fd, F_DUPFD_CLOEXEC, 0);

  return g_open (path, O_WRONLY | O_CLOEXEC, 0);
}

SlOutput *
sl_outputs_open (SlOutputs   *self,
                 const char  *path,
                 GError     **error)
{
  g_autoptr(SlOutput) output = g_new0 (SlOutput, 1);
  g_autofree char *folder = g_path_get_dirname (path);
  struct stat info;

  output->fd = -1;
  if (!sl_outputs_check (self, path, error))
    return NULL;

  output->outputs = self;
  output->path = g_strdup (path);
  output->stream = stat (path, &info) == 0 && sl_output_path_is_stream (path, &info);
  if (output->stream)
    output->fd = open_stream (path);
  else if (access ("/proc/self/fd", X_OK) == 0) /* the way from a file without a name to its name */
    output->fd = g_open (folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (output->fd < 0 && !output->stream)
    {
      output->temporary = make_temporary (path);
      output->fd = g_mkstemp_full (output->temporary, O_RDWR | O_CLOEXEC, 0666);
      if (output->fd < 0)
        g_clear_pointer (&output->temporary, g_free);
    }
  if (output->fd < 0)
    {
      sl_output_set_error (error, path, errno);
      return NULL;
    }

  return g_steal_pointer (&output);
}

int
sl_output_get_fd (SlOutput *self)
{
  return self->fd;
}

gboolean
sl_output_is_stream (SlOutput *self)
{
  return self->stream;
}

void
sl_output_discard (SlOutput *self)
{
  if (self->fd >= 0)
    close (self->fd);
  if (self->temporary != NULL)
    g_unlink (self->temporary);
  g_free (self->temporary);
  g_free (self->path);
  g_free (self);
}

int
sl_output_write_all (int         fd,
                     const void *data,
                     gsize       size)
{
  const char *p = data;

  while (size > 0)
    {
      ssize_t written = write (fd, p, size);

      if (written < 0 && errno == EINTR)
        continue;
      if (written < 0)
        return errno;
      p += written;
      size -= written;
    }

  return 0;
}

int
sl_output_write (SlOutput   *self,
                 const void *data,
                 gsize       size)
{
  return g_cancellable_is_cancelled (self->outputs->cancellable) ? ECANCELED : sl_output_write_all (self->fd, data, size);
}

/* Gives it `name`, which must not exist. 0 or errno. */
static int
link_as (SlOutput   *self,
         const char *name)
{
  g_autofree char *unnamed = g_strdup_printf ("/proc/self/fd/%d", self->fd);

  if (self->temporary != NULL ? linkat (AT_FDCWD, self->temporary, AT_FDCWD, name, 0) == 0
                              : linkat (AT_FDCWD, unnamed, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0)
    return 0;

  return errno;
}

static gboolean
can_link (int cause)
{
  return cause != EPERM && cause != EOPNOTSUPP && cause != ENOSYS && cause != EMLINK;
}

/* A new name. Without links (FAT) a rename that refuses what exists, where there is that. */
static int
take_new_name (SlOutput *self)
{
  int cause = link_as (self, self->path);

  if (self->temporary == NULL || can_link (cause))
    return cause;
  if (renameat2 (AT_FDCWD, self->temporary, AT_FDCWD, self->path, RENAME_NOREPLACE) != 0)
    return errno;
  g_clear_pointer (&self->temporary, g_free);

  return 0;
}

static int
replace_name (SlOutput *self)
{
  struct stat old;

  if (stat (self->path, &old) == 0)
    fchmod (self->fd, old.st_mode & 0777);
  for (int attempt = 0; self->temporary == NULL; attempt++)
    {
      g_autofree char *folder = g_path_get_dirname (self->path);
      g_autofree char *name = g_strdup_printf (TEMPORARY_PREFIX "%06x", g_random_int () & 0xffffff);
      g_autofree char *candidate = g_build_filename (folder, name, NULL);
      int cause = link_as (self, candidate);

      if (cause == 0)
        self->temporary = g_steal_pointer (&candidate);
      else if (cause != EEXIST || attempt > 100)
        return cause;
    }
  if (g_rename (self->temporary, self->path) != 0)
    return errno;
  g_clear_pointer (&self->temporary, g_free);

  return 0;
}

static gboolean
same_content (const char *path,
              const char *hash)
{
  g_autofree char *other = sl_output_hash_file (path);

  return g_strcmp0 (other, hash) == 0;
}

/* The name is looked at again: much may have happened since the work began. */
static gboolean
take_name (SlOutput  *self,
           GError   **error)
{
  SlOutputs *outputs = self->outputs;
  g_autofree char *hash = NULL;
  struct stat info;
  gboolean exists = lstat (self->path, &info) == 0;
  int cause;

  if (!sl_outputs_check (outputs, self->path, error))
    return FALSE;
  if (exists || outputs->note != NULL)
    hash = sl_output_hash_fd (self->fd);
  if (exists && hash != NULL && same_content (self->path, hash))
    return outputs->note == NULL || !sl_outputs_is_own (outputs, self->path) ||
           outputs->note (self->path, hash, outputs->note_data, error);
  if (exists && S_ISREG (info.st_mode) && !sl_outputs_is_own (outputs, self->path) && sl_outputs_hold_input (outputs, self->path, info.st_size))
    {
      sl_output_set_is_input (error, self->path);
      return FALSE;
    }
  if (outputs->note != NULL && hash != NULL && !outputs->note (self->path, hash, outputs->note_data, error))
    return FALSE;

  cause = exists ? replace_name (self) : take_new_name (self);
  if (cause == EEXIST)
    sl_output_set_exists (error, self->path);
  else if (cause != 0)
    sl_output_set_error (error, self->path, cause);

  return cause == 0;
}

gboolean
sl_output_finish (SlOutput  *self,
                  int        saved_errno,
                  GError   **error)
{
  g_autoptr(SlOutput) taken = self;

  if (saved_errno == 0 && g_cancellable_is_cancelled (self->outputs->cancellable))
    saved_errno = ECANCELED;
  if (saved_errno == 0 && !self->stream && fsync (self->fd) != 0)
    saved_errno = errno;
  if (saved_errno == 0 && self->stream)
    {
      if (close (self->fd) != 0)
        saved_errno = errno;
      self->fd = -1;
    }
  if (saved_errno != 0)
    {
      sl_output_set_error (error, self->path, saved_errno);
      return FALSE;
    }

  return self->stream || take_name (self, error);
}

gboolean
sl_outputs_write (SlOutputs   *self,
                  const char  *path,
                  const void  *data,
                  gsize        size,
                  GError     **error)
{
  SlOutput *output = sl_outputs_open (self, path, error);

  return output != NULL && sl_output_finish (output, sl_output_write_all (output->fd, data, size), error);
}

/* ------------------------------------------------------------------------------------------------ folders */

char *
sl_output_folder_begin (const char  *path,
                        GError     **error)
{
  /* What a kill leaves of a folder may be many gigabytes: it is to be seen, and seen whose it is. */
  g_autofree char *temporary = g_strconcat (path, ".XXXXXX", NULL);

  if (g_mkdtemp_full (temporary, 0777) != NULL)
    return g_steal_pointer (&temporary);

  sl_output_set_error (error, path, errno);

  return NULL;
}

static void
sync_folder (const char *path)
{
  int fd = g_open (path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

  if (fd >= 0)
    {
      fsync (fd);
      close (fd);
    }
}

gboolean
sl_output_folder_finish (const char  *temporary,
                         const char  *path,
                         GError     **error)
{
  struct stat info;
  int cause = 0;

  sync_folder (temporary);
  if (renameat2 (AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) != 0)
    cause = errno;
  /* A file system without that kind of rename: the look before costs the last instant. */
  if (cause == EINVAL || cause == ENOSYS)
    cause = lstat (path, &info) == 0 ? EEXIST : g_rename (temporary, path) != 0 ? errno : 0;

  if (cause == EEXIST || cause == ENOTEMPTY)
    sl_output_set_exists (error, path);
  else if (cause != 0)
    sl_output_set_error (error, path, cause);

  return cause == 0;
}

void
sl_output_folder_discard (const char *temporary)
{
  g_autoptr(GDir) dir = g_dir_open (temporary, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (temporary, name, NULL);

      if (g_unlink (path) != 0 && errno == EISDIR)
        sl_output_folder_discard (path);
    }
  g_rmdir (temporary);
}

int
sl_output_folder_hold (const char *temporary)
{
  int fd = g_open (temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

  if (fd >= 0 && flock (fd, LOCK_EX | LOCK_NB) != 0)
    {
      close (fd);
      fd = -1;
    }
  return fd;
}

gboolean
sl_output_folder_is_held (const char *temporary)
{
  int fd = sl_output_folder_hold (temporary);

  if (fd >= 0)
    close (fd);
  return fd < 0;
}

void
sl_output_sweep (const char *folder)
{
  g_autoptr(GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);

      if (g_str_has_prefix (name, TEMPORARY_PREFIX) && strlen (name) == strlen (TEMPORARY) &&
          g_file_test (path, G_FILE_TEST_IS_REGULAR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
        g_unlink (path);
    }
}
