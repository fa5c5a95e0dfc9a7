/* SPDX-License-Identifier: MIT
 *
 * Holds what takes time: planning a question, opening a conversation, decoding a picture (linked with --wrap).
 */
#include "tests/ui/held-calls.h"

#include "app/history/sl-history.h"
#include "app/pictures/sl-picture.h"

/* A call that has not been made yet. */
typedef struct
{
  gpointer object;
  gpointer argument;
  GDestroyNotify release;
  gint64 id;
  GCancellable *cancellable;
  GAsyncReadyCallback callback;
  gpointer user_data;
} Held;

gboolean hold_plans, hold_openings, hold_files, nothing_fits;
GQueue plans = G_QUEUE_INIT, openings = G_QUEUE_INIT, files = G_QUEUE_INIT;

static void
hold (GQueue *queue,
      Held    call)
{
  call.cancellable = call.cancellable != NULL ? g_object_ref (call.cancellable) : NULL;
  g_queue_push_tail (queue, g_memdup2 (&call, sizeof call));
}

static Held
take (GQueue *queue)
{
  g_autofree Held *call = g_queue_pop_head (queue);

  g_assert_nonnull (call);
  return *call;
}

static void
let_go (Held *call)
{
  g_clear_object (&call->cancellable);
  if (call->release != NULL)
    call->release (call->argument);
  if (call->object != NULL)
    g_object_unref (call->object);
}

void __real_sl_engine_plan_async (SlEngine *engine, SlPrompt *prompt, GCancellable *cancellable, GAsyncReadyCallback callback,
                                  gpointer user_data);
void __wrap_sl_engine_plan_async (SlEngine *engine, SlPrompt *prompt, GCancellable *cancellable, GAsyncReadyCallback callback,
                                  gpointer user_data);
SlPlan *__real_sl_engine_plan_finish (SlEngine *engine, GAsyncResult *result, GError **error);
SlPlan *__wrap_sl_engine_plan_finish (SlEngine *engine, GAsyncResult *result, GError **error);
void __real_sl_history_open_async (SlHistory *history, gint64 id, GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer user_data);
void __wrap_sl_history_open_async (SlHistory *history, gint64 id, GCancellable *cancellable, GAsyncReadyCallback callback,
                                   gpointer user_data);
void __real_sl_picture_new_from_file_async (GFile *file, GCancellable *cancellable, GAsyncReadyCallback callback,
                                            gpointer user_data);
void __wrap_sl_picture_new_from_file_async (GFile *file, GCancellable *cancellable, GAsyncReadyCallback callback,
                                            gpointer user_data);

void
__wrap_sl_engine_plan_async (SlEngine            *engine,
                             SlPrompt            *prompt,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  if (hold_plans)
    hold (&plans, (Held) { g_object_ref (engine), sl_prompt_ref (prompt), (GDestroyNotify) sl_prompt_unref, 0, cancellable,
                           callback, user_data });
  else
    __real_sl_engine_plan_async (engine, prompt, cancellable, callback, user_data);
}

void
release_plan (void)
{
  Held call = take (&plans);

  __real_sl_engine_plan_async (call.object, call.argument, call.cancellable, call.callback, call.user_data);
  let_go (&call);
}

SlPlan *
__wrap_sl_engine_plan_finish (SlEngine      *engine,
                              GAsyncResult  *result,
                              GError       **error)
{
  SlPlan *plan = __real_sl_engine_plan_finish (engine, result, error);

  if (plan != NULL && nothing_fits)
    plan->fits = FALSE;
  return plan;
}

void
__wrap_sl_history_open_async (SlHistory           *history,
                              gint64               id,
                              GCancellable        *cancellable,
                              GAsyncReadyCallback  callback,
                              gpointer             user_data)
{
  if (hold_openings)
    hold (&openings, (Held) { g_object_ref (history), NULL, NULL, id, cancellable, callback, user_data });
  else
    __real_sl_history_open_async (history, id, cancellable, callback, user_data);
}

void
release_opening (void)
{
  Held call = take (&openings);

  __real_sl_history_open_async (call.object, call.id, call.cancellable, call.callback, call.user_data);
  let_go (&call);
}

void
__wrap_sl_picture_new_from_file_async (GFile               *file,
                                       GCancellable        *cancellable,
                                       GAsyncReadyCallback  callback,
                                       gpointer             user_data)
{
  if (hold_files)
    hold (&files, (Held) { g_object_ref (file), NULL, NULL, 0, cancellable, callback, user_data });
  else
    __real_sl_picture_new_from_file_async (file, cancellable, callback, user_data);
}

void
release_file (void)
{
  Held call = take (&files);

  __real_sl_picture_new_from_file_async (call.object, call.cancellable, call.callback, call.user_data);
  let_go (&call);
}

gboolean
is_held (gpointer queue)
{
  return ((GQueue *) queue)->length > 0;
}
