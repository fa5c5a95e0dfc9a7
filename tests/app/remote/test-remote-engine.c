/* SPDX-License-Identifier: MIT
 *
 * A conversation on a server, which libsoup plays here on the loopback: the same events as from the model of this computer, what is kept
 * of it in the history, what numbers of boxes mean and how that is changed afterwards, and that nothing is sent without leave.
 */
#include <string.h>

#include <libsoup/soup.h>

#include "app-test.h"
#include "app/history/sl-history.h"
#include "app/remote/sl-remotes.h"
#include "app/server/sl-server.h"

#define EVENT(delta) "data: {\"choices\":[{\"delta\":{" delta "}}]}\n\n"

typedef struct
{
  SoupServer *server;
  char *address;
  const char *body;    /* of the stream; NULL: it is begun and never ended */
  guint n_asked, status;

  char *dir, *config;
  SlStore *store;
  SlEngine *engine;
  SlHistory *history;
  SlRemotes *remotes;
} App;

static void
on_request (SoupServer        *server,
            SoupServerMessage *message,
            const char        *path,
            GHashTable        *query,
            gpointer           user_data)
{
  App *app = user_data;
  SoupMessageBody *body = soup_server_message_get_response_body (message);
  SoupMessageHeaders *headers = soup_server_message_get_response_headers (message);

  app->n_asked++;
  g_assert_cmpstr (path, ==, "/v1/chat/completions");
  soup_server_message_set_status (message, app->status, NULL);
  soup_message_headers_set_content_type (headers, app->status == 200 ? "text/event-stream" : "application/json", NULL);
  if (app->body != NULL)
    {
      soup_message_body_append (body, SOUP_MEMORY_STATIC, app->body, strlen (app->body));
      return;
    }
  soup_message_headers_set_encoding (headers, SOUP_ENCODING_CHUNKED);
  soup_message_body_append (body, SOUP_MEMORY_STATIC, EVENT ("\"content\":\"so far\""), strlen (EVENT ("\"content\":\"so far\"")));
}

static gboolean
is_loaded (gpointer app)
{
  return sl_history_get_loaded (((App *) app)->history);
}

static void
start (App *app)
{
  app->store = sl_store_new (app->dir);
  app->engine = sl_engine_new ();
  app->history = sl_history_new (app->store, app->engine);
  app->remotes = sl_remotes_new ();
  app_test_wait (is_loaded, app);
}

static void
stop (App *app)
{
  sl_history_shutdown (app->history);
  g_assert_true (sl_store_close (app->store, NULL));
  g_clear_object (&app->history);
  g_clear_object (&app->engine);
  g_clear_object (&app->store);
  g_clear_object (&app->remotes);
}

static void
init (App *app)
{
  g_autoptr (GError) error = NULL;
  GSList *uris;

  app->dir = app_test_make_dir ();
  app->config = app_test_make_dir ();
  g_setenv ("SIGHTLINE_CONFIG_DIR", app->config, TRUE);
  app->status = 200;
  app->server = soup_server_new (NULL, NULL);
  soup_server_add_handler (app->server, NULL, on_request, app, NULL);
  g_assert_true (soup_server_listen_local (app->server, 0, SOUP_SERVER_LISTEN_IPV4_ONLY, &error));
  g_assert_no_error (error);
  uris = soup_server_get_uris (app->server);
  app->address = g_strdup_printf ("http://127.0.0.1:%d/v1", g_uri_get_port (uris->data));
  g_slist_free_full (uris, (GDestroyNotify) g_uri_unref);
  start (app);
}

static void
clear (App *app)
{
  stop (app);
  g_object_unref (app->server);
  g_free (app->address);
  app_test_remove_dir (app->dir);
  app_test_remove_dir (app->config);
}

static SlRemoteEngine *
add_server (App     *app,
            gboolean confirmed)
{
  g_autoptr (SlRemoteServer) server = sl_remote_server_new (SL_REMOTE_OTHER);
  g_autoptr (GError) error = NULL;

  g_free (server->address);
  server->address = g_strdup (app->address);
  server->confirmed = confirmed;
  g_assert_true (sl_remotes_put (app->remotes, server, &error));
  return sl_remotes_find (app->remotes, server->id);
}

static gboolean
is_done (gpointer conversation)
{
  return !sl_conversation_is_busy (conversation);
}

static SlMessage *
ask (App            *app,
     SlConversation *conversation)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (SlPicture) picture = app_test_make_picture (2000, 1000, 0x3366ff);
  g_autoptr (GError) error = NULL;
  SlMessage *answer;

  g_ptr_array_add (parts, sl_message_part_new_picture (picture, SL_DETAIL_AUTO));
  g_ptr_array_add (parts, sl_message_part_new_text ("Where is the cup?"));
  answer = sl_conversation_send (conversation, parts, SL_MODE_CHAT, FALSE, NULL, &error);
  g_assert_no_error (error);
  return answer;
}

static void
expect_box (SlMessage *answer,
            int        x1,
            int        y1,
            int        x2,
            int        y2)
{
  g_autoptr (SlBoxItem) box = g_list_model_get_item (sl_message_get_boxes (answer), 0);
  const int expected[4] = { x1, y1, x2, y2 };
  int coords[4];

  g_assert_nonnull (box);
  g_assert_true (sl_box_item_get_coords (box, coords));
  g_assert_cmpmem (coords, sizeof coords, expected, sizeof expected);
}

/* Text, thinking, counts and boxes arrive, are kept, and can be read anew after a restart, in another scale too. */
static void
test_answer (void)
{
  App app = { 0 };
  g_autoptr (SlConversation) conversation = NULL;
  g_autoptr (GAsyncResult) opened = NULL;
  GAsyncResult *result = NULL;
  SlMessage *answer;
  gint64 id;
  const SlGeneration *generation;
  g_autofree char *engine_id = NULL;

  init (&app);
  app.body = EVENT ("\"reasoning_content\":\"Hm.\"") EVENT ("\"content\":\"Here: [{\\\"bbox_2d\\\": [200, 100, \"")
             EVENT ("\"content\":\"400, 500], \\\"label\\\": \\\"cup\\\"}]\"")
             "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":5}}\n\n";
  conversation = sl_history_create (app.history);
  id = sl_conversation_get_id (conversation);
  sl_conversation_set_answerer (conversation, SL_ANSWERER (add_server (&app, TRUE)));
  engine_id = g_strdup (sl_conversation_get_engine_id (conversation));
  answer = ask (&app, conversation);
  app_test_wait (is_done, conversation);

  generation = sl_message_get_generation (answer);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_COMPLETE);
  g_assert_true (g_str_has_prefix (sl_message_get_text (answer), "Here: [{"));
  g_assert_cmpstr (generation->reasoning, ==, "Hm.");
  g_assert_cmpuint (generation->prompt_tokens, ==, 9);
  g_assert_cmpuint (generation->output_tokens, ==, 5);
  g_assert_true (g_str_has_prefix (generation->place, "127.0.0.1:"));
  expect_box (answer, 200, 100, 400, 500); /* of 1000 */
  g_clear_object (&conversation);
  stop (&app);

  start (&app);
  sl_history_open_async (app.history, id, NULL, app_test_store_result, &result);
  opened = app_test_wait_result (&result);
  conversation = sl_history_open_finish (app.history, opened, NULL);
  g_assert_cmpstr (sl_conversation_get_engine_id (conversation), ==, engine_id);
  g_assert_nonnull (sl_remotes_find (app.remotes, engine_id));
  answer = g_list_model_get_item (G_LIST_MODEL (conversation), 1);
  g_object_unref (answer); /* the conversation holds it */
  g_assert_cmpstr (sl_message_get_generation (answer)->reasoning, ==, "Hm.");
  sl_conversation_set_box_space (conversation, answer, &(SlBoxSpace) { SL_BOX_SCALE_PIXELS, SL_BOX_ORDER_Y_FIRST, 0, 0 });
  expect_box (answer, 50, 200, 250, 400); /* y 200…400 of 1000, x 100…500 of 2000, in 0…999 */
  g_clear_object (&conversation);
  clear (&app);
}

/* Which of the alternatives was taken is told apart, though servers give no numbers. */
static void
test_alternatives (void)
{
  App app = { 0 };
  g_autoptr (SlConversation) conversation = NULL;
  const SlAlternative *others;
  const SlGeneration *generation;
  SlMessage *answer;
  guint n_others, token;
  gsize start, end;

  init (&app);
  app.body = "data: {\"choices\":[{\"delta\":{\"content\":\"yes\"},\"logprobs\":{\"content\":[{\"token\":\"yes\",\"logprob\":-0.5,"
             "\"top_logprobs\":[{\"token\":\"no\",\"logprob\":-0.25},{\"token\":\"yes\",\"logprob\":-0.5}]}]},"
             "\"finish_reason\":\"stop\"}]}\n\n";
  conversation = sl_history_create (app.history);
  sl_conversation_set_answerer (conversation, SL_ANSWERER (add_server (&app, TRUE)));
  answer = ask (&app, conversation);
  app_test_wait (is_done, conversation);
  generation = sl_message_get_generation (answer);
  g_assert_true (sl_generation_find_token (generation, 1, &token, &start, &end));
  others = sl_generation_get_alternatives (generation, token, &n_others);
  g_assert_cmpuint (n_others, ==, 2);
  g_assert_cmpstr (others[1].text, ==, "yes");
  g_assert_cmpint (others[1].id, ==, g_array_index (generation->tokens, SlTokenMark, token).id);
  g_assert_cmpint (others[0].id, !=, others[1].id);
  g_clear_object (&conversation);
  clear (&app);
}

static void
test_no_leave (void)
{
  App app = { 0 };
  g_autoptr (SlConversation) conversation = NULL;
  SlMessage *answer;

  init (&app);
  app.body = EVENT ("\"content\":\"a\"") "data: [DONE]\n\n";
  conversation = sl_history_create (app.history);
  sl_conversation_set_answerer (conversation, SL_ANSWERER (add_server (&app, FALSE)));
  answer = ask (&app, conversation);
  app_test_wait (is_done, conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_FAILED);
  g_assert_nonnull (strstr (sl_message_get_generation (answer)->error, "agreed"));
  g_assert_cmpuint (app.n_asked, ==, 0);
  g_clear_object (&conversation);
  clear (&app);
}

static gboolean
has_text (gpointer answer)
{
  return sl_message_get_text (answer)[0] != '\0';
}

/* What was said stays. That the server is told, tests/remote shows. */
static void
test_stop (void)
{
  App app = { 0 };
  g_autoptr (SlConversation) conversation = NULL;
  SlMessage *answer;

  init (&app);
  conversation = sl_history_create (app.history);
  sl_conversation_set_answerer (conversation, SL_ANSWERER (add_server (&app, TRUE)));
  answer = ask (&app, conversation);
  app_test_wait (has_text, answer);
  sl_conversation_stop (conversation);
  app_test_wait (is_done, conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_STOPPED);
  g_assert_cmpstr (sl_message_get_text (answer), ==, "so far");
  g_clear_object (&conversation);
  clear (&app);
}

/* The server's own words; then this computer is asked, and the other engine is chosen again: one conversation, several engines. */
static void
test_refusal_and_switch (void)
{
  App app = { 0 };
  g_autoptr (SlConversation) conversation = NULL;
  g_autoptr (GError) error = NULL;
  SlRemoteEngine *remote;
  SlMessage *answer;

  init (&app);
  app.status = 404;
  app.body = "{\"error\":{\"message\":\"no such model\"}}";
  remote = add_server (&app, TRUE);
  conversation = sl_history_create (app.history);
  sl_conversation_set_answerer (conversation, SL_ANSWERER (remote));
  answer = ask (&app, conversation);
  app_test_wait (is_done, conversation);
  g_assert_nonnull (strstr (sl_message_get_generation (answer)->error, "no such model"));

  sl_conversation_set_answerer (conversation, NULL);
  g_assert_cmpstr (sl_conversation_get_engine_id (conversation), ==, "");
  answer = sl_conversation_regenerate (conversation, answer, NULL, &error);
  g_assert_no_error (error);
  app_test_wait (is_done, conversation);
  g_assert_cmpuint (app.n_asked, ==, 1); /* no model is loaded here, and nobody else was asked */

  app.status = 200;
  app.body = EVENT ("\"content\":\"a\"") "data: [DONE]\n\n";
  sl_conversation_set_answerer (conversation, SL_ANSWERER (remote));
  answer = sl_conversation_regenerate (conversation, answer, NULL, &error);
  app_test_wait (is_done, conversation);
  g_assert_cmpstr (sl_message_get_text (answer), ==, "a");
  g_assert_cmpuint (sl_message_get_n_siblings (answer), ==, 3);
  g_clear_object (&conversation);
  clear (&app);
}

/* The list survives, with everything but keys. */
static void
test_list (void)
{
  App app = { 0 };
  g_autoptr (SlRemoteServer) server = sl_remote_server_new (SL_REMOTE_VLLM);
  g_autoptr (SlRemotes) again = NULL;
  SlRemoteServer *found;

  init (&app);
  g_free (server->address);
  g_free (server->name);
  server->address = g_strdup ("https://box.example:8000/v1");
  server->name = g_strdup ("Büro; [1]");
  server->space = (SlBoxSpace) { SL_BOX_SCALE_1000, SL_BOX_ORDER_Y_FIRST, 0, 0 };
  server->max_pictures = 3;
  g_assert_true (sl_remotes_put (app.remotes, server, NULL));
  again = sl_remotes_new ();
  g_assert_cmpuint (g_list_model_get_n_items (G_LIST_MODEL (again)), ==, 1);
  found = sl_remote_engine_get_server (sl_remotes_find (again, server->id));
  g_assert_cmpstr (found->name, ==, server->name);
  g_assert_cmpstr (found->address, ==, server->address);
  g_assert_cmpint (found->preset, ==, SL_REMOTE_VLLM);
  g_assert_cmpint (found->space.scale, ==, SL_BOX_SCALE_1000);
  g_assert_cmpint (found->space.order, ==, SL_BOX_ORDER_Y_FIRST);
  g_assert_cmpuint (found->max_pictures, ==, 3);
  g_assert_false (found->confirmed);
  g_assert_true (sl_remotes_remove (again, server->id, NULL));
  g_assert_null (sl_remotes_find (again, server->id));
  clear (&app);
}

static gboolean
is_ready (gpointer engine)
{
  return sl_engine_get_state (engine) == SL_ENGINE_READY;
}

/* A question about the sample, at a temperature, and another one behind its answer. */
static void
ask_twice (SlConversation *conversation,
           SlMessage      *answers[2])
{
  g_autofree char *path = g_test_build_filename (G_TEST_DIST, "..", "..", "data", "samples", "shapes-1.png", NULL);
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (SlPicture) picture = sl_picture_new_from_file (file, NULL, NULL);
  SlSettings settings = sl_settings_for_mode (SL_MODE_GROUND);

  g_assert_nonnull (picture);
  settings.seed = 7;
  settings.sampling.temperature = 0.7;
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);

      if (i == 0)
        g_ptr_array_add (parts, sl_message_part_new_picture (picture, SL_DETAIL_LOW));
      g_ptr_array_add (parts, sl_message_part_new_text (i == 0 ? "red circle" : "blue square"));
      answers[i] = sl_conversation_send (conversation, parts, i == 0 ? SL_MODE_GROUND : SL_MODE_FIND, FALSE, &settings, NULL);
      g_assert_nonnull (answers[i]);
      app_test_wait (is_done, conversation);
      g_assert_cmpint (sl_message_get_status (answers[i]), ==, SL_MESSAGE_COMPLETE);
    }
}

static double
logprob_of (const SlGeneration *generation,
            guint               token)
{
  return g_array_index (generation->tokens, SlTokenMark, token).logprob;
}

/* The window reads 256 tokens at a time and the server 128: sums of floats in another order, which tells in their last digits. */
#define SAME 1e-4

/* Returns the number of boxes whose expected overlap is known. */
static guint
compare_boxes (GListModel *boxes,
               GListModel *others)
{
  guint n_sure = 0;

  g_assert_cmpuint (g_list_model_get_n_items (boxes), ==, g_list_model_get_n_items (others));
  for (guint i = 0; i < g_list_model_get_n_items (boxes); i++)
    {
      g_autoptr (SlBoxItem) box = g_list_model_get_item (boxes, i), other = g_list_model_get_item (others, i);
      double spread[4] = { 0 }, spreads[4] = { 0 }, overlap = sl_box_item_get_overlap (box, spread);
      int coords[4] = { 0 }, numbers[4] = { 0 };

      g_assert_cmpstr (sl_box_item_get_label (box), ==, sl_box_item_get_label (other));
      g_assert_cmpint (sl_box_item_get_status (box), ==, sl_box_item_get_status (other));
      g_assert_true (sl_box_item_get_coords (box, coords) == sl_box_item_get_coords (other, numbers));
      g_assert_cmpmem (coords, sizeof coords, numbers, sizeof numbers);
      g_assert_cmpfloat_with_epsilon (sl_box_item_get_confidence (box), sl_box_item_get_confidence (other), SAME);
      g_assert_cmpfloat_with_epsilon (overlap, sl_box_item_get_overlap (other, spreads), SAME);
      for (guint c = 0; c < 4; c++)
        g_assert_cmpfloat_with_epsilon (spread[c], spreads[c], SAME * 1000);
      n_sure += overlap > 0;
    }
  return n_sure;
}

static guint
compare_answers (SlMessage *here,
                 SlMessage *there)
{
  const SlGeneration *a = sl_message_get_generation (here), *b = sl_message_get_generation (there);

  g_assert_cmpstr (sl_message_get_text (here), ==, sl_message_get_text (there));
  g_assert_cmpuint (a->tokens->len, ==, b->tokens->len);
  for (guint i = 0; i < a->tokens->len; i++)
    g_assert_cmpfloat_with_epsilon (logprob_of (a, i), logprob_of (b, i), SAME);
  g_assert_cmpstr (b->boxes_as, ==, "");
  g_assert_cmpint (a->stop, ==, b->stop);
  g_assert_cmpuint (a->prompt_tokens, ==, b->prompt_tokens);
  return compare_boxes (sl_message_get_boxes (here), sl_message_get_boxes (there));
}

/* The model of this computer, asked through its own server: the same answer as from the window's queue. */
static void
test_own_server (void)
{
  App app = { 0 };
  g_autofree char *model = g_test_build_filename (G_TEST_DIST, "..", "..", "data", "demo-model", NULL);
  g_autoptr (SlServer) server = NULL;
  g_autoptr (SlConversation) local = NULL, remote = NULL;
  g_autoptr (SlRemoteServer) described = sl_remote_server_new (SL_REMOTE_SIGHTLINE);
  SlMessage *here[2], *there[2];
  GError *error = NULL;

  init (&app);
  sl_engine_load (app.engine, model, NULL);
  app_test_wait (is_ready, app.engine);
  server = sl_server_new (app.engine);
  g_assert_true (sl_server_start (server, &sl_server_default_options, &error));
  g_free (described->address);
  described->address = sl_server_dup_address (server);
  described->confirmed = TRUE;
  g_assert_true (sl_remotes_put (app.remotes, described, &error));
  local = sl_history_create (app.history);
  ask_twice (local, here);
  remote = sl_history_create (app.history);
  sl_conversation_set_answerer (remote, SL_ANSWERER (sl_remotes_find (app.remotes, described->id)));
  ask_twice (remote, there);
  g_assert_cmpstr (sl_message_get_generation (there[0])->place, !=, "");
  g_assert_cmpuint (compare_answers (here[0], there[0]) + compare_answers (here[1], there[1]), >, 1);
  sl_server_stop (server);
  g_clear_object (&local);
  g_clear_object (&remote);
  clear (&app);
}

int
main (int    argc,
      char **argv)
{
  g_setenv ("SECRET_BACKEND", "file", TRUE); /* no keyring is asked */
  g_setenv ("SECRET_FILE_TEST_PATH", "/dev/null/keyring", TRUE); /* libsecret makes folders that are missing */
  g_setenv ("SECRET_FILE_TEST_PASSWORD", "test", TRUE);
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/remote-engine/answer", test_answer);
  g_test_add_func ("/remote-engine/alternatives", test_alternatives);
  g_test_add_func ("/remote-engine/no-leave", test_no_leave);
  g_test_add_func ("/remote-engine/stop", test_stop);
  g_test_add_func ("/remote-engine/refusal-and-switch", test_refusal_and_switch);
  g_test_add_func ("/remote-engine/list", test_list);
  g_test_add_func ("/remote-engine/own-server", test_own_server);
  return g_test_run ();
}
