/* SPDX-License-Identifier: MIT
 *
 * Which boxes of two answers belong together. Expected sums of IoU come from trying every assignment.
 */
#include <math.h>
#include <string.h>

#include <glib.h>

#include "app/boxes/sl-box-match.h"

#define BOX(x1, y1, x2, y2, label) { x1, y1, x2, y2, label, 0, 0, FALSE, FALSE }
#define MAX_BOXES 6

typedef struct
{
  const char *name;
  SlPaintBox first[3], second[3];
  gsize n_first, n_second;
  SlBoxPair pairs[4];
  guint n_pairs;
} Case;

static const Case cases[] = {
  { "empty", { { 0 } }, { { 0 } }, 0, 0, { { 0 } }, 0 },
  { "first empty", { { 0 } }, { BOX (0, 0, 10, 10, "a") }, 0, 1, { { -1, 0, 0 } }, 1 },
  { "second empty", { BOX (0, 0, 10, 10, "a") }, { { 0 } }, 1, 0, { { 0, -1, 0 } }, 1 },
  { "same", { BOX (0, 0, 10, 10, "a") }, { BOX (0, 0, 10, 10, "a") }, 1, 1, { { 0, 0, 1 } }, 1 },
  { "half of it", { BOX (0, 0, 10, 10, "a") }, { BOX (0, 0, 10, 5, "a") }, 1, 1, { { 0, 0, 0.5 } }, 1 },
  { "apart", { BOX (0, 0, 10, 10, "a") }, { BOX (10, 0, 20, 10, "a") }, 1, 1, { { 0, -1, 0 }, { -1, 0, 0 } }, 2 },
  { "hardly touching", { BOX (0, 0, 10, 10, "a") }, { BOX (9, 0, 19, 10, "a") }, 1, 1, { { 0, -1, 0 }, { -1, 0, 0 } }, 2 },
  { "other label", { BOX (0, 0, 10, 10, "cat") }, { BOX (0, 0, 10, 10, "dog") }, 1, 1, { { 0, 0, 1 } }, 1 },
  { "no label", { BOX (0, 0, 10, 10, NULL) }, { BOX (0, 0, 10, 10, "dog") }, 1, 1, { { 0, 0, 1 } }, 1 },
  { "no area", { BOX (3, 3, 3, 3, "a") }, { BOX (3, 3, 3, 3, "a") }, 1, 1, { { 0, 0, 1 } }, 1 },
  { "crossed", { BOX (0, 0, 10, 10, "a"), BOX (50, 0, 60, 10, "a") }, { BOX (50, 0, 60, 10, "a"), BOX (0, 0, 10, 10, "a") }, 2, 2,
    { { 0, 1, 1 }, { 1, 0, 1 } }, 2 },
  { "same label first among equals", { BOX (0, 0, 10, 10, "cat"), BOX (0, 0, 10, 10, "dog") },
    { BOX (0, 0, 10, 10, "dog"), BOX (0, 0, 10, 10, "cat") }, 2, 2, { { 0, 1, 1 }, { 1, 0, 1 } }, 2 },
  /* The best pair (9 / 11) would leave nothing for the others. */
  { "not greedy", { BOX (0, 0, 10, 1, "a"), BOX (3, 0, 13, 1, "a") }, { BOX (2, 0, 12, 1, "a"), BOX (9, 0, 19, 1, "a") }, 2, 2,
    { { 0, 0, 8.0 / 12 }, { 1, 1, 4.0 / 16 } }, 2 },
  { "more in the second", { BOX (20, 0, 30, 10, "a") },
    { BOX (0, 0, 10, 10, "a"), BOX (20, 0, 30, 10, "a"), BOX (40, 0, 50, 10, "a") }, 1, 3,
    { { 0, 1, 1 }, { -1, 0, 0 }, { -1, 2, 0 } }, 3 },
  { "more in the first", { BOX (0, 0, 10, 10, "a"), BOX (20, 0, 30, 10, "a"), BOX (40, 0, 50, 10, "a") },
    { BOX (40, 0, 50, 10, "a") }, 3, 1, { { 0, -1, 0 }, { 1, -1, 0 }, { 2, 0, 1 } }, 3 },
};

static void
test_table (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      const Case *c = &cases[i];
      g_autoptr (GArray) pairs = sl_box_match (c->first, c->n_first, c->second, c->n_second);

      g_test_message ("%s", c->name);
      g_assert_cmpuint (pairs->len, ==, c->n_pairs);
      for (guint p = 0; p < pairs->len; p++)
        {
          const SlBoxPair *pair = &g_array_index (pairs, SlBoxPair, p);

          g_assert_cmpint (pair->first, ==, c->pairs[p].first);
          g_assert_cmpint (pair->second, ==, c->pairs[p].second);
          g_assert_cmpfloat_with_epsilon (pair->iou, c->pairs[p].iou, 1e-12);
        }
    }
}

/* One of two equal boxes has the partner, and no box has two. */
static void
test_duplicates (void)
{
  const SlPaintBox two[] = { BOX (0, 0, 10, 10, "a"), BOX (0, 0, 10, 10, "a") };

  for (gsize n_first = 1; n_first <= 2; n_first++)
    {
      g_autoptr (GArray) pairs = sl_box_match (two, n_first, two, 3 - n_first);
      int together = 0, alone = 0;

      for (guint p = 0; p < pairs->len; p++)
        {
          const SlBoxPair *pair = &g_array_index (pairs, SlBoxPair, p);

          together += pair->iou == 1;
          alone += pair->first < 0 || pair->second < 0;
        }
      g_assert_cmpint (together, ==, 1);
      g_assert_cmpint (alone, ==, 1);
    }
}

static double
try_all (const SlPaintBox *first,
         gsize             n_first,
         const SlPaintBox *second,
         gsize             n_second,
         guint             taken)
{
  double best;

  if (n_first == 0)
    return 0;
  best = try_all (first + 1, n_first - 1, second, n_second, taken);
  for (gsize j = 0; j < n_second; j++)
    {
      double iou = sl_box_get_iou (first, &second[j]);

      if (!(taken & 1u << j) && iou >= SL_BOX_MATCH_LEAST_IOU)
        best = MAX (best, iou + try_all (first + 1, n_first - 1, second, n_second, taken | 1u << j));
    }
  return best;
}

static void
fill (GRand      *random,
      SlPaintBox *boxes,
      gsize       n_boxes)
{
  for (gsize i = 0; i < n_boxes; i++)
    {
      double x = g_rand_double_range (random, 0, 20), y = g_rand_double_range (random, 0, 20);

      boxes[i] = (SlPaintBox) { x, y, x + g_rand_double_range (random, 5, 25), y + g_rand_double_range (random, 5, 25),
                                g_rand_boolean (random) ? "a" : "b", 0, 0, FALSE, FALSE };
    }
}

static void
test_best (void)
{
  g_autoptr (GRand) random = g_rand_new_with_seed (1);

  for (int round = 0; round < 300; round++)
    {
      SlPaintBox first[MAX_BOXES], second[MAX_BOXES];
      gsize n_first = g_rand_int_range (random, 0, MAX_BOXES + 1), n_second = g_rand_int_range (random, 0, MAX_BOXES + 1);
      g_autoptr (GArray) pairs = NULL;
      double sum = 0;
      guint seen = 0;

      fill (random, first, n_first);
      fill (random, second, n_second);
      pairs = sl_box_match (first, n_first, second, n_second);
      for (guint p = 0; p < pairs->len; p++)
        {
          sum += g_array_index (pairs, SlBoxPair, p).iou;
          seen += (g_array_index (pairs, SlBoxPair, p).first >= 0) + (g_array_index (pairs, SlBoxPair, p).second >= 0);
        }
      g_assert_cmpuint (seen, ==, n_first + n_second);
      /* SAME_LABEL may be preferred to that much, six times. */
      g_assert_cmpfloat_with_epsilon (sum, try_all (first, n_first, second, n_second, 0), 1e-8);
    }
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/box-match/table", test_table);
  g_test_add_func ("/box-match/duplicates", test_duplicates);
  g_test_add_func ("/box-match/best", test_best);
  return g_test_run ();
}
