/* SPDX-License-Identifier: MIT
 *
 * SlPageQuestion: how a document model is asked about a page: what for, how finely it looks, how long it may answer. The words are
 * those that the models were published with. Plain values, any thread. It must not know where pages come from (app/document/).
 */
#pragma once

#include "app/prompt/sl-prompt.h"

G_BEGIN_DECLS

typedef enum
{
  SL_PAGE_MARKDOWN, /* text, tables and formulas, each block with its box */
  SL_PAGE_OCR,      /* every text with its box */
  SL_PAGE_TEXT,     /* text alone */
  SL_PAGE_FIGURE,
  SL_PAGE_DESCRIBE,
  SL_PAGE_LOCATE,   /* where `locate` is */
} SlPageTask;
#define SL_N_PAGE_TASKS 6

typedef struct
{
  SlPageTask  task;
  char       *locate;       /* of LOCATE: what; a user's words, no markup */
  char       *prompt;       /* instead of a task, or NULL */
  SlDetail    view;         /* AUTO ("gundam"), TINY, SMALL, BASE or LARGE */
  int         max_tokens;   /* of the answer */
  gboolean    break_cycles; /* where a page repeats itself, go on with its next block */
} SlPageQuestion;

#define SL_PAGE_MAX_TOKENS 8192 /* as a start */

SlPageQuestion *sl_page_question_copy  (const SlPageQuestion *self);
void            sl_page_question_clear (SlPageQuestion       *self);
void            sl_page_question_free  (SlPageQuestion       *self);

/* "markdown", "ocr", "text", "figure", "describe", "locate:the stamp"; FALSE for other words, which change nothing. */
gboolean        sl_page_question_take_task (SlPageQuestion   *self,
                                            const char       *nick);
const char     *sl_page_task_get_display_name (SlPageTask     task); /* translated */
/* Unlimited-OCR knows MARKDOWN alone. */
gboolean        sl_page_task_is_known  (SlPageTask            task,
                                        const char           *family);

/* Pixels on the longer side of a page that its view can use. */
int             sl_page_question_get_longer_side (const SlPageQuestion *self);

/* Unlimited-OCR can read several pages at once, and writes this mark between what it read of them. */
#define SL_PAGE_MARK "<PAGE>"
gboolean        sl_page_question_takes_several (const char   *family);

/* Pages (element-type SlPicture), one behind the other, and the words behind them; family: as vl2_info has it. (transfer full) */
SlPrompt       *sl_page_question_make_prompt (const SlPageQuestion *self,
                                              const char           *family,
                                              GPtrArray            *pictures);

/* "1-3,7,20-": pages of [0, n) as a set of gint; NULL for what makes no sense. NULL text: all. (transfer full) */
GArray         *sl_page_numbers_parse  (const char           *text,
                                        int                   n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPageQuestion, sl_page_question_free)

G_END_DECLS
