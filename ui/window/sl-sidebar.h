/* SPDX-License-Identifier: MIT
 *
 * The list of conversations with search. Choosing a row, renaming and deleting
 * are reported or done through the window's actions. Owned by SlWindow; UI thread.
 */
#pragma once

#include "app/history/sl-history.h"

#include <gtk/gtk.h>

G_BEGIN_DECLS

#define SL_TYPE_SIDEBAR (sl_sidebar_get_type ())

G_DECLARE_FINAL_TYPE (SlSidebar, sl_sidebar, SL, SIDEBAR, GtkWidget)

/* Signal: "open" (gint64 conversation, gint64 message or 0). */

void sl_sidebar_set_history (SlSidebar *self,
                             SlHistory *history);

/* Marks the conversation that is shown; 0 for none. */
/* What is being searched for, "" for nothing; borrowed. */
const char *sl_sidebar_get_query (SlSidebar *self);
void sl_sidebar_set_current (SlSidebar *self,
                             gint64     id);

/* What the list shows, SlSummary, with the row that is selected. */
GtkSelectionModel *sl_sidebar_get_selection (SlSidebar *self);

/* query: what to look for; NULL leaves what is there. */
void sl_sidebar_start_search (SlSidebar  *self,
                              const char *query);
void sl_sidebar_stop_search  (SlSidebar *self);

G_END_DECLS
