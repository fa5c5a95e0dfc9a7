/* SPDX-License-Identifier: MIT
 *
 * Files that appear whole, and never over another unasked: see the header. A file on its way has no name at all where the file
 * system can do that (O_TMPFILE), else a short one that sl_output_sweep() knows. Its final name is given by linking, which fails
 * where there is something, or by renaming where replacing was asked for.
 */
#include "app/system/sl-output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

/* Short: the name that it stands for may be as long as names can be. */
#define TEMPORARY_PREFIX ".sightline-"
#define TEMPORARY        TEMPORARY_PREFIX "XXXXXX"

typedef struct
{
  char  *path; /* with links followed */
  dev_t  device;
  ino_t  inode;
  off_t  size;
} Input;

struct _SlOutputs
{
  gboolean     replace;
  GArray      *inputs; /* Input */
  GHashTable  *own;    /* "sha256 path", a set */
  SlOutputNote note;
  gpointer     note_data;
};

struct _SlOutput
{
  SlOutputs *outputs;
  char      *path;
  char      *temporary; /* NULL: it has no name yet */
  int        fd;
  gboolean   stream;    /* a device or pipe */
};

/* ------------------------------------------------------------------------------------------------ rules */

static void
input_clear (gpointer data)
{
  g_free (((Input *) data)->path);
}

SlOutputs *
sl_outputs_new (gboolean replace)
{
  SlOutputs *self = g_new0 (SlOutputs, 1);

  self->replace = replace;
  self->inputs = g_array_new (FALSE, FALSE, sizeof (Input));
  g_array_set_clear_func (self->inputs, input_clear);
  self->own = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  return self;
}

void
sl_outputs_free (SlOutputs *self)
{
  g_array_unref (self->inputs);
  g_hash_table_unref (self->own);
  g_free (self);
}

void
sl_outputs_set_replace (SlOutputs *self,
                        gboolean   replace)
{
  self->replace = replace;
}

static char *
resolve (const char *path)
{
  char *resolved = realpath (path, NULL);
  char *copy = g_strdup (resolved);

  free (resolved);

  return copy;
}

void
sl_outputs_add_input (SlOutputs  *self,
                      const char *path)
{
  struct stat info;

  if (stat (path, &info) != 0)
    return;

  if (S_ISDIR (info.st_mode))
    {
      g_autoptr(GDir) dir = g_dir_open (path, 0, NULL);
      const char *name;

      while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
        {
          g_autofree char *file = g_build_filename (path, name, NULL);

          if (g_file_test (file, G_FILE_TEST_IS_REGULAR))
            sl_outputs_add_input (self, file);
        }
    }
  else if (S_ISREG (info.st_mode))
    {
      Input input = { resolve (path), info.st_dev, info.st_ino, info.st_size };

      g_array_append_val (self->inputs, input);
    }
}

static char *
make_own_key (const char *path,
              const char *sha256)
{
  g_autofree char *full = g_canonicalize_filename (path, NULL);

  return g_strconcat (sha256, " ", full, NULL);
}

void
sl_outputs_add_own (SlOutputs  *self,
                    const char *path,
                    const char *sha256)
{
  g_hash_table_add (self->own, make_own_key (path, sha256));
}

void
sl_outputs_set_note (SlOutputs    *self,
                     SlOutputNote  note,
                     gpointer      user_data)
{
  self->note = note;
  self->note_data = user_data;
}

/* Inode numbers are made up anew on some network file systems, so the path counts too. */
static gboolean
is_input (const SlOutputs   *self,
          const char        *path,
          const struct stat *info)
{
  g_autofree char *resolved = resolve (path);

  for (guint i = 0; i < self->inputs->len; i++)
    {
      const Input *input = &g_array_index (self->inputs, Input, i);

      if ((input->device == info->st_dev && input->inode == info->st_ino) || g_strcmp0 (input->path, resolved) == 0)
        return TRUE;
    }

  return FALSE;
}

gboolean
sl_outputs_is_input (const SlOutputs *self,
                     const char      *path)
{
  struct stat info;

  return stat (path, &info) == 0 && is_input (self, path, &info);
}

/* ------------------------------------------------------------------------------------------------ contents */

static char *
hash_fd (int fd)
{
  g_autoptr(GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guchar *block = g_malloc (1 << 16);
  off_t at = 0;
  ssize_t n;

  while ((n = pread (fd, block, 1 << 16, at)) > 0)
    {
      g_checksum_update (checksum, block, n);
      at += n;
    }

  return n == 0 ? g_strdup (g_checksum_get_string (checksum)) : NULL;
}

static char *
hash_file (const char *path)
{
  int fd = g_open (path, O_RDONLY | O_CLOEXEC, 0);
  char *hash = fd >= 0 ? hash_fd (fd) : NULL;

  if (fd >= 0)
    close (fd);

  return hash;
}

gboolean
sl_outputs_is_own (const SlOutputs *self,
                   const char      *path)
{
  g_autofree char *hash = NULL;
  g_autofree char *key = NULL;

  if (g_hash_table_size (self->own) == 0 || (hash = hash_file (path)) == NULL)
    return FALSE;
  key = make_own_key (path, hash);

  return g_hash_table_contains (self->own, key);
}

/* The last copy of an input that is reached another way: a second mount, a server's other share. */
static gboolean
holds_an_input (const SlOutputs *self,
                const char      *path,
                off_t            size)
{
  g_autofree char *hash = NULL;

  for (guint i = 0; i < self->inputs->len; i++)
    {
      const Input *input = &g_array_index (self->inputs, Input, i);
      g_autofree char *other = NULL;

      if (size == 0 || input->size != size || input->path == NULL)
        continue;
      if (hash == NULL)
        hash = hash_file (path);
      other = hash_file (input->path);
      if (hash != NULL && g_strcmp0 (hash, other) == 0)
        return TRUE;
    }

  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ refusals */

void
sl_output_set_error (GError     **error,
                     const char  *path,
                     int          saved_errno)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, g_io_error_from_errno (saved_errno), _("“%s” cannot be written: %s."), name,
               g_strerror (saved_errno));
}

static void
set_exists (GError     **error,
            const char  *path)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, _("“%s” exists already."), name);
}

static void
set_is_input (GError     **error,
              const char  *path)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_FILENAME, _("“%s” is one of the files that are read; it is not written over."), name);
}

/* What is written as it is. Also standard output that is a file: the shell has emptied that already, and it has a place in it. */
static gboolean
is_stream (const char        *path,
           const struct stat *info)
{
  return S_ISCHR (info->st_mode) || S_ISFIFO (info->st_mode) || S_ISSOCK (info->st_mode) || g_str_equal (path, "/dev/stdout") ||
         g_str_equal (path, "/dev/stderr") || g_str_has_prefix (path, "/dev/fd/") || g_str_has_prefix (path, "/proc/self/fd/");
}

gboolean
sl_outputs_check (const SlOutputs  *self,
                  const char       *path,
                  GError          **error)
{
  struct stat link, info;

  if (lstat (path, &link) != 0)
    {
      if (errno == ENOENT)
        return TRUE;
      sl_output_set_error (error, path, errno);
      return FALSE;
    }

  if (stat (path, &info) == 0)
    {
      if (is_stream (path, &info))
        return TRUE;
      if (S_ISDIR (info.st_mode) || S_ISBLK (info.st_mode))
        {
          sl_output_set_error (error, path, S_ISDIR (info.st_mode) ? EISDIR : EINVAL);
          return FALSE;
        }
      if (is_input (self, path, &info))
        {
          set_is_input (error, path);
          return FALSE;
        }
    }
  if (self->replace || sl_outputs_is_own (self, path))
    return TRUE;
  set_exists (error, path);

  return FALSE;
}

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
  output->stream = stat (path, &info) == 0 && is_stream (path, &info);
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
  g_autofree char *other = hash_file (path);

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
    hash = hash_fd (self->fd);
  if (exists && hash != NULL && same_content (self->path, hash))
    return outputs->note == NULL || !sl_outputs_is_own (outputs, self->path) ||
           outputs->note (self->path, hash, outputs->note_data, error);
  if (exists && S_ISREG (info.st_mode) && !sl_outputs_is_own (outputs, self->path) && holds_an_input (outputs, self->path, info.st_size))
    {
      set_is_input (error, self->path);
      return FALSE;
    }
  if (outputs->note != NULL && hash != NULL && !outputs->note (self->path, hash, outputs->note_data, error))
    return FALSE;

  cause = exists ? replace_name (self) : take_new_name (self);
  if (cause == EEXIST)
    set_exists (error, self->path);
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
    set_exists (error, path);
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
