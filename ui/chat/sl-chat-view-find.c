/* SPDX-License-Identifier: MIT
 *
 * Finds words in the conversation that the chat view shows: message after message, each brought into sight, with the words selected.
 * Letters are compared without their case, nothing else is folded, so that Chinese is found as it is written.
 */
#include "ui/chat/sl-chat-view-private.h"

#define BREAK 0x200B /* put into long words, not seen */

/* Characters from `at` that read as the words; 0: they do not stand there. */
static int
match_at (const char *at,
          const char *words)
{
  int length = 0;

  for (; *words != '\0'; at = g_utf8_next_char (at), length++)
    {
      gunichar character = g_utf8_get_char (at);

      if (character == BREAK && length > 0)
        continue;
      if (g_unichar_tolower (character) != g_unichar_tolower (g_utf8_get_char (words)))
        return 0;
      words = g_utf8_next_char (words);
    }
  return length;
}

static const char *
find_words (const char *text,
            const char *words,
            int        *length)
{
  for (; *text != '\0'; text = g_utf8_next_char (text))
    if ((*length = match_at (text, words)) > 0)
      return text;
  return NULL;
}

/* In the first label that has them. */
static gboolean
select_words (GtkWidget  *widget,
              const char *words)
{
  gboolean done = FALSE;

  if (!gtk_widget_get_visible (widget))
    return FALSE;
  if (GTK_IS_LABEL (widget) && gtk_label_get_selectable (GTK_LABEL (widget)))
    {
      const char *text = gtk_label_get_text (GTK_LABEL (widget));
      int length, start;
      const char *at = find_words (text, words, &length);

      if (at == NULL)
        return FALSE;
      start = g_utf8_pointer_to_offset (text, at);
      gtk_label_select_region (GTK_LABEL (widget), start, start + length);
      return TRUE;
    }
  for (GtkWidget *child = gtk_widget_get_first_child (widget); child != NULL && !done; child = gtk_widget_get_next_sibling (child))
    done = select_words (child, words);
  return done;
}

static gboolean
holds (SlMessage  *message,
       const char *words)
{
  g_autoptr (SlGrounding) grounding = sl_grounding_parse (sl_message_get_text (message), -1);
  g_autofree char *plain = sl_grounding_dup_plain_text (grounding);
  int length;

  return find_words (plain, words, &length) != NULL;
}

void
sl_chat_view_show_words (SlChatView *self,
                         SlMessage  *message,
                         const char *words)
{
  g_return_if_fail (SL_IS_CHAT_VIEW (self));

  sl_chat_view_scroll_to (self, message);
  if (self->marked != NULL && words != NULL && *words != '\0')
    select_words (self->marked, words);
}

gboolean
sl_chat_view_find (SlChatView *self,
                   const char *words,
                   int         direction)
{
  guint n_items;

  g_return_val_if_fail (SL_IS_CHAT_VIEW (self), FALSE);

  n_items = self->conversation != NULL ? g_list_model_get_n_items (G_LIST_MODEL (self->conversation)) : 0;
  if (n_items == 0 || *words == '\0')
    return FALSE;
  if (self->found >= n_items || direction == 0)
    self->found = direction > 0 ? n_items - 1 : 0; /* so that it begins at an end */
  for (guint step = 1; step <= n_items; step++)
    {
      guint at = (self->found + n_items + (direction > 0 ? step : -step)) % n_items;
      g_autoptr (SlMessage) message = g_list_model_get_item (G_LIST_MODEL (self->conversation), at);

      if (!holds (message, words))
        continue;
      self->found = at;
      sl_chat_view_show_words (self, message, words);
      return TRUE;
    }
  return FALSE;
}
