/* SPDX-License-Identifier: MIT
 *
 * SlMessagePart: a run of text or one picture, at its position in a message. Also what a composer hands to
 * sl_conversation_send(). A picture is a name, size and hash, with a file or, until it is stored, its bytes; pixels it has while
 * somebody needs them. UI thread. It must not know the store.
 */
#pragma once

#include <gio/gio.h>

#include "app/sl-types.h"

G_BEGIN_DECLS

#define SL_TYPE_MESSAGE_PART (sl_message_part_get_type ())
G_DECLARE_FINAL_TYPE (SlMessagePart, sl_message_part, SL, MESSAGE_PART, GObject)

/* Properties (notify): "text" (string or NULL), "picture" (SlPicture or NULL), "detail" (gint), "error-text" (string or NULL:
 * why the picture could not be loaded), "ground" (gint). */

SlMessagePart *sl_message_part_new_text (const char *text);
SlMessagePart *sl_message_part_new_picture (SlPicture *picture, SlDetail detail);
/* A picture in a file whose hash and upright size are known. */
SlMessagePart *sl_message_part_new_stored (const char *sha256, const char *path, const char *name, int width, int height,
                                           SlDetail detail);

/* For another message: the same text or picture, loaded or not. */
SlMessagePart *sl_message_part_copy (SlMessagePart *self);

SlPartKind sl_message_part_get_kind (SlMessagePart *self);
const char *sl_message_part_get_text (SlMessagePart *self);
/* Pixels, NULL for text and unless loaded. */
SlPicture *sl_message_part_get_picture (SlMessagePart *self);
/* The encoded picture, NULL where it is in a file. */
GBytes *sl_message_part_get_bytes (SlMessagePart *self);
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
/* What lies under the picture: unknown until somebody has decoded it, at any size, and has said so. */
SlGround sl_message_part_get_ground (SlMessagePart *self);
void sl_message_part_set_ground (SlMessagePart *self, SlGround ground);
/* The file of the picture before it was laid on white; NULL where it was not, or where that is not known any more. */
GBytes *sl_message_part_get_source (SlMessagePart *self);
const char *sl_message_part_get_error_text (SlMessagePart *self);

/* Somebody needs the pixels: they are decoded in the decode pool where they are not there, and stay until release() was called as
 * often; "picture" or "error-text" notifies. What is released stays decoded only as long as others do not take its place. */
void sl_message_part_load (SlMessagePart *self);
void sl_message_part_release (SlMessagePart *self);
/* Once the file is written, its bytes are no longer needed in memory. */
void sl_message_part_forget_bytes (SlMessagePart *self);

G_END_DECLS
