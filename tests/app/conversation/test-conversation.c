/* SPDX-License-Identifier: MIT
 *
 * A user's turns, with an engine of strings and a real store: ask, stop, regenerate, edit, branch, continue, delete, undo, boxes,
 * and all of it again after a restart.
 */
#include <math.h>
#include <string.h>

#include "tests/app/app-test.h"
#include "tests/app/conversation/conversation-test.h"
#include "tests/app/fake-vl2.h"

#define BOXED "<|ref|>red circle<|/ref|><|det|>[[1, 2, 30, 40], [500, 600, 700, 800]]<|/det|>"

static gboolean
job_is_finished (gpointer job)
{
  return sl_job_is_finished (job);
}

/* Everything that is known of the answer's tokens, after it was stored and read again. */
static void
check_certainty (SlMessage *answer)
{
  const SlGeneration *generation = sl_message_get_generation (answer);
  const SlAlternative *alternatives;
  SlCoordinate coordinates[4];
  gsize start, end;
  guint token, n;

  g_assert_true (sl_generation_find_token (generation, 34, &token, &start, &end));
  g_assert_cmpuint (token, ==, 11);
  g_assert_true (start == 33 && end == 36);
  alternatives = sl_generation_get_alternatives (generation, token, &n);
  g_assert_cmpuint (n, ==, 2); /* the third had no chance */
  g_assert_true (alternatives[0].id == 11 && alternatives[1].id == 12 && alternatives[1].logprob == -2);
  g_assert_cmpstr (alternatives[1].text, ==, "<12>");
  g_assert_null (sl_generation_get_alternatives (generation, generation->tokens->len, &n));
  for (guint box = 0; box < 3; box += 2) /* between them stands the edited one */
    {
      sl_box_item_get_range (box_at (answer, box), &start, &end);
      g_assert_true (sl_generation_get_coordinates (generation, start, end, coordinates));
      for (guint i = 0; i < 4; i++)
        g_assert_true (coordinates[i].index == i && coordinates[i].whole && coordinates[i].expected == i);
      g_assert_cmpuint (coordinates[0].token, ==, box == 0 ? 11 : 16);
    }
  g_assert_false (sl_generation_get_coordinates (generation, 0, 30, coordinates));
  /* "1, 2, 30, 40" lies in five tokens. */
  g_assert_cmpfloat_with_epsilon (sl_box_item_get_confidence (box_at (answer, 0)), exp (5 * -0.5), 1e-6);
  g_assert_null (sl_generation_get_attention (generation, 0, 0, &n, &n));
}

/* The attention of an old answer is found by going through it once more. */
static void
check_replay (SlConversation *conversation,
              SlMessage      *answer)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SlJob) job = sl_conversation_replay (conversation, answer, 8, &error);
  g_autofree char *prompt = NULL;
  const SlGeneration *generation;
  const float *cells;
  guint cols, rows;

  g_assert_no_error (error);
  app_test_wait (job_is_finished, job);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_DONE);
  g_assert_cmpstr (sl_job_get_text (job), ==, sl_message_get_text (answer));
  prompt = fake_dup_prompt ();
  g_assert_null (strstr (prompt, "assistant:"));
  generation = sl_job_get_generation (job);
  g_assert_cmpuint (generation->tokens->len, ==, sl_message_get_generation (answer)->tokens->len);
  cells = sl_generation_get_attention (generation, 7, 0, &cols, &rows);
  g_assert_true (cells != NULL && cols == 2 && rows == 1 && cells[0] == 0.25f && cells[1] == 7);
  g_assert_null (sl_generation_get_attention (generation, generation->tokens->len, 0, &cols, &rows));
  g_assert_null (sl_generation_get_attention (generation, 0, 1, &cols, &rows));
  g_assert_cmpuint (sl_message_get_generation (answer)->attentions->len, ==, 0);
}

/* The model's two and the user's two: one instead of the first, one of their own. */
static void
check_boxes (SlMessage *answer)
{
  int coords[4];

  g_assert_cmpuint (count (sl_message_get_boxes (answer)), ==, 4);
  g_assert_cmpint (sl_box_item_get_kind (box_at (answer, 1)), ==, SL_BOX_KIND_EDITED);
  g_assert_cmpint (sl_box_item_get_origin (box_at (answer, 1)), ==, sl_box_item_get_id (box_at (answer, 0)));
  g_assert_true (sl_box_item_get_coords (box_at (answer, 1), coords));
  g_assert_cmpint (coords[0], ==, 2);
  g_assert_true (sl_box_item_get_coords (box_at (answer, 2), coords));
  g_assert_cmpint (coords[3], ==, 800);
  g_assert_cmpstr (sl_box_item_get_label (box_at (answer, 2)), ==, "red circle");
  g_assert_cmpfloat (sl_box_item_get_confidence (box_at (answer, 2)), >, 0);
  g_assert_cmpstr (sl_box_item_get_label (box_at (answer, 3)), ==, "mine");
  g_assert_true (sl_box_item_get_coords (box_at (answer, 3), coords));
  g_assert_cmpint (coords[2], ==, 999);
}

static void
test_ask_and_reopen (void)
{
  App app;
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 4, 0xff0000);
  g_autoptr (SlConversation) conversation = NULL, again = NULL;
  g_autofree char *prompt = NULL;
  SlMessage *answer;
  gint64 id;

  app_init (&app);
  fake_set_answer (BOXED, 3);
  conversation = sl_history_create (app.history);
  id = sl_conversation_get_id (conversation);
  answer = ask (conversation, "red circle", picture, SL_MODE_FIND);
  g_assert_true (sl_conversation_is_busy (conversation));
  g_assert_cmpuint (count (conversation), ==, 2);
  app_test_wait (is_idle, conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_COMPLETE);
  g_assert_cmpstr (sl_message_get_text (answer), ==, BOXED);
  g_assert_cmpstr (sl_conversation_get_title (conversation), ==, "red circle");
  prompt = fake_dup_prompt ();
  g_assert_nonnull (strstr (prompt, "[8x4]"));
  g_assert_nonnull (strstr (prompt, "<|ref|>red circle<|/ref|>"));
  app_test_wait (has_row, app.history);
  sl_conversation_add_box (conversation, answer, box_at (answer, 0), "circle", (int[]) { 40, 30, 2, 1 });
  sl_conversation_add_box (conversation, answer, NULL, "mine", (int[]) { 0, 0, 2000, 10 });
  g_clear_object (&conversation);
  app_stop (&app);

  app_start (&app);
  g_assert_cmpuint (count (app.history), ==, 1);
  again = reopen (&app, id);
  g_assert_cmpuint (count (again), ==, 2);
  g_assert_cmpuint (sl_conversation_get_n_pictures (again), ==, 1);
  answer = message_at (again, 1);
  g_assert_cmpstr (sl_message_get_text (answer), ==, BOXED);
  g_assert_cmpstr (sl_message_get_box_picture (answer), ==, sl_picture_get_sha256 (picture));
  check_boxes (answer);
  g_assert_cmpuint (sl_message_get_generation (answer)->prompt_tokens, ==, 50);
  check_certainty (answer);
  check_replay (again, answer);

  /* A second question still carries the picture, which is only a file now. */
  g_clear_pointer (&prompt, g_free);
  ask (again, "and?", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, again);
  prompt = fake_dup_prompt ();
  g_assert_nonnull (strstr (prompt, "[8x4]"));
  g_assert_true (g_str_has_suffix (prompt, "|user:and?"));
  g_clear_object (&again);
  app_deinit (&app);
}

static void
test_branches (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL, again = NULL;
  g_autoptr (GPtrArray) other = make_parts ("other", NULL);
  g_autofree char *prompt = NULL;
  SlMessage *first, *second;
  gint64 id;

  app_init (&app);
  fake_set_answer ("one", 1);
  conversation = sl_history_create (app.history);
  id = sl_conversation_get_id (conversation);
  first = ask (conversation, "q", NULL, SL_MODE_CHAT);
  g_assert_null (sl_conversation_regenerate (conversation, first, NULL, NULL)); /* busy */
  app_test_wait (is_idle, conversation);
  fake_set_answer ("two", 1);
  second = sl_conversation_regenerate (conversation, first, NULL, NULL);
  app_test_wait (is_idle, conversation);
  g_assert_cmpuint (count (conversation), ==, 2);
  g_assert_true (message_at (conversation, 1) == second);
  g_assert_cmpuint (sl_message_get_n_siblings (second), ==, 2);
  g_assert_cmpuint (sl_message_get_sibling (second), ==, 1);
  sl_conversation_select_sibling (conversation, second, 0);
  g_assert_true (message_at (conversation, 1) == first);

  /* An edited question begins a branch of its own; the old one stays. */
  fake_set_answer ("three", 1);
  g_assert_nonnull (sl_conversation_edit (conversation, message_at (conversation, 0), other, SL_MODE_CHAT, FALSE, NULL, NULL));
  app_test_wait (is_idle, conversation);
  prompt = fake_dup_prompt ();
  g_assert_cmpstr (prompt, ==, "user:other");
  g_assert_cmpuint (sl_message_get_n_siblings (message_at (conversation, 0)), ==, 2);
  sl_conversation_select_sibling (conversation, message_at (conversation, 0), 0);
  g_assert_cmpstr (sl_message_get_text (message_at (conversation, 1)), ==, "two");
  g_clear_object (&conversation);
  app_stop (&app);

  app_start (&app);
  again = reopen (&app, id);
  g_assert_cmpstr (sl_message_get_text (message_at (again, 0)), ==, "q");
  g_assert_cmpstr (sl_message_get_text (message_at (again, 1)), ==, "two");
  g_assert_cmpuint (sl_message_get_n_siblings (message_at (again, 0)), ==, 2);
  g_assert_cmpuint (sl_message_get_n_siblings (message_at (again, 1)), ==, 2);
  g_clear_object (&again);
  app_deinit (&app);
}

/* What can be compared: finished answers with boxes on one picture, from every branch. */
static void
test_located (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL;
  g_autoptr (SlPicture) picture = app_test_make_picture (40, 30, 0x336699);
  g_autoptr (GPtrArray) one = NULL, three = NULL, none = NULL;
  SlMessage *first, *second, *third;
  const char *sha256;

  app_init (&app);
  fake_set_answer (BOXED, 3);
  conversation = sl_history_create (app.history);
  first = ask (conversation, "circle", picture, SL_MODE_FIND);
  sha256 = sl_message_get_box_picture (first);
  none = sl_conversation_list_located (conversation, sha256);
  g_assert_cmpuint (none->len, ==, 0); /* it is being written */
  app_test_wait (is_idle, conversation);
  one = sl_conversation_list_located (conversation, sha256);
  g_assert_cmpuint (one->len, ==, 1);

  second = sl_conversation_regenerate (conversation, first, NULL, NULL);
  app_test_wait (is_idle, conversation);
  third = ask (conversation, "again", NULL, SL_MODE_FIND);
  app_test_wait (is_idle, conversation);
  fake_set_answer ("no box", 1);
  ask (conversation, "why", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, conversation);
  three = sl_conversation_list_located (conversation, sha256);
  g_assert_cmpuint (three->len, ==, 3);
  g_assert_true (three->pdata[0] == first && three->pdata[1] == second && three->pdata[2] == third);
  g_assert_true (sl_conversation_get_question (conversation, first) == message_at (conversation, 0));
  g_assert_true (sl_conversation_get_question (conversation, second) == message_at (conversation, 0));
  g_assert_null (sl_conversation_get_question (conversation, message_at (conversation, 0)));
  g_clear_object (&conversation);
  app_deinit (&app);
}

static void
test_stop_and_continue (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL;
  g_autofree char *prompt = NULL;
  SlMessage *answer;

  app_init (&app);
  fake_set_answer ("abcdef", 1);
  fake_allow_tokens (3);
  conversation = sl_history_create (app.history);
  answer = ask (conversation, "q", NULL, SL_MODE_CHAT);
  fake_wait_generated (3);
  sl_conversation_stop (conversation);
  app_test_wait (is_idle, conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_STOPPED);
  g_assert_cmpstr (sl_message_get_text (answer), ==, "abc");

  fake_set_answer ("xyz", 1);
  fake_allow_tokens (G_MAXUINT);
  g_assert_true (sl_conversation_continue (conversation, answer, NULL, NULL));
  app_test_wait (is_idle, conversation);
  prompt = fake_dup_prompt ();
  g_assert_cmpstr (prompt, ==, "user:q|assistant:abc");
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_COMPLETE);
  g_assert_cmpstr (sl_message_get_text (answer), ==, "abcxyz");
  g_assert_cmpuint (sl_message_get_generation (answer)->output_tokens, ==, 6);
  g_assert_cmpuint (sl_message_get_generation (answer)->tokens->len, ==, 6);
  g_assert_cmpuint (g_array_index (sl_message_get_generation (answer)->tokens, SlTokenMark, 5).end, ==, 6);
  g_clear_object (&conversation);
  app_deinit (&app);
}

/* Closing the program while an answer is made keeps what was said. */
static void
test_close_while_answering (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL, again = NULL;
  gint64 id;

  app_init (&app);
  fake_set_answer ("abcdef", 1);
  fake_allow_tokens (4);
  conversation = sl_history_create (app.history);
  id = sl_conversation_get_id (conversation);
  ask (conversation, "q", NULL, SL_MODE_CHAT);
  g_clear_object (&conversation); /* nobody looks; the answer goes on */
  fake_wait_generated (4);
  app_stop (&app);

  fake_allow_tokens (G_MAXUINT);
  app_start (&app);
  again = reopen (&app, id);
  g_assert_cmpstr (sl_message_get_text (message_at (again, 1)), ==, "abcd");
  g_assert_cmpint (sl_message_get_status (message_at (again, 1)), ==, SL_MESSAGE_STOPPED);
  g_clear_object (&again);
  app_deinit (&app);
}

static void
test_delete (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL;
  SlMessage *first;
  gint64 id;

  app_init (&app);
  fake_set_answer ("word", 1);
  conversation = sl_history_create (app.history);
  id = sl_conversation_get_id (conversation);
  first = ask (conversation, "q", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, conversation);
  sl_conversation_delete (conversation, first);
  g_assert_cmpuint (count (conversation), ==, 1);
  g_clear_object (&conversation); /* another one is looked at meanwhile */
  conversation = reopen (&app, id);
  g_assert_true (sl_conversation_undo_delete (conversation));
  g_assert_false (sl_conversation_undo_delete (conversation));
  g_assert_true (message_at (conversation, 1) == first);

  app_test_wait (has_row, app.history);
  sl_history_delete (app.history, id);
  g_assert_cmpuint (count (app.history), ==, 0);
  sl_history_undo_delete (app.history, id);
  app_test_wait (has_row, app.history);
  sl_history_delete (app.history, id);
  sl_history_purge (app.history);
  g_clear_object (&conversation);
  app_stop (&app);
  app_start (&app);
  app_test_wait (has_no_row, app.history);
  g_assert_false (app_test_dir_contains (app.dir, "word"));
  app_deinit (&app);
}

/* What was said down to an answer, in a conversation of its own, with picture and boxes; nothing that is done to it happens here. */
static void
test_branch_out (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL, branch = NULL, again = NULL;
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 4, 0xff0000);
  g_autofree char *prompt = NULL;
  SlMessage *answer;
  gint64 id;

  app_init (&app);
  fake_set_answer (BOXED, 3);
  conversation = sl_history_create (app.history);
  answer = ask (conversation, "red circle", picture, SL_MODE_FIND);
  app_test_wait (is_idle, conversation);
  sl_conversation_add_box (conversation, answer, box_at (answer, 0), "mine", (int[]) { 1, 2, 3, 4 });
  fake_set_answer ("word", 1);
  ask (conversation, "second", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, conversation);

  branch = sl_history_branch (app.history, conversation, answer);
  g_assert_cmpuint (count (branch), ==, 2);
  ask (branch, "third", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, branch);
  prompt = fake_dup_prompt ();
  g_assert_nonnull (strstr (prompt, "[8x4]"));
  g_assert_null (strstr (prompt, "second"));
  g_assert_cmpuint (count (conversation), ==, 4);
  id = sl_conversation_get_id (branch);
  sl_conversation_delete (conversation, message_at (conversation, 0));
  g_clear_object (&branch);
  g_clear_object (&conversation);
  app_stop (&app);

  app_start (&app);
  again = reopen (&app, id);
  g_assert_cmpuint (count (again), ==, 4);
  answer = message_at (again, 1);
  g_assert_cmpuint (count (sl_message_get_boxes (answer)), ==, 3);
  g_assert_cmpint (sl_box_item_get_origin (box_at (answer, 1)), ==, sl_box_item_get_id (box_at (answer, 0)));
  g_assert_true (g_file_test (sl_message_part_get_path (sl_conversation_find_picture (again, answer)), G_FILE_TEST_EXISTS));
  g_clear_object (&again);
  app_deinit (&app);
}

static gboolean
is_gone (gpointer path)
{
  return !g_file_test (path, G_FILE_TEST_EXISTS);
}

/* What the model read of a conversation comes back after a restart and goes with the conversation. */
static void
test_kept_session (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL, again = NULL;
  g_autofree char *file = NULL, *path = NULL, *restored = NULL;
  gint64 id;

  app_init (&app);
  fake_set_answer ("word", 1);
  conversation = sl_history_create (app.history);
  id = sl_conversation_get_id (conversation);
  ask (conversation, "what", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, conversation);
  g_clear_object (&conversation);
  app_stop (&app);
  file = g_strdup_printf ("%" G_GINT64_FORMAT ".session", id);
  path = g_build_filename (app.dir, "sessions", file, NULL);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));

  app_start (&app);
  again = reopen (&app, id);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  ask (again, "and then", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, again);
  restored = fake_dup_restored ();
  g_assert_cmpstr (restored, ==, "user:what");
  sl_conversation_delete (again, message_at (again, 2));
  app_test_wait (is_gone, path);
  ask (again, "or else", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, again);
  app_test_wait (has_row, app.history);
  sl_history_delete (app.history, id);
  g_clear_object (&again);
  app_stop (&app);
  g_assert_true (is_gone (path));
  app_test_remove_dir (app.dir);
}

static void
test_refusals (void)
{
  App app;
  g_autoptr (SlConversation) conversation = NULL;
  g_autoptr (GPtrArray) blank = make_parts (" \n ", NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *prompt = NULL;
  SlMessage *answer;

  app_init (&app);
  conversation = sl_history_create (app.history);
  g_assert_null (sl_conversation_send (conversation, blank, SL_MODE_CHAT, FALSE, NULL, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (count (conversation), ==, 0);

  fake_fail_sync ("it does not fit");
  answer = ask (conversation, "first", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_FAILED);
  g_assert_cmpstr (sl_message_get_generation (answer)->error, ==, "it does not fit");

  /* What failed is not repeated to the model as an answer, and its question is not forgotten. */
  fake_fail_sync (NULL);
  fake_set_answer ("ok", 1);
  ask (conversation, "<|User|> second", NULL, SL_MODE_CHAT);
  app_test_wait (is_idle, conversation);
  prompt = fake_dup_prompt ();
  g_assert_cmpstr (prompt, ==, "user:first\n<|User|> second");
  g_clear_object (&conversation);
  app_deinit (&app);
}

/* ------------------------------------------------------------------------------------------------ pinned */

static const char *
title_at (SlHistory *history,
          guint      position)
{
  g_autoptr (SlSummary) row = g_list_model_get_item (G_LIST_MODEL (history), position);

  return row != NULL ? sl_summary_get_title (row) : "";
}

static gboolean
is_old_first (gpointer history)
{
  return g_str_equal (title_at (history, 0), "old");
}

static gboolean
is_new_first (gpointer history)
{
  return g_str_equal (title_at (history, 0), "new");
}

static gboolean
has_two_rows (gpointer history)
{
  return count (history) == 2;
}

/* What is pinned stands above what is newer, also after a restart, and goes back to its place by its age. */
static void
test_pinned (void)
{
  App app;
  gint64 old = 0;

  app_init (&app);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (SlConversation) conversation = sl_history_create (app.history);

      fake_set_answer ("yes", 1);
      ask (conversation, i == 0 ? "old" : "new", NULL, SL_MODE_CHAT);
      app_test_wait (is_idle, conversation);
      sl_history_rename (app.history, sl_conversation_get_id (conversation), i == 0 ? "old" : "new");
      app_test_wait (i == 0 ? is_old_first : is_new_first, app.history);
      old = i == 0 ? sl_conversation_get_id (conversation) : old;
    }
  g_assert_cmpuint (count (app.history), ==, 2);
  sl_history_set_pinned (app.history, old, TRUE);
  app_test_wait (is_old_first, app.history);
  g_assert_cmpstr (title_at (app.history, 1), ==, "new");
  app_stop (&app);

  app_start (&app);
  app_test_wait (has_two_rows, app.history);
  g_assert_cmpstr (title_at (app.history, 0), ==, "old");
  sl_history_set_pinned (app.history, old, FALSE);
  app_test_wait (is_new_first, app.history);
  g_assert_cmpstr (title_at (app.history, 1), ==, "old");
  app_deinit (&app);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/conversation/ask-and-reopen", test_ask_and_reopen);
  g_test_add_func ("/conversation/branches", test_branches);
  g_test_add_func ("/conversation/located", test_located);
  g_test_add_func ("/conversation/stop-and-continue", test_stop_and_continue);
  g_test_add_func ("/conversation/close-while-answering", test_close_while_answering);
  g_test_add_func ("/conversation/delete", test_delete);
  g_test_add_func ("/conversation/branch-out", test_branch_out);
  g_test_add_func ("/conversation/kept-session", test_kept_session);
  g_test_add_func ("/conversation/refusals", test_refusals);
  g_test_add_func ("/conversation/pinned", test_pinned);
  return g_test_run ();
}
