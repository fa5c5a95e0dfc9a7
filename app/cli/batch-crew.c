/* SPDX-License-Identifier: MIT
 *
 * See batch-crew.h: two queues and the threads between them.
 */
#include "app/cli/batch-crew.h"

struct _CliCrew
{
  const CliSource      *source;
  const CliAskSettings *settings;
  GPtrArray            *threads; /* GThread; empty for a model on this computer */
  GAsyncQueue          *asked, *answered; /* CliWork */
};

/* Ends a thread. */
static CliWork no_more_work;

void
cli_work_free (CliWork *self)
{
  if (self == NULL)
    return;
  g_free (self->key);
  g_clear_pointer (&self->conversation, cli_conversation_free);
  g_clear_pointer (&self->record, sl_export_picture_free);
  cli_answer_clear (&self->answer);
  g_clear_error (&self->error);
  g_free (self);
}

static void
do_work (const CliCrew   *self,
         const CliSource *source,
         CliWork         *work)
{
  cli_answer (source, work->conversation, self->settings, FALSE, &work->answer, &work->error);
  g_async_queue_push (self->answered, work);
}

static gpointer
crew_main (gpointer data)
{
  CliCrew *self = data;
  g_auto(CliSource) source = { 0 };

  cli_source_clone (self->source, &source);
  for (CliWork *work; (work = g_async_queue_pop (self->asked)) != &no_more_work;)
    do_work (self, &source, work);

  return NULL;
}

CliCrew *
cli_crew_new (const CliSource      *source,
              const CliAskSettings *settings,
              guint                 n_threads)
{
  CliCrew *self = g_new0 (CliCrew, 1);

  self->source = source;
  self->settings = settings;
  self->threads = g_ptr_array_new ();
  self->asked = g_async_queue_new ();
  self->answered = g_async_queue_new ();
  for (guint i = 0; source->server != NULL && i < n_threads; i++)
    g_ptr_array_add (self->threads, g_thread_new ("sightline-batch", crew_main, self));

  return self;
}

void
cli_crew_free (CliCrew *self)
{
  if (self == NULL)
    return;
  for (guint i = 0; i < self->threads->len; i++)
    g_async_queue_push (self->asked, &no_more_work);
  for (guint i = 0; i < self->threads->len; i++)
    g_thread_join (self->threads->pdata[i]);
  g_ptr_array_unref (self->threads);
  for (CliWork *work; (work = g_async_queue_try_pop (self->answered)) != NULL;)
    cli_work_free (work);
  g_async_queue_unref (self->asked);
  g_async_queue_unref (self->answered);
  g_free (self);
}

void
cli_crew_push (CliCrew *self,
               CliWork *work)
{
  if (self->threads->len > 0)
    g_async_queue_push (self->asked, work);
  else
    do_work (self, self->source, work);
}

CliWork *
cli_crew_pop (CliCrew *self)
{
  return g_async_queue_pop (self->answered);
}
