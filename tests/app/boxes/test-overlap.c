/* SPDX-License-Identifier: MIT
 *
 * The expected overlap of a box from the distributions of its numbers: what is certain, what is off, what is vague, what is unknown.
 */
#include <math.h>

#include "app/boxes/sl-box-item-record.h"
#include "app/generation/sl-generation.h"

/* An answer of four tokens, one for each number. */
static SlGeneration *
make (const float expected[4],
      float       deviation,
      gboolean    whole)
{
  SlGeneration *g = sl_generation_new ();

  for (guint i = 0; i < 4; i++)
    {
      SlTokenMark mark = { 1, -1, 10 * (i + 1) };
      SlCoordinate coordinate = { .token = i, .index = i, .whole = whole, .mass = 1, .expected = expected[i], .deviation = deviation };

      g_array_append_val (g->tokens, mark);
      sl_generation_add_coordinate (g, &coordinate, FALSE);
    }
  return g;
}

static const int box[4] = { 100, 200, 300, 600 };
static const float same[4] = { 100, 200, 300, 600 };

static void
test_certain (void)
{
  g_autoptr (SlGeneration) g = make (same, 0, TRUE);
  const float right[4] = { 200, 200, 400, 600 };
  g_autoptr (SlGeneration) half = make (right, 0, TRUE);
  double spread[4];

  g_assert_cmpfloat_with_epsilon (sl_generation_get_overlap (g, 0, 40, box, NULL), 1, 1e-9);
  /* Half of it lies beside: 1/3 of the union. */
  g_assert_cmpfloat_with_epsilon (sl_generation_get_overlap (half, 0, 40, box, spread), 1 / 3.0, 1e-9);
  g_assert_cmpfloat (spread[3], ==, 0);
}

/* One side alone is vague: E[1 / (1 + |d| / 200)] or E[1 - |d| / 200] by a sum of the distribution itself. */
static void
test_vague (void)
{
  g_autoptr (SlGeneration) g = make (same, 0, TRUE);
  double last = 1, sum = 0, mass = 0;

  g_array_index (g->coordinates, SlCoordinate, 2).deviation = 20;
  for (double d = -190; d <= 190; d += 0.25)
    {
      double p = exp (-fabs (d) * G_SQRT2 / 20);

      mass += p;
      sum += p * (d < 0 ? (200 + d) / 200 : 200 / (200 + d));
    }
  g_assert_cmpfloat_with_epsilon (sl_generation_get_overlap (g, 0, 40, box, NULL), sum / mass, 0.01);
  for (float deviation = 5; deviation < 300; deviation *= 2)
    {
      g_autoptr (SlGeneration) vague = make (same, deviation, TRUE);
      double overlap = sl_generation_get_overlap (vague, 0, 40, box, NULL);

      g_assert_true (overlap > 0 && overlap < last);
      last = overlap;
    }
}

static void
test_unknown (void)
{
  g_autoptr (SlGeneration) digits = make (same, 5, FALSE);
  const SlCoordinate completed = { .index = 3, .whole = TRUE, .expected = 600, .deviation = 4 };
  const int flat[4] = { 100, 200, 100, 600 };

  g_assert_cmpfloat (sl_generation_get_overlap (digits, 0, 40, box, NULL), ==, -1);
  for (guint i = 0; i < 3; i++)
    g_array_index (digits->coordinates, SlCoordinate, i).whole = TRUE;
  sl_generation_add_coordinate (digits, &completed, TRUE);
  g_assert_cmpuint (digits->coordinates->len, ==, 4);
  g_assert_cmpfloat (sl_generation_get_overlap (digits, 0, 40, box, NULL), >, 0.5);
  g_assert_cmpfloat (sl_generation_get_overlap (digits, 0, 40, flat, NULL), ==, -1);
  g_assert_cmpfloat (sl_generation_get_overlap (digits, 40, 80, box, NULL), ==, -1);
}

static gboolean
is_doubtful (SlBoxKind   kind,
             const char *label,
             SlBoxStatus status,
             double      overlap)
{
  SlBoxRecord *record = sl_box_record_new ();
  g_autoptr (SlBoxItem) item = sl_box_item_new (record);

  record->kind = kind;
  record->label = g_strdup (label);
  record->status = status;
  record->overlap = overlap;
  return sl_box_item_is_doubtful (item);
}

/* The limit is the 0.5 of the PASCAL VOC challenge, from which on a box is right. */
static void
test_doubtful (void)
{
  g_assert_true (is_doubtful (SL_BOX_KIND_MODEL, "cat", SL_BOX_OK, 0.49));
  g_assert_false (is_doubtful (SL_BOX_KIND_MODEL, "cat", SL_BOX_OK, 0.5));
  g_assert_false (is_doubtful (SL_BOX_KIND_MODEL, "cat", SL_BOX_OK, -1));
  g_assert_true (is_doubtful (SL_BOX_KIND_MODEL, "cat", SL_BOX_CLAMPED, 0));
  g_assert_true (is_doubtful (SL_BOX_KIND_MODEL, "cat", SL_BOX_INCOMPLETE, -1));
  g_assert_true (is_doubtful (SL_BOX_KIND_MODEL, "cat", SL_BOX_REJECTED, -1));
  g_assert_false (is_doubtful (SL_BOX_KIND_MODEL, "", SL_BOX_INCOMPLETE, -1));
  g_assert_false (is_doubtful (SL_BOX_KIND_EDITED, "cat", SL_BOX_REJECTED, -1));
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/overlap/certain", test_certain);
  g_test_add_func ("/overlap/vague", test_vague);
  g_test_add_func ("/overlap/unknown", test_unknown);
  g_test_add_func ("/overlap/doubtful", test_doubtful);
  return g_test_run ();
}
