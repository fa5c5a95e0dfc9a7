/* SPDX-License-Identifier: MIT
 *
 * The self-test of sl-diagnostics.h: one picture and one question through the bundled model, once for each way to compute, up to
 * the scores of the next token. Runs on a thread of GTask's, with engines of its own.
 */
#include "app/system/sl-diagnostics-private.h"

#include <math.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture.h"
#include "app/system/sl-places.h"
#include "engine/vl2.h"

#define SAMPLE   "shapes-1.png"
#define QUESTION "Describe the picture."
/* Sums of a few thousand products in another order differ by parts in a thousand at most with bf16 weights; a wrong kernel is off
 * by about the size of the numbers themselves. */
#define TOLERANCE 0.02

/* The last row of "logits". */
typedef struct
{
  float *values;
  gsize n;
} Scores;

static void
on_tap (const char  *name,
        const float *data,
        size_t       rows,
        size_t       cols,
        void        *user)
{
  Scores *scores = user;

  if (strcmp (name, "logits") != 0 || rows == 0)
    return;
  g_free (scores->values);
  scores->values = g_memdup2 (data + (rows - 1) * cols, cols * sizeof (float));
  scores->n = cols;
}

static vl2_status
read_picture (const char       *dir,
              const char       *device,
              const char       *isa,
              SlPicture        *picture,
              const vl2_cancel *cancel,
              Scores           *scores,
              char            **isa_used,
              vl2_error        *err)
{
  const struct vl2_engine_options options = { .device = device, .isa = isa, .cancel = cancel };
  const vl2_picture pixels = { .width = sl_picture_get_width (picture),
                               .height = sl_picture_get_height (picture),
                               .stride = sl_picture_get_stride (picture),
                               .rgb = sl_picture_get_rgb (picture) };
  const vl2_part parts[] = { { .kind = VL2_PART_PICTURE, .picture = &pixels },
                             { .kind = VL2_PART_TEXT, .text = QUESTION, .length = strlen (QUESTION) } };
  const vl2_message message = { .role = VL2_USER, .parts = parts, .n_parts = G_N_ELEMENTS (parts) };
  const vl2_conversation conversation = { .messages = &message, .n_messages = 1 };
  const struct vl2_watch watch = { .cancel = cancel };
  vl2_engine *engine = NULL;
  vl2_session *session = NULL;
  vl2_status status = vl2_engine_open (dir, &options, &engine, err);

  if (status == VL2_OK)
    status = vl2_session_open (engine, NULL, &session, err);
  if (status == VL2_OK)
    {
      *isa_used = g_strdup (vl2_engine_info (engine)->isa);
      status = vl2_session_dump (session, &conversation, on_tap, scores, &watch, err);
    }
  if (status == VL2_OK && scores->values == NULL)
    status = VL2_ERR_DEVICE;
  vl2_session_close (session);
  vl2_engine_close (engine);
  return status;
}

/* ‖a − b‖ / ‖b‖ */
static double
distance (const Scores *a,
          const Scores *b)
{
  double difference = 0, size = 0;

  for (gsize i = 0; i < b->n && a->n == b->n; i++)
    {
      difference += ((double) a->values[i] - b->values[i]) * ((double) a->values[i] - b->values[i]);
      size += (double) b->values[i] * b->values[i];
    }
  return a->n == b->n && size > 0 ? sqrt (difference / size) : INFINITY;
}

static SlDiagnostic *
compare (const char   *name,
         const Scores *scores,
         const Scores *reference,
         double        seconds)
{
  double error = distance (scores, reference);
  g_autofree char *value = NULL;

  /* Translators: seconds, a difference in per cent */
  value = g_strdup_printf (_("%.2f s, differs from the reference by %.3f %%"), seconds, 100 * error);
  return sl_diagnostic_new (name, value,
                            error <= TOLERANCE ? NULL
                                               : _("The results do not agree: answers computed here cannot be trusted. Please report this, "
                                                   "with the text of this page."));
}

typedef struct
{
  char *dir;
  SlPicture *picture;
  vl2_cancel *cancel;
  Scores reference;
  GPtrArray *list;
} Run;

/* One way to compute; the first one is the reference. FALSE: cancelled. */
static gboolean
run_one (Run        *run,
         const char *title,
         const char *device,
         const char *isa)
{
  gint64 start = g_get_monotonic_time ();
  Scores scores = { 0 };
  vl2_error err = { 0 };
  g_autofree char *isa_used = NULL;
  vl2_status status = read_picture (run->dir, device, isa, run->picture, run->cancel, &scores, &isa_used, &err);
  double seconds = (g_get_monotonic_time () - start) / (double) G_USEC_PER_SEC;
  g_autofree char *name = isa_used != NULL ? g_strdup_printf ("%s (%s)", title, isa_used) : g_strdup (title);

  if (status == VL2_OK && run->reference.values == NULL)
    run->reference = (Scores) { g_steal_pointer (&scores.values), scores.n };
  if (status == VL2_OK)
    g_ptr_array_add (run->list, compare (name, scores.values ? &scores : &run->reference, &run->reference, seconds));
  else if (status != VL2_CANCELLED)
    g_ptr_array_add (run->list, sl_diagnostic_new (name, err.text[0] ? err.text : _("gave no result"), NULL));
  g_free (scores.values);
  return status != VL2_CANCELLED;
}

static void
on_cancelled (GCancellable *cancellable,
              gpointer      user_data)
{
  atomic_store ((vl2_cancel *) user_data, true);
}

static void
self_test (GTask        *task,
           gpointer      source,
           gpointer      data,
           GCancellable *cancellable)
{
  vl2_cancel cancel = false;
  Run run = { .dir = sl_places_dup_demo_dir (), .cancel = &cancel };
  g_autofree char *data_dir = sl_places_dup_data_dir ();
  g_autofree char *path = g_build_filename (data_dir, "samples", SAMPLE, NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  GError *error = NULL;
  gulong handler = cancellable != NULL ? g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), &cancel, NULL) : 0;

  run.picture = sl_picture_new_from_file (file, cancellable, &error);
  run.list = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_diagnostic_free);
  if (run.dir == NULL)
    g_set_error_literal (&error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("The demo model is not installed."));
  else if (run.picture != NULL && run_one (&run, _("Processor, plain code"), "cpu", "generic")
           && run_one (&run, _("Processor, fastest code"), "cpu", NULL))
    run_one (&run, _("Graphics processor"), "cuda", NULL);
  g_cancellable_disconnect (cancellable, handler);
  g_free (run.dir);
  g_free (run.reference.values);
  g_clear_object (&run.picture);
  if (error != NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, g_ptr_array_ref (run.list), (GDestroyNotify) g_ptr_array_unref);
  g_ptr_array_unref (run.list);
}

void
sl_diagnostics_self_test_async (GCancellable        *cancellable,
                                GAsyncReadyCallback  callback,
                                gpointer             user_data)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, callback, user_data);

  g_task_set_source_tag (task, sl_diagnostics_self_test_async);
  g_task_set_check_cancellable (task, TRUE);
  g_task_run_in_thread (task, self_test);
}

GPtrArray *
sl_diagnostics_self_test_finish (GAsyncResult  *result,
                                 GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
