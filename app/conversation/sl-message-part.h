/* SPDX-License-Identifier: MIT
 *
 * SlMessagePart: a run of text or one picture, at its position in a message. Also what a composer hands to
 * sl_conversation_send(). A picture of a stored message starts as a name, size and hash, and becomes pixels when
 * sl_message_part_load() has decoded it. UI thread. It must not know the store.
 */
#pragma once

#include <gio/gio.h>

#include "app/sl-types.h"

G_BEGIN_DECLS

#define SL_TYPE_MESSAGE_PART (sl_message_part_get_type ())
G_DECLARE_FINAL_TYPE (SlMessagePart, sl_message_part, SL, MESSAGE_PART, GObject)

/* Properties (notify): "text" (string or NULL), "picture" (SlPicture or NULL), "detail" (gint), "error-text" (string or NULL:
 * why the picture could not be loaded). */

SlMessagePart *sl_message_part_new_text (const char *text);
SlMessagePart *sl_message_part_new_picture (SlPicture *picture, SlDetail detail);
/* A picture in a file whose hash and upright size are known. */
SlMessagePart *sl_message_part_new_stored (const char *sha256, const char *path, const char *name, int width, int height,
                                           SlDetail detail);

/* For another message: the same text or picture, loaded or not. */
SlMessagePart *sl_message_part_copy (SlMessagePart *self);

SlPartKind sl_message_part_get_kind (SlMessagePart *self);
const char *sl_message_part_get_text (SlMessagePart *self);
/* Pixels, NULL for text and until loaded. */
SlPicture *sl_message_part_get_picture (SlMessagePart *self);
const char *sl_message_part_get_sha256 (SlMessagePart *self);
/* What the user knows the picture by (a file name); NULL for text. */
const char *sl_message_part_get_name (SlMessagePart *self);
/* The untouched file, NULL until the picture is stored. */
const char *sl_message_part_get_path (SlMessagePart *self);
/* Upright size in pixels, known before it is loaded. */
int sl_message_part_get_width (SlMessagePart *self);
int sl_message_part_get_height (SlMessagePart *self);
SlDetail sl_message_part_get_detail (SlMessagePart *self);
void sl_message_part_set_detail (SlMessagePart *self, SlDetail detail);
const char *sl_message_part_get_error_text (SlMessagePart *self);

/* Decodes a stored picture in the decode pool; "picture" or "error-text" notifies. Cheap when done or under way. */
void sl_message_part_load (SlMessagePart *self);
/* Forgets pixels that load() brought (a row scrolled far away); load() brings them back. */
void sl_message_part_release (SlMessagePart *self);

G_END_DECLS
