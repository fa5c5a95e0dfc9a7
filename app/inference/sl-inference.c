/* SPDX-License-Identifier: MIT
 *
 * The inference thread's loop: a model to load or give back comes before the next job; a job runs to its end or to a stop.
 * `lock` guards what other threads see; `model_lock` is held for writing while the handles change, so that others may use the
 * engine's pure functions in between.
 */
#include "app/inference/sl-inference-private.h"

#include <glib/gi18n-lib.h>
#include <sys/resource.h>

#define QUIET_US (5 * G_USEC_PER_SEC) /* without work, before what was read is saved */

/* ------------------------------------------------------------------------------------------------ queue, under lock */

static void
renumber (SlInference *self)
{
  guint position = self->running != NULL;

  for (GList *l = self->queue.head; l != NULL; l = l->next, position++)
    {
      SlTicket *ticket = l->data;

      g_mutex_lock (&ticket->lock);
      ticket->status.position = position;
      g_mutex_unlock (&ticket->lock);
    }
}

void
sl_inference_empty_queue (SlInference *self,
                          SlJobState   state,
                          const char  *reason)
{
  SlTicket *ticket;

  while ((ticket = g_queue_pop_head (&self->queue)) != NULL)
    {
      sl_ticket_finish (ticket, state, reason);
      sl_ticket_unref (ticket);
    }
  for (SlGuest *guest; (guest = sl_guests_pop_any (self->guests)) != NULL;)
    sl_guest_end (guest, state == SL_JOB_FAILED ? SL_GUEST_FAILED : SL_GUEST_CANCELLED, SL_STOP_ERROR, reason);
}

static void
cancel_running (SlInference *self)
{
  atomic_store (&self->load_cancel, true);
  if (self->running != NULL)
    sl_ticket_cancel (self->running);
}

void
sl_inference_set_state (SlInference   *self,
                        SlEngineState  state,
                        const char    *error_text)
{
  self->state = state;
  g_free (self->error_text);
  /* A path in it may hold any bytes. */
  self->error_text = error_text != NULL ? g_utf8_make_valid (error_text, -1) : NULL;
  self->lacks_memory = FALSE;
  if (state != SL_ENGINE_READY)
    g_clear_pointer (&self->info, sl_model_info_free);
}

static void
post_request (SlInference        *self,
              SlInferenceRequest  request)
{
  self->request = request;
  self->serial++;
  atomic_store (&self->save_cancel, true);
  cancel_running (self);
  sl_guests_cancel_all (self->guests);
  g_cond_signal (&self->wake);
}

/* ------------------------------------------------------------------------------------------------ jobs */

/* Called and left with the lock held, after every use of the engine: one whose device failed is closed. */
static void
note_device (SlInference     *self,
             vl2_status       status,
             const vl2_error *err)
{
  if (status != VL2_ERR_DEVICE)
    return;
  g_mutex_unlock (&self->lock);
  sl_session_keeper_reset (self->keeper);
  sl_inference_close_model (self);
  g_mutex_lock (&self->lock);
  if (self->request != SL_REQUEST_NONE)
    return;
  sl_inference_set_state (self, SL_ENGINE_FAILED, err->text);
  sl_inference_empty_queue (self, SL_JOB_FAILED, err->text);
}

/* Called and left with the lock held. */
static void
run_job (SlInference *self)
{
  SlTicket *ticket = g_queue_pop_head (&self->queue);
  vl2_error err = { 0 };
  vl2_status status;

  self->running = ticket;
  g_mutex_lock (&ticket->lock);
  ticket->status.state = SL_JOB_PREFILL;
  ticket->status.position = 0;
  g_mutex_unlock (&ticket->lock);
  renumber (self);
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);

  status = sl_inference_answer (&(SlModelHandles) { self->engine, self->session, self->keeper, self->guests }, ticket, &err);
  if (status == VL2_CANCELLED || (status == VL2_OK && atomic_load (&ticket->cancel) && ticket->generation->stop == SL_STOP_USER))
    sl_ticket_finish (ticket, SL_JOB_STOPPED, NULL);
  else if (status == VL2_OK)
    sl_ticket_finish (ticket, SL_JOB_DONE, NULL);
  else
    sl_ticket_finish (ticket, SL_JOB_FAILED, err.text);
  g_mutex_lock (&self->lock);
  self->running = NULL;
  sl_ticket_unref (ticket);
  note_device (self, status, &err);
  renumber (self);
}

/* Called and left with the lock held: a guest's question is read, or all guests come a token further. */
static void
run_guests (SlInference *self,
            SlGuest     *guest)
{
  SlGuest *put_off = NULL;
  vl2_error err = { 0 };
  vl2_status status;

  g_mutex_unlock (&self->lock);
  if (guest != NULL)
    status = sl_guests_begin (self->guests, self->engine, guest, &put_off, &err);
  else
    status = sl_guests_advance (self->guests, NULL, &err);
  g_mutex_lock (&self->lock);
  if (put_off != NULL)
    sl_guests_push_first (self->guests, put_off);
  note_device (self, status, &err);
}

/* ------------------------------------------------------------------------------------------------ thread */

/* Called and left with the lock held; FALSE: nothing to do. */
static gboolean
serve (SlInference *self)
{
  SlInferenceRequest request = self->request;
  guint going = sl_guests_count_going (self->guests);
  SlGuest *guest = NULL;

  self->request = SL_REQUEST_NONE;
  if (request == SL_REQUEST_LOAD)
    sl_inference_load_model (self);
  else if (request == SL_REQUEST_UNLOAD)
    {
      g_mutex_unlock (&self->lock);
      sl_inference_close_model (self);
      g_mutex_lock (&self->lock);
    }
  else if (self->state == SL_ENGINE_READY && self->queue.length > 0)
    run_job (self);
  else if (self->state == SL_ENGINE_READY && ((guest = sl_guests_pop (self->guests)) != NULL || going > 0))
    {
      run_guests (self, guest);
      if (guest == NULL && sl_guests_count_going (self->guests) == going)
        return TRUE; /* a token is no news */
    }
  else if (sl_guests_are_over (self->guests))
    {
      g_mutex_unlock (&self->lock);
      sl_guests_close (self->guests, NULL);
      g_mutex_lock (&self->lock);
    }
  else
    return FALSE;

  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
  g_mutex_lock (&self->lock);
  return TRUE;
}

/* Called and left with the lock held, when there is nothing to do: what was read is saved after a while of quiet. */
static void
rest (SlInference *self)
{
  gboolean due = self->state == SL_ENGINE_READY && sl_session_keeper_is_due (self->keeper);

  if (!due)
    g_cond_wait (&self->wake, &self->lock);
  else if (!g_cond_wait_until (&self->wake, &self->lock, g_get_monotonic_time () + QUIET_US))
    {
      atomic_store (&self->save_cancel, false);
      g_mutex_unlock (&self->lock);
      sl_session_keeper_save (self->keeper, self->session, &self->save_cancel);
      g_mutex_lock (&self->lock);
    }
}

/* Below the interface: where processors are short, a frame or a key comes before the next token. The threads that the engine starts
 * from this one inherit it. On Linux the priority is the thread's own. */
static void
step_back (void)
{
#ifdef __linux__
  setpriority (PRIO_PROCESS, 0, MIN (getpriority (PRIO_PROCESS, 0) + SL_INFERENCE_NICE, 19));
#endif
}

static gpointer
inference_main (gpointer data)
{
  SlInference *self = data;

  step_back ();
  g_mutex_lock (&self->lock);
  while (self->request != SL_REQUEST_QUIT)
    if (!serve (self) && self->request == SL_REQUEST_NONE)
      rest (self);
  sl_inference_empty_queue (self, SL_JOB_STOPPED, NULL);
  sl_inference_set_state (self, SL_ENGINE_UNLOADED, NULL);
  g_mutex_unlock (&self->lock);
  sl_inference_close_model (self);
  return NULL;
}

SlInference *
sl_inference_new (void     (*changed) (gpointer user_data),
                  gpointer   user_data)
{
  SlInference *self = g_new0 (SlInference, 1);

  g_atomic_ref_count_init (&self->refs);
  self->changed = changed;
  self->user_data = user_data;
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  g_rw_lock_init (&self->model_lock);
  g_queue_init (&self->queue);
  atomic_init (&self->load_cancel, false);
  atomic_init (&self->save_cancel, false);
  self->keeper = sl_session_keeper_new ();
  self->guests = sl_guests_new ();
  self->thread = g_thread_new ("sightline-model", inference_main, self);
  return self;
}

SlInference *
sl_inference_ref (SlInference *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_inference_stop_all (SlInference *self)
{
  g_mutex_lock (&self->lock);
  post_request (self, SL_REQUEST_QUIT);
  g_mutex_unlock (&self->lock);
  g_thread_join (self->thread);
}

void
sl_inference_unref (SlInference *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_free (self->dir);
  g_free (self->device);
  g_free (self->error_text);
  sl_model_info_free (self->info);
  sl_session_keeper_free (self->keeper);
  sl_guests_free (self->guests);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->wake);
  g_rw_lock_clear (&self->model_lock);
  g_free (self);
}

/* ------------------------------------------------------------------------------------------------ asking */

void
sl_inference_load (SlInference           *self,
                   const char            *dir,
                   const SlEngineOptions *options)
{
  g_mutex_lock (&self->lock);
  g_free (self->dir);
  self->dir = g_strdup (dir);
  g_free (self->device);
  self->device = g_strdup (options != NULL ? options->device : NULL);
  self->threads = options != NULL ? options->threads : 0;
  self->context = options != NULL ? options->context : 0;
  self->memory_limit = options != NULL ? options->memory_limit : 0;
  self->loaded_bytes = self->total_bytes = 0;
  sl_inference_set_state (self, SL_ENGINE_LOADING, NULL);
  post_request (self, SL_REQUEST_LOAD);
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
}

static void
give_back (SlInference *self)
{
  sl_inference_set_state (self, SL_ENGINE_UNLOADED, NULL);
  sl_inference_empty_queue (self, SL_JOB_FAILED, _("No model is loaded"));
  post_request (self, SL_REQUEST_UNLOAD);
}

void
sl_inference_cancel_load (SlInference *self)
{
  g_mutex_lock (&self->lock);
  if (self->state == SL_ENGINE_LOADING)
    give_back (self);
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
}

void
sl_inference_unload (SlInference *self)
{
  g_mutex_lock (&self->lock);
  give_back (self);
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
}

static gboolean
is_patient (const SlTicket *ticket)
{
  return sl_prompt_get_patient (ticket->prompt);
}

/* Called with the lock held: those that are patient stand behind the others, and make room for them. */
static void
enqueue (SlInference *self,
         SlTicket    *ticket)
{
  GList *before = NULL;

  if (!is_patient (ticket))
    {
      for (before = self->queue.head; before != NULL && !is_patient (before->data); before = before->next)
        ;
      if (self->running != NULL && is_patient (self->running))
        sl_ticket_cancel (self->running);
    }
  g_queue_insert_before (&self->queue, before, sl_ticket_ref (ticket));
}

void
sl_inference_submit (SlInference *self,
                     SlTicket    *ticket)
{
  g_mutex_lock (&self->lock);
  if (self->state == SL_ENGINE_READY || self->state == SL_ENGINE_LOADING)
    {
      enqueue (self, ticket);
      atomic_store (&self->save_cancel, true);
      sl_guests_hurry (self->guests);
      renumber (self);
      g_cond_signal (&self->wake);
    }
  else
    sl_ticket_finish (ticket, SL_JOB_FAILED, self->error_text != NULL ? self->error_text : _("No model is loaded"));
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
}

void
sl_inference_stop (SlInference *self,
                   SlTicket    *ticket)
{
  g_mutex_lock (&self->lock);
  sl_ticket_cancel (ticket);
  if (g_queue_remove (&self->queue, ticket))
    {
      sl_ticket_finish (ticket, SL_JOB_STOPPED, NULL);
      sl_ticket_unref (ticket);
      renumber (self);
    }
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
}

void
sl_inference_submit_guest (SlInference *self,
                           SlGuest     *guest)
{
  g_autofree char *reason = NULL;

  g_mutex_lock (&self->lock);
  if (self->state == SL_ENGINE_READY || self->state == SL_ENGINE_LOADING)
    {
      sl_guests_push (self->guests, guest);
      atomic_store (&self->save_cancel, true);
      g_cond_signal (&self->wake);
    }
  else
    reason = g_strdup (self->error_text != NULL ? self->error_text : _("No model is loaded"));
  g_mutex_unlock (&self->lock);
  if (reason != NULL)
    sl_guest_end (sl_guest_ref (guest), SL_GUEST_FAILED, SL_STOP_ERROR, reason);
}

void
sl_inference_cancel_guest (SlInference *self,
                           SlGuest     *guest)
{
  gboolean waited;

  g_mutex_lock (&self->lock);
  waited = sl_guests_cancel (self->guests, guest);
  g_mutex_unlock (&self->lock);
  if (waited)
    sl_guest_end (guest, SL_GUEST_CANCELLED, SL_STOP_USER, NULL);
}

void
sl_inference_set_guest_limits (SlInference *self,
                               guint        at_once,
                               guint        context)
{
  g_mutex_lock (&self->lock);
  sl_guests_set_limits (self->guests, at_once, context);
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
}

void
sl_inference_read (SlInference        *self,
                   SlInferenceReading *reading)
{
  g_mutex_lock (&self->lock);
  reading->state = self->state;
  reading->error_text = g_strdup (self->error_text);
  reading->lacks_memory = self->lacks_memory;
  reading->loaded_bytes = self->loaded_bytes;
  reading->total_bytes = self->total_bytes;
  reading->info = self->info != NULL ? sl_model_info_copy (self->info) : NULL;
  reading->busy = self->running != NULL;
  reading->queue_length = self->queue.length;
  reading->guests_waiting = sl_guests_count_waiting (self->guests);
  reading->guests_going = sl_guests_count_going (self->guests);
  g_mutex_unlock (&self->lock);
}

void
sl_inference_reading_clear (SlInferenceReading *self)
{
  g_clear_pointer (&self->error_text, g_free);
  g_clear_pointer (&self->info, sl_model_info_free);
}

SlSessionKeeper *
sl_inference_get_keeper (SlInference *self)
{
  return self->keeper;
}

const vl2_engine *
sl_inference_borrow (SlInference *self,
                     guint       *capacity)
{
  if (!g_rw_lock_reader_trylock (&self->model_lock))
    return NULL;
  if (self->engine == NULL)
    {
      g_rw_lock_reader_unlock (&self->model_lock);
      return NULL;
    }
  if (capacity != NULL)
    *capacity = vl2_session_capacity (self->session);
  return self->engine;
}

void
sl_inference_release (SlInference *self)
{
  g_rw_lock_reader_unlock (&self->model_lock);
}
