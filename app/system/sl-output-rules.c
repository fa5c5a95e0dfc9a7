/* SPDX-License-Identifier: MIT
 *
 * What may be written over: nothing, unless replacing was asked for or it is the program's own; never an input.
 */
#include "app/system/sl-output-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

typedef struct
{
  char  *path; /* with links followed */
  dev_t  device;
  ino_t  inode;
  off_t  size;
} Input;

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
  g_clear_object (&self->cancellable);
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

void
sl_outputs_set_cancellable (SlOutputs    *self,
                            GCancellable *cancellable)
{
  g_set_object (&self->cancellable, cancellable);
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

char *
sl_output_hash_fd (int fd)
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

char *
sl_output_hash_file (const char *path)
{
  int fd = g_open (path, O_RDONLY | O_CLOEXEC, 0);
  char *hash = fd >= 0 ? sl_output_hash_fd (fd) : NULL;

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

  if (g_hash_table_size (self->own) == 0 || (hash = sl_output_hash_file (path)) == NULL)
    return FALSE;
  key = make_own_key (path, hash);

  return g_hash_table_contains (self->own, key);
}

gboolean
sl_outputs_hold_input (const SlOutputs *self,
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
        hash = sl_output_hash_file (path);
      other = sl_output_hash_file (input->path);
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

void
sl_output_set_exists (GError     **error,
                      const char  *path)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, _("“%s” exists already."), name);
}

void
sl_output_set_is_input (GError     **error,
                        const char  *path)
{
  g_autofree char *name = g_filename_display_name (path);

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_FILENAME, _("“%s” is one of the files that are read; it is not written over."), name);
}

gboolean
sl_output_path_is_stream (const char        *path,
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
      if (sl_output_path_is_stream (path, &info))
        return TRUE;
      if (S_ISDIR (info.st_mode) || S_ISBLK (info.st_mode))
        {
          sl_output_set_error (error, path, S_ISDIR (info.st_mode) ? EISDIR : EINVAL);
          return FALSE;
        }
      if (is_input (self, path, &info))
        {
          sl_output_set_is_input (error, path);
          return FALSE;
        }
    }
  if (self->replace || sl_outputs_is_own (self, path))
    return TRUE;
  sl_output_set_exists (error, path);

  return FALSE;
}
