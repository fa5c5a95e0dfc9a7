/* SPDX-License-Identifier: MIT
 *
 * SlGrounding: what the window gets of an answer, whole and still streaming: spans that cover every byte, boxes with labels,
 * plain text, pixels.
 */
#include "app/prompt/sl-grounding.h"

#include <string.h>

#define REF(text) "<|ref|>" text "<|/ref|>"
#define DET(text) "<|det|>" text "<|/det|>"

static void
assert_covered (SlGrounding *grounding)
{
  gsize n_spans;
  const SlSpan *spans = sl_grounding_get_spans (grounding, &n_spans);
  gsize at = 0;

  for (gsize i = 0; i < n_spans; i++)
    {
      g_assert_cmpuint (spans[i].start, ==, at);
      g_assert_cmpuint (spans[i].end, >, spans[i].start);
      g_assert_cmpuint (spans[i].inner_start, >=, spans[i].start);
      g_assert_cmpuint (spans[i].inner_end, <=, spans[i].end);
      at = spans[i].end;
    }
  g_assert_cmpuint (at, ==, strlen (sl_grounding_get_text (grounding)));
}

static void
test_answer (void)
{
  g_autoptr(SlGrounding) grounding = sl_grounding_parse ("I see " REF ("a red circle") DET ("[[10, 20, 300, 400]]") " and "
                                                         REF ("two stars") DET ("[[1, 2, 3, 4], [5, 6, 7, 8]]") ".", -1);
  static const SlSpanKind kinds[] = { SL_SPAN_TEXT, SL_SPAN_LABEL, SL_SPAN_BOXES, SL_SPAN_TEXT, SL_SPAN_LABEL, SL_SPAN_BOXES, SL_SPAN_TEXT };
  gsize n_spans, n_boxes;
  const SlSpan *spans = sl_grounding_get_spans (grounding, &n_spans);
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);
  g_autofree char *plain = sl_grounding_dup_plain_text (grounding);

  assert_covered (grounding);
  g_assert_cmpuint (n_spans, ==, G_N_ELEMENTS (kinds));
  for (gsize i = 0; i < n_spans; i++)
    g_assert_cmpint (spans[i].kind, ==, kinds[i]);

  g_assert_cmpuint (n_boxes, ==, 3);
  g_assert_cmpstr (boxes[0].label, ==, "a red circle");
  g_assert_cmpstr (boxes[1].label, ==, "two stars");
  g_assert_cmpint (boxes[2].label_index, ==, 1);
  g_assert_cmpint (boxes[0].coords[3], ==, 400);
  g_assert_cmpint (boxes[2].status, ==, SL_BOX_OK);
  g_assert_cmpstr (plain, ==, "I see a red circle and two stars.");
}

/* Official rule: (int) (c / 999 · size). */
static void
test_pixels (void)
{
  g_autoptr(SlGrounding) grounding = sl_grounding_parse (DET ("[[0, 500, 999, 998]]"), -1);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);
  int px[4];

  g_assert_cmpuint (n_boxes, ==, 1);
  g_assert_null (boxes[0].label);
  g_assert_true (sl_box_get_pixels (&boxes[0], 640, 480, px));
  g_assert_cmpint (px[0], ==, 0);
  g_assert_cmpint (px[1], ==, 240);
  g_assert_cmpint (px[2], ==, 640);
  g_assert_cmpint (px[3], ==, 479);
}

static void
test_damaged_boxes (void)
{
  g_autoptr(SlGrounding) grounding = sl_grounding_parse (DET ("[[533, 132, 457]]") DET ("[[2, 311, 99999, 98]]") "<|det|>[[1, 2", -1);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);
  int px[4];

  g_assert_cmpuint (n_boxes, ==, 3);
  g_assert_cmpint (boxes[0].status, ==, SL_BOX_REJECTED);
  g_assert_cmpstr (sl_box_reason_get_english (boxes[0].reason), !=, "");
  g_assert_false (sl_box_get_pixels (&boxes[0], 100, 100, px));
  g_assert_cmpint (boxes[1].status, ==, SL_BOX_CLAMPED);
  g_assert_true (sl_box_get_pixels (&boxes[1], 100, 100, px));
  g_assert_cmpint (px[0], <=, px[2]);
  g_assert_cmpint (px[1], <=, px[3]);
  g_assert_cmpint (boxes[2].status, ==, SL_BOX_INCOMPLETE);
}

/* At every byte of a streaming answer the spans cover what is there, and no markup shows up in the plain text once closed. */
static void
test_streaming (void)
{
  const char *whole = "看 " REF ("红色的圆") DET ("[[10, 20, 300, 400], [1, 2, 3, 4]]") "。";
  gsize seen = 0;

  for (gsize length = 0; length <= strlen (whole); length++)
    {
      g_autoptr(SlGrounding) grounding = sl_grounding_parse (whole, length);
      g_autofree char *plain = sl_grounding_dup_plain_text (grounding);
      gsize n_boxes;
      const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);
      gsize ok = 0;

      assert_covered (grounding);
      for (gsize i = 0; i < n_boxes; i++)
        ok += boxes[i].status == SL_BOX_OK;
      g_assert_cmpuint (ok, >=, seen);
      seen = ok;
      if (length == strlen (whole))
        g_assert_cmpstr (plain, ==, "看 红色的圆。");
    }
  g_assert_cmpuint (seen, ==, 2);
}

static void
test_plain_text (void)
{
  static const struct
  {
    const char *text, *want;
  } cases[] = {
    { "", "" },
    { "no markup at all", "no markup at all" },
    { REF ("star") DET ("[[1, 2, 3, 4]]"), "star" },
    { DET ("[[1, 2, 3, 4]]"), "" },
    { "here " DET ("[[1, 2, 3, 4]]") ", there", "here, there" },
    { "here " DET ("[[1, 2, 3, 4]]") " there", "here there" },
    { "<|grounding|>Yes", "Yes" },
    { "odd <|/ref|> token", "odd  token" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr(SlGrounding) grounding = sl_grounding_parse (cases[i].text, -1);
      g_autofree char *plain = sl_grounding_dup_plain_text (grounding);

      g_assert_cmpstr (plain, ==, cases[i].want);
    }
}

static void
test_nicks (void)
{
  for (int i = SL_BOX_OK; i <= SL_BOX_REJECTED; i++)
    {
      SlBoxStatus status;

      g_assert_true (sl_box_status_from_nick (sl_box_status_get_nick (i), &status));
      g_assert_cmpint (status, ==, i);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/grounding/answer", test_answer);
  g_test_add_func ("/grounding/pixels", test_pixels);
  g_test_add_func ("/grounding/damaged-boxes", test_damaged_boxes);
  g_test_add_func ("/grounding/streaming", test_streaming);
  g_test_add_func ("/grounding/plain-text", test_plain_text);
  g_test_add_func ("/grounding/nicks", test_nicks);

  return g_test_run ();
}
