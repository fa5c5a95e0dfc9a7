/* SPDX-License-Identifier: MIT
 *
 * SlPrompt: a whole conversation as the engine will read it: messages with text and pictures at their positions, and the
 * settings of the answer. Built on the UI thread, then immutable and read by the inference thread. Reference counted.
 * It must not know the store, message objects or modes: modes have become parts of text by now (sl-mode.h).
 */
#pragma once

#include <gio/gio.h>

#include "app/prompt/sl-mode.h"
#include "app/prompt/sl-plan.h"
#include "app/sl-types.h"

G_BEGIN_DECLS

/* The settings of one answer. */
typedef struct
{
  SlSampling sampling;
  guint64 seed;
  int max_tokens; /* 0 = as far as the context goes */
  gboolean constrain_boxes;
  SlOverflow overflow; /* what to do when the prompt does not fit; never SHORTEN */
  guint pages;           /* a document model reads so many: sl-page-options.h; 0: it is another question */
  gboolean break_cycles; /* of a page that repeats itself: go on with its next block */
  guint attention_cells; /* attention to the pictures, in grids whose longer side has so many cells; 0 = not wanted */
} SlSettings;

/* The mode's sampling, a fresh random seed, no limit of its own, boxes constrained, what does not fit refused. */
SlSettings sl_settings_for_mode (SlMode mode);

/* An empty conversation; the settings are copied. */
SlPrompt *sl_prompt_new (const SlSettings *settings);
SlPrompt *sl_prompt_ref (SlPrompt *self);
void sl_prompt_unref (SlPrompt *self);

/* Starts a message; the parts that follow belong to it. */
void sl_prompt_add_message (SlPrompt *self, SlRole role);
/* length -1: NUL-terminated. The text is copied. */
void sl_prompt_add_text (SlPrompt *self, const char *text, gssize length, SlMarkup markup);
/* References the picture. */
void sl_prompt_add_picture (SlPrompt *self, SlPicture *picture, SlDetail detail);
/* A picture that is still a file, and its upright size; the inference thread decodes it before it reads the prompt. */
void sl_prompt_add_picture_file (SlPrompt *self, const char *path, int width, int height, SlDetail detail);
/* The same of one that is in no file yet; the bytes are referenced. */
void sl_prompt_add_picture_bytes (SlPrompt *self, GBytes *bytes, int width, int height, SlDetail detail);

/* The answer is known: these ids (copied, without the end mark) are gone through instead of being drawn, to learn what can be told
 * of each token. The settings' sampling and limit have no say. */
void sl_prompt_set_replay (SlPrompt *self, const gint32 *ids, gsize n_ids);
/* NULL unless set. */
const gint32 *sl_prompt_get_replay (const SlPrompt *self, gsize *n_ids);

/* The conversation's name for what the model keeps of it between runs (sl-session-keeper.h); NULL, the default: nothing. */
void sl_prompt_set_session (SlPrompt *self, const char *name);
const char *sl_prompt_get_session (const SlPrompt *self);

/* It gives way to every question that is not patient: it waits behind those, and is stopped where one comes. */
void sl_prompt_set_patient (SlPrompt *self, gboolean patient);
gboolean sl_prompt_get_patient (const SlPrompt *self);

guint sl_prompt_get_n_messages (const SlPrompt *self);
guint sl_prompt_get_n_pictures (const SlPrompt *self);
const SlSettings *sl_prompt_get_settings (const SlPrompt *self);

/* Message m and its parts, in order. text: borrowed, NULL for a picture; markup may be NULL. */
SlRole sl_prompt_get_role (const SlPrompt *self, guint m);
guint sl_prompt_get_n_parts (const SlPrompt *self, guint m);
const char *sl_prompt_get_text (const SlPrompt *self, guint m, guint p, SlMarkup *markup);
/* Of a picture. */
SlDetail sl_prompt_get_detail (const SlPrompt *self, guint m, guint p);
/* Blocks where the picture is still a file or bytes. (transfer full) */
SlPicture *sl_prompt_load_picture (const SlPrompt *self, guint m, guint p, GCancellable *cancellable, GError **error);

/* The conversation as one text, special tokens shown, pictures as "<image>": the raw prompt view. Owned by the caller. */
char *sl_prompt_dup_raw (const SlPrompt *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlPrompt, sl_prompt_unref)

G_END_DECLS
