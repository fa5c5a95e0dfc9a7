/* SPDX-License-Identifier: MIT */

#include "database-test.h"

#include <math.h>

SlDatabase *
database_test_open (const char *dir)
{
  g_autoptr (GError) error = NULL;
  SlDatabase *database = sl_database_open (dir, SL_DATABASE_WRITE, &error);

  g_assert_no_error (error);
  return database;
}

void
database_test_put_conversation (SlDatabase *database,
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

void
database_test_put_text (SlDatabase *database,
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

guint
database_test_count_hits (SlDatabase *database,
                          const char *query)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) hits = sl_database_search (database, query, 100, &error);

  g_assert_no_error (error);
  return hits->len;
}

void
database_test_tidy (SlDatabase *database)
{
  g_autoptr (GError) error = NULL;
  gboolean more = TRUE;

  while (more)
    {
      g_assert_true (sl_database_tidy (database, &more, &error));
      g_assert_no_error (error);
    }
}

void
database_test_assert_sound (SlDatabase *database)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) faults = sl_database_check (database, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < faults->len; i++)
    g_test_message ("%s", (char *) g_ptr_array_index (faults, i));
  g_assert_cmpuint (faults->len, ==, 0);
}

SlMessageRecord *
database_test_make_answer (gint64      id,
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

guint
database_test_count_messages (SlDatabase *database)
{
  g_autoptr (SlConversationRecord) loaded = sl_database_load (database, 1, NULL);

  return loaded->messages->len;
}
