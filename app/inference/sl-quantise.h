/* SPDX-License-Identifier: MIT
 *
 * A checkpoint's folder → a folder with fewer bits per weight, which appears when it is complete, has been opened once and, where that
 * is asked for, read back against its hash. Blocks for minutes: a worker thread, or the command line. It must not know who asks.
 */
#pragma once

#include <gio/gio.h>

#include "engine/vl2.h"

G_BEGIN_DECLS

/* The engine's failures keep their status, for exit codes: code is a vl2_status. */
#define SL_QUANTISE_ERROR (sl_quantise_error_quark ())
GQuark sl_quantise_error_quark (void);

typedef struct
{
  const char *model, *out; /* folders; nothing has the name of `out` */
  vl2_format format;
  gboolean vision_int8;
  gboolean verify; /* reads all of it back before it appears */
  int threads;     /* 0: all */
  const struct vl2_watch *watch; /* of writing, then of reading back: bytes; may be NULL */
  GCancellable *cancellable;     /* of copying; watch->cancel belongs to it */
} SlQuantiseOptions;

/* FALSE with SL_QUANTISE_ERROR or G_IO_ERROR (EXISTS, NO_SPACE, CANCELLED …): then nothing is left. The original is only read. */
gboolean sl_quantise_folder (const SlQuantiseOptions *options, struct vl2_quantise_report *report, GError **error);

G_END_DECLS
