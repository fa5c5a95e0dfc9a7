/* SPDX-License-Identifier: MIT
 *
 * The hand-over of tokens between threads, and the confidence that is computed from token marks.
 */
#include "app/inference/sl-token-ring.h"

#include <math.h>
#include <string.h>

#define N_ROUNDS 4000

static const char pattern[] = "aé红🟥";

/* Every byte comes as a token of its own; a small ring makes the pusher wait. */
static gpointer
push_bytes (gpointer data)
{
  SlTokenRing *ring = data;

  for (int round = 0; round < N_ROUNDS; round++)
    for (const char *p = pattern; *p != '\0'; p++)
      sl_token_ring_push (ring, round, 0, p, 1);
  return NULL;
}

static void
test_characters_stay_whole (void)
{
  g_autoptr (SlTokenRing) ring = sl_token_ring_new (16);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GArray) marks = g_array_new (FALSE, FALSE, sizeof (SlTokenMark));
  GThread *pusher = g_thread_new ("pusher", push_bytes, ring);
  const gsize expected = N_ROUNDS * strlen (pattern);

  while (text->len < expected)
    {
      gsize before = text->len;

      sl_token_ring_drain (ring, FALSE, text, marks);
      g_assert_true (g_utf8_validate (text->str + before, text->len - before, NULL));
      g_assert_cmpuint (text->len - before, <=, 16 + 4);
      g_thread_yield ();
    }
  g_thread_join (pusher);
  g_assert_false (sl_token_ring_drain (ring, TRUE, text, marks));
  g_assert_cmpuint (text->len, ==, expected);
  g_assert_cmpuint (marks->len, ==, expected);
  for (guint i = 0; i < marks->len; i++)
    g_assert_cmpuint (g_array_index (marks, SlTokenMark, i).end, ==, i + 1);
  for (int round = 0; round < N_ROUNDS; round++)
    g_assert_cmpmem (text->str + round * strlen (pattern), strlen (pattern), pattern, strlen (pattern));
}

static void
test_open_end (void)
{
  g_autoptr (SlTokenRing) ring = sl_token_ring_new (64);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GArray) marks = g_array_new (FALSE, FALSE, sizeof (SlTokenMark));

  sl_token_ring_push (ring, 1, -1, "x\xe7\xba", 3);
  g_assert_true (sl_token_ring_drain (ring, FALSE, text, marks));
  g_assert_cmpstr (text->str, ==, "x");
  g_assert_true (sl_token_ring_drain (ring, TRUE, text, marks));
  g_assert_true (g_utf8_validate (text->str, -1, NULL));
  g_assert_true (g_str_has_prefix (text->str, "x\xef\xbf\xbd"));
}

static gpointer
push_too_much (gpointer data)
{
  for (int i = 0; i < 100; i++)
    sl_token_ring_push (data, i, 0, "0123456789", 10);
  return NULL;
}

/* Nobody drains: a pusher must still come to its end when the answer is stopped. */
static void
test_release (void)
{
  g_autoptr (SlTokenRing) ring = sl_token_ring_new (16);
  GThread *pusher = g_thread_new ("pusher", push_too_much, ring);

  sl_token_ring_release (ring);
  g_thread_join (pusher);
}

static void
test_confidence (void)
{
  static const SlTokenMark marks[] = { { 1, -1.f, 3 }, { 2, -0.5f, 5 }, { 3, -0.25f, 5 }, { 4, -2.f, 9 } };
  SlGeneration *generation = sl_generation_new ();

  g_assert_cmpfloat (sl_generation_get_confidence (generation, 0, 1), ==, -1);
  g_array_append_vals (generation->tokens, marks, G_N_ELEMENTS (marks));
  g_assert_cmpfloat_with_epsilon (sl_generation_get_confidence (generation, 0, 3), exp (-1), 1e-6);
  g_assert_cmpfloat_with_epsilon (sl_generation_get_confidence (generation, 3, 5), exp (-0.5), 1e-6);
  g_assert_cmpfloat_with_epsilon (sl_generation_get_confidence (generation, 2, 9), exp (-3.75), 1e-6);
  g_assert_cmpfloat (sl_generation_get_confidence (generation, 5, 10), ==, -1);
  g_array_index (generation->tokens, SlTokenMark, 0).logprob = NAN;
  g_assert_cmpfloat (sl_generation_get_confidence (generation, 2, 9), ==, -1);
  sl_generation_free (generation);
}

/* An answer in two parts is one record. */
static void
test_prepend (void)
{
  static const SlTokenMark first[] = { { 1, -1.f, 3 }, { 2, -0.5f, 5 } }, second[] = { { 3, -0.25f, 2 } };
  const SlCoordinate coordinate = { .token = 0, .index = 1 };
  g_autoptr (SlGeneration) earlier = sl_generation_new ();
  g_autoptr (SlGeneration) later = sl_generation_new ();
  g_autoptr (SlGeneration) orphan = NULL;
  const SlAlternative *alternatives;
  gsize start, end;
  guint token, n;

  g_array_append_vals (earlier->tokens, first, 2);
  sl_generation_add_alternative (earlier, 1, 9, -3, "nine");
  g_array_append_val (earlier->coordinates, coordinate);
  g_array_append_vals (later->tokens, second, 1);
  sl_generation_add_alternative (later, 0, 8, -4, "eight");
  g_array_append_val (later->coordinates, coordinate);
  g_ptr_array_add (later->attentions, sl_attention_new (1, 1));
  orphan = sl_generation_copy (later);

  sl_generation_prepend (later, earlier, 5);
  g_assert_cmpuint (later->tokens->len, ==, 3);
  g_assert_true (sl_generation_find_token (later, 6, &token, &start, &end) && token == 2 && start == 5 && end == 7);
  g_assert_cmpfloat_with_epsilon (sl_generation_get_confidence (later, 0, 7), exp (-1.75), 1e-6);
  alternatives = sl_generation_get_alternatives (later, 2, &n);
  g_assert_true (n == 1 && strcmp (alternatives[0].text, "eight") == 0);
  alternatives = sl_generation_get_alternatives (later, 1, &n);
  g_assert_true (n == 1 && alternatives[0].id == 9);
  g_assert_cmpuint (g_array_index (later->coordinates, SlCoordinate, 0).token, ==, 0);
  g_assert_cmpuint (g_array_index (later->coordinates, SlCoordinate, 1).token, ==, 2);
  g_assert_cmpuint (later->attentions->len, ==, 0);

  /* The beginning is not known, or only a part of it: nothing is said of it. */
  sl_generation_prepend (orphan, earlier, 4);
  g_assert_false (sl_generation_find_token (orphan, 1, &token, &start, &end));
  g_assert_true (sl_generation_find_token (orphan, 5, &token, &start, &end) && token == 1 && start == 4 && end == 6);
  g_assert_cmpfloat (sl_generation_get_confidence (orphan, 0, 5), ==, -1);
  g_assert_nonnull (sl_generation_get_alternatives (orphan, 1, &n));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/token-ring/characters-stay-whole", test_characters_stay_whole);
  g_test_add_func ("/token-ring/open-end", test_open_end);
  g_test_add_func ("/token-ring/release", test_release);
  g_test_add_func ("/generation/confidence", test_confidence);
  g_test_add_func ("/generation/prepend", test_prepend);
  return g_test_run ();
}
