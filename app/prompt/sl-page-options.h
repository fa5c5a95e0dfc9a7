/* SPDX-License-Identifier: MIT
 *
 * How an answer about a page is generated: the published settings of the document models, in the engine's own structure. For whoever
 * holds a session: the inference thread and the command line. Pure.
 */
#pragma once

#include "app/prompt/sl-prompt.h"
#include "engine/vl2.h"

G_BEGIN_DECLS

/* Greedy; no 30 tokens twice within 90 but for the cells of tables, Unlimited-OCR 35 within 128, of several pages
 * within 1024; what repeats itself goes on, or with
 * break_cycles goes on with the next block. settings: of sl_page_question_make_prompt(). exempt: memory that *out points to. */
void sl_page_options_fill (const vl2_engine            *engine,
                           const SlSettings            *settings,
                           int32_t                      exempt[2],
                           struct vl2_generate_options *out);

G_END_DECLS
