/* SPDX-License-Identifier: MIT
 *
 * The engine measures, one time after the other: two at a time would see half of the rate.
 */
#include "app/inference/sl-read-rate.h"

#include "engine/bench.h"

static double
measure (void)
{
  static GMutex mutex;
  static double known;
  double rate;

  g_mutex_lock (&mutex);
  rate = known = MAX (known, vl2_measure_read_rate ());
  g_mutex_unlock (&mutex);
  return rate;
}

static void
run (GTask        *task,
     gpointer      source,
     gpointer      data,
     GCancellable *cancellable)
{
  double *rate = g_new (double, 1);

  *rate = measure ();
  g_task_return_pointer (task, rate, g_free);
}

void
sl_read_rate_measure_async (GCancellable        *cancellable,
                            GAsyncReadyCallback  callback,
                            gpointer             data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, data);

  g_task_set_source_tag (task, sl_read_rate_measure_async);
  g_task_run_in_thread (task, run);
}

double
sl_read_rate_measure_finish (GAsyncResult *result)
{
  g_autofree double *rate = g_task_propagate_pointer (G_TASK (result), NULL);

  return rate != NULL ? *rate : 0;
}
