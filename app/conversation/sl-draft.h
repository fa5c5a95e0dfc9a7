/* SPDX-License-Identifier: MIT
 *
 * SlDraft: what is being written and not asked yet, in memory. A plain value of the UI thread, held by SlHistory; it must not know
 * widgets.
 */
#pragma once

#include "app/conversation/sl-message-part.h"
#include "app/store/sl-store.h"

G_BEGIN_DECLS

typedef struct
{
  gint64 conversation; /* 0: of one that has not begun */
  gint64 question;     /* that it is a new version of; 0: the next one */
  SlMode mode;
  gboolean raw;
  GPtrArray *parts; /* of SlMessagePart; empty: nothing is being written */
} SlDraft;

/* parts: referenced. */
SlDraft *sl_draft_new (gint64 conversation, gint64 question, GPtrArray *parts, SlMode mode, gboolean raw);
void sl_draft_free (SlDraft *self);
SlDraft *sl_draft_new_from_record (SlStore *store, const SlDraftRecord *record);
SlDraftRecord *sl_draft_to_record (const SlDraft *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlDraft, sl_draft_free)

G_END_DECLS
