/* SPDX-License-Identifier: MIT
 *
 * CliTensors: writes a safetensors file whose tensors arrive one after the other and whose sizes are not known before.
 * Data is spooled to an unnamed file in the target's folder; the header and then the data go to the target at the end,
 * which appears whole or not at all.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _CliTensors CliTensors;

typedef enum
{
  CLI_TENSOR_U8,
  CLI_TENSOR_I32,
  CLI_TENSOR_F32,
} CliTensorType;

#define CLI_TENSOR_MAX_DIMS 4

/* Readers expect every tensor aligned to its element size and no gaps: append 4-byte types before U8. */
CliTensors *cli_tensors_new    (const char        *path,
                                GError           **error);
/* shape: n_dims sizes. Errors are kept and come with cli_tensors_finish(). */
void        cli_tensors_append (CliTensors        *self,
                                const char        *name,
                                CliTensorType      type,
                                const gint64      *shape,
                                int                n_dims,
                                const void        *data);
/* As append, for rows that arrive in pieces: begin once, then as many bytes as the shape says. */
void        cli_tensors_begin  (CliTensors        *self,
                                const char        *name,
                                CliTensorType      type,
                                const gint64      *shape,
                                int                n_dims);
void        cli_tensors_write  (CliTensors        *self,
                                const void        *data,
                                gsize              size);
gboolean    cli_tensors_finish (CliTensors        *self,
                                GError           **error);
void        cli_tensors_free   (CliTensors        *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (CliTensors, cli_tensors_free)

G_END_DECLS
