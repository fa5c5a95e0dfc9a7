/* SPDX-License-Identifier: MIT
 *
 * Pages of a document through the engine, one after the other: pixels from the worker, an answer from a job, blocks while it comes. See
 * sl-document.h.
 */
#include "app/document/sl-document-private.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#define LOOK_US (G_USEC_PER_SEC / 4) /* between two looks at an answer that comes */

/* What is to be done with a page. */
typedef struct
{
  guint    page;
  gboolean is_area;
  int      block;   /* of an area: whose text it is; -1: blocks of its own */
  int      area[4];
} Wish;

struct _SlDocumentReading
{
  SlPageQuestion *question;
  GQueue  wishes;        /* Wish; the first one is under way */
  guint   n_pages, n_done, n_failed, tokens;
  gint64  begun, looked;
  GCancellable *rendering;
  double  dpi;           /* of the pixels that are read */
  int     width, height;
  SlJob  *job;
  SlPage *before;        /* the page as it was */
  SlPageState state_before;
};

static void next_wish (SlDocument *self);

static SlDocumentPage *
current_page (SlDocument *self)
{
  Wish *wish = g_queue_peek_head (&self->reading->wishes);

  return wish != NULL ? self->pages->pdata[wish->page] : NULL;
}

char *
sl_document_dup_why_not (SlDocument *self)
{
  const SlModelInfo *info = sl_engine_get_info (self->engine);

  if (sl_engine_get_state (self->engine) == SL_ENGINE_LOADING)
    return g_strdup (_("The model is still being loaded."));
  if (info == NULL && !sl_engine_is_asleep (self->engine))
    return g_strdup (_("No model is loaded. DeepSeek-OCR and Unlimited-OCR read documents."));
  /* Translators: the name of a model */
  if (info != NULL && !info->document)
    return g_strdup_printf (_("“%s” does not read documents; DeepSeek-OCR and Unlimited-OCR do."), info->name);
  return NULL;
}

/* ------------------------------------------------------------------------------------------------ answers */

static SlPage *
make_page (SlDocumentReading    *reading,
           const SlDocumentPage *at,
           gboolean              complete)
{
  SlPage *page = sl_page_new (at->file->name, at->number, reading->width, reading->height, reading->dpi);
  const SlGeneration *record = sl_job_get_generation (reading->job);

  sl_page_read (page, sl_job_get_text (reading->job), complete ? record : NULL);
  if (complete)
    {
      g_free (page->stop);
      page->stop = g_strdup (record->stop == SL_STOP_EOS ? "eos" : record->stop == SL_STOP_CONTEXT ? "context" : "max_tokens");
    }
  return page;
}

static char *
join_texts (const SlPage *page)
{
  GString *out = g_string_new (NULL);

  for (guint i = 0; i < page->blocks->len; i++)
    {
      const SlPageBlock *block = page->blocks->pdata[i];

      if (*block->text != '\0')
        g_string_append_printf (out, "%s%s", out->len > 0 ? "\n\n" : "", block->text);
    }
  return g_string_free (out, FALSE);
}

static double
mean_certainty (const SlPage *page)
{
  double sum = 0;

  for (guint i = 0; i < page->blocks->len; i++)
    {
      const SlPageBlock *block = page->blocks->pdata[i];

      if (block->certainty < 0)
        return -1;
      sum += block->certainty;
    }
  return page->blocks->len > 0 ? sum / page->blocks->len : -1;
}

/* A place in the area as one on the page. */
static void
place_in_area (SlPageBlock   *block,
               const int  area[4])
{
  for (int i = 0; i < 4; i++)
    block->place[i] = block->has_place ? area[i % 2] + block->place[i] * (area[i % 2 + 2] - area[i % 2]) / 999 : area[i];
  block->has_place = TRUE;
}

static void
take_area (SlPage       *page,
           const SlPage *found,
           const Wish   *wish)
{
  if (wish->block >= 0 && (guint) wish->block < page->blocks->len)
    {
      SlPageBlock *block = page->blocks->pdata[wish->block];

      g_free (block->text);
      block->text = join_texts (found);
      block->certainty = mean_certainty (found);
      block->edited = block->accepted = block->cut = FALSE;
      return;
    }
  for (guint i = 0; i < found->blocks->len; i++)
    {
      const SlPageBlock *from = found->blocks->pdata[i];
      SlPageBlock *to = sl_page_add_block (page, -1, from->type);

      g_free (to->text);
      to->text = g_strdup (from->text);
      to->certainty = from->certainty;
      to->has_place = from->has_place;
      memcpy (to->place, from->place, sizeof to->place);
      place_in_area (to, wish->area);
    }
}

/* ------------------------------------------------------------------------------------------------ one wish */

static void
end_wish (SlDocument *self)
{
  SlDocumentReading *reading = self->reading;

  if (reading->job != NULL)
    g_signal_handlers_disconnect_by_data (reading->job, self);
  g_clear_object (&reading->job);
  g_clear_object (&reading->rendering);
  g_clear_pointer (&reading->before, sl_page_free);
  g_free (g_queue_pop_head (&reading->wishes));
  next_wish (self);
}

static void
put_back (SlDocument *self,
          const char *error)
{
  SlDocumentReading *reading = self->reading;
  SlDocumentPage *page = current_page (self);
  gboolean failed = error != NULL && reading->before == NULL;

  sl_document_page_set (page, failed ? SL_PAGE_FAILED : reading->state_before, g_steal_pointer (&reading->before), error);
}

/* The page stays as it was, and the others are read. */
static void
fail_wish (SlDocument *self,
           const char *sentence)
{
  g_autofree char *why_not = sl_document_dup_why_not (self); /* no other page can be read either */
  gboolean was_read = self->reading->before != NULL;

  self->reading->n_done++;
  self->reading->n_failed++;
  put_back (self, sentence);
  if (was_read || why_not != NULL)
    sl_document_fail (self, sentence);
  if (why_not == NULL)
    end_wish (self);
  else
    sl_document_stop (self);
}

static void
on_finished (SlDocument *self)
{
  SlDocumentReading *reading = self->reading;
  const Wish *wish = g_queue_peek_head (&reading->wishes);
  SlDocumentPage *page = current_page (self);
  g_autoptr(SlPage) found = NULL;

  reading->tokens += sl_job_get_status (reading->job)->decoded_tokens;
  if (sl_job_get_state (reading->job) != SL_JOB_DONE)
    {
      const char *text = sl_job_get_error_text (reading->job);

      fail_wish (self, text != NULL ? text : _("Reading was stopped."));
      return;
    }
  found = make_page (reading, page, TRUE);
  sl_document_page_set (page, SL_PAGE_READ, g_steal_pointer (&reading->before), NULL);
  sl_document_page_remember (page);
  if (wish->is_area)
    take_area (page->page, found, wish);
  sl_document_page_set (page, SL_PAGE_READ, wish->is_area ? page->page : g_steal_pointer (&found), NULL);
  sl_document_keep (self, page);
  reading->n_done++;
  end_wish (self);
}

/* Blocks appear as they come. */
static void
on_text (SlDocument *self)
{
  SlDocumentReading *reading = self->reading;
  gint64 now = g_get_monotonic_time ();

  if (((const Wish *) g_queue_peek_head (&reading->wishes))->is_area || now - reading->looked < LOOK_US)
    return;
  reading->looked = now;
  sl_document_page_set (current_page (self), SL_PAGE_READING, make_page (reading, current_page (self), FALSE), NULL);
}

/* An area is text, but for tables. */
static SlPageTask
task_of_area (SlDocument *self,
              const Wish *wish,
              const char *family)
{
  const SlPage *page = self->reading->before;
  gboolean table = wish->block < 0 || (page != NULL && (guint) wish->block < page->blocks->len &&
                                       sl_page_block_is_table (page->blocks->pdata[wish->block]));

  return table || !sl_page_task_is_known (SL_PAGE_TEXT, family) ? SL_PAGE_MARKDOWN : SL_PAGE_TEXT;
}

static void
ask (SlDocument *self,
     SlPicture  *picture)
{
  SlDocumentReading *reading = self->reading;
  const Wish *wish = g_queue_peek_head (&reading->wishes);
  const SlModelInfo *info = sl_engine_get_info (self->engine);
  const char *family = info != NULL ? info->family : "DeepSeek-OCR";
  g_autoptr(GPtrArray) pictures = g_ptr_array_new ();
  g_autoptr(SlPageQuestion) question = sl_page_question_copy (reading->question);
  g_autoptr(SlPrompt) prompt = NULL;

  if (wish->is_area)
    question->task = task_of_area (self, wish, family);
  reading->width = sl_picture_get_width (picture);
  reading->height = sl_picture_get_height (picture);
  g_ptr_array_add (pictures, picture);
  prompt = sl_page_question_make_prompt (question, family, pictures);
  reading->job = sl_engine_submit (self->engine, prompt);
  g_signal_connect_swapped (reading->job, "text", G_CALLBACK (on_text), self);
  g_signal_connect_swapped (reading->job, "changed", G_CALLBACK (sl_document_tell), self);
  g_signal_connect_swapped (reading->job, "finished", G_CALLBACK (on_finished), self);
}

static void
on_pixels (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr(SlDocument) self = data;
  g_autoptr(GError) error = NULL;
  double dpi;
  g_autoptr(SlPicture) picture = sl_page_worker_render_finish (result, &dpi, &error);

  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return;
  self->reading->dpi = picture != NULL ? dpi : 0;
  if (picture != NULL)
    ask (self, picture);
  else
    fail_wish (self, error->message);
}

static void
next_wish (SlDocument *self)
{
  SlDocumentReading *reading = self->reading;
  const Wish *wish = g_queue_peek_head (&reading->wishes);
  SlDocumentPage *page;
  double area[4] = { 0, 0, 1, 1 };

  if (wish == NULL)
    {
      sl_document_end_reading (self);
      sl_document_tell (self);
      return;
    }
  page = self->pages->pdata[wish->page];
  for (int i = 0; i < 4 && wish->is_area; i++)
    area[i] = wish->area[i] / 999.0;
  reading->before = page->page != NULL ? sl_page_copy (page->page) : NULL;
  reading->state_before = page->page != NULL ? SL_PAGE_READ : SL_PAGE_UNREAD;
  reading->rendering = g_cancellable_new ();
  reading->looked = 0;
  sl_document_page_set (page, SL_PAGE_READING, page->page, NULL);
  sl_page_worker_render_async (self->worker, page->file->path, page->number - 1, area, sl_page_question_get_longer_side (reading->question),
                               SL_RENDER_SHOWN, reading->rendering, on_pixels, g_object_ref (self));
  sl_document_tell (self);
}

/* ------------------------------------------------------------------------------------------------ the queue */

/* What is under way is left, and nothing of it is kept. */
void
sl_document_end_reading (SlDocument *self)
{
  SlDocumentReading *reading = g_steal_pointer (&self->reading);

  if (reading == NULL)
    return;
  g_cancellable_cancel (reading->rendering);
  g_clear_object (&reading->rendering);
  if (reading->job != NULL)
    {
      g_signal_handlers_disconnect_by_data (reading->job, self);
      sl_job_stop (reading->job);
    }
  g_clear_object (&reading->job);
  g_clear_pointer (&reading->before, sl_page_free);
  g_queue_clear_full (&reading->wishes, g_free);
  sl_page_question_free (reading->question);
  g_free (reading);
}

void
sl_document_stop (SlDocument *self)
{
  if (self->reading == NULL)
    return;
  if (current_page (self)->state == SL_PAGE_READING)
    put_back (self, NULL);
  for (GList *l = self->reading->wishes.head; l != NULL; l = l->next)
    {
      SlDocumentPage *page = self->pages->pdata[((const Wish *) l->data)->page];

      if (page->state == SL_PAGE_WAITING)
        sl_document_page_set (page, page->page != NULL ? SL_PAGE_READ : SL_PAGE_UNREAD, page->page, NULL);
    }
  sl_document_end_reading (self);
  sl_document_tell (self);
}

static void
begin (SlDocument           *self,
       const SlPageQuestion *question)
{
  sl_document_stop (self);
  self->reading = g_new0 (SlDocumentReading, 1);
  self->reading->question = sl_page_question_copy (question);
  self->reading->begun = g_get_monotonic_time ();
}

static void
add_wish (SlDocument *self,
          const Wish *wish)
{
  g_queue_push_tail (&self->reading->wishes, g_memdup2 (wish, sizeof *wish));
  self->reading->n_pages++;
}

void
sl_document_read (SlDocument           *self,
                  const SlPageQuestion *question,
                  const GArray         *pages,
                  gboolean              again)
{
  g_return_if_fail (SL_IS_DOCUMENT (self));

  begin (self, question);
  for (guint i = 0; i < pages->len; i++)
    {
      SlDocumentPage *page = sl_document_get_page (self, g_array_index (pages, guint, i));

      if (page == NULL || (page->state == SL_PAGE_READ && !again))
        continue;
      add_wish (self, &(Wish) { .page = page->index });
      sl_document_page_set (page, SL_PAGE_WAITING, page->page, NULL);
    }
  next_wish (self);
}

void
sl_document_read_area (SlDocument *self,
                       guint       page,
                       int         block,
                       const int   area[4])
{
  const SlPageQuestion question = { .max_tokens = SL_PAGE_MAX_TOKENS };
  Wish wish = { page, TRUE, block };

  g_return_if_fail (SL_IS_DOCUMENT (self) && page < self->pages->len);

  memcpy (wish.area, area, sizeof wish.area);
  begin (self, &question);
  add_wish (self, &wish);
  next_wish (self);
}

void
sl_document_get_progress (SlDocument         *self,
                          SlDocumentProgress *out)
{
  const SlDocumentReading *reading = self->reading;

  *out = (SlDocumentProgress) { .left = -1 };
  if (reading == NULL || reading->wishes.length == 0)
    return;
  out->busy = TRUE;
  out->n_pages = reading->n_pages;
  out->n_done = reading->n_done;
  out->n_failed = reading->n_failed;
  out->tokens = reading->tokens;
  out->seconds = (g_get_monotonic_time () - reading->begun) / 1e6;
  out->page = current_page (self)->index;
  if (reading->n_done > reading->n_failed)
    out->left = out->seconds / (reading->n_done - reading->n_failed) * (reading->n_pages - reading->n_done);
  if (reading->job == NULL)
    return;
  out->state = sl_job_get_state (reading->job);
  out->fraction = sl_job_get_status (reading->job)->fraction;
  out->tokens += sl_job_get_status (reading->job)->decoded_tokens;
}
