/* SPDX-License-Identifier: MIT
 *
 * SlPageWorker: the thread of a document that opens its files, turns pages into pixels and keeps what was read and corrected. Files
 * are known by their content: what is kept of one is found again wherever it lies. What is kept is a file of lines for each, the last
 * line of a page being what holds; a line that a crash cut off is nothing. Made and used on the UI thread, which never waits for it,
 * but for sl_page_worker_flush().
 */
#pragma once

#include <gio/gio.h>

#include "app/document/sl-page.h"
#include "app/pictures/sl-picture.h"

G_BEGIN_DECLS

typedef struct _SlPageWorker SlPageWorker;

/* dir: where what was read is kept. Pictures that are asked for and not there yet come with G_IO_ERROR_CANCELLED after free. */
SlPageWorker *sl_page_worker_new  (const char   *dir);
void          sl_page_worker_free (SlPageWorker *self);

/* A file that was opened. */
typedef struct
{
  char      *path, *sha256;
  char      *name;    /* valid UTF-8 */
  int        n_pages;
  GPtrArray *known;   /* SlPage that are kept of it, any order */
} SlPageFile;

void        sl_page_file_free          (SlPageFile           *self);
void        sl_page_worker_open_async  (SlPageWorker         *self,
                                        const char           *path,
                                        GCancellable         *cancellable,
                                        GAsyncReadyCallback   callback,
                                        gpointer              user_data);
SlPageFile *sl_page_worker_open_finish (GAsyncResult         *result,
                                        GError              **error);

/* What comes first when there is a choice. */
typedef enum
{
  SL_RENDER_SHOWN, /* it is being waited for */
  SL_RENDER_NEXT,  /* it may be */
  SL_RENDER_SMALL, /* a thumbnail */
} SlRenderOrder;

/* area: as sl_page_source_render_area() has it. */
void        sl_page_worker_render_async  (SlPageWorker         *self,
                                          const char           *path,
                                          int                   page,
                                          const double          area[4],
                                          int                   longer_side,
                                          SlRenderOrder         order,
                                          GCancellable         *cancellable,
                                          GAsyncReadyCallback   callback,
                                          gpointer              user_data);
SlPicture  *sl_page_worker_render_finish (GAsyncResult         *result,
                                          double               *dpi,
                                          GError              **error);

/* Keeps the page as it is now; called on whatever thread where that fails. */
typedef void (*SlKeepFailed) (const char *sentence, gpointer user_data);
void        sl_page_worker_set_failed    (SlPageWorker         *self,
                                          SlKeepFailed          failed,
                                          gpointer              user_data);
void        sl_page_worker_keep          (SlPageWorker         *self,
                                          const char           *sha256,
                                          const SlPage         *page);
/* Waits until all of it is on the disk. */
void        sl_page_worker_flush         (SlPageWorker         *self);

G_END_DECLS
