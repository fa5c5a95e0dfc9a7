/* SPDX-License-Identifier: MIT
 *
 * The writer thread of the history: opens it, works on the queue, tries again what could not be done, mends it when the user says so.
 * Everything under `lock` is shared with the UI thread; the database belongs to this thread from its start to its end. Reads wait for
 * the writes before them, except while a write cannot be done: then they go first, so that a full disk does not hide the history.
 */
#include "app/store/sl-store-private.h"

#define RETRY_US     (2 * G_USEC_PER_SEC)
/* A program that is just closing gets this long before the user hears of it. */
#define PATIENCE_US  (2 * G_USEC_PER_SEC)
#define IMPATIENT_US 50000

/* ------------------------------------------------------------------------------------------------ opening */

static void
take_error (GError **place,
            GError  *error)
{
  g_clear_error (place);
  *place = error;
}

/* With the lock held. */
static void
settle_open (SlStore *self,
             GError  *error)
{
  gint64 now = g_get_monotonic_time ();

  self->retry_at = now + RETRY_US;
  if (g_error_matches (error, SL_STORE_ERROR, SL_STORE_ERROR_LOCKED) && self->n_opened == 0 && now < self->patient_until)
    {
      self->retry_at = now + IMPATIENT_US;
      g_error_free (error);
      return;
    }
  self->state = self->writable ? SL_STORE_OPEN : self->database != NULL ? SL_STORE_READING : SL_STORE_SHUT;
  self->blocked = error != NULL;
  self->unsaved = TRUE;
  self->attempts++;
  take_error (&self->failure, error);
  sl_store_post_news (self);
  g_cond_broadcast (&self->settled);
}

/* What an earlier run has left: without the lock. A file that cannot be removed is told and does not keep anything else from going on. */
static void
end_what_was_begun (SlStore *self)
{
  GError *error = NULL;

  if (self->n_opened == 0)
    sl_database_purge (self->database, G_MAXINT64, NULL, &error);
  if (error == NULL)
    sl_database_sweep (self->database, &error);
  g_mutex_lock (&self->lock);
  self->untidy = TRUE;
  self->last_id = MAX (self->last_id, sl_database_get_last_id (self->database));
  if (sl_database_get_notice (self->database) != NULL)
    {
      g_free (self->notice);
      self->notice = g_strdup (sl_database_get_notice (self->database));
    }
  g_clear_error (&self->damage);
  if (error != NULL)
    take_error (error->code == SL_STORE_ERROR_CORRUPT ? &self->damage : &self->refusal, error);
  g_mutex_unlock (&self->lock);
}

/* With the lock held, which is dropped meanwhile. Where nothing may be written, what is there is read. */
static void
attempt_open (SlStore *self)
{
  GError *error = NULL;
  SlDatabase *database;

  self->retry_now = FALSE;
  g_mutex_unlock (&self->lock);
  database = sl_database_open (self->dir, SL_DATABASE_WRITE, &error);
  if (database != NULL)
    {
      g_clear_pointer (&self->database, sl_database_close);
      self->database = database;
      self->writable = TRUE;
      end_what_was_begun (self);
    }
  else if (self->database == NULL)
    {
      g_autoptr (GError) unreadable = NULL;

      self->database = sl_database_open (self->dir, SL_DATABASE_READ, &unreadable);
    }
  g_mutex_lock (&self->lock);
  settle_open (self, error);
  if (self->writable || (self->database != NULL && self->n_opened == 0))
    self->n_opened++;
}

/* With the lock held, which is dropped meanwhile. */
static void
mend (SlStore *self)
{
  g_autoptr (GTask) task = g_steal_pointer (&self->mend);
  GError *error = NULL;
  char *sentence = NULL;

  g_mutex_unlock (&self->lock);
  g_clear_pointer (&self->database, sl_database_close);
  self->writable = FALSE;
  if (GPOINTER_TO_INT (g_task_get_task_data (task)) == SL_STORE_REPAIR)
    sentence = sl_database_repair (self->dir, &error);
  else
    sentence = sl_database_set_aside (self->dir, &error);
  g_mutex_lock (&self->lock);
  attempt_open (self);
  if (sentence != NULL)
    {
      g_free (self->notice);
      self->notice = sentence;
      sl_store_post_news (self);
    }
  g_mutex_unlock (&self->lock);
  if (error == NULL)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
  g_mutex_lock (&self->lock);
}

/* ------------------------------------------------------------------------------------------------ reads and writes */

void
sl_store_report (SlStore      *self,
                 const GError *error)
{
  if (error->code != SL_STORE_ERROR_CORRUPT)
    return;
  g_mutex_lock (&self->lock);
  take_error (&self->damage, g_error_copy (error));
  sl_store_post_news (self);
  g_mutex_unlock (&self->lock);
}

/* With the lock held: the read that may go now, or NULL. */
static SlStoreOp *
next_read (SlStore *self)
{
  SlStoreOp *read = g_queue_peek_head (&self->reads);
  SlStoreOp *write = g_queue_peek_head (&self->writes);

  if (read == NULL || (self->state == SL_STORE_OPENING && !self->closing)
      || (self->writable && write != NULL && write->serial < read->serial && !self->blocked))
    return NULL;
  return g_queue_pop_head (&self->reads);
}

/* With the lock held, which is dropped meanwhile. */
static void
run_read (SlStore   *self,
          SlStoreOp *op)
{
  GError *reason = self->failure != NULL ? g_error_copy (self->failure) : NULL;

  g_mutex_unlock (&self->lock);
  if (self->database != NULL)
    {
      g_clear_error (&reason);
      if (!g_task_return_error_if_cancelled (op->task))
        op->read (self->database, op);
    }
  else
    g_task_return_error (op->task, reason != NULL ? reason : g_error_new_literal (G_IO_ERROR, G_IO_ERROR_CANCELLED, ""));
  sl_store_op_free (op);
  g_mutex_lock (&self->lock);
}

static void
note_change (SlStore *self,
             gint64   id)
{
  for (guint i = 0; i < self->changed->len; i++)
    if (g_array_index (self->changed, gint64, i) == id)
      return;
  g_array_append_val (self->changed, id);
}

/* With the lock held: what a finished attempt means for the queue. Takes the error. */
static void
settle_write (SlStore   *self,
              SlStoreOp *op,
              GError    *error)
{
  gboolean refused = g_error_matches (error, SL_STORE_ERROR, SL_STORE_ERROR_REFUSED);

  self->attempts++;
  self->blocked = error != NULL && !refused;
  self->unsaved = self->unsaved || self->blocked;
  self->untidy = self->untidy || op->untidy;
  if (!self->blocked)
    {
      if (op->changes != 0 && error == NULL)
        note_change (self, op->changes);
      g_queue_pop_head (&self->writes);
      sl_store_op_free (op);
    }
  g_clear_error (&self->failure);
  if (error != NULL)
    take_error (refused ? &self->refusal : &self->failure, error);
  sl_store_post_news (self);
  g_cond_broadcast (&self->settled);
}

/* With the lock held, which is dropped while SQL runs. */
static void
attempt_write (SlStore *self)
{
  SlStoreOp *op = g_queue_peek_head (&self->writes);
  GError *error = NULL;

  self->retry_now = FALSE;
  g_mutex_unlock (&self->lock);
  op->write (self->database, op, &error);
  g_mutex_lock (&self->lock);
  settle_write (self, op, error);
  self->retry_at = g_get_monotonic_time () + RETRY_US;
}

/* With the lock held, which is dropped meanwhile: when nothing else is to be done. */
static void
tidy_step (SlStore *self)
{
  gboolean more = FALSE;

  g_mutex_unlock (&self->lock);
  sl_database_tidy (self->database, &more, NULL); /* what is wrong, the next write will say; the note stays */
  g_mutex_lock (&self->lock);
  self->untidy = more;
}

/* With the lock held: one thing that can be done now. */
static gboolean
do_something (SlStore *self)
{
  gboolean due = self->retry_now || g_get_monotonic_time () >= self->retry_at;
  SlStoreOp *read;

  if (self->mend != NULL)
    mend (self);
  else if ((read = next_read (self)) != NULL)
    run_read (self, read);
  else if (!self->writable && due && !(self->closing && self->blocked))
    attempt_open (self);
  else if (self->writable && self->writes.length > 0 && (!self->blocked || (due && !self->closing)))
    attempt_write (self);
  else if (self->writable && self->untidy && !self->blocked)
    tidy_step (self);
  else
    return FALSE;
  return TRUE;
}

gpointer
sl_store_writer_main (gpointer data)
{
  SlStore *self = data;

  g_mutex_lock (&self->lock);
  self->patient_until = g_get_monotonic_time () + PATIENCE_US;
  for (;;)
    {
      if (do_something (self))
        continue;
      if (self->closing && self->state != SL_STORE_OPENING)
        break;
      if (self->blocked || self->state == SL_STORE_OPENING)
        g_cond_wait_until (&self->wake, &self->lock, self->retry_at);
      else
        g_cond_wait (&self->wake, &self->lock);
    }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&self->database, sl_database_close);
  return NULL;
}
