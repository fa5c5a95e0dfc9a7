/* SPDX-License-Identifier: MIT
 *
 * Says in a sentence whether a model fits this computer. The engine plans a question about a picture of common size with the
 * whole context in use. On the processor the weights are mapped, not copied: what counts is whether the system can keep all of
 * their pages at once.
 */
#include "app/inference/sl-model-fit.h"

#include <glib/gi18n-lib.h>

#include "app/inference/sl-format.h"
#include "app/inference/sl-model-folder.h"
#include "app/inference/sl-models.h"
#include "app/system/sl-diagnostics.h"
#include "engine/vl2.h"

#define MAX_GPUS 16

/* The bytes that the model takes with one picture and its whole context in use, and what the system can give. */
static gboolean
plan_memory (const char  *dir,
             guint64     *needed,
             guint64     *available,
             GError     **error)
{
  const struct vl2_engine_options options = { .headers_only = true };
  const vl2_picture picture = { .width = 1024, .height = 768 };
  const vl2_part parts[] = { { .kind = VL2_PART_PICTURE, .picture = &picture }, { .kind = VL2_PART_TEXT, .text = "?", .length = 1 } };
  const vl2_message message = { .role = VL2_USER, .parts = parts, .n_parts = G_N_ELEMENTS (parts) };
  const vl2_conversation conversation = { .messages = &message, .n_messages = 1 };
  vl2_engine *engine = NULL;
  struct vl2_plan plan = { 0 };
  vl2_error err = { 0 };
  vl2_status status = vl2_engine_open (dir, &options, &engine, &err);

  if (status == VL2_OK)
    status = vl2_plan_make (engine, &conversation, NULL, 0, &plan, &err);
  if (status == VL2_OK)
    {
      *needed = plan.full.peak;
      *available = plan.full.available;
      vl2_plan_deinit (&plan);
    }
  else
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, err.text);
  vl2_engine_close (engine);
  return status == VL2_OK;
}

/* What the weights would take in smaller formats; NULL where they are in one. (transfer full) */
static char *
describe_formats (const char *dir)
{
  struct vl2_contents contents = { 0 };
  vl2_error err = { 0 };
  g_autofree char *mix = NULL;
  g_autofree char *int8 = NULL;
  g_autofree char *int4 = NULL;

  if (vl2_contents_read (dir, &contents, &err) != VL2_OK || contents.quantisation[0] != '\0')
    return NULL;
  int8 = g_format_size (sl_format_estimate (dir, SL_FORMAT_INT8));
  mix = g_format_size (sl_format_estimate (dir, SL_FORMAT_MIX));
  int4 = g_format_size (sl_format_estimate (dir, SL_FORMAT_INT4));
  /* Translators: three sizes */
  return g_strdup_printf (_("Quantised it is smaller: int8 about %s, mix about %s, int4 about %s."), int8, mix, int4);
}

/* A sentence about the graphics processor with the most free memory; NULL if there is none that can be used. (transfer full) */
static char *
describe_gpu (const char *dir,
              guint64     needed,
              guint64     available)
{
  struct vl2_gpu gpus[MAX_GPUS];
  int n_gpus = vl2_gpus (gpus, MAX_GPUS, NULL);
  const struct vl2_gpu *best = NULL;
  struct vl2_contents contents = { 0 };
  vl2_error err = { 0 };
  guint64 experts;
  g_autofree char *free_text = NULL;
  g_autofree char *experts_text = NULL;

  for (int i = 0; i < n_gpus; i++)
    if (gpus[i].problem[0] == '\0' && (best == NULL || gpus[i].free_bytes > best->free_bytes))
      best = &gpus[i];
  if (best == NULL)
    return NULL;
  free_text = g_format_size (best->free_bytes);
  if (needed <= best->free_bytes)
    /* Translators: name of a graphics processor, a size */
    return g_strdup_printf (_("It fits into the memory of %s, of which %s is free."), best->name, free_text);
  experts = vl2_contents_read (dir, &contents, &err) == VL2_OK ? contents.parts[VL2_OF_EXPERTS].bytes : 0;
  if (needed - MIN (experts, needed) <= best->free_bytes && experts <= available)
    {
      experts_text = g_format_size (needed - best->free_bytes);
      /* Translators: name of a graphics processor, two sizes */
      return g_strdup_printf (_("It does not fit whole into the memory of %s, of which %s is free: experts of at least %s stay in this "
                                "computer’s memory, and are read from there for each word."),
                              best->name, free_text, experts_text);
    }
  /* Translators: name of a graphics processor, a size */
  return g_strdup_printf (_("It does not fit into the memory of %s, of which %s is free."), best->name, free_text);
}

static char *
describe_memory (guint64 needed,
                 guint64 available)
{
  guint64 total = sl_diagnostics_read_memory ("MemTotal");
  g_autofree char *needed_text = g_format_size (needed);
  g_autofree char *available_text = g_format_size (available);
  g_autofree char *total_text = g_format_size (total);

  if (needed <= available)
    /* Translators: two sizes */
    return g_strdup_printf (_("Needs about %s; %s can be used now. It fits."), needed_text, available_text);
  if (needed <= total)
    /* Translators: three sizes */
    return g_strdup_printf (_("Needs about %s; %s can be used now, of %s. It fits once other programs are closed."), needed_text,
                            available_text, total_text);
  /* Translators: two sizes */
  return g_strdup_printf (_("Needs about %s, but this computer has %s. It does not fit: parts would be read from the disk again "
                            "for each word, which is very slow."),
                          needed_text, total_text);
}

static void
describe_in_thread (GTask        *task,
                    gpointer      source,
                    gpointer      data,
                    GCancellable *cancellable)
{
  guint64 needed = 0, available = 0;
  GError *error = NULL;
  g_autofree char *memory = NULL;
  g_autofree char *gpu = NULL;
  g_autofree char *formats = NULL;
  g_autoptr (GPtrArray) lines = g_ptr_array_new ();

  if (!plan_memory (data, &needed, &available, &error))
    {
      g_task_return_error (task, error);
      return;
    }
  memory = describe_memory (needed, available);
  gpu = describe_gpu (data, needed, available);
  formats = sl_model_folder_is_demo (data) ? NULL : describe_formats (data);
  g_ptr_array_add (lines, memory);
  if (gpu != NULL)
    g_ptr_array_add (lines, gpu);
  if (formats != NULL)
    g_ptr_array_add (lines, formats);
  g_ptr_array_add (lines, NULL);
  g_task_return_pointer (task, g_strjoinv ("\n", (char **) lines->pdata), g_free);
}

void
sl_model_fit_describe_async (const char          *dir,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, sl_model_fit_describe_async);
  g_task_set_task_data (task, sl_model_folder_resolve (dir), g_free);
  g_task_run_in_thread (task, describe_in_thread);
}

char *
sl_model_fit_describe_finish (GAsyncResult  *result,
                              GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
