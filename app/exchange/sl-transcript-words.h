/* SPDX-License-Identifier: MIT
 *
 * Markdown as plain words with attributes, for Pango. Included by sl-transcript-pdf.c only; any thread.
 */
#pragma once

#include "app/exchange/sl-transcript-private.h"

#include <pango/pango.h>

G_BEGIN_DECLS

/* (transfer full), and *attributes too. Headings and what stands out are bold, code is monospace, entries of lists have their marks, cells of
 * tables stand behind each other. */
char *sl_transcript_lay_out (const char *markdown, PangoAttrList **attributes);

G_END_DECLS
