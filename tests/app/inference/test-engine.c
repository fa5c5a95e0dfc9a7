/* SPDX-License-Identifier: MIT
 *
 * The queue and the inference thread, with an engine of strings: loading with progress and cancel, position in the queue, a stop
 * that really stops, errors as sentences.
 */
#include <string.h>
#include <sys/resource.h>
#include <utime.h>

#include <glib/gstdio.h>

#include "app-test.h"
#include "app/inference/sl-engine.h"
#include "app/inference/sl-inference.h"
#include "app/inference/sl-session-keeper.h"
#include "app/system/sl-places.h"
#include "fake-vl2.h"

static gboolean
is_settled (gpointer engine)
{
  return sl_engine_get_state (engine) != SL_ENGINE_LOADING;
}

static gboolean
is_finished (gpointer job)
{
  return sl_job_is_finished (job);
}

static gboolean
is_decoding (gpointer job)
{
  return sl_job_get_state (job) == SL_JOB_DECODING && sl_job_get_status (job)->decoded_tokens > 0;
}

static SlEngine *
make_engine (void)
{
  SlEngine *engine = sl_engine_new ();

  sl_engine_load (engine, "/models/fake", NULL);
  app_test_wait (is_settled, engine);
  g_assert_cmpint (sl_engine_get_state (engine), ==, SL_ENGINE_READY);
  return engine;
}

static SlJob *
ask (SlEngine   *engine,
     const char *text)
{
  SlSettings settings = sl_settings_for_mode (SL_MODE_CHAT);
  g_autoptr (SlPrompt) prompt = sl_prompt_new (&settings);

  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_text (prompt, text, -1, SL_MARKUP_NONE);
  return sl_engine_submit (engine, prompt);
}

static void
collect (SlJob      *job,
         const char *delta,
         GString    *text)
{
  g_assert_true (g_utf8_validate (delta, -1, NULL));
  g_string_append (text, delta);
}

static void
test_answer (void)
{
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (SlJob) job = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  const SlGeneration *generation;

  fake_reset ();
  fake_set_answer ("一个红色的圆形 🟥.", 1);
  engine = make_engine ();
  g_assert_cmpstr (sl_engine_get_info (engine)->name, ==, "fake");
  g_assert_cmpstr (sl_engine_get_info (engine)->fallback, ==, "No GPU was lent.");
  job = ask (engine, "what?");
  g_signal_connect (job, "text", G_CALLBACK (collect), text);
  app_test_wait (is_finished, job);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_DONE);
  g_assert_cmpstr (text->str, ==, "一个红色的圆形 🟥.");
  g_assert_cmpstr (sl_job_get_text (job), ==, text->str);
  generation = sl_job_get_generation (job);
  g_assert_cmpint (generation->stop, ==, SL_STOP_EOS);
  g_assert_cmpuint (generation->output_tokens, ==, strlen (text->str));
  g_assert_cmpuint (generation->tokens->len, ==, strlen (text->str));
  g_assert_cmpuint (generation->reused_tokens, ==, 20);
  g_assert_cmpstr (generation->model, ==, "fake");
  g_assert_cmpuint (sl_job_get_status (job)->context_used, ==, 50 + strlen (text->str));
  g_assert_cmpfloat (sl_generation_get_speed (generation), >, 0);
}

static void
test_queue (void)
{
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (SlJob) first = NULL, second = NULL, third = NULL;

  fake_reset ();
  fake_set_answer ("abcdef", 1);
  fake_allow_tokens (2);
  engine = make_engine ();
  first = ask (engine, "1");
  app_test_wait (is_decoding, first);
  second = ask (engine, "2");
  third = ask (engine, "3");
  sl_job_drain (second);
  sl_job_drain (third);
  g_assert_cmpint (sl_job_get_state (second), ==, SL_JOB_QUEUED);
  g_assert_cmpuint (sl_job_get_position (second), ==, 1);
  g_assert_cmpuint (sl_job_get_position (third), ==, 2);

  /* Leaving the queue: at once, and those behind move up. */
  sl_job_stop (second);
  sl_job_drain (second);
  sl_job_drain (third);
  g_assert_cmpint (sl_job_get_state (second), ==, SL_JOB_STOPPED);
  g_assert_true (sl_job_is_finished (second));
  g_assert_cmpuint (sl_job_get_position (third), ==, 1);
  g_assert_cmpstr (sl_job_get_text (second), ==, "");

  fake_allow_tokens (G_MAXUINT);
  app_test_wait (is_finished, third);
  g_assert_cmpint (sl_job_get_state (first), ==, SL_JOB_DONE);
  g_assert_cmpint (sl_job_get_state (third), ==, SL_JOB_DONE);
  g_assert_cmpuint (fake_get_generated (), ==, 12);
}

static void
test_stop (void)
{
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (SlJob) job = NULL, next = NULL;
  guint counted;

  fake_reset ();
  fake_set_answer ("abcdefghijklmnopqrstuvwxyz", 1);
  fake_allow_tokens (5);
  engine = make_engine ();
  job = ask (engine, "?");
  fake_wait_generated (5);
  sl_job_stop (job);
  fake_allow_tokens (G_MAXUINT);
  app_test_wait (is_finished, job);
  counted = sl_job_peek_decoded (job);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_STOPPED);
  g_assert_cmpint (sl_job_get_generation (job)->stop, ==, SL_STOP_USER);
  g_assert_cmpuint (counted, ==, 5);
  g_assert_cmpstr (sl_job_get_text (job), ==, "abcde");

  /* The engine goes on with the next; the stopped one stands still. */
  next = ask (engine, "?");
  app_test_wait (is_finished, next);
  g_assert_cmpstr (sl_job_get_text (next), ==, "abcdefghijklmnopqrstuvwxyz");
  g_assert_cmpuint (sl_job_peek_decoded (job), ==, counted);
  g_assert_cmpuint (fake_get_generated (), ==, 5 + 26);
}

/* Nobody drains a long answer: the ring fills, the thread waits, and a stop still ends it. */
static void
test_stop_full_ring (void)
{
  g_autofree char *answer = g_strnfill (1000 * 1000, 'x');
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (SlJob) job = NULL;

  fake_reset ();
  fake_set_answer (answer, 1000);
  engine = make_engine ();
  job = ask (engine, "?");
  fake_wait_generated (65);
  sl_job_stop (job);
  app_test_wait (is_finished, job);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_STOPPED);
  g_assert_cmpuint (fake_get_generated (), <, 1000);
}

static void
test_load (void)
{
  g_autoptr (SlEngine) engine = sl_engine_new ();
  g_autoptr (SlJob) early = NULL, waiting = NULL, again = NULL;

  fake_reset ();
  fake_set_answer ("yes", 1);
  early = ask (engine, "nothing loaded");
  app_test_wait (is_finished, early);
  g_assert_cmpint (sl_job_get_state (early), ==, SL_JOB_FAILED);
  g_assert_nonnull (sl_job_get_error_text (early));

  /* Cancelling gives up what waits for the model. */
  fake_close_load_gate ();
  sl_engine_load (engine, "/models/one", NULL);
  g_assert_cmpint (sl_engine_get_state (engine), ==, SL_ENGINE_LOADING);
  waiting = ask (engine, "soon");
  sl_engine_cancel_load (engine);
  g_assert_cmpint (sl_engine_get_state (engine), ==, SL_ENGINE_UNLOADED);
  app_test_wait (is_finished, waiting);
  g_assert_cmpint (sl_job_get_state (waiting), ==, SL_JOB_FAILED);

  /* A second load replaces the first, and what waits is answered by it. */
  sl_engine_load (engine, "/models/two", NULL);
  again = ask (engine, "later");
  sl_engine_load (engine, "/models/three", NULL);
  fake_open_load_gate ();
  app_test_wait (is_finished, again);
  g_assert_cmpstr (sl_job_get_text (again), ==, "yes");
  g_assert_cmpstr (sl_job_get_generation (again)->model, ==, "three");
  g_assert_cmpfloat (sl_engine_get_progress (engine), ==, 1);
  g_assert_cmpuint (fake_get_open_engines (), ==, 1);
  /* The engine stands behind the interface: its threads take their priority from the one that opens it. */
  g_assert_cmpint (fake_get_priority (), ==, MIN (getpriority (PRIO_PROCESS, 0) + SL_INFERENCE_NICE, 19));
  sl_engine_shutdown (engine);
  g_assert_cmpuint (fake_get_open_engines (), ==, 0);
}

static void
test_failures (void)
{
  g_autoptr (SlEngine) engine = sl_engine_new ();
  g_autoptr (SlJob) too_long = NULL, fine = NULL;
  g_autofree char *whole = sl_places_dup_demo_dir ();

  fake_reset ();
  fake_set_answer ("ok", 1);
  fake_fail_load ("config.json: hidden_size is 0");
  sl_engine_load (engine, whole, NULL);
  app_test_wait (is_settled, engine);
  g_assert_cmpint (sl_engine_get_state (engine), ==, SL_ENGINE_FAILED);
  g_assert_cmpstr (sl_engine_get_error_text (engine), ==, "config.json: hidden_size is 0");

  /* Where the folder shows the cause, that is what is said. */
  sl_engine_load (engine, "/models/bad", NULL);
  app_test_wait (is_settled, engine);
  g_assert_nonnull (strstr (sl_engine_get_error_text (engine), "“/models/bad” is not there."));
  g_assert_false (sl_engine_get_lacks_memory (engine));
  fake_fail_load ("memory: 9 GiB are needed");
  sl_engine_load (engine, "model", NULL);
  app_test_wait (is_settled, engine);
  g_assert_true (sl_engine_get_lacks_memory (engine));
  fake_fail_load (NULL);
  sl_engine_load (engine, "/models/good", NULL);
  app_test_wait (is_settled, engine);
  g_assert_cmpint (sl_engine_get_state (engine), ==, SL_ENGINE_READY);
  g_assert_null (sl_engine_get_error_text (engine));

  fake_fail_sync ("5000 tokens do not fit into 4096");
  too_long = ask (engine, "long");
  app_test_wait (is_finished, too_long);
  g_assert_cmpint (sl_job_get_state (too_long), ==, SL_JOB_FAILED);
  g_assert_cmpstr (sl_job_get_error_text (too_long), ==, "5000 tokens do not fit into 4096");
  fake_fail_sync (NULL);
  fine = ask (engine, "short");
  app_test_wait (is_finished, fine);
  g_assert_cmpstr (sl_job_get_text (fine), ==, "ok");
}

static gboolean
is_not_busy (gpointer engine)
{
  return !sl_engine_is_busy (engine);
}

static void
test_unload (void)
{
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (SlJob) running = NULL, waiting = NULL;

  fake_reset ();
  fake_set_answer ("abcdef", 1);
  fake_allow_tokens (1);
  engine = make_engine ();
  running = ask (engine, "1");
  waiting = ask (engine, "2");
  fake_wait_generated (1);
  sl_engine_unload (engine);
  app_test_wait (is_finished, running);
  app_test_wait (is_finished, waiting);
  g_assert_cmpint (sl_job_get_state (running), ==, SL_JOB_STOPPED);
  g_assert_cmpstr (sl_job_get_text (running), ==, "a");
  g_assert_cmpint (sl_job_get_state (waiting), ==, SL_JOB_FAILED);
  app_test_wait (is_not_busy, engine);
  g_assert_null (sl_engine_get_info (engine));
  g_assert_cmpuint (sl_engine_get_picture_tokens (engine, 10, 10, SL_DETAIL_AUTO, 1), ==, 0);
}

static gboolean
is_asleep (gpointer engine)
{
  return sl_engine_is_asleep (engine) && sl_engine_get_state (engine) == SL_ENGINE_UNLOADED && fake_get_open_engines () == 0;
}

/* An unused model gives its memory back, and the next question loads it again; one that was unloaded stays so. */
static void
test_idle (void)
{
  SlEngine *engine;
  SlJob *job;

  fake_reset ();
  fake_set_answer ("awake", 5);
  engine = make_engine ();
  sl_engine_set_idle_seconds (engine, 1);
  app_test_wait (is_asleep, engine);
  g_assert_cmpstr (sl_engine_get_model_dir (engine), ==, "/models/fake");
  job = ask (engine, "Are you there?");
  app_test_wait (is_finished, job);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_DONE);
  g_assert_cmpint (sl_engine_get_state (engine), ==, SL_ENGINE_READY);
  g_assert_false (sl_engine_is_asleep (engine));
  g_object_unref (job);
  sl_engine_unload (engine);
  g_assert_false (sl_engine_is_asleep (engine));
  job = ask (engine, "And now?");
  app_test_wait (is_finished, job);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_FAILED);
  g_object_unref (job);
  g_object_unref (engine);
}

static void
on_plan (GObject      *source,
         GAsyncResult *result,
         gpointer      data)
{
  g_autoptr (GError) error = NULL;
  SlPlan *plan = sl_engine_plan_finish (SL_ENGINE (source), result, &error);

  g_assert_true (plan != NULL || error != NULL);
  *(SlPlan **) data = plan != NULL ? plan : sl_plan_new ();
}

static gboolean
has_come (gpointer plan)
{
  return *(SlPlan **) plan != NULL;
}

static void
test_plan (void)
{
  g_autoptr (SlEngine) engine = NULL;
  SlSettings settings = sl_settings_for_mode (SL_MODE_FIND);
  g_autoptr (SlPrompt) prompt = sl_prompt_new (&settings);
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 4, 1);
  g_autoptr (SlPlan) plan = NULL, late = NULL;
  const SlPlanPicture *first;

  fake_reset ();
  engine = make_engine ();
  g_assert_cmpfloat (settings.sampling.temperature, ==, 0);
  g_assert_true (settings.constrain_boxes);
  g_assert_cmpint (settings.overflow, ==, SL_OVERFLOW_REFUSE);
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_picture (prompt, picture, SL_DETAIL_AUTO);
  sl_prompt_add_text (prompt, "four", -1, SL_MARKUP_NONE);
  sl_engine_plan_async (engine, prompt, NULL, on_plan, &plan);
  g_assert_null (plan);
  app_test_wait (has_come, &plan);
  g_assert_cmpuint (plan->tokens, ==, 104);
  g_assert_cmpuint (plan->capacity, ==, 4096);
  g_assert_cmpuint (plan->room, ==, 4096 - 104);
  g_assert_true (plan->fits);
  g_assert_cmpuint (plan->messages->len, ==, 1);
  g_assert_cmpuint (g_array_index (plan->messages, SlPlanMessage, 0).tokens, ==, 104);
  g_assert_cmpuint (plan->pictures->len, ==, 1);
  first = &g_array_index (plan->pictures, SlPlanPicture, 0);
  g_assert_true (first->width == 8 && first->height == 4 && first->grid_w == 2 && first->grid_h == 1 && first->tokens == 100);
  g_assert_true (plan->choices[SL_OVERFLOW_LOW_DETAIL].possible);
  g_assert_cmpuint (plan->choices[SL_OVERFLOW_LOW_DETAIL].tokens, ==, 14);
  g_assert_false (plan->choices[SL_OVERFLOW_DROP_OLDEST].possible);
  g_assert_cmpuint (plan->peak_bytes, ==, 20);
  g_assert_cmpuint (sl_engine_get_picture_tokens (engine, 10, 10, SL_DETAIL_AUTO, 2), ==, 100);
  g_assert_cmpuint (sl_engine_get_picture_tokens (engine, 10, 10, SL_DETAIL_AUTO, 3), ==, 10);
  g_assert_cmpuint (sl_engine_get_picture_tokens (engine, 10, 10, SL_DETAIL_LOW, 1), ==, 10);
  sl_engine_shutdown (engine);
  sl_engine_plan_async (engine, prompt, NULL, on_plan, &late);
  app_test_wait (has_come, &late);
  g_assert_cmpuint (late->capacity, ==, 0);
}

/* A plan that is on its way outlives the engine. */
static void
test_plan_shutdown (void)
{
  SlEngine *engine;
  SlSettings settings = sl_settings_for_mode (SL_MODE_CHAT);
  g_autoptr (SlPrompt) prompt = sl_prompt_new (&settings);
  g_autoptr (SlPlan) plan = NULL;

  fake_reset ();
  engine = make_engine ();
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_text (prompt, "four", -1, SL_MARKUP_NONE);
  sl_engine_plan_async (engine, prompt, NULL, on_plan, &plan);
  sl_engine_shutdown (engine);
  g_object_unref (engine);
  app_test_wait (has_come, &plan);
  g_assert_cmpuint (fake_get_open_engines (), ==, 0);
}

static SlJob *
ask_too_long (SlEngine   *engine,
              SlOverflow  overflow)
{
  SlSettings settings = sl_settings_for_mode (SL_MODE_CHAT);
  g_autoptr (SlPrompt) prompt = NULL;
  g_autoptr (SlPicture) picture = app_test_make_picture (8, 4, 1);
  SlJob *job;

  settings.overflow = overflow;
  prompt = sl_prompt_new (&settings);
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_picture (prompt, picture, SL_DETAIL_AUTO);
  sl_prompt_add_text (prompt, "one", -1, SL_MARKUP_NONE);
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_text (prompt, "two", -1, SL_MARKUP_NONE);
  job = sl_engine_submit (engine, prompt);
  app_test_wait (is_finished, job);
  return job;
}

static void
test_overflow (void)
{
  g_autoptr (SlEngine) engine = NULL;
  g_autoptr (SlJob) refused = NULL, dropped = NULL, lowered = NULL;
  g_autofree char *without = NULL, *low = NULL;

  fake_reset ();
  fake_set_answer ("ok", 1);
  engine = make_engine ();
  fake_set_longest_prompt (10);
  refused = ask_too_long (engine, SL_OVERFLOW_REFUSE);
  g_assert_cmpint (sl_job_get_state (refused), ==, SL_JOB_FAILED);
  g_assert_cmpstr (sl_job_get_error_text (refused), ==, "too long");
  dropped = ask_too_long (engine, SL_OVERFLOW_DROP_OLDEST);
  g_assert_cmpint (sl_job_get_state (dropped), ==, SL_JOB_DONE);
  g_assert_cmpuint (sl_job_get_status (dropped)->dropped_messages, ==, 1);
  without = fake_dup_prompt ();
  g_assert_cmpstr (without, ==, "user:two");
  lowered = ask_too_long (engine, SL_OVERFLOW_LOW_DETAIL);
  g_assert_cmpint (sl_job_get_state (lowered), ==, SL_JOB_DONE);
  g_assert_true (sl_job_get_status (lowered)->low_detail);
  low = fake_dup_prompt ();
  g_assert_cmpstr (low, ==, "user:[8x4 low]one|user:two");
}

static void
ask_in (SlEngine   *engine,
        const char *name,
        const char *text)
{
  SlSettings settings = sl_settings_for_mode (SL_MODE_CHAT);
  g_autoptr (SlPrompt) prompt = sl_prompt_new (&settings);
  g_autoptr (SlJob) job = NULL;

  sl_prompt_set_session (prompt, name);
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_text (prompt, text, -1, SL_MARKUP_NONE);
  job = sl_engine_submit (engine, prompt);
  app_test_wait (is_finished, job);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_DONE);
}

static gboolean
is_gone (gpointer path)
{
  return !g_file_test (path, G_FILE_TEST_EXISTS);
}

static SlEngine *
make_keeping_engine (const char *dir)
{
  SlEngine *engine = make_engine ();

  sl_engine_set_session_dir (engine, dir);
  return engine;
}

/* What was read is written when another conversation is asked in and when the engine ends, and read when its own comes back. */
static void
test_sessions (void)
{
  g_autofree char *folder = g_dir_make_tmp ("sightline-test-XXXXXX", NULL);
  g_autofree char *dir = g_build_filename (folder, "sessions", NULL);
  g_autofree char *one = g_build_filename (dir, "1.session", NULL), *two = g_build_filename (dir, "2.session", NULL);
  g_autofree char *restored = NULL, *written = NULL, *none = NULL;
  g_autoptr (SlEngine) first = NULL, second = NULL, third = NULL;

  fake_reset ();
  fake_set_answer ("ok", 1);
  first = make_keeping_engine (dir);
  ask_in (first, "1", "in one");
  g_assert_false (g_file_test (one, G_FILE_TEST_EXISTS));
  ask_in (first, "2", "in two");
  g_assert_true (g_file_get_contents (one, &written, NULL, NULL));
  g_assert_cmpstr (written, ==, "user:in one");
  ask_in (first, NULL, "in none");
  ask_in (first, "../3", "outside");
  sl_engine_shutdown (first);
  g_assert_true (g_file_test (two, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (folder, G_FILE_TEST_IS_REGULAR));

  second = make_keeping_engine (dir);
  none = fake_dup_restored ();
  g_assert_null (none);
  ask_in (second, "1", "again");
  restored = fake_dup_restored ();
  g_assert_cmpstr (restored, ==, "user:in one");
  sl_engine_forget_session (second, "1");
  app_test_wait (is_gone, one);
  sl_engine_shutdown (second);
  g_assert_false (g_file_test (one, G_FILE_TEST_EXISTS));

  third = make_keeping_engine (dir);
  g_assert_true (g_file_set_contents (one, "nonsense", -1, NULL));
  ask_in (third, "1", "a damaged file");
  g_assert_false (g_file_test (one, G_FILE_TEST_EXISTS));
  sl_engine_shutdown (third);
  g_assert_true (g_file_test (one, G_FILE_TEST_EXISTS));

  g_unlink (one);
  g_unlink (two);
  g_rmdir (dir);
  g_rmdir (folder);
}

static void
test_session_limit (void)
{
  g_autofree char *dir = g_dir_make_tmp ("sightline-test-XXXXXX", NULL);

  for (int i = 0; i < 5; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d.session", i);
      g_autofree char *path = g_build_filename (dir, name, NULL);
      struct utimbuf times = { 1000 + i * 7 % 5, 1000 + i * 7 % 5 }; /* the oldest first: 0, 3, 1, 4, 2 */

      g_assert_true (g_file_set_contents (path, "ten bytes!", 10, NULL));
      g_assert_cmpint (g_utime (path, &times), ==, 0);
    }
  sl_session_keeper_trim (dir, 25);
  for (int i = 0; i < 5; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d.session", i);
      g_autofree char *path = g_build_filename (dir, name, NULL);

      g_assert_cmpint (g_file_test (path, G_FILE_TEST_EXISTS), ==, i == 2 || i == 4);
      g_unlink (path);
    }
  g_rmdir (dir);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/engine/answer", test_answer);
  g_test_add_func ("/engine/queue", test_queue);
  g_test_add_func ("/engine/stop", test_stop);
  g_test_add_func ("/engine/stop-full-ring", test_stop_full_ring);
  g_test_add_func ("/engine/load", test_load);
  g_test_add_func ("/engine/failures", test_failures);
  g_test_add_func ("/engine/unload", test_unload);
  g_test_add_func ("/engine/plan", test_plan);
  g_test_add_func ("/engine/plan-shutdown", test_plan_shutdown);
  g_test_add_func ("/engine/overflow", test_overflow);
  g_test_add_func ("/engine/sessions", test_sessions);
  g_test_add_func ("/engine/session-limit", test_session_limit);
  g_test_add_func ("/engine/idle", test_idle);
  return g_test_run ();
}
