/* SPDX-License-Identifier: MIT
 *
 * The writer thread of the history, its queue, and the GObject in front of them; what is queued is in sl-store-writes.c and
 * sl-store-reads.c. Everything under `lock` is shared by the two threads; the database belongs to the writer thread from its start
 * to its end. Reads wait for the writes before them, except while a write cannot be done: then they go first, so that a full disk
 * does not hide the history.
 */
#include "app/store/sl-store-private.h"

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

#define RETRY_US (2 * G_USEC_PER_SEC)

struct _SlStore
{
  GObject parent_instance;

  char *dir;
  gboolean temporary;
  gint64 last_id;
  GArray *deletions; /* of Deletion, oldest first */
  GMainContext *context;
  GThread *thread;
  SlDatabase *database; /* the writer thread's */

  /* shared */
  GMutex lock;
  GCond wake;    /* for the writer: work, or a reason to try again */
  GCond settled; /* for flush: the queue is empty or an attempt has failed */
  GQueue writes, reads;
  guint64 serial, attempts;
  gboolean stalled, retry_now, closing;
  gboolean untidy; /* a purge has left something for a quiet moment */
  GError *failure; /* why the first write cannot be done */
  GArray *changed; /* of gint64, to be signalled */
  GSource *source; /* one pending call of the UI thread */

  /* as last signalled */
  char *error_text;
  guint pending;
};

typedef struct
{
  gint64 number, time; /* time: monotonic */
} Deletion;

enum { PROP_0, PROP_ERROR_TEXT, PROP_PENDING, PROP_TEMPORARY, N_PROPS };
enum { CONVERSATION_CHANGED, N_SIGNALS };

static GParamSpec *properties[N_PROPS];
static guint signals[N_SIGNALS];

G_DEFINE_QUARK (sl-store-error-quark, sl_store_error)
G_DEFINE_FINAL_TYPE (SlStore, sl_store, G_TYPE_OBJECT)

static void
op_free (SlStoreOp *op)
{
  g_free (op->text);
  if (op->record != NULL)
    op->free_record (op->record);
  g_clear_object (&op->task);
  g_free (op);
}

/* ------------------------------------------------------------------------------------------------ UI thread's news */

static gboolean
tell_news (gpointer data)
{
  SlStore *self = data;
  g_autoptr (SlStore) alive = g_object_ref (self);
  g_autoptr (GArray) changed = NULL;
  g_autofree char *text = NULL;
  guint pending;

  g_mutex_lock (&self->lock);
  g_clear_pointer (&self->source, g_source_unref);
  changed = g_steal_pointer (&self->changed);
  self->changed = g_array_new (FALSE, FALSE, sizeof (gint64));
  text = self->failure != NULL ? g_strdup (self->failure->message) : NULL;
  pending = self->writes.length;
  g_mutex_unlock (&self->lock);

  if (g_strcmp0 (text, self->error_text) != 0)
    {
      g_free (self->error_text);
      self->error_text = g_steal_pointer (&text);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ERROR_TEXT]);
    }
  if (pending != self->pending)
    {
      self->pending = pending;
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PENDING]);
    }
  for (guint i = 0; i < changed->len; i++)
    g_signal_emit (self, signals[CONVERSATION_CHANGED], 0, g_array_index (changed, gint64, i));
  return G_SOURCE_REMOVE;
}

/* With the lock held. */
static void
post_news (SlStore *self)
{
  if (self->source != NULL)
    return;
  self->source = g_idle_source_new ();
  g_source_set_priority (self->source, G_PRIORITY_DEFAULT);
  g_source_set_callback (self->source, tell_news, self, NULL);
  g_source_attach (self->source, self->context);
}

/* ------------------------------------------------------------------------------------------------ writer thread */

/* With the lock held: the read that may go now, or NULL. */
static SlStoreOp *
next_read (SlStore *self)
{
  SlStoreOp *read = g_queue_peek_head (&self->reads);
  SlStoreOp *write = g_queue_peek_head (&self->writes);

  if (read == NULL || (write != NULL && write->serial < read->serial && !self->stalled))
    return NULL;
  return g_queue_pop_head (&self->reads);
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
  self->stalled = error != NULL && !refused;
  if (!self->stalled)
    {
      if (op->changes != 0 && error == NULL)
        note_change (self, op->changes);
      g_queue_pop_head (&self->writes);
      op_free (op);
    }
  g_clear_error (&self->failure);
  self->failure = error;
  post_news (self);
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
  self->untidy = self->untidy || op->untidy;
  settle_write (self, op, error);
}

static void
run_read (SlStore   *self,
          SlStoreOp *op)
{
  g_mutex_unlock (&self->lock);
  if (!g_task_return_error_if_cancelled (op->task))
    op->read (self->database, op);
  op_free (op);
  g_mutex_lock (&self->lock);
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

static gpointer
writer_main (gpointer data)
{
  SlStore *self = data;
  gint64 retry_at = 0;

  g_mutex_lock (&self->lock);
  for (;;)
    {
      SlStoreOp *read = next_read (self);

      if (read != NULL)
        run_read (self, read);
      else if (self->writes.length > 0 && (!self->stalled || self->retry_now || g_get_monotonic_time () >= retry_at))
        {
          attempt_write (self);
          retry_at = g_get_monotonic_time () + RETRY_US;
        }
      else if (self->untidy && !self->stalled)
        tidy_step (self);
      else if (self->closing)
        break;
      else if (self->stalled)
        g_cond_wait_until (&self->wake, &self->lock, retry_at);
      else
        g_cond_wait (&self->wake, &self->lock);
    }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&self->database, sl_database_close);
  return NULL;
}

/* ------------------------------------------------------------------------------------------------ queueing */

void
sl_store_push_write (SlStore   *self,
                     SlStoreOp *op)
{
  if (self->thread == NULL)
    {
      op_free (op);
      return;
    }
  g_mutex_lock (&self->lock);
  op->serial = ++self->serial;
  g_queue_push_tail (&self->writes, op);
  g_cond_signal (&self->wake);
  post_news (self);
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
      op_free (op);
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

void
sl_store_report (SlStore      *self,
                 const GError *error)
{
  g_mutex_lock (&self->lock);
  g_clear_error (&self->failure);
  self->failure = g_error_copy (error);
  post_news (self);
  g_mutex_unlock (&self->lock);
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
    case PROP_ERROR_TEXT:
      g_value_set_string (value, self->error_text);
      break;
    case PROP_PENDING:
      g_value_set_uint (value, self->pending);
      break;
    case PROP_TEMPORARY:
      g_value_set_boolean (value, self->temporary);
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

  g_queue_clear_full (&self->writes, (GDestroyNotify) op_free);
  g_queue_clear_full (&self->reads, (GDestroyNotify) op_free);
  g_clear_error (&self->failure);
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

  properties[PROP_ERROR_TEXT] = g_param_spec_string ("error-text", NULL, NULL, NULL, flags);
  properties[PROP_PENDING] = g_param_spec_uint ("pending", NULL, NULL, 0, G_MAXUINT, 0, flags);
  properties[PROP_TEMPORARY] = g_param_spec_boolean ("temporary", NULL, NULL, FALSE, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);

  signals[CONVERSATION_CHANGED] = g_signal_new ("conversation-changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                                NULL, NULL, G_TYPE_NONE, 1, G_TYPE_INT64);
}

static void
sl_store_init (SlStore *self)
{
  g_mutex_init (&self->lock);
  g_cond_init (&self->wake);
  g_cond_init (&self->settled);
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

static gboolean
run_sweep (SlDatabase  *database,
           SlStoreOp   *op,
           GError     **error)
{
  op->untidy = TRUE;
  return sl_database_purge (database, G_MAXINT64, NULL, error) && sl_database_sweep (database, error);
}

SlStore *
sl_store_new (const char  *dir,
              GError     **error)
{
  g_autofree char *folder = dir != NULL ? g_strdup (dir) : sl_store_dup_default_dir ();
  SlDatabase *database = sl_database_open (folder, SL_DATABASE_WRITE, error);
  SlStore *self;

  if (database == NULL)
    return NULL;
  self = g_object_new (SL_TYPE_STORE, NULL);
  self->dir = g_steal_pointer (&folder);
  self->database = database;
  self->last_id = sl_database_get_last_id (database);
  self->thread = g_thread_new ("sightline-store", writer_main, self);
  sl_store_push_write (self, sl_store_write_op (run_sweep, 0));
  return self;
}

SlStore *
sl_store_new_temporary (GError **error)
{
  g_autofree char *folder = g_dir_make_tmp ("sightline-XXXXXX", error);
  SlStore *self = folder != NULL ? sl_store_new (folder, error) : NULL;

  if (self != NULL)
    self->temporary = TRUE;
  return self;
}

const char *
sl_store_get_dir (SlStore *self)
{
  g_return_val_if_fail (SL_IS_STORE (self), NULL);

  return self->dir;
}

gboolean
sl_store_get_temporary (SlStore *self)
{
  g_return_val_if_fail (SL_IS_STORE (self), FALSE);

  return self->temporary;
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
  g_return_val_if_fail (SL_IS_STORE (self), 0);

  return self->pending;
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
  g_return_val_if_fail (SL_IS_STORE (self), 0);

  self->last_id = MAX (self->last_id + 1, g_get_real_time ());
  return self->last_id;
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
  while (self->writes.length > 0 && !(self->stalled && self->attempts > attempts))
    g_cond_wait (&self->settled, &self->lock);
  ok = self->writes.length == 0;
  if (!ok)
    g_propagate_error (error, g_error_copy (self->failure));
  g_mutex_unlock (&self->lock);
  return ok;
}

static void
remove_tree (const char *path)
{
  g_autoptr (GDir) handle = g_dir_open (path, 0, NULL);
  const char *name;

  while (handle != NULL && (name = g_dir_read_name (handle)) != NULL)
    {
      g_autofree char *child = g_build_filename (path, name, NULL);

      if (g_file_test (child, G_FILE_TEST_IS_DIR) && !g_file_test (child, G_FILE_TEST_IS_SYMLINK))
        remove_tree (child);
      else
        g_unlink (child);
    }
  g_rmdir (path);
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
  if (self->temporary)
    remove_tree (self->dir);
  return ok;
}
