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

#include <glib/gstdio.h>
#include <jansson.h>

#include "app/cli/cli.h"

#define DATA_ALIGNMENT 64

struct _CliTensors
{
  char     *path;
  SlOutput *output;
  int       spool; /* has no name; −1: none */
  json_t   *header;
  guint64   size;
  int       failed; /* errno of the first failure */
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

/* Beside the target, where the room is; a pipe has no such place. */
static int
open_spool (const char *path,
            gboolean    beside)
{
  g_autofree char *folder = beside ? g_path_get_dirname (path) : g_strdup (g_get_tmp_dir ());
  g_autofree char *name = g_build_filename (folder, ".sightline-XXXXXX", NULL);
  int fd = g_mkstemp_full (name, O_RDWR | O_CLOEXEC, 0600);

  if (fd >= 0)
    g_unlink (name);

  return fd;
}

CliTensors *
cli_tensors_new (const char  *path,
                 GError     **error)
{
  g_autoptr(CliTensors) self = g_new0 (CliTensors, 1);

  self->spool = -1;
  self->path = g_strdup (path);
  self->header = json_object ();
  self->output = sl_outputs_open (cli_outputs, path, error);
  if (self->output == NULL)
    return NULL;
  self->spool = open_spool (path, !sl_output_is_stream (self->output));
  if (self->spool < 0)
    {
      sl_output_set_error (error, path, errno);
      return NULL;
    }

  return g_steal_pointer (&self);
}

void
cli_tensors_free (CliTensors *self)
{
  if (self->spool >= 0)
    close (self->spool);
  g_clear_pointer (&self->output, sl_output_discard);
  json_decref (self->header);
  g_free (self->path);
  g_free (self);
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
    self->failed = sl_output_write_all (self->spool, data, size);
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
      int failed = sl_output_write_all (fd, chunk, n);

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
  int failed = sl_output_write_all (fd, &prefix, sizeof prefix);

  if (failed == 0)
    failed = sl_output_write_all (fd, header, padded);
  if (failed == 0)
    failed = copy_spool (self, fd);

  return failed;
}

gboolean
cli_tensors_finish (CliTensors  *self,
                    GError     **error)
{
  if (self->failed == 0)
    self->failed = write_file (self, sl_output_get_fd (self->output));

  return sl_output_finish (g_steal_pointer (&self->output), self->failed, error);
}
