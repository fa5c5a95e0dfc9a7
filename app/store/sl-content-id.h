/* SPDX-License-Identifier: MIT
 *
 * Names of conversations and messages that follow from what they hold, so that the same ones are known again in another history, whose
 * row ids are its own. What may change without becoming another message is not in the name: status, detail, boxes, the record of an answer.
 * Pure functions, any thread.
 *
 * SHA-256 in lower-case hex, over fields that are each written as "LENGTH:BYTES,":
 *   message       "sightline message 1", the parent's name ("" for a first one), role, mode, "raw" or "", created (µs, decimal), then for
 *                 each part "text" and the text, or "picture" and its SHA-256; of siblings that are equal in all this the second one
 *                 and those behind it add "again" and a number from 1 on
 *   conversation  "sightline conversation 1", created (µs, decimal), the name of the first of its first messages, "" without one
 */
#pragma once

#include "app/store/sl-records.h"

G_BEGIN_DECLS

typedef struct
{
  char *conversation;
  GPtrArray *messages; /* of strings, for the record's messages in their order */
  GArray *order;       /* of guint, indices of messages: each before those below it, siblings by their ordinals */
} SlContentIds;

SlContentIds *sl_content_ids_new (const SlConversationRecord *record);
void sl_content_ids_free (SlContentIds *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (SlContentIds, sl_content_ids_free)

G_END_DECLS
