/* SPDX-License-Identifier: MIT
 *
 * See safetensors-writer.h. Layout: u64 little-endian length of the header, JSON header padded with spaces so that the data
 * starts at a multiple of 64, then the tensors without gaps.
 */
#include "app/cli/safetensors-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <jansson.h>

#include "app/cli/cli.h"

#define DATA_ALIGNMENT 64

struct _CliTensors
{
  char    *path;
  char    *name;  /* of the target, for messages */
  int      spool; /* unlinked; −1: none */
  json_t  *header;
  guint64  size;
  int      failed; /* errno of the first failure */
};

static const struct
{
  const char *name;
  gsize       size;
} types[] = {
  [CLI_TENSOR_U8] = { "U8", 1 },
  [CLI_TENSOR_I32] = { "I32", 4 },
  [CLI_TENSOR_F32] = { "F32", 4 },
};

static void
set_failed (CliTensors  *self,
            int          cause,
            GError     **error)
{
  cli_set_error (error, CLI_INPUT, _("“%s” cannot be written: %s."), self->name, g_strerror (cause));
}

static int
open_beside (const char  *path,
             char       **name)
{
  *name = g_strconcat (path, ".XXXXXX", NULL);

  return g_mkstemp_full (*name, O_RDWR | O_CLOEXEC, 0666);
}

CliTensors *
cli_tensors_new (const char  *path,
                 GError     **error)
{
  g_autoptr(CliTensors) self = g_new0 (CliTensors, 1);
  g_autofree char *spool = NULL;

  self->path = g_strdup (path);
  self->name = g_filename_display_name (path);
  self->header = json_object ();
  self->spool = open_beside (path, &spool);
  if (self->spool < 0)
    {
      set_failed (self, errno, error);
      return NULL;
    }
  g_unlink (spool);

  return g_steal_pointer (&self);
}

void
cli_tensors_free (CliTensors *self)
{
  if (self->spool >= 0)
    close (self->spool);
  json_decref (self->header);
  g_free (self->path);
  g_free (self->name);
  g_free (self);
}

static int
write_all (int         fd,
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

void
cli_tensors_begin (CliTensors    *self,
                   const char    *name,
                   CliTensorType  type,
                   const gint64  *shape,
                   int            n_dims)
{
  json_t *sizes = json_array ();
  guint64 bytes = types[type].size;

  for (int i = 0; i < n_dims; i++)
    {
      json_array_append_new (sizes, json_integer (shape[i]));
      bytes *= shape[i];
    }

  json_object_set_new (self->header, name,
                       json_pack ("{s:s,s:o,s:[I,I]}", "dtype", types[type].name, "shape", sizes, "data_offsets",
                                  (json_int_t) self->size, (json_int_t) (self->size + bytes)));
  self->size += bytes;
}

void
cli_tensors_write (CliTensors *self,
                   const void *data,
                   gsize       size)
{
  if (self->failed == 0)
    self->failed = write_all (self->spool, data, size);
}

void
cli_tensors_append (CliTensors    *self,
                    const char    *name,
                    CliTensorType  type,
                    const gint64  *shape,
                    int            n_dims,
                    const void    *data)
{
  guint64 before = self->size;

  cli_tensors_begin (self, name, type, shape, n_dims);
  cli_tensors_write (self, data, self->size - before);
}

static int
copy_spool (CliTensors *self,
            int         fd)
{
  g_autofree char *chunk = g_malloc (1 << 20);
  guint64 copied = 0;
  ssize_t n;

  if (lseek (self->spool, 0, SEEK_SET) < 0)
    return errno;

  while ((n = read (self->spool, chunk, 1 << 20)) > 0)
    {
      int failed = write_all (fd, chunk, n);

      if (failed != 0)
        return failed;
      copied += n;
    }

  return n < 0 ? errno : copied != self->size ? EIO : 0;
}

static int
write_file (CliTensors *self,
            int         fd)
{
  g_autofree char *json = json_dumps (self->header, JSON_COMPACT);
  gsize length = strlen (json);
  gsize padded = (sizeof (guint64) + length + DATA_ALIGNMENT - 1) / DATA_ALIGNMENT * DATA_ALIGNMENT - sizeof (guint64);
  g_autofree char *header = g_strdup_printf ("%-*s", (int) padded, json);
  guint64 prefix = GUINT64_TO_LE ((guint64) padded);
  int failed = write_all (fd, &prefix, sizeof prefix);

  if (failed == 0)
    failed = write_all (fd, header, padded);
  if (failed == 0)
    failed = copy_spool (self, fd);

  return failed;
}

gboolean
cli_tensors_finish (CliTensors  *self,
                    GError     **error)
{
  g_autofree char *temporary = NULL;
  int fd;

  if (self->failed == 0)
    {
      fd = open_beside (self->path, &temporary);
      if (fd < 0)
        {
          self->failed = errno;
        }
      else
        {
          self->failed = write_file (self, fd);
          if (close (fd) != 0 && self->failed == 0)
            self->failed = errno;
          if (self->failed == 0 && g_rename (temporary, self->path) != 0)
            self->failed = errno;
          if (self->failed != 0)
            g_unlink (temporary);
        }
    }

  if (self->failed != 0)
    {
      set_failed (self, self->failed, error);
      return FALSE;
    }

  return TRUE;
}
