/* SPDX-License-Identifier: MIT
 *
 * A history with the demo model for tests of widgets, and waiting: see the header.
 */
#include "tests/ui/ui-test.h"

#include "app/pictures/sl-picture.h"
#include "app/system/sl-places.h"

#define PATIENCE_SECONDS 90

static gboolean
give_up (gpointer what)
{
  g_error ("waited %d seconds in vain for %s", PATIENCE_SECONDS, (const char *) what);
  return G_SOURCE_REMOVE;
}

void
wait_until (const char *what,
            Condition   condition,
            gpointer    data)
{
  guint patience = g_timeout_add_seconds (PATIENCE_SECONDS, give_up, (gpointer) what);

  while (!condition (data))
    g_main_context_iteration (NULL, TRUE);
  g_source_remove (patience);
}

static gboolean
is_ready (gpointer data)
{
  Backend *backend = data;

  g_assert_cmpint (sl_engine_get_state (backend->engine), !=, SL_ENGINE_FAILED);
  return sl_history_get_loaded (backend->history) && sl_engine_get_state (backend->engine) == SL_ENGINE_READY;
}

gboolean
is_idle (gpointer conversation)
{
  return !sl_conversation_is_busy (conversation);
}

void
backend_init (Backend *backend)
{
  g_autofree char *model = sl_places_dup_demo_dir ();
  g_autofree char *history = g_build_filename (g_get_user_data_dir (), "history-XXXXXX", NULL);

  g_assert_nonnull (model);
  backend->store = sl_store_new (g_mkdtemp (history));
  backend->engine = sl_engine_new ();
  sl_engine_load (backend->engine, model, NULL);
  backend->history = sl_history_new (backend->store, backend->engine);
  wait_until ("the demo model", is_ready, backend);
}

void
backend_deinit (Backend *backend)
{
  g_autoptr (GError) error = NULL;

  sl_history_shutdown (backend->history);
  g_assert_true (sl_store_close (backend->store, &error));
  g_assert_no_error (error);
  g_clear_object (&backend->history);
  g_clear_object (&backend->engine);
  g_clear_object (&backend->store);
}

SlMessage *
ask (SlConversation *conversation,
     const char     *picture,
     const char     *text,
     SlMode          mode)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GError) error = NULL;
  SlMessage *answer;

  if (picture != NULL)
    {
      g_autofree char *path = g_build_filename (g_getenv ("SIGHTLINE_DATA"), "samples", picture, NULL);
      g_autoptr (GFile) file = g_file_new_for_path (path);
      g_autoptr (SlPicture) loaded = sl_picture_new_from_file (file, NULL, &error);

      g_assert_no_error (error);
      g_ptr_array_add (parts, sl_message_part_new_picture (loaded, SL_DETAIL_AUTO));
    }
  g_ptr_array_add (parts, sl_message_part_new_text (text));
  answer = sl_conversation_send (conversation, parts, mode, FALSE, NULL, &error);
  g_assert_no_error (error);
  return answer;
}
