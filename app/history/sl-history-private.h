/* SPDX-License-Identifier: MIT
 *
 * What the files of SlHistory share.
 */
#pragma once

#include "app/history/sl-history.h"

G_BEGIN_DECLS

struct _SlHistory
{
  GObject parent_instance;

  SlStore *store;
  SlEngine *engine;
  GPtrArray *rows;     /* of SlSummary, the pinned first */
  GHashTable *open;    /* id → SlConversation, not owned: a weak notify takes it out */
  GHashTable *deleted; /* id → time (monotonic µs): hidden, may come back */
  GPtrArray *drafts;   /* of SlDraft */
  GHashTable *unsaved; /* id → SlConversation, owned: its only place is here until the store can save it */
  GCancellable *cancellable;
  guint purge_source;
  gboolean loaded;
};

/* A key of the tables above. */
static inline gint64 *
sl_history_box_id (gint64 id)
{
  return g_memdup2 (&id, sizeof id);
}

/* sl-history-rows.c. Connected once: a conversation that changed, or could not be saved, changes its row. */
void sl_history_follow_store (SlHistory *self);
/* list: of SlSummaryRecord, in the order of the rows, or NULL. What is deleted or unsaved is heeded. */
void sl_history_set_rows (SlHistory *self, GPtrArray *list);
SlSummary *sl_history_get_row (SlHistory *self, gint64 id); /* or NULL; borrowed */
void sl_history_remove_row (SlHistory *self, gint64 id);

G_END_DECLS
