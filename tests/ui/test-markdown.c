/* SPDX-License-Identifier: MIT
 *
 * Markdown that is easily spoilt: formulas, which use its marks for something else; tables and links.
 */
#include "ui/chat/sl-formula.h"
#include "ui/chat/sl-markdown-plain.h"
#include "ui/chat/sl-markdown.h"

#include <pango/pango.h>

/* What the first block of a text says, without Pango's markup. */
static char *
dup_shown (const char *markdown)
{
  g_autoptr (GPtrArray) blocks = sl_markdown_parse (markdown);
  const SlBlock *block = blocks->pdata[0];
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  if (block->kind == SL_BLOCK_CODE)
    return g_strdup (block->content);
  pango_parse_markup (block->content, -1, 0, NULL, &text, NULL, &error);
  g_assert_no_error (error);
  return text;
}

static void
test_formulas (void)
{
  static const struct
  {
    const char *markdown, *shown;
  } cases[] = {
    { "\\[ E = mc^2 \\] and \\(a_1 * b_1 * c\\)", "\\[ E = mc^2 \\] and \\(a_1 * b_1 * c\\)" },
    { "with *stars* and \\(x_1*y_1*z\\), *more*", "with stars and \\(x_1*y_1*z\\), more" },
    { "\\[\na_1\n*\nb_1\n\\]", "\\[ a_1 * b_1 \\]" },
    { "$$\\frac{a_1}{b_1} < c & d$$", "$$\\frac{a_1}{b_1} < c & d$$" },
    { "\\(a `b` c\\)", "\\(a `b` c\\)" },
    /* not formulas */
    { "\\(not closed", "(not closed" },
    { "\\(not closed\n\nhere\\)", "(not closed" },
    { "a \\\\(word\\\\)", "a \\(word\\)" },
    { "`\\(code\\)` *b*", "\\(code\\) b" },
    { "```\n\\(x*y*z\\)\n```", "\\(x*y*z\\)\n" },
    { "```\n\\(x*y*z\\)\n", "\\(x*y*z\\)\n" },
    { "costs $5 and $6, \\* and \\_", "costs $5 and $6, * and _" },
    { "$$$$", "$$$$" },
    { "ends in \\", "ends in \\" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *shown = dup_shown (cases[i].markdown);

      g_assert_cmpstr (shown, ==, cases[i].shown);
    }
}

/* Alignment goes by column, values come out as spreadsheets read them, and a link says where it leads before it is opened. */
static void
test_tables (void)
{
  g_autoptr (GPtrArray) blocks = sl_markdown_parse ("|a|b|c|\n|---|:-:|--:|\n|1, 2|**x** \"y\"|=SUM(A1)|\n|-3|@me|z|\n");
  const SlBlock *table = blocks->pdata[0];
  g_autofree char *csv = sl_block_dup_table (table, ',');
  g_autofree char *tsv = sl_block_dup_table (table, '\t');
  g_autoptr (GPtrArray) link = sl_markdown_parse ("[here](https://example.org/a?b&c) and [there](javascript:alert)");
  g_autofree char *plain = sl_markdown_dup_plain ("# Title\n\n1. one [x](https://example.org)\n2. two\n   - [x] done\n\n> `code`");

  g_assert_cmpstr (table->aligns, ==, "lcr");
  g_assert_cmpstr (csv, ==, "a,b,c\n\"1, 2\",\"x \"\"y\"\"\",'=SUM(A1)\n-3,'@me,z\n");
  g_assert_cmpstr (tsv, ==, "a\tb\tc\n1, 2\tx \"y\"\t=SUM(A1)\n-3\t@me\tz\n");
  g_assert_cmpstr (((SlBlock *) link->pdata[0])->content, ==,
                   "<a href=\"https://example.org/a?b&amp;c\" title=\"https://example.org/a?b&amp;c\">here</a> and there");
  g_assert_cmpstr (plain, ==, "Title\n\n1. one x\n2. two\n  ☑ done\n\ncode");
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/markdown/formulas", test_formulas);
  g_test_add_func ("/markdown/tables", test_tables);
  return g_test_run ();
}
