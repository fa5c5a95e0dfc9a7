/* SPDX-License-Identifier: MIT
 *
 * What a user does with a turn that is there: copies and quotes it, has it answered again, continues it, branches from it, deletes it.
 * Each action names the message that it is about. Part of SlWindow; UI thread.
 */
#include "ui/window/sl-window-private.h"

#include "ui/chat/sl-markdown-plain.h"

#include <glib/gi18n.h>

/* As the official inference script samples. */
#define VARIED_TEMPERATURE 0.4
#define VARIED_TOP_P 0.9

static SlMessage *
find (GtkWidget *widget,
      GVariant  *id)
{
  return sl_conversation_find (SL_WINDOW (widget)->conversation, g_variant_get_int64 (id));
}

/* An action's message and text. */
static SlMessage *
find_with_text (GtkWidget   *widget,
                GVariant    *parameter,
                const char **text)
{
  gint64 id;

  g_variant_get (parameter, "(x&s)", &id, text);
  return sl_conversation_find (SL_WINDOW (widget)->conversation, id);
}

/* --- copies ---------------------------------------------------------------- */

/* A picture by its name. */
static char *
dup_question (SlMessage *message)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < sl_message_get_n_parts (message); i++)
    {
      SlMessagePart *part = sl_message_get_part (message, i);
      const char *words = sl_message_part_get_text (part);

      if (words != NULL)
        g_string_append (text, words);
      else
        g_string_append_printf (text, "![%s]\n", sl_message_part_get_name (part));
    }
  return g_string_free (text, FALSE);
}

static char *
dup_markdown (SlMessage *message)
{
  g_autoptr (SlGrounding) grounding = NULL;

  if (sl_message_get_role (message) != SL_ROLE_ASSISTANT)
    return dup_question (message);
  grounding = sl_message_parse (message);
  return sl_grounding_dup_plain_text (grounding);
}

static void
copy (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  const char *kind;
  SlMessage *message = find_with_text (widget, parameter, &kind);
  g_autofree char *markdown = NULL;
  g_autofree char *text = NULL;

  if (message == NULL)
    return;
  markdown = dup_markdown (message);
  if (g_str_equal (kind, "raw"))
    text = g_strdup (sl_message_get_text (message));
  else if (g_str_equal (kind, "text"))
    text = sl_markdown_dup_plain (markdown);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (widget), text != NULL ? text : markdown);
}

/* What is selected in it, else all of it, as Markdown quotes. */
static void
quote (GtkWidget  *widget,
       const char *name,
       GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  SlMessage *message = find (widget, parameter);
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GString) quoted = NULL;
  g_autofree char *selected = NULL;
  g_autofree char *all = NULL;

  if (message == NULL)
    return;
  selected = sl_chat_view_dup_selection (self->chat, message);
  all = dup_markdown (message);
  quoted = g_string_new (g_strstrip (selected != NULL ? selected : all));
  g_string_replace (quoted, "\357\277\274", "", 0); /* a chip's place */
  g_string_replace (quoted, "\342\200\213", "", 0); /* a break in a long word */
  g_string_replace (quoted, "\n", "\n> ", 0);
  g_string_prepend (quoted, sl_composer_is_empty (self->composer) ? "> " : "\n> ");
  g_string_append_c (quoted, '\n');
  g_ptr_array_add (parts, sl_message_part_new_text (quoted->str));
  sl_composer_add_parts (self->composer, parts);
  sl_composer_grab_focus (self->composer);
}

static void
show_raw (GtkWidget  *widget,
          const char *name,
          GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  SlMessage *message = find (widget, parameter);
  g_autoptr (SlPrompt) prompt = NULL;

  if (message == NULL)
    return;
  prompt = sl_conversation_build_prompt_of (self->conversation, message);
  sl_window_present_prompt (self, prompt);
}

/* --- answers --------------------------------------------------------------- */

static gboolean
settle (SlWindow *self,
        gboolean  begun,
        GError   *error)
{
  if (!begun)
    sl_window_toast (self, error->message);
  else
    sl_chat_view_scroll_to_end (self->chat);
  return begun;
}

static void
go_on (GtkWidget  *widget,
       const char *name,
       GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  SlMessage *answer = find (widget, parameter);
  g_autoptr (GError) error = NULL;
  SlSettings settings;

  if (answer == NULL)
    return;
  /* As it began, without the limit that ended it. */
  if (!sl_message_get_settings (answer, &settings))
    settings = sl_conversation_get_settings (self->conversation, sl_message_get_mode (answer));
  settings.max_tokens = 0;
  settle (self, sl_conversation_continue (self->conversation, answer, &settings, &error), error);
}

/* FALSE, and the user knows why, where it cannot be had again. */
static gboolean
get_same_settings (SlWindow   *self,
                   SlMessage  *answer,
                   SlSettings *settings)
{
  const SlGeneration *generation = sl_message_get_generation (answer);
  const SlModelInfo *info = sl_engine_get_info (self->engine);
  g_autofree char *sentence = NULL;

  if (!sl_message_get_settings (answer, settings))
    return FALSE;
  if (generation->system_text != NULL && !g_str_equal (generation->system_text, sl_conversation_get_system_text (self->conversation)))
    {
      sl_window_toast (self, _("The system message was another one then"));
      return FALSE;
    }
  if (info == NULL || g_strcmp0 (info->dir, generation->model_dir) == 0)
    return TRUE;
  sentence = g_strdup_printf (_("This answer was written by “%s”, which is not loaded now"), generation->model);
  sl_window_toast (self, sentence);
  return FALSE;
}

/* The question as it is, in another mode, is another version of it. */
static gboolean
ask_in_mode (SlWindow   *self,
             SlMessage  *question,
             SlMode      mode,
             GError    **error)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < sl_message_get_n_parts (question); i++)
    g_ptr_array_add (parts, sl_message_part_copy (sl_message_get_part (question, i)));
  return sl_conversation_edit (self->conversation, question, parts, mode, sl_message_get_raw (question), NULL, error) != NULL;
}

static void
again (GtkWidget  *widget,
       const char *name,
       GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  const char *how;
  SlMessage *answer = find_with_text (widget, parameter, &how);
  SlMessage *question = answer != NULL ? sl_conversation_get_question (self->conversation, answer) : NULL;
  SlSettings settings;
  g_autoptr (GError) error = NULL;
  SlMode mode;

  if (question == NULL)
    return;
  if (sl_mode_from_nick (how, &mode))
    {
      settle (self, ask_in_mode (self, question, mode, &error), error);
      return;
    }
  settings = sl_conversation_get_settings (self->conversation, sl_message_get_mode (answer));
  settings.seed = sl_settings_for_mode (SL_MODE_CHAT).seed;
  /* Where the mode takes the most likely words, a seed would change nothing. */
  settings.sampling.temperature = MAX (settings.sampling.temperature, VARIED_TEMPERATURE);
  settings.sampling.top_p = MIN (settings.sampling.top_p, VARIED_TOP_P);
  if (g_str_equal (how, "exactly") && !get_same_settings (self, answer, &settings))
    return;
  settle (self, sl_conversation_regenerate (self->conversation, answer, &settings, &error) != NULL, error);
}

static void
compare (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  SlMessage *answer = find (widget, parameter);

  if (answer != NULL)
    sl_window_compare (SL_WINDOW (widget), answer);
}

/* --- the tree -------------------------------------------------------------- */

static void
branch (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  SlMessage *last = find (widget, parameter);
  g_autoptr (SlConversation) conversation = NULL;

  if (last == NULL || sl_message_get_status (last) == SL_MESSAGE_STREAMING)
    return;
  conversation = sl_history_branch (self->history, self->conversation, last);
  sl_window_set_conversation (self, conversation);
  sl_window_toast (self, _("This is a conversation of its own now"));
}

/* The conversation lives as long as the toast, and with it what can be undone. */
static void
present_undo (SlWindow   *self,
              const char *sentence)
{
  AdwToast *toast = adw_toast_new (sentence);

  adw_toast_set_timeout (toast, SL_UNDO_SECONDS - 2);
  adw_toast_set_button_label (toast, _("_Undo"));
  adw_toast_set_action_name (toast, "win.turn-undo-delete");
  adw_toast_set_action_target_value (toast, g_variant_new_int64 (sl_conversation_get_id (self->conversation)));
  g_object_set_data_full (G_OBJECT (toast), "conversation", g_object_ref (self->conversation), g_object_unref);
  adw_toast_overlay_add_toast (self->toasts, toast);
}

static void
delete_turn (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  SlMessage *message = find (widget, parameter);
  gboolean answer;

  if (message == NULL)
    return;
  answer = sl_message_get_role (message) == SL_ROLE_ASSISTANT;
  sl_conversation_delete (self->conversation, message);
  if (self->editing != NULL && sl_conversation_find (self->conversation, sl_message_get_id (self->editing)) == NULL)
    sl_window_stop_editing (self);
  present_undo (self, answer ? _("Answer deleted") : _("Turn deleted"));
}

static void
on_opened (GObject      *source,
           GAsyncResult *result,
           gpointer      data)
{
  g_autoptr (SlWindow) self = data;
  g_autoptr (SlConversation) conversation = sl_history_open_finish (SL_HISTORY (source), result, NULL);

  if (conversation == NULL || self->toasts == NULL || !sl_conversation_undo_delete (conversation))
    return;
  if (conversation != self->conversation)
    sl_window_set_conversation (self, conversation);
}

static void
undo_delete (GtkWidget  *widget,
             const char *name,
             GVariant   *id)
{
  SlWindow *self = SL_WINDOW (widget);

  sl_history_open_async (self->history, g_variant_get_int64 (id), NULL, on_opened, g_object_ref (self));
}

static const struct
{
  const char *name;
  GtkWidgetActionActivateFunc activate;
  const char *parameter;
  gboolean idle; /* waits until nothing is being answered */
} actions[] = {
  { "win.turn-copy", copy, "(xs)", FALSE },
  { "win.turn-quote", quote, "x", FALSE },
  { "win.turn-show-raw", show_raw, "x", FALSE },
  { "win.turn-continue", go_on, "x", TRUE },
  { "win.turn-again", again, "(xs)", TRUE },
  { "win.turn-compare", compare, "x", FALSE },
  { "win.turn-branch", branch, "x", TRUE },
  { "win.turn-delete", delete_turn, "x", TRUE },
  { "win.turn-undo-delete", undo_delete, "x", TRUE },
};

void
sl_window_update_turns (SlWindow *self,
                        gboolean  busy)
{
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    if (actions[i].idle)
      gtk_widget_action_set_enabled (GTK_WIDGET (self), actions[i].name, !busy);
}

void
sl_window_install_turns (GtkWidgetClass *klass)
{
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    gtk_widget_class_install_action (klass, actions[i].name, actions[i].parameter, actions[i].activate);
}
