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
copy (SlWindow   *self,
      SlMessage  *message,
      const char *kind)
{
  g_autofree char *markdown = dup_markdown (message);
  g_autofree char *text = NULL;

  if (g_str_equal (kind, "raw"))
    text = g_strdup (sl_message_get_text (message));
  else if (g_str_equal (kind, "text"))
    text = sl_markdown_dup_plain (markdown);
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)), text != NULL ? text : markdown);
}

/* What is selected in it, else all of it, as Markdown quotes. */
static void
quote (SlWindow   *self,
       SlMessage  *message,
       const char *unused)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autofree char *selected = sl_chat_view_dup_selection (self->chat, message);
  g_autofree char *all = dup_markdown (message);
  g_autoptr (GString) quoted = g_string_new (g_strstrip (selected != NULL ? selected : all));

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
show_raw (SlWindow   *self,
          SlMessage  *message,
          const char *unused)
{
  g_autoptr (SlPrompt) prompt = sl_conversation_build_prompt_of (self->conversation, message);

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
go_on (SlWindow   *self,
       SlMessage  *answer,
       const char *unused)
{
  g_autoptr (GError) error = NULL;
  SlSettings settings;

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
again (SlWindow   *self,
       SlMessage  *answer,
       const char *how)
{
  SlMessage *question = sl_conversation_get_question (self->conversation, answer);
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
compare (SlWindow   *self,
         SlMessage  *answer,
         const char *unused)
{
  sl_window_compare (self, answer);
}

/* --- the tree -------------------------------------------------------------- */

static void
branch (SlWindow   *self,
        SlMessage  *last,
        const char *unused)
{
  g_autoptr (SlConversation) conversation = NULL;

  if (sl_message_get_status (last) == SL_MESSAGE_STREAMING)
    return;
  conversation = sl_history_branch (self->history, self->conversation, last);
  sl_window_set_conversation (self, conversation);
  sl_window_toast (self, _("This is a conversation of its own now"));
}

static void
present_undo (SlWindow   *self,
              const char *sentence)
{
  AdwToast *toast = adw_toast_new (sentence);

  adw_toast_set_timeout (toast, SL_UNDO_SECONDS - 2);
  adw_toast_set_button_label (toast, _("_Undo"));
  adw_toast_set_action_name (toast, "win.turn-undo-delete");
  adw_toast_set_action_target_value (toast, g_variant_new_int64 (sl_conversation_get_id (self->conversation)));
  adw_toast_overlay_add_toast (self->toasts, toast);
}

static void
delete_turn (SlWindow   *self,
             SlMessage  *message,
             const char *unused)
{
  gboolean answer = sl_message_get_role (message) == SL_ROLE_ASSISTANT;

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

/* --- actions --------------------------------------------------------------- */

static const struct
{
  const char *name;
  void (*act) (SlWindow *self, SlMessage *message, const char *text); /* of the message that is named; text: NULL unless it has one */
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
};

static void
activate (GtkWidget  *widget,
          const char *name,
          GVariant   *parameter)
{
  SlWindow *self = SL_WINDOW (widget);
  const char *text = NULL;
  SlMessage *message;
  gint64 id;

  if (g_variant_is_of_type (parameter, G_VARIANT_TYPE_INT64))
    id = g_variant_get_int64 (parameter);
  else
    g_variant_get (parameter, "(x&s)", &id, &text);
  message = sl_conversation_find (self->conversation, id);
  for (guint i = 0; message != NULL && i < G_N_ELEMENTS (actions); i++)
    if (g_str_equal (name, actions[i].name))
      actions[i].act (self, message, text);
}

void
sl_window_update_turns (SlWindow *self,
                        gboolean  busy)
{
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    if (actions[i].idle)
      gtk_widget_action_set_enabled (GTK_WIDGET (self), actions[i].name, !busy);
  gtk_widget_action_set_enabled (GTK_WIDGET (self), "win.turn-undo-delete", !busy);
}

void
sl_window_install_turns (GtkWidgetClass *klass)
{
  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    gtk_widget_class_install_action (klass, actions[i].name, actions[i].parameter, activate);
  gtk_widget_class_install_action (klass, "win.turn-undo-delete", "x", undo_delete);
}
