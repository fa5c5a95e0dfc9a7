/* SPDX-License-Identifier: MIT
 *
 * Planning a prompt: asked for on the UI thread, tokenised on a worker of GTask's pool, which borrows the loaded engine for its
 * pure functions. Pictures count by their size; none is decoded.
 */
#include "app/inference/sl-engine-private.h"

#include <glib/gi18n-lib.h>

#include "app/inference/sl-inference.h"
#include "app/prompt/sl-prompt-view.h"

G_STATIC_ASSERT ((int) SL_OVERFLOW_DROP_OLDEST - 1 == (int) VL2_FIT_DROP_OLDEST
                 && (int) SL_OVERFLOW_LOW_DETAIL - 1 == (int) VL2_FIT_LOW_DETAIL
                 && (int) SL_OVERFLOW_SHORTEN - 1 == (int) VL2_FIT_SHORTEN);

typedef struct
{
  SlInference *inference;
  SlPrompt *prompt;
} Request;

static void
request_free (gpointer data)
{
  Request *self = data;

  sl_inference_unref (self->inference);
  sl_prompt_unref (self->prompt);
  g_free (self);
}

static void
take_choices (SlPlan                *out,
              const struct vl2_plan *plan)
{
  for (guint i = 0; i < VL2_FIT_COUNT; i++)
    {
      const struct vl2_plan_choice *choice = &plan->choices[i];

      out->choices[i + 1] = (SlPlanChoice) { .possible = choice->possible, .tokens = choice->tokens,
                                             .messages = choice->messages, .excess = choice->excess };
    }
}

static SlPlan *
take_plan (const struct vl2_plan *plan)
{
  SlPlan *out = sl_plan_new ();

  out->tokens = plan->tokens;
  out->capacity = plan->context;
  out->room = plan->room;
  out->fits = plan->fits;
  out->tiling_changed = plan->tiling_changed;
  out->chunk = plan->chunk;
  out->weight_bytes = plan->now.weights;
  out->cache_bytes = plan->now.cache;
  out->peak_bytes = plan->now.peak;
  out->full_bytes = plan->full.peak;
  out->available_bytes = plan->now.available;
  take_choices (out, plan);
  for (gsize i = 0; i < plan->n_messages; i++)
    {
      const struct vl2_plan_message *m = &plan->messages[i];
      SlPlanMessage message = { (SlRole) m->role, m->tokens, m->n_pictures };

      g_array_append_val (out->messages, message);
    }
  for (gsize i = 0; i < plan->n_pictures; i++)
    {
      const struct vl2_plan_picture *p = &plan->pictures[i];
      SlPlanPicture picture = { .message = p->message, .width = p->width, .height = p->height, .grid_w = p->grid_w,
                                .grid_h = p->grid_h, .tiled = p->crop, .tiling_changed = p->tiling_changed,
                                .tokens = p->tokens };

      g_array_append_val (out->pictures, picture);
    }
  return out;
}

static void
plan_in_thread (GTask        *task,
                gpointer      source,
                gpointer      data,
                GCancellable *cancellable)
{
  Request *request = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPromptView) view = sl_prompt_view_new (request->prompt, SL_PROMPT_VIEW_SIZES, cancellable, &error);
  struct vl2_session_options options = { 0 };
  const SlSettings *settings = sl_prompt_get_settings (request->prompt);
  struct vl2_plan plan;
  const vl2_engine *engine;
  guint capacity;
  vl2_error err = { 0 };
  vl2_status status;

  if (view == NULL)
    {
      g_task_return_error (task, g_steal_pointer (&error));
      return;
    }
  engine = sl_inference_borrow (request->inference, &capacity);
  if (engine == NULL)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_NOT_INITIALIZED, "%s", _("No model is loaded"));
      return;
    }
  options.context = capacity;
  status = vl2_plan_make (engine, sl_prompt_view_get (view), &options, settings->max_tokens, &plan, &err);
  sl_inference_release (request->inference);
  if (status != VL2_OK)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "%s", err.text);
      return;
    }
  g_task_return_pointer (task, take_plan (&plan), (GDestroyNotify) sl_plan_free);
  vl2_plan_deinit (&plan);
}

void
sl_engine_plan_async (SlEngine            *self,
                      SlPrompt            *prompt,
                      GCancellable        *cancellable,
                      GAsyncReadyCallback  callback,
                      gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (self, cancellable, callback, user_data);
  SlInference *inference = sl_engine_get_inference (self);
  Request *request;

  g_return_if_fail (SL_IS_ENGINE (self));
  g_return_if_fail (prompt != NULL);

  g_task_set_source_tag (task, sl_engine_plan_async);
  if (inference == NULL)
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_NOT_INITIALIZED, "%s", _("No model is loaded"));
      return;
    }
  request = g_new0 (Request, 1);
  request->inference = sl_inference_ref (inference);
  request->prompt = sl_prompt_ref (prompt);
  g_task_set_task_data (task, request, request_free);
  g_task_run_in_thread (task, plan_in_thread);
}

SlPlan *
sl_engine_plan_finish (SlEngine      *self,
                       GAsyncResult  *result,
                       GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
