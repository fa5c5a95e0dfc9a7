/* SPDX-License-Identifier: MIT
 *
 * What is recommended to which computer, and how fast it is said to be: against the weights of a token counted from the published
 * shapes.
 */
#include "app/hub/sl-published.h"

#define GB ((guint64) 1000000000)

typedef struct
{
  double hidden, layers, dense, expert, shared, used, vocabulary, attention; /* attention: weights of a layer's */
} Shape;

/* Sizes of config.json. small and base: a query of 192 values a head, a latent of 512 and 64 with a position, 256 values a head from it. */
static const Shape shapes[] = {
  { 1280, 12, 6848, 896, 2, 6, 129280, 4 * 1280.0 * 1280 },
  { 2048, 27, 10944, 1408, 2, 6, 102400, 16 * 192 * 2048.0 + 576 * 2048.0 + 16 * 256 * 512.0 + 2048 * 16 * 128.0 },
  { 2560, 30, 12288, 1536, 2, 6, 129280, 32 * 192 * 2560.0 + 576 * 2560.0 + 32 * 256 * 512.0 + 2560 * 32 * 128.0 },
};

/* Bytes of 32 weights with their scale: 34 in int8, 18 in int4. */
static double
count_bytes (const Shape *s,
             double       of_experts)
{
  double expert = 3 * s->hidden * s->expert, dense = 3 * s->hidden * s->dense;
  double rest = s->layers * s->attention + dense + (s->layers - 1) * s->shared * expert + s->vocabulary * s->hidden;

  return (rest * 34 + (s->layers - 1) * s->used * expert * of_experts) / 32;
}

/* Norms and the router's rows, which stay as they are, are less than a hundredth. */
static void
test_token_bytes (void)
{
  guint n;
  const SlPublished *published = sl_published_get (&n);

  g_assert_cmpuint (n, ==, G_N_ELEMENTS (shapes));
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpfloat_with_epsilon (published[i].int8_token_bytes / count_bytes (&shapes[i], 34), 1, 0.01);
      g_assert_cmpfloat_with_epsilon (published[i].mix_token_bytes / count_bytes (&shapes[i], 18), 1, 0.01);
    }
}

static void
test_recommended (void)
{
  static const struct
  {
    guint64 memory;
    const char *repo;
    gboolean mix, fits;
  } rows[] = {
    { 3 * GB, "deepseek-ai/deepseek-vl2-tiny", TRUE, FALSE },  { 5 * GB, "deepseek-ai/deepseek-vl2-tiny", TRUE, TRUE },
    { 8 * GB, "deepseek-ai/deepseek-vl2-tiny", FALSE, TRUE },  { 16 * GB, "deepseek-ai/deepseek-vl2-tiny", FALSE, TRUE },
    { 36 * GB, "deepseek-ai/deepseek-vl2-small", FALSE, TRUE }, { 64 * GB, "deepseek-ai/deepseek-vl2", FALSE, TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const SlPublished *model = sl_published_recommend (rows[i].memory);

      g_assert_cmpstr (model->repo, ==, rows[i].repo);
      g_assert_cmpint (sl_published_wants_mix (model, rows[i].memory), ==, rows[i].mix);
      g_assert_cmpint (sl_published_fits (model, rows[i].mix, rows[i].memory), ==, rows[i].fits);
    }
  g_assert_false (sl_published_wants_mix (sl_published_recommend (0), 0)); /* unknown */
}

/* In one run of `bench --shape tiny --format int8`: 13.7 GB/s to read, and 13.2 tokens a second behind 1,024 others. */
static void
test_words (void)
{
  const SlPublished *tiny = sl_published_find ("deepseek-ai/deepseek-vl2-tiny");

  g_assert_cmpfloat_with_epsilon (sl_published_estimate_words (tiny, FALSE, 13.7e9), 0.75 * 13.2, 1);
  g_assert_cmpfloat (sl_published_estimate_words (tiny, TRUE, 13.7e9), >, sl_published_estimate_words (tiny, FALSE, 13.7e9));
  g_assert_cmpfloat (sl_published_estimate_words (tiny, FALSE, 0), ==, 0);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/published/token-bytes", test_token_bytes);
  g_test_add_func ("/published/recommended", test_recommended);
  g_test_add_func ("/published/words", test_words);
  return g_test_run ();
}
