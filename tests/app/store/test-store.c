/* SPDX-License-Identifier: MIT
 *
 * The writer thread: order, news on the main loop, a disk that is full for a while, a program that is killed in the middle of an
 * answer.
 */
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app-test.h"
#include "app/store/sl-database.h"
#include "app/store/sl-store.h"

static SlStore *
open_store (const char *dir)
{
  return sl_store_new (dir);
}

static void
close_store (SlStore *store)
{
  g_autoptr (GError) error = NULL;

  sl_store_close (store, &error);
  g_assert_no_error (error);
  g_object_unref (store);
}

static void
put_conversation (SlStore *store,
                  gint64   id)
{
  g_autoptr (SlConversationRecord) record = sl_conversation_record_new ();

  record->id = record->created = record->updated = id;
  record->title = g_strdup ("title");
  sl_store_put_conversation (store, record);
}

static void
put_text (SlStore         *store,
          gint64           id,
          gint64           parent,
          SlRole           role,
          SlMessageStatus  status,
          const char      *text)
{
  g_autoptr (SlMessageRecord) record = app_test_make_message (id, 1, parent, role, text);

  record->status = status;
  sl_store_put_message (store, record, TRUE);
}

static SlConversationRecord *
load (SlStore *store,
      gint64   id)
{
  GAsyncResult *slot = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  SlConversationRecord *record;

  sl_store_load_async (store, id, NULL, app_test_store_result, &slot);
  result = app_test_wait_result (&slot);
  record = sl_store_load_finish (store, result, &error);
  g_assert_no_error (error);
  return record;
}

static const char *
text_of (SlConversationRecord *record,
         guint                 message)
{
  const SlMessageRecord *row = g_ptr_array_index (record->messages, message);

  return ((SlPartRecord *) g_ptr_array_index (row->parts, 0))->text;
}

static gboolean
is_counted (gpointer data)
{
  return *(guint *) data > 0;
}

static void
count_change (SlStore *store,
              gint64   id,
              guint   *count)
{
  g_assert_cmpint (id, ==, 1);
  (*count)++;
}

static void
test_order (void)
{
  char *dir = app_test_make_dir ();
  SlStore *store = open_store (dir);
  g_autoptr (SlConversationRecord) loaded = NULL;
  gint64 before = sl_store_new_id (store);
  guint changes = 0;

  for (int i = 0; i < 1000; i++)
    {
      gint64 id = sl_store_new_id (store);

      g_assert_cmpint (id, >, before);
      before = id;
    }
  g_signal_connect (store, "conversation-changed", G_CALLBACK (count_change), &changes);
  put_conversation (store, 1);
  put_text (store, 10, 0, SL_ROLE_USER, SL_MESSAGE_COMPLETE, "question");
  put_text (store, 11, 10, SL_ROLE_ASSISTANT, SL_MESSAGE_STREAMING, "");
  for (int i = 0; i < 100; i++)
    {
      g_autofree char *text = g_strdup_printf ("answer %d", i);

      sl_store_put_progress (store, 11, text);
    }
  /* A read sees every write before it. */
  loaded = load (store, 1);
  g_assert_cmpuint (loaded->messages->len, ==, 2);
  g_assert_cmpstr (text_of (loaded, 1), ==, "answer 99");
  app_test_wait (is_counted, &changes);
  close_store (store);
  app_test_remove_dir (dir);
}

static gboolean
has_error (gpointer store)
{
  return sl_store_get_error_text (store) != NULL;
}

static gboolean
has_no_error (gpointer store)
{
  return sl_store_get_error_text (store) == NULL && sl_store_get_pending (store) == 0;
}

static gboolean
has_nothing_pending (gpointer store)
{
  return sl_store_get_pending (store) == 0;
}

static void
limit_files (rlim_t bytes)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  limit.rlim_cur = bytes;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
}

/* While nothing can be written the history stays readable, more may be said, and all of it is saved once there is room. */
static void
test_full_for_a_while (void)
{
  char *dir = app_test_make_dir ();
  SlStore *store = open_store (dir);
  g_autofree char *words = g_strnfill (500 * 1000, 'w');
  g_autoptr (SlConversationRecord) during = NULL, after = NULL;
  g_autoptr (GError) error = NULL;

  signal (SIGXFSZ, SIG_IGN);
  put_conversation (store, 1);
  put_text (store, 10, 0, SL_ROLE_USER, SL_MESSAGE_COMPLETE, "before");
  g_assert_true (sl_store_flush (store, &error));
  limit_files (200 * 1000);
  put_text (store, 11, 10, SL_ROLE_ASSISTANT, SL_MESSAGE_COMPLETE, words);
  put_text (store, 12, 11, SL_ROLE_USER, SL_MESSAGE_COMPLETE, "and on");
  app_test_wait (has_error, store);
  g_assert_nonnull (strstr (sl_store_get_error_text (store), dir));
  g_assert_false (sl_store_flush (store, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  during = load (store, 1);
  g_assert_cmpuint (during->messages->len, ==, 1);
  limit_files (RLIM_INFINITY);
  g_assert_true (sl_store_flush (store, &error));
  g_assert_no_error (error);
  app_test_wait (has_no_error, store);
  after = load (store, 1);
  g_assert_cmpuint (after->messages->len, ==, 3);
  g_assert_cmpstr (text_of (after, 2), ==, "and on");
  close_store (store);
  app_test_remove_dir (dir);
}

/* A write that can never succeed is dropped with its sentence, and does not hold up the others. */
static void
test_refused (void)
{
  char *dir = app_test_make_dir ();
  SlStore *store = open_store (dir);
  g_autoptr (SlConversationRecord) loaded = NULL;
  g_autoptr (GError) error = NULL;

  put_conversation (store, 1);
  put_text (store, 11, 99, SL_ROLE_ASSISTANT, SL_MESSAGE_COMPLETE, "answer to nothing");
  while (sl_store_get_error_text (store) == NULL)
    g_main_context_iteration (NULL, TRUE);
  g_assert_nonnull (strstr (sl_store_get_error_text (store), "FOREIGN KEY"));
  put_text (store, 10, 0, SL_ROLE_USER, SL_MESSAGE_COMPLETE, "fine");
  g_assert_true (sl_store_flush (store, &error));
  app_test_wait (has_nothing_pending, store);
  /* What was lost is said until somebody has read it. */
  g_assert_nonnull (sl_store_get_error_text (store));
  g_assert_cmpint (sl_store_get_error_code (store), ==, SL_STORE_ERROR_REFUSED);
  g_assert_false (sl_store_get_blocked (store));
  sl_store_dismiss (store);
  app_test_wait (has_no_error, store);
  loaded = load (store, 1);
  g_assert_cmpuint (loaded->messages->len, ==, 1);
  close_store (store);
  app_test_remove_dir (dir);
}

/* Runs as a child: an answer streams, and then the program is killed. */
static void
stream_until_killed (const char *dir,
                     int         ready)
{
  SlStore *store = sl_store_new (dir);
  g_autoptr (SlPicture) picture = app_test_make_picture (6, 6, 0x332211);
  g_autoptr (SlMessageRecord) question = app_test_make_message (10, 1, 0, SL_ROLE_USER, "红色在哪里");

  put_conversation (store, 1);
  app_test_add_picture (question, picture);
  sl_store_put_message (store, question, TRUE);
  put_text (store, 11, 10, SL_ROLE_ASSISTANT, SL_MESSAGE_STREAMING, "");
  for (int i = 0;; i++)
    {
      g_autofree char *text = g_strdup_printf ("partial answer 圆形 %d", i);

      sl_store_put_progress (store, 11, text);
      if (!sl_store_flush (store, NULL))
        _exit (1);
      if (i == 3 && write (ready, "!", 1) != 1)
        _exit (1);
    }
}

static void
test_killed (void)
{
  char *dir = app_test_make_dir ();
  g_autoptr (SlConversationRecord) loaded = NULL;
  g_autoptr (GPtrArray) faults = NULL, hits = NULL;
  SlDatabase *database;
  SlStore *store;
  int ends[2], status;
  char byte;
  pid_t child;

  g_assert_cmpint (pipe (ends), ==, 0);
  child = fork ();
  if (child == 0)
    stream_until_killed (dir, ends[1]);
  g_assert_cmpint (read (ends[0], &byte, 1), ==, 1);
  g_assert_cmpint (kill (child, SIGKILL), ==, 0);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_true (WIFSIGNALED (status));
  close (ends[0]);
  close (ends[1]);

  store = open_store (dir);
  loaded = load (store, 1);
  g_assert_cmpuint (loaded->messages->len, ==, 2);
  g_assert_cmpint (loaded->leaf, ==, 11);
  g_assert_cmpint (((SlMessageRecord *) g_ptr_array_index (loaded->messages, 1))->status, ==, SL_MESSAGE_INTERRUPTED);
  g_assert_true (g_str_has_prefix (text_of (loaded, 1), "partial answer"));
  close_store (store);

  database = sl_database_open (dir, SL_DATABASE_WRITE, NULL);
  hits = sl_database_search (database, "圆形", 10, NULL);
  g_assert_cmpuint (hits->len, ==, 1);
  faults = sl_database_check (database, NULL);
  g_assert_cmpuint (faults->len, ==, 0);
  sl_database_close (database);
  app_test_remove_dir (dir);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/killed", test_killed); /* first: it forks, and there are no threads yet */
  g_test_add_func ("/store/order", test_order);
  g_test_add_func ("/store/full-for-a-while", test_full_for_a_while);
  g_test_add_func ("/store/refused", test_refused);
  return g_test_run ();
}
