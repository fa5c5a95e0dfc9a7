/* SPDX-License-Identifier: MIT
 *
 * Small decodes of pictures, and the shelf of those that were shown last: least recently used first, bounded in bytes. Workers look
 * on the shelf before they decode, so that two who ask for the same picture cost little more than one.
 */
#include "app/pictures/sl-preview.h"

#include "app/pictures/sl-picture-private.h"

#define KEPT_BYTES (32 * 1024 * 1024)
#define N_WORKERS 2
#define SMALLEST_SIDE 192
#define LARGEST_SIDE (SMALLEST_SIDE << 5)

typedef struct
{
  char *key;
  SlPreview *preview;
} Kept;

static GMutex shelf_lock;
static GQueue shelf = G_QUEUE_INIT; /* of Kept, the last used at the tail */
static gsize shelf_bytes;

SlPreview *
sl_preview_ref (SlPreview *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_preview_unref (SlPreview *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_bytes_unref (self->rgb);
  g_free (self);
}

/* A few sizes, so that a thumbnail and a window that is a little wider share their pixels. */
static int
round_up (int side)
{
  int rounded = SMALLEST_SIDE;

  while (rounded < side && rounded < LARGEST_SIDE)
    rounded *= 2;
  return rounded;
}

/* ------------------------------------------------------------------------------------------------ the shelf */

static void
kept_free (Kept *kept)
{
  shelf_bytes -= g_bytes_get_size (kept->preview->rgb);
  sl_preview_unref (kept->preview);
  g_free (kept->key);
  g_free (kept);
}

/* With the lock. */
static GList *
find_kept (const char *key)
{
  for (GList *link = shelf.tail; link != NULL; link = link->prev)
    if (g_str_equal (((Kept *) link->data)->key, key))
      return link;
  return NULL;
}

static SlPreview *
look_up (const char *key)
{
  SlPreview *preview = NULL;
  GList *link;

  g_mutex_lock (&shelf_lock);
  link = find_kept (key);
  if (link != NULL)
    {
      g_queue_unlink (&shelf, link);
      g_queue_push_tail_link (&shelf, link);
      preview = sl_preview_ref (((Kept *) link->data)->preview);
    }
  g_mutex_unlock (&shelf_lock);
  return preview;
}

static void
keep (const char *key,
      SlPreview  *preview)
{
  g_mutex_lock (&shelf_lock);
  if (find_kept (key) == NULL)
    {
      Kept *kept = g_new (Kept, 1);

      *kept = (Kept) { g_strdup (key), sl_preview_ref (preview) };
      shelf_bytes += g_bytes_get_size (preview->rgb);
      g_queue_push_tail (&shelf, kept);
    }
  while (shelf_bytes > KEPT_BYTES)
    kept_free (g_queue_pop_head (&shelf));
  g_mutex_unlock (&shelf_lock);
}

gsize
sl_preview_get_kept_bytes (void)
{
  gsize bytes;

  g_mutex_lock (&shelf_lock);
  bytes = shelf_bytes;
  g_mutex_unlock (&shelf_lock);
  return bytes;
}

static char *
dup_key (const char *sha256,
         int         side)
{
  return g_strdup_printf ("%s %d", sha256, round_up (side));
}

SlPreview *
sl_preview_lookup (const char *sha256,
                   int         side)
{
  g_autofree char *key = dup_key (sha256, side);

  return look_up (key);
}

/* ------------------------------------------------------------------------------------------------ decoding */

typedef struct
{
  char *sha256, *key;
  GBytes *bytes; /* or */
  char *path;
  char *name;
  int side;
  guint number;
} Request;

static void
request_free (gpointer data)
{
  Request *self = data;

  g_free (self->sha256);
  g_free (self->key);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_free (self->path);
  g_free (self->name);
  g_free (self);
}

/* Takes the pixels where they are small, a smaller copy else. NULL: no memory. */
static SlPreview *
shrink (GBytes   *rgb,
        int       width,
        int       height,
        gsize     stride,
        SlGround  ground,
        int       side)
{
  double scale = MIN (1, (double) side / MAX (width, height));
  SlPreview *self = g_new0 (SlPreview, 1);
  g_autoptr (GdkPixbuf) full = NULL;
  g_autoptr (GdkPixbuf) small = NULL;

  g_atomic_ref_count_init (&self->refs);
  self->width = MAX (1, (int) (width * scale + 0.5));
  self->height = MAX (1, (int) (height * scale + 0.5));
  self->stride = stride;
  self->ground = ground;
  if (self->width == width && self->height == height)
    {
      self->rgb = g_bytes_ref (rgb);
      return self;
    }
  full = gdk_pixbuf_new_from_bytes (rgb, GDK_COLORSPACE_RGB, FALSE, 8, width, height, (int) stride);
  small = gdk_pixbuf_scale_simple (full, self->width, self->height, GDK_INTERP_BILINEAR);
  if (small == NULL)
    {
      g_free (self);
      return NULL;
    }
  self->stride = gdk_pixbuf_get_rowstride (small);
  self->rgb = g_bytes_new_with_free_func (gdk_pixbuf_read_pixels (small), gdk_pixbuf_get_byte_length (small), g_object_unref,
                                          g_object_ref (small));
  return self;
}

/* From a larger one that is on the shelf: a thumbnail of what is shown below it. */
static SlPreview *
make_from_larger (const Request *request)
{
  for (int side = 2 * request->side; side <= LARGEST_SIDE; side *= 2)
    {
      g_autofree char *key = dup_key (request->sha256, side);
      g_autoptr (SlPreview) larger = look_up (key);

      if (larger != NULL)
        return shrink (larger->rgb, larger->width, larger->height, larger->stride, larger->ground, request->side);
    }
  return NULL;
}

static SlPreview *
make (const Request  *request,
      GCancellable   *cancellable,
      GError        **error)
{
  g_autoptr (GBytes) bytes = request->bytes != NULL ? g_bytes_ref (request->bytes) : NULL;
  g_autoptr (SlPicture) picture = NULL;
  SlPreview *preview;

  if (bytes == NULL)
    {
      g_autoptr (GFile) file = g_file_new_for_path (request->path);

      bytes = sl_picture_read_file (file, request->name, cancellable, error);
    }
  if (bytes == NULL)
    return NULL;
  picture = sl_picture_decode (bytes, request->name, FALSE, request->side, &sl_picture_default_limits, cancellable, error);
  if (picture == NULL)
    return NULL;
  preview = shrink (picture->rgb, picture->width, picture->height, picture->stride, sl_picture_get_ground (picture), request->side);
  if (preview == NULL)
    sl_picture_set_no_memory (request->name, error);
  return preview;
}

static void
work (gpointer data,
      gpointer user_data)
{
  g_autoptr (GTask) task = data;
  const Request *request = g_task_get_task_data (task);
  SlPreview *preview;
  GError *error = NULL;

  if (g_task_return_error_if_cancelled (task))
    return;
  preview = look_up (request->key);
  if (preview == NULL)
    {
      preview = make_from_larger (request);
      if (preview == NULL)
        preview = make (request, g_task_get_cancellable (task), &error);
      if (preview != NULL)
        keep (request->key, preview);
    }
  if (preview != NULL)
    g_task_return_pointer (task, preview, (GDestroyNotify) sl_preview_unref);
  else
    g_task_return_error (task, error);
}

/* The last one first: a conversation is shown from its end, and where somebody scrolls is what was asked for last. */
static int
compare_requests (gconstpointer a,
                  gconstpointer b,
                  gpointer      user_data)
{
  const Request *first = g_task_get_task_data (G_TASK (a)), *second = g_task_get_task_data (G_TASK (b));

  return (first->number < second->number) - (first->number > second->number);
}

static GThreadPool *
make_pool (void)
{
  GThreadPool *pool = g_thread_pool_new (work, NULL, N_WORKERS, FALSE, NULL);

  g_thread_pool_set_sort_function (pool, compare_requests, NULL);
  return pool;
}

void
sl_preview_load_async (const char          *sha256,
                       GBytes              *bytes,
                       const char          *path,
                       const char          *name,
                       int                  side,
                       GCancellable        *cancellable,
                       GAsyncReadyCallback  callback,
                       gpointer             user_data)
{
  static GThreadPool *pool;
  static guint number;
  GTask *task = g_task_new (NULL, cancellable, callback, user_data);
  Request *request = g_new0 (Request, 1);

  g_return_if_fail (bytes != NULL || path != NULL);

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, make_pool ());
  request->sha256 = g_strdup (sha256);
  request->key = dup_key (sha256, side);
  request->bytes = bytes != NULL ? g_bytes_ref (bytes) : NULL;
  request->path = g_strdup (path);
  request->name = g_strdup (name);
  request->side = round_up (side);
  request->number = number++;
  g_task_set_source_tag (task, sl_preview_load_async);
  g_task_set_task_data (task, request, request_free);
  g_thread_pool_push (pool, task, NULL);
}

SlPreview *
sl_preview_load_finish (GAsyncResult  *result,
                        GError       **error)
{
  g_return_val_if_fail (G_IS_TASK (result), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
