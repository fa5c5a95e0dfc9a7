/* SPDX-License-Identifier: MIT
 *
 * Corrections of what was read, and finding in it. See sl-document.h.
 */
#include "app/document/sl-document-private.h"

#include <string.h>

#include "app/document/sl-page-text.h"

/* ------------------------------------------------------------------------------------------------ corrections */

/* NULL: there is no such block, or the page is being read. */
static SlPageBlock *
begin_edit (SlDocument      *self,
            guint            index,
            guint            block,
            SlDocumentPage **page)
{
  g_return_val_if_fail (SL_IS_DOCUMENT (self), NULL);

  *page = sl_document_get_page (self, index);
  if (*page == NULL || (*page)->page == NULL || (*page)->state == SL_PAGE_READING || block >= (*page)->page->blocks->len)
    return NULL;
  sl_document_page_remember (*page);
  return (*page)->page->blocks->pdata[block];
}

static void
end_edit (SlDocument     *self,
          SlDocumentPage *page)
{
  sl_document_keep (self, page);
  sl_document_page_set (page, page->state, page->page, NULL);
}

static void
set_string (char       **field,
            const char  *text)
{
  g_free (*field);
  *field = g_utf8_make_valid (text, -1);
}

void
sl_document_set_text (SlDocument *self,
                      guint       index,
                      guint       at,
                      const char *text)
{
  SlDocumentPage *page;
  SlPageBlock *block = begin_edit (self, index, at, &page);

  if (block == NULL)
    return;
  set_string (&block->text, text);
  block->edited = TRUE;
  block->cut = FALSE;
  end_edit (self, page);
}

void
sl_document_set_place (SlDocument *self,
                       guint       index,
                       guint       at,
                       const int   place[4])
{
  SlDocumentPage *page;
  SlPageBlock *block = begin_edit (self, index, at, &page);

  if (block == NULL)
    return;
  for (int i = 0; i < 2; i++)
    {
      block->place[i] = CLAMP (MIN (place[i], place[i + 2]), 0, 998);
      block->place[i + 2] = CLAMP (MAX (place[i], place[i + 2]), block->place[i] + 1, 999);
    }
  block->has_place = TRUE;
  block->overlap = -1;
  end_edit (self, page);
}

void
sl_document_set_accepted (SlDocument *self,
                          guint       index,
                          guint       at,
                          gboolean    accepted)
{
  SlDocumentPage *page;
  SlPageBlock *block = begin_edit (self, index, at, &page);

  if (block == NULL)
    return;
  block->accepted = accepted;
  end_edit (self, page);
}

void
sl_document_move_block (SlDocument *self,
                        guint       index,
                        guint       at,
                        guint       to)
{
  SlDocumentPage *page;
  SlPageBlock *block = begin_edit (self, index, at, &page);

  if (block == NULL)
    return;
  to = MIN (to, page->page->blocks->len - 1);
  g_ptr_array_steal_index (page->page->blocks, at);
  g_ptr_array_insert (page->page->blocks, (int) to, block);
  end_edit (self, page);
}

void
sl_document_remove_block (SlDocument *self,
                          guint       index,
                          guint       at)
{
  SlDocumentPage *page;

  if (begin_edit (self, index, at, &page) == NULL)
    return;
  g_ptr_array_remove_index (page->page->blocks, at);
  end_edit (self, page);
}

gboolean
sl_document_undo (SlDocument *self,
                  guint       index)
{
  SlDocumentPage *page = sl_document_get_page (self, index);
  SlPage *before;

  if (page == NULL || !sl_document_page_can_undo (page))
    return FALSE;
  before = g_ptr_array_steal_index (page->undo, page->undo->len - 1);
  if (before == NULL) /* it had not been read: it stays kept, and can be read again */
    {
      g_ptr_array_add (page->undo, NULL);
      return FALSE;
    }
  sl_document_page_set (page, SL_PAGE_READ, before, NULL);
  sl_document_keep (self, page);
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ looking */

/* Blocks of all pages in one row. */
static gboolean
step (SlDocument *self,
      gboolean    backwards,
      guint      *page,
      int        *block)
{
  guint n_pages = self->pages->len;

  for (guint tried = 0; tried <= n_pages; tried++)
    {
      const SlPage *found = ((SlDocumentPage *) self->pages->pdata[*page])->page;
      int n = found != NULL ? (int) found->blocks->len : 0;

      *block += backwards ? -1 : 1;
      if (*block >= 0 && *block < n)
        return TRUE;
      *page = (*page + (backwards ? n_pages - 1 : 1)) % n_pages;
      found = ((SlDocumentPage *) self->pages->pdata[*page])->page;
      *block = backwards ? (found != NULL ? (int) found->blocks->len : 0) : -1;
    }
  return FALSE;
}

static gboolean
holds (const SlPageBlock *block,
       const char    *folded)
{
  g_autofree char *plain = sl_page_block_dup_plain (block);
  g_autofree char *text = g_utf8_casefold (plain, -1);

  return strstr (text, folded) != NULL;
}

static guint
count_blocks (SlDocument *self)
{
  guint n = 0;

  for (guint i = 0; i < self->pages->len; i++)
    {
      const SlPage *page = ((SlDocumentPage *) self->pages->pdata[i])->page;

      n += page != NULL ? page->blocks->len : 0;
    }
  return n;
}

gboolean
sl_document_find (SlDocument *self,
                  const char *words,
                  gboolean    backwards,
                  guint      *page,
                  int        *block)
{
  g_autofree char *folded = g_utf8_casefold (words, -1);
  guint n = count_blocks (self);

  if (*words == '\0' || *page >= self->pages->len)
    return FALSE;
  for (guint i = 0; i < n && step (self, backwards, page, block); i++)
    if (holds (((SlDocumentPage *) self->pages->pdata[*page])->page->blocks->pdata[*block], folded))
      return TRUE;
  return FALSE;
}

typedef struct
{
  double score;
  guint page;
  int block;
} Unsure;

static gboolean
is_behind (const Unsure *one,
           const Unsure *other)
{
  if (one->score != other->score)
    return one->score > other->score;
  return one->page != other->page ? one->page > other->page : one->block > other->block;
}

gboolean
sl_document_find_unsure (SlDocument *self,
                         guint      *page,
                         int        *block)
{
  SlDocumentPage *at = sl_document_get_page (self, *page);
  Unsure from = { -2, *page, *block }, best = { 2, 0, 0 }, first = { 2, 0, 0 };

  if (at != NULL && at->page != NULL && *block >= 0 && (guint) *block < at->page->blocks->len)
    from.score = sl_page_block_get_score (at->page->blocks->pdata[*block]);
  if (from.score >= 1)
    from.score = -2;
  for (guint i = 0; i < self->pages->len; i++)
    {
      const SlPage *read = ((SlDocumentPage *) self->pages->pdata[i])->page;

      for (guint k = 0; read != NULL && k < read->blocks->len; k++)
        {
          Unsure here = { sl_page_block_get_score (read->blocks->pdata[k]), i, (int) k };

          if (here.score < 0 || here.score >= 1)
            continue;
          if (is_behind (&first, &here))
            first = here;
          if (is_behind (&here, &from) && is_behind (&best, &here))
            best = here;
        }
    }
  if (best.score > 1)
    best = first;
  if (best.score > 1)
    return FALSE;
  *page = best.page;
  *block = best.block;
  return TRUE;
}
