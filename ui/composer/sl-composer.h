/* SPDX-License-Identifier: MIT
 *
 * Where a question is written: text with pictures at positions inside it, the
 * mode (Chat, Find, Ground), Send and Stop. It only collects: what happens with
 * a question is decided by SlWindow. UI thread only.
 */
#pragma once

#include "app/conversation/sl-message-part.h"
#include "app/inference/sl-engine.h"
#include "app/pictures/sl-picture.h"
#include "app/prompt/sl-mode.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_COMPOSER (sl_composer_get_type ())

G_DECLARE_FINAL_TYPE (SlComposer, sl_composer, SL, COMPOSER, GtkWidget)

/* Properties: "mode" (int, SlMode), "raw", "generating" (an answer is under way:
 * Stop instead of Send), "receiving" (pictures are being read: Send waits),
 * "empty" (read-only).
 * Signals: "send" (), "stop" (), "cancel-edit" (), "paste" → gboolean: TRUE if
 * the clipboard held pictures, "open-picture" (SlMessagePart), "changed" (), "recall" (int direction: −1 for an older question, 1 for a newer one)
 * → gboolean: it was taken, "failed" (string sentence). */

SlMode   sl_composer_get_mode (SlComposer *self);
void     sl_composer_set_mode (SlComposer *self,
                               SlMode      mode);
gboolean sl_composer_get_raw  (SlComposer *self);
void     sl_composer_set_raw  (SlComposer *self,
                               gboolean    raw);

gboolean sl_composer_is_empty (SlComposer *self);

/* What was written, in order: (transfer container) array of SlMessagePart. */
GPtrArray *sl_composer_dup_parts (SlComposer *self);
/* The same with every blank, to be put back some time. */
GPtrArray *sl_composer_dup_draft (SlComposer *self);
void       sl_composer_set_parts (SlComposer *self,
                                  GPtrArray  *parts);
/* At the end. */
void       sl_composer_add_parts (SlComposer *self,
                                  GPtrArray  *parts);
void       sl_composer_clear     (SlComposer *self);

/* All that is written, U+FFFC for each picture, to be forgotten later: what has been written after it since stays; where it is no
 * longer what the composer begins with, nothing goes. */
char *sl_composer_dup_content    (SlComposer *self);
void  sl_composer_forget_content (SlComposer *self,
                                  const char *content);

/* At the cursor. */
void sl_composer_add_picture (SlComposer *self,
                              SlPicture  *picture);

/* In the place of all that is written: the words of a question of before. */
void sl_composer_set_recalled (SlComposer *self,
                               const char *words);
/* What of the settings of the next answer is the user's; "": nothing. */
void sl_composer_set_settings_text (SlComposer *self,
                                    const char *text);
/* What sending would cost; NULL: not known. */
void sl_composer_set_plan    (SlComposer   *self,
                              const SlPlan *plan);
/* Knows what a picture costs at each detail. */
void sl_composer_set_engine  (SlComposer *self,
                              SlEngine   *engine);

/* Shows that the next Send replaces an earlier question. */
void sl_composer_set_editing (SlComposer *self,
                              gboolean    editing);

void sl_composer_set_max_height (SlComposer *self,
                                 int         height);
void sl_composer_grab_focus     (SlComposer *self);

G_END_DECLS
