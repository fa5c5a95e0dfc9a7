/* SPDX-License-Identifier: MIT
 *
 * What somebody needs to know to help: versions, system, sandbox, processor, graphics processor with the reason why it is not
 * used and what helps, memory; and a self-test that runs a picture through every way to compute that this machine has and
 * compares the results. Collecting reads small files and takes milliseconds: any thread. It must not know GTK.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  char *name;   /* translated */
  char *value;  /* one or more lines */
  char *advice; /* what helps, where something is wrong; else NULL */
} SlDiagnostic;

/* (transfer full) array of SlDiagnostic, in the order in which they are shown. */
GPtrArray *sl_diagnostics_collect (void);
/* "name: value" lines for a bug report. Owned by the caller. */
char *sl_diagnostics_to_text (GPtrArray *diagnostics);

/* Reads one picture with the bundled model: on the processor with plain code, which is the reference, with this processor's
 * fastest code, and on the graphics processor where there is one. Takes about a second on a thread of its own. */
void sl_diagnostics_self_test_async (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer user_data);
/* One SlDiagnostic a way to compute: its value says how far its result is from the reference; advice is set where it is too far
 * or could not run. NULL with a sentence if there is no bundled model. (transfer full) */
GPtrArray *sl_diagnostics_self_test_finish (GAsyncResult *result, GError **error);

/* Bytes of a line of /proc/meminfo: "MemTotal", "MemAvailable". 0 if it cannot be read. */
guint64 sl_diagnostics_read_memory (const char *key);

G_END_DECLS
