/* SPDX-License-Identifier: MIT
 *
 * Words and CJK pairs of the search index: what is indexed, how a query matches it, what snippets show.
 */
#include "app/store/sl-search-text.h"

#include <glib.h>

static void
test_index (void)
{
  static const struct
  {
    const char *text, *words;
  } cases[] = {
    { "", "" },
    { "Find the RED circle.", "find the red circle" },
    { "找到红色的圆形", "找到 到红 红色 色的 的圆 圆形 形" },
    { "找 red圆形 2", "找 red 圆形 形 2" },
    { "ＦＵＬＬ width", "full width" },
    { "\"quoted\" * (near) AND", "quoted near and" },
    { "赤い丸", "赤い い丸 丸" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *words = sl_search_text_index (cases[i].text);

      g_assert_cmpstr (words, ==, cases[i].words);
    }
}

static void
test_query (void)
{
  static const struct
  {
    const char *query, *match;
  } cases[] = {
    { "", NULL },
    { " \"*() ", NULL },
    { "红色", "\"红色\"" },
    { "红色的", "\"红色 色的\"" },
    { "红", "\"红\"*" },
    { "red circ", "\"red\" \"circ\"*" },
    { "red circle ", "\"red\" \"circle\"" },
    { "a\" OR b", "\"a\" \"or\" \"b\"*" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *match = sl_search_text_query (cases[i].query);

      g_assert_cmpstr (match, ==, cases[i].match);
    }
}

static void
test_snippet (void)
{
  g_autofree char *start = sl_search_text_snippet ("one\n\n two", NULL, 40);
  g_autofree char *cut = sl_search_text_snippet ("abcdefghij", NULL, 4);
  g_autofree char *around = sl_search_text_snippet ("aaaa bbbb cccc dddd eeee 红色的圆形 ffff gggg", "红色", 12);
  g_autofree char *invalid = sl_search_text_snippet ("bad \xff byte", NULL, 40);

  g_assert_cmpstr (start, ==, "one two");
  g_assert_cmpstr (cut, ==, "abcd…");
  g_assert_nonnull (strstr (around, "红色"));
  g_assert_true (g_str_has_prefix (around, "…") && g_str_has_suffix (around, "…"));
  g_assert_cmpint (g_utf8_strlen (around, -1), <=, 14);
  g_assert_true (g_utf8_validate (invalid, -1, NULL));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/search-text/index", test_index);
  g_test_add_func ("/search-text/query", test_query);
  g_test_add_func ("/search-text/snippet", test_snippet);
  return g_test_run ();
}
