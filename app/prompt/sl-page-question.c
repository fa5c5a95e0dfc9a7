/* SPDX-License-Identifier: MIT
 *
 * See sl-page-question.h.
 */
#include "app/prompt/sl-page-question.h"

#include <stdlib.h>
#include <string.h>

#include <glib/gi18n-lib.h>

#define MAX_PAGES 100000
#define UNLIMITED "Unlimited-OCR"

SlPageQuestion *
sl_page_question_copy (const SlPageQuestion *self)
{
  SlPageQuestion *copy = g_memdup2 (self, sizeof *self);

  copy->locate = g_strdup (self->locate);
  copy->prompt = g_strdup (self->prompt);
  return copy;
}

void
sl_page_question_clear (SlPageQuestion *self)
{
  g_clear_pointer (&self->locate, g_free);
  g_clear_pointer (&self->prompt, g_free);
}

void
sl_page_question_free (SlPageQuestion *self)
{
  if (self == NULL)
    return;
  sl_page_question_clear (self);
  g_free (self);
}

gboolean
sl_page_question_take_task (SlPageQuestion *self,
                            const char     *nick)
{
  static const char *const nicks[] = { "markdown", "ocr", "text", "figure", "describe" };

  for (guint i = 0; i < G_N_ELEMENTS (nicks); i++)
    if (g_str_equal (nick, nicks[i]))
      {
        self->task = (SlPageTask) i;
        return TRUE;
      }
  if (!g_str_has_prefix (nick, "locate:") || nick[strlen ("locate:")] == '\0')
    return FALSE;
  self->task = SL_PAGE_LOCATE;
  g_free (self->locate);
  self->locate = g_strdup (nick + strlen ("locate:"));
  return TRUE;
}

const char *
sl_page_task_get_display_name (SlPageTask task)
{
  static const char *const names[] = { N_("Convert to Markdown"), N_("OCR With Boxes"), N_("Free OCR"), N_("Parse the Figure"),
                                       N_("Describe"), N_("Locate") };

  return _(names[task]);
}

gboolean
sl_page_task_is_known (SlPageTask  task,
                       const char *family)
{
  return task == SL_PAGE_MARKDOWN || !g_str_equal (family, UNLIMITED);
}

/* Enough for the tiles of a tall page, or for the view itself. */
int
sl_page_question_get_longer_side (const SlPageQuestion *self)
{
  return self->view == SL_DETAIL_AUTO ? 1920 : self->view == SL_DETAIL_TINY ? 1024 : 1280;
}

gboolean
sl_page_question_takes_several (const char *family)
{
  return g_str_equal (family, UNLIMITED);
}

static void
add_words (const SlPageQuestion *self,
           const char           *family,
           gboolean              several,
           SlPrompt             *prompt)
{
  static const char *const tasks[] = {
    "\n<|grounding|>Convert the document to markdown.", "\n<|grounding|>OCR this image.", "\nFree OCR.", "\nParse the figure.",
    "\nDescribe this image in detail.", "\nLocate <|ref|>",
  };

  if (self->prompt != NULL)
    sl_prompt_add_text (prompt, self->prompt, -1, SL_MARKUP_GROUNDING);
  else if (g_str_equal (family, UNLIMITED))
    sl_prompt_add_text (prompt, several ? "Multi page parsing." : "document parsing.", -1, SL_MARKUP_GROUNDING);
  else
    sl_prompt_add_text (prompt, tasks[self->task], -1, SL_MARKUP_GROUNDING);
  if (self->prompt != NULL || self->task != SL_PAGE_LOCATE)
    return;
  sl_prompt_add_text (prompt, self->locate, -1, SL_MARKUP_NONE);
  sl_prompt_add_text (prompt, "<|/ref|> in the image.", -1, SL_MARKUP_GROUNDING);
}

SlPrompt *
sl_page_question_make_prompt (const SlPageQuestion *self,
                              const char           *family,
                              GPtrArray            *pictures)
{
  const SlSettings settings = { .sampling = { .top_p = 1, .repetition_penalty = 1 }, .max_tokens = self->max_tokens,
                                .constrain_boxes = TRUE, .pages = pictures->len, .break_cycles = self->break_cycles };
  SlPrompt *prompt = sl_prompt_new (&settings);

  sl_prompt_add_message (prompt, SL_ROLE_USER);
  for (guint i = 0; i < pictures->len; i++)
    sl_prompt_add_picture (prompt, pictures->pdata[i], self->view);
  add_words (self, family, pictures->len > 1, prompt);
  return prompt;
}

/* ------------------------------------------------------------------------------------------------ page numbers */

/* "3", "3-7" or "3-"; from 1. */
static gboolean
read_range (const char *word,
            int         n,
            int        *from,
            int        *to)
{
  char *end;
  long first = strtol (word, &end, 10), last = first;

  if (end == word || first < 1 || first > MAX_PAGES)
    return FALSE;
  if (*end == '-')
    {
      const char *rest = end + 1;

      last = *rest != '\0' ? strtol (rest, &end, 10) : n;
      if (*rest != '\0' && (end == rest || last < first || last > MAX_PAGES))
        return FALSE;
      end = *rest != '\0' ? end : (char *) rest;
    }
  *from = (int) first;
  *to = (int) MIN (last, n);
  return *end == '\0';
}

GArray *
sl_page_numbers_parse (const char *text,
                       int         n)
{
  g_autoptr(GArray) pages = g_array_new (FALSE, FALSE, sizeof (int));
  g_auto(GStrv) words = g_strsplit (text != NULL ? text : "1-", ",", -1);
  g_autofree gboolean *wanted = g_new0 (gboolean, n + 1);

  for (char **word = words; *word != NULL; word++)
    {
      int from, to;

      if (!read_range (*word, n, &from, &to))
        return NULL;
      for (int i = from; i <= to; i++)
        wanted[i - 1] = TRUE;
    }
  for (int i = 0; i < n; i++)
    if (wanted[i])
      g_array_append_val (pages, i);
  return g_steal_pointer (&pages);
}
