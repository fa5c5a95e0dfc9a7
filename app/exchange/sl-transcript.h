/* SPDX-License-Identifier: MIT
 *
 * Conversations for people to read, in any program: the path that is shown of each, as one HTML file, as PDF or as a folder of Markdown. Called by
 * sl_export_write(). Nothing reads these back.
 */
#pragma once

#include "app/exchange/sl-export.h"

G_BEGIN_DECLS

/* One file: pictures in it, boxes as SVG over them, light and dark as the reader's system is, nothing from elsewhere, no scripts. */
gboolean sl_transcript_write_html (const SlExport *self, GError **error);
/* One document on pages of A4, with text that can be searched. */
gboolean sl_transcript_write_pdf (const SlExport *self, GError **error);
/* A folder, which appears when it is complete: a file for each conversation, its pictures in their original bytes, and those with boxes
 * drawn on. self->path must not exist. */
gboolean sl_transcript_write_markdown (const SlExport *self, GError **error);

/* Messages from the first to the one that is shown last; borrowed from the record, the array is the caller's. */
GPtrArray *sl_transcript_get_path (const SlConversationRecord *record);

G_END_DECLS
