/* SPDX-License-Identifier: MIT
 *
 * The history's files: what is old is brought up to date; what is broken, newer, full, locked or read-only is refused with a
 * sentence and left as it is.
 */

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"
#include "app/store/sl-schema.h"
#include "app/store/sl-store.h"
#include "database-test.h"

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

  sl_database_close (database_test_open (dir));
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
  SlDatabase *database = database_test_open (dir);
  sqlite3 *db = NULL;

  memcpy (steps, sl_schema_migrations, SL_DATABASE_VERSION * sizeof steps[0]);
  steps[SL_DATABASE_VERSION] = "ALTER TABLE conversation ADD COLUMN colour TEXT";
  steps[SL_DATABASE_VERSION + 1] = "CREATE TABLE half (a); SELECT nothing FROM nowhere";
  database_test_put_conversation (database, 1, "before the change");
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
  database = database_test_open (dir);
  g_assert_cmpuint (database_test_count_hits (database, "change"), ==, 1);
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
  database = database_test_open (dir);
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

/* Somebody who only reads brings nothing up to date, and can read it nevertheless. */
static void
test_read_older (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *before = NULL, *after = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlConversationRecord) loaded = NULL;
  SlDatabase *database;
  gsize before_length, after_length;

  run_sql (dir, sl_schema_migrations[0]);
  run_sql (dir, "INSERT INTO conversation(id, created, updated, title) VALUES (1, 5, 5, 'old');"
                "INSERT INTO message(id, conversation, ordinal, role, mode, raw, status, created) VALUES (10, 1, 0, 2, 0, 0, 0, 6);"
                "INSERT INTO message_part(message, position, kind, text) VALUES (10, 0, 0, 'an answer');"
                "PRAGMA application_id = 0x534c6974; PRAGMA user_version = 1;");
  g_assert_true (g_file_get_contents (path, &before, &before_length, NULL));
  database = sl_database_open (dir, SL_DATABASE_READ, &error);
  g_assert_no_error (error);
  loaded = sl_database_load (database, 1, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (loaded->messages->len, ==, 1);
  sl_database_close (database);
  g_assert_true (g_file_get_contents (path, &after, &after_length, NULL));
  g_assert_cmpmem (before, before_length, after, after_length);
  app_test_remove_dir (dir);
}

/* Bytes that end anywhere, or claim a text that is not there, are read as far as they go. */
static void
test_damaged_blobs (void)
{
  g_autoptr (SlMessageRecord) answer = database_test_make_answer (11, NULL);
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
  SlDatabase *database = database_test_open (dir);
  gsize length;

  database_test_put_conversation (database, 1, "title");
  for (gint64 i = 0; i < 50; i++)
    database_test_put_text (database, 10 + i, 1, i > 0 ? 9 + i : 0, i % 2 ? SL_ROLE_ASSISTANT : SL_ROLE_USER, "some words to fill pages with");
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
  SlDatabase *first = database_test_open (dir);
  g_autoptr (GError) error = fail_to_open (dir, SL_DATABASE_WRITE);
  SlDatabase *reader;

  g_assert_cmpint (error->code, ==, SL_STORE_ERROR_LOCKED);
  g_clear_error (&error);
  database_test_put_conversation (first, 1, "t");
  reader = sl_database_open (dir, SL_DATABASE_READ, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (database_test_count_hits (reader, "t"), ==, 1);
  sl_database_close (reader);
  sl_database_close (first);
  sl_database_close (database_test_open (dir));
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
  if (reader == NULL || database_test_count_hits (reader, "still") != 1)
    return 4;
  if (database_test_count_hits (reader, "newest") != 1)
    return 5;
  sl_database_close (reader);
  return 0;
}

static void
test_read_only (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *lock = g_build_filename (dir, "history.lock", NULL);
  g_autofree char *log = g_strconcat (path, "-wal", NULL);
  SlDatabase *database = database_test_open (dir);
  int status;
  pid_t child;

  database_test_put_conversation (database, 1, "still here");
  sl_database_close (database);
  /* A crash leaves what was said last in the log beside the file. */
  child = fork ();
  if (child == 0)
    {
      database = database_test_open (dir);
      database_test_put_conversation (database, 2, "the newest");
      _exit (0);
    }
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (g_file_test (log, G_FILE_TEST_EXISTS));
  g_assert_cmpint (g_chmod (log, 0444), ==, 0);
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
  SlDatabase *database = database_test_open (dir);
  g_autofree char *words = g_strnfill (600 * 1000, 'w');
  g_autoptr (SlMessageRecord) big = app_test_make_message (11, 1, 10, SL_ROLE_ASSISTANT, words);
  g_autoptr (SlPicture) picture = app_test_make_picture (300, 300, 0xabcdef);
  g_autoptr (SlMessageRecord) shown = app_test_make_message (12, 1, 10, SL_ROLE_USER, "look");
  g_autoptr (GError) error = NULL;

  signal (SIGXFSZ, SIG_IGN);
  database_test_put_conversation (database, 1, "t");
  database_test_put_text (database, 10, 1, 0, SL_ROLE_USER, "before");
  g_assert_true (sl_sql_exec (database, "PRAGMA max_page_count = 90", &error));
  g_assert_false (sl_database_put_message (database, big, TRUE, &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_FULL);
  g_assert_nonnull (strstr (error->message, dir));
  g_clear_error (&error);
  g_assert_cmpuint (database_test_count_messages (database), ==, 1);
  g_assert_true (sl_sql_exec (database, "PRAGMA max_page_count = 1000000", &error));

  /* A write that fails in the middle of the log. */
  limit_files (300 * 1000);
  g_assert_false (sl_database_put_message (database, big, TRUE, &error));
  g_assert_nonnull (strstr (error->message, dir));
  g_clear_error (&error);
  g_assert_cmpuint (database_test_count_messages (database), ==, 1);

  limit_files (100);
  app_test_add_picture (shown, picture);
  g_assert_false (sl_database_put_message (database, shown, TRUE, &error));
  g_assert_nonnull (strstr (error->message, dir));
  g_clear_error (&error);
  g_assert_false (sl_picture_files_write (dir, sl_picture_get_sha256 (picture), "png", sl_picture_get_bytes (picture), &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_FULL);
  g_assert_nonnull (strstr (error->message, dir));
  g_clear_error (&error);

  limit_files (RLIM_INFINITY);
  g_assert_true (sl_database_put_message (database, big, TRUE, &error));
  g_assert_true (sl_database_put_message (database, shown, TRUE, &error));
  g_assert_cmpuint (database_test_count_messages (database), ==, 3);
  database_test_assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/database-files/newer-schema", test_newer_schema);
  g_test_add_func ("/database-files/migrate", test_migrate);
  g_test_add_func ("/database-files/version-1", test_version_1);
  g_test_add_func ("/database-files/read-older", test_read_older);
  g_test_add_func ("/database-files/damaged-blobs", test_damaged_blobs);
  g_test_add_func ("/database-files/not-a-history", test_not_a_history);
  g_test_add_func ("/database-files/damaged", test_damaged);
  g_test_add_func ("/database-files/locked", test_locked);
  g_test_add_func ("/database-files/read-only", test_read_only);
  g_test_add_func ("/database-files/full", test_full);
  return g_test_run ();
}
