/* SPDX-License-Identifier: MIT
 *
 * The same question about every picture of a folder, with an engine of strings and a real store: what is asked, in which order, what a
 * pause, another question, a crash, a renamed file and another model make of it, and what is accepted.
 */
#include <signal.h>
#include <string.h>

#include <glib/gstdio.h>

#include "app/exports/sl-export-job.h"
#include "app/folder/sl-folder-job.h"
#include "tests/app/app-test.h"
#include "tests/app/conversation/conversation-test.h"
#include "tests/app/fake-vl2.h"

#define BOXED "<|ref|>red circle<|/ref|><|det|>[[1, 2, 30, 40], [500, 600, 700, 800]]<|/det|>"
#define PROMPT "red circle"
#define N_TOKENS ((sizeof BOXED - 1 + 2) / 3) /* of three bytes */

static const char *program;

static void
write_picture (const char *folder,
               const char *name,
               guint32     colour)
{
  g_autoptr (SlPicture) picture = app_test_make_picture (5, 3, colour);
  g_autofree char *path = g_build_filename (folder, name, NULL), *dir = g_path_get_dirname (path);
  gsize size;
  const char *data = g_bytes_get_data (sl_picture_get_bytes (picture), &size);

  g_assert_cmpint (g_mkdir_with_parents (dir, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, data, size, NULL));
}

static void
write_file (const char *folder,
            const char *name,
            const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* Three pictures, one below, one broken, one that is none. */
static char *
make_folder (void)
{
  char *folder = app_test_make_dir ();

  write_picture (folder, "a.png", 0xff0000);
  write_picture (folder, "b.png", 0x00ff00);
  write_picture (folder, "below/d.png", 0x00ffff);
  write_picture (folder, "c.png", 0x0000ff);
  write_file (folder, "broken.png", "no picture");
  write_file (folder, "notes.txt", "no picture");
  return folder;
}

static gboolean
is_over (gpointer job)
{
  SlFolderJobState state = sl_folder_job_get_state (job);

  return state == SL_FOLDER_JOB_DONE || state == SL_FOLDER_JOB_PAUSED;
}

static gboolean
is_quiet (gpointer job)
{
  return is_over (job) && !sl_conversation_is_busy (sl_folder_job_get_conversation (job));
}

static SlFolderRow *
row_at (SlFolderJob *job,
        guint        position)
{
  g_autoptr (SlFolderRow) row = g_list_model_get_item (G_LIST_MODEL (job), position);

  g_assert_nonnull (row);
  return row;
}

/* "a.png:answered b.png:waiting …" */
static char *
describe (SlFolderJob *job)
{
  static const char *const states[] = { "waiting", "asking", "failed", "answered" };
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < count (job); i++)
    g_string_append_printf (text, "%s%s:%s", i > 0 ? " " : "", sl_folder_row_get_name (row_at (job, i)),
                            states[sl_folder_row_get_state (row_at (job, i))]);
  return g_string_free (text, FALSE);
}

static void
assert_rows (SlFolderJob *job,
             const char  *expected)
{
  g_autofree char *rows = describe (job);

  g_assert_cmpstr (rows, ==, expected);
}

static guint
count_answers (SlFolderJob *job)
{
  SlFolderProgress progress;

  sl_folder_job_get_progress (job, &progress);
  return progress.n_answered;
}

typedef struct
{
  SlFolderJob *job;
  guint n_answers;
} Answers;

static gboolean
has_answers (gpointer data)
{
  Answers *answers = data;

  return count_answers (answers->job) >= answers->n_answers;
}

static gboolean
is_writing (gpointer job)
{
  SlMessage *answer = sl_conversation_get_answering (sl_folder_job_get_conversation (job));

  return answer != NULL && sl_message_get_text (answer)[0] != '\0';
}

static SlFolderJob *
reopen_job (App    *app,
            gint64  id)
{
  g_autoptr (SlConversation) conversation = reopen (app, id);

  return sl_folder_job_get (app->history, conversation);
}

static void
test_whole (void)
{
  App app;
  char *folder = make_folder ();
  g_autoptr (SlFolderJob) job = NULL;
  g_autofree char *prompt = NULL;
  SlFolderProgress progress;
  gint64 id;

  app_init (&app);
  fake_set_answer (BOXED, 3);
  job = sl_folder_job_new (app.history, NULL, folder, TRUE, PROMPT, SL_MODE_FIND);
  id = sl_conversation_get_id (sl_folder_job_get_conversation (job));
  g_assert_cmpint (sl_folder_job_get_state (job), ==, SL_FOLDER_JOB_PAUSED);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);
  g_assert_cmpint (sl_folder_job_get_state (job), ==, SL_FOLDER_JOB_DONE);
  assert_rows (job, "a.png:answered b.png:answered below/d.png:answered broken.png:failed c.png:answered");
  g_assert_nonnull (strstr (sl_folder_row_get_error_text (row_at (job, 3)), "broken.png"));
  g_assert_null (sl_folder_row_get_part (row_at (job, 3)));
  sl_folder_job_get_progress (job, &progress);
  g_assert_true (progress.n_pictures == 5 && progress.n_answered == 4 && progress.n_failed == 1 && progress.n_waiting == 0);
  g_assert_true (progress.per_minute > 0 && progress.seconds_left == 0);

  /* Each picture is asked by itself. */
  prompt = fake_dup_prompt ();
  g_assert_cmpstr (prompt, ==, "user:[5x3]\n<|ref|>" PROMPT "<|/ref|>");
  g_assert_cmpuint (sl_folder_row_get_n_boxes (row_at (job, 0)), ==, 2);
  g_assert_cmpstr (sl_message_part_get_name (sl_folder_row_get_part (row_at (job, 2))), ==, "d.png");
  app_test_wait (has_row, app.history);

  /* After a restart all of it is there, and nothing is asked again. */
  g_clear_object (&job);
  app_stop (&app);
  app_start (&app);
  fake_allow_tokens (0);
  job = reopen_job (&app, id);
  assert_rows (job, "a.png:answered b.png:answered below/d.png:answered broken.png:failed c.png:answered");
  g_assert_cmpint (sl_folder_job_get_state (job), ==, SL_FOLDER_JOB_DONE);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);
  assert_rows (job, "a.png:answered b.png:answered below/d.png:answered broken.png:failed c.png:answered");

  /* What failed is asked again when somebody wants that. */
  write_picture (folder, "broken.png", 0xffff00);
  fake_allow_tokens (G_MAXUINT);
  sl_folder_job_retry (job);
  app_test_wait (is_over, job);
  g_assert_cmpuint (count_answers (job), ==, 5);
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

/* Another question goes first, and the picture that made room is asked again. */
static void
test_gives_way (void)
{
  App app;
  char *folder = make_folder ();
  g_autoptr (SlFolderJob) job = NULL;
  g_autoptr (SlConversation) chat = NULL;
  Answers all;

  app_init (&app);
  fake_set_answer (BOXED, 3);
  fake_allow_tokens (2);
  job = sl_folder_job_new (app.history, NULL, folder, FALSE, PROMPT, SL_MODE_FIND);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_writing, job);
  chat = sl_history_create (app.history);
  ask (chat, "hello", NULL, SL_MODE_CHAT);
  fake_allow_tokens (N_TOKENS); /* enough for one of them */
  app_test_wait (is_idle, chat);
  g_assert_cmpint (sl_message_get_status (message_at (chat, 1)), ==, SL_MESSAGE_COMPLETE);
  g_assert_cmpuint (count_answers (job), ==, 0);
  fake_allow_tokens (G_MAXUINT);
  all = (Answers) { job, 3 };
  app_test_wait (has_answers, &all);
  assert_rows (job, "a.png:answered b.png:answered broken.png:failed c.png:answered");
  app_test_wait (is_over, job);
  g_clear_object (&chat);
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

static void
test_pause (void)
{
  App app;
  char *folder = make_folder ();
  g_autoptr (SlFolderJob) job = NULL;
  g_autofree char *a = g_build_filename (folder, "a.png", NULL), *z = g_build_filename (folder, "z.png", NULL);
  Answers one;

  app_init (&app);
  fake_set_answer (BOXED, strlen (BOXED));
  fake_allow_tokens (1);
  job = sl_folder_job_new (app.history, NULL, folder, FALSE, PROMPT, SL_MODE_FIND);
  sl_folder_job_run (job, FALSE);
  one = (Answers) { job, 1 };
  app_test_wait (has_answers, &one);
  sl_folder_job_pause (job);
  g_assert_cmpint (sl_folder_job_get_state (job), ==, SL_FOLDER_JOB_PAUSED);
  app_test_wait (is_quiet, job);
  assert_rows (job, "a.png:answered b.png:waiting broken.png:waiting c.png:waiting");

  /* Renamed: the same picture. Overwritten, new: asked. Gone before it was asked: nothing. Gone after: it stays. */
  g_assert_cmpint (g_rename (a, z), ==, 0);
  write_picture (folder, "n.png", 0x123456);
  g_assert_cmpint (g_unlink (z), ==, 0);
  write_picture (folder, "y.png", 0xff0000); /* what a.png was */
  g_free (g_steal_pointer (&a));
  a = g_build_filename (folder, "broken.png", NULL);
  g_assert_cmpint (g_unlink (a), ==, 0);
  fake_allow_tokens (3);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);
  assert_rows (job, "b.png:answered c.png:answered n.png:answered y.png:answered");
  g_assert_cmpuint (fake_get_generated (), ==, 4);

  write_picture (folder, "y.png", 0x654321);
  g_free (g_steal_pointer (&a));
  a = g_build_filename (folder, "b.png", NULL);
  g_assert_cmpint (g_unlink (a), ==, 0);
  fake_allow_tokens (1);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);
  assert_rows (job, "b.png:answered c.png:answered n.png:answered y.png:answered");
  g_assert_cmpuint (fake_get_generated (), ==, 5);
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

/* The job is made with one model; another one is asked only when somebody says so. */
static void
test_other_model (void)
{
  App app;
  char *folder = make_folder ();
  g_autoptr (SlFolderJob) job = NULL;
  Answers one;

  app_init (&app);
  fake_set_answer (BOXED, strlen (BOXED));
  fake_allow_tokens (1);
  job = sl_folder_job_new (app.history, NULL, folder, FALSE, PROMPT, SL_MODE_FIND);
  sl_folder_job_run (job, FALSE);
  one = (Answers) { job, 1 };
  app_test_wait (has_answers, &one);
  sl_engine_load (app.engine, "/models/other", NULL);
  app_test_wait (is_quiet, job);
  g_assert_true (sl_folder_job_get_other_model (job));
  g_assert_nonnull (strstr (sl_folder_job_get_error_text (job), "fake"));
  g_assert_nonnull (strstr (sl_folder_job_get_error_text (job), "other"));
  g_assert_cmpuint (count_answers (job), ==, 1);
  fake_allow_tokens (G_MAXUINT);
  sl_folder_job_run (job, TRUE);
  app_test_wait (is_over, job);
  g_assert_false (sl_folder_job_get_other_model (job));
  g_assert_cmpuint (count_answers (job), ==, 3);

  sl_engine_unload (app.engine);
  write_picture (folder, "new.png", 0x111111);
  sl_folder_job_run (job, TRUE);
  app_test_wait (is_over, job);
  g_assert_cmpint (sl_folder_job_get_state (job), ==, SL_FOLDER_JOB_PAUSED);
  g_assert_nonnull (sl_folder_job_get_error_text (job));
  assert_rows (job, "a.png:answered b.png:answered broken.png:failed c.png:answered new.png:waiting");
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

/* A conversation that is deleted asks nothing more, and goes on where it was when it comes back. */
static void
test_deleted (void)
{
  App app;
  char *folder = make_folder ();
  g_autoptr (SlFolderJob) job = NULL;
  Answers one;
  gint64 id;

  app_init (&app);
  fake_set_answer (BOXED, strlen (BOXED));
  fake_allow_tokens (1);
  job = sl_folder_job_new (app.history, NULL, folder, FALSE, PROMPT, SL_MODE_FIND);
  id = sl_conversation_get_id (sl_folder_job_get_conversation (job));
  sl_folder_job_run (job, FALSE);
  one = (Answers) { job, 1 };
  app_test_wait (has_answers, &one);
  sl_history_delete (app.history, id);
  fake_allow_tokens (G_MAXUINT);
  app_test_wait (is_quiet, job);
  g_assert_cmpint (sl_folder_job_get_state (job), ==, SL_FOLDER_JOB_PAUSED);
  sl_history_undo_delete (app.history, id);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);
  g_assert_cmpuint (count_answers (job), ==, 3);
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

static char *
export_accepted (SlFolderJob *job,
                 const char  *dir)
{
  g_autoptr (SlExportJob) export = sl_export_job_new (SL_EXPORT_CSV);
  g_autofree char *path = g_build_filename (dir, "boxes.csv", NULL);
  GAsyncResult *slot = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  char *text;

  for (guint i = 0; i < count (job); i++)
    if (sl_folder_row_get_reviewed (row_at (job, i)))
      sl_export_job_add_accepted (export, sl_folder_job_get_conversation (job), sl_folder_row_get_answer (row_at (job, i)));
  sl_export_job_run_async (export, path, NULL, app_test_store_result, &slot);
  result = app_test_wait_result (&slot);
  g_assert_true (sl_export_job_run_finish (export, result, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_unlink (path);
  return text;
}

static guint
count_of (const char *text,
          const char *part)
{
  guint n = 0;

  for (const char *at = text; (at = strstr (at, part)) != NULL; at += strlen (part))
    n++;
  return n;
}

static void
test_review (void)
{
  App app;
  char *folder = make_folder ();
  g_autoptr (SlFolderJob) job = NULL;
  SlConversation *conversation;
  SlMessage *answer;
  g_autofree char *before = NULL, *after = NULL;
  gint64 id;

  app_init (&app);
  fake_set_answer (BOXED, 3);
  job = sl_folder_job_new (app.history, NULL, folder, FALSE, PROMPT, SL_MODE_FIND);
  conversation = sl_folder_job_get_conversation (job);
  id = sl_conversation_get_id (conversation);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);

  /* a: one accepted, one rejected. b: one corrected, one open. c: accepted and taken back. */
  answer = sl_folder_row_get_answer (row_at (job, 0));
  sl_conversation_accept_box (conversation, answer, box_at (answer, 0), TRUE);
  sl_folder_job_note_boxes (job, row_at (job, 0));
  g_assert_cmpuint (sl_folder_row_get_n_undecided (row_at (job, 0)), ==, 1);
  g_assert_false (sl_folder_row_get_reviewed (row_at (job, 0)));
  sl_conversation_discard_box (conversation, answer, box_at (answer, 1));
  sl_folder_job_note_boxes (job, row_at (job, 0));
  g_assert_true (sl_folder_row_get_reviewed (row_at (job, 0)));
  g_assert_cmpuint (sl_folder_row_get_n_boxes (row_at (job, 0)), ==, 1);
  answer = sl_folder_row_get_answer (row_at (job, 1));
  sl_conversation_add_box (conversation, answer, box_at (answer, 0), "disc", (const int[4]) { 3, 4, 50, 60 });
  sl_folder_job_note_boxes (job, row_at (job, 1));
  g_assert_cmpuint (sl_folder_row_get_n_undecided (row_at (job, 1)), ==, 1);
  answer = sl_folder_row_get_answer (row_at (job, 3));
  sl_conversation_accept_box (conversation, answer, box_at (answer, 0), TRUE);
  sl_conversation_accept_box (conversation, answer, box_at (answer, 0), FALSE);
  sl_folder_job_note_boxes (job, row_at (job, 3));
  g_assert_cmpuint (sl_folder_row_get_n_undecided (row_at (job, 3)), ==, 2);

  /* Only what was looked through is written, and of it only what was accepted. */
  before = export_accepted (job, app.dir);
  g_assert_cmpuint (count_of (before, "red circle"), ==, 2); /* the prompt beside it */
  g_assert_null (strstr (before, "disc"));

  g_clear_object (&job);
  app_stop (&app);
  app_start (&app);
  job = reopen_job (&app, id);
  g_assert_true (sl_folder_row_get_reviewed (row_at (job, 0)));
  g_assert_cmpuint (sl_folder_row_get_n_undecided (row_at (job, 1)), ==, 1);
  g_assert_cmpuint (sl_folder_row_get_n_undecided (row_at (job, 3)), ==, 2);
  answer = sl_folder_row_get_answer (row_at (job, 1));
  sl_conversation_accept_box (sl_folder_job_get_conversation (job), answer, box_at (answer, 2), TRUE);
  sl_folder_job_note_boxes (job, row_at (job, 1));
  g_assert_true (sl_folder_row_get_reviewed (row_at (job, 1)));
  after = export_accepted (job, app.dir);
  g_assert_cmpuint (count_of (after, "disc"), ==, 1);
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

/* Where nothing was found, somebody has to have seen that. */
static void
test_seen (void)
{
  App app;
  char *folder = app_test_make_dir ();
  g_autoptr (SlFolderJob) job = NULL;
  gint64 id;

  app_init (&app);
  write_picture (folder, "a.png", 1);
  fake_set_answer ("Nothing.", 3);
  job = sl_folder_job_new (app.history, NULL, folder, FALSE, PROMPT, SL_MODE_FIND);
  id = sl_conversation_get_id (sl_folder_job_get_conversation (job));
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);
  g_assert_false (sl_folder_row_get_reviewed (row_at (job, 0)));
  sl_folder_job_set_seen (job, row_at (job, 0), TRUE);
  g_assert_true (sl_folder_row_get_reviewed (row_at (job, 0)));
  g_clear_object (&job);
  app_stop (&app);
  app_start (&app);
  job = reopen_job (&app, id);
  g_assert_true (sl_folder_row_get_reviewed (row_at (job, 0)));
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

/* ------------------------------------------------------------------------------------------------ a crash */

/* Asks until it is killed: says when two answers are on disk and the third is being written. */
static int
run_victim (const char *dir,
            const char *folder)
{
  App app = { .dir = g_strdup (dir) };
  SlFolderJob *job;
  Answers two;

  fake_reset ();
  app_start (&app);
  fake_set_answer (BOXED, 3);
  fake_allow_tokens (2 * N_TOKENS + 4);
  job = sl_folder_job_new (app.history, NULL, folder, FALSE, PROMPT, SL_MODE_FIND);
  sl_folder_job_run (job, FALSE);
  two = (Answers) { job, 2 };
  app_test_wait (has_answers, &two);
  app_test_wait (is_writing, job);
  g_assert_true (sl_store_flush (app.store, NULL));
  g_print ("%" G_GINT64_FORMAT "\n", sl_conversation_get_id (sl_folder_job_get_conversation (job)));
  pause ();
  return 1;
}

static void
test_killed (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess) victim = NULL;
  g_autoptr (GDataInputStream) output = NULL;
  g_autoptr (SlFolderJob) job = NULL;
  g_autofree char *line = NULL;
  char *folder = make_folder ();
  App app;
  gint64 id;

  fake_reset ();
  app.dir = app_test_make_dir ();
  victim = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, "--victim", app.dir, folder, NULL);
  g_assert_no_error (error);
  output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (victim));
  line = g_data_input_stream_read_line (output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (line);
  id = g_ascii_strtoll (line, NULL, 10);
  g_subprocess_send_signal (victim, SIGKILL);
  g_assert_false (g_subprocess_wait_check (victim, NULL, NULL));

  app_start (&app);
  fake_set_answer (BOXED, strlen (BOXED));
  job = reopen_job (&app, id);
  g_assert_cmpint (sl_folder_job_get_state (job), ==, SL_FOLDER_JOB_PAUSED);
  g_assert_cmpuint (count_answers (job), ==, 2);
  sl_folder_job_run (job, FALSE);
  app_test_wait (is_over, job);
  assert_rows (job, "a.png:answered b.png:answered broken.png:failed c.png:answered");
  g_assert_cmpuint (fake_get_generated (), ==, 1); /* the third alone */
  g_clear_object (&job);
  app_deinit (&app);
  app_test_remove_dir (folder);
}

int
main (int    argc,
      char **argv)
{
  if (argc == 4 && g_str_equal (argv[1], "--victim"))
    return run_victim (argv[2], argv[3]);
  program = argv[0];
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/folder-job/whole", test_whole);
  g_test_add_func ("/folder-job/gives-way", test_gives_way);
  g_test_add_func ("/folder-job/pause", test_pause);
  g_test_add_func ("/folder-job/other-model", test_other_model);
  g_test_add_func ("/folder-job/deleted", test_deleted);
  g_test_add_func ("/folder-job/review", test_review);
  g_test_add_func ("/folder-job/seen", test_seen);
  g_test_add_func ("/folder-job/killed", test_killed);
  return g_test_run ();
}
