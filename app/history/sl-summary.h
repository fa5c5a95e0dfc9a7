/* SPDX-License-Identifier: MIT
 *
 * SlSummary: one line of the list of conversations, or one hit of a search. Made by SlHistory, which keeps it in line with the
 * store; only read by others. UI thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define SL_TYPE_SUMMARY (sl_summary_get_type ())
G_DECLARE_FINAL_TYPE (SlSummary, sl_summary, SL, SUMMARY, GObject)

/* Properties (notify): "title" (string, "" until named), "snippet" (string), "updated" (GDateTime), "busy" (gboolean), "folder" (gboolean),
 * "pinned" (gboolean). */
gint64 sl_summary_get_id (SlSummary *self); /* of the conversation */
const char *sl_summary_get_title (SlSummary *self);
/* Begin of the last message; of a hit, the text around it. Plain, one line. */
const char *sl_summary_get_snippet (SlSummary *self);
GDateTime *sl_summary_get_updated (SlSummary *self); /* local time, borrowed */
gboolean sl_summary_get_busy (SlSummary *self); /* answering or queued */
/* Of a hit: the message that was found; 0 where the title matched. */
gint64 sl_summary_get_message (SlSummary *self);
gboolean sl_summary_get_folder (SlSummary *self); /* it asks about the pictures of one */
gboolean sl_summary_get_pinned (SlSummary *self);

G_END_DECLS
