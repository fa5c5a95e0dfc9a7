/* SPDX-License-Identifier: MIT
 *
 * A history with the engine of strings: see the header.
 */
#include "tests/app/conversation/conversation-test.h"

#include "tests/app/app-test.h"
#include "tests/app/fake-vl2.h"

static gboolean
is_ready (gpointer app)
{
  return sl_history_get_loaded (((App *) app)->history) && sl_engine_get_state (((App *) app)->engine) == SL_ENGINE_READY;
}

void
app_start (App *app)
{
  app->store = sl_store_new (app->dir);
  app->engine = sl_engine_new ();
  sl_engine_load (app->engine, "/models/fake", NULL);
  app->history = sl_history_new (app->store, app->engine);
  app_test_wait (is_ready, app);
}

void
app_stop (App *app)
{
  g_autoptr (GError) error = NULL;

  sl_history_shutdown (app->history);
  g_assert_true (sl_store_close (app->store, &error));
  g_assert_no_error (error);
  g_clear_object (&app->history);
  g_clear_object (&app->engine);
  g_clear_object (&app->store);
}

void
app_init (App *app)
{
  fake_reset ();
  app->dir = app_test_make_dir ();
  app_start (app);
}

void
app_deinit (App *app)
{
  app_stop (app);
  app_test_remove_dir (app->dir);
}

SlConversation *
reopen (App    *app,
        gint64  id)
{
  GAsyncResult *slot = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  SlConversation *conversation;

  sl_history_open_async (app->history, id, NULL, app_test_store_result, &slot);
  result = app_test_wait_result (&slot);
  conversation = sl_history_open_finish (app->history, result, &error);
  g_assert_no_error (error);
  return conversation;
}

GPtrArray *
make_parts (const char *text,
            SlPicture  *picture)
{
  GPtrArray *parts = g_ptr_array_new_with_free_func (g_object_unref);

  if (picture != NULL)
    g_ptr_array_add (parts, sl_message_part_new_picture (picture, SL_DETAIL_AUTO));
  g_ptr_array_add (parts, sl_message_part_new_text (text));
  return parts;
}

SlMessage *
ask (SlConversation *conversation,
     const char     *text,
     SlPicture      *picture,
     SlMode          mode)
{
  g_autoptr (GPtrArray) parts = make_parts (text, picture);
  g_autoptr (GError) error = NULL;
  SlMessage *answer = sl_conversation_send (conversation, parts, mode, FALSE, NULL, &error);

  g_assert_no_error (error);
  return answer;
}

gboolean
is_idle (gpointer conversation)
{
  return !sl_conversation_is_busy (conversation);
}

SlMessage *
message_at (SlConversation *conversation,
            guint           position)
{
  g_autoptr (SlMessage) message = g_list_model_get_item (G_LIST_MODEL (conversation), position);

  g_assert_nonnull (message);
  return message;
}

guint
count (gpointer model)
{
  return g_list_model_get_n_items (G_LIST_MODEL (model));
}

SlBoxItem *
box_at (SlMessage *message,
        guint      position)
{
  g_autoptr (SlBoxItem) box = g_list_model_get_item (sl_message_get_boxes (message), position);

  g_assert_nonnull (box);
  return box;
}

gboolean
has_row (gpointer history)
{
  return count (history) == 1;
}

gboolean
has_no_row (gpointer history)
{
  return count (history) == 0;
}
