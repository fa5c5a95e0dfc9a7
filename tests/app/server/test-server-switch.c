/* SPDX-License-Identifier: MIT
 *
 * The window's own server: off until it is switched on, on the loopback with a key that the keyring keeps, refusing without one; switched off
 * it lets an answer end that was begun, and what the answer's session took is given back; a port that is taken is said.
 */
#include <string.h>

#include <libsoup/soup.h>

#include "app-test.h"
#include "app/server/sl-server-switch.h"

#define QUESTION \
  "{\"messages\":[{\"role\":\"user\",\"content\":\"<|ref|>red<|/ref|>\"}],\"max_tokens\":400," \
  "\"temperature\":2,\"seed\":1,\"stream\":true}"

typedef struct
{
  char *dir;
  SlEngine *engine;
  SlServerSwitch *server;
  SoupSession *session;
} App;

static gboolean
is_ready (gpointer engine)
{
  return sl_engine_get_state (engine) == SL_ENGINE_READY;
}

static char *
get_text (App        *app,
          const char *property)
{
  char *text = NULL;

  g_object_get (app->server, property, &text, NULL);
  return text;
}

static gboolean
is_listening (gpointer data)
{
  g_autofree char *address = get_text (data, "address");

  return address != NULL;
}

static void
init (App *app)
{
  g_autofree char *model = g_test_build_filename (G_TEST_DIST, "..", "..", "data", "demo-model", NULL);
  g_autofree char *keyring = NULL;

  app->dir = app_test_make_dir ();
  keyring = g_build_filename (app->dir, "keyring", NULL);
  g_setenv ("SECRET_FILE_TEST_PATH", keyring, TRUE);
  app->engine = sl_engine_new ();
  sl_engine_load (app->engine, model, NULL);
  app_test_wait (is_ready, app->engine);
  app->server = sl_server_switch_new (app->engine);
  g_object_set (app->server, "port", 0, NULL);
  app->session = soup_session_new ();
}

static void
clear (App *app)
{
  g_clear_object (&app->session);
  sl_server_switch_close (app->server);
  g_clear_object (&app->server);
  g_clear_object (&app->engine);
  app_test_remove_dir (app->dir);
}

/* key NULL: none is shown. question NULL: the list of models. */
static SoupMessage *
new_message (const char *address,
             const char *key,
             const char *question)
{
  g_autofree char *uri = g_strconcat (address, question != NULL ? "/chat/completions" : "/models", NULL);
  SoupMessage *message = soup_message_new (question != NULL ? "POST" : "GET", uri);
  g_autofree char *header = g_strdup_printf ("Bearer %s", key);
  g_autoptr (GBytes) body = question != NULL ? g_bytes_new_static (question, strlen (question)) : NULL;

  if (key != NULL)
    soup_message_headers_append (soup_message_get_request_headers (message), "Authorization", header);
  if (body != NULL)
    soup_message_set_request_body_from_bytes (message, "application/json", body);
  return message;
}

/* The status; 0 where nobody listens. */
static guint
ask_status (App        *app,
            const char *address,
            const char *key)
{
  g_autoptr (SoupMessage) message = new_message (address, key, NULL);
  g_autoptr (GAsyncResult) done = NULL;
  g_autoptr (GBytes) body = NULL;
  GAsyncResult *result = NULL;

  soup_session_send_and_read_async (app->session, message, G_PRIORITY_DEFAULT, NULL, app_test_store_result, &result);
  done = app_test_wait_result (&result);
  body = soup_session_send_and_read_finish (app->session, done, NULL);
  return body != NULL ? soup_message_get_status (message) : 0;
}

static void
test_on_and_off (void)
{
  App app = { 0 };
  g_autofree char *none = NULL, *address = NULL, *key = NULL, *again = NULL, *status = NULL;
  g_autoptr (SlServerSwitch) next = NULL;
  gboolean kept;

  init (&app);
  none = get_text (&app, "address");
  g_assert_null (none);
  sl_server_switch_set_on (app.server, TRUE);
  app_test_wait (is_listening, &app);
  address = get_text (&app, "address");
  key = get_text (&app, "key");
  status = get_text (&app, "status");
  g_object_get (app.server, "key-is-kept", &kept, NULL);
  g_assert_true (g_str_has_prefix (address, "http://127.0.0.1:") && kept);
  g_assert_cmpuint (strlen (key), >=, SL_SERVER_LEAST_KEY);
  g_assert_cmpstr (status, ==, "Waiting for questions");
  g_assert_cmpuint (ask_status (&app, address, key), ==, 200);
  g_assert_cmpuint (ask_status (&app, address, "sightline-00000000000000000000000000000000"), ==, 401);
  g_assert_cmpuint (ask_status (&app, address, NULL), ==, 401);
  sl_server_switch_set_on (app.server, FALSE);
  g_assert_false (is_listening (&app));
  g_assert_cmpuint (ask_status (&app, address, key), ==, 0);

  /* The next run has the same key. */
  next = sl_server_switch_new (app.engine);
  g_object_set (next, "port", 0, "on", TRUE, NULL);
  g_set_object (&app.server, next);
  app_test_wait (is_listening, &app);
  again = get_text (&app, "key");
  g_assert_cmpstr (again, ==, key);
  clear (&app);
}

static gboolean
has_new_key (gpointer data)
{
  App *app = data;
  g_autofree char *key = get_text (app, "key");

  return key != NULL && is_listening (data);
}

static void
test_new_key (void)
{
  App app = { 0 };
  g_autofree char *address = NULL, *key = NULL, *fresh = NULL;

  init (&app);
  sl_server_switch_set_on (app.server, TRUE);
  app_test_wait (is_listening, &app);
  key = get_text (&app, "key");
  sl_server_switch_renew_key (app.server);
  app_test_wait (has_new_key, &app);
  fresh = get_text (&app, "key");
  address = get_text (&app, "address");
  g_assert_cmpstr (fresh, !=, key);
  g_assert_cmpuint (ask_status (&app, address, key), ==, 401);
  g_assert_cmpuint (ask_status (&app, address, fresh), ==, 200);
  clear (&app);
}

static gboolean
is_quiet (gpointer data)
{
  g_autofree char *status = get_text (data, "status");

  return status[0] == '\0';
}

/* Switched off in the middle of an answer: the client gets all of it. */
static void
test_last_answer (void)
{
  App app = { 0 };
  g_autofree char *address = NULL, *key = NULL, *status = NULL;
  g_autoptr (SoupMessage) message = NULL;
  g_autoptr (GAsyncResult) sent = NULL, read = NULL;
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  GAsyncResult *result = NULL;

  init (&app);
  sl_server_switch_set_on (app.server, TRUE);
  app_test_wait (is_listening, &app);
  address = get_text (&app, "address");
  key = get_text (&app, "key");
  message = new_message (address, key, QUESTION);
  soup_session_send_async (app.session, message, G_PRIORITY_DEFAULT, NULL, app_test_store_result, &result);
  sent = app_test_wait_result (&result);
  stream = soup_session_send_finish (app.session, sent, NULL);
  g_assert_cmpuint (soup_message_get_status (message), ==, 200);
  sl_server_switch_set_on (app.server, FALSE);
  status = get_text (&app, "status");
  g_assert_cmpstr (status, ==, "The last answers are being made");
  g_assert_cmpuint (ask_status (&app, address, key), ==, 0);
  result = NULL;
  g_output_stream_splice_async (memory, stream, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, G_PRIORITY_DEFAULT, NULL, app_test_store_result,
                                &result);
  read = app_test_wait_result (&result);
  g_assert_cmpint (g_output_stream_splice_finish (memory, read, NULL), >, 0);
  bytes = g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (memory));
  g_assert_nonnull (g_strstr_len (g_bytes_get_data (bytes, NULL), (gssize) g_bytes_get_size (bytes), "data: [DONE]"));
  app_test_wait (is_quiet, &app);
  clear (&app);
}

/* What became of a guest, noted on the inference thread. */
typedef struct
{
  gint read, ended; /* atomic */
  gint end;
} Guest;

static void
on_guest_read (gpointer data,
               guint    prompt_tokens,
               guint    reused_tokens)
{
  g_atomic_int_set (&((Guest *) data)->read, (gint) prompt_tokens);
}

static void
on_guest_token (gpointer            data,
                const SlGuestToken *token)
{
}

static void
on_guest_ended (gpointer      data,
                SlGuestEnd    end,
                SlStopReason  stop,
                const char   *reason)
{
  ((Guest *) data)->end = end;
  g_atomic_int_set (&((Guest *) data)->ended, TRUE);
}

static const SlGuestEvents guest_events = { on_guest_read, on_guest_token, on_guest_ended };

static SlPrompt *
new_prompt (guint n_words,
            int   max_tokens)
{
  SlSettings settings = sl_settings_for_mode (SL_MODE_FIND);
  g_autoptr (GString) text = g_string_new (NULL);
  SlPrompt *prompt;

  settings.max_tokens = max_tokens;
  for (guint i = 0; i < n_words; i++)
    g_string_append (text, "word ");
  prompt = sl_prompt_new (&settings);
  sl_prompt_add_message (prompt, SL_ROLE_USER);
  sl_prompt_add_text (prompt, text->str, -1, SL_MARKUP_NONE);
  return prompt;
}

static gboolean
has_ended (gpointer guest)
{
  return g_atomic_int_get (&((Guest *) guest)->ended);
}

/* The window asks while a guest's long question is being read: it is answered before that has been read, which then goes on. */
static void
test_window_first (void)
{
  App app = { 0 };
  Guest noted = { 0 };
  g_autoptr (SlPrompt) lengthy = new_prompt (3500, 2), brief = new_prompt (1, 1);
  g_autoptr (SlGuest) guest = sl_guest_new (lengthy, "", 1, 0, &guest_events, &noted, NULL);
  g_autoptr (SlJob) job = NULL;
  guint waiting, going = 0;

  init (&app);
  sl_engine_set_guest_limits (app.engine, 1, 0);
  sl_engine_submit_guest (app.engine, guest);
  while (going == 0)
    sl_engine_count_guests (app.engine, &waiting, &going);
  job = sl_engine_submit (app.engine, brief);
  while (sl_job_drain (job))
    g_thread_yield ();
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_DONE);
  g_assert_cmpint (g_atomic_int_get (&noted.read), ==, 0);
  app_test_wait (has_ended, &noted);
  g_assert_cmpint (noted.end, ==, SL_GUEST_DONE);
  g_assert_cmpint (noted.read, >, 3500);
  clear (&app);
}

static void
test_taken_port (void)
{
  App app = { 0 };
  g_autoptr (GSocketListener) other = g_socket_listener_new ();
  g_autoptr (GSocketAddress) wanted = g_inet_socket_address_new_from_string ("127.0.0.1", 0), taken = NULL;
  g_autofree char *status = NULL;
  guint port;
  gboolean failed = FALSE;

  init (&app);
  sl_server_switch_set_on (app.server, TRUE);
  app_test_wait (is_listening, &app);
  g_assert_true (g_socket_listener_add_address (other, wanted, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_TCP, NULL, &taken, NULL));
  port = g_inet_socket_address_get_port (G_INET_SOCKET_ADDRESS (taken));
  g_object_set (app.server, "port", port, NULL);
  status = get_text (&app, "status");
  g_object_get (app.server, "failed", &failed, NULL);
  g_assert_true (failed);
  g_assert_nonnull (strstr (status, "127.0.0.1, port"));
  g_socket_listener_close (other);
  g_object_set (app.server, "port", 0, NULL);
  g_assert_true (is_listening (&app));
  clear (&app);
}

int
main (int    argc,
      char **argv)
{
  g_setenv ("SECRET_BACKEND", "file", TRUE); /* no keyring is asked */
  g_setenv ("SECRET_FILE_TEST_PASSWORD", "test", TRUE);
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/server-switch/on-and-off", test_on_and_off);
  g_test_add_func ("/server-switch/new-key", test_new_key);
  g_test_add_func ("/server-switch/last-answer", test_last_answer);
  g_test_add_func ("/server-switch/window-first", test_window_first);
  g_test_add_func ("/server-switch/taken-port", test_taken_port);
  return g_test_run ();
}
