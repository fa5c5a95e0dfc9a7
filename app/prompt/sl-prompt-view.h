/* SPDX-License-Identifier: MIT
 *
 * SlPromptView: an SlPrompt as the engine's own structures, with the pictures that they point to kept alive. Made and used by
 * the inference thread for an answer, and by a worker to plan a prompt. This header and sl-page-options.h know the engine.
 */
#pragma once

#include <gio/gio.h>

#include "app/prompt/sl-prompt.h"
#include "engine/vl2.h"

G_BEGIN_DECLS

typedef struct _SlPromptView SlPromptView;

#define SL_PROMPT_VIEW_SIZES G_MAXUINT

/* Pictures that are still files become pixels (blocks) from message `decoded` on; before it, and with SL_PROMPT_VIEW_SIZES in all of
 * them, they have their size and no rgb, which is enough to plan with. The view keeps the prompt alive. */
SlPromptView *sl_prompt_view_new (SlPrompt *prompt, guint decoded, GCancellable *cancellable, GError **error);
void sl_prompt_view_free (SlPromptView *self);
const vl2_conversation *sl_prompt_view_get (const SlPromptView *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPromptView, sl_prompt_view_free)

G_END_DECLS
