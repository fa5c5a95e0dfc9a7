/* SPDX-License-Identifier: MIT
 *
 * Ways to ask that DeepSeek-VL2 was taught, as texts to fill in. In the user's language:
 * the model knows English and Chinese. Used by the composer. Pure functions.
 */
#pragma once

#include "app/prompt/sl-mode.h"

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct
{
  const char *name; /* of the menu entry, to be translated */
  const char *text; /* to be translated; what is to be filled in stands in [ ] */
  SlMode mode;
  gboolean raw;     /* the text holds grounding tokens */
} SlTemplate;

/* NULL beyond the last. */
const SlTemplate *sl_template_get         (guint             index);
/* The text without its brackets, translated; [first, last): what stood in them,
 * characters; an empty range at the end where nothing did. (transfer full) */
char             *sl_template_dup_text    (const SlTemplate *self,
                                           guint            *first,
                                           guint            *last);
/* Entries that call @action with an index. (transfer full) */
GMenuModel       *sl_template_create_menu (const char       *action);

G_END_DECLS
