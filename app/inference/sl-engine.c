/* SPDX-License-Identifier: MIT
 *
 * The UI thread's end of the inference thread: mirrors its readings as properties and drains jobs that nobody else drains.
 */
#include "app/inference/sl-engine-private.h"

#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#include "app/inference/sl-job-list.h"
#include "app/inference/sl-job-make.h"

struct _SlEngine
{
  GObject parent_instance;

  SlInference *inference; /* NULL after shutdown */
  SlInferenceReading reading;
  char *model_dir;
  GMainContext *context;
  SlJobList *jobs;
  char *session_dir;

  char *device; /* how the model was loaded, to load it again */
  int threads, context_size;
  guint64 memory_limit;
  guint idle_seconds;
  GSource *idle; /* runs while a model is loaded and nothing to do */
  gboolean asleep;

  GMutex lock; /* guards the next, which the inference thread sets */
  GSource *news;
};

enum { PROP_0, PROP_STATE, PROP_ERROR_TEXT, PROP_PROGRESS, PROP_LOADED_BYTES, PROP_TOTAL_BYTES, PROP_MODEL_DIR, PROP_BUSY,
       PROP_QUEUE_LENGTH, N_PROPS };

static GParamSpec *properties[N_PROPS];

static void init_answerer (SlAnswererInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SlEngine, sl_engine, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (SL_TYPE_ANSWERER, init_answerer))

static void
sl_engine_get_property (GObject    *object,
                        guint       id,
                        GValue     *value,
                        GParamSpec *pspec)
{
  SlEngine *self = SL_ENGINE (object);

  switch (id)
    {
    case PROP_STATE:
      g_value_set_int (value, self->reading.state);
      break;
    case PROP_ERROR_TEXT:
      g_value_set_string (value, self->reading.error_text);
      break;
    case PROP_PROGRESS:
      g_value_set_double (value, sl_engine_get_progress (self));
      break;
    case PROP_LOADED_BYTES:
      g_value_set_uint64 (value, self->reading.loaded_bytes);
      break;
    case PROP_TOTAL_BYTES:
      g_value_set_uint64 (value, self->reading.total_bytes);
      break;
    case PROP_MODEL_DIR:
      g_value_set_string (value, self->model_dir);
      break;
    case PROP_BUSY:
      g_value_set_boolean (value, self->reading.busy);
      break;
    case PROP_QUEUE_LENGTH:
      g_value_set_uint (value, self->reading.queue_length);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

/* ------------------------------------------------------------------------------------------------ news */

static void
notify_differences (SlEngine                 *self,
                    const SlInferenceReading *before)
{
  GObject *object = G_OBJECT (self);
  const SlInferenceReading *now = &self->reading;

  g_object_freeze_notify (object);
  if (before->state != now->state)
    g_object_notify_by_pspec (object, properties[PROP_STATE]);
  if (g_strcmp0 (before->error_text, now->error_text) != 0)
    g_object_notify_by_pspec (object, properties[PROP_ERROR_TEXT]);
  if (before->loaded_bytes != now->loaded_bytes)
    g_object_notify_by_pspec (object, properties[PROP_LOADED_BYTES]);
  if (before->total_bytes != now->total_bytes)
    g_object_notify_by_pspec (object, properties[PROP_TOTAL_BYTES]);
  if (before->loaded_bytes != now->loaded_bytes || before->total_bytes != now->total_bytes)
    g_object_notify_by_pspec (object, properties[PROP_PROGRESS]);
  if (before->busy != now->busy)
    g_object_notify_by_pspec (object, properties[PROP_BUSY]);
  if (before->queue_length != now->queue_length)
    g_object_notify_by_pspec (object, properties[PROP_QUEUE_LENGTH]);
  g_object_thaw_notify (object);
}

static void
destroy_source (GSource **source)
{
  if (*source != NULL)
    g_source_destroy (*source);
  g_clear_pointer (source, g_source_unref);
}

static void mirror (SlEngine *self);

static gboolean
on_idle (gpointer data)
{
  SlEngine *self = data;

  g_clear_pointer (&self->idle, g_source_unref);
  self->asleep = TRUE;
  sl_inference_unload (self->inference);
  mirror (self);
  return G_SOURCE_REMOVE;
}

static void
update_idle (SlEngine *self)
{
  gboolean idle = self->idle_seconds > 0 && self->reading.state == SL_ENGINE_READY && !self->reading.busy &&
                  self->reading.queue_length == 0 && self->reading.guests_waiting == 0 && self->reading.guests_going == 0;

  if (!idle)
    destroy_source (&self->idle);
  else if (self->idle == NULL)
    {
      self->idle = g_timeout_source_new_seconds (self->idle_seconds);
      g_source_set_callback (self->idle, on_idle, self, NULL);
      g_source_attach (self->idle, self->context);
    }
}

static void
mirror (SlEngine *self)
{
  SlInferenceReading before = self->reading;

  if (self->inference == NULL)
    return;
  sl_inference_read (self->inference, &self->reading);
  update_idle (self);
  notify_differences (self, &before);
  sl_inference_reading_clear (&before);
}

static gboolean
on_news (gpointer data)
{
  SlEngine *self = data;
  g_autoptr (SlEngine) alive = g_object_ref (self);

  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->news, g_source_unref);
  g_mutex_unlock (&self->lock);
  mirror (self);
  return G_SOURCE_REMOVE;
}

/* Any thread. Not an idle priority: redraws must not starve it. */
static void
on_inference_changed (gpointer user_data)
{
  SlEngine *self = user_data;

  g_mutex_lock (&self->lock);
  if (self->news == NULL)
    {
      self->news = g_idle_source_new ();
      g_source_set_priority (self->news, G_PRIORITY_DEFAULT);
      g_source_set_callback (self->news, on_news, self, NULL);
      g_source_attach (self->news, self->context);
    }
  g_mutex_unlock (&self->lock);
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_engine_dispose (GObject *object)
{
  SlEngine *self = SL_ENGINE (object);

  sl_engine_shutdown (self);
  G_OBJECT_CLASS (sl_engine_parent_class)->dispose (object);
}

static void
sl_engine_finalize (GObject *object)
{
  SlEngine *self = SL_ENGINE (object);

  sl_inference_reading_clear (&self->reading);
  sl_job_list_free (self->jobs); /* with what was submitted after the shutdown */
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_free (self->model_dir);
  g_free (self->session_dir);
  g_free (self->device);
  G_OBJECT_CLASS (sl_engine_parent_class)->finalize (object);
}

static void
sl_engine_class_init (SlEngineClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_engine_get_property;
  object_class->dispose = sl_engine_dispose;
  object_class->finalize = sl_engine_finalize;

  properties[PROP_STATE] = g_param_spec_int ("state", NULL, NULL, 0, SL_ENGINE_FAILED, 0, flags);
  properties[PROP_ERROR_TEXT] = g_param_spec_string ("error-text", NULL, NULL, NULL, flags);
  properties[PROP_PROGRESS] = g_param_spec_double ("progress", NULL, NULL, 0, 1, 0, flags);
  properties[PROP_LOADED_BYTES] = g_param_spec_uint64 ("loaded-bytes", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  properties[PROP_TOTAL_BYTES] = g_param_spec_uint64 ("total-bytes", NULL, NULL, 0, G_MAXUINT64, 0, flags);
  properties[PROP_MODEL_DIR] = g_param_spec_string ("model-dir", NULL, NULL, NULL, flags);
  properties[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, flags);
  properties[PROP_QUEUE_LENGTH] = g_param_spec_uint ("queue-length", NULL, NULL, 0, G_MAXUINT, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
sl_engine_init (SlEngine *self)
{
  g_mutex_init (&self->lock);
  self->context = g_main_context_ref_thread_default ();
  self->jobs = sl_job_list_new ();
  self->inference = sl_inference_new (on_inference_changed, self);
}

SlEngine *
sl_engine_new (void)
{
  return g_object_new (SL_TYPE_ENGINE, NULL);
}

static void
set_model_dir (SlEngine   *self,
               const char *dir)
{
  g_autofree char *copy = g_strdup (dir);

  if (g_strcmp0 (copy, self->model_dir) == 0)
    return;
  g_free (self->model_dir);
  self->model_dir = g_steal_pointer (&copy);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MODEL_DIR]);
}

void
sl_engine_load (SlEngine              *self,
                const char            *dir,
                const SlEngineOptions *options)
{
  g_return_if_fail (SL_IS_ENGINE (self));
  g_return_if_fail (dir != NULL);

  if (self->inference == NULL)
    return;
  set_model_dir (self, dir);
  if (options == NULL || options->device != self->device)
    {
      g_free (self->device);
      self->device = options != NULL ? g_strdup (options->device) : NULL;
    }
  self->threads = options != NULL ? options->threads : 0;
  self->context_size = options != NULL ? options->context : 0;
  self->memory_limit = options != NULL ? options->memory_limit : 0;
  self->asleep = FALSE;
  sl_inference_load (self->inference, self->model_dir, options);
  mirror (self);
}

void
sl_engine_wake (SlEngine *self)
{
  const SlEngineOptions options = { .device = self->device,
                                    .threads = self->threads,
                                    .context = self->context_size,
                                    .memory_limit = self->memory_limit };
  g_autofree char *dir = g_strdup (self->model_dir);

  if (self->asleep && self->inference != NULL)
    sl_engine_load (self, dir, &options);
}

void
sl_engine_set_idle_seconds (SlEngine *self,
                            guint     seconds)
{
  g_return_if_fail (SL_IS_ENGINE (self));

  if (seconds == self->idle_seconds)
    return;
  self->idle_seconds = seconds;
  destroy_source (&self->idle);
  update_idle (self);
}

gboolean
sl_engine_is_asleep (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), FALSE);

  return self->asleep;
}

void
sl_engine_cancel_load (SlEngine *self)
{
  g_return_if_fail (SL_IS_ENGINE (self));

  if (self->inference == NULL || self->reading.state != SL_ENGINE_LOADING)
    return;
  sl_inference_cancel_load (self->inference);
  mirror (self);
  if (self->reading.state == SL_ENGINE_UNLOADED)
    set_model_dir (self, NULL);
}

void
sl_engine_unload (SlEngine *self)
{
  g_return_if_fail (SL_IS_ENGINE (self));

  if (self->inference == NULL)
    return;
  self->asleep = FALSE;
  sl_inference_unload (self->inference);
  mirror (self);
  set_model_dir (self, NULL);
}

SlEngineState
sl_engine_get_state (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), SL_ENGINE_UNLOADED);

  return self->reading.state;
}

const char *
sl_engine_get_error_text (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), NULL);

  return self->reading.error_text;
}

gboolean
sl_engine_get_lacks_memory (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), FALSE);

  return self->reading.state == SL_ENGINE_FAILED && self->reading.lacks_memory;
}

double
sl_engine_get_progress (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), 0);

  return self->reading.total_bytes > 0 ? MIN (1.0, (double) self->reading.loaded_bytes / self->reading.total_bytes) : 0;
}

guint64
sl_engine_get_loaded_bytes (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), 0);

  return self->reading.loaded_bytes;
}

guint64
sl_engine_get_total_bytes (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), 0);

  return self->reading.total_bytes;
}

const char *
sl_engine_get_model_dir (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), NULL);

  return self->model_dir;
}

const SlModelInfo *
sl_engine_get_info (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), NULL);

  return self->reading.info;
}

gboolean
sl_engine_is_busy (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), FALSE);

  return self->reading.busy;
}

guint
sl_engine_get_queue_length (SlEngine *self)
{
  g_return_val_if_fail (SL_IS_ENGINE (self), 0);

  return self->reading.queue_length;
}

static void
stop_ticket (SlTicket *ticket,
             gpointer  owner)
{
  SlEngine *self = owner;

  if (self->inference != NULL)
    sl_inference_stop (self->inference, ticket);
}

SlJob *
sl_engine_submit (SlEngine *self,
                  SlPrompt *prompt)
{
  SlTicket *ticket;
  SlJob *job;

  g_return_val_if_fail (SL_IS_ENGINE (self), NULL);
  g_return_val_if_fail (prompt != NULL, NULL);

  sl_engine_wake (self);
  ticket = sl_ticket_new (prompt);
  job = sl_job_new (ticket, stop_ticket, self);
  if (self->inference != NULL)
    sl_inference_submit (self->inference, ticket);
  else
    sl_ticket_finish (ticket, SL_JOB_FAILED, _("The model has been shut down"));
  sl_ticket_unref (ticket);
  sl_job_list_add (self->jobs, job);
  mirror (self);
  return job;
}

guint
sl_engine_get_picture_tokens (SlEngine *self,
                              int       width,
                              int       height,
                              SlDetail  detail,
                              guint     n_pictures)
{
  const vl2_engine *engine;
  guint tokens;

  g_return_val_if_fail (SL_IS_ENGINE (self), 0);

  engine = self->inference != NULL ? sl_inference_borrow (self->inference, NULL) : NULL;
  if (engine == NULL)
    return 0;
  tokens = vl2_engine_picture_tokens (engine, width, height, detail == SL_DETAIL_AUTO && n_pictures <= 2);
  sl_inference_release (self->inference);
  return tokens;
}

SlInference *
sl_engine_get_inference (SlEngine *self)
{
  return self->inference;
}

void
sl_engine_set_session_dir (SlEngine   *self,
                           const char *dir)
{
  g_return_if_fail (SL_IS_ENGINE (self));

  g_free (self->session_dir);
  self->session_dir = g_strdup (dir);
  if (self->inference != NULL)
    sl_session_keeper_set_dir (sl_inference_get_keeper (self->inference), dir);
}

static void
remove_in_thread (GTask        *task,
                  gpointer      source,
                  gpointer      path,
                  GCancellable *cancellable)
{
  g_unlink (path);
  g_task_return_boolean (task, TRUE);
}

void
sl_engine_forget_session (SlEngine   *self,
                          const char *name)
{
  g_autoptr (GTask) task = NULL;
  char *path;

  g_return_if_fail (SL_IS_ENGINE (self));

  path = self->inference != NULL ? sl_session_keeper_forget (sl_inference_get_keeper (self->inference), name) : NULL;
  if (path == NULL)
    return;
  task = g_task_new (NULL, NULL, NULL, NULL);
  g_task_set_task_data (task, path, g_free);
  g_task_run_in_thread (task, remove_in_thread);
}

/* ------------------------------------------------------------------------------------------------ as one of several engines */

static SlJob *
answerer_submit (SlAnswerer *answerer,
                 SlPrompt   *prompt)
{
  return sl_engine_submit (SL_ENGINE (answerer), prompt);
}

static const char *
answerer_get_id (SlAnswerer *answerer)
{
  return "";
}

static char *
answerer_dup_place (SlAnswerer *answerer)
{
  return NULL;
}

static char *
answerer_dup_why_not (SlAnswerer *answerer,
                      SlAbility   ability)
{
  return NULL;
}

static void
init_answerer (SlAnswererInterface *iface)
{
  iface->submit = answerer_submit;
  iface->get_id = answerer_get_id;
  iface->dup_place = answerer_dup_place;
  iface->dup_why_not = answerer_dup_why_not;
}

void
sl_engine_shutdown (SlEngine *self)
{
  SlInference *inference;
  SlInferenceReading before;

  g_return_if_fail (SL_IS_ENGINE (self));

  inference = g_steal_pointer (&self->inference);
  if (inference == NULL)
    return;
  sl_inference_stop_all (inference);
  sl_inference_unref (inference);
  destroy_source (&self->news);
  destroy_source (&self->idle);
  sl_job_list_clear (self->jobs);
  before = self->reading;
  self->reading = (SlInferenceReading) { .state = SL_ENGINE_UNLOADED };
  notify_differences (self, &before);
  sl_inference_reading_clear (&before);
}
