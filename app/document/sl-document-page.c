/* SPDX-License-Identifier: MIT
 *
 * See sl-document-page.h.
 */
#include "app/document/sl-document-private.h"

enum { CHANGED, PICTURE, N_SIGNALS };

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlDocumentPage, sl_document_page, G_TYPE_OBJECT)

static void
page_free (gpointer page)
{
  if (page != NULL)
    sl_page_free (page);
}

static void
sl_document_page_finalize (GObject *object)
{
  SlDocumentPage *self = SL_DOCUMENT_PAGE (object);

  sl_page_free (self->page);
  g_ptr_array_unref (self->undo);
  g_clear_object (&self->picture);
  g_clear_object (&self->thumbnail);
  g_clear_object (&self->rendering);
  g_free (self->error);
  G_OBJECT_CLASS (sl_document_page_parent_class)->finalize (object);
}

static void
sl_document_page_class_init (SlDocumentPageClass *klass)
{
  GType type = G_TYPE_FROM_CLASS (klass);

  G_OBJECT_CLASS (klass)->finalize = sl_document_page_finalize;
  signals[CHANGED] = g_signal_new ("changed", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
  signals[PICTURE] = g_signal_new ("picture", type, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL, G_TYPE_NONE, 0);
}

static void
sl_document_page_init (SlDocumentPage *self)
{
  self->undo = g_ptr_array_new_with_free_func (page_free);
}

SlDocumentPage *
sl_document_page_new (const SlPageFile *file,
                      guint             index,
                      int               number)
{
  SlDocumentPage *self = g_object_new (SL_TYPE_DOCUMENT_PAGE, NULL);

  self->file = file;
  self->index = index;
  self->number = number;
  return self;
}

void
sl_document_page_set (SlDocumentPage *self,
                      SlPageState     state,
                      SlPage         *page,
                      const char     *error)
{
  if (page != self->page)
    sl_page_free (self->page);
  self->page = page;
  self->state = state;
  g_free (self->error);
  self->error = g_strdup (error);
  g_signal_emit (self, signals[CHANGED], 0);
}

void
sl_document_page_set_picture (SlDocumentPage *self,
                              SlPicture      *picture)
{
  g_set_object (&self->picture, picture);
  g_signal_emit (self, signals[PICTURE], 0);
}

void
sl_document_page_set_thumbnail (SlDocumentPage *self,
                                SlPicture      *picture)
{
  g_set_object (&self->thumbnail, picture);
  g_signal_emit (self, signals[PICTURE], 0);
}

void
sl_document_page_remember (SlDocumentPage *self)
{
  g_ptr_array_add (self->undo, self->page != NULL ? sl_page_copy (self->page) : NULL);
}

SlPageState
sl_document_page_get_state (SlDocumentPage *self)
{
  return self->state;
}

const char *
sl_document_page_get_file_name (SlDocumentPage *self)
{
  return self->file->name;
}

guint
sl_document_page_get_index (SlDocumentPage *self)
{
  return self->index;
}

int
sl_document_page_get_number (SlDocumentPage *self)
{
  return self->number;
}

const SlPage *
sl_document_page_get_page (SlDocumentPage *self)
{
  return self->page;
}

const char *
sl_document_page_get_error (SlDocumentPage *self)
{
  return self->error;
}

SlPicture *
sl_document_page_get_picture (SlDocumentPage *self)
{
  return self->picture;
}

SlPicture *
sl_document_page_get_thumbnail (SlDocumentPage *self)
{
  return self->thumbnail;
}

gboolean
sl_document_page_can_undo (SlDocumentPage *self)
{
  return self->undo->len > 0 && self->state != SL_PAGE_READING;
}
