/* SPDX-License-Identifier: MIT
 *
 * Conversations to an archive and back: random trees come out as they went in, and two histories that have gone apart come together; also
 * through the window's store.
 */
#include <string.h>

#include "exchange-test.h"

static void
test_round_trip (void)
{
  for (guint32 seed = 0; seed < 10; seed++)
    {
      char *from = app_test_make_dir (), *to = app_test_make_dir ();
      g_autoptr (GBytes) first = NULL, second = NULL, third = NULL;
      g_auto (Outcome) once = { 0 }, again = { 0 };

      exchange_test_make_history (from, seed, 4, 24);
      first = exchange_test_export_bytes (from);
      exchange_test_import_whole (to, first, &once);
      g_assert_cmpuint (once.n_new, ==, once.n_conversations);
      second = exchange_test_export_bytes (to);
      exchange_test_assert_same (first, second);
      g_assert_cmpuint (exchange_test_count_hits (from), ==, exchange_test_count_hits (to));
      exchange_test_import_whole (to, first, &again);
      g_assert_cmpuint (again.n_conversations, ==, once.n_conversations);
      g_assert_cmpuint (again.n_new + again.n_messages, ==, 0);
      third = exchange_test_export_bytes (to);
      exchange_test_assert_same (first, third);
      app_test_remove_dir (from);
      app_test_remove_dir (to);
    }
}

/* ------------------------------------------------------------------------------------------------ coming together */

static void
put_branch (const char *dir,
            gint64      id,
            const char *text)
{
  g_autoptr (SlDatabase) database = database_test_open (dir);
  g_autoptr (GPtrArray) list = sl_database_list (database, NULL);
  gint64 conversation = ((SlSummaryRecord *) g_ptr_array_index (list, 0))->id;
  g_autoptr (SlConversationRecord) record = sl_database_load (database, conversation, NULL);
  const SlMessageRecord *question = g_ptr_array_index (record->messages, 0);
  const SlMessageRecord *answer = g_ptr_array_index (record->messages, 1);
  g_autoptr (SlMessageRecord) message = app_test_make_message (id, conversation, question->id, SL_ROLE_ASSISTANT, text);
  g_autoptr (SlBoxRecord) box = sl_box_record_new ();

  message->ordinal = 1;
  message->created = id;
  g_assert_true (sl_database_put_message (database, message, TRUE, NULL));
  box->id = id + 1;
  box->kind = SL_BOX_KIND_EDITED;
  box->label = g_strdup (text);
  g_assert_true (sl_database_put_box (database, answer->id, box, NULL));
}

static void
test_together (void)
{
  char *one = app_test_make_dir (), *two = app_test_make_dir ();
  g_autoptr (GBytes) common = NULL, of_one = NULL, of_two = NULL;
  g_auto (Outcome) o1 = { 0 }, o2 = { 0 }, o3 = { 0 };
  g_autoptr (SlDatabase) database = NULL;
  g_autoptr (GPtrArray) list = NULL;
  g_autoptr (SlConversationRecord) record = NULL;
  gint64 updated, id;

  exchange_test_put_small (one);
  common = exchange_test_export_bytes (one);
  exchange_test_import_whole (two, common, &o1);
  put_branch (one, EXCHANGE_TEST_START * 2, "said on one");
  put_branch (two, EXCHANGE_TEST_START * 3, "said on two");
  of_one = exchange_test_export_bytes (one);
  of_two = exchange_test_export_bytes (two);
  exchange_test_import_whole (two, of_one, &o2);
  g_assert_cmpuint (o2.n_messages, ==, 1);
  g_assert_cmpuint (o2.n_new, ==, 0);
  exchange_test_import_whole (one, of_two, &o3);
  g_assert_cmpuint (o3.n_messages, ==, 1);

  database = database_test_open (two);
  list = sl_database_list (database, NULL);
  g_assert_cmpuint (list->len, ==, 1);
  id = ((SlSummaryRecord *) g_ptr_array_index (list, 0))->id;
  updated = ((SlSummaryRecord *) g_ptr_array_index (list, 0))->updated;
  g_assert_cmpint (updated, <=, g_get_real_time ());
  record = sl_database_load (database, id, NULL);
  g_assert_cmpuint (record->messages->len, ==, 4);
  for (guint i = 0; i < 4; i++)
    {
      const SlMessageRecord *message = g_ptr_array_index (record->messages, i);

      if (g_str_equal (((SlPartRecord *) g_ptr_array_index (message->parts, 0))->text, "answer"))
        g_assert_cmpuint (message->boxes->len, ==, 2);
      if (g_str_equal (((SlPartRecord *) g_ptr_array_index (message->parts, 0))->text, "said on one"))
        g_assert_cmpuint (message->ordinal, ==, 2); /* behind what was there */
    }
  database_test_assert_sound (database);
  g_clear_pointer (&database, sl_database_close);
  app_test_remove_dir (one);
  app_test_remove_dir (two);
}

/* ------------------------------------------------------------------------------------------------ through the window's store */

typedef struct
{
  SlStore *store;
  const char *path;
  GCancellable *cancellable;
  guint n_messages;
  GError *error;
  gboolean done;
} Errand;

static void
import_in_thread (GTask        *task,
                  gpointer      source,
                  gpointer      data,
                  GCancellable *cancellable)
{
  Errand *errand = data;
  g_autoptr (SlImport) job = sl_import_new_for_store (errand->store);

  sl_import_file (job, errand->path, errand->cancellable, &errand->error);
  for (guint i = 0; i < sl_import_get_conversations (job)->len; i++)
    errand->n_messages += ((SlImported *) g_ptr_array_index (sl_import_get_conversations (job), i))->merge.n_messages;
  g_task_return_boolean (task, TRUE);
}

static void
run_errand (Errand *errand)
{
  g_autoptr (GAsyncResult) result = NULL;
  GAsyncResult *slot = NULL;
  g_autoptr (GTask) task = g_task_new (NULL, NULL, app_test_store_result, &slot);

  g_task_set_task_data (task, errand, NULL);
  g_task_run_in_thread (task, import_in_thread);
  result = app_test_wait_result (&slot);
}

static void
count_signal (SlStore *store,
              gint64   id,
              guint   *count)
{
  (*count)++;
}

static gboolean
is_three (gpointer data)
{
  return *(guint *) data == 3;
}

static void
test_store (void)
{
  char *from = app_test_make_dir (), *to = app_test_make_dir ();
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  g_autoptr (SlStore) store = sl_store_new (to);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) first = NULL, second = NULL;
  g_autofree char *path = NULL;
  guint n_changed = 0;

  exchange_test_make_history (from, 3, 3, 9);
  path = exchange_test_export (from, faults);
  first = exchange_test_export_bytes (from);
  {
    Errand errand = { store, path, cancelled };

    g_cancellable_cancel (cancelled);
    run_errand (&errand);
    g_assert_error (errand.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_assert_cmpuint (errand.n_messages, ==, 0);
    g_clear_error (&errand.error);
  }
  g_signal_connect (store, "conversation-changed", G_CALLBACK (count_signal), &n_changed);
  {
    Errand errand = { store, path, NULL };

    run_errand (&errand);
    g_assert_no_error (errand.error);
    g_assert_cmpuint (errand.n_messages, >, 0);
  }
  app_test_wait (is_three, &n_changed);
  g_assert_true (sl_store_close (store, &error));
  second = exchange_test_export_bytes (to);
  exchange_test_assert_same (first, second);
  {
    Errand errand = { store, path, NULL };

    run_errand (&errand);
    g_assert_nonnull (errand.error); /* closed */
    g_clear_error (&errand.error);
  }
  app_test_remove_dir (from);
  app_test_remove_dir (to);
}

int
main (int   argc,
      char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/exchange/round-trip", test_round_trip);
  g_test_add_func ("/exchange/together", test_together);
  g_test_add_func ("/exchange/store", test_store);
  return g_test_run ();
}
