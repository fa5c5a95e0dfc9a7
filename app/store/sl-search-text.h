/* SPDX-License-Identifier: MIT
 *
 * Text ↔ what the full-text index holds. SQLite's own tokenizers see a run of Chinese as one word (unicode61) or need three
 * characters (trigram), so 「红色」 would not be found in 「找到红色的圆形」: runs of CJK become overlapping pairs here, and
 * queries become phrases of the same pairs. Called by sl-database.c on the store's thread; pure functions.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Words, lower-cased and normalised (NFKC), one blank between: "找到红色 Circle" → "找到 到红 红色 色 circle". The last character
 * of a CJK run stands alone too, so that a query of one character finds it as a prefix. Owned by the caller. */
char *sl_search_text_index (const char *text);

/* A query for FTS5 MATCH: every word must occur, CJK runs as phrases, the last Latin word as a prefix. NULL if it has no word.
 * Nothing of the query is FTS5 syntax any more. Owned by the caller. */
char *sl_search_text_query (const char *query);

/* About `width` characters of text around the first place that holds a word of the query, on one line, with "…" where cut;
 * the beginning where none is found. Owned by the caller. */
char *sl_search_text_snippet (const char *text, const char *query, guint width);

G_END_DECLS
