/* SPDX-License-Identifier: MIT
 *
 * The history's files: what goes in comes out, what is deleted is gone, what is broken, newer, full, locked or read-only is
 * refused with a sentence and left as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "app-test.h"
#include "app/sl-database-private.h"
#include "app/sl-database.h"
#include "app/sl-schema.h"
#include "app/sl-store.h"

static SlDatabase *
open_database (const char *dir)
{
  g_autoptr (GError) error = NULL;
  SlDatabase *database = sl_database_open (dir, SL_DATABASE_WRITE, &error);

  g_assert_no_error (error);
  return database;
}

static void
put_conversation (SlDatabase *database,
                  gint64      id,
                  const char *title)
{
  g_autoptr (SlConversationRecord) record = sl_conversation_record_new ();
  g_autoptr (GError) error = NULL;

  record->id = record->created = record->updated = id;
  record->title = g_strdup (title);
  sl_database_put_conversation (database, record, &error);
  g_assert_no_error (error);
}

static void
put_text (SlDatabase *database,
          gint64      id,
          gint64      conversation,
          gint64      parent,
          SlRole      role,
          const char *text)
{
  g_autoptr (SlMessageRecord) record = app_test_make_message (id, conversation, parent, role, text);
  g_autoptr (GError) error = NULL;

  sl_database_put_message (database, record, TRUE, &error);
  g_assert_no_error (error);
}

static guint
count_hits (SlDatabase *database,
            const char *query)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) hits = sl_database_search (database, query, 100, &error);

  g_assert_no_error (error);
  return hits->len;
}

static void
assert_sound (SlDatabase *database)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) faults = sl_database_check (database, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < faults->len; i++)
    g_test_message ("%s", (char *) g_ptr_array_index (faults, i));
  g_assert_cmpuint (faults->len, ==, 0);
}

/* ------------------------------------------------------------------------------------------------ round trip */

static SlMessageRecord *
make_answer (gint64      id,
             const char *picture)
{
  SlMessageRecord *record = app_test_make_message (id, 1, 10, SL_ROLE_ASSISTANT, "<|ref|>红色的圆形<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>");
  SlGeneration *g = sl_generation_new ();
  SlTokenMark marks[] = { { 7, -0.25f, 3 }, { -1, NAN, 90 } };
  const SlCoordinate coordinates[] = {
    { .token = 0, .index = 0, .whole = TRUE, .mass = 0.75f, .expected = 12.5f, .deviation = 3, .digits = { [1] = 0.5f, [9] = 0.5f } },
    { .token = 1, .index = 3, .mass = 1, .digits = { 1 } },
  };
  SlBoxRecord *box = sl_box_record_new ();
  SlBoxRecord *edited;

  g_free (g->model);
  g->model = g_strdup ("tiny");
  g_free (g->tiling);
  g->tiling = g_strdup ("3×2");
  g->temperature = 0.1;
  g->seed = G_MAXUINT64;
  g->output_tokens = 17;
  g->decode_ms = 12.5;
  g->tiling_changed = TRUE;
  g->stop = SL_STOP_REPETITION;
  g->error = g_strdup ("it said");
  g_array_append_vals (g->tokens, marks, 2);
  sl_generation_add_alternative (g, 0, 7, -0.25f, "红");
  sl_generation_add_alternative (g, 0, 4711, -1.5f, "");
  sl_generation_add_alternative (g, 1, G_MAXINT32, -9, "<|ref|>");
  g_array_append_vals (g->coordinates, coordinates, 2);
  record->generation = g;
  record->mode = SL_MODE_FIND;
  record->status = SL_MESSAGE_STOPPED;
  record->box_picture = g_strdup (picture);
  box->id = 100;
  box->label = g_strdup ("红色的圆形");
  box->label_index = 0;
  box->picture = g_strdup (picture);
  box->status = SL_BOX_CLAMPED;
  box->reason = SL_BOX_REASON_SWAPPED;
  box->confidence = 0.5;
  box->start = 20;
  box->end = 40;
  for (int i = 0; i < 4; i++)
    box->coords[i] = (i + 1) * 100;
  edited = sl_box_record_copy (box);
  edited->id = 101;
  edited->origin = 100;
  edited->kind = SL_BOX_KIND_EDITED;
  edited->coords[0] = 7;
  g_ptr_array_add (record->boxes, box);
  g_ptr_array_add (record->boxes, edited);
  return record;
}

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
  SlDatabase *database = open_database (dir);
  g_autoptr (SlPicture) picture = app_test_make_picture (5, 3, 0xff0000);
  g_autoptr (SlMessageRecord) question = app_test_make_message (10, 1, 0, SL_ROLE_USER, "在图中找到红色的圆形");
  g_autoptr (SlMessageRecord) answer = make_answer (11, sl_picture_get_sha256 (picture));
  g_autoptr (SlConversationRecord) loaded = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = NULL, *bytes = NULL;
  const SlMessageRecord *first, *second;
  const SlPartRecord *part;
  gsize length;

  app_test_add_picture (question, picture);
  ((SlPartRecord *) g_ptr_array_index (question->parts, 1))->detail = SL_DETAIL_LOW;
  put_conversation (database, 1, "Circles");
  g_assert_true (sl_database_put_message (database, question, TRUE, &error));
  g_assert_true (sl_database_put_message (database, answer, TRUE, &error));
  /* Saving again is no second message, and edited boxes keep their origin. */
  g_assert_true (sl_database_put_message (database, answer, TRUE, &error));
  sl_database_close (database);

  database = open_database (dir);
  assert_sound (database);
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
  SlDatabase *database = open_database (dir);
  g_autoptr (GPtrArray) hits = NULL;
  const SlSummaryRecord *hit;

  put_conversation (database, 1, "第一个");
  put_text (database, 10, 1, 0, SL_ROLE_USER, "找到红色的圆形");
  put_conversation (database, 2, "Harbour at night");
  put_text (database, 20, 2, 0, SL_ROLE_USER, "What is the BOAT called?");
  put_text (database, 21, 2, 20, SL_ROLE_ASSISTANT, "A <|ref|>sailing boat<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|> named Café.");

  g_assert_cmpuint (count_hits (database, "红色"), ==, 1);
  g_assert_cmpuint (count_hits (database, "色的圆"), ==, 1);
  g_assert_cmpuint (count_hits (database, "形"), ==, 1);
  g_assert_cmpuint (count_hits (database, "红圆"), ==, 0);
  g_assert_cmpuint (count_hits (database, "boat"), ==, 1);
  g_assert_cmpuint (count_hits (database, "sail"), ==, 1);
  g_assert_cmpuint (count_hits (database, "cafe"), ==, 1);
  g_assert_cmpuint (count_hits (database, "harb"), ==, 1);
  g_assert_cmpuint (count_hits (database, "第一"), ==, 1);
  g_assert_cmpuint (count_hits (database, "boat circle"), ==, 0);
  g_assert_cmpuint (count_hits (database, "det"), ==, 0); /* markup is not a word */
  g_assert_cmpuint (count_hits (database, "\" OR *"), ==, 0);

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
  SlDatabase *database = open_database (dir);
  g_autoptr (SlPicture) shared = app_test_make_picture (4, 4, 0x00ff00), alone = app_test_make_picture (4, 4, 0x0000ff);
  g_autofree char *shared_path = NULL, *alone_path = NULL, *pictures = g_build_filename (dir, "pictures", NULL);
  g_autoptr (GPtrArray) list = NULL;
  guint purged;

  put_conversation (database, 1, "keep");
  put_conversation (database, 2, "xyzzytitle");
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

  g_assert_true (sl_database_delete_conversation (database, 2, NULL));
  g_assert_cmpuint (count_hits (database, "plughword"), ==, 0);
  g_assert_null (sl_database_load (database, 2, NULL));
  g_assert_true (sl_database_undelete_conversation (database, 2, NULL));
  g_assert_cmpuint (count_hits (database, "plughword"), ==, 1);

  g_assert_true (sl_database_delete_conversation (database, 2, NULL));
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
  assert_sound (database);
  /* Really gone: not in free pages, not in the index, not in the log. */
  g_assert_true (app_test_dir_contains (dir, "kept"));
  g_assert_false (app_test_dir_contains (dir, "plughword"));
  g_assert_false (app_test_dir_contains (dir, "xyzzytitle"));
  sl_database_close (database);
  app_test_remove_dir (dir);
}

static guint
count_messages (SlDatabase *database)
{
  g_autoptr (SlConversationRecord) loaded = sl_database_load (database, 1, NULL);

  return loaded->messages->len;
}

static void
test_delete_message (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = open_database (dir);

  put_conversation (database, 1, "");
  put_text (database, 10, 1, 0, SL_ROLE_USER, "first");
  put_text (database, 11, 1, 10, SL_ROLE_ASSISTANT, "second");
  put_text (database, 12, 1, 11, SL_ROLE_USER, "third");
  put_text (database, 13, 1, 12, SL_ROLE_ASSISTANT, "fourth");

  g_assert_true (sl_database_delete_message (database, 13, NULL));
  g_assert_true (sl_database_delete_message (database, 11, NULL));
  g_assert_cmpuint (count_messages (database), ==, 1);
  g_assert_cmpuint (count_hits (database, "third"), ==, 0);
  /* Undoing the second deletion does not undo the first. */
  g_assert_true (sl_database_undelete_message (database, 11, NULL));
  g_assert_cmpuint (count_messages (database), ==, 3);
  g_assert_true (sl_database_purge (database, G_MAXINT64, NULL, NULL));
  g_assert_cmpuint (count_messages (database), ==, 3);
  assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* More turns than SQLite goes down a chain of cascades. */
#define N_LONG 1500

static void
test_purge_long (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = open_database (dir);
  g_autoptr (GError) error = NULL;
  guint purged;

  put_conversation (database, 1, "");
  put_text (database, 10000, 1, 0, SL_ROLE_USER, "first");
  g_assert_true (sl_sql_exec (database,
                              "INSERT INTO message(id, conversation, parent, ordinal, role, mode, raw, status, created)"
                              " WITH RECURSIVE n(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n LIMIT " G_STRINGIFY (N_LONG) ")"
                              " SELECT i, 1, i - 1, 0, 1, 0, 0, 0, 0 FROM n", &error));
  g_assert_cmpuint (count_messages (database), ==, N_LONG + 1);

  g_assert_true (sl_database_delete_message (database, 10001, NULL));
  g_assert_true (sl_database_purge (database, G_MAXINT64, &purged, &error));
  g_assert_cmpuint (purged, ==, N_LONG);
  g_assert_cmpuint (count_messages (database), ==, 1);

  g_assert_true (sl_sql_exec (database,
                              "INSERT INTO message(id, conversation, parent, ordinal, role, mode, raw, status, created)"
                              " WITH RECURSIVE n(i) AS (SELECT 10001 UNION ALL SELECT i + 1 FROM n LIMIT " G_STRINGIFY (N_LONG) ")"
                              " SELECT i, 1, i - 1, 0, 1, 0, 0, 0, 0 FROM n", &error));
  g_assert_true (sl_database_delete_conversation (database, 1, NULL));
  g_assert_true (sl_database_purge (database, G_MAXINT64, NULL, &error));
  g_assert_no_error (error);
  assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

static void
test_sweep (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = open_database (dir);
  g_autofree char *stray = sl_database_dup_picture_path (dir, "0123456789012345678901234567890123456789012345678901234567890123", "png");
  g_autofree char *half = g_strconcat (stray, ".part", NULL);
  g_autofree char *folder = g_path_get_dirname (stray);
  g_autofree char *foreign = g_build_filename (folder, "notes.txt", NULL);
  g_autoptr (GPtrArray) faults = NULL;

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (stray, "x", 1, NULL));
  g_assert_true (g_file_set_contents (half, "x", 1, NULL));
  g_assert_true (g_file_set_contents (foreign, "x", 1, NULL));
  faults = sl_database_check (database, NULL);
  g_assert_cmpuint (faults->len, ==, 2);
  g_assert_true (sl_database_sweep (database, NULL));
  g_assert_false (g_file_test (stray, G_FILE_TEST_EXISTS));
  g_assert_false (g_file_test (half, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (foreign, G_FILE_TEST_EXISTS));
  assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* A picture file that was damaged or lost is reported by name. */
static void
test_check (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = open_database (dir);
  g_autoptr (SlPicture) picture = app_test_make_picture (4, 4, 0x123456);
  g_autoptr (SlMessageRecord) question = app_test_make_message (10, 1, 0, SL_ROLE_USER, "x");
  g_autofree char *path = sl_database_dup_picture_path (dir, sl_picture_get_sha256 (picture), "png");

  put_conversation (database, 1, "");
  app_test_add_picture (question, picture);
  g_assert_true (sl_database_put_message (database, question, TRUE, NULL));
  assert_sound (database);
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

/* ------------------------------------------------------------------------------------------------ versions */

static void
run_sql (const char *dir,
         const char *sql)
{
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
}

static GError *
fail_to_open (const char       *dir,
              SlDatabaseAccess  access)
{
  GError *error = NULL;

  g_assert_null (sl_database_open (dir, access, &error));
  g_assert_nonnull (error);
  g_assert_cmpuint (error->domain, ==, SL_STORE_ERROR);
  g_assert_nonnull (strstr (error->message, dir));
  return error;
}

static void
test_newer_schema (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *before = NULL, *after = NULL;
  g_autoptr (GError) write_error = NULL, read_error = NULL;
  gsize before_length, after_length;

  sl_database_close (open_database (dir));
  run_sql (dir, "PRAGMA user_version = 999");
  g_assert_true (g_file_get_contents (path, &before, &before_length, NULL));
  write_error = fail_to_open (dir, SL_DATABASE_WRITE);
  read_error = fail_to_open (dir, SL_DATABASE_READ);
  g_assert_cmpint (write_error->code, ==, SL_STORE_ERROR_NEWER);
  g_assert_cmpint (read_error->code, ==, SL_STORE_ERROR_NEWER);
  g_assert_nonnull (strstr (write_error->message, "999"));
  g_assert_true (g_file_get_contents (path, &after, &after_length, NULL));
  g_assert_cmpmem (before, before_length, after, after_length);
  app_test_remove_dir (dir);
}

static void
test_migrate (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *backups = g_build_filename (dir, "backups", NULL);
  const char *steps[SL_DATABASE_VERSION + 2];
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) handle = NULL;
  g_autofree char *backup = NULL;
  g_autofree char *prefix = g_strdup_printf ("history-v%03d-", SL_DATABASE_VERSION);
  SlDatabase *database = open_database (dir);
  sqlite3 *db = NULL;

  memcpy (steps, sl_schema_migrations, SL_DATABASE_VERSION * sizeof steps[0]);
  steps[SL_DATABASE_VERSION] = "ALTER TABLE conversation ADD COLUMN colour TEXT";
  steps[SL_DATABASE_VERSION + 1] = "CREATE TABLE half (a); SELECT nothing FROM nowhere";
  put_conversation (database, 1, "before the change");
  sl_database_close (database);

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_true (sl_schema_migrate (db, path, steps, SL_DATABASE_VERSION + 1, &error));
  g_assert_no_error (error);
  g_assert_cmpint (sqlite3_exec (db, "UPDATE conversation SET colour = 'red'", NULL, NULL, NULL), ==, SQLITE_OK);

  /* A step that fails leaves the version before it. */
  g_assert_false (sl_schema_migrate (db, path, steps, SL_DATABASE_VERSION + 2, &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_IO);
  g_clear_error (&error);
  g_assert_true (sl_schema_check_version (db, path, SL_DATABASE_VERSION + 1, &error));
  g_assert_cmpint (sqlite3_exec (db, "SELECT * FROM half", NULL, NULL, NULL), !=, SQLITE_OK);
  sqlite3_close (db);

  /* The backup is the whole history as it was. */
  handle = g_dir_open (backups, 0, NULL);
  g_assert_nonnull (handle);
  for (const char *name; (name = g_dir_read_name (handle)) != NULL;)
    if (g_str_has_prefix (name, prefix))
      backup = g_build_filename (backups, name, NULL);
  g_assert_nonnull (backup);
  g_assert_cmpint (g_rename (backup, path), ==, 0);
  database = open_database (dir);
  g_assert_cmpuint (count_hits (database, "change"), ==, 1);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* An answer that version 1 stored has no alternatives, and its boxes' words for what is wrong are understood. */
static void
test_version_1 (void)
{
  static const char rows[] =
    "INSERT INTO conversation(id, created, updated, title) VALUES (1, 5, 5, 'old');"
    "INSERT INTO message(id, conversation, ordinal, role, mode, raw, status, created) VALUES (10, 1, 0, 2, 0, 0, 0, 6);"
    "INSERT INTO message_part(message, position, kind, text) VALUES (10, 0, 0, 'an answer');"
    "INSERT INTO generation VALUES (10, 'm', '/m', 'f32', 'cpu', '', 0, 1, 0, 1, 7, 0, 1, 1, 0, 1, 2, 9, 0, 0, 0, 0, 0, 0, 1, NULL,"
    " x'070000000000803f03000000');"
    "INSERT INTO box(id, message, ordinal, kind, label, label_index, x1, y1, x2, y2, status, reason, confidence, text_start, text_end)"
    " VALUES (20, 10, 0, 0, 'a', 0, 1, 2, 3, 4, 'clamped', 'the corners were swapped', 0.5, 0, 3),"
    " (21, 10, 1, 0, 'b', 0, 1, 2, 3, 4, 'clamped', 'for a reason of the future', 0.5, 0, 3);"
    "PRAGMA application_id = 0x534c6974; PRAGMA user_version = 1;";
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autoptr (SlConversationRecord) loaded = NULL;
  g_autoptr (GError) error = NULL;
  SlDatabase *database;
  const SlMessageRecord *message;
  sqlite3 *db = NULL;

  g_assert_cmpint (sqlite3_open (path, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sl_schema_migrations[0], NULL, NULL, NULL), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, rows, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
  database = open_database (dir);
  loaded = sl_database_load (database, 1, &error);
  g_assert_no_error (error);
  message = g_ptr_array_index (loaded->messages, 0);
  g_assert_cmpuint (message->generation->tokens->len, ==, 1);
  g_assert_cmpuint (message->generation->alternatives->len, ==, 0);
  g_assert_cmpuint (message->generation->coordinates->len, ==, 0);
  g_assert_cmpint (((SlBoxRecord *) g_ptr_array_index (message->boxes, 0))->reason, ==, SL_BOX_REASON_SWAPPED);
  g_assert_cmpint (((SlBoxRecord *) g_ptr_array_index (message->boxes, 1))->reason, ==, SL_BOX_REASON_NONE);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* Bytes that end anywhere, or claim a text that is not there, are read as far as they go. */
static void
test_damaged_blobs (void)
{
  g_autoptr (SlMessageRecord) answer = make_answer (11, NULL);
  g_autoptr (GByteArray) alternatives = sl_generation_pack_alternatives (answer->generation);
  g_autoptr (GByteArray) coordinates = sl_generation_pack_coordinates (answer->generation);

  for (guint length = 0; length <= alternatives->len; length++)
    {
      g_autoptr (SlGeneration) g = sl_generation_new ();
      g_autofree guint8 *exact = g_memdup2 (alternatives->data, length);

      sl_generation_unpack_alternatives (g, exact, length);
      g_assert_cmpuint (g->alternatives->len, <=, 3);
      g_assert_cmpint (g->alternatives->len == 3, ==, length == alternatives->len);
    }
  for (guint length = 0; length <= coordinates->len; length++)
    {
      g_autoptr (SlGeneration) g = sl_generation_new ();
      g_autofree guint8 *exact = g_memdup2 (coordinates->data, length);

      sl_generation_unpack_coordinates (g, exact, length);
      g_assert_cmpuint (g->coordinates->len, ==, length / (coordinates->len / 2));
    }
}

static void
test_not_a_history (void)
{
  static const char *const contents[] = { "this is no database, only some text that is long enough to be read as a page header" };
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *after = NULL;
  g_autoptr (GError) garbage = NULL, foreign = NULL;

  g_assert_true (g_file_set_contents (path, contents[0], -1, NULL));
  garbage = fail_to_open (dir, SL_DATABASE_WRITE);
  g_assert_cmpint (garbage->code, ==, SL_STORE_ERROR_CORRUPT);
  g_assert_true (g_file_get_contents (path, &after, NULL, NULL));
  g_assert_cmpstr (after, ==, contents[0]);

  g_assert_cmpint (g_unlink (path), ==, 0);
  run_sql (dir, "CREATE TABLE somebody_elses (a)");
  foreign = fail_to_open (dir, SL_DATABASE_WRITE);
  g_assert_cmpint (foreign->code, ==, SL_STORE_ERROR_CORRUPT);
  app_test_remove_dir (dir);
}

/* Damage inside a page is found when it is read, and is an error, not a crash. */
static void
test_damaged (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *bytes = NULL;
  g_autoptr (GError) error = NULL;
  SlDatabase *database = open_database (dir);
  gsize length;

  put_conversation (database, 1, "title");
  for (gint64 i = 0; i < 50; i++)
    put_text (database, 10 + i, 1, i > 0 ? 9 + i : 0, i % 2 ? SL_ROLE_ASSISTANT : SL_ROLE_USER, "some words to fill pages with");
  sl_database_close (database);
  g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
  for (gsize i = 4096 * 3; i < length; i++)
    bytes[i] = (char) (i * 37);
  g_assert_true (g_file_set_contents (path, bytes, length, NULL));

  database = sl_database_open (dir, SL_DATABASE_WRITE, &error);
  if (database != NULL)
    {
      g_autoptr (GPtrArray) faults = sl_database_check (database, &error);

      g_assert_true (faults == NULL || faults->len > 0);
    }
  if (error != NULL)
    g_assert_nonnull (strstr (error->message, path));
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ lock, rights, space */

static void
test_locked (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *first = open_database (dir);
  g_autoptr (GError) error = fail_to_open (dir, SL_DATABASE_WRITE);
  SlDatabase *reader;

  g_assert_cmpint (error->code, ==, SL_STORE_ERROR_LOCKED);
  g_clear_error (&error);
  put_conversation (first, 1, "t");
  reader = sl_database_open (dir, SL_DATABASE_READ, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (count_hits (reader, "t"), ==, 1);
  sl_database_close (reader);
  sl_database_close (first);
  sl_database_close (open_database (dir));
  app_test_remove_dir (dir);
}

/* Runs as a child without a superuser's rights, which would make every folder writable. Exit code 0: as it should be. */
static int
open_read_only_home (const char *dir)
{
  g_autofree char *below = g_build_filename (dir, "new", NULL);
  g_autoptr (GError) fresh = NULL, existing = NULL, read = NULL;
  SlDatabase *reader;

  if (geteuid () == 0 && (setegid (65534) != 0 || seteuid (65534) != 0))
    return 1;
  if (sl_database_open (below, SL_DATABASE_WRITE, &fresh) != NULL || !g_error_matches (fresh, SL_STORE_ERROR, SL_STORE_ERROR_READ_ONLY))
    return 2;
  if (sl_database_open (dir, SL_DATABASE_WRITE, &existing) != NULL
      || !g_error_matches (existing, SL_STORE_ERROR, SL_STORE_ERROR_READ_ONLY))
    return 3;
  reader = sl_database_open (dir, SL_DATABASE_READ, &read);
  if (reader == NULL || count_hits (reader, "still") != 1)
    return 4;
  sl_database_close (reader);
  return 0;
}

static void
test_read_only (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *lock = g_build_filename (dir, "history.lock", NULL);
  SlDatabase *database = open_database (dir);
  int status;
  pid_t child;

  put_conversation (database, 1, "still here");
  sl_database_close (database);
  g_assert_cmpint (g_chmod (path, 0444), ==, 0);
  g_assert_cmpint (g_chmod (lock, 0444), ==, 0);
  g_assert_cmpint (g_chmod (dir, 0555), ==, 0);
  child = fork ();
  if (child == 0)
    _exit (open_read_only_home (dir));
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  g_assert_cmpint (g_chmod (dir, 0755), ==, 0);
  app_test_remove_dir (dir);
}

static void
limit_files (rlim_t bytes)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = bytes;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

static void
test_full (void)
{
  char *dir = app_test_make_dir ();
  SlDatabase *database = open_database (dir);
  g_autofree char *words = g_strnfill (600 * 1000, 'w');
  g_autoptr (SlMessageRecord) big = app_test_make_message (11, 1, 10, SL_ROLE_ASSISTANT, words);
  g_autoptr (SlPicture) picture = app_test_make_picture (300, 300, 0xabcdef);
  g_autoptr (SlMessageRecord) shown = app_test_make_message (12, 1, 10, SL_ROLE_USER, "look");
  g_autoptr (GError) error = NULL;

  signal (SIGXFSZ, SIG_IGN);
  put_conversation (database, 1, "t");
  put_text (database, 10, 1, 0, SL_ROLE_USER, "before");
  g_assert_true (sl_sql_exec (database, "PRAGMA max_page_count = 90", &error));
  g_assert_false (sl_database_put_message (database, big, TRUE, &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_FULL);
  g_assert_nonnull (strstr (error->message, dir));
  g_clear_error (&error);
  g_assert_cmpuint (count_messages (database), ==, 1);
  g_assert_true (sl_sql_exec (database, "PRAGMA max_page_count = 1000000", &error));

  /* A write that fails in the middle of the log. */
  limit_files (300 * 1000);
  g_assert_false (sl_database_put_message (database, big, TRUE, &error));
  g_assert_nonnull (strstr (error->message, dir));
  g_clear_error (&error);
  g_assert_cmpuint (count_messages (database), ==, 1);

  limit_files (100);
  app_test_add_picture (shown, picture);
  g_assert_false (sl_database_put_message (database, shown, TRUE, &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_FULL);
  g_clear_error (&error);

  limit_files (RLIM_INFINITY);
  g_assert_true (sl_database_put_message (database, big, TRUE, &error));
  g_assert_true (sl_database_put_message (database, shown, TRUE, &error));
  g_assert_cmpuint (count_messages (database), ==, 3);
  assert_sound (database);
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
  SlDatabase *database = open_database (dir);
  g_autoptr (GPtrArray) list = NULL, hits = NULL;
  g_autoptr (GTimer) timer = NULL;

  /* Filling it is not what is tested. */
  g_assert_true (sl_sql_exec (database, "PRAGMA synchronous = OFF", NULL));
  for (gint64 c = 1; c <= N_CONVERSATIONS; c++)
    {
      g_autofree char *title = g_strdup_printf ("conversation %d", (int) c);

      put_conversation (database, c, title);
      for (gint64 t = 0; t < N_TURNS; t++)
        {
          g_autofree char *text = g_strdup_printf ("turn %d 找到红色的圆形 number%d", (int) t, (int) (c * 1000 + t));

          put_text (database, c * 1000 + t, c, t > 0 ? c * 1000 + t - 1 : 0, t % 2 ? SL_ROLE_ASSISTANT : SL_ROLE_USER, text);
        }
    }
  timer = g_timer_new ();
  list = sl_database_list (database, NULL);
  g_assert_cmpuint (list->len, ==, N_CONVERSATIONS);
  hits = sl_database_search (database, "红色", 200, NULL);
  g_assert_cmpuint (hits->len, >, 50);
  g_assert_cmpuint (count_hits (database, "number77013"), ==, 1);
  g_test_message ("list and two searches over %d messages: %.0f ms", N_CONVERSATIONS * N_TURNS, g_timer_elapsed (timer, NULL) * 1000);
  g_assert_cmpfloat (g_timer_elapsed (timer, NULL), <, 2);
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
  g_test_add_func ("/database/sweep", test_sweep);
  g_test_add_func ("/database/check", test_check);
  g_test_add_func ("/database/newer-schema", test_newer_schema);
  g_test_add_func ("/database/migrate", test_migrate);
  g_test_add_func ("/database/version-1", test_version_1);
  g_test_add_func ("/database/damaged-blobs", test_damaged_blobs);
  g_test_add_func ("/database/not-a-history", test_not_a_history);
  g_test_add_func ("/database/damaged", test_damaged);
  g_test_add_func ("/database/locked", test_locked);
  g_test_add_func ("/database/read-only", test_read_only);
  g_test_add_func ("/database/full", test_full);
  g_test_add_func ("/database/many", test_many);
  return g_test_run ();
}
