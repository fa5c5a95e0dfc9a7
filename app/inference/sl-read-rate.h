/* SPDX-License-Identifier: MIT
 *
 * How fast this computer reads its memory, which is what the speed of an answer hangs on. Measured on a thread each time that somebody
 * asks; the best of the program's run counts, because other work only ever slows it down.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* UI thread. The callback comes about half a second later. */
void sl_read_rate_measure_async (GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data);
/* Bytes per second of all cores together; 0: it could not be measured, or nobody waits any more. */
double sl_read_rate_measure_finish (GAsyncResult *result);

G_END_DECLS
