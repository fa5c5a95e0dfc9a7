/* SPDX-License-Identifier: MIT
 *
 * Histories of random trees, out of one folder and into another.
 */
#include "exchange-test.h"

/* ------------------------------------------------------------------------------------------------ ways in and out */

char *
exchange_test_export (const char *dir,
                      GPtrArray  *faults)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SlDatabase) database = sl_database_open (dir, SL_DATABASE_READ, &error);
  g_autoptr (GPtrArray) list = sl_database_list (database, &error);
  g_autoptr (GArray) ids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (SlOutputs) outputs = sl_outputs_new (TRUE);
  char *path = g_build_filename (dir, "out.sightline", NULL);
  SlExport job = { .database = database, .dir = dir, .outputs = outputs, .path = path, .faults = faults };

  for (guint i = 0; i < list->len; i++)
    g_array_append_val (ids, ((SlSummaryRecord *) g_ptr_array_index (list, i))->id);
  job.ids = (gint64 *) (gpointer) ids->data;
  job.n_ids = ids->len;
  sl_archive_write (&job, &error);
  g_assert_no_error (error);
  return path;
}

GBytes *
exchange_test_export_bytes (const char *dir)
{
  g_autoptr (GPtrArray) faults = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *path = exchange_test_export (dir, faults);
  char *data;
  gsize length;

  g_assert_cmpuint (faults->len, ==, 0);
  g_assert_true (g_file_get_contents (path, &data, &length, NULL));
  return g_bytes_new_take (data, length);
}

void
exchange_test_import (const char *dir,
                      const char *path,
                      Outcome    *outcome)
{
  g_autoptr (SlDatabase) database = database_test_open (dir);
  g_autoptr (SlImport) job = sl_import_new_for_database (database, dir);
  GPtrArray *conversations = sl_import_get_conversations (job);

  *outcome = (Outcome) { 0 };
  sl_import_file (job, path, NULL, &outcome->error);
  for (guint i = 0; i < conversations->len; i++)
    {
      const SlImported *imported = g_ptr_array_index (conversations, i);

      outcome->n_conversations++;
      outcome->n_new += imported->merge.is_new;
      outcome->n_messages += imported->merge.n_messages;
    }
  outcome->faults = g_ptr_array_ref (sl_import_get_faults (job));
}

void
exchange_test_import_bytes (const char   *dir,
                            const guint8 *data,
                            gsize         length,
                            Outcome      *outcome)
{
  g_autofree char *path = g_build_filename (dir, "in.sightline", NULL);

  g_assert_true (g_file_set_contents (path, (const char *) data, (gssize) length, NULL));
  exchange_test_import (dir, path, outcome);
}

/* Into a history where there is nothing yet. */
void
exchange_test_import_whole (const char *dir,
                            GBytes     *bytes,
                            Outcome    *outcome)
{
  exchange_test_import_bytes (dir, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), outcome);
  g_assert_no_error (outcome->error);
  g_assert_cmpuint (outcome->faults->len, ==, 0);
}

void
exchange_test_assert_same (GBytes *a,
                           GBytes *b)
{
  g_assert_cmpmem (g_bytes_get_data (a, NULL), g_bytes_get_size (a), g_bytes_get_data (b, NULL), g_bytes_get_size (b));
}

/* ------------------------------------------------------------------------------------------------ random trees */

static const char *const words[] = { "圆形在哪里？", "Where is the \"dog\"?", "", "a\nb\tc\\", "<|ref|>红色<|/ref|><|det|>[[1, 2, 3, 4]]<|/det|>",
                                     "👩‍👩‍👧 é \xc2\x85", "[1](javascript:x) <b>" };

typedef struct
{
  GRand *rand;
  SlDatabase *database;
  gint64 clock;
  GPtrArray *pictures; /* of SlPicture */
  GPtrArray *messages; /* of the conversation */
} Making;

static int
pick (Making *making,
      int     n)
{
  return g_rand_int_range (making->rand, 0, n);
}

static void
add_part (Making    *making,
          GPtrArray *parts)
{
  SlPicture *picture = g_ptr_array_index (making->pictures, pick (making, making->pictures->len));
  SlPartRecord *part;

  if (pick (making, 3) > 0)
    {
      part = sl_part_record_new (SL_PART_TEXT);
      part->text = g_strdup (words[pick (making, G_N_ELEMENTS (words))]);
    }
  else
    {
      g_autoptr (SlMessageRecord) holder = sl_message_record_new ();

      app_test_add_picture (holder, picture);
      part = g_ptr_array_steal_index (holder->parts, 0);
      part->detail = pick (making, 2) ? SL_DETAIL_LOW : SL_DETAIL_AUTO;
      g_free (part->name);
      part->name = pick (making, 3) ? g_strdup ("照片 1.png") : NULL;
    }
  g_ptr_array_add (parts, part);
}

static void
add_answer (Making          *making,
            SlMessageRecord *message)
{
  g_autoptr (SlMessageRecord) made = NULL;
  const char *picture = NULL;

  for (guint i = 0; i < message->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (message->parts, i);

      picture = part->kind == SL_PART_PICTURE ? part->sha256 : picture;
    }
  made = database_test_make_answer (0, picture);
  message->generation = g_steal_pointer (&made->generation);
  g_free (message->generation->model_dir);
  message->generation->model_dir = g_build_filename (g_get_home_dir (), "models", "tiny", NULL);
  message->generation->stop = pick (making, SL_STOP_ERROR + 1);
  message->generation->top_p = g_rand_double (making->rand);
  message->box_picture = g_strdup (picture);
  while (made->boxes->len > 0)
    {
      SlBoxRecord *box = g_ptr_array_steal_index (made->boxes, 0);

      box->id = ++making->clock;
      box->origin = made->boxes->len == 0 ? ((SlBoxRecord *) g_ptr_array_index (message->boxes, 0))->id : 0;
      box->status = pick (making, 4);
      box->accepted = pick (making, 2);
      g_ptr_array_add (message->boxes, box);
    }
}

static void
add_message (Making *making,
             gint64  conversation)
{
  static const SlMessageStatus ends[] = { SL_MESSAGE_COMPLETE, SL_MESSAGE_STOPPED, SL_MESSAGE_FAILED, SL_MESSAGE_INTERRUPTED };
  g_autoptr (GError) error = NULL;
  guint n = making->messages->len, back = (guint) pick (making, 4);
  SlMessageRecord *parent = n > 0 && pick (making, 8) > 0 ? g_ptr_array_index (making->messages, n > back ? n - 1 - back : 0) : NULL;
  SlMessageRecord *message = sl_message_record_new ();

  message->id = ++making->clock;
  message->conversation = conversation;
  message->parent = parent != NULL ? parent->id : 0;
  message->role = parent != NULL && parent->role == SL_ROLE_USER ? SL_ROLE_ASSISTANT : SL_ROLE_USER;
  message->mode = pick (making, SL_N_MODES);
  message->raw = pick (making, 4) == 0;
  message->status = ends[pick (making, G_N_ELEMENTS (ends))];
  message->created = EXCHANGE_TEST_START + message->id / 2; /* two in the same instant */
  for (guint i = 0; i < n; i++)
    message->ordinal += ((SlMessageRecord *) g_ptr_array_index (making->messages, i))->parent == message->parent;
  for (int i = pick (making, 3); i >= 0; i--)
    add_part (making, message->parts);
  if (message->role == SL_ROLE_ASSISTANT && pick (making, 3) > 0)
    add_answer (making, message);
  g_ptr_array_add (making->messages, message);
  sl_database_put_message (making->database, message, pick (making, 2), &error);
  g_assert_no_error (error);
}

static void
add_draft (Making *making,
           gint64  conversation,
           gint64  question)
{
  g_autoptr (SlDraftRecord) draft = sl_draft_record_new ();
  g_autoptr (GError) error = NULL;

  draft->conversation = conversation;
  draft->question = question;
  draft->mode = pick (making, SL_N_MODES);
  draft->raw = pick (making, 2);
  add_part (making, draft->parts);
  add_part (making, draft->parts);
  sl_database_put_draft (making->database, draft, &error);
  g_assert_no_error (error);
}

static void
add_conversation (Making *making,
                  guint   n_messages)
{
  g_autoptr (SlConversationRecord) record = sl_conversation_record_new ();
  g_autoptr (GError) error = NULL;

  g_ptr_array_set_size (making->messages, 0);
  record->id = ++making->clock;
  record->created = record->updated = EXCHANGE_TEST_START + record->id;
  record->title = g_strdup (words[pick (making, G_N_ELEMENTS (words))]);
  record->system_text = g_strdup (words[pick (making, G_N_ELEMENTS (words))]);
  record->engine = g_strdup (pick (making, 2) ? "" : "server-1");
  record->choices = g_strdup (pick (making, 2) ? "" : "{\"temperature\":0.7,\"seed\":5}");
  sl_database_put_conversation (making->database, record, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < n_messages; i++)
    add_message (making, record->id);
  if (n_messages > 4 && pick (making, 2))
    {
      const SlMessageRecord *deleted = g_ptr_array_index (making->messages, 1 + pick (making, n_messages - 2));

      g_assert_true (sl_database_delete_message (making->database, deleted->id, ++making->clock, NULL));
    }
  if (pick (making, 2))
    add_draft (making, record->id, 0);
  if (n_messages > 0 && pick (making, 2))
    add_draft (making, record->id, ((SlMessageRecord *) g_ptr_array_index (making->messages, 0))->id);
}

void
exchange_test_make_history (const char *dir,
                            guint32     seed,
                            guint       n_conversations,
                            guint       n_messages)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  g_autoptr (SlDatabase) database = database_test_open (dir);
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GPtrArray) messages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_message_record_free);
  Making making = { rand, database, 10 + seed % 7, pictures, messages };

  for (guint i = 0; i < 3; i++)
    g_ptr_array_add (pictures, app_test_make_picture (8 + (int) i, 6, 0x4080c0u + i * 77 + seed));
  for (guint i = 0; i < n_conversations; i++)
    add_conversation (&making, n_messages > 0 ? (guint) pick (&making, (int) n_messages) : 0);
}

guint
exchange_test_count_hits (const char *dir)
{
  g_autoptr (SlDatabase) database = database_test_open (dir);

  database_test_assert_sound (database);
  return database_test_count_hits (database, "圆形") * 1000 + database_test_count_hits (database, "dog");
}

void
exchange_test_put_small (const char *dir)
{
  g_autoptr (SlDatabase) database = database_test_open (dir);

  database_test_put_conversation (database, 1, "一");
  database_test_put_text (database, 10, 1, 0, SL_ROLE_USER, "question");
  database_test_put_text (database, 11, 1, 10, SL_ROLE_ASSISTANT, "answer");
}

