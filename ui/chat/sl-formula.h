/* SPDX-License-Identifier: MIT
 *
 * Formulas in Markdown: their backslashes, stars and underlines are TeX's and not Markdown's. Used by the Markdown parser. Knows no
 * widget; plain functions, any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Every \(…\), \[…\] and $$…$$ outside of code as a span of code, which shows and copies it as it was written, on one line. One that
 * is not closed before its paragraph ends is text. (transfer full) */
char *sl_formula_protect (const char *markdown);

G_END_DECLS
