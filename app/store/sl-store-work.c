/* SPDX-License-Identifier: MIT
 *
 * Work of another thread that the writer thread does in its turn, while that thread waits: what comes into the history from files. Any
 * thread but the UI's and the writer's own.
 */
#include "app/store/sl-store-private.h"

#include <glib/gi18n-lib.h>

/* Shared by the two threads: whoever is last frees it. */
typedef struct
{
  GMutex lock;
  GCond done;
  int references;
  gboolean running, finished, given_up, ok;
  SlStoreWork work;
  gpointer data;
  GError *error;
} Errand;

static void
errand_unref (gpointer data)
{
  Errand *errand = data;
  gboolean last;

  g_mutex_lock (&errand->lock);
  errand->finished = TRUE; /* also one that is thrown away undone */
  last = --errand->references == 0;
  g_cond_signal (&errand->done);
  g_mutex_unlock (&errand->lock);
  if (!last)
    return;
  g_clear_error (&errand->error);
  g_mutex_clear (&errand->lock);
  g_cond_clear (&errand->done);
  g_free (errand);
}

/* Whether it could be done is for the one who waits: the queue goes on. */
static gboolean
run_errand (SlDatabase  *database,
            SlStoreOp   *op,
            GError     **error)
{
  Errand *errand = op->record;
  g_autoptr (GError) failure = NULL;
  gboolean ok = FALSE;

  g_mutex_lock (&errand->lock);
  errand->running = !errand->given_up;
  g_mutex_unlock (&errand->lock);
  if (!errand->running)
    return TRUE;
  ok = errand->work (database, errand->data, &op->changes, &failure);
  g_mutex_lock (&errand->lock);
  errand->ok = ok;
  errand->error = g_steal_pointer (&failure);
  errand->running = FALSE;
  g_mutex_unlock (&errand->lock);
  return TRUE;
}

static void
wake (GCancellable *cancellable,
      Errand       *errand)
{
  g_mutex_lock (&errand->lock);
  g_cond_signal (&errand->done);
  g_mutex_unlock (&errand->lock);
}

static gboolean
is_usable (SlStore  *self,
           GError  **error)
{
  gboolean usable;

  g_mutex_lock (&self->lock);
  while (self->state == SL_STORE_OPENING && !self->closing)
    g_cond_wait (&self->settled, &self->lock);
  usable = self->state == SL_STORE_OPEN && !self->blocked && !self->closing;
  if (!usable && self->failure != NULL)
    g_propagate_error (error, g_error_copy (self->failure));
  else if (!usable)
    g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The history “%s” is closed"), self->dir);
  g_mutex_unlock (&self->lock);
  return usable;
}

gboolean
sl_store_work (SlStore       *self,
               SlStoreWork    work,
               gpointer       data,
               GCancellable  *cancellable,
               GError       **error)
{
  Errand *errand;
  SlStoreOp *op;
  gulong handler;
  gboolean ok;

  g_return_val_if_fail (SL_IS_STORE (self), FALSE);

  if (g_cancellable_set_error_if_cancelled (cancellable, error) || !is_usable (self, error))
    return FALSE;
  errand = g_new0 (Errand, 1);
  g_mutex_init (&errand->lock);
  g_cond_init (&errand->done);
  errand->references = 2;
  errand->work = work;
  errand->data = data;
  op = sl_store_write_op (run_errand, 0);
  op->chore = TRUE;
  op->record = errand;
  op->free_record = errand_unref;
  sl_store_push_write (self, op);

  handler = cancellable != NULL ? g_cancellable_connect (cancellable, G_CALLBACK (wake), errand, NULL) : 0;
  g_mutex_lock (&errand->lock);
  while (!errand->finished && (errand->running || !g_cancellable_is_cancelled (cancellable)))
    g_cond_wait (&errand->done, &errand->lock);
  errand->given_up = TRUE;
  ok = errand->ok;
  if (errand->error != NULL)
    g_propagate_error (error, g_steal_pointer (&errand->error));
  else if (!ok && !g_cancellable_set_error_if_cancelled (cancellable, error))
    g_set_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The history “%s” is closed"), self->dir);
  g_mutex_unlock (&errand->lock);
  if (handler != 0)
    g_cancellable_disconnect (cancellable, handler);
  errand_unref (errand);
  return ok;
}

gint64
sl_store_reserve_ids (SlStore *self,
                      guint    n_ids)
{
  gint64 first;

  g_return_val_if_fail (SL_IS_STORE (self), 0);

  g_mutex_lock (&self->lock);
  first = MAX (self->last_id + 1, g_get_real_time ());
  self->last_id = first + n_ids - 1;
  g_mutex_unlock (&self->lock);
  return first;
}
