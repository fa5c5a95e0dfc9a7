/* SPDX-License-Identifier: MIT
 *
 * How SlConversation makes and changes messages and their parts. Included by sl-message*.c and sl-conversation*.c only. UI thread.
 */
#pragma once

#include "app/boxes/sl-box-item-record.h"
#include "app/conversation/sl-message.h"
#include "app/store/sl-records.h"

G_BEGIN_DECLS

struct _SlMessage
{
  GObject parent_instance;

  gint64 id;
  SlRole role;
  SlMode mode;
  gboolean raw;
  SlMessageStatus status;
  GDateTime *created;
  GPtrArray *parts; /* of SlMessagePart */
  GString *text;
  SlJob *job;
  SlGeneration *generation;
  GListStore *boxes; /* of SlBoxItem */
  SlBoxReader *reader; /* while text is appended: what is settled of it; or NULL */
  char *box_picture;
  guint sibling, n_siblings, ordinal;

  /* tree */
  SlMessage *parent;   /* borrowed */
  GPtrArray *children; /* borrowed messages */
  GPtrArray *siblings; /* borrowed: the parent's children or the conversation's roots */
};

/* Parts. */
SlMessagePart *sl_message_part_new_from_record (const SlPartRecord *record, const char *picture_path);
SlPartRecord *sl_message_part_to_record (SlMessagePart *self);
void sl_message_part_append_text (SlMessagePart *self, const char *delta); /* to a text */
void sl_message_part_set_path (SlMessagePart *self, const char *path);

/* Messages. Parts are referenced; one of an answer that begins has a single empty text. */
SlMessage *sl_message_new (gint64 id, SlRole role, SlMode mode, gboolean raw, GPtrArray *parts);
SlMessage *sl_message_new_from_record (const SlMessageRecord *record, GPtrArray *parts);
/* conversation and leaf fields are the caller's. */
SlMessageRecord *sl_message_to_record (SlMessage *self);
void sl_message_append_text (SlMessage *self, const char *delta);
void sl_message_set_status (SlMessage *self, SlMessageStatus status);
void sl_message_set_job (SlMessage *self, SlJob *job);
void sl_message_take_generation (SlMessage *self, SlGeneration *generation);
void sl_message_set_box_picture (SlMessage *self, const char *sha256);
void sl_message_set_place (SlMessage *self, guint sibling, guint n_siblings);
/* Brings the model's boxes in line with the text. Ids stay; new boxes have id 0. */
void sl_message_update_boxes (SlMessage *self);
/* The same with other words for what their numbers mean (SlGeneration.boxes_as). */
void sl_message_set_boxes_as (SlMessage *self, const char *boxes_as);
/* The user's boxes. */
void sl_message_add_box (SlMessage *self, SlBoxItem *box);
void sl_message_remove_box (SlMessage *self, SlBoxItem *box);

/* Tree; links are borrowed, the conversation owns all messages. */
SlMessage *sl_message_get_parent (SlMessage *self);
guint sl_message_get_ordinal (SlMessage *self);
/* children: of the parent, or the conversation's first messages. */
void sl_message_link (SlMessage *self, SlMessage *parent, GPtrArray *siblings, guint ordinal);
GPtrArray *sl_message_get_children (SlMessage *self);
GPtrArray *sl_message_get_siblings (SlMessage *self);
SlMessage *sl_message_newest_below (SlMessage *message); /* the message itself where there is none */
gboolean sl_message_is_below (SlMessage *message, SlMessage *ancestor); /* or the same; NULL is below nothing */

G_END_DECLS
