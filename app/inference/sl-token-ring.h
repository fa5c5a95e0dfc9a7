/* SPDX-License-Identifier: MIT
 *
 * The bounded hand-over of tokens from the inference thread (pushes) to the UI thread (drains once per frame). A full ring makes
 * the pusher wait, so that an answer never runs away from a window that cannot keep up. Half a character is held back until its
 * other half comes. It must not know jobs, the engine or GObjects.
 */
#pragma once

#include "app/generation/sl-generation.h"

G_BEGIN_DECLS

typedef struct _SlTokenRing SlTokenRing;

/* capacity: bytes of text that may wait. */
SlTokenRing *sl_token_ring_new (gsize capacity);
void sl_token_ring_free (SlTokenRing *self);

/* Inference thread. Waits while the ring is full, unless it was released. */
void sl_token_ring_push (SlTokenRing *self, gint32 id, float logprob, const char *text, gsize length);
/* Any thread: whoever waits in push, now or later, waits no more. */
void sl_token_ring_release (SlTokenRing *self);

/* UI thread: appends what has come to text (whole characters) and marks (SlTokenMark; ends count from the first push).
 * final: nothing more will come, so an open character becomes U+FFFD. TRUE if anything was appended. */
gboolean sl_token_ring_drain (SlTokenRing *self, gboolean final, GString *text, GArray *marks);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlTokenRing, sl_token_ring_free)

G_END_DECLS
