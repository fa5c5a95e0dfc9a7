/* SPDX-License-Identifier: MIT
 *
 * The inference thread's loop: a model to load or give back comes before the next job; a job runs to its end or to a stop.
 * `lock` guards what other threads see; `model_lock` is held for writing while the handles change, so that others may use the
 * engine's pure functions in between.
 */
#include "app/inference/sl-inference-private.h"

#include <glib/gi18n-lib.h>
#include <sys/resource.h>

#include "app/inference/sl-model-folder.h"
#include "app/inference/sl-models.h"

#define RING_BYTES (64 * 1024)
#define QUIET_US (5 * G_USEC_PER_SEC) /* without work, before what was read is saved */

typedef enum { REQUEST_NONE, REQUEST_LOAD, REQUEST_UNLOAD, REQUEST_QUIT } Request;

struct _SlInference
{
  gatomicrefcount refs;
  GThread *thread;
  void (*changed) (gpointer user_data);
  gpointer user_data;

  GMutex lock;
  GCond wake;
  Request request;
  guint serial; /* of the newest request: the outcome of an older load is nobody's */
  char *dir, *device;
  int threads, context;
  guint64 memory_limit;
  vl2_cancel load_cancel;
  SlEngineState state;
  char *error_text;
  gboolean lacks_memory;
  guint64 loaded_bytes, total_bytes;
  SlModelInfo *info;
  GQueue queue; /* of SlTicket */
  SlTicket *running;

  SlSessionKeeper *keeper;
  vl2_cancel save_cancel; /* there is something else to do */

  GRWLock model_lock;
  vl2_engine *engine;
  vl2_session *session;
};

/* ------------------------------------------------------------------------------------------------ values */

SlTicket *
sl_ticket_new (SlPrompt *prompt)
{
  SlTicket *self = g_new0 (SlTicket, 1);

  g_atomic_ref_count_init (&self->refs);
  self->prompt = sl_prompt_ref (prompt);
  self->ring = sl_token_ring_new (RING_BYTES);
  self->generation = sl_generation_new ();
  self->reading = g_cancellable_new ();
  atomic_init (&self->cancel, false);
  g_mutex_init (&self->lock);
  return self;
}

SlTicket *
sl_ticket_ref (SlTicket *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_ticket_unref (SlTicket *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  sl_prompt_unref (self->prompt);
  sl_token_ring_free (self->ring);
  g_object_unref (self->reading);
  sl_generation_free (self->generation);
  g_mutex_clear (&self->lock);
  g_free (self);
}

void
sl_ticket_finish (SlTicket   *self,
                  SlJobState  state,
                  const char *reason)
{
  g_mutex_lock (&self->lock);
  self->status.state = state;
  self->status.position = 0;
  if (state == SL_JOB_FAILED)
    {
      g_free (self->generation->error);
      self->generation->error = reason != NULL ? g_utf8_make_valid (reason, -1) : NULL;
      self->generation->stop = SL_STOP_ERROR;
    }
  else if (state == SL_JOB_STOPPED)
    self->generation->stop = SL_STOP_USER;
  g_mutex_unlock (&self->lock);
}

static SlModelInfo *
make_info (const char              *dir,
           const struct vl2_info   *info,
           int                      context)
{
  SlModelInfo *out = g_new0 (SlModelInfo, 1);

  out->dir = g_strdup (dir);
  out->name = sl_model_folder_dup_name (dir);
  out->device = g_strdup (info->device);
  out->isa = g_strdup (info->isa);
  out->architecture = g_strdup (info->architecture);
  out->router = g_strdup (info->router);
  out->weight_dtype = g_strdup (info->weight_dtype);
  out->parameters = info->parameters;
  out->weight_bytes = info->weight_bytes;
  out->layers = info->layers;
  out->hidden = info->hidden;
  out->vocab = info->vocab;
  out->experts = info->experts;
  out->experts_per_token = info->experts_per_token;
  out->context = context;
  out->threads = info->threads;
  out->tile_side = info->tile_side;
  out->tokens_per_tile = info->tokens_per_tile;
  out->is_demo = sl_model_folder_is_demo (dir);
  return out;
}

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

static void
empty_queue (SlInference *self,
             SlJobState   state,
             const char  *reason)
{
  SlTicket *ticket;

  while ((ticket = g_queue_pop_head (&self->queue)) != NULL)
    {
      sl_ticket_finish (ticket, state, reason);
      sl_ticket_unref (ticket);
    }
}

/* Wherever it is: in the engine, waiting for room in the ring, or still reading pictures. */
static void
cancel_ticket (SlTicket *ticket)
{
  atomic_store (&ticket->cancel, true);
  sl_token_ring_release (ticket->ring);
  g_cancellable_cancel (ticket->reading);
}

static void
cancel_running (SlInference *self)
{
  atomic_store (&self->load_cancel, true);
  if (self->running != NULL)
    cancel_ticket (self->running);
}

static void
set_state (SlInference   *self,
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
post_request (SlInference *self,
              Request      request)
{
  self->request = request;
  self->serial++;
  atomic_store (&self->save_cancel, true);
  cancel_running (self);
  g_cond_signal (&self->wake);
}

/* ------------------------------------------------------------------------------------------------ model */

/* Inference thread, without lock. */
static void
close_model (SlInference *self)
{
  if (self->session != NULL)
    sl_session_keeper_save (self->keeper, self->session, NULL);
  sl_session_keeper_reset (self->keeper);
  g_rw_lock_writer_lock (&self->model_lock);
  g_clear_pointer (&self->session, vl2_session_close);
  g_clear_pointer (&self->engine, vl2_engine_close);
  g_rw_lock_writer_unlock (&self->model_lock);
}

typedef struct
{
  SlInference *inference;
  guint serial;
} LoadWatch;

static void
on_load_progress (vl2_stage  stage,
                  uint64_t   done,
                  uint64_t   total,
                  void      *user)
{
  LoadWatch *watch = user;
  SlInference *self = watch->inference;

  g_mutex_lock (&self->lock);
  if (self->serial == watch->serial)
    {
      self->loaded_bytes = done;
      self->total_bytes = total;
    }
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
}

/* Opens both handles or none. */
static vl2_status
open_model (SlInference *self,
            const char  *dir,
            const char  *device,
            int          threads,
            int          context,
            guint64      memory_limit,
            guint        serial,
            vl2_error   *err)
{
  LoadWatch watch = { self, serial };
  struct vl2_engine_options options = { .device = device, .threads = threads, .progress = on_load_progress,
                                        .progress_user = &watch, .cancel = &self->load_cancel,
                                        .memory_limit = memory_limit };
  struct vl2_session_options session_options = { .context = context };
  g_autofree char *files = sl_model_folder_resolve (dir);
  vl2_engine *engine = NULL;
  vl2_session *session = NULL;
  vl2_status status = vl2_engine_open (files, &options, &engine, err);

  if (status == VL2_OK)
    status = vl2_session_open (engine, &session_options, &session, err);
  if (status != VL2_OK)
    {
      vl2_engine_close (engine);
      return status;
    }
  g_rw_lock_writer_lock (&self->model_lock);
  self->engine = engine;
  self->session = session;
  g_rw_lock_writer_unlock (&self->model_lock);
  return VL2_OK;
}

/* Called and left with the lock held. */
static void
load_model (SlInference *self)
{
  g_autofree char *dir = g_strdup (self->dir);
  g_autofree char *device = g_strdup (self->device);
  g_autofree char *cause = NULL;
  int threads = self->threads, context = self->context;
  guint64 memory_limit = self->memory_limit;
  guint serial = self->serial;
  vl2_error err = { 0 };
  vl2_status status;

  atomic_store (&self->load_cancel, false);
  g_mutex_unlock (&self->lock);
  close_model (self);
  status = open_model (self, dir, device, threads, context, memory_limit, serial, &err);
  if (status == VL2_ERR_IO || status == VL2_ERR_MODEL)
    cause = sl_model_folder_explain (dir, NULL);
  if (cause == NULL)
    cause = g_strdup (err.text);
  g_mutex_lock (&self->lock);

  if (self->serial != serial)
    {
      g_mutex_unlock (&self->lock);
      close_model (self);
      g_mutex_lock (&self->lock);
    }
  else if (status == VL2_OK)
    {
      self->loaded_bytes = self->total_bytes;
      set_state (self, SL_ENGINE_READY, NULL);
      self->info = make_info (dir, vl2_engine_info (self->engine), vl2_session_capacity (self->session));
    }
  else
    {
      set_state (self, SL_ENGINE_FAILED, cause);
      self->lacks_memory = status == VL2_ERR_MEMORY;
      empty_queue (self, SL_JOB_FAILED, cause);
    }
}

/* ------------------------------------------------------------------------------------------------ jobs */

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

  status = sl_inference_answer (&(SlModelHandles) { self->engine, self->session, self->keeper }, ticket, &err);
  if (status == VL2_CANCELLED || (status == VL2_OK && atomic_load (&ticket->cancel) && ticket->generation->stop == SL_STOP_USER))
    sl_ticket_finish (ticket, SL_JOB_STOPPED, NULL);
  else if (status == VL2_OK)
    sl_ticket_finish (ticket, SL_JOB_DONE, NULL);
  else
    sl_ticket_finish (ticket, SL_JOB_FAILED, err.text);
  if (status == VL2_ERR_DEVICE)
    {
      sl_session_keeper_reset (self->keeper);
      close_model (self);
    }

  g_mutex_lock (&self->lock);
  self->running = NULL;
  sl_ticket_unref (ticket);
  if (status == VL2_ERR_DEVICE && self->request == REQUEST_NONE)
    {
      set_state (self, SL_ENGINE_FAILED, err.text);
      empty_queue (self, SL_JOB_FAILED, err.text);
    }
  renumber (self);
}

/* ------------------------------------------------------------------------------------------------ thread */

/* Called and left with the lock held; FALSE: nothing to do. */
static gboolean
serve (SlInference *self)
{
  Request request = self->request;

  self->request = REQUEST_NONE;
  if (request == REQUEST_LOAD)
    load_model (self);
  else if (request == REQUEST_UNLOAD)
    {
      g_mutex_unlock (&self->lock);
      close_model (self);
      g_mutex_lock (&self->lock);
    }
  else if (self->state == SL_ENGINE_READY && self->queue.length > 0)
    run_job (self);
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
  while (self->request != REQUEST_QUIT)
    if (!serve (self) && self->request == REQUEST_NONE)
      rest (self);
  empty_queue (self, SL_JOB_STOPPED, NULL);
  set_state (self, SL_ENGINE_UNLOADED, NULL);
  g_mutex_unlock (&self->lock);
  close_model (self);
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
  post_request (self, REQUEST_QUIT);
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
  set_state (self, SL_ENGINE_LOADING, NULL);
  post_request (self, REQUEST_LOAD);
  g_mutex_unlock (&self->lock);
  self->changed (self->user_data);
}

static void
give_back (SlInference *self)
{
  set_state (self, SL_ENGINE_UNLOADED, NULL);
  empty_queue (self, SL_JOB_FAILED, _("No model is loaded"));
  post_request (self, REQUEST_UNLOAD);
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

void
sl_inference_submit (SlInference *self,
                     SlTicket    *ticket)
{
  g_mutex_lock (&self->lock);
  if (self->state == SL_ENGINE_READY || self->state == SL_ENGINE_LOADING)
    {
      g_queue_push_tail (&self->queue, sl_ticket_ref (ticket));
      atomic_store (&self->save_cancel, true);
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
  cancel_ticket (ticket);
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
