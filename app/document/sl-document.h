/* SPDX-License-Identifier: MIT
 *
 * SlDocument: files whose pages are looked at, read by a document model and corrected: a list of SlDocumentPage.
 *
 *   file ──▶ pages ──▶ blocks (sl-page.h) ──▶ view
 *              ▲ │ read, corrected
 *              │ ▼
 *        what is kept (sl-page-worker.h): each page as it was read or changed last, by the content of its file. Opening the file again,
 *        after whatever end of the program, brings it back; reading goes on with the pages that are not there yet.
 *
 * UI thread; nothing here waits. It must not know GTK or conversations.
 */
#pragma once

#include "app/document/sl-document-page.h"
#include "app/inference/sl-engine.h"
#include "app/prompt/sl-page-question.h"

G_BEGIN_DECLS

#define SL_TYPE_DOCUMENT (sl_document_get_type ())
G_DECLARE_FINAL_TYPE (SlDocument, sl_document, SL, DOCUMENT, GObject)

/* Signals: "opened" (): all files are, those that can be; "progress" (): of reading; "failed" (const char *sentence). */

/* dir: where what was read is kept; NULL: the user's. */
SlDocument *sl_document_new  (SlEngine   *engine,
                              const char *dir);
/* Once. paths (element-type filename): in their order. */
void        sl_document_open (SlDocument *self,
                              GPtrArray  *paths);
gboolean    sl_document_is_open   (SlDocument *self);
/* The first file's name. */
const char *sl_document_get_title (SlDocument *self);
/* Borrowed; NULL beyond the last. */
SlDocumentPage *sl_document_get_page (SlDocument *self,
                                      guint       page);

/* This page is shown: its pixels come first, those of its neighbours next, and others go. */
void sl_document_show_page      (SlDocument *self,
                                 guint       page);
void sl_document_want_thumbnail (SlDocument *self,
                                 guint       page);

/* ------------------------------------------------------------------------------------------------ reading */

typedef struct
{
  gboolean busy;
  guint    n_pages, n_done, n_failed; /* of those that were asked for; n_failed are among n_done */
  guint    tokens;                    /* written so far */
  double   seconds;                   /* since it began */
  double   left;                      /* seconds that the rest may take; negative: not known yet */
  guint    page;                      /* being read */
  SlJobState state;                   /* of it */
  double   fraction;                  /* of VISION and PREFILL */
} SlDocumentProgress;

/* Why nothing can be read now, a sentence for people; NULL: it can. (transfer full) */
char *sl_document_dup_why_not    (SlDocument           *self);
/* Pages (guint) that were not read yet, or with again all of them, one after the other; one that fails is marked, the others are read. What
 * is being read ends first. */
void  sl_document_read           (SlDocument           *self,
                                  const SlPageQuestion *question,
                                  const GArray         *pages,
                                  gboolean              again);
/* A part of a page (0 … 999) as fine as the model can see it. What it says becomes the text of `block`, or, with -1, blocks of its own. */
void  sl_document_read_area      (SlDocument           *self,
                                  guint                 page,
                                  int                   block,
                                  const int             area[4]);
/* What was read stays; sl_document_read() goes on where it was. */
void  sl_document_stop           (SlDocument           *self);
void  sl_document_get_progress   (SlDocument           *self,
                                  SlDocumentProgress   *out);

/* ------------------------------------------------------------------------------------------------ corrections
 * Each is kept at once and can be undone, page by page, as long as the document is open. Not of a page that is being read. */

void     sl_document_set_text    (SlDocument *self,
                                  guint       page,
                                  guint       block,
                                  const char *text);
void     sl_document_set_place   (SlDocument *self,
                                  guint       page,
                                  guint       block,
                                  const int   place[4]);
void     sl_document_set_accepted (SlDocument *self,
                                   guint       page,
                                   guint       block,
                                   gboolean    accepted);
/* In the order of reading. */
void     sl_document_move_block  (SlDocument *self,
                                  guint       page,
                                  guint       block,
                                  guint       to);
void     sl_document_remove_block (SlDocument *self,
                                   guint       page,
                                   guint       block);
gboolean sl_document_undo        (SlDocument *self,
                                  guint       page);
/* Waits until all corrections are on the disk. */
void     sl_document_flush       (SlDocument *self);

/* ------------------------------------------------------------------------------------------------ looking */

/* The next block with these words, whatever their case, behind *page and *block (-1: before the first), once around. */
gboolean sl_document_find        (SlDocument *self,
                                  const char *words,
                                  gboolean    backwards,
                                  guint      *page,
                                  int        *block);
/* The least sure block behind *page and *block in the order of certainty, of those that nobody accepted or corrected; *block -1, or one
 * that is none of them: the least sure of all. */
gboolean sl_document_find_unsure (SlDocument *self,
                                  guint      *page,
                                  int        *block);

/* ------------------------------------------------------------------------------------------------ files */

/* Writes what was read to `path` (its folder and its name without the format's ending), from copies, on a worker. What is
 * there already is replaced only where the user has agreed, and otherwise refused. */
void     sl_document_export_async  (SlDocument          *self,
                                    guint                format, /* SlPagesFormat */
                                    const char          *path,
                                    gboolean             replace,
                                    GCancellable        *cancellable,
                                    GAsyncReadyCallback  callback,
                                    gpointer             user_data);
gboolean sl_document_export_finish (SlDocument          *self,
                                    GAsyncResult        *result,
                                    GError             **error);
guint    sl_document_count_read    (SlDocument          *self);

G_END_DECLS
