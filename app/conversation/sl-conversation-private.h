/* SPDX-License-Identifier: MIT
 *
 * What the parts of SlConversation share: the tree and its shown path (sl-conversation.c), answers (sl-conversation-answer.c),
 * boxes (sl-conversation-boxes.c), deleting (sl-conversation-delete.c). Also how SlHistory makes conversations. UI thread.
 */
#pragma once

#include "app/conversation/sl-conversation.h"
#include "app/conversation/sl-message-private.h"
#include "app/store/sl-store.h"

G_BEGIN_DECLS

struct _SlConversation
{
  GObject parent_instance;

  SlStore *store;
  SlEngine *engine;      /* of this computer */
  SlAnswerer *answerer;  /* who is asked: that, or another */
  gint64 id, created;
  char *title, *system_text, *engine_id;
  SlChoices choices;
  gboolean stored; /* has a row */
  SlFolderRecord *folder; /* that it asks about; or NULL */

  GHashTable *messages; /* id → SlMessage, owns them all */
  GPtrArray *roots;     /* borrowed: alternatives of the first message */
  GPtrArray *path;      /* what is shown, owned */
  guint n_pictures;

  /* the answer being made */
  SlMessage *answering;
  SlJob *job;
  SlGeneration *earlier; /* of an answer that is continued */
  gsize continued_from;  /* bytes that it had */
  char *asked_text;      /* the system text when it began */
  guint save_source;
  gboolean unsaved;

  /* the deletion that can be undone */
  SlMessage *deleted;
  guint deleted_at;     /* its place among its siblings */
  gint64 deleted_leaf;  /* what was shown */
  gint64 deleted_time;  /* monotonic µs */
  guint forget_source;
};

/* sl-conversation.c, for the other parts */
void sl_conversation_notify_busy (SlConversation *self);
SlMessage *sl_conversation_get_leaf (SlConversation *self);
/* Adds a new message (taken) below parent (NULL: a first one) and shows it. */
void sl_conversation_adopt (SlConversation *self, SlMessage *message, SlMessage *parent);
void sl_conversation_save_message (SlConversation *self, SlMessage *message, gboolean leaf);
void sl_conversation_show (SlConversation *self, SlMessage *leaf);
/* Gives boxes that were just read from the answer's text the ids under which they are stored: sl-conversation-boxes.c. */
void sl_conversation_number_boxes (SlConversation *self, SlMessage *message);
/* Its row, and its title from the words where it has none. */
void sl_conversation_ensure_stored (SlConversation *self, GPtrArray *parts);

G_END_DECLS
