/* SPDX-License-Identifier: MIT
 *
 * Boxes in the forms that served models write, one row per form with the source that it is taken from; at every byte of a stream; and
 * what their numbers mean on a picture of 2000 × 1000 pixels, worked out by hand.
 */
#include "app/prompt/sl-grounding.h"

#include <string.h>

typedef struct
{
  const char *source; /* where such text comes from */
  const char *text;
  SlBoxScale  scale;
  SlBoxOrder  order;
  const char *boxes;  /* "label x1 y1 x2 y2 status;", pixels */
  const char *space;  /* what the numbers were taken for */
} Row;

static const Row rows[] = {
  { "DeepSeek-VL2's README: marks kept", "<|ref|>a dog<|/ref|><|det|>[[100, 200, 300, 999]]<|/det|>", 0, 0, "a dog 200 200 600 1000 ok;",
    "999 x" },
  { "vLLM 0.33.0 with spaces_between_special_tokens left true", "<|ref|> a dog <|/ref|> <|det|> [[100, 200, 300, 999]] <|/det|>", 0, 0,
    "a dog 200 200 600 1000 ok;", "999 x" },
  { "vLLM, SGLang and LMDeploy with skip_special_tokens left true", "a dog[[100, 200, 300, 999]]", 0, 0, "a dog 200 200 600 1000 ok;",
    "999 x" },
  { "the same, two blocks in a sentence", "There is a dog[[0, 0, 10, 10], [20, 20, 30, 30]] and a cat[[40, 40, 50, 50]].", 0, 0,
    "There is a dog 0 0 20 10 ok;There is a dog 40 20 60 30 ok;and a cat 80 40 100 50 ok;", "999 x" },
  { "DeepSeek-OCR and Unlimited-OCR: the kind of block inside the mark", "<|det|>title [6, 17, 991, 82]<|/det|>Annual report", 0, 0,
    "title 12 17 1983 82 ok;", "999 x" },
  { "ollama 16938: the same without marks", "title [6, 17, 991, 82]Annual report\ntext [6, 90, 991, 200]Words", 0, 0,
    "title 12 17 1983 82 ok;text 12 90 1983 200 ok;", "999 x" },
  { "Qwen2.5-VL: absolute pixels in a fenced list",
    "```json\n[\n\t{\"bbox_2d\": [341, 258, 1397, 360], \"label\": \"a \\\"red\\\" cup\"},\n\t{\"bbox_2d\": [0, 0, 20, 10], \"label\": "
    "\"cup\"}\n]\n```", 0, 0, "a \"red\" cup 341 258 1397 360 ok;cup 0 0 20 10 ok;", "pixels x" },
  { "Qwen3-VL: the same form in thousandths", "[{\"bbox_2d\": [100, 200, 300, 1000], \"label\": \"cup\"}]", 0, 0,
    "cup 200 200 600 1000 ok;", "1000 x" },
  { "Qwen2.5-VL, declared: small numbers are pixels too", "[{\"bbox_2d\": [100, 200, 300, 900], \"label\": \"cup\"}]",
    SL_BOX_SCALE_PIXELS, 0, "cup 100 200 300 900 ok;", "pixels x" },
  { "Kimi-VL 56: shares of the sides", "{\"label\": \"cup\", \"bbox_2d\": [0.05, 0.25, 0.5, 1]}", 0, 0, "cup 100 250 1000 1000 ok;",
    "one x" },
  { "Gemini and Gemma: y first, in thousandths", "[{\"box_2d\": [200, 100, 1000, 300], \"label\": \"cup\"}]", 0, 0,
    "cup 200 200 600 1000 ok;", "1000 y" },
  { "the same from a model that puts x first all the same, declared", "[{\"box_2d\": [100, 200, 300, 1000], \"label\": \"cup\"}]", 0,
    SL_BOX_ORDER_X_FIRST, "cup 200 200 600 1000 ok;", "1000 x" },
  { "LocateAnything-3B: numbers as tags", "<ref>cup</ref><box><100><200><300><1000></box>", 0, 0, "cup 200 200 600 1000 ok;",
    "1000 x" },
  { "DeepSeek-V4.1: full-width marks", "<｜ref｜>cup<｜/ref｜><｜box｜>[[100,200,300,999],[0,0,10,10]]<｜/box｜>", 0, 0,
    "cup 200 200 600 1000 ok;cup 0 0 20 10 ok;", "999 x" },
  { "DeepSeek, Thinking with Visual Primitives: an end mark that is missing, words behind the list",
    "a <｜ref｜>bear<｜/ref｜><｜box｜>[[452,23,804,411]] climbing, and a <｜ref｜>cub<｜/ref｜><｜box｜>[[0,0,10,10]]<｜/box｜>", 0, 0,
    "bear 904 23 1609 411 ok;cub 0 0 20 10 ok;", "999 x" },
  { "Qwen-VL and its successors with tags: corners in round brackets", "<ref>cup</ref><box>(100,200),(300,1000)</box>", 0, 0,
    "cup 200 200 600 1000 ok;", "1000 x" },
  { "DeepSeek-V4.1, found to be in pixels", "<｜ref｜>cup<｜/ref｜><｜box｜>[[100,200,300,900]]<｜/box｜>", SL_BOX_SCALE_PIXELS, 0,
    "cup 100 200 300 900 ok;", "pixels x" },
  { "DeepSeek-V4.1: a point", "<｜point｜>[[500,500]]<｜/point｜>", 0, 0, "- 990 495 1011 505 clamped;", "999 x" },
  { "DeepSeek-V4.1: polygons", "<｜ref｜>leaf<｜/ref｜><｜polygon｜>[[[0,0],[999,500],[100,999]],[[0,0],[10,0],[10,10]]]<｜/polygon｜>", 0, 0,
    "leaf 0 0 2000 1000 clamped;leaf 0 0 20 10 clamped;", "999 x" },
  { "a number too many, corners swapped, outside, no area, words", "[{\"bbox_2d\": [100, 200, 300, 400, 5], \"label\": \"a\"},"
    "{\"bbox_2d\": [300, 400, 100, 200], \"label\": \"b\"},{\"bbox_2d\": [-5, 0, 100, 200], \"label\": \"c\"},"
    "{\"bbox_2d\": [7, 7, 7, 9], \"label\": \"d\"},{\"bbox_2d\": [1, 2, 3], \"label\": \"e\"},{\"bbox_2d\": [\"x\", 1, 2, 3, 4], \"label\": "
    "\"f\"}]", 0, 0, "a 200 200 600 400 clamped;b 200 200 600 400 clamped;c 0 0 200 200 clamped;d rejected;e rejected;f rejected;",
    "1000 x" },
  { "lists that are no boxes", "The years [1990, 1991, 1992, 1993] and [[1, 2], [3, 4]], code a[[0]] and {\"a\": [1, 2, 3, 4]}", 0, 0, "",
    NULL },
};

static char *
describe (SlGrounding *grounding)
{
  GString *out = g_string_new (NULL);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    {
      int px[4];

      g_string_append (out, boxes[i].label != NULL ? boxes[i].label : "-");
      if (sl_box_get_pixels (&boxes[i], 2000, 1000, px))
        g_string_append_printf (out, " %d %d %d %d", px[0], px[1], px[2], px[3]);
      g_string_append_printf (out, " %s;", sl_box_status_get_nick (boxes[i].status));
    }
  return g_string_free (out, FALSE);
}

static void
check_spans (SlGrounding *grounding)
{
  gsize n_spans, n_boxes, at = 0;
  const SlSpan *spans = sl_grounding_get_spans (grounding, &n_spans);
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);
  gsize length = strlen (sl_grounding_get_text (grounding));

  for (gsize i = 0; i < n_spans; i++)
    {
      g_assert_cmpuint (spans[i].start, ==, at);
      g_assert_cmpuint (spans[i].end, >, spans[i].start);
      g_assert_cmpuint (spans[i].inner_start, >=, spans[i].start);
      g_assert_cmpuint (spans[i].inner_end, <=, spans[i].end);
      g_assert_cmpint (spans[i].label_index, <, (int) sl_grounding_get_n_labels (grounding));
      at = spans[i].end;
    }
  g_assert_cmpuint (at, ==, length);
  for (gsize i = 0; i < n_boxes; i++)
    {
      g_assert_cmpuint (boxes[i].start, <=, boxes[i].numbers_start);
      g_assert_cmpuint (boxes[i].numbers_start, <=, boxes[i].numbers_end);
      g_assert_cmpuint (boxes[i].numbers_end, <=, boxes[i].end);
      g_assert_cmpuint (boxes[i].end, <=, length);
    }
}

static void
test_rows (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const Row *row = &rows[i];
      SlBoxSpace space = { row->scale, row->order, 2000, 1000 };
      g_autoptr (SlGrounding) grounding = sl_grounding_parse_in (row->text, -1, &space);
      g_autofree char *boxes = describe (grounding);
      g_autofree char *used = sl_box_space_to_text (sl_grounding_get_space (grounding));

      g_test_message ("%s", row->source);
      check_spans (grounding);
      g_assert_cmpstr (boxes, ==, row->boxes);
      if (row->space != NULL)
        g_assert_cmpstr (used, ==, row->space);
    }
}

/* Wherever the stream stands: every byte has its span, and a box that was whole stays. */
static void
test_streaming (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      SlBoxSpace space = { rows[i].scale, rows[i].order, 2000, 1000 };
      gsize whole = 0;

      for (gsize length = 0; length <= strlen (rows[i].text); length++)
        {
          g_autoptr (SlGrounding) grounding = sl_grounding_parse_in (rows[i].text, length, &space);
          gsize n_boxes, ok = 0;
          const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

          check_spans (grounding);
          for (gsize b = 0; b < n_boxes; b++)
            ok += boxes[b].status != SL_BOX_INCOMPLETE;
          g_assert_cmpuint (ok, >=, whole);
          whole = ok;
        }
    }
}

/* What DeepSeek-VL2 writes is read as the local engine's answer is, bit for bit. */
static void
test_own_marks (void)
{
  const char *text = "I see <|ref|>two<|/ref|><|det|>[[1, 2, 3, 4], [5, 6, 7]]<|/det|> and <|ref|>one<|/ref|><|det|>[[9, 9, 1200, 12";
  SlBoxSpace space = { SL_BOX_SCALE_AUTO, SL_BOX_ORDER_AUTO, 640, 480 };
  g_autoptr (SlGrounding) local = sl_grounding_parse (text, -1);
  g_autoptr (SlGrounding) remote = sl_grounding_parse_in (text, -1, &space);
  gsize n_local, n_remote;
  const SlBox *a = sl_grounding_get_boxes (local, &n_local), *b = sl_grounding_get_boxes (remote, &n_remote);

  g_assert_cmpuint (n_local, ==, n_remote);
  for (gsize i = 0; i < n_local; i++)
    {
      g_assert_cmpmem (a[i].coords, sizeof a[i].coords, b[i].coords, sizeof b[i].coords);
      g_assert_cmpint (a[i].status, ==, b[i].status);
      g_assert_cmpint (a[i].reason, ==, b[i].reason);
      g_assert_cmpuint (a[i].numbers_end, ==, b[i].numbers_end);
    }
}

/* People see neither fences nor brackets. */
static void
test_plain_text (void)
{
  static const char *const texts[][2] = {
    { "Here:\n```json\n[\n{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"cup\"},\n{\"bbox_2d\": [1, 2, 3, 4], \"label\": \"jug\"}\n]\n```",
      "Here:\ncup,\njug" },
    { "A <｜ref｜>cup<｜/ref｜><｜box｜>[[1,2,3,4]]<｜/box｜>.", "A cup." },
    { "a dog[[1, 2, 3, 4]]", "a dog" },
    { "a <｜ref｜>bear<｜/ref｜><｜box｜>[[1,2,3,4]] climbing", "a bear climbing" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      SlBoxSpace space = { 0 };
      g_autoptr (SlGrounding) grounding = sl_grounding_parse_in (texts[i][0], -1, &space);
      g_autofree char *plain = sl_grounding_dup_plain_text (grounding);

      g_assert_cmpstr (plain, ==, texts[i][1]);
    }
}

static void
test_no_picture (void)
{
  SlBoxSpace space = { SL_BOX_SCALE_PIXELS, 0, 0, 0 };
  g_autoptr (SlGrounding) grounding = sl_grounding_parse_in ("{\"bbox_2d\": [1, 2, 3, 4]}", -1, &space);
  gsize n_boxes;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

  g_assert_cmpuint (n_boxes, ==, 1);
  g_assert_cmpint (boxes[0].reason, ==, SL_BOX_REASON_NO_PICTURE);
  g_assert_cmpint (sl_box_reason_from_english (sl_box_reason_get_english (boxes[0].reason)), ==, SL_BOX_REASON_NO_PICTURE);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dialect/rows", test_rows);
  g_test_add_func ("/dialect/streaming", test_streaming);
  g_test_add_func ("/dialect/own-marks", test_own_marks);
  g_test_add_func ("/dialect/plain-text", test_plain_text);
  g_test_add_func ("/dialect/no-picture", test_no_picture);
  return g_test_run ();
}
