/* SPDX-License-Identifier: MIT
 *
 * SlMessage: one message of a conversation: what was said (parts in order), how it stands, for an answer its record and its
 * boxes, and its place among its alternatives. Made and changed by SlConversation only; the window reads and listens.
 * UI thread. It must not know the store or the engine.
 */
#pragma once

#include <gio/gio.h>

#include "app/boxes/sl-box-item.h"
#include "app/conversation/sl-message-part.h"
#include "app/generation/sl-generation.h"
#include "app/inference/sl-job.h"
#include "app/prompt/sl-grounding.h"
#include "app/prompt/sl-prompt.h"
#include "app/sl-types.h"

G_BEGIN_DECLS

#define SL_TYPE_MESSAGE (sl_message_get_type ())
G_DECLARE_FINAL_TYPE (SlMessage, sl_message, SL, MESSAGE, GObject)

/* Properties (read-only, notify): "status" (gint), "text" (string: the raw text), "job" (SlJob or NULL), "n-siblings" (guint),
 * "sibling" (guint), "box-picture" (string or NULL).
 * Signal text-appended (const char *delta): the raw text grew at its end (emitted before notify::text). */

gint64 sl_message_get_id (SlMessage *self);
SlRole sl_message_get_role (SlMessage *self);
SlMode sl_message_get_mode (SlMessage *self); /* of the question; an answer has its question's */
gboolean sl_message_get_raw (SlMessage *self); /* written in the raw view: grounding tokens in it are tokens */
GDateTime *sl_message_get_created (SlMessage *self); /* local time, borrowed */
SlMessageStatus sl_message_get_status (SlMessage *self);

/* The parts, in order. */
guint sl_message_get_n_parts (SlMessage *self);
SlMessagePart *sl_message_get_part (SlMessage *self, guint position);
/* All text parts joined: of an answer the raw model text, special tokens kept. */
const char *sl_message_get_text (SlMessage *self);

/* While STREAMING: the answer in the making; else NULL. */
SlJob *sl_message_get_job (SlMessage *self);
/* The settings that an answer was made with; FALSE where they are not known. */
gboolean sl_message_get_settings (SlMessage *self, SlSettings *settings);
/* The last answer, which stopped before its end: sl_conversation_continue() would write on. */
gboolean sl_message_can_continue (SlMessage *self);
/* How an answer was made; NULL for questions. While STREAMING as of the last drain. */
const SlGeneration *sl_message_get_generation (SlMessage *self);

/* An answer's text taken apart, its boxes' numbers as its generation says. (transfer full) */
SlGrounding *sl_message_parse (SlMessage *self);
/* An answer's boxes as SlBoxItem, in the order of the text, then those added by the user; follows the stream. An edited box
 * stands behind the model's box that it came from. Never NULL. */
GListModel *sl_message_get_boxes (SlMessage *self);
/* SHA-256 of the picture that the boxes lie on: the last one before the answer unless chosen otherwise. NULL for none. */
const char *sl_message_get_box_picture (SlMessage *self);

/* Alternatives at this place: its siblings in the tree, this one included. */
guint sl_message_get_n_siblings (SlMessage *self);
guint sl_message_get_sibling (SlMessage *self);

G_END_DECLS
