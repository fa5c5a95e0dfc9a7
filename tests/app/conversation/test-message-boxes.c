/* SPDX-License-Identifier: MIT
 *
 * The boxes of an answer while its text comes in, token by token: those of the whole text at each moment, and no byte gone through
 * again and again (the engine's parser comes here first, linked with --wrap).
 */
#include "app/conversation/sl-message-private.h"
#include "engine/vl2.h"

#include <string.h>

#define STEP 3 /* bytes of a token */

static gsize n_read; /* bytes that the parser has gone through */

vl2_status __real_vl2_grounding_parse (const char *text, size_t length, struct vl2_grounding *out, vl2_error *err);
vl2_status __wrap_vl2_grounding_parse (const char *text, size_t length, struct vl2_grounding *out, vl2_error *err);
vl2_status __real_vl2_grounding_parse_on (const char *text, size_t length, struct vl2_grounding_place *place, size_t *n_settled,
                                          struct vl2_grounding *out, vl2_error *err);
vl2_status __wrap_vl2_grounding_parse_on (const char *text, size_t length, struct vl2_grounding_place *place, size_t *n_settled,
                                          struct vl2_grounding *out, vl2_error *err);

vl2_status
__wrap_vl2_grounding_parse (const char           *text,
                            size_t                length,
                            struct vl2_grounding *out,
                            vl2_error            *err)
{
  n_read += length;
  return __real_vl2_grounding_parse (text, length, out, err);
}

vl2_status
__wrap_vl2_grounding_parse_on (const char                 *text,
                               size_t                      length,
                               struct vl2_grounding_place *place,
                               size_t                     *n_settled,
                               struct vl2_grounding       *out,
                               vl2_error                  *err)
{
  n_read += length - place->at;
  return __real_vl2_grounding_parse_on (text, length, place, n_settled, out, err);
}

static SlMessage *
begin_answer (void)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  SlMessage *answer;

  g_ptr_array_add (parts, sl_message_part_new_text (""));
  answer = sl_message_new (1, SL_ROLE_ASSISTANT, SL_MODE_CHAT, FALSE, parts);
  sl_message_set_status (answer, SL_MESSAGE_STREAMING);
  return answer;
}

/* Each box is the text's, but for the user's own. */
static void
assert_boxes (SlMessage *answer,
              guint      n_own)
{
  g_autoptr (SlGrounding) grounding = sl_grounding_parse (sl_message_get_text (answer), -1);
  GListModel *items = sl_message_get_boxes (answer);
  gsize n_boxes, n = 0;
  const SlBox *boxes = sl_grounding_get_boxes (grounding, &n_boxes);

  g_assert_cmpuint (g_list_model_get_n_items (items), ==, n_boxes + n_own);
  for (guint i = 0; i < n_boxes + n_own; i++)
    {
      g_autoptr (SlBoxItem) item = g_list_model_get_item (items, i);
      int coords[4] = { 0 };
      gsize start, end;

      if (sl_box_item_get_kind (item) == SL_BOX_KIND_EDITED)
        continue;
      sl_box_item_get_range (item, &start, &end);
      g_assert_cmpuint (start, ==, boxes[n].start);
      g_assert_cmpuint (end, ==, boxes[n].end);
      g_assert_cmpint (sl_box_item_get_status (item), ==, boxes[n].status);
      g_assert_cmpstr (sl_box_item_get_label (item), ==, boxes[n].label != NULL ? boxes[n].label : "");
      if (sl_box_item_get_coords (item, coords))
        g_assert_cmpmem (coords, sizeof coords, boxes[n].coords, sizeof boxes[n].coords);
      n++;
    }
  g_assert_cmpuint (n, ==, n_boxes);
}

static void
add_own_box (SlMessage *answer)
{
  SlBoxRecord *record = sl_box_record_new ();
  g_autoptr (SlBoxItem) box = NULL;

  record->id = 99;
  record->kind = SL_BOX_KIND_EDITED;
  record->coords[2] = record->coords[3] = 10;
  box = sl_box_item_new (record);
  sl_message_add_box (answer, box);
}

static void
append (SlMessage  *answer,
        const char *text)
{
  gsize length = strlen (text);

  for (gsize at = 0; at < length; at += STEP)
    {
      char delta[STEP + 1] = { 0 };

      memcpy (delta, text + at, MIN (STEP, length - at));
      sl_message_append_text (answer, delta);
      sl_message_update_boxes (answer);
    }
}

/* Also where a label waits for its block, brackets close late, what looked like a box is none, and the user has drawn one meanwhile. */
static void
test_streamed (void)
{
  static const char *const texts[] = {
    "I see <|ref|>a circle<|/ref|> and <|det|>[[1, 2, 30, 40], [5, 6, 70, 80]]<|/det|> here",
    "<|ref|> a<|/ref|><|ref|>b <|/ref|><|det|>[[1, 2, 3]]<|/det|><|det|>[9, 9, 12, 12]<|/det|>",
    "<|det|>[[1, 2, [3, 4, 5, 6]], 7 8 9 10<|/det|> and <|det|>[[100, 20",
    "a < b <| c <|re and <|/det|> <|ref|>left open <|det|>[[1, 2, 3, 4]]",
  };

  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    for (guint own = 0; own < 2; own++)
      {
        g_autoptr (SlMessage) answer = begin_answer ();

        for (gsize at = 0; at < strlen (texts[i]); at++)
          {
            char delta[2] = { texts[i][at], '\0' };

            sl_message_append_text (answer, delta);
            sl_message_update_boxes (answer);
            if (own == 1 && at == strlen (texts[i]) / 2)
              add_own_box (answer);
            assert_boxes (answer, own == 1 && at >= strlen (texts[i]) / 2);
          }
        g_assert_cmpstr (sl_message_part_get_text (sl_message_get_part (answer, 0)), ==, texts[i]);
        sl_message_set_status (answer, SL_MESSAGE_COMPLETE);
        sl_message_update_boxes (answer);
        assert_boxes (answer, own);
        /* it is gone on with */
        sl_message_set_status (answer, SL_MESSAGE_STREAMING);
        append (answer, " <|ref|>more<|/ref|><|det|>[[7, 8, 90, 91]]<|/det|>");
        assert_boxes (answer, own);
      }
}

/* An answer ten times as long costs ten times the work. */
static void
test_work (void)
{
  static const char unit[] = "Some words, then <|ref|>a thing<|/ref|><|det|>[[10, 20, 300, 400], [1, 2, 3, 4]]<|/det|>. ";

  for (guint times = 10; times <= 100; times *= 10)
    {
      g_autoptr (SlMessage) answer = begin_answer ();

      n_read = 0;
      for (guint i = 0; i < times; i++)
        append (answer, unit);
      /* with each token no more than the open part again, which is shorter than a unit */
      g_assert_cmpuint (n_read, <=, times * sizeof unit / STEP * sizeof unit);
      g_assert_cmpuint (g_list_model_get_n_items (sl_message_get_boxes (answer)), ==, 2 * times);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/message-boxes/streamed", test_streamed);
  g_test_add_func ("/message-boxes/work", test_work);
  return g_test_run ();
}
