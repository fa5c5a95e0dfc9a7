/* SPDX-License-Identifier: MIT
 *
 * The GObject of the UI thread in front of the queue, and closing; what is queued is in sl-store-writes.c and sl-store-reads.c, the
 * thread that works on it in sl-store-thread.c, what it tells in sl-store-news.c.
 */
#include "app/store/sl-store-private.h"

#include <glib/gi18n-lib.h>

typedef struct
{
  gint64 number, time; /* time: monotonic */
} Deletion;

enum { PROP_0, PROP_STATE, PROP_ERROR_TEXT, PROP_BLOCKED, PROP_PENDING, N_PROPS };
enum { CONVERSATION_CHANGED, CONVERSATION_UNSAVED, N_SIGNALS };

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlStore, sl_store, G_TYPE_OBJECT)

void
sl_store_op_free (SlStoreOp *op)
{
  g_free (op->text);
  if (op->record != NULL)
    op->free_record (op->record);
  g_clear_object (&op->task);
  g_free (op);
}

/* ------------------------------------------------------------------------------------------------ queueing */

void
sl_store_push_write (SlStore   *self,
                     SlStoreOp *op)
{
  if (self->thread == NULL)
    {
      sl_store_op_free (op);
      return;
    }
  g_mutex_lock (&self->lock);
  op->serial = ++self->serial;
  g_queue_push_tail (&self->writes, op);
  self->unsaved = TRUE;
  g_cond_signal (&self->wake);
  sl_store_post_news (self);
  g_mutex_unlock (&self->lock);
}

gboolean
sl_store_replace_write (SlStore         *self,
                        SlStoreRunWrite  run,
                        gint64           id,
                        const char      *text)
{
  SlStoreOp *last;
  gboolean replaced = FALSE;

  g_mutex_lock (&self->lock);
  last = g_queue_peek_tail (&self->writes);
  /* The head may be running. */
  if (self->writes.length > 1 && last->write == run && last->id == id)
    {
      g_free (last->text);
      last->text = g_strdup (text);
      replaced = TRUE;
    }
  g_mutex_unlock (&self->lock);
  return replaced;
}

void
sl_store_push_newest (SlStore   *self,
                      SlStoreOp *op)
{
  SlStoreOp *older;

  g_mutex_lock (&self->lock);
  older = self->writes.length > 1 ? g_queue_peek_tail (&self->writes) : NULL; /* the head may be running */
  if (older != NULL && older->write == op->write && older->id == op->id && older->second == op->second)
    sl_store_op_free (g_queue_pop_tail (&self->writes));
  g_mutex_unlock (&self->lock);
  sl_store_push_write (self, op);
}

void
sl_store_push_read (SlStore             *self,
                    SlStoreOp           *op,
                    gpointer             tag,
                    GCancellable        *cancellable,
                    GAsyncReadyCallback  callback,
                    gpointer             user_data)
{
  op->task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (op->task, tag);
  if (self->thread == NULL)
    {
      g_task_return_new_error (op->task, SL_STORE_ERROR, SL_STORE_ERROR_IO, _("The history “%s” is closed"), self->dir);
      sl_store_op_free (op);
      return;
    }
  g_mutex_lock (&self->lock);
  op->serial = ++self->serial;
  g_queue_push_tail (&self->reads, op);
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
}

SlStoreOp *
sl_store_write_op (SlStoreRunWrite run,
                   gint64          id)
{
  SlStoreOp *op = g_new0 (SlStoreOp, 1);

  op->write = run;
  op->id = id;
  return op;
}

SlStoreOp *
sl_store_read_op (SlStoreRunRead run)
{
  SlStoreOp *op = g_new0 (SlStoreOp, 1);

  op->read = run;
  return op;
}

/* ------------------------------------------------------------------------------------------------ what the user does about it */

void
sl_store_retry (SlStore *self)
{
  g_return_if_fail (SL_IS_STORE (self));

  g_mutex_lock (&self->lock);
  self->retry_now = TRUE;
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
}

void
sl_store_dismiss (SlStore *self)
{
  g_return_if_fail (SL_IS_STORE (self));

  g_mutex_lock (&self->lock);
  g_clear_error (&self->refusal);
  g_clear_pointer (&self->notice, g_free);
  sl_store_post_news (self);
  g_mutex_unlock (&self->lock);
}

void
sl_store_mend_async (SlStore             *self,
                     SlStoreMend          mend,
                     GAsyncReadyCallback  callback,
                     gpointer             user_data)
{
  GTask *task;

  g_return_if_fail (SL_IS_STORE (self));

  task = g_task_new (self, NULL, callback, user_data);
  g_task_set_source_tag (task, sl_store_mend_async);
  g_task_set_task_data (task, GINT_TO_POINTER (mend), NULL);
  g_mutex_lock (&self->lock);
  if (self->mend == NULL && self->thread != NULL && !self->closing)
    {
      self->mend = g_steal_pointer (&task);
      self->state = SL_STORE_OPENING;
      sl_store_post_news (self);
      g_cond_signal (&self->wake);
    }
  g_mutex_unlock (&self->lock);
  if (task == NULL)
    return;
  g_task_return_new_error (task, SL_STORE_ERROR, SL_STORE_ERROR_LOCKED, _("The history “%s” is being mended already"), self->dir);
  g_object_unref (task);
}

gboolean
sl_store_mend_finish (SlStore       *self,
                      GAsyncResult  *result,
                      GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_store_get_property (GObject    *object,
                       guint       id,
                       GValue     *value,
                       GParamSpec *pspec)
{
  SlStore *self = SL_STORE (object);

  switch (id)
    {
    case PROP_STATE:
      g_value_set_int (value, self->told_state);
      break;
    case PROP_ERROR_TEXT:
      g_value_set_string (value, self->error_text);
      break;
    case PROP_BLOCKED:
      g_value_set_boolean (value, self->told_blocked);
      break;
    case PROP_PENDING:
      g_value_set_uint (value, self->pending);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
sl_store_dispose (GObject *object)
{
  SlStore *self = SL_STORE (object);
  g_autoptr (GError) error = NULL;

  if (self->thread != NULL && !sl_store_close (self, &error))
    g_message ("%s", error->message);
  G_OBJECT_CLASS (sl_store_parent_class)->dispose (object);
}

static void
sl_store_finalize (GObject *object)
{
  SlStore *self = SL_STORE (object);

  g_queue_clear_full (&self->writes, (GDestroyNotify) sl_store_op_free);
  g_queue_clear_full (&self->reads, (GDestroyNotify) sl_store_op_free);
  g_clear_error (&self->failure);
  g_clear_error (&self->damage);
  g_clear_error (&self->refusal);
  g_free (self->notice);
  g_array_unref (self->changed);
  g_array_unref (self->deletions);
  g_main_context_unref (self->context);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->wake);
  g_cond_clear (&self->settled);
  g_free (self->error_text);
  g_free (self->dir);
  G_OBJECT_CLASS (sl_store_parent_class)->finalize (object);
}

static void
sl_store_class_init (SlStoreClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = sl_store_get_property;
  object_class->dispose = sl_store_dispose;
  object_class->finalize = sl_store_finalize;

  properties[PROP_STATE] = g_param_spec_int ("state", NULL, NULL, SL_STORE_OPENING, SL_STORE_SHUT, SL_STORE_OPENING, flags);
  properties[PROP_ERROR_TEXT] = g_param_spec_string ("error-text", NULL, NULL, NULL, flags);
  properties[PROP_PENDING] = g_param_spec_uint ("pending", NULL, NULL, 0, G_MAXUINT, 0, flags);
  properties[PROP_BLOCKED] = g_param_spec_boolean ("blocked", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  signals[CONVERSATION_CHANGED] = g_signal_new ("conversation-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                                NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
  signals[CONVERSATION_UNSAVED] = g_signal_new ("conversation-unsaved", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                                NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
}

static void
sl_store_init (SlStore *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  g_cond_init (&self->settled);
  self->error_code = -1;
  g_queue_init (&self->writes);
  g_queue_init (&self->reads);
  self->changed = g_array_new (FALSE, FALSE, sizeof (gint64));
  self->deletions = g_array_new (FALSE, FALSE, sizeof (Deletion));
  self->context = g_main_context_ref_thread_default ();
}

char *
sl_store_dup_default_dir (void)
{
  const char *chosen = g_getenv ("SIGHTLINE_DATA_DIR");

  if (chosen != NULL && chosen[0] != '\0')
    return g_strdup (chosen);
  return g_build_filename (g_get_user_data_dir (), "io.github.sightline.Sightline", NULL);
}

SlStore *
sl_store_new (const char *dir)
{
  SlStore *self = g_object_new (SL_TYPE_STORE, NULL);

  self->dir = dir != NULL ? g_strdup (dir) : sl_store_dup_default_dir ();
  self->thread = g_thread_new ("sightline-store", sl_store_writer_main, self);
  return self;
}

const char *
sl_store_get_dir (SlStore *self)
{
  g_return_val_if_fail (SL_IS_STORE (self), NULL);

  return self->dir;
}

SlStoreState
sl_store_get_state (SlStore *self)
{
  g_return_val_if_fail (SL_IS_STORE (self), SL_STORE_SHUT);

  return self->told_state;
}

int
sl_store_get_error_code (SlStore *self)
{
  g_return_val_if_fail (SL_IS_STORE (self), -1);

  return self->error_code;
}

gboolean
sl_store_get_blocked (SlStore *self)
{
  g_return_val_if_fail (SL_IS_STORE (self), FALSE);

  return self->told_blocked;
}

const char *
sl_store_get_error_text (SlStore *self)
{
  g_return_val_if_fail (SL_IS_STORE (self), NULL);

  return self->error_text;
}

guint
sl_store_get_pending (SlStore *self)
{
  guint pending;

  g_return_val_if_fail (SL_IS_STORE (self), 0);

  g_mutex_lock (&self->lock);
  pending = sl_store_count_pending (self);
  g_mutex_unlock (&self->lock);
  return pending;
}

char *
sl_store_dup_picture_path (SlStore    *self,
                           const char *sha256,
                           const char *extension)
{
  g_return_val_if_fail (SL_IS_STORE (self), NULL);

  return sl_database_dup_picture_path (self->dir, sha256, extension);
}

gint64
sl_store_new_id (SlStore *self)
{
  gint64 id;

  g_return_val_if_fail (SL_IS_STORE (self), 0);

  g_mutex_lock (&self->lock);
  id = self->last_id = MAX (self->last_id + 1, g_get_real_time ());
  g_mutex_unlock (&self->lock);
  return id;
}

gint64
sl_store_note_deletion (SlStore *self)
{
  Deletion deletion = { sl_store_new_id (self), g_get_monotonic_time () };

  g_array_append_val (self->deletions, deletion);
  return deletion.number;
}

gint64
sl_store_last_deletion_before (SlStore *self,
                               guint    seconds)
{
  gint64 until = g_get_monotonic_time () - (gint64) seconds * G_USEC_PER_SEC;
  gint64 number = 0;
  guint n = 0;

  for (; n < self->deletions->len && g_array_index (self->deletions, Deletion, n).time <= until; n++)
    number = g_array_index (self->deletions, Deletion, n).number;
  g_array_remove_range (self->deletions, 0, n);
  return number;
}

/* ------------------------------------------------------------------------------------------------ flush, close */

gboolean
sl_store_flush (SlStore  *self,
                GError  **error)
{
  guint64 attempts;
  gboolean ok;

  g_return_val_if_fail (SL_IS_STORE (self), FALSE);
  if (self->thread == NULL)
    return TRUE;

  g_mutex_lock (&self->lock);
  attempts = self->attempts;
  self->retry_now = TRUE;
  g_cond_signal (&self->wake);
  while (self->state == SL_STORE_OPENING || (self->writes.length > 0 && !(self->blocked && self->attempts > attempts)))
    g_cond_wait (&self->settled, &self->lock);
  ok = sl_store_count_pending (self) == 0;
  if (!ok)
    g_propagate_error (error, g_error_copy (self->failure));
  g_mutex_unlock (&self->lock);
  return ok;
}

static void
flush_in_thread (GTask        *task,
                 gpointer      source,
                 gpointer      data,
                 GCancellable *cancellable)
{
  GError *error = NULL;

  if (sl_store_flush (source, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
sl_store_flush_async (SlStore             *self,
                      GAsyncReadyCallback  callback,
                      gpointer             user_data)
{
  g_autoptr (GTask) task = NULL;

  g_return_if_fail (SL_IS_STORE (self));

  task = g_task_new (self, NULL, callback, user_data);
  g_task_set_source_tag (task, sl_store_flush_async);
  g_task_run_in_thread (task, flush_in_thread);
}

gboolean
sl_store_flush_finish (SlStore       *self,
                       GAsyncResult  *result,
                       GError       **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

gboolean
sl_store_close (SlStore  *self,
                GError  **error)
{
  gboolean ok;

  g_return_val_if_fail (SL_IS_STORE (self), FALSE);
  if (self->thread == NULL)
    return TRUE;

  sl_store_purge (self, 0);
  ok = sl_store_flush (self, error);
  g_mutex_lock (&self->lock);
  self->closing = TRUE;
  g_cond_signal (&self->wake);
  g_mutex_unlock (&self->lock);
  g_thread_join (g_steal_pointer (&self->thread));

  g_mutex_lock (&self->lock);
  if (self->source != NULL)
    g_source_destroy (self->source);
  g_clear_pointer (&self->source, g_source_unref);
  g_mutex_unlock (&self->lock);
  return ok;
}
