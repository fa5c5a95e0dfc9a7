/* SPDX-License-Identifier: MIT
 *
 * See sl-page-options.h.
 */
#include "app/prompt/sl-page-options.h"

void
sl_page_options_fill (const vl2_engine            *engine,
                      const SlSettings            *settings,
                      int32_t                      exempt[2],
                      struct vl2_generate_options *out)
{
  const vl2_tokenizer *tokenizer = vl2_engine_tokenizer (engine);
  gboolean unlimited = g_str_equal (vl2_engine_info (engine)->family, "Unlimited-OCR");

  exempt[0] = vl2_tokenizer_id (tokenizer, "<td>");
  exempt[1] = vl2_tokenizer_id (tokenizer, "</td>");
  out->guard = (struct vl2_repeat_guard) { unlimited ? 35 : 30, !unlimited ? 90 : settings->pages > 1 ? 1024 : 128, exempt, unlimited ? 0 : 2 };
  out->cycles = settings->break_cycles ? VL2_CYCLES_BREAK : VL2_CYCLES_KEEP;
  out->breaker = vl2_tokenizer_id (tokenizer, unlimited ? "<|det|>" : "<|ref|>");
  out->constrain_boxes = settings->constrain_boxes;
}
