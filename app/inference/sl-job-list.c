/* SPDX-License-Identifier: MIT
 *
 * Draining what nobody draws. See the header.
 */
#include "app/inference/sl-job-list.h"

#define DRAIN_INTERVAL_MS 50

struct _SlJobList
{
  GMainContext *context;
  GPtrArray *jobs;
  GSource *timer;
};

SlJobList *
sl_job_list_new (void)
{
  SlJobList *self = g_rc_box_new0 (SlJobList);

  self->context = g_main_context_ref_thread_default ();
  self->jobs = g_ptr_array_new_with_free_func (g_object_unref);
  return self;
}

static void
stop_timer (SlJobList *self)
{
  if (self->timer != NULL)
    g_source_destroy (self->timer);
  g_clear_pointer (&self->timer, g_source_unref);
}

static void
job_list_clear_box (gpointer data)
{
  SlJobList *self = data;

  g_ptr_array_unref (self->jobs);
  g_main_context_unref (self->context);
}

void
sl_job_list_free (SlJobList *self)
{
  if (self == NULL)
    return;
  stop_timer (self);
  g_rc_box_release_full (self, job_list_clear_box);
}

void
sl_job_list_drain (SlJobList *self)
{
  g_autoptr (GPtrArray) jobs = g_ptr_array_new_with_free_func (g_object_unref);

  /* Handlers may submit more. */
  for (guint i = 0; i < self->jobs->len; i++)
    g_ptr_array_add (jobs, g_object_ref (g_ptr_array_index (self->jobs, i)));
  for (guint i = 0; i < jobs->len; i++)
    {
      SlJob *job = g_ptr_array_index (jobs, i);

      if (!sl_job_drain (job))
        g_ptr_array_remove (self->jobs, job);
    }
}

static gboolean
on_timer (gpointer data)
{
  SlJobList *self = g_rc_box_acquire (data); /* a handler may be the end of the owner */
  gboolean more;

  sl_job_list_drain (self);
  more = self->jobs->len > 0 && self->timer != NULL;
  if (!more)
    stop_timer (self);
  g_rc_box_release_full (self, job_list_clear_box);
  return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

void
sl_job_list_add (SlJobList *self,
                 SlJob     *job)
{
  g_ptr_array_add (self->jobs, g_object_ref (job));
  if (self->timer != NULL)
    return;
  self->timer = g_timeout_source_new (DRAIN_INTERVAL_MS);
  g_source_set_callback (self->timer, on_timer, self, NULL);
  g_source_attach (self->timer, self->context);
}

void
sl_job_list_clear (SlJobList *self)
{
  stop_timer (self);
  sl_job_list_drain (self);
  g_ptr_array_set_size (self->jobs, 0);
}

guint
sl_job_list_get_length (const SlJobList *self)
{
  return self->jobs->len;
}
