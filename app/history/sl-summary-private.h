/* SPDX-License-Identifier: MIT
 *
 * SlSummary, for the list and the search that make and change it.
 */
#pragma once

#include "app/history/sl-summary.h"
#include "app/store/sl-records.h"

G_BEGIN_DECLS

SlSummary *sl_summary_new (const SlSummaryRecord *record);
/* All but id and message, which stay. */
void sl_summary_update (SlSummary *self, const SlSummaryRecord *record);
void sl_summary_set_title (SlSummary *self, const char *title);
void sl_summary_set_busy (SlSummary *self, gboolean busy);
/* What the list is ordered by, among the pinned and among the others: µs since 1970. */
gint64 sl_summary_get_updated_us (SlSummary *self);

G_END_DECLS
