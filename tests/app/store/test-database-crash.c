/* SPDX-License-Identifier: MIT
 *
 * Nothing is lost when a list is: files that a database does not know stay, whatever state it is in. What a crash leaves between a file
 * and its row, in the middle of a purge or of an answer, is ended by the next start.
 */
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include <glib/gstdio.h>

#include "app/store/sl-database-private.h"
#include "app/store/sl-picture-files.h"
#include "database-test.h"

#define DAY (24 * 60 * 60)

/* Opens as a start of the program does. */
static SlDatabase *
start (const char *dir)
{
  SlDatabase *database = database_test_open (dir);
  g_autoptr (GError) error = NULL;

  g_assert_true (sl_database_purge (database, G_MAXINT64, NULL, &error));
  g_assert_true (sl_database_sweep (database, &error));
  g_assert_no_error (error);
  return database;
}

static void
ask_about (SlDatabase *database,
           gint64      id,
           SlPicture  *picture)
{
  g_autoptr (SlMessageRecord) question = app_test_make_message (id, 1, 0, SL_ROLE_USER, "look");
  g_autoptr (GError) error = NULL;

  app_test_add_picture (question, picture);
  g_assert_true (sl_database_put_message (database, question, TRUE, &error));
  g_assert_no_error (error);
}

static char *
path_of (const char *dir,
         const char *below,
         SlPicture  *picture)
{
  g_autofree char *folder = below != NULL ? g_build_filename (dir, below, NULL) : g_strdup (dir);

  return sl_database_dup_picture_path (folder, sl_picture_get_sha256 (picture), "png");
}

static gboolean
exists (const char *path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

/* ------------------------------------------------------------------------------------------------ a list that was lost */

typedef void (*LoseList) (const char *path, const char *older);

static void
empty_it (const char *path,
          const char *older)
{
  g_assert_true (g_file_set_contents (path, "", 0, NULL));
}

static void
take_it_away (const char *path,
              const char *older)
{
  g_assert_cmpint (g_unlink (path), ==, 0);
}

static void
put_back_an_older_one (const char *path,
                       const char *older)
{
  g_autofree char *bytes = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (older, &bytes, &length, NULL));
  g_assert_true (g_file_set_contents (path, bytes, length, NULL));
}

static void
copy (const char *from,
      const char *to)
{
  g_autoptr (GFile) source = g_file_new_for_path (from), target = g_file_new_for_path (to);

  g_assert_true (g_file_copy (source, target, G_FILE_COPY_OVERWRITE, NULL, NULL, NULL, NULL));
}

static void
test_lost_list (gconstpointer data)
{
  LoseList lose = *(const LoseList *) data;
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *older = g_build_filename (dir, "older", NULL), *whole = g_build_filename (dir, "whole", NULL);
  g_autofree char *session = g_build_filename (dir, "sessions", "1.session", NULL);
  g_autofree char *sessions = g_path_get_dirname (session);
  g_autoptr (SlPicture) first = app_test_make_picture (4, 4, 0x123456), second = app_test_make_picture (4, 4, 0x654321);
  g_autofree char *first_path = path_of (dir, NULL, first), *second_path = path_of (dir, NULL, second);
  SlDatabase *database = start (dir);

  g_assert_null (sl_database_get_notice (database));
  database_test_put_conversation (database, 1, "a title");
  ask_about (database, 10, first);
  sl_database_close (database);
  copy (path, older);
  database = start (dir);
  ask_about (database, 11, second);
  sl_database_close (database);
  copy (path, whole);
  g_assert_cmpint (g_mkdir_with_parents (sessions, 0700), ==, 0);
  g_assert_true (g_file_set_contents (session, "read", -1, NULL));

  lose (path, older);
  for (int starts = 0; starts < 3; starts++)
    {
      database = start (dir);
      if (starts == 0 && lose != put_back_an_older_one)
        g_assert_nonnull (strstr (sl_database_get_notice (database), path));
      database_test_put_conversation (database, 2, "of another history");
      sl_database_close (database);
      g_assert_true (exists (first_path));
      g_assert_true (exists (second_path));
      g_assert_true (exists (session));
    }

  copy (whole, path);
  database = start (dir);
  g_assert_cmpuint (database_test_count_messages (database), ==, 2);
  database_test_assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* The log of a history whose file is away is not SQLite's to throw away. */
static void
test_lost_with_log (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL), *log = g_strconcat (path, "-wal", NULL);

  g_assert_true (g_file_set_contents (log, "precious", -1, NULL));
  sl_database_close (start (dir));
  g_assert_true (app_test_dir_contains (dir, "precious"));
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ between file and row */

/* As after kill -9 in the middle of sl_database_put_message(). */
static void
leave_file_without_row (SlDatabase *database,
                        const char *dir,
                        SlPicture  *picture)
{
  g_autoptr (SlMessageRecord) question = app_test_make_message (10, 1, 0, SL_ROLE_USER, "look");
  g_autofree char *pictures = g_build_filename (dir, "pictures", NULL);
  g_autoptr (GError) error = NULL;

  app_test_add_picture (question, picture);
  g_assert_true (sl_database_note_arriving (database, question->parts, &error));
  g_assert_true (sl_picture_files_write (pictures, sl_picture_get_sha256 (picture), "png", sl_picture_get_bytes (picture), &error));
  g_assert_no_error (error);
}

static void
test_arrived_without_row (void)
{
  char *dir = app_test_make_dir ();
  g_autoptr (SlPicture) picture = app_test_make_picture (4, 4, 0x123456);
  g_autofree char *path = path_of (dir, NULL, picture), *held = path_of (dir, "removed", picture);
  g_autofree char *half = g_strconcat (path, ".part", NULL);
  struct utimbuf old = { 1000, 1000 };
  SlDatabase *database = start (dir);

  leave_file_without_row (database, dir, picture);
  g_assert_true (g_file_set_contents (half, "x", 1, NULL));
  sl_database_close (database);
  database = start (dir);
  g_assert_false (exists (path));
  g_assert_false (exists (half));
  g_assert_true (exists (held));
  database_test_assert_sound (database);

  /* Held for thirty days from then on, and back as soon as a row knows it. */
  sl_database_close (database);
  database = start (dir);
  g_assert_true (exists (held));
  database_test_put_conversation (database, 1, "");
  ask_about (database, 10, picture);
  g_assert_cmpint (g_unlink (path), ==, 0);
  sl_database_close (database);
  database = start (dir);
  g_assert_true (exists (path));
  g_assert_false (exists (held));
  database_test_assert_sound (database);

  g_assert_true (sl_database_delete_conversation (database, 1, 1000, NULL));
  sl_database_close (database);
  database = start (dir);
  g_assert_false (exists (path));
  leave_file_without_row (database, dir, picture);
  g_assert_true (sl_database_sweep (database, NULL));
  g_assert_cmpint (g_utime (held, &old), ==, 0);
  g_assert_true (sl_database_sweep (database, NULL));
  g_assert_false (exists (held));
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* A file that cannot be removed: the rows are gone, the sentence names it, and the next start ends it, the words' traces too. */
static void
test_purge_half_done (void)
{
  char *dir = app_test_make_dir ();
  g_autoptr (SlPicture) picture = app_test_make_picture (4, 4, 0x123456);
  g_autofree char *path = path_of (dir, NULL, picture);
  g_autofree char *inside = g_build_filename (path, "in the way", NULL);
  g_autofree char *session = g_build_filename (dir, "sessions", "1.session", NULL), *sessions = g_path_get_dirname (session);
  g_autoptr (GError) error = NULL;
  SlDatabase *database = start (dir);
  guint purged;

  database_test_put_conversation (database, 1, "xyzzytitle");
  database_test_put_text (database, 9, 1, 0, SL_ROLE_USER, "plughword");
  ask_about (database, 10, picture);
  g_assert_cmpint (g_mkdir_with_parents (sessions, 0700), ==, 0);
  g_assert_true (g_file_set_contents (session, "plughword was read", -1, NULL));
  g_assert_cmpint (g_unlink (path), ==, 0);
  g_assert_cmpint (g_mkdir_with_parents (inside, 0700), ==, 0);

  g_assert_true (sl_database_delete_conversation (database, 1, 1000, NULL));
  g_assert_false (sl_database_purge (database, G_MAXINT64, &purged, &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_REFUSED);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_cmpuint (purged, ==, 1);
  g_assert_false (exists (session));
  sl_database_close (database);

  g_assert_cmpint (g_rmdir (inside), ==, 0);
  g_assert_cmpint (g_rmdir (path), ==, 0);
  g_assert_true (g_file_set_contents (path, "still there", -1, NULL));
  database = start (dir);
  g_assert_false (exists (path));
  database_test_tidy (database);
  g_assert_false (app_test_dir_contains (dir, "plughword"));
  g_assert_false (app_test_dir_contains (dir, "xyzzytitle"));
  database_test_assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* A backup from before a change of the schema holds what was deleted since: it goes after thirty days. */
static void
test_old_backups (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *folder = g_build_filename (dir, "backups", NULL);
  g_autofree char *old = g_build_filename (folder, "history-v001-20200101T000000Z.db", NULL);
  g_autofree char *fresh = g_build_filename (folder, "history-v002-20200101T000000Z.db", NULL);
  g_autofree char *other = g_build_filename (folder, "mine.db", NULL);
  gint64 now = g_get_real_time () / G_USEC_PER_SEC;
  struct utimbuf after = { now - 31 * DAY, now - 31 * DAY }, before = { now - 29 * DAY, now - 29 * DAY };

  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  g_assert_true (g_file_set_contents (old, "x", 1, NULL));
  g_assert_true (g_file_set_contents (fresh, "x", 1, NULL));
  g_assert_true (g_file_set_contents (other, "x", 1, NULL));
  g_assert_cmpint (g_utime (old, &after), ==, 0);
  g_assert_cmpint (g_utime (fresh, &before), ==, 0);
  g_assert_cmpint (g_utime (other, &after), ==, 0);
  sl_database_close (start (dir));
  g_assert_false (exists (old));
  g_assert_true (exists (fresh));
  g_assert_true (exists (other));
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ in the middle of an answer */

static void
test_interrupted_boxes (void)
{
  static const char text[] = "<|ref|>a<|/ref|><|det|>[[1, 2, 30, 40]]<|/det|> and <|ref|>b<|/ref|><|det|>[[5, 6, 70, 80], [9, 9";
  char *dir = app_test_make_dir ();
  g_autoptr (SlPicture) picture = app_test_make_picture (4, 4, 0x123456);
  g_autoptr (SlMessageRecord) answer = app_test_make_message (11, 1, 10, SL_ROLE_ASSISTANT, "");
  g_autoptr (SlConversationRecord) loaded = NULL;
  SlDatabase *database = start (dir);
  const SlMessageRecord *message;
  const SlBoxRecord *second;

  database_test_put_conversation (database, 1, "");
  ask_about (database, 10, picture);
  answer->status = SL_MESSAGE_STREAMING;
  answer->box_picture = g_strdup (sl_picture_get_sha256 (picture));
  g_assert_true (sl_database_put_message (database, answer, TRUE, NULL));
  g_assert_true (sl_database_put_progress (database, 11, text, NULL));
  sl_database_close (database);

  /* Twice: the second start must not add them again. */
  sl_database_close (start (dir));
  database = start (dir);
  loaded = sl_database_load (database, 1, NULL);
  message = g_ptr_array_index (loaded->messages, 1);
  g_assert_cmpint (message->status, ==, SL_MESSAGE_INTERRUPTED);
  g_assert_cmpuint (message->boxes->len, ==, 3);
  second = g_ptr_array_index (message->boxes, 1);
  g_assert_cmpstr (second->label, ==, "b");
  g_assert_cmpint (second->coords[3], ==, 80);
  g_assert_cmpint (second->status, ==, SL_BOX_OK);
  g_assert_cmpstr (second->picture, ==, answer->box_picture);
  g_assert_cmpint (((SlBoxRecord *) g_ptr_array_index (message->boxes, 2))->status, ==, SL_BOX_INCOMPLETE);
  database_test_assert_sound (database);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

int
main (int    argc,
      char **argv)
{
  static const LoseList ways[] = { empty_it, take_it_away, put_back_an_older_one };

  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/database-crash/emptied-list", &ways[0], test_lost_list);
  g_test_add_data_func ("/database-crash/missing-list", &ways[1], test_lost_list);
  g_test_add_data_func ("/database-crash/older-list", &ways[2], test_lost_list);
  g_test_add_func ("/database-crash/lost-with-log", test_lost_with_log);
  g_test_add_func ("/database-crash/arrived-without-row", test_arrived_without_row);
  g_test_add_func ("/database-crash/purge-half-done", test_purge_half_done);
  g_test_add_func ("/database-crash/old-backups", test_old_backups);
  g_test_add_func ("/database-crash/interrupted-boxes", test_interrupted_boxes);
  return g_test_run ();
}
