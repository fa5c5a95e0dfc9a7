/* SPDX-License-Identifier: MIT
 *
 * Whatever takes time goes to what it was meant for. The window is the real one; planning a question, opening a conversation and
 * decoding a picture are held (linked with --wrap) until the test lets them go; meanwhile the window shows something else.
 */
#include <glib/gstdio.h>

#include "tests/ui/held-calls.h"
#include "tests/ui/ui-test.h"
#include "ui/inspector/sl-picture-viewer-private.h"
#include "ui/window/sl-window-private.h"

/* ------------------------------------------------------------------------------------------------ a window */

typedef struct
{
  Backend backend;
  SlModels *models;
  SlWindow *window;
  gint64 first, second; /* two conversations that are in the history */
} Fixture;

/* All that can happen without what is held has happened: the store has answered a question that was put after everything else. */
static void
on_settled (GObject      *source,
            GAsyncResult *result,
            gpointer      data)
{
  g_autoptr (GPtrArray) list = sl_store_list_finish (SL_STORE (source), result, NULL);

  *(gboolean *) data = TRUE;
}

static gboolean
is_true (gpointer data)
{
  return *(gboolean *) data;
}

static void
settle (Fixture *fixture)
{
  gboolean settled = FALSE;

  sl_store_list_async (fixture->backend.store, NULL, on_settled, &settled);
  wait_until ("the store", is_true, &settled);
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static SlMessage *
ask_and_wait (SlConversation *conversation,
              const char     *picture,
              const char     *text)
{
  SlMessage *answer = ask (conversation, picture, text, SL_MODE_CHAT);

  wait_until ("the answer", is_idle, conversation);
  return answer;
}

static gint64
add_conversation (Fixture    *fixture,
                  const char *text)
{
  g_autoptr (SlConversation) conversation = sl_history_create (fixture->backend.history);

  ask_and_wait (conversation, NULL, text);
  return sl_conversation_get_id (conversation);
}

static void
open_window (Fixture *fixture)
{
  g_autoptr (SlRemotes) remotes = sl_remotes_new ();
  g_autoptr (SlServerSwitch) server = sl_server_switch_new (fixture->backend.engine);

  fixture->window = sl_window_new (NULL, fixture->backend.engine, fixture->backend.store, fixture->backend.history, fixture->models,
                                   remotes, server);
  gtk_window_present (GTK_WINDOW (fixture->window));
}

static void
fixture_init (Fixture *fixture)
{
  hold_plans = hold_openings = hold_files = nothing_fits = FALSE;
  backend_init (&fixture->backend);
  fixture->models = sl_models_new ();
  fixture->first = add_conversation (fixture, "first");
  fixture->second = add_conversation (fixture, "second");
  open_window (fixture);
  settle (fixture);
}

static void
fixture_deinit (Fixture *fixture)
{
  g_assert_cmpuint (plans.length + openings.length + files.length, ==, 0);
  gtk_window_destroy (GTK_WINDOW (fixture->window));
  backend_deinit (&fixture->backend);
  g_clear_object (&fixture->models);
}

/* ------------------------------------------------------------------------------------------------ doing and looking */

typedef struct
{
  Fixture *fixture;
  gint64 id;
} Shown;

static gint64
shown_id (Fixture *fixture)
{
  return sl_conversation_get_id (fixture->window->conversation);
}

static gboolean
is_shown (gpointer data)
{
  Shown *shown = data;

  return shown_id (shown->fixture) == shown->id;
}

static void
show (Fixture *fixture,
      gint64   id)
{
  sl_window_open (fixture->window, id, 0);
  wait_until ("the conversation", is_shown, &(Shown) { fixture, id });
}

static void
type (Fixture    *fixture,
      const char *text)
{
  g_autoptr (GPtrArray) parts = sl_composer_dup_parts (fixture->window->composer);

  g_ptr_array_add (parts, sl_message_part_new_text (text));
  sl_composer_set_parts (fixture->window->composer, parts);
}

/* Writes it in that conversation and presses Enter; its plan is held. */
static void
send_held (Fixture    *fixture,
           gint64      id,
           const char *text)
{
  show (fixture, id);
  hold_plans = TRUE;
  type (fixture, text);
  sl_window_send (fixture->window);
}

static void
assert_written (Fixture    *fixture,
                const char *text)
{
  g_autofree char *content = sl_composer_dup_content (fixture->window->composer);

  g_assert_cmpstr (content, ==, text);
}

static guint
count (Fixture *fixture)
{
  return g_list_model_get_n_items (G_LIST_MODEL (fixture->window->conversation));
}

static gboolean
is_asked (gpointer data)
{
  return ((Fixture *) data)->window->asking == NULL;
}

static gboolean
asks_twice (gpointer data)
{
  return plans.length == 2;
}

/* The words of a question of the conversation that is shown. */
static const char *
question (Fixture *fixture,
          guint    position)
{
  g_autoptr (SlMessage) message = g_list_model_get_item (G_LIST_MODEL (fixture->window->conversation), position);

  g_assert_nonnull (message);
  return sl_message_get_text (message);
}

static gboolean
has_dialog (gpointer data)
{
  GListModel *windows = gtk_window_get_toplevels ();

  *(GtkWindow **) data = NULL;
  for (guint i = 0; i < g_list_model_get_n_items (windows); i++)
    {
      g_autoptr (GtkWindow) window = g_list_model_get_item (windows, i);

      if (ADW_IS_MESSAGE_DIALOG (window) && gtk_widget_get_mapped (GTK_WIDGET (window)))
        *(GtkWindow **) data = window;
    }
  return *(GtkWindow **) data != NULL;
}

static void
answer_dialog (const char *response)
{
  GtkWindow *dialog;

  wait_until ("the dialog", has_dialog, &dialog);
  adw_message_dialog_response (ADW_MESSAGE_DIALOG (dialog), response);
  gtk_window_close (dialog);
}

/* What a key does in the list. */
static void
press_in_list (Fixture    *fixture,
               const char *key)
{
  g_autoptr (GListModel) controllers = gtk_widget_observe_controllers (GTK_WIDGET (fixture->window->sidebar));

  for (guint i = 0; i < g_list_model_get_n_items (controllers); i++)
    {
      g_autoptr (GListModel) shortcuts = g_list_model_get_item (controllers, i);

      for (guint k = 0; GTK_IS_SHORTCUT_CONTROLLER (shortcuts) && k < g_list_model_get_n_items (shortcuts); k++)
        {
          g_autoptr (GtkShortcut) shortcut = g_list_model_get_item (shortcuts, k);
          g_autofree char *trigger = gtk_shortcut_trigger_to_string (gtk_shortcut_get_trigger (shortcut));

          if (g_str_equal (trigger, key))
            {
              gtk_shortcut_action_activate (gtk_shortcut_get_action (shortcut), 0, GTK_WIDGET (fixture->window->sidebar),
                                            gtk_shortcut_get_arguments (shortcut));
              return;
            }
        }
    }
  g_assert_not_reached ();
}

static gboolean
is_listed (gpointer data)
{
  Fixture *fixture = ((Shown *) data)->fixture;
  gint64 id = ((Shown *) data)->id;

  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (fixture->backend.history)); i++)
    {
      g_autoptr (SlSummary) summary = g_list_model_get_item (G_LIST_MODEL (fixture->backend.history), i);

      if (sl_summary_get_id (summary) == id)
        return TRUE;
    }
  return FALSE;
}

/* ------------------------------------------------------------------------------------------------ tests */

/* Return within the pause in typing, while the plan is slow: the meter's own plan, which comes then, is another matter; what is
 * written meanwhile stays. */
static void
test_return_within_the_pause (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  send_held (&fixture, fixture.first, "third");
  g_assert_cmpuint (plans.length, ==, 1);
  type (&fixture, " and more");
  wait_until ("the meter's plan", asks_twice, &fixture);
  release_plan ();
  release_plan ();
  wait_until ("the question", is_asked, &fixture);
  g_assert_cmpuint (count (&fixture), ==, 4);
  g_assert_cmpstr (question (&fixture, 2), ==, "third");
  assert_written (&fixture, " and more");
  wait_until ("the answer", is_idle, fixture.window->conversation);
  fixture_deinit (&fixture);
}

/* Return twice before the first is settled asks once, for all that was written by then. */
static void
test_return_twice (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  send_held (&fixture, fixture.first, "third");
  type (&fixture, " and more");
  sl_window_send (fixture.window);
  g_assert_cmpuint (plans.length, ==, 2);
  release_plan ();
  release_plan ();
  wait_until ("the question", is_asked, &fixture);
  settle (&fixture);
  g_assert_cmpuint (count (&fixture), ==, 4);
  g_assert_cmpstr (question (&fixture, 2), ==, "third and more");
  assert_written (&fixture, "");
  wait_until ("the answer", is_idle, fixture.window->conversation);
  fixture_deinit (&fixture);
}

/* Return and Escape before the question is settled: it is asked, and its answer is stopped. */
static void
test_stopped_before_it_is_asked (void)
{
  Fixture fixture;
  g_autoptr (SlMessage) answer = NULL;

  fixture_init (&fixture);
  send_held (&fixture, fixture.first, "third");
  g_assert_true (gtk_widget_activate_action (GTK_WIDGET (fixture.window), "win.stop", NULL));
  release_plan ();
  wait_until ("the question", is_asked, &fixture);
  wait_until ("the answer", is_idle, fixture.window->conversation);
  answer = g_list_model_get_item (G_LIST_MODEL (fixture.window->conversation), 3);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_STOPPED);
  fixture_deinit (&fixture);
}

static void
test_planned_elsewhere (void)
{
  Fixture fixture;
  g_autoptr (SlConversation) first = NULL;

  fixture_init (&fixture);
  show (&fixture, fixture.first);
  first = g_object_ref (fixture.window->conversation);
  hold_plans = TRUE;
  type (&fixture, "third");
  sl_window_send (fixture.window);
  show (&fixture, fixture.second);
  assert_written (&fixture, "");
  release_plan ();
  wait_until ("the question", is_asked, &fixture);
  g_assert_cmpint (shown_id (&fixture), ==, fixture.second);
  g_assert_cmpuint (count (&fixture), ==, 2);
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (first)), ==, 4);
  wait_until ("the answer", is_idle, first);
  fixture_deinit (&fixture);
}

/* A choice about a question, answered when another conversation is shown: it goes where it was asked; not asked, it is there again. */
static void
test_chosen_elsewhere (void)
{
  Fixture fixture;
  g_autoptr (SlConversation) first = NULL;
  GtkWindow *dialog;

  fixture_init (&fixture);
  show (&fixture, fixture.first);
  first = g_object_ref (fixture.window->conversation);
  nothing_fits = TRUE;
  type (&fixture, "third");
  sl_window_send (fixture.window);
  wait_until ("the choice", has_dialog, &dialog);
  show (&fixture, fixture.second);
  answer_dialog ("cancel");
  g_assert_cmpint (shown_id (&fixture), ==, fixture.first);
  g_assert_cmpuint (count (&fixture), ==, 2);
  assert_written (&fixture, "third");

  sl_window_send (fixture.window);
  wait_until ("the choice", has_dialog, &dialog);
  show (&fixture, fixture.second);
  answer_dialog ("drop");
  g_assert_cmpint (shown_id (&fixture), ==, fixture.second);
  g_assert_cmpuint (count (&fixture), ==, 2);
  assert_written (&fixture, "");
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (first)), ==, 4);
  wait_until ("the answer", is_idle, first);
  fixture_deinit (&fixture);
}

/* Deleted before it was sent there: nothing is asked of what is gone, and the words are back where it is. */
static void
test_planned_for_what_is_deleted (void)
{
  Fixture fixture;

  fixture_init (&fixture);
  send_held (&fixture, fixture.first, "third");
  gtk_widget_activate_action (GTK_WIDGET (fixture.window), "win.delete", NULL);
  release_plan ();
  hold_plans = FALSE;
  settle (&fixture);
  g_assert_false (is_listed (&(Shown) { &fixture, fixture.first }));
  g_assert_cmpuint (count (&fixture), ==, 0);
  assert_written (&fixture, "");
  gtk_widget_activate_action (GTK_WIDGET (fixture.window), "win.undo-delete", "x", fixture.first);
  wait_until ("the conversation", is_shown, &(Shown) { &fixture, fixture.first });
  assert_written (&fixture, "third");
  fixture_deinit (&fixture);
}

/* Down, then Delete, before the row's conversation is read: it is the one that goes. */
static void
test_delete_what_is_selected (void)
{
  Fixture fixture;
  GtkSelectionModel *list;

  fixture_init (&fixture);
  show (&fixture, fixture.first);
  hold_openings = TRUE;
  list = sl_sidebar_get_selection (fixture.window->sidebar);
  for (guint i = 0; i < g_list_model_get_n_items (G_LIST_MODEL (list)); i++)
    {
      g_autoptr (SlSummary) summary = g_list_model_get_item (G_LIST_MODEL (list), i);

      if (sl_summary_get_id (summary) == fixture.second)
        gtk_selection_model_select_item (list, i, TRUE);
    }
  g_assert_cmpuint (openings.length, ==, 1);
  press_in_list (&fixture, "Delete");
  release_opening ();
  settle (&fixture);
  g_assert_cmpint (shown_id (&fixture), ==, fixture.first);
  g_assert_true (is_listed (&(Shown) { &fixture, fixture.first }));
  g_assert_false (is_listed (&(Shown) { &fixture, fixture.second }));

  /* Undone, and something else opened before it is read. */
  gtk_widget_activate_action (GTK_WIDGET (fixture.window), "win.undo-delete", "x", fixture.second);
  gtk_widget_activate_action (GTK_WIDGET (fixture.window), "win.new-chat", NULL);
  release_opening ();
  settle (&fixture);
  wait_until ("the row", is_listed, &(Shown) { &fixture, fixture.second });
  g_assert_cmpuint (count (&fixture), ==, 0);
  fixture_deinit (&fixture);
}

static void
test_rename_what_was_named (void)
{
  Fixture fixture;
  GtkWindow *dialog;
  GtkEditable *entry;

  fixture_init (&fixture);
  show (&fixture, fixture.first);
  gtk_widget_activate_action (GTK_WIDGET (fixture.window), "win.rename", NULL);
  wait_until ("the dialog", has_dialog, &dialog);
  entry = GTK_EDITABLE (adw_message_dialog_get_extra_child (ADW_MESSAGE_DIALOG (dialog)));
  gtk_editable_set_text (entry, "Another name");
  show (&fixture, fixture.second);
  answer_dialog ("rename");
  settle (&fixture);
  g_assert_cmpstr (sl_conversation_get_title (fixture.window->conversation), ==, "second");
  show (&fixture, fixture.first);
  g_assert_cmpstr (sl_conversation_get_title (fixture.window->conversation), ==, "Another name");
  fixture_deinit (&fixture);
}

/* What is begun before the last conversation has been read is not switched away from. */
static void
test_begun_before_restored (void)
{
  Fixture fixture;
  g_autofree char *dir = g_dir_make_tmp ("sightline-later-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (dir, "window.ini", NULL);
  g_autofree char *state = NULL;

  fixture_init (&fixture);
  gtk_window_destroy (GTK_WINDOW (fixture.window));
  state = g_strdup_printf ("[window]\nconversation=%" G_GINT64_FORMAT "\n", fixture.first);
  g_assert_true (g_file_set_contents (path, state, -1, NULL));
  g_setenv ("SIGHTLINE_CONFIG_DIR", dir, TRUE);
  hold_openings = TRUE;
  open_window (&fixture);
  g_assert_cmpuint (openings.length, ==, 1);
  type (&fixture, "begun");
  sl_window_send (fixture.window);
  wait_until ("the question", is_asked, &fixture);
  release_opening ();
  settle (&fixture);
  g_assert_cmpint (shown_id (&fixture), !=, fixture.first);
  g_assert_cmpstr (question (&fixture, 0), ==, "begun");
  wait_until ("the answer", is_idle, fixture.window->conversation);

  g_unsetenv ("SIGHTLINE_CONFIG_DIR");
  g_remove (path);
  g_rmdir (dir);
  fixture_deinit (&fixture);
}

/* A picture goes into the question for which it was given. */
static void
test_decoded_elsewhere (void)
{
  Fixture fixture;
  g_autofree char *path = g_build_filename (g_getenv ("SIGHTLINE_DATA"), "samples", "wide.png", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GListStore) list = g_list_store_new (G_TYPE_FILE);

  g_list_store_append (list, file);
  fixture_init (&fixture);
  show (&fixture, fixture.first);
  hold_files = TRUE;
  sl_window_add_files (fixture.window, G_LIST_MODEL (list));
  show (&fixture, fixture.second);
  wait_until ("the file", is_held, &files); /* first it is looked at: it may be a folder */
  release_file ();
  hold_files = FALSE;
  while (sl_intake_is_busy (fixture.window->intake))
    g_main_context_iteration (NULL, TRUE);
  assert_written (&fixture, "");
  show (&fixture, fixture.first);
  assert_written (&fixture, "\357\277\274");
  fixture_deinit (&fixture);
}

/* A box's picture that is not decoded, and not the last one, is asked about all the same; the viewer does not outlive what it shows. */
static void
test_find_again (void)
{
  Fixture fixture;
  g_autoptr (SlConversation) conversation = NULL;
  g_autoptr (SlMessage) asked = NULL;
  g_autofree char *sha256 = NULL;
  SlMessage *answer;
  gint64 id;

  fixture_init (&fixture);
  conversation = sl_history_create (fixture.backend.history);
  id = sl_conversation_get_id (conversation);
  answer = ask_and_wait (conversation, "shapes-1.png", "first");
  sha256 = g_strdup (sl_message_get_box_picture (answer));
  g_assert_nonnull (sha256);
  ask_and_wait (conversation, "wide.png", "second");
  g_clear_object (&conversation);
  settle (&fixture);

  show (&fixture, id);
  hold_files = TRUE;
  {
    g_autoptr (SlMessage) stored = g_list_model_get_item (G_LIST_MODEL (fixture.window->conversation), 1);
    g_autoptr (SlMessage) first = g_list_model_get_item (G_LIST_MODEL (fixture.window->conversation), 0);

    g_assert_null (sl_message_part_get_picture (sl_message_get_part (first, 0)));
    sl_window_find_again (fixture.window, stored, "the red circle");
  }
  answer_dialog ("ask"); /* it is the third picture */
  wait_until ("the question", is_asked, &fixture);
  asked = g_list_model_get_item (G_LIST_MODEL (fixture.window->conversation), 4);
  g_assert_cmpuint (sl_message_get_n_parts (asked), ==, 2);
  g_assert_cmpstr (sl_message_part_get_sha256 (sl_message_get_part (asked, 0)), ==, sha256);
  wait_until ("the answer", is_idle, fixture.window->conversation);
  hold_files = FALSE;

  g_signal_emit_by_name (fixture.window->chat, "open-part", asked, sl_message_get_part (asked, 0));
  g_assert_cmpstr (gtk_stack_get_visible_child_name (fixture.window->pages), ==, "viewer");
  show (&fixture, fixture.first);
  g_assert_cmpstr (gtk_stack_get_visible_child_name (fixture.window->pages), ==, "main");
  g_assert_null (fixture.window->viewer->conversation);
  g_assert_cmpuint (fixture.window->viewer->parts != NULL ? fixture.window->viewer->parts->len : 0, ==, 0);
  fixture_deinit (&fixture);
}

/* AdwMessageDialog of libadwaita 1.7 looks for its size by measuring the labels of its buttons for widths that are too small for them,
 * of which GTK 4.18 warns: seen with a dialog of libadwaita's alone. */
static GLogWriterOutput
write_log (GLogLevelFlags   level,
           const GLogField *fields,
           gsize            n_fields,
           gpointer         data)
{
  for (gsize i = 0; i < n_fields; i++)
    if (g_str_equal (fields[i].key, "MESSAGE") && g_str_has_prefix (fields[i].value, "Trying to measure GtkLabel"))
      return G_LOG_WRITER_HANDLED;
  return g_log_writer_default (level, fields, n_fields, data);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_log_set_writer_func (write_log, NULL, NULL);
  adw_init ();
  g_test_add_func ("/later/return-within-the-pause", test_return_within_the_pause);
  g_test_add_func ("/later/return-twice", test_return_twice);
  g_test_add_func ("/later/stopped-before-it-is-asked", test_stopped_before_it_is_asked);
  g_test_add_func ("/later/planned-elsewhere", test_planned_elsewhere);
  g_test_add_func ("/later/chosen-elsewhere", test_chosen_elsewhere);
  g_test_add_func ("/later/planned-for-what-is-deleted", test_planned_for_what_is_deleted);
  g_test_add_func ("/later/delete-what-is-selected", test_delete_what_is_selected);
  g_test_add_func ("/later/rename-what-was-named", test_rename_what_was_named);
  g_test_add_func ("/later/begun-before-restored", test_begun_before_restored);
  g_test_add_func ("/later/decoded-elsewhere", test_decoded_elsewhere);
  g_test_add_func ("/later/find-again", test_find_again);
  return g_test_run ();
}
