/* SPDX-License-Identifier: MIT
 *
 * The queue of downloads. A run is a GTask on a thread; a timeout reads its numbers while it lasts.
 */
#include "app/hub/sl-downloads.h"

#include "app/hub/sl-library.h"

#define TICK_MS 250

struct _SlDownloadItem
{
  GObject parent_instance;

  char *repo, *dest;
  SlDownloadItemState state;
  SlDownloadProgress progress;
  GError *error;
  gint64 turn;      /* the lowest is next */
  guint ahead;
  gboolean discard; /* when its run has ended */
};

static guint changed_signal;

G_DEFINE_FINAL_TYPE (SlDownloadItem, sl_download_item, G_TYPE_OBJECT)

static void
sl_download_item_finalize (GObject *object)
{
  SlDownloadItem *self = SL_DOWNLOAD_ITEM (object);

  g_free (self->repo);
  g_free (self->dest);
  g_clear_error (&self->error);
  G_OBJECT_CLASS (sl_download_item_parent_class)->finalize (object);
}

static void
sl_download_item_class_init (SlDownloadItemClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = sl_download_item_finalize;
  changed_signal = g_signal_new ("changed", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_download_item_init (SlDownloadItem *self)
{
}

static SlDownloadItem *
new_item (const char          *repo,
          const char          *dest,
          SlDownloadItemState  state)
{
  SlDownloadItem *self = g_object_new (SL_TYPE_DOWNLOAD_ITEM, NULL);

  self->repo = g_strdup (repo);
  self->dest = g_strdup (dest);
  self->state = state;
  self->progress.seconds_left = -1;
  return self;
}

static void
set_state (SlDownloadItem      *self,
           SlDownloadItemState  state)
{
  if (state != SL_DOWNLOAD_ITEM_FAILED)
    g_clear_error (&self->error);
  self->state = state;
  g_signal_emit (self, changed_signal, 0);
}

const char *
sl_download_item_get_repo (SlDownloadItem *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOAD_ITEM (self), NULL);

  return self->repo;
}

const char *
sl_download_item_get_dest (SlDownloadItem *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOAD_ITEM (self), NULL);

  return self->dest;
}

SlDownloadItemState
sl_download_item_get_state (SlDownloadItem *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOAD_ITEM (self), SL_DOWNLOAD_ITEM_STOPPED);

  return self->state;
}

const SlDownloadProgress *
sl_download_item_get_progress (SlDownloadItem *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOAD_ITEM (self), NULL);

  return &self->progress;
}

const GError *
sl_download_item_get_error (SlDownloadItem *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOAD_ITEM (self), NULL);

  return self->error;
}

guint
sl_download_item_get_ahead (SlDownloadItem *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOAD_ITEM (self), 0);

  return self->ahead;
}

/* ------------------------------------------------------------------------------------------------ the list */

struct _SlDownloads
{
  GObject parent_instance;

  char *endpoint;
  guint64 limit;
  gint64 first_turn, last_turn;
  GListStore *items;
  SlDownloadItem *running; /* borrowed */
  SlDownload *download;    /* its */
  GCancellable *cancellable;
  guint tick;
  gboolean closing;
};

enum { PROP_0, PROP_BUSY, N_PROPS };

static GParamSpec *properties[N_PROPS];
static guint finished_signal;

static void sl_downloads_list_init (GListModelInterface *iface);
static void run_next (SlDownloads *self);

G_DEFINE_FINAL_TYPE_WITH_CODE (SlDownloads, sl_downloads, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, sl_downloads_list_init))

static GType
sl_downloads_get_item_type (GListModel *list)
{
  return SL_TYPE_DOWNLOAD_ITEM;
}

static guint
sl_downloads_get_n_items (GListModel *list)
{
  return g_list_model_get_n_items (G_LIST_MODEL (SL_DOWNLOADS (list)->items));
}

static gpointer
sl_downloads_get_item (GListModel *list,
                       guint       position)
{
  return g_list_model_get_item (G_LIST_MODEL (SL_DOWNLOADS (list)->items), position);
}

static void
sl_downloads_list_init (GListModelInterface *iface)
{
  iface->get_item_type = sl_downloads_get_item_type;
  iface->get_n_items = sl_downloads_get_n_items;
  iface->get_item = sl_downloads_get_item;
}

static SlDownloadItem *
peek_item (SlDownloads *self,
           guint        position)
{
  g_autoptr (SlDownloadItem) item = g_list_model_get_item (G_LIST_MODEL (self->items), position);

  return item; /* the list holds it */
}

gboolean
sl_downloads_is_busy (SlDownloads *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOADS (self), FALSE);

  if (self->running != NULL)
    return TRUE;
  for (guint i = 0; i < sl_downloads_get_n_items (G_LIST_MODEL (self)); i++)
    if (peek_item (self, i)->state == SL_DOWNLOAD_ITEM_QUEUED)
      return TRUE;
  return FALSE;
}

static void
notify_busy (SlDownloads *self)
{
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_BUSY]);
}

static void
take_out (SlDownloads    *self,
          SlDownloadItem *item)
{
  guint position;

  if (g_list_store_find (self->items, item, &position))
    g_list_store_remove (self->items, position);
}

/* ------------------------------------------------------------------------------------------------ running */

static gboolean
on_tick (gpointer data)
{
  SlDownloads *self = data;

  sl_download_get_progress (self->download, &self->running->progress);
  g_signal_emit (self->running, changed_signal, 0);
  return G_SOURCE_CONTINUE;
}

static void
run (GTask        *task,
     gpointer      source,
     gpointer      data,
     GCancellable *cancellable)
{
  GError *error = NULL;

  if (sl_download_run (data, cancellable, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

static void
end_run (SlDownloads    *self,
         SlDownloadItem *item,
         gboolean        good,
         GError         *error)
{
  if (good)
    {
      set_state (item, SL_DOWNLOAD_ITEM_DONE);
      g_signal_emit (self, finished_signal, 0, item);
    }
  else if (item->discard)
    {
      sl_download_discard (item->dest, NULL);
      take_out (self, item);
    }
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    set_state (item, SL_DOWNLOAD_ITEM_STOPPED);
  else
    {
      item->error = g_error_copy (error);
      set_state (item, SL_DOWNLOAD_ITEM_FAILED);
    }
}

static void
on_run (GObject      *source,
        GAsyncResult *result,
        gpointer      data)
{
  SlDownloads *self = SL_DOWNLOADS (source);
  g_autoptr (SlDownloadItem) item = data;
  g_autoptr (GError) error = NULL;
  gboolean good = g_task_propagate_boolean (G_TASK (result), &error);

  g_clear_handle_id (&self->tick, g_source_remove);
  sl_download_get_progress (self->download, &item->progress);
  g_clear_pointer (&self->download, sl_download_free);
  g_clear_object (&self->cancellable);
  self->running = NULL;
  end_run (self, item, good, error);
  run_next (self);
  notify_busy (self);
}

/* Of the item, among those that wait. */
static guint
count_ahead (SlDownloads    *self,
             SlDownloadItem *item)
{
  guint n = self->running != NULL;

  for (guint i = 0; i < sl_downloads_get_n_items (G_LIST_MODEL (self)); i++)
    n += peek_item (self, i)->state == SL_DOWNLOAD_ITEM_QUEUED && peek_item (self, i)->turn < item->turn;
  return n;
}

static void
update_queue (SlDownloads *self)
{
  for (guint i = 0; i < sl_downloads_get_n_items (G_LIST_MODEL (self)); i++)
    {
      SlDownloadItem *item = peek_item (self, i);
      guint ahead = item->state == SL_DOWNLOAD_ITEM_QUEUED ? count_ahead (self, item) : 0;

      if (ahead == item->ahead)
        continue;
      item->ahead = ahead;
      g_signal_emit (item, changed_signal, 0);
    }
}

static SlDownloadItem *
find_next (SlDownloads *self)
{
  for (guint i = 0; i < sl_downloads_get_n_items (G_LIST_MODEL (self)); i++)
    if (peek_item (self, i)->state == SL_DOWNLOAD_ITEM_QUEUED && count_ahead (self, peek_item (self, i)) == 0)
      return peek_item (self, i);
  return NULL;
}

/* And says who waits for how many. */
static void
run_next (SlDownloads *self)
{
  SlDownloadItem *item = self->closing ? NULL : find_next (self);
  SlDownloadOptions options = { .endpoint = self->endpoint, .token = g_getenv ("HF_TOKEN"), .bytes_per_second = self->limit };
  g_autoptr (GTask) task = NULL;

  if (item != NULL)
    {
      options.repo = item->repo;
      options.dest = item->dest;
      self->running = item;
      self->download = sl_download_new (&options);
      self->cancellable = g_cancellable_new ();
      self->tick = g_timeout_add (TICK_MS, on_tick, self);
      task = g_task_new (self, self->cancellable, on_run, g_object_ref (item));
      g_task_set_source_tag (task, run_next);
      g_task_set_check_cancellable (task, FALSE);
      g_task_set_task_data (task, self->download, NULL);
      set_state (item, SL_DOWNLOAD_ITEM_RUNNING);
      g_task_run_in_thread (task, run);
    }
  update_queue (self);
}

/* ------------------------------------------------------------------------------------------------ what a user does */

SlDownloadItem *
sl_downloads_find (SlDownloads *self,
                   const char  *repo)
{
  g_return_val_if_fail (SL_IS_DOWNLOADS (self), NULL);

  for (guint i = 0; i < sl_downloads_get_n_items (G_LIST_MODEL (self)); i++)
    if (g_str_equal (peek_item (self, i)->repo, repo))
      return peek_item (self, i);
  return NULL;
}

SlDownloadItem *
sl_downloads_add (SlDownloads *self,
                  const char  *repo)
{
  SlDownloadItem *item = sl_downloads_find (self, repo);

  if (item == NULL)
    {
      g_autofree char *dest = sl_library_dup_dest (repo);
      g_autoptr (SlDownloadItem) made = new_item (repo, dest, SL_DOWNLOAD_ITEM_STOPPED);

      g_list_store_append (self->items, made);
      item = made;
    }
  sl_downloads_resume (self, item);
  return item;
}

void
sl_downloads_resume (SlDownloads    *self,
                     SlDownloadItem *item)
{
  g_return_if_fail (SL_IS_DOWNLOADS (self));
  g_return_if_fail (SL_IS_DOWNLOAD_ITEM (item));

  if (item->state == SL_DOWNLOAD_ITEM_RUNNING || item->state == SL_DOWNLOAD_ITEM_QUEUED)
    return;
  item->discard = FALSE;
  item->turn = ++self->last_turn;
  set_state (item, SL_DOWNLOAD_ITEM_QUEUED);
  run_next (self);
  notify_busy (self);
}

void
sl_downloads_stop (SlDownloads    *self,
                   SlDownloadItem *item)
{
  g_return_if_fail (SL_IS_DOWNLOADS (self));
  g_return_if_fail (SL_IS_DOWNLOAD_ITEM (item));

  if (item == self->running)
    g_cancellable_cancel (self->cancellable);
  else if (item->state == SL_DOWNLOAD_ITEM_QUEUED)
    {
      set_state (item, SL_DOWNLOAD_ITEM_STOPPED);
      update_queue (self);
    }
  notify_busy (self);
}

void
sl_downloads_put_first (SlDownloads    *self,
                        SlDownloadItem *item)
{
  g_return_if_fail (SL_IS_DOWNLOADS (self));
  g_return_if_fail (SL_IS_DOWNLOAD_ITEM (item));

  item->turn = --self->first_turn;
  update_queue (self);
}

void
sl_downloads_set_limit (SlDownloads *self,
                        guint64      bytes_per_second)
{
  g_return_if_fail (SL_IS_DOWNLOADS (self));

  self->limit = bytes_per_second;
  if (self->download != NULL)
    sl_download_set_limit (self->download, bytes_per_second);
}

void
sl_downloads_discard (SlDownloads    *self,
                      SlDownloadItem *item)
{
  g_return_if_fail (SL_IS_DOWNLOADS (self));
  g_return_if_fail (SL_IS_DOWNLOAD_ITEM (item));

  item->discard = TRUE;
  if (item == self->running)
    g_cancellable_cancel (self->cancellable);
  else
    {
      sl_download_discard (item->dest, NULL);
      take_out (self, item);
      update_queue (self);
    }
  notify_busy (self);
}

void
sl_downloads_close (SlDownloads *self)
{
  g_return_if_fail (SL_IS_DOWNLOADS (self));

  self->closing = TRUE;
  if (self->cancellable != NULL)
    g_cancellable_cancel (self->cancellable);
  while (self->running != NULL)
    g_main_context_iteration (NULL, TRUE);
}

const char *
sl_downloads_get_endpoint (SlDownloads *self)
{
  g_return_val_if_fail (SL_IS_DOWNLOADS (self), NULL);

  return self->endpoint;
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_downloads_get_property (GObject    *object,
                           guint       id,
                           GValue     *value,
                           GParamSpec *pspec)
{
  if (id == PROP_BUSY)
    g_value_set_boolean (value, sl_downloads_is_busy (SL_DOWNLOADS (object)));
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
}

static void
sl_downloads_finalize (GObject *object)
{
  SlDownloads *self = SL_DOWNLOADS (object);

  g_free (self->endpoint);
  g_object_unref (self->items);
  G_OBJECT_CLASS (sl_downloads_parent_class)->finalize (object);
}

static void
sl_downloads_class_init (SlDownloadsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->get_property = sl_downloads_get_property;
  object_class->finalize = sl_downloads_finalize;
  properties[PROP_BUSY] = g_param_spec_boolean ("busy", NULL, NULL, FALSE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY);
  g_object_class_install_properties (object_class, N_PROPS, properties);
  finished_signal = g_signal_new ("finished", G_TYPE_FROM_CLASS (klass), G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1,
                                  SL_TYPE_DOWNLOAD_ITEM);
}

static void
sl_downloads_init (SlDownloads *self)
{
  self->items = g_list_store_new (SL_TYPE_DOWNLOAD_ITEM);
  g_signal_connect_object (self->items, "items-changed", G_CALLBACK (g_list_model_items_changed), self, G_CONNECT_SWAPPED);
}

/* The library's folder is small: listing it takes a moment of the start. */
SlDownloads *
sl_downloads_new (const char *endpoint)
{
  SlDownloads *self = g_object_new (SL_TYPE_DOWNLOADS, NULL);
  g_autoptr (GPtrArray) models = sl_library_list_unfinished ();

  self->endpoint = sl_hub_dup_endpoint (endpoint, NULL);
  if (self->endpoint == NULL)
    self->endpoint = g_strdup (SL_HUB_ENDPOINT);
  for (guint i = 0; i < models->len; i++)
    {
      const SlLibraryModel *model = models->pdata[i];
      g_autoptr (SlDownloadItem) item = new_item (model->repo, model->dir, SL_DOWNLOAD_ITEM_STOPPED);

      item->progress.bytes = model->bytes;
      g_list_store_append (self->items, item);
    }
  return self;
}
