/* SPDX-License-Identifier: MIT
 *
 * Opens and closes the engine and its session on the inference thread.
 */
#include "app/inference/sl-inference-private.h"

#include "app/inference/sl-model-folder.h"

static SlModelInfo *
make_info (const char            *dir,
           const char            *identity,
           const struct vl2_info *info,
           int                    context)
{
  SlModelInfo *out = g_new0 (SlModelInfo, 1);

  out->identity = g_strdup (identity);
  out->dir = g_strdup (dir);
  out->name = sl_model_folder_dup_name (dir);
  out->family = g_strdup (info->family);
  out->document = info->document;
  out->device = g_strdup (info->device);
  out->isa = g_strdup (info->isa);
  out->architecture = g_strdup (info->architecture);
  out->router = g_strdup (info->router);
  out->weight_dtype = g_strdup (info->weight_dtype);
  out->fallback = g_strdup (info->fallback != NULL ? info->fallback : "");
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

void
sl_inference_close_model (SlInference *self)
{
  if (self->session != NULL)
    sl_session_keeper_save (self->keeper, self->session, NULL);
  sl_session_keeper_reset (self->keeper);
  sl_guests_close (self->guests, NULL);
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

void
sl_inference_load_model (SlInference *self)
{
  g_autofree char *dir = g_strdup (self->dir);
  g_autofree char *device = g_strdup (self->device);
  g_autofree char *cause = NULL;
  int threads = self->threads, context = self->context;
  guint64 memory_limit = self->memory_limit;
  guint serial = self->serial;
  char identity[48] = "";
  vl2_error err = { 0 };
  vl2_status status;

  atomic_store (&self->load_cancel, false);
  g_mutex_unlock (&self->lock);
  sl_inference_close_model (self);
  status = open_model (self, dir, device, threads, context, memory_limit, serial, &err);
  if (status == VL2_OK)
    vl2_engine_identity (self->engine, identity); /* reads the files */
  if (status == VL2_ERR_IO || status == VL2_ERR_MODEL)
    cause = sl_model_folder_explain (dir, NULL);
  if (cause == NULL)
    cause = g_strdup (err.text);
  g_mutex_lock (&self->lock);

  if (self->serial != serial)
    {
      g_mutex_unlock (&self->lock);
      sl_inference_close_model (self);
      g_mutex_lock (&self->lock);
    }
  else if (status == VL2_OK)
    {
      self->loaded_bytes = self->total_bytes;
      sl_inference_set_state (self, SL_ENGINE_READY, NULL);
      self->info = make_info (dir, identity, vl2_engine_info (self->engine), vl2_session_capacity (self->session));
    }
  else
    {
      sl_inference_set_state (self, SL_ENGINE_FAILED, cause);
      self->lacks_memory = status == VL2_ERR_MEMORY;
      sl_inference_empty_queue (self, SL_JOB_FAILED, cause);
    }
}
