/* SPDX-License-Identifier: MIT
 *
 * The structs of a document and its pages, and what their files call of each other: sl-document.c (files, pages, pixels),
 * sl-document-read.c (the model), sl-document-edit.c (corrections, looking), sl-document-export.c. Nobody else includes this.
 */
#pragma once

#include "app/document/sl-document.h"
#include "app/document/sl-page-worker.h"

G_BEGIN_DECLS

struct _SlDocumentPage
{
  GObject parent_instance;

  const SlPageFile *file; /* of the document */
  guint index;
  int number;
  SlPageState state;
  char *error;
  SlPage *page;           /* NULL: nothing was read */
  GPtrArray *undo;        /* SlPage, NULL for nothing */
  SlPicture *picture, *thumbnail;
  GCancellable *rendering; /* of the picture, while it is */
  gboolean small;          /* the thumbnail was asked for */
};

typedef struct _SlDocumentReading SlDocumentReading;

struct _SlDocument
{
  GObject parent_instance;

  SlEngine *engine;
  SlPageWorker *worker;
  GPtrArray *files;   /* SlPageFile; NULL where it could not be opened, or is not yet */
  GPtrArray *pages;   /* SlDocumentPage */
  GPtrArray *paths;
  guint n_waiting;    /* files that are being opened */
  gboolean open;
  GCancellable *cancellable;
  SlDocumentReading *reading; /* or NULL */
};

SlDocumentPage *sl_document_page_new (const SlPageFile *file,
                                      guint             index,
                                      int               number);
/* Takes both; page NULL: nothing. */
void            sl_document_page_set (SlDocumentPage   *self,
                                      SlPageState       state,
                                      SlPage           *page,
                                      const char       *error);
void            sl_document_page_set_picture (SlDocumentPage *self,
                                              SlPicture      *picture);
void            sl_document_page_set_thumbnail (SlDocumentPage *self,
                                                SlPicture      *picture);
/* What is there can be brought back. */
void            sl_document_page_remember (SlDocumentPage *self);

void            sl_document_fail     (SlDocument       *self,
                                      const char       *sentence);
void            sl_document_tell     (SlDocument       *self); /* "progress" */
/* It is as it is now, and kept. */
void            sl_document_keep     (SlDocument       *self,
                                      SlDocumentPage   *page);
void            sl_document_end_reading (SlDocument    *self);

G_END_DECLS
