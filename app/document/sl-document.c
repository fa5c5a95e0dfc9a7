/* SPDX-License-Identifier: MIT
 *
 * A document's files and pages, and the pixels of those that are looked at. See sl-document.h.
 */
#include "app/document/sl-document-private.h"

#define VIEW_SIDE      1920 /* pixels of a page that is shown, on its longer side */
#define THUMBNAIL_SIDE 160
#define AHEAD          2    /* pages that are ready behind the one that is shown */
#define BEHIND         1

enum { OPENED, PROGRESS, FAILED, N_SIGNALS };

static guint signals[N_SIGNALS];
static const double whole[4] = { 0, 0, 1, 1 };

static void list_model_init (GListModelInterface *interface);

G_DEFINE_FINAL_TYPE_WITH_CODE (SlDocument, sl_document, G_TYPE_OBJECT, G_IMPLEMENT_INTERFACE (G_TYPE_LIST_MODEL, list_model_init))

static GType
get_item_type (GListModel *list)
{
  return SL_TYPE_DOCUMENT_PAGE;
}

static guint
get_n_items (GListModel *list)
{
  return SL_DOCUMENT (list)->pages->len;
}

static gpointer
get_item (GListModel *list,
          guint       position)
{
  SlDocumentPage *page = sl_document_get_page (SL_DOCUMENT (list), position);

  return page != NULL ? g_object_ref (page) : NULL;
}

static void
list_model_init (GListModelInterface *interface)
{
  interface->get_item_type = get_item_type;
  interface->get_n_items = get_n_items;
  interface->get_item = get_item;
}

void
sl_document_fail (SlDocument *self,
                  const char *sentence)
{
  g_signal_emit (self, signals[FAILED], 0, sentence);
}

void
sl_document_tell (SlDocument *self)
{
  g_signal_emit (self, signals[PROGRESS], 0);
}

/* ------------------------------------------------------------------------------------------------ files */

static const SlPage *
find_known (const SlPageFile *file,
            int               number)
{
  for (guint i = 0; i < file->known->len; i++)
    if (((const SlPage *) file->known->pdata[i])->number == number)
      return file->known->pdata[i];
  return NULL;
}

/* All at once, in the order in which the files were given. */
static void
make_pages (SlDocument *self)
{
  for (guint i = 0; i < self->files->len; i++)
    {
      const SlPageFile *file = self->files->pdata[i];

      for (int k = 1; file != NULL && k <= file->n_pages; k++)
        {
          SlDocumentPage *page = sl_document_page_new (file, self->pages->len, k);
          const SlPage *known = find_known (file, k);

          if (known != NULL)
            sl_document_page_set (page, SL_PAGE_READ, sl_page_copy (known), NULL);
          g_ptr_array_add (self->pages, page);
        }
    }
  self->open = TRUE;
  g_list_model_items_changed (G_LIST_MODEL (self), 0, 0, self->pages->len);
  g_signal_emit (self, signals[OPENED], 0);
}

typedef struct
{
  SlDocument *document;
  guint index;
} Opening;

static void
on_opened (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  Opening *opening = data;
  g_autoptr(SlDocument) self = opening->document;
  g_autoptr(GError) error = NULL;

  self->files->pdata[opening->index] = sl_page_worker_open_finish (result, &error);
  g_free (opening);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  if (error != NULL)
    sl_document_fail (self, error->message);
  if (--self->n_waiting == 0)
    make_pages (self);
}

void
sl_document_open (SlDocument *self,
                  GPtrArray  *paths)
{
  g_return_if_fail (SL_IS_DOCUMENT (self) && self->paths->len == 0);

  self->n_waiting = paths->len;
  for (guint i = 0; i < paths->len; i++)
    {
      Opening *opening = g_new (Opening, 1);

      *opening = (Opening) { g_object_ref (self), i };
      g_ptr_array_add (self->paths, g_strdup (paths->pdata[i]));
      g_ptr_array_add (self->files, NULL);
      sl_page_worker_open_async (self->worker, paths->pdata[i], self->cancellable, on_opened, opening);
    }
}

gboolean
sl_document_is_open (SlDocument *self)
{
  return self->open;
}

const char *
sl_document_get_title (SlDocument *self)
{
  for (guint i = 0; i < self->files->len; i++)
    if (self->files->pdata[i] != NULL)
      return ((const SlPageFile *) self->files->pdata[i])->name;
  return "";
}

SlDocumentPage *
sl_document_get_page (SlDocument *self,
                      guint       page)
{
  return page < self->pages->len ? self->pages->pdata[page] : NULL;
}

void
sl_document_keep (SlDocument     *self,
                  SlDocumentPage *page)
{
  if (page->page != NULL)
    sl_page_worker_keep (self->worker, page->file->sha256, page->page);
}

void
sl_document_flush (SlDocument *self)
{
  sl_page_worker_flush (self->worker);
}

/* ------------------------------------------------------------------------------------------------ pixels */

static void
on_rendered (GObject      *source,
             GAsyncResult *result,
             gpointer      data)
{
  g_autoptr(SlDocumentPage) page = data;
  g_autoptr(GError) error = NULL;
  g_autoptr(SlPicture) picture = sl_page_worker_render_finish (result, NULL, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  g_clear_object (&page->rendering);
  if (error != NULL && page->error == NULL)
    page->error = g_strdup (error->message);
  sl_document_page_set_picture (page, picture);
}

static void
want_picture (SlDocument     *self,
              SlDocumentPage *page,
              SlRenderOrder   order)
{
  if (page == NULL || page->picture != NULL || (page->rendering != NULL && order != SL_RENDER_SHOWN))
    return;
  if (page->rendering != NULL)
    g_cancellable_cancel (page->rendering); /* it waits behind others */
  g_clear_object (&page->rendering);
  page->rendering = g_cancellable_new ();
  sl_page_worker_render_async (self->worker, page->file->path, page->number - 1, whole, VIEW_SIDE, order, page->rendering, on_rendered,
                               g_object_ref (page));
}

void
sl_document_show_page (SlDocument *self,
                       guint       index)
{
  want_picture (self, sl_document_get_page (self, index), SL_RENDER_SHOWN);
  for (guint i = 0; i < self->pages->len; i++)
    {
      SlDocumentPage *page = self->pages->pdata[i];
      gboolean near = i + BEHIND >= index && i <= index + AHEAD;

      if (near)
        want_picture (self, page, SL_RENDER_NEXT);
      else if (page->rendering != NULL || page->picture != NULL)
        {
          g_cancellable_cancel (page->rendering);
          g_clear_object (&page->rendering);
          g_clear_object (&page->picture);
        }
    }
}

static void
on_thumbnail (GObject      *source,
              GAsyncResult *result,
              gpointer      data)
{
  g_autoptr(SlDocumentPage) page = data;
  g_autoptr(SlPicture) picture = sl_page_worker_render_finish (result, NULL, NULL);

  if (picture != NULL)
    sl_document_page_set_thumbnail (page, picture);
}

void
sl_document_want_thumbnail (SlDocument *self,
                            guint       index)
{
  SlDocumentPage *page = sl_document_get_page (self, index);

  if (page == NULL || page->small)
    return;
  page->small = TRUE;
  sl_page_worker_render_async (self->worker, page->file->path, page->number - 1, whole, THUMBNAIL_SIDE, SL_RENDER_SMALL, self->cancellable,
                               on_thumbnail, g_object_ref (page));
}

/* ------------------------------------------------------------------------------------------------ object */

typedef struct
{
  GWeakRef document;
  char *sentence;
} Complaint;

static gboolean
complain (gpointer data)
{
  Complaint *complaint = data;
  g_autoptr(SlDocument) self = g_weak_ref_get (&complaint->document);

  if (self != NULL)
    sl_document_fail (self, complaint->sentence);
  return G_SOURCE_REMOVE;
}

static void
complaint_free (gpointer data)
{
  Complaint *complaint = data;

  g_weak_ref_clear (&complaint->document);
  g_free (complaint->sentence);
  g_free (complaint);
}

/* On the worker. */
static void
on_not_kept (const char *sentence,
             gpointer    self)
{
  Complaint *complaint = g_new0 (Complaint, 1);

  g_weak_ref_init (&complaint->document, self);
  complaint->sentence = g_strdup (sentence);
  g_idle_add_full (G_PRIORITY_DEFAULT, complain, complaint, complaint_free);
}

static void
sl_document_dispose (GObject *object)
{
  SlDocument *self = SL_DOCUMENT (object);

  g_cancellable_cancel (self->cancellable);
  sl_document_end_reading (self);
  sl_page_worker_flush (self->worker);
  g_clear_object (&self->engine);
  G_OBJECT_CLASS (sl_document_parent_class)->dispose (object);
}

static void
file_free (gpointer file)
{
  sl_page_file_free (file);
}

static void
sl_document_finalize (GObject *object)
{
  SlDocument *self = SL_DOCUMENT (object);

  sl_page_worker_free (self->worker);
  g_ptr_array_unref (self->pages);
  g_ptr_array_unref (self->files);
  g_ptr_array_unref (self->paths);
  g_object_unref (self->cancellable);
  G_OBJECT_CLASS (sl_document_parent_class)->finalize (object);
}

static void
sl_document_class_init (SlDocumentClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GType type = G_TYPE_FROM_CLASS (klass);

  object_class->dispose = sl_document_dispose;
  object_class->finalize = sl_document_finalize;
  signals[OPENED] = g_signal_new ("opened", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[PROGRESS] = g_signal_new ("progress", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[FAILED] = g_signal_new ("failed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 1, G_TYPE_STRING);
}

static void
sl_document_init (SlDocument *self)
{
  self->files = g_ptr_array_new_with_free_func (file_free);
  self->pages = g_ptr_array_new_with_free_func (g_object_unref);
  self->paths = g_ptr_array_new_with_free_func (g_free);
  self->cancellable = g_cancellable_new ();
}

SlDocument *
sl_document_new (SlEngine   *engine,
                 const char *dir)
{
  SlDocument *self = g_object_new (SL_TYPE_DOCUMENT, NULL);
  g_autofree char *own = g_build_filename (g_get_user_data_dir (), "io.github.sightline.Sightline", "documents", NULL);

  self->engine = g_object_ref (engine);
  self->worker = sl_page_worker_new (dir != NULL ? dir : own);
  sl_page_worker_set_failed (self->worker, on_not_kept, self);
  return self;
}
