/* SPDX-License-Identifier: MIT
 *
 * A history that is locked, damaged, read-only or in the way: what is said meanwhile waits and is not lost, what can be read is read,
 * and it is mended while the program runs.
 */
#include <string.h>
#include <sys/file.h>

#include <fcntl.h>
#include <unistd.h>

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "app/store/sl-database.h"
#include "app/store/sl-store.h"
#include "app-test.h"

/* As the linker's --wrap wants them; seconds that the clock was set by, and that have passed without anybody waiting. */
gint64 __real_g_get_real_time (void);
gint64 __real_g_get_monotonic_time (void);
gint64 __wrap_g_get_real_time (void);
gint64 __wrap_g_get_monotonic_time (void);

static gint clock_set_by, time_passed;

gint64
__wrap_g_get_real_time (void)
{
  return __real_g_get_real_time () + (gint64) g_atomic_int_get (&clock_set_by) * G_USEC_PER_SEC;
}

gint64
__wrap_g_get_monotonic_time (void)
{
  return __real_g_get_monotonic_time () + (gint64) g_atomic_int_get (&time_passed) * G_USEC_PER_SEC;
}

/* ------------------------------------------------------------------------------------------------ helpers */

static void
put_conversation (SlStore    *store,
                  gint64      id,
                  const char *title)
{
  g_autoptr (SlConversationRecord) record = sl_conversation_record_new ();

  record->id = record->created = record->updated = id;
  record->title = g_strdup (title);
  sl_store_put_conversation (store, record);
}

static void
put_text (SlStore    *store,
          gint64      id,
          gint64      conversation,
          const char *text)
{
  g_autoptr (SlMessageRecord) record = app_test_make_message (id, conversation, 0, SL_ROLE_USER, text);

  sl_store_put_message (store, record, TRUE);
}

static guint
count_listed (SlStore  *store,
              GError  **error)
{
  GAsyncResult *slot = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GPtrArray) list = NULL;

  sl_store_list_async (store, NULL, app_test_store_result, &slot);
  result = app_test_wait_result (&slot);
  list = sl_store_list_finish (store, result, error);
  return list != NULL ? list->len : 0;
}

static guint
count_listed_well (SlStore *store)
{
  g_autoptr (GError) error = NULL;
  guint count = count_listed (store, &error);

  g_assert_no_error (error);
  return count;
}

static gboolean
mend (SlStore      *store,
      SlStoreMend   how,
      GError      **error)
{
  GAsyncResult *slot = NULL;
  g_autoptr (GAsyncResult) result = NULL;

  sl_store_mend_async (store, how, app_test_store_result, &slot);
  result = app_test_wait_result (&slot);
  return sl_store_mend_finish (store, result, error);
}

static gboolean
is_blocked (gpointer store)
{
  return sl_store_get_blocked (store) && sl_store_get_error_text (store) != NULL;
}

static gboolean
is_open (gpointer store)
{
  return sl_store_get_state (store) == SL_STORE_OPEN && sl_store_get_pending (store) == 0 && !sl_store_get_blocked (store);
}

static void
close_store (SlStore *store)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (sl_store_close (store, &error));
  g_assert_no_error (error);
  g_object_unref (store);
}

/* Conversations 1 to n, each with a question. */
static void
fill (const char *dir,
      guint       n)
{
  SlStore *store = sl_store_new (dir);

  for (guint i = 1; i <= n; i++)
    {
      g_autofree char *title = g_strdup_printf ("title %u", i);

      put_conversation (store, i, title);
      put_text (store, 100000 + i, i, "some words of a question that fill the pages of the file");
    }
  close_store (store);
}

static void
set_bytes (const char *path,
           gsize       from,
           gsize       to)
{
  g_autofree char *bytes = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
  for (gsize i = from; i < MIN (to, length); i++)
    bytes[i] = (char) (i * 37);
  g_assert_true (g_file_set_contents (path, bytes, length, NULL));
}

/* ------------------------------------------------------------------------------------------------ locked, read-only */

/* Another program has it for a while: nothing of this run is lost, and what there is can be read meanwhile. */
static void
test_locked_for_a_while (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.lock", NULL);
  g_autoptr (GError) error = NULL;
  SlStore *store;
  int lock;

  fill (dir, 3);
  lock = open (path, O_RDWR);
  g_assert_cmpint (flock (lock, LOCK_EX | LOCK_NB), ==, 0);
  store = sl_store_new (dir);
  put_conversation (store, 4, "of this run");
  put_text (store, 200000, 4, "a question of this run");
  app_test_wait (is_blocked, store);
  g_assert_cmpint (sl_store_get_error_code (store), ==, SL_STORE_ERROR_LOCKED);
  g_assert_cmpint (sl_store_get_state (store), ==, SL_STORE_READING);
  g_assert_cmpuint (sl_store_get_pending (store), ==, 2);
  g_assert_cmpuint (count_listed_well (store), ==, 3);
  g_assert_false (sl_store_flush (store, &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_LOCKED);

  close (lock);
  app_test_wait (is_open, store);
  g_assert_null (sl_store_get_error_text (store));
  g_assert_cmpuint (count_listed_well (store), ==, 4);
  close_store (store);
  app_test_remove_dir (dir);
}

/* A place that cannot be a folder: said, and tried again by itself. */
static void
test_no_folder (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *below = g_build_filename (dir, "file", "history", NULL), *file = g_build_filename (dir, "file", NULL);
  g_autoptr (GError) error = NULL;
  SlStore *store;

  g_assert_true (g_file_set_contents (file, "x", 1, NULL));
  store = sl_store_new (below);
  put_conversation (store, 1, "waits");
  app_test_wait (is_blocked, store);
  g_assert_cmpint (sl_store_get_state (store), ==, SL_STORE_SHUT);
  count_listed (store, &error);
  g_assert_nonnull (error);
  g_assert_cmpint (g_unlink (file), ==, 0);
  app_test_wait (is_open, store);
  g_assert_cmpuint (count_listed_well (store), ==, 1);
  close_store (store);
  app_test_remove_dir (dir);
}

/* Nothing was asked: closing one that could not be opened loses nothing. */
static void
test_close_blocked (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autoptr (GError) error = NULL;
  SlStore *store;

  g_assert_true (g_file_set_contents (path, "this is no database, only some text that is long enough to be a page header",
                                      -1, NULL));
  close_store (sl_store_new (dir));
  store = sl_store_new (dir);
  put_conversation (store, 1, "lost");
  g_assert_false (sl_store_close (store, &error));
  g_assert_error (error, SL_STORE_ERROR, SL_STORE_ERROR_CORRUPT);
  g_object_unref (store);
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ damaged */

static guint
count_kept (const char *dir)
{
  g_autofree char *kept = g_build_filename (dir, "kept", NULL);

  return g_file_test (kept, G_FILE_TEST_IS_DIR) ? app_test_count_files (kept) : 0;
}

/* Pages in the middle are gone: the rest, and what was said since, is in the new one. */
static void
test_repair (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) faults = NULL;
  SlDatabase *database;
  SlStore *store;
  const char *sentence;
  guint n_left;

  fill (dir, 400);
  set_bytes (path, 12 * 4096, 16 * 4096);
  store = sl_store_new (dir);
  put_conversation (store, 1000, "of this run");
  put_text (store, 200000, 1000, "said meanwhile");
  g_assert_true (mend (store, SL_STORE_REPAIR, &error));
  app_test_wait (is_open, store);
  sentence = sl_store_get_error_text (store);
  g_assert_nonnull (strstr (sentence, dir));
  g_assert_cmpint (sl_store_get_error_code (store), ==, -1);
  n_left = count_listed_well (store);
  g_test_message ("%s; %u of 401 are listed", sentence, n_left);
  g_assert_cmpuint (n_left, >, 250);
  g_assert_cmpuint (count_kept (dir), ==, 1);
  close_store (store);

  database = sl_database_open (dir, SL_DATABASE_WRITE, &error);
  g_assert_no_error (error);
  faults = sl_database_check (database, &error);
  for (guint i = 0; i < faults->len; i++)
    g_test_message ("%s", (char *) g_ptr_array_index (faults, i));
  g_assert_cmpuint (faults->len, ==, 0);
  {
    g_autoptr (GPtrArray) hits = sl_database_search (database, "meanwhile", 10, NULL);

    g_assert_cmpuint (hits->len, ==, 1);
  }
  sl_database_close (database);
  app_test_remove_dir (dir);
}

/* Wherever four pages are damaged, a repair neither fails halfway nor invents anything. */
static void
test_repair_anywhere (void)
{
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL);
  g_autofree char *whole = NULL;
  gsize length;

  fill (dir, 120);
  g_assert_true (g_file_get_contents (path, &whole, &length, NULL));
  for (gsize page = 1; page * 4096 < length; page += 7)
    {
      g_autoptr (GError) error = NULL;
      g_autofree char *sentence = NULL;
      g_autoptr (GPtrArray) list = NULL, faults = NULL;
      g_autoptr (SlDatabase) database = NULL;

      g_assert_true (g_file_set_contents (path, whole, length, NULL));
      set_bytes (path, page * 4096, (page + 4) * 4096);
      sentence = sl_database_repair (dir, &error);
      if (sentence == NULL)
        {
          g_autofree char *after = NULL;

          g_assert_nonnull (strstr (error->message, dir));
          g_assert_true (g_file_get_contents (path, &after, NULL, NULL));
          continue;
        }
      database = sl_database_open (dir, SL_DATABASE_WRITE, &error);
      g_assert_no_error (error);
      list = sl_database_list (database, &error);
      g_assert_cmpuint (list->len, >, 0);
      g_assert_cmpuint (list->len, <=, 120);
      faults = sl_database_check (database, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (faults->len, ==, 0);
    }
  app_test_remove_dir (dir);
}

/* The list of tables, with the head of the file or without: the tables themselves are whole. */
static void
test_repair_tables (void)
{
  static const gsize starts[] = { 0, 100 };

  for (guint i = 0; i < G_N_ELEMENTS (starts); i++)
    {
      char *dir = app_test_make_dir ();
      g_autofree char *path = g_build_filename (dir, "history.db", NULL), *sentence = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (SlDatabase) database = NULL;
      g_autoptr (GPtrArray) list = NULL, faults = NULL;

      fill (dir, 120);
      set_bytes (path, starts[i], 4096);
      sentence = sl_database_repair (dir, &error);
      g_assert_no_error (error);
      database = sl_database_open (dir, SL_DATABASE_WRITE, &error);
      g_assert_no_error (error);
      list = sl_database_list (database, &error);
      g_assert_cmpuint (list->len, ==, 120);
      faults = sl_database_check (database, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (faults->len, ==, 0);
      g_clear_pointer (&database, sl_database_close);
      app_test_remove_dir (dir);
    }
}

static void
test_nothing_to_repair (void)
{
  static const char text[] = "this is no database, only some text that is long enough to be read as a page header";
  char *dir = app_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "history.db", NULL), *picture = g_build_filename (dir, "pictures", "mine", NULL);
  g_autofree char *pictures = g_path_get_dirname (picture);
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;
  SlStore *store;

  g_assert_cmpint (g_mkdir_with_parents (pictures, 0700), ==, 0);
  g_assert_true (g_file_set_contents (picture, "x", 1, NULL));
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
  store = sl_store_new (dir);
  put_conversation (store, 1, "of this run");
  app_test_wait (is_blocked, store);
  g_assert_cmpint (sl_store_get_error_code (store), ==, SL_STORE_ERROR_CORRUPT);

  g_assert_false (mend (store, SL_STORE_REPAIR, &error));
  g_assert_nonnull (strstr (error->message, path));
  g_assert_true (g_file_get_contents (path, &after, NULL, NULL));
  g_assert_cmpstr (after, ==, text);
  g_clear_error (&error);

  g_assert_true (mend (store, SL_STORE_BEGIN, &error));
  app_test_wait (is_open, store);
  g_assert_nonnull (strstr (sl_store_get_error_text (store), "kept"));
  sl_store_dismiss (store);
  g_assert_cmpuint (count_listed_well (store), ==, 1);
  close_store (store);
  g_assert_true (app_test_dir_contains (dir, text));
  g_assert_false (g_file_test (picture, G_FILE_TEST_EXISTS));
  g_assert_cmpuint (count_kept (dir), ==, 2);
  app_test_remove_dir (dir);
}

/* ------------------------------------------------------------------------------------------------ clocks */

/* Seconds are those that pass: an undo lasts as long as promised, and a deletion is final when promised, whatever the clock is set to. */
static void
test_clock_is_set (void)
{
  static const int days[] = { -400, 400 };

  for (guint i = 0; i < G_N_ELEMENTS (days); i++)
    {
      char *dir = app_test_make_dir ();
      SlStore *store = sl_store_new (dir);
      g_autoptr (GError) error = NULL;

      put_conversation (store, 1, "xyzzytitle");
      sl_store_delete_conversation (store, 1);
      g_assert_true (sl_store_flush (store, &error));
      g_atomic_int_set (&clock_set_by, days[i] * 24 * 60 * 60);
      sl_store_purge (store, 10);
      sl_store_undelete_conversation (store, 1);
      g_assert_cmpuint (count_listed_well (store), ==, 1);

      sl_store_delete_conversation (store, 1);
      g_atomic_int_set (&clock_set_by, 0);
      g_atomic_int_add (&time_passed, 11);
      sl_store_purge (store, 10);
      sl_store_undelete_conversation (store, 1);
      g_assert_cmpuint (count_listed_well (store), ==, 0);
      close_store (store);
      app_test_remove_dir (dir);
    }
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store-trouble/locked-for-a-while", test_locked_for_a_while);
  g_test_add_func ("/store-trouble/no-folder", test_no_folder);
  g_test_add_func ("/store-trouble/close-blocked", test_close_blocked);
  g_test_add_func ("/store-trouble/repair", test_repair);
  g_test_add_func ("/store-trouble/repair-anywhere", test_repair_anywhere);
  g_test_add_func ("/store-trouble/repair-tables", test_repair_tables);
  g_test_add_func ("/store-trouble/nothing-to-repair", test_nothing_to_repair);
  g_test_add_func ("/store-trouble/clock-is-set", test_clock_is_set);
  return g_test_run ();
}
