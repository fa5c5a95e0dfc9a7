/* SPDX-License-Identifier: MIT
 *
 * See sl-page-worker.h. Two threads: one for files and pixels, one for what is kept, so that a correction is on the disk before the
 * next page is drawn.
 */
#include "app/document/sl-page-worker.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "app/document/sl-page-source.h"
#include "app/system/sl-output.h"

#define MAX_OPEN 3 /* files; a picture is decoded while it is open */
#define LINES_TO_PAGES 8 /* what is kept is written anew where it holds so many lines for each page */

typedef struct
{
  char *path;
  SlPageSource *source;
} OpenFile;

struct _SlPageWorker
{
  char        *dir;
  GThreadPool *pixels, *keeping;
  gint         over;  /* what waits is not done any more */
  GQueue       open;  /* OpenFile, used last first; of the pixels' thread */
  guint        serial;
  GMutex       lock;
  GCond        kept;
  guint        n_to_keep;
  SlKeepFailed failed;
  gpointer     user_data;
};

typedef struct
{
  GTask        *task;
  char         *path;
  int           page;
  double        area[4];
  int           longer_side; /* 0: the file is opened */
  SlRenderOrder order;
  guint         serial;
} Work;

static void
work_free (Work *work)
{
  g_object_unref (work->task);
  g_free (work->path);
  g_free (work);
}

void
sl_page_file_free (SlPageFile *self)
{
  if (self == NULL)
    return;
  g_free (self->path);
  g_free (self->sha256);
  g_free (self->name);
  g_ptr_array_unref (self->known);
  g_free (self);
}

static void
open_file_free (OpenFile *file)
{
  sl_page_source_close (file->source);
  g_free (file->path);
  g_free (file);
}

/* ------------------------------------------------------------------------------------------------ what is kept */

static char *
dup_kept_path (const SlPageWorker *self,
               const char         *sha256)
{
  g_autofree char *name = g_strconcat (sha256, ".jsonl", NULL);

  return g_build_filename (self->dir, name, NULL);
}

static char *
to_line (const SlPage *page)
{
  json_t *object = sl_page_to_json (page);
  g_autofree char *text = json_dumps (object, JSON_COMPACT);

  json_decref (object);
  return g_strconcat (text, "\n", NULL);
}

static void
take_line (GPtrArray  *pages,
           const char *line)
{
  json_t *object = json_loads (line, 0, NULL);
  SlPage *page = object != NULL ? sl_page_from_json (object) : NULL;

  json_decref (object);
  if (page == NULL)
    return;
  for (guint i = 0; i < pages->len; i++)
    if (((SlPage *) pages->pdata[i])->number == page->number)
      g_ptr_array_remove_index_fast (pages, i--);
  g_ptr_array_add (pages, page);
}

static void
write_anew (const char *path,
            GPtrArray  *pages)
{
  g_autoptr(GString) all = g_string_new (NULL);

  for (guint i = 0; i < pages->len; i++)
    {
      g_autofree char *line = to_line (pages->pdata[i]);

      g_string_append (all, line);
    }
  /* Where that fails the longer file holds. */
  g_file_set_contents_full (path, all->str, (gssize) all->len, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, NULL);
}

static GPtrArray *
read_kept (const SlPageWorker *self,
           const char         *sha256)
{
  GPtrArray *pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
  g_autofree char *path = dup_kept_path (self, sha256), *text = NULL;
  g_auto(GStrv) lines = NULL;
  guint n = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return pages;
  lines = g_strsplit (text, "\n", -1);
  for (; lines[n] != NULL; n++)
    take_line (pages, lines[n]);
  if (n > LINES_TO_PAGES * (pages->len + 4))
    write_anew (path, pages);
  return pages;
}

typedef struct
{
  char *sha256, *line;
} Keep;

/* 0 or errno. A line that a crash cut off stays a line of its own. */
static int
append (const char *path,
        const char *line)
{
  int fd = open (path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600), saved = 0;
  off_t end = fd >= 0 ? lseek (fd, 0, SEEK_END) : -1;
  char last = '\n';

  if (fd < 0)
    return errno;
  if (end > 0 && pread (fd, &last, 1, end - 1) == 1 && last != '\n')
    saved = sl_output_write_all (fd, "\n", 1);
  if (saved == 0)
    saved = sl_output_write_all (fd, line, strlen (line));
  if (saved == 0 && fdatasync (fd) != 0)
    saved = errno;
  close (fd);
  return saved;
}

static void
do_keep (gpointer data,
         gpointer user_data)
{
  SlPageWorker *self = user_data;
  Keep *keep = data;
  g_autofree char *path = dup_kept_path (self, keep->sha256);
  int saved = g_mkdir_with_parents (self->dir, 0700) == 0 ? append (path, keep->line) : errno;

  if (saved != 0 && self->failed != NULL)
    {
      g_autoptr(GError) error = NULL;

      sl_output_set_error (&error, path, saved);
      self->failed (error->message, self->user_data);
    }
  g_mutex_lock (&self->lock);
  self->n_to_keep--;
  g_cond_broadcast (&self->kept);
  g_mutex_unlock (&self->lock);
  g_free (keep->sha256);
  g_free (keep->line);
  g_free (keep);
}

void
sl_page_worker_set_failed (SlPageWorker *self,
                           SlKeepFailed  failed,
                           gpointer      user_data)
{
  self->failed = failed;
  self->user_data = user_data;
}

void
sl_page_worker_keep (SlPageWorker *self,
                     const char   *sha256,
                     const SlPage *page)
{
  Keep *keep = g_new0 (Keep, 1);

  keep->sha256 = g_strdup (sha256);
  keep->line = to_line (page);
  g_mutex_lock (&self->lock);
  self->n_to_keep++;
  g_mutex_unlock (&self->lock);
  g_thread_pool_push (self->keeping, keep, NULL);
}

void
sl_page_worker_flush (SlPageWorker *self)
{
  g_mutex_lock (&self->lock);
  while (self->n_to_keep > 0)
    g_cond_wait (&self->kept, &self->lock);
  g_mutex_unlock (&self->lock);
}

/* ------------------------------------------------------------------------------------------------ files and pixels */

static SlPageSource *
get_source (SlPageWorker  *self,
            const char    *path,
            GCancellable  *cancellable,
            GError       **error)
{
  OpenFile *file;
  SlPageSource *source;

  for (GList *l = self->open.head; l != NULL; l = l->next)
    if (g_str_equal (((OpenFile *) l->data)->path, path))
      {
        g_queue_unlink (&self->open, l);
        g_queue_push_head_link (&self->open, l);
        return ((OpenFile *) l->data)->source;
      }
  source = sl_page_source_open (path, cancellable, error);
  if (source == NULL)
    return NULL;
  file = g_new (OpenFile, 1);
  *file = (OpenFile) { g_strdup (path), source };
  g_queue_push_head (&self->open, file);
  if (self->open.length > MAX_OPEN)
    open_file_free (g_queue_pop_tail (&self->open));
  return source;
}

static void
do_open (SlPageWorker *self,
         Work         *work)
{
  GError *error = NULL;
  g_autoptr(GMappedFile) bytes = g_mapped_file_new (work->path, FALSE, &error);
  SlPageSource *source = bytes != NULL ? get_source (self, work->path, g_task_get_cancellable (work->task), &error) : NULL;
  SlPageFile *file;

  if (source == NULL)
    {
      g_task_return_error (work->task, error);
      return;
    }
  file = g_new0 (SlPageFile, 1);
  file->path = g_strdup (work->path);
  file->name = g_strdup (sl_page_source_get_name (source));
  file->n_pages = sl_page_source_get_n_pages (source);
  file->sha256 = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) g_mapped_file_get_contents (bytes),
                                              g_mapped_file_get_length (bytes));
  file->known = read_kept (self, file->sha256);
  g_task_return_pointer (work->task, file, (GDestroyNotify) sl_page_file_free);
}

typedef struct
{
  SlPicture *picture;
  double dpi;
} Rendered;

static void
rendered_free (gpointer data)
{
  Rendered *rendered = data;

  g_clear_object (&rendered->picture);
  g_free (rendered);
}

static void
do_render (SlPageWorker *self,
           Work         *work)
{
  GError *error = NULL;
  SlPageSource *source = get_source (self, work->path, g_task_get_cancellable (work->task), &error);
  Rendered rendered = { 0 };

  if (source != NULL)
    rendered.picture = sl_page_source_render_area (source, work->page, work->area, work->longer_side, &rendered.dpi, &error);
  if (rendered.picture != NULL)
    g_task_return_pointer (work->task, g_memdup2 (&rendered, sizeof rendered), rendered_free);
  else
    g_task_return_error (work->task, error);
}

static void
do_work (gpointer data,
         gpointer user_data)
{
  SlPageWorker *self = user_data;
  Work *work = data;

  if (g_atomic_int_get (&self->over))
    g_task_return_new_error (work->task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "closed");
  else if (g_task_return_error_if_cancelled (work->task))
    ;
  else if (work->longer_side == 0)
    do_open (self, work);
  else
    do_render (self, work);
  work_free (work);
}

static int
compare (gconstpointer a,
         gconstpointer b,
         gpointer      unused)
{
  const Work *one = a, *other = b;

  return one->order != other->order ? (int) one->order - (int) other->order : one->serial < other->serial ? -1 : 1;
}

static void
push (SlPageWorker *self,
      Work         *work)
{
  work->serial = self->serial++;
  g_thread_pool_push (self->pixels, work, NULL);
}

void
sl_page_worker_open_async (SlPageWorker        *self,
                           const char          *path,
                           GCancellable        *cancellable,
                           GAsyncReadyCallback  callback,
                           gpointer             user_data)
{
  Work *work = g_new0 (Work, 1);

  work->task = g_task_new (NULL, cancellable, callback, user_data);
  work->path = g_strdup (path);
  push (self, work);
}

SlPageFile *
sl_page_worker_open_finish (GAsyncResult  *result,
                            GError       **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}

void
sl_page_worker_render_async (SlPageWorker        *self,
                             const char          *path,
                             int                  page,
                             const double         area[4],
                             int                  longer_side,
                             SlRenderOrder        order,
                             GCancellable        *cancellable,
                             GAsyncReadyCallback  callback,
                             gpointer             user_data)
{
  Work *work = g_new0 (Work, 1);

  work->task = g_task_new (NULL, cancellable, callback, user_data);
  work->path = g_strdup (path);
  work->page = page;
  memcpy (work->area, area, sizeof work->area);
  work->longer_side = longer_side;
  work->order = order;
  push (self, work);
}

SlPicture *
sl_page_worker_render_finish (GAsyncResult  *result,
                              double        *dpi,
                              GError       **error)
{
  Rendered *rendered = g_task_propagate_pointer (G_TASK (result), error);
  SlPicture *picture;

  if (rendered == NULL)
    return NULL;
  if (dpi != NULL)
    *dpi = rendered->dpi;
  picture = g_steal_pointer (&rendered->picture);
  rendered_free (rendered);
  return picture;
}

/* ------------------------------------------------------------------------------------------------ object */

SlPageWorker *
sl_page_worker_new (const char *dir)
{
  SlPageWorker *self = g_new0 (SlPageWorker, 1);

  self->dir = g_strdup (dir);
  g_mutex_init (&self->lock);
  g_cond_init (&self->kept);
  self->pixels = g_thread_pool_new (do_work, self, 1, FALSE, NULL);
  g_thread_pool_set_sort_function (self->pixels, compare, NULL);
  self->keeping = g_thread_pool_new (do_keep, self, 1, FALSE, NULL);
  return self;
}

void
sl_page_worker_free (SlPageWorker *self)
{
  if (self == NULL)
    return;
  g_atomic_int_set (&self->over, TRUE);
  g_thread_pool_free (self->keeping, FALSE, TRUE);
  g_thread_pool_free (self->pixels, FALSE, TRUE);
  while (self->open.length > 0)
    open_file_free (g_queue_pop_head (&self->open));
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->kept);
  g_free (self->dir);
  g_free (self);
}
