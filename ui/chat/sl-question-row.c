/* SPDX-License-Identifier: MIT
 *
 * Lays a question out: text with a thumbnail at each picture's place. One SlFlowLabel holds the text with a thumbnail at each
 * picture's place. A question never changes, so it is laid out once.
 */
#include "ui/chat/sl-question-row.h"

#include "ui/chat/sl-flow-label.h"
#include "ui/chat/sl-markdown.h"
#include "ui/chat/sl-message-bar.h"
#include "ui/pictures/sl-thumbnail.h"

#include <glib/gi18n.h>

#define THUMBNAIL_SIDE 120

struct _SlQuestionRow
{
  GtkWidget parent_instance;

  SlMessage *message;
  GtkWidget *box;
  GtkWidget *bar;
};

enum
{
  EDIT,
  SIBLING,
  OPEN_PICTURE,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlQuestionRow, sl_question_row, GTK_TYPE_WIDGET)

static void
sl_question_row_dispose (GObject *object)
{
  SlQuestionRow *self = SL_QUESTION_ROW (object);

  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->message);
  G_OBJECT_CLASS (sl_question_row_parent_class)->dispose (object);
}

static void
sl_question_row_class_init (SlQuestionRowClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_question_row_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "question");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_GROUP);
  signals[EDIT] = g_signal_new ("edit", SL_TYPE_QUESTION_ROW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 0);
  signals[SIBLING] = g_signal_new ("sibling", SL_TYPE_QUESTION_ROW, G_SIGNAL_RUN_LAST, 0, NULL,
                                   NULL, NULL, G_TYPE_NONE, 1, G_TYPE_UINT);
  signals[OPEN_PICTURE] = g_signal_new ("open-picture", SL_TYPE_QUESTION_ROW, G_SIGNAL_RUN_LAST, 0,
                                        NULL, NULL, NULL, G_TYPE_NONE, 1, SL_TYPE_MESSAGE_PART);
}

static void
on_copy (SlQuestionRow *self)
{
  gdk_clipboard_set_text (gtk_widget_get_clipboard (GTK_WIDGET (self)),
                          sl_message_get_text (self->message));
}

static void
on_edit (SlQuestionRow *self)
{
  g_signal_emit (self, signals[EDIT], 0);
}

static void
on_sibling (SlQuestionRow *self,
            guint          position)
{
  g_signal_emit (self, signals[SIBLING], 0, position);
}

static void
on_thumbnail (SlQuestionRow *self,
              SlThumbnail   *thumbnail)
{
  g_signal_emit (self, signals[OPEN_PICTURE], 0, sl_thumbnail_get_part (thumbnail));
}

static void
append_text (GString    *markup,
             const char *text)
{
  g_autofree char *broken = sl_markdown_break_long_words (text, strlen (text));
  g_autoptr (GString) clean = g_string_new (broken);
  g_autofree char *escaped = NULL;

  /* A typed anchor character has no thumbnail. */
  g_string_replace (clean, SL_MARKDOWN_ANCHOR, "\357\277\275", 0);
  escaped = g_markup_escape_text (clean->str, clean->len);
  g_string_append (markup, escaped);
}

static GtkWidget *
make_content (SlQuestionRow *self)
{
  GtkWidget *content = sl_flow_label_new ();
  g_autoptr (GPtrArray) thumbnails = g_ptr_array_new ();
  g_autoptr (GString) markup = g_string_new (NULL);

  for (guint i = 0; i < sl_message_get_n_parts (self->message); i++)
    {
      SlMessagePart *part = sl_message_get_part (self->message, i);
      GtkWidget *thumbnail;

      if (sl_message_part_get_kind (part) == SL_PART_TEXT)
        {
          append_text (markup, sl_message_part_get_text (part));
          continue;
        }
      thumbnail = sl_thumbnail_new (part, THUMBNAIL_SIDE, FALSE);
      g_signal_connect_object (thumbnail, "activated", G_CALLBACK (on_thumbnail), self,
                               G_CONNECT_SWAPPED);
      g_ptr_array_add (thumbnails, thumbnail);
      if (i > 0 && sl_message_part_get_kind (sl_message_get_part (self->message, i - 1)) ==
                     SL_PART_PICTURE)
        g_string_append_c (markup, ' ');
      g_string_append (markup, SL_MARKDOWN_ANCHOR);
      if (i + 1 < sl_message_get_n_parts (self->message) &&
          sl_message_part_get_kind (sl_message_get_part (self->message, i + 1)) == SL_PART_TEXT)
        g_string_append_c (markup, '\n');
    }
  for (guint i = 0; i < thumbnails->len; i++)
    sl_thumbnail_set_position (thumbnails->pdata[i], i + 1, thumbnails->len);
  sl_flow_label_set_content (SL_FLOW_LABEL (content), markup->str, thumbnails);
  return content;
}

static void
sl_question_row_init (SlQuestionRow *self)
{
}

GtkWidget *
sl_question_row_new (SlMessage *message)
{
  SlQuestionRow *self = g_object_new (SL_TYPE_QUESTION_ROW, NULL);
  GtkWidget *bubble = gtk_box_new (GTK_ORIENTATION_VERTICAL, 4);
  GtkWidget *below = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);

  g_return_val_if_fail (SL_IS_MESSAGE (message), NULL);

  self->message = g_object_ref (message);
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));

  gtk_widget_add_css_class (bubble, "bubble");
  gtk_widget_set_halign (bubble, GTK_ALIGN_END);
  gtk_box_append (GTK_BOX (bubble), make_content (self));
  gtk_box_append (GTK_BOX (self->box), bubble);

  if (sl_message_get_mode (message) != SL_MODE_CHAT || sl_message_get_raw (message))
    {
      GtkWidget *mode = gtk_label_new (sl_message_get_raw (message)
                                         ? C_("badge", "Raw")
                                         : sl_mode_get_display_name (sl_message_get_mode (message)));
      gtk_widget_add_css_class (mode, "badge");
      gtk_widget_add_css_class (mode, "caption");
      gtk_widget_set_valign (mode, GTK_ALIGN_CENTER);
      gtk_box_append (GTK_BOX (below), mode);
    }
  self->bar = sl_message_bar_new (message);
  g_signal_connect_swapped (self->bar, "copy", G_CALLBACK (on_copy), self);
  g_signal_connect_swapped (self->bar, "again", G_CALLBACK (on_edit), self);
  g_signal_connect_swapped (self->bar, "sibling", G_CALLBACK (on_sibling), self);
  gtk_box_append (GTK_BOX (below), self->bar);
  gtk_widget_set_halign (below, GTK_ALIGN_END);
  gtk_box_append (GTK_BOX (self->box), below);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Question"), -1);
  return GTK_WIDGET (self);
}

void
sl_question_row_set_busy (SlQuestionRow *self,
                          gboolean       busy)
{
  g_return_if_fail (SL_IS_QUESTION_ROW (self));
  sl_message_bar_set_busy (SL_MESSAGE_BAR (self->bar), busy);
}
