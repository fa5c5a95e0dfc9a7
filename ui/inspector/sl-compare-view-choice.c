/* SPDX-License-Identifier: MIT
 *
 * Which answers are compared: their names, and the drop downs that show them.
 */
#include "ui/inspector/sl-compare-view-private.h"

#include <glib/gi18n.h>

#define EXCERPT_CHARS 40

static char *
dup_excerpt (SlMessage *question)
{
  const char *text = question ? sl_message_get_text (question) : "";
  g_autofree char *line = g_strstrip (g_strdelimit (g_strdup (text), "\n\t", ' '));
  g_autofree char *start = NULL;

  if (g_utf8_strlen (line, -1) <= EXCERPT_CHARS)
    return g_steal_pointer (&line);
  start = g_utf8_substring (line, 0, EXCERPT_CHARS);
  return g_strconcat (start, "…", NULL);
}

/* What tells it from the others: number, question, model, how it was sampled. */
static char *
dup_answer_name (SlCompareView *self,
                 guint          index)
{
  SlMessage *answer = self->answers->pdata[index];
  const SlGeneration *generation = sl_message_get_generation (answer);
  g_autofree char *excerpt = dup_excerpt (sl_conversation_get_question (self->conversation, answer));
  GString *name = g_string_new (NULL);

  /* Translators: an answer: its number, what was asked */
  g_string_append_printf (name, _("%u. %s"), index + 1, excerpt);
  if (generation == NULL)
    return g_string_free (name, FALSE);
  g_string_append_printf (name, " · %s %s", generation->model, generation->quantisation);
  if (generation->temperature > 0)
    {
      g_autofree char *seed = g_strdup_printf ("%" G_GUINT64_FORMAT, generation->seed);
      /* Translators: the number that the choice of words was drawn with */
      g_string_append_printf (name, _(" · seed %s"), seed);
    }
  else
    g_string_append (name, _(" · most likely words"));
  return g_string_free (name, FALSE);
}

void
sl_compare_view_fill_choices (SlCompareView *self,
                              guint          first,
                              guint          second)
{
  g_autoptr (GtkStringList) names = gtk_string_list_new (NULL);

  for (guint i = 0; i < self->answers->len; i++)
    gtk_string_list_take (names, dup_answer_name (self, i));
  self->filling = TRUE;
  gtk_drop_down_set_model (self->first_choice, G_LIST_MODEL (names));
  gtk_drop_down_set_model (self->second_choice, G_LIST_MODEL (names));
  gtk_drop_down_set_selected (self->first_choice, first);
  gtk_drop_down_set_selected (self->second_choice, second);
  self->filling = FALSE;
}

static void
on_setup_name (GtkSignalListItemFactory *factory,
               GtkListItem              *item,
               gpointer                  in_list)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  if (in_list)
    {
      gtk_label_set_wrap (GTK_LABEL (label), TRUE);
      gtk_label_set_max_width_chars (GTK_LABEL (label), 40);
    }
  else
    gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_list_item_set_child (item, label);
}

static void
on_bind_name (GtkSignalListItemFactory *factory,
              GtkListItem              *item)
{
  gtk_label_set_label (GTK_LABEL (gtk_list_item_get_child (item)),
                       gtk_string_object_get_string (gtk_list_item_get_item (item)));
}

static GtkListItemFactory *
make_factory (gboolean in_list)
{
  GtkListItemFactory *factory = gtk_signal_list_item_factory_new ();

  g_signal_connect (factory, "setup", G_CALLBACK (on_setup_name), GINT_TO_POINTER (in_list));
  g_signal_connect (factory, "bind", G_CALLBACK (on_bind_name), NULL);
  return factory;
}

void
sl_compare_view_set_up_choice (SlCompareView *self,
                               GtkDropDown   *choice)
{
  g_autoptr (GtkListItemFactory) shown = make_factory (FALSE);
  g_autoptr (GtkListItemFactory) listed = make_factory (TRUE);

  gtk_drop_down_set_factory (choice, shown);
  gtk_drop_down_set_list_factory (choice, listed);
  g_signal_connect_swapped (choice, "notify::selected", G_CALLBACK (sl_compare_view_update), self);
}
