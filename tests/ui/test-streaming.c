/* SPDX-License-Identifier: MIT
 *
 * What the chat shows while the demo model is answering: the first chip, Stop, the place in the queue. The engine is the real
 * one; only its token callback is wrapped (linked with --wrap), so that it waits behind a token of the test's choice and every
 * look at the window is taken while the engine stands there, however fast or busy the machine is.
 * Run by in_session.py, which gives it a display and a home.
 */
#include <adwaita.h>
#include <string.h>

#include "engine/vl2.h"
#include "tests/ui/ui-test.h"
#include "ui/chat/sl-chat-view.h"
#include "ui/composer/sl-chip.h"

/* ------------------------------------------------------------------------------------------------ the gate */

static GMutex gate_lock;
static GCond gate_moved;
static guint gate_allowed = G_MAXUINT; /* tokens that one answer may have before it waits */

static void
gate_allow (guint n)
{
  g_mutex_lock (&gate_lock);
  gate_allowed = n;
  g_cond_broadcast (&gate_moved);
  g_mutex_unlock (&gate_lock);
}

typedef struct
{
  vl2_token_fn on_token;
  void *user;
  guint n;
} Gated;

static bool
gated_token (const struct vl2_token *token,
             void                   *user)
{
  Gated *gated = user;
  bool more = gated->on_token (token, gated->user);

  g_mutex_lock (&gate_lock);
  gated->n++;
  while (gated->n >= gate_allowed)
    g_cond_wait (&gate_moved, &gate_lock);
  g_mutex_unlock (&gate_lock);
  return more;
}

vl2_status __real_vl2_writing_begin (vl2_session *session, const struct vl2_generate_options *options, const vl2_cancel *cancel,
                                     vl2_token_fn on_token, void *user, vl2_writing **out, vl2_error *err);
vl2_status __wrap_vl2_writing_begin (vl2_session *session, const struct vl2_generate_options *options, const vl2_cancel *cancel,
                                     vl2_token_fn on_token, void *user, vl2_writing **out, vl2_error *err);

/* The engine of a window writes one answer at a time. */
vl2_status
__wrap_vl2_writing_begin (vl2_session                       *session,
                          const struct vl2_generate_options *options,
                          const vl2_cancel                  *cancel,
                          vl2_token_fn                       on_token,
                          void                              *user,
                          vl2_writing                      **out,
                          vl2_error                         *err)
{
  static Gated gated;

  gated = (Gated) { on_token, user, 0 };
  return __real_vl2_writing_begin (session, options, cancel, gated_token, &gated, out, err);
}

/* ------------------------------------------------------------------------------------------------ a chat on the display */

typedef struct
{
  Backend backend;
  SlConversation *conversation;
  GtkWidget *window;
  SlChatView *chat;
} Chat;

static void
chat_init (Chat *chat)
{
  gate_allow (G_MAXUINT);
  backend_init (&chat->backend);
  chat->conversation = sl_history_create (chat->backend.history);
  chat->chat = g_object_new (SL_TYPE_CHAT_VIEW, NULL);
  sl_chat_view_set_conversation (chat->chat, chat->conversation);
  chat->window = gtk_window_new ();
  gtk_window_set_default_size (GTK_WINDOW (chat->window), 800, 700);
  gtk_window_set_child (GTK_WINDOW (chat->window), GTK_WIDGET (chat->chat));
  gtk_window_present (GTK_WINDOW (chat->window));
}

static void
chat_deinit (Chat *chat)
{
  gate_allow (G_MAXUINT);
  gtk_window_destroy (GTK_WINDOW (chat->window));
  g_clear_object (&chat->conversation);
  backend_deinit (&chat->backend);
}

static SlMessage *
ask_for_boxes (SlConversation *conversation)
{
  return ask (conversation, "wide.png", "Describe the picture.", SL_MODE_GROUND);
}

/* Number of tokens of a finished answer after which its first label and boxes are written. */
static guint
tokens_of_first_boxes (SlMessage *answer)
{
  const char *text = sl_message_get_text (answer);
  const char *end = strstr (text, "<|/det|>");
  const GArray *tokens = sl_message_get_generation (answer)->tokens;

  g_test_message ("the answer: %s", text);
  g_assert_nonnull (end);
  for (guint i = 0; i < tokens->len; i++)
    if (g_array_index (tokens, SlTokenMark, i).end >= (gsize) (end - text) + strlen ("<|/det|>"))
      return i + 1;
  g_assert_not_reached ();
}

/* An undisturbed answer: how long it is, and where its first boxes end. */
static void
measure (Chat  *chat,
         guint *first,
         guint *all)
{
  g_autoptr (SlConversation) conversation = sl_history_create (chat->backend.history);
  SlMessage *answer = ask_for_boxes (conversation);

  wait_until ("the undisturbed answer", is_idle, conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_COMPLETE);
  *first = tokens_of_first_boxes (answer);
  *all = sl_message_get_generation (answer)->output_tokens;
  g_assert_cmpuint (*first + 1, <, *all);
}

/* ------------------------------------------------------------------------------------------------ looking */

typedef gboolean (*Wanted) (GtkWidget *widget, const char *text);

/* The first such widget that the user can see. */
static GtkWidget *
find (GtkWidget  *widget,
      Wanted      wanted,
      const char *text)
{
  GtkWidget *found = NULL;

  if (!gtk_widget_get_mapped (widget))
    return NULL;
  if (wanted (widget, text))
    return widget;
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL && found == NULL;
       child = gtk_widget_get_next_sibling (child))
    found = find (child, wanted, text);
  return found;
}

static gboolean
is_chip (GtkWidget  *widget,
         const char *text)
{
  return SL_IS_CHIP (widget);
}

static gboolean
is_label (GtkWidget  *widget,
          const char *text)
{
  return GTK_IS_LABEL (widget) && g_str_has_prefix (gtk_label_get_label (GTK_LABEL (widget)), text);
}

static gboolean
is_button (GtkWidget  *widget,
           const char *text)
{
  return GTK_IS_BUTTON (widget) && g_strcmp0 (gtk_button_get_label (GTK_BUTTON (widget)), text) == 0;
}

static gboolean
shows_chip (gpointer data)
{
  Chat *chat = data;
  GtkWidget *chip = find (GTK_WIDGET (chat->chat), is_chip, NULL);
  graphene_rect_t bounds, view;

  if (chip == NULL || !gtk_widget_compute_bounds (chip, chat->window, &bounds))
    return FALSE;
  graphene_rect_init (&view, 0, 0, gtk_widget_get_width (chat->window), gtk_widget_get_height (chat->window));
  return bounds.size.width > 10 && bounds.size.height > 10 && graphene_rect_contains_rect (&view, &bounds);
}

static gboolean
shows_stopped (gpointer data)
{
  return find (GTK_WIDGET (((Chat *) data)->chat), is_label, "Stopped") != NULL;
}

static gboolean
shows_place (gpointer data)
{
  return find (GTK_WIDGET (((Chat *) data)->chat), is_label, "Waiting: 1 answer before this one") != NULL;
}

typedef struct
{
  SlJob *job;
  guint n;
} Count;

static gboolean
has_decoded (gpointer data)
{
  Count *count = data;

  return sl_job_peek_decoded (count->job) == count->n;
}

/* ------------------------------------------------------------------------------------------------ tests */

static void
test_first_chip (void)
{
  Chat chat;
  SlMessage *answer;
  g_autoptr (SlJob) job = NULL;
  guint first, all;

  chat_init (&chat);
  measure (&chat, &first, &all);
  gate_allow (first);
  answer = ask_for_boxes (chat.conversation);
  job = g_object_ref (sl_message_get_job (answer));
  wait_until ("the first chip", shows_chip, &chat);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_DECODING);
  g_assert_cmpuint (sl_job_peek_decoded (job), <=, first);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_STREAMING);

  gate_allow (G_MAXUINT);
  wait_until ("the end of the answer", is_idle, chat.conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_COMPLETE);
  g_assert_cmpuint (sl_job_peek_decoded (job), ==, all);
  chat_deinit (&chat);
}

static void
test_stop (void)
{
  Chat chat;
  SlMessage *answer;
  g_autoptr (SlJob) job = NULL;
  guint first, all, stopped;

  chat_init (&chat);
  measure (&chat, &first, &all);
  gate_allow (first);
  answer = ask_for_boxes (chat.conversation);
  job = g_object_ref (sl_message_get_job (answer));
  wait_until ("the engine at the gate", has_decoded, &(Count) { job, first });
  sl_conversation_stop (chat.conversation);
  gate_allow (G_MAXUINT);
  wait_until ("“Stopped”", shows_stopped, &chat);
  g_assert_cmpint (sl_job_get_state (job), ==, SL_JOB_STOPPED);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_STOPPED);
  g_assert_cmpint (sl_message_get_generation (answer)->stop, ==, SL_STOP_USER);
  stopped = sl_job_peek_decoded (job);
  g_assert_cmpuint (stopped, <=, first + 1);
  g_assert_cmpuint (sl_message_get_generation (answer)->output_tokens, ==, stopped);
  g_assert_true (shows_chip (&chat));

  /* The engine answers somebody else from the first token to the last; the counter has not moved. */
  measure (&chat, &first, &all);
  g_assert_cmpuint (sl_job_peek_decoded (job), ==, stopped);
  chat_deinit (&chat);
}

static void
test_queue (void)
{
  Chat chat;
  g_autoptr (SlConversation) other = NULL;
  g_autoptr (SlJob) job = NULL, waiting = NULL;
  SlMessage *answer, *queued;
  GtkWidget *cancel;
  guint first, all;

  chat_init (&chat);
  measure (&chat, &first, &all);
  gate_allow (first);
  answer = ask_for_boxes (chat.conversation);
  job = g_object_ref (sl_message_get_job (answer));
  wait_until ("the engine at the gate", has_decoded, &(Count) { job, first });

  other = sl_history_create (chat.backend.history);
  sl_chat_view_set_conversation (chat.chat, other);
  queued = ask_for_boxes (other);
  waiting = g_object_ref (sl_message_get_job (queued));
  wait_until ("the place in the queue", shows_place, &chat);
  g_assert_cmpuint (sl_engine_get_queue_length (chat.backend.engine), ==, 1);
  cancel = find (GTK_WIDGET (chat.chat), is_button, "Cancel");
  g_assert_nonnull (cancel);
  g_signal_emit_by_name (cancel, "clicked");
  wait_until ("the cancelled answer to end", is_idle, other);
  wait_until ("“Stopped”", shows_stopped, &chat);
  g_assert_cmpint (sl_message_get_status (queued), ==, SL_MESSAGE_STOPPED);
  g_assert_cmpuint (sl_engine_get_queue_length (chat.backend.engine), ==, 0);

  /* The running answer never noticed. */
  g_assert_cmpuint (sl_job_peek_decoded (job), ==, first);
  gate_allow (G_MAXUINT);
  wait_until ("the running answer", is_idle, chat.conversation);
  g_assert_cmpint (sl_message_get_status (answer), ==, SL_MESSAGE_COMPLETE);
  g_assert_cmpuint (sl_job_peek_decoded (job), ==, all);
  g_assert_cmpuint (sl_job_peek_decoded (waiting), ==, 0);
  chat_deinit (&chat);
}

int
main (int    argc,
      char **argv)
{
  g_test_init (&argc, &argv, NULL);
  adw_init ();
  g_test_add_func ("/streaming/first-chip", test_first_chip);
  g_test_add_func ("/streaming/stop", test_stop);
  g_test_add_func ("/streaming/queue", test_queue);
  return g_test_run ();
}
