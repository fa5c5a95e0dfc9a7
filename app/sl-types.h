/* SPDX-License-Identifier: MIT
 *
 * Names that the headers of app/ share, so that they need not include each other: forward typedefs and the plain value
 * types without a class of their own. Used everywhere in app/ and ui/, on any thread. It must not know the engine or GTK.
 */
#pragma once

#include <glib-object.h>

G_BEGIN_DECLS

typedef struct _SlBoxItem SlBoxItem;
typedef struct _SlConversation SlConversation;
typedef struct _SlDatabase SlDatabase;
typedef struct _SlEngine SlEngine;
typedef struct _SlHistory SlHistory;
typedef struct _SlJob SlJob;
typedef struct _SlMessage SlMessage;
typedef struct _SlMessagePart SlMessagePart;
typedef struct _SlModels SlModels;
typedef struct _SlPicture SlPicture;
typedef struct _SlPrompt SlPrompt;
typedef struct _SlStore SlStore;

/* Stored as numbers: append only. */
/* What lies under a picture: nothing, since it is opaque; nothing that is drawn, so that the colours below its transparency are seen;
 * white, which it was laid on. */
typedef enum { SL_GROUND_UNKNOWN, SL_GROUND_OPAQUE, SL_GROUND_TRANSPARENT, SL_GROUND_WHITE } SlGround;

typedef enum { SL_ROLE_SYSTEM, SL_ROLE_USER, SL_ROLE_ASSISTANT } SlRole;

/* Of a message. Stored as numbers: append only. */
typedef enum
{
  SL_MESSAGE_COMPLETE,
  SL_MESSAGE_STREAMING,   /* queued or being written: sl_message_get_job() */
  SL_MESSAGE_STOPPED,     /* by the user; the text is what was said until then */
  SL_MESSAGE_FAILED,      /* the generation's error says why; text may be partial */
  SL_MESSAGE_INTERRUPTED  /* the program ended while it was being written */
} SlMessageStatus;

/* Of a message's part. Stored as numbers: append only. */
typedef enum { SL_PART_TEXT, SL_PART_PICTURE } SlPartKind;

/* As the model wrote it, or as a user changed or drew it. Stored as numbers: append only. */
typedef enum { SL_BOX_KIND_MODEL, SL_BOX_KIND_EDITED } SlBoxKind;

/* How many tokens a picture may cost; same values as vl2_detail in the engine. LOW: one tile whatever its size; the others are views of
 * document models. AUTO and LOW are stored as numbers. */
typedef enum { SL_DETAIL_AUTO, SL_DETAIL_LOW, SL_DETAIL_TINY, SL_DETAIL_SMALL, SL_DETAIL_BASE, SL_DETAIL_LARGE } SlDetail;

G_END_DECLS
