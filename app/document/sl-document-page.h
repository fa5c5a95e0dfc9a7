/* SPDX-License-Identifier: MIT
 *
 * SlDocumentPage: a page of an open document as a list row: how far it is, what was read of it, and its pixels while it is shown or
 * may be next. Owned and changed by its SlDocument; everybody else looks. UI thread.
 */
#pragma once

#include "app/document/sl-page.h"
#include "app/pictures/sl-picture.h"

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  SL_PAGE_UNREAD,
  SL_PAGE_WAITING,
  SL_PAGE_READING, /* what has come of it is there */
  SL_PAGE_READ,
  SL_PAGE_FAILED,
} SlPageState;

#define SL_TYPE_DOCUMENT_PAGE (sl_document_page_get_type ())
G_DECLARE_FINAL_TYPE (SlDocumentPage, sl_document_page, SL, DOCUMENT_PAGE, GObject)

/* Signals: "changed" (): state or blocks; "picture" (): pixels came, went, or cannot be had. */

SlPageState   sl_document_page_get_state     (SlDocumentPage *self);
const char   *sl_document_page_get_file_name (SlDocumentPage *self);
guint         sl_document_page_get_index     (SlDocumentPage *self); /* in the document, from 0 */
int           sl_document_page_get_number    (SlDocumentPage *self); /* in its file, from 1 */
/* NULL where nothing was read. Borrowed, until the next "changed". */
const SlPage *sl_document_page_get_page      (SlDocumentPage *self);
/* Why it FAILED, or why it has no pixels; else NULL. */
const char   *sl_document_page_get_error     (SlDocumentPage *self);
SlPicture    *sl_document_page_get_picture   (SlDocumentPage *self); /* or NULL: not yet, or not any more */
SlPicture    *sl_document_page_get_thumbnail (SlDocumentPage *self); /* the same */
gboolean      sl_document_page_can_undo      (SlDocumentPage *self);

G_END_DECLS
