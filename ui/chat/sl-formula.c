/* SPDX-License-Identifier: MIT
 *
 * Turns formulas into spans of code before Markdown is parsed: one pass, for every frame in which an answer grew.
 */
#include "ui/chat/sl-formula.h"

#include <string.h>

/* Length of the code that begins here with so many backticks, its ends included; 0 if it does not end. */
static gsize
measure_code (const char *at,
              gsize       ticks)
{
  const char *close = at + ticks;

  while ((close = strchr (close, '`')) != NULL)
    {
      gsize run = strspn (close, "`");

      if (run == ticks)
        return close + run - at;
      close += run;
    }
  return 0;
}

/* Length of the formula that begins here, its marks included; 0 if there is none. */
static gsize
measure_formula (const char *at)
{
  static const char *const marks[][2] = { { "\\(", "\\)" }, { "\\[", "\\]" }, { "$$", "$$" } };

  for (guint i = 0; i < G_N_ELEMENTS (marks); i++)
    {
      const char *close, *paragraph;

      if (!g_str_has_prefix (at, marks[i][0]))
        continue;
      close = strstr (at + 2, marks[i][1]);
      paragraph = strstr (at, "\n\n");
      if (close == NULL || close == at + 2 || (paragraph != NULL && paragraph < close))
        return 0;
      return close + 2 - at;
    }
  return 0;
}

static void
append_span (GString    *out,
             const char *formula,
             gsize       length)
{
  gsize longest = 0;
  g_autofree char *ticks = NULL;

  for (gsize i = 0; i < length;)
    {
      gsize run = strspn (formula + i, "`");

      longest = MAX (longest, run);
      i += run + 1;
    }
  ticks = g_strnfill (longest + 1, '`');
  g_string_append (out, ticks);
  for (gsize i = 0; i < length; i++)
    g_string_append_c (out, formula[i] == '\n' ? ' ' : formula[i]);
  g_string_append (out, ticks);
}

char *
sl_formula_protect (const char *markdown)
{
  GString *out = g_string_sized_new (strlen (markdown) + 16);

  for (const char *at = markdown; *at != '\0';)
    {
      gsize ticks = strspn (at, "`");
      gsize code = ticks > 0 ? measure_code (at, ticks) : 0;
      gsize formula = measure_formula (at);

      if (formula > 0)
        append_span (out, at, formula);
      else if (code > 0)
        g_string_append_len (out, at, code);
      else if (ticks >= 3) /* code whose end has not come yet */
        g_string_append (out, at);
      else if (*at == '\\' && at[1] != '\0')
        g_string_append_len (out, at, 2); /* a mark that is written with a backslash begins nothing */
      else
        g_string_append_c (out, *at);
      at += formula > 0 ? formula : code > 0 ? code : ticks >= 3 ? strlen (at) : *at == '\\' && at[1] != '\0' ? 2 : 1;
    }
  return g_string_free (out, FALSE);
}
