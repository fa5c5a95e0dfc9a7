/* SPDX-License-Identifier: MIT
 *
 * The history: what goes in comes out and is found, what is deleted is gone, and much of it is no slower.
 */

#include <string.h>

#include <glib/gstdio.h>

#include "app/store/sl-database-private.h"
#include "database-test.h"

/* ------------------------------------------------------------------------------------------------ round trip */

static void
assert_same_generation (const SlGeneration *a,
                        const SlGeneration *b)
{
  g_assert_cmpstr (a->model, ==, b->model);
  g_assert_cmpstr (a->tiling, ==, b->tiling);
  g_assert_cmpstr (a->error, ==, b->error);
  g_assert_cmpfloat (a->temperature, ==, b->temperature);
  g_assert_cmpuint (a->seed, ==, b->seed);
  g_assert_cmpuint (a->output_tokens, ==, b->output_tokens);
  g_assert_cmpfloat (a->decode_ms, ==, b->decode_ms);
  g_assert_cmpint (a->tiling_changed, ==, b->tiling_changed);
  g_assert_cmpint (a->stop, ==, b->stop);
  g_assert_cmpuint (a->tokens->len, ==, b->tokens->len);
  g_assert_cmpmem (a->tokens->data, a->tokens->len * sizeof (SlTokenMark), b->tokens->data, b->tokens->len * sizeof (SlTokenMark));
  g_assert_cmpuint (a->alternatives->len, ==, b->alternatives->len);
  for (guint i = 0; i < a->alternatives->len; i++)
    {
      const SlAlternative *x = &g_array_index (a->alternatives, SlAlternative, i);
      const SlAlternative *y = &g_array_index (b->alternatives, SlAlternative, i);

      g_assert_cmpuint (x->token, ==, y->token);
      g_assert_cmpint (x->id, ==, y->id);
      g_assert_cmpfloat (x->logprob, ==, y->logprob);
      g_assert_cmpstr (x->text, ==, y->text);
    }
  g_assert_cmpuint (a->coordinates->len, ==, b->coordinates->len);
  for (guint i = 0; i < a->coordinates->len; i++)
    {
      const SlCoordinate *x = &g_array_index (a->coordinates, SlCoordinate, i);
      const SlCoordinate *y = &g_array_index (b->coordinates, SlCoordinate, i);

      g_assert_true (x->token == y->token && x->index == y->index && x->whole == y->whole && x->mass == y->mass);
      g_assert_true (x->expected == y->expected && x->deviation == y->deviation);
      g_assert_cmpmem (x->digits, sizeof x->digits, y->digits, sizeof y->digits);
    }
}

static void
assert_same_boxes (GPtrArray *a,
                   GPtrArray *b)
{
  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++)
    {
      const SlBoxRecord *x = g_ptr_array_index (a, i), *y = g_ptr_array_index (b, i);

      g_assert_cmpint (x->id, ==, y->id);
      g_assert_cmpint (x->origin, ==, y->origin);
      g_assert_cmpint (x->kind, ==, y->kind);
      g_assert_cmpstr (x->label, ==, y->label);
      g_assert_cmpint (x->label_index, ==, y->label_index);
      g_assert_cmpmem (x->coords, sizeof x->coords, y->coords, sizeof y->coords);
      g_assert_cmpint (x->status, ==, y->status);
      g_assert_cmpint (x->reason, ==, y->reason);
      g_assert_cmpfloat (x->confidence, ==, y->confidence);
      g_assert_cmpstr (x->picture, ==, y->picture);
      g_assert_cmpuint (x->start, ==, y->start);
      g_assert_cmpuint (x->end, ==, y->end);
    }
}

static void
test_round_trip (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  g_autoptr (SlPicture) picture = app_test_make_picture (5, 3, 0xff0000);
  g_autoptr (SlMessageRecord) question = app_test_make_message (10, 1, 0, SL_ROLE_USER, "在图中找到红色的圆形");
  g_autoptr (SlMessageRecord) answer = database_test_make_answer (11, sl_picture_get_sha256 (picture));
  g_autoptr (SlConversationRecord) loaded = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL, *bytes = NULL;
  const SlMessageRecord *first, *second;
  const SlPartRecord *part;
  gsize length;

  app_test_add_picture (question, picture);
  ((SlPartRecord *) g_ptr_array_index (question->parts, 1))->detail = SL_DETAIL_LOW;
  database_test_put_conversation (database, 1, "Circles");
  g_assert_true (sl_database_put_message (database, question, TRUE, &error));
  g_assert_true (sl_database_put_message (database, answer, TRUE, &error));
  /* Saving again is no second message, and edited boxes keep their origin. */
  g_assert_true (sl_database_put_message (database, answer, TRUE, &error));
  sl_database_close (database);

  database = database_test_open (dir);
  database_test_assert_sound (database);
  loaded = sl_database_load (database, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (loaded->title, ==, "Circles");
  g_assert_cmpint (loaded->leaf, ==, 11);
  g_assert_cmpuint (loaded->messages->len, ==, 2);
  first = g_ptr_array_index (loaded->messages, 0);
  second = g_ptr_array_index (loaded->messages, 1);
  g_assert_cmpuint (first->parts->len, ==, 2);
  part = g_ptr_array_index (first->parts, 1);
  g_assert_cmpint (part->kind, ==, SL_PART_PICTURE);
  g_assert_cmpstr (part->sha256, ==, sl_picture_get_sha256 (picture));
  g_assert_cmpstr (part->name, ==, "drop.png");
  g_assert_cmpint (part->width, ==, 5);
  g_assert_cmpint (part->height, ==, 3);
  g_assert_cmpint (part->detail, ==, SL_DETAIL_LOW);
  path = sl_database_dup_picture_path (dir, part->sha256, part->extension);
  g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
  g_assert_cmpmem (bytes, length, g_bytes_get_data (sl_picture_get_bytes (picture), NULL),
                   g_bytes_get_size (sl_picture_get_bytes (picture)));
  g_assert_cmpint (second->parent, ==, 10);
  g_assert_cmpint (second->mode, ==, SL_MODE_FIND);
  g_assert_cmpint (second->status, ==, SL_MESSAGE_STOPPED);
  g_assert_cmpstr (second->box_picture, ==, sl_picture_get_sha256 (picture));
  assert_same_generation (second->generation, answer->generation);
  assert_same_boxes (second->boxes, answer->boxes);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ search */

static void
test_search (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  g_autoptr (GPtrArray) hits = NULL;
  const SlSummaryRecord *hit;

  database_test_put_conversation (database, 1, "第一个");
  database_test_put_text (database, 10, 1, 0, SL_ROLE_USER, "找到红色的圆形");
  database_test_put_conversation (database, 2, "Harbour at night");
  database_test_put_text (database, 20, 2, 0, SL_ROLE_USER, "What is the BOAT called?");
  database_test_put_text (database, 21, 2, 20, SL_ROLE_ASSISTANT, "A <|ref|>sailing boat<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|> named Café.");

  g_assert_cmpuint (database_test_count_hits (database, "红色"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "色的圆"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "形"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "红圆"), ==, 0);
  g_assert_cmpuint (database_test_count_hits (database, "boat"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "sail"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "cafe"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "harb"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "第一"), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "boat circle"), ==, 0);
  g_assert_cmpuint (database_test_count_hits (database, "det"), ==, 0); /* markup is not a word */
  g_assert_cmpuint (database_test_count_hits (database, "\" OR *"), ==, 0);

  hits = sl_database_search (database, "named", 100, NULL);
  hit = g_ptr_array_index (hits, 0);
  g_assert_cmpint (hit->id, ==, 2);
  g_assert_cmpint (hit->message, ==, 21);
  g_assert_cmpstr (hit->title, ==, "Harbour at night");
  g_assert_nonnull (strstr (hit->snippet, "named"));
  g_assert_null (strstr (hit->snippet, "<|"));
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ delete */

static void
test_delete_undo_purge (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  g_autoptr (SlPicture) shared = app_test_make_picture (4, 4, 0x00ff00), alone = app_test_make_picture (4, 4, 0x0000ff);
  g_autofree char *shared_path = NULL, *alone_path = NULL, *pictures = g_build_filename (dir, "pictures", NULL);
  g_autoptr (GPtrArray) list = NULL;
  guint purged;

  database_test_put_conversation (database, 1, "keep");
  database_test_put_conversation (database, 2, "xyzzytitle");
  for (gint64 c = 1; c <= 2; c++)
    {
      g_autoptr (SlMessageRecord) question = app_test_make_message (c * 10, c, 0, SL_ROLE_USER, c == 1 ? "kept" : "plughword");

      app_test_add_picture (question, shared);
      if (c == 2)
        app_test_add_picture (question, alone);
      g_assert_true (sl_database_put_message (database, question, TRUE, NULL));
    }
  shared_path = sl_database_dup_picture_path (dir, sl_picture_get_sha256 (shared), "png");
  alone_path = sl_database_dup_picture_path (dir, sl_picture_get_sha256 (alone), "png");

  g_assert_true (sl_database_delete_conversation (database, 2, 1000, NULL));
  g_assert_cmpuint (database_test_count_hits (database, "plughword"), ==, 0);
  g_assert_null (sl_database_load (database, 2, NULL));
  g_assert_true (sl_database_undelete_conversation (database, 2, NULL));
  g_assert_cmpuint (database_test_count_hits (database, "plughword"), ==, 1);

  g_assert_true (sl_database_delete_conversation (database, 2, 1000, NULL));
  /* Deleted just now: an old purge leaves it. */
  g_assert_true (sl_database_purge (database, 1, &purged, NULL));
  g_assert_cmpuint (purged, ==, 0);
  g_assert_true (sl_database_purge (database, G_MAXINT64, &purged, NULL));
  g_assert_cmpuint (purged, ==, 1);
  g_assert_true (g_file_test (shared_path, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (alone_path, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (app_test_count_files (pictures), ==, 1);
  list = sl_database_list (database, NULL);
  g_assert_cmpuint (list->len, ==, 1);
  database_test_assert_sound (database);
  database_test_tidy (database);
  /* Really gone: not in free pages, not in the index, not in the log. */
  g_assert_true (app_test_dir_contains (dir, "kept"));
  g_assert_false (app_test_dir_contains (dir, "plughword"));
  g_assert_false (app_test_dir_contains (dir, "xyzzytitle"));
  sl_database_close (database);
  app_test_remove_dir (dir);
}

static void
test_delete_message (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);

  database_test_put_conversation (database, 1, "");
  database_test_put_text (database, 10, 1, 0, SL_ROLE_USER, "first");
  database_test_put_text (database, 11, 1, 10, SL_ROLE_ASSISTANT, "second");
  database_test_put_text (database, 12, 1, 11, SL_ROLE_USER, "third");
  database_test_put_text (database, 13, 1, 12, SL_ROLE_ASSISTANT, "fourth");

  g_assert_true (sl_database_delete_message (database, 13, 1000, NULL));
  g_assert_true (sl_database_delete_message (database, 11, 1000, NULL));
  g_assert_cmpuint (database_test_count_messages (database), ==, 1);
  g_assert_cmpuint (database_test_count_hits (database, "third"), ==, 0);
  /* Undoing the second deletion does not undo the first. */
  g_assert_true (sl_database_undelete_message (database, 11, NULL));
  g_assert_cmpuint (database_test_count_messages (database), ==, 3);
  g_assert_true (sl_database_purge (database, G_MAXINT64, NULL, NULL));
  g_assert_cmpuint (database_test_count_messages (database), ==, 3);
  database_test_assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* More turns than SQLite goes down a chain of cascades. */
#define N_LONG 1500

static void
test_purge_long (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  g_autoptr (GError) error = NULL;
  guint purged;

  database_test_put_conversation (database, 1, "");
  database_test_put_text (database, 10000, 1, 0, SL_ROLE_USER, "first");
  g_assert_true (sl_sql_exec (database,
                              "INSERT INTO message(id, conversation, parent, ordinal, role, mode, raw, status, created)"
                              " WITH RECURSIVE n(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n LIMIT " G_STRINGIFY (N_LONG) ")"
                              " SELECT i, 1, i - 1, 0, 1, 0, 0, 0, 0 FROM n", &error));
  g_assert_cmpuint (database_test_count_messages (database), ==, N_LONG + 1);

  g_assert_true (sl_database_delete_message (database, 10001, 1000, NULL));
  g_assert_true (sl_database_purge (database, G_MAXINT64, &purged, &error));
  g_assert_cmpuint (purged, ==, N_LONG);
  g_assert_cmpuint (database_test_count_messages (database), ==, 1);

  g_assert_true (sl_sql_exec (database,
                              "INSERT INTO message(id, conversation, parent, ordinal, role, mode, raw, status, created)"
                              " WITH RECURSIVE n(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n LIMIT " G_STRINGIFY (N_LONG) ")"
                              " SELECT i, 1, i - 1, 0, 1, 0, 0, 0, 0 FROM n", &error));
  g_assert_true (sl_database_delete_conversation (database, 1, 1000, NULL));
  g_assert_true (sl_database_purge (database, G_MAXINT64, NULL, &error));
  g_assert_no_error (error);
  database_test_assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

static void
put_draft (SlDatabase *database,
           gint64      conversation,
           gint64      question,
           const char *text,
           SlPicture  *picture)
{
  g_autoptr (SlDraftRecord) record = sl_draft_record_new ();
  g_autoptr (SlMessageRecord) holder = app_test_make_message (1, 1, 0, SL_ROLE_USER, text != NULL ? text : "");
  g_autoptr (GError) error = NULL;

  record->conversation = conversation;
  record->question = question;
  record->mode = SL_MODE_FIND;
  record->raw = TRUE;
  if (picture != NULL)
    app_test_add_picture (holder, picture);
  for (guint i = 0; text != NULL && i < holder->parts->len; i++)
    g_ptr_array_add (record->parts, sl_part_record_copy (g_ptr_array_index (holder->parts, i)));
  g_assert_true (sl_database_put_draft (database, record, &error));
  g_assert_no_error (error);
}

static void
test_drafts (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  g_autoptr (SlPicture) picture = app_test_make_picture (4, 4, 0x123456);
  g_autofree char *path = sl_database_dup_picture_path (dir, sl_picture_get_sha256 (picture), "png");

  database_test_put_conversation (database, 1, "");
  database_test_put_text (database, 10, 1, 0, SL_ROLE_USER, "first");
  put_draft (database, 0, 0, "of none", NULL);
  put_draft (database, 1, 0, "half a ques", picture);
  put_draft (database, 1, 10, "a new version", NULL);
  put_draft (database, 1, 0, "half a question ", picture);
  sl_database_close (database);

  database = database_test_open (dir);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  database_test_assert_sound (database);
  {
    g_autoptr (GPtrArray) drafts = sl_database_list_drafts (database, NULL);
    const SlDraftRecord *last;

    g_assert_cmpuint (drafts->len, ==, 3);
    g_assert_cmpint (((SlDraftRecord *) g_ptr_array_index (drafts, 0))->conversation, ==, 0);
    g_assert_cmpint (((SlDraftRecord *) g_ptr_array_index (drafts, 1))->question, ==, 10);
    last = g_ptr_array_index (drafts, 2);
    g_assert_cmpint (last->mode, ==, SL_MODE_FIND);
    g_assert_true (last->raw);
    g_assert_cmpuint (last->parts->len, ==, 2);
    g_assert_cmpstr (((SlPartRecord *) g_ptr_array_index (last->parts, 0))->text, ==, "half a question ");
    g_assert_cmpstr (((SlPartRecord *) g_ptr_array_index (last->parts, 1))->sha256, ==, sl_picture_get_sha256 (picture));
  }

  /* Given up, its picture goes with it; deleted, the conversation takes its drafts along. */
  put_draft (database, 1, 0, NULL, NULL);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  g_assert_true (sl_database_delete_conversation (database, 1, 1000, NULL));
  g_assert_true (sl_database_purge (database, G_MAXINT64, NULL, NULL));
  {
    g_autoptr (GPtrArray) drafts = sl_database_list_drafts (database, NULL);

    g_assert_cmpuint (drafts->len, ==, 1);
  }
  database_test_assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* A picture file that was damaged or lost is reported by name. */
static void
test_check (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  g_autoptr (SlPicture) picture = app_test_make_picture (4, 4, 0x123456);
  g_autoptr (SlMessageRecord) question = app_test_make_message (10, 1, 0, SL_ROLE_USER, "x");
  g_autofree char *path = sl_database_dup_picture_path (dir, sl_picture_get_sha256 (picture), "png");

  database_test_put_conversation (database, 1, "");
  app_test_add_picture (question, picture);
  g_assert_true (sl_database_put_message (database, question, TRUE, NULL));
  database_test_assert_sound (database);
  g_assert_true (g_file_set_contents (path, "other", -1, NULL));
  {
    g_autoptr (GPtrArray) faults = sl_database_check (database, NULL);

    g_assert_cmpuint (faults->len, ==, 1);
    g_assert_nonnull (strstr (g_ptr_array_index (faults, 0), path));
  }
  g_assert_cmpint (g_unlink (path), ==, 0);
  {
    g_autoptr (GPtrArray) faults = sl_database_check (database, NULL);

    g_assert_cmpuint (faults->len, ==, 1);
    g_assert_nonnull (strstr (g_ptr_array_index (faults, 0), path));
  }
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ size */

#define N_CONVERSATIONS 200
#define N_TURNS         50

/* Absolute times belong to the benchmark; this only catches a query that looks at everything for everything. */
static void
test_many (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  g_autoptr (GPtrArray) list = NULL, hits = NULL;
  g_autoptr (GTimer) timer = NULL;

  /* Filling it is not what is tested. */
  g_assert_true (sl_sql_exec (database, "PRAGMA synchronous = OFF", NULL));
  for (gint64 c = 1; c <= N_CONVERSATIONS; c++)
    {
      g_autofree char *title = g_strdup_printf ("conversation %d", (int) c);

      database_test_put_conversation (database, c, title);
      for (gint64 t = 0; t < N_TURNS; t++)
        {
          g_autofree char *text = g_strdup_printf ("turn %d 找到红色的圆形 number%d", (int) t, (int) (c * 1000 + t));

          database_test_put_text (database, c * 1000 + t, c, t > 0 ? c * 1000 + t - 1 : 0, t % 2 ? SL_ROLE_ASSISTANT : SL_ROLE_USER, text);
        }
    }
  timer = g_timer_new ();
  list = sl_database_list (database, NULL);
  g_assert_cmpuint (list->len, ==, N_CONVERSATIONS);
  hits = sl_database_search (database, "红色", 200, NULL);
  g_assert_cmpuint (hits->len, >, 50);
  g_assert_cmpuint (database_test_count_hits (database, "number77013"), ==, 1);
  g_test_message ("list and two searches over %d messages: %.0f ms", N_CONVERSATIONS * N_TURNS, g_timer_elapsed (timer, NULL) * 1000);
  g_assert_cmpfloat (g_timer_elapsed (timer, NULL), <, 2);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

static int
count_thousand (gpointer count)
{
  (*(guint *) count)++;
  return 0;
}

static void
fill_short (SlDatabase *database,
            gint64      from,
            gint64      to)
{
  for (gint64 c = from; c < to; c++)
    {
      database_test_put_conversation (database, c * 10, "title");
      database_test_put_text (database, c * 10 + 1, c * 10, 0, SL_ROLE_USER, "question");
      database_test_put_text (database, c * 10 + 2, c * 10, c * 10 + 1, SL_ROLE_ASSISTANT, "answer");
    }
}

/* The work of a check, in thousands of SQLite's steps, so that no clock is asked. */
static guint
work_of_check (SlDatabase *database)
{
  guint work = 0;

  sqlite3_progress_handler (database->db, 1000, count_thousand, &work);
  database_test_assert_sound (database);
  sqlite3_progress_handler (database->db, 0, NULL, NULL);
  return work;
}

/* Four times the history is four times the work, and a little for deeper trees; looking at everything for everything is sixteen times. */
static void
test_check_grows_with_history (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = database_test_open (dir);
  guint small, large;

  g_assert_true (sl_sql_exec (database, "PRAGMA synchronous = OFF", NULL));
  fill_short (database, 1, 200);
  small = work_of_check (database);
  fill_short (database, 200, 800);
  large = work_of_check (database);
  g_test_message ("%u and %u thousand steps", small, large);
  g_assert_cmpuint (small, >, 0);
  g_assert_cmpuint (large, <=, 5 * small);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/database/round-trip", test_round_trip);
  g_test_add_func ("/database/search", test_search);
  g_test_add_func ("/database/delete-undo-purge", test_delete_undo_purge);
  g_test_add_func ("/database/delete-message", test_delete_message);
  g_test_add_func ("/database/purge-long", test_purge_long);
  g_test_add_func ("/database/drafts", test_drafts);
  g_test_add_func ("/database/check", test_check);
  g_test_add_func ("/database/many", test_many);
  g_test_add_func ("/database/check-grows-with-history", test_check_grows_with_history);
  return g_test_run ();
}
