/* SPDX-License-Identifier: MIT
 *
 * What was read of a document as files, made on a worker from copies. See sl-document.h.
 */
#include "app/document/sl-document-private.h"

#include <string.h>

#include "app/document/sl-page-files.h"

/* A page of the copy, and where it is. */
typedef struct
{
  char *path;
  int number; /* from 0 */
} Origin;

typedef struct
{
  GPtrArray *pages;  /* SlPage, numbered through */
  GArray *origins;   /* Origin */
  char *dir, *name;
  SlPagesFormat format;
  SlPageSource *source; /* the one that is open */
  const char *open;     /* its path */
  gboolean replace; /* the user has agreed to it */
} Export;

static void
origin_clear (gpointer data)
{
  g_free (((Origin *) data)->path);
}

static void
export_free (gpointer data)
{
  Export *self = data;

  g_ptr_array_unref (self->pages);
  g_array_unref (self->origins);
  g_free (self->dir);
  g_free (self->name);
  sl_page_source_close (self->source);
  g_free (self);
}

/* One file is open at a time. */
static SlPageSource *
find_source (guint     index,
             int      *page,
             gpointer  user_data,
             GError  **error)
{
  Export *self = user_data;
  const Origin *origin = &g_array_index (self->origins, Origin, index);

  *page = origin->number;
  if (self->source != NULL && g_str_equal (self->open, origin->path))
    return self->source;
  g_clear_pointer (&self->source, sl_page_source_close);
  self->source = sl_page_source_open (origin->path, NULL, error);
  self->open = origin->path;
  return self->source;
}

static void
run (GTask        *task,
     gpointer      source,
     gpointer      data,
     GCancellable *cancellable)
{
  Export *self = data;
  g_autoptr(SlOutputs) outputs = sl_outputs_new (self->replace);
  const SlPagesWork work = { self->pages, self->name, self->dir, find_source, self, outputs };
  GError *error = NULL;

  sl_outputs_set_cancellable (outputs, cancellable);
  for (guint i = 0; i < self->origins->len; i++)
    sl_outputs_add_input (outputs, g_array_index (self->origins, Origin, i).path);
  if (sl_pages_write (&work, self->format, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

guint
sl_document_count_read (SlDocument *self)
{
  guint n = 0;

  for (guint i = 0; i < self->pages->len; i++)
    n += ((SlDocumentPage *) self->pages->pdata[i])->state == SL_PAGE_READ;
  return n;
}

void
sl_document_export_async (SlDocument          *self,
                          guint                format,
                          const char          *path,
                          gboolean             replace,
                          GCancellable        *cancellable,
                          GAsyncReadyCallback  callback,
                          gpointer             user_data)
{
  g_autoptr(GTask) task = g_task_new (self, cancellable, callback, user_data);
  Export *export = g_new0 (Export, 1);

  export->pages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_page_free);
  export->origins = g_array_new (FALSE, FALSE, sizeof (Origin));
  g_array_set_clear_func (export->origins, origin_clear);
  export->dir = g_path_get_dirname (path);
  export->name = g_path_get_basename (path);
  export->format = format;
  export->replace = replace;
  for (guint i = 0; i < self->pages->len; i++)
    {
      const SlDocumentPage *page = self->pages->pdata[i];
      Origin origin = { NULL, page->number - 1 };
      SlPage *copy;

      if (page->state != SL_PAGE_READ)
        continue;
      origin.path = g_strdup (page->file->path);
      copy = sl_page_copy (page->page);
      copy->number = (int) i + 1; /* files have pages of the same number */
      g_ptr_array_add (export->pages, copy);
      g_array_append_val (export->origins, origin);
    }
  g_task_set_task_data (task, export, export_free);
  g_task_run_in_thread (task, run);
}

gboolean
sl_document_export_finish (SlDocument    *self,
                           GAsyncResult  *result,
                           GError       **error)
{
  return g_task_propagate_boolean (G_TASK (result), error);
}
