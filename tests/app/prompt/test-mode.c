/* SPDX-License-Identifier: MIT
 *
 * SlMode: what each mode makes of a text. A piece is shown as "text" (literal), 'text' (grounding tokens) and <picture>.
 */
#include "app/prompt/sl-mode.h"

static char *
show (GPtrArray *pieces)
{
  GString *shown = g_string_new (NULL);

  for (guint i = 0; i < pieces->len; i++)
    {
      const SlPiece *piece = g_ptr_array_index (pieces, i);

      if (piece->text == NULL)
        g_string_append (shown, "<picture>");
      else if (piece->markup == SL_MARKUP_NONE)
        g_string_append_printf (shown, "\"%s\"", piece->text);
      else
        g_string_append_printf (shown, "'%s'", piece->text);
    }
  g_ptr_array_unref (pieces);

  return g_string_free (shown, FALSE);
}

static void
test_wrap (void)
{
  static const struct
  {
    SlMode      mode;
    const char *text;
    gboolean    raw;
    const char *want;
  } cases[] = {
    { SL_MODE_CHAT, "hello", FALSE, "\"hello\"" },
    { SL_MODE_CHAT, "", FALSE, "" },
    { SL_MODE_FIND, "red circle", FALSE, "'<|ref|>'\"red circle\"'<|/ref|>'" },
    { SL_MODE_FIND, " red circle\n", FALSE, "\" \"'<|ref|>'\"red circle\"'<|/ref|>'\"\n\"" },
    { SL_MODE_FIND, "红色的圆", FALSE, "'<|ref|>'\"红色的圆\"'<|/ref|>'" },
    { SL_MODE_FIND, "  ", FALSE, "\"  \"" },
    { SL_MODE_FIND, "a <|/ref|> b", FALSE, "'<|ref|>'\"a <|/ref|> b\"'<|/ref|>'" },
    { SL_MODE_GROUND, "what is here?", FALSE, "'<|grounding|>'\"what is here?\"" },
    { SL_MODE_CHAT, "see <|User|>", TRUE, "'see <|User|>'" },
    { SL_MODE_FIND, "red circle", TRUE, "'<|ref|>''red circle''<|/ref|>'" },
    { SL_MODE_FIND, "all <|ref|>x<|/ref|>", TRUE, "'all <|ref|>x<|/ref|>'" },
    { SL_MODE_GROUND, "<|grounding|>x", TRUE, "'<|grounding|>x'" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *got = show (sl_mode_wrap (cases[i].mode, cases[i].text, cases[i].raw));

      g_assert_cmpstr (got, ==, cases[i].want);
    }
}

static void
test_compose (void)
{
  const char *one[] = { NULL, "red circle" };
  const char *two[] = { NULL, NULL, "compare" };
  const char *inside[] = { "This is image 1: ", NULL, "\nThis is image 2: ", NULL, "the star" };
  const char *alone[] = { NULL };
  g_autofree char *a = show (sl_mode_compose (SL_MODE_FIND, one, 2, FALSE));
  g_autofree char *b = show (sl_mode_compose (SL_MODE_GROUND, two, 3, FALSE));
  g_autofree char *c = show (sl_mode_compose (SL_MODE_FIND, inside, 5, FALSE));
  g_autofree char *d = show (sl_mode_compose (SL_MODE_GROUND, inside, 5, FALSE));
  g_autofree char *e = show (sl_mode_compose (SL_MODE_CHAT, alone, 1, FALSE));

  g_assert_cmpstr (a, ==, "<picture>\"\n\"'<|ref|>'\"red circle\"'<|/ref|>'");
  g_assert_cmpstr (b, ==, "<picture>\"\n\"<picture>\"\n\"'<|grounding|>'\"compare\"");
  g_assert_cmpstr (c, ==, "\"This is image 1: \"<picture>\"\nThis is image 2: \"<picture>\"\n\"'<|ref|>'\"the star\"'<|/ref|>'");
  g_assert_cmpstr (d, ==, "'<|grounding|>'\"This is image 1: \"<picture>\"\nThis is image 2: \"<picture>\"\n\"\"the star\"");
  g_assert_cmpstr (e, ==, "<picture>");
}

static void
test_nicks (void)
{
  for (int i = 0; i < SL_N_MODES; i++)
    {
      SlMode mode;

      g_assert_true (sl_mode_from_nick (sl_mode_get_nick (i), &mode));
      g_assert_cmpint (mode, ==, i);
    }
  for (int i = SL_MARKUP_NONE; i <= SL_MARKUP_ALL; i++)
    {
      SlMarkup markup;

      g_assert_true (sl_markup_from_nick (sl_markup_get_nick (i), &markup));
      g_assert_cmpint (markup, ==, i);
    }
  g_assert_false (sl_mode_from_nick ("Find", &(SlMode) { 0 }));
  g_assert_false (sl_mode_from_nick (NULL, &(SlMode) { 0 }));
}

/* A repetition penalty distorts the digits of boxes. */
static void
test_sampling (void)
{
  SlSampling chat = sl_mode_get_sampling (SL_MODE_CHAT);

  g_assert_cmpfloat (chat.temperature, ==, 0.1);
  g_assert_cmpfloat (chat.top_p, ==, 0.9);
  g_assert_cmpfloat (chat.repetition_penalty, ==, 1.1);
  for (int i = SL_MODE_FIND; i <= SL_MODE_GROUND; i++)
    {
      g_assert_cmpfloat (sl_mode_get_sampling (i).temperature, ==, 0);
      g_assert_cmpfloat (sl_mode_get_sampling (i).repetition_penalty, ==, 1);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/mode/wrap", test_wrap);
  g_test_add_func ("/mode/compose", test_compose);
  g_test_add_func ("/mode/nicks", test_nicks);
  g_test_add_func ("/mode/sampling", test_sampling);

  return g_test_run ();
}
