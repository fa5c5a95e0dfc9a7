/* SPDX-License-Identifier: MIT
 *
 * Shows tiles, tokens, alternatives and attention of an answer. The text is a stock text view: its cursor is the keyboard's way
 * to a token, the pointer's place the mouse's. What the model looked at is not stored; asking for it goes through the answer
 * again.
 */
#include "ui/inspector/sl-hood-view.h"

#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Cells along the longer side of the picture. */
#define CELLS 24
#define N_SHADES 3

struct _SlHoodView
{
  GtkWidget parent_instance;

  GtkWidget *box;
  GtkLabel *facts;
  GtkToggleButton *tiles;
  GtkButton *look;
  GtkTextView *text_view;
  GtkLabel *token_label;
  GtkTextTag *shades[N_SHADES];
  GtkTextTag *current;

  SlConversation *conversation;
  SlMessage *answer;
  SlJob *replay;            /* NULL until asked for */
  guint picture;
};

enum
{
  HEAT,
  TILES,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlHoodView, sl_hood_view, GTK_TYPE_WIDGET)

static const SlGeneration *
get_generation (SlHoodView *self)
{
  return self->answer ? sl_message_get_generation (self->answer) : NULL;
}

/* --- facts ----------------------------------------------------------------- */

/* "3×2 1×1": columns and rows of the shown picture; FALSE where that is not recorded. */
static gboolean
get_grid (SlHoodView *self,
          int        *columns,
          int        *rows)
{
  const SlGeneration *generation = get_generation (self);
  g_auto (GStrv) grids = generation ? g_strsplit (generation->tiling, " ", -1) : NULL;
  const char *cross;

  if (grids == NULL || self->picture >= g_strv_length (grids))
    return FALSE;
  cross = strstr (grids[self->picture], "×");
  *columns = atoi (grids[self->picture]);
  *rows = cross != NULL ? atoi (cross + strlen ("×")) : 0;
  return *columns > 0 && *rows > 0;
}

static void
append_cut (SlHoodView *self,
            GString    *facts)
{
  int columns, rows;

  if (!get_grid (self, &columns, &rows))
    return;
  if (columns * rows > 1)
    g_string_append_printf (facts, _("Picture: the whole and %d × %d close-ups\n"), columns, rows);
  else
    g_string_append (facts, _("Picture: the whole, without close-ups\n"));
}

static void
update_facts (SlHoodView *self)
{
  const SlGeneration *generation = get_generation (self);
  g_autoptr (GString) facts = g_string_new (NULL);
  int columns, rows;

  if (generation != NULL)
    {
      g_string_append_printf (facts, "%s · %s · %s\n", generation->model, generation->quantisation,
                              generation->device);
      append_cut (self, facts);
      g_string_append_printf (facts, _("Read %u tokens, %u of them known; wrote %u"),
                              generation->prompt_tokens, generation->reused_tokens,
                              generation->output_tokens);
    }
  gtk_label_set_label (self->facts, facts->str);
  gtk_widget_set_sensitive (GTK_WIDGET (self->tiles), get_grid (self, &columns, &rows));
  gtk_widget_set_sensitive (GTK_WIDGET (self->look), generation != NULL && self->replay == NULL);
}

static void
on_tiles (SlHoodView *self)
{
  int columns = 0, rows = 0;

  if (gtk_toggle_button_get_active (self->tiles))
    get_grid (self, &columns, &rows);
  g_signal_emit (self, signals[TILES], 0, columns, rows);
}

/* --- tokens ---------------------------------------------------------------- */

static int
shade_of (float logprob)
{
  double probability = exp (logprob);

  if (isnan (logprob) || probability >= 0.9)
    return -1;
  return probability >= 0.5 ? 0 : probability >= 0.2 ? 1 : 2;
}

/* Goes on through a text from byte to byte, and counts characters. */
typedef struct
{
  const char *text, *at;
  int offset;
} Walk;

static int
walk_to (Walk  *walk,
         gsize  byte)
{
  while (walk->at < walk->text + byte)
    {
      walk->at = g_utf8_next_char (walk->at);
      walk->offset++;
    }
  return walk->offset;
}

static void
get_range (SlHoodView  *self,
           gsize        start,
           gsize        end,
           GtkTextIter *from,
           GtkTextIter *to)
{
  const char *text = sl_message_get_text (self->answer);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text_view);

  gtk_text_buffer_get_iter_at_offset (buffer, from, g_utf8_pointer_to_offset (text, text + start));
  gtk_text_buffer_get_iter_at_offset (buffer, to, g_utf8_pointer_to_offset (text, text + end));
}

static void
shade_tokens (SlHoodView *self)
{
  const SlGeneration *generation = get_generation (self);
  const char *text = sl_message_get_text (self->answer);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text_view);
  gsize length = strlen (text);
  Walk walk = { text, text, 0 };
  guint32 start = 0;

  for (guint i = 0; generation != NULL && i < generation->tokens->len; i++)
    {
      const SlTokenMark *token = &g_array_index (generation->tokens, SlTokenMark, i);
      int shade = shade_of (token->logprob);
      GtkTextIter from, to;

      if (shade >= 0 && token->end > start && token->end <= length)
        {
          gtk_text_buffer_get_iter_at_offset (buffer, &from, walk_to (&walk, start));
          gtk_text_buffer_get_iter_at_offset (buffer, &to, walk_to (&walk, token->end));
          gtk_text_buffer_apply_tag (buffer, self->shades[shade], &from, &to);
        }
      start = token->end;
    }
}

static void
update_text (SlHoodView *self)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text_view);

  gtk_text_buffer_set_text (buffer, self->answer ? sl_message_get_text (self->answer) : "", -1);
  gtk_label_set_label (self->token_label, _("Point at a word, or move the cursor to it"));
  if (self->answer != NULL)
    shade_tokens (self);
}

/* --- one token ------------------------------------------------------------- */

/* Spaces and line breaks are visible as what they are. */
static char *
dup_visible (const char *text)
{
  g_autoptr (GString) visible = g_string_new (text);

  g_string_replace (visible, "\n", "⏎", 0);
  g_string_replace (visible, " ", "␣", 0);
  return g_strdup (visible->str);
}

/* Never "0.0 %" nor "100.0 %": nothing is impossible or certain for a model. */
static char *
dup_percent (float logprob)
{
  double percent = exp (logprob) * 100;

  if (percent < 0.05)
    /* Translators: a probability that would round to 0.0 % */
    return g_strdup_printf (_("< %.1f %%"), 0.1);
  if (percent >= 99.95)
    /* Translators: a probability that would round to 100.0 % */
    return g_strdup_printf (_("> %.1f %%"), 99.9);
  /* Translators: a probability */
  return g_strdup_printf (_("%.1f %%"), percent);
}

static void
show_alternatives (SlHoodView *self,
                   guint       token)
{
  const SlGeneration *generation = get_generation (self);
  const SlTokenMark *mark = &g_array_index (generation->tokens, SlTokenMark, token);
  guint n_alternatives;
  const SlAlternative *alternatives = sl_generation_get_alternatives (generation, token, &n_alternatives);
  g_autofree char *probability = dup_percent (mark->logprob);
  g_autoptr (GString) lines = g_string_new (NULL);

  /* Translators: of one token: “Probability 12.3 %” */
  g_string_append_printf (lines, _("Probability %s"), probability);
  for (guint i = 0; i < n_alternatives; i++)
    {
      g_autofree char *visible = dup_visible (alternatives[i].text);
      g_autofree char *percent = dup_percent (alternatives[i].logprob);

      g_string_append_printf (lines, "\n%s  %s%s", percent, visible, alternatives[i].id == mark->id ? " ✓" : "");
    }
  gtk_label_set_label (self->token_label, lines->str);
}

/* Warm where the model looked, the strongest cell as strong as it gets. */
static GdkTexture *
make_heat (const float *cells,
           guint        columns,
           guint        rows)
{
  gsize n = (gsize) columns * rows;
  guint8 *rgba = g_malloc (n * 4);
  float most = 0;
  g_autoptr (GBytes) bytes = NULL;

  for (gsize i = 0; i < n; i++)
    most = MAX (most, cells[i]);
  for (gsize i = 0; i < n; i++)
    {
      double share = most > 0 ? cells[i] / most : 0;

      rgba[4 * i] = 255;
      rgba[4 * i + 1] = (guint8) (200 * share);
      rgba[4 * i + 2] = 0;
      rgba[4 * i + 3] = (guint8) (190 * share);
    }
  bytes = g_bytes_new_take (rgba, n * 4);
  return gdk_memory_texture_new (columns, rows, GDK_MEMORY_R8G8B8A8, bytes, columns * 4);
}

static void
show_heat (SlHoodView *self,
           guint       token)
{
  g_autoptr (GdkTexture) heat = NULL;
  const float *cells;
  guint columns, rows;

  if (self->replay == NULL || !sl_job_is_finished (self->replay))
    return;
  cells = sl_generation_get_attention (sl_job_get_generation (self->replay), token, self->picture,
                                       &columns, &rows);
  if (cells != NULL)
    heat = make_heat (cells, columns, rows);
  g_signal_emit (self, signals[HEAT], 0, heat);
}

static void
show_token_at (SlHoodView        *self,
               const GtkTextIter *iter)
{
  const SlGeneration *generation = get_generation (self);
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text_view);
  const char *text = self->answer ? sl_message_get_text (self->answer) : "";
  GtkTextIter from, to;
  gsize start, end;
  guint token;

  gtk_text_buffer_get_bounds (buffer, &from, &to);
  gtk_text_buffer_remove_tag (buffer, self->current, &from, &to);
  if (generation == NULL ||
      !sl_generation_find_token (generation,
                                 g_utf8_offset_to_pointer (text, gtk_text_iter_get_offset (iter)) - text,
                                 &token, &start, &end))
    return;
  get_range (self, start, end, &from, &to);
  gtk_text_buffer_apply_tag (buffer, self->current, &from, &to);
  show_alternatives (self, token);
  show_heat (self, token);
}

static void
on_cursor (SlHoodView *self)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (self->text_view);
  GtkTextIter iter;

  gtk_text_buffer_get_iter_at_mark (buffer, &iter, gtk_text_buffer_get_insert (buffer));
  if (self->answer != NULL && gtk_widget_has_focus (GTK_WIDGET (self->text_view)))
    show_token_at (self, &iter);
}

static void
on_motion (SlHoodView *self,
           double      x,
           double      y)
{
  GtkTextIter iter;
  int buffer_x, buffer_y;

  gtk_text_view_window_to_buffer_coords (self->text_view, GTK_TEXT_WINDOW_WIDGET, x, y, &buffer_x,
                                         &buffer_y);
  if (self->answer != NULL &&
      gtk_text_view_get_iter_at_location (self->text_view, &iter, buffer_x, buffer_y))
    show_token_at (self, &iter);
}

static void
put_out (SlHoodView *self)
{
  g_signal_emit (self, signals[HEAT], 0, NULL);
}

/* --- going through it again ------------------------------------------------ */

static void
on_replayed (SlHoodView *self)
{
  const char *error = self->replay ? sl_job_get_error_text (self->replay) : NULL;

  gtk_label_set_label (self->token_label,
                       error ? error : _("Point at a word to see where the model looked for it"));
}

static void
on_look (SlHoodView *self)
{
  g_autoptr (GError) error = NULL;

  if (self->answer == NULL || self->replay != NULL)
    return;
  self->replay = sl_conversation_replay (self->conversation, self->answer, CELLS, &error);
  if (self->replay == NULL)
    {
      gtk_label_set_label (self->token_label, error->message);
      return;
    }
  g_signal_connect_object (self->replay, "finished", G_CALLBACK (on_replayed), self,
                           G_CONNECT_SWAPPED);
  gtk_label_set_label (self->token_label, _("Going through the answer again…"));
  update_facts (self);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_hood_view_dispose (GObject *object)
{
  SlHoodView *self = SL_HOOD_VIEW (object);

  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_object (&self->replay);
  g_clear_object (&self->answer);
  g_clear_object (&self->conversation);
  G_OBJECT_CLASS (sl_hood_view_parent_class)->dispose (object);
}

static void
sl_hood_view_class_init (SlHoodViewClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_hood_view_dispose;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "hoodview");
  signals[HEAT] = g_signal_new ("heat", SL_TYPE_HOOD_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                G_TYPE_NONE, 1, GDK_TYPE_TEXTURE);
  signals[TILES] = g_signal_new ("tiles", SL_TYPE_HOOD_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL, NULL,
                                 G_TYPE_NONE, 2, G_TYPE_INT, G_TYPE_INT);
}

static GtkLabel *
make_label (const char *css_class)
{
  GtkLabel *label = GTK_LABEL (gtk_label_new (NULL));

  gtk_label_set_xalign (label, 0);
  gtk_label_set_wrap (label, TRUE);
  gtk_label_set_wrap_mode (label, PANGO_WRAP_WORD_CHAR);
  gtk_label_set_max_width_chars (label, 30);
  gtk_widget_add_css_class (GTK_WIDGET (label), css_class);
  gtk_widget_add_css_class (GTK_WIDGET (label), "numeric");
  return label;
}

static GtkWidget *
make_text (SlHoodView *self)
{
  GtkWidget *scrolled = gtk_scrolled_window_new ();
  GtkEventController *motion = gtk_event_controller_motion_new ();
  GtkTextBuffer *buffer;

  self->text_view = GTK_TEXT_VIEW (gtk_text_view_new ());
  gtk_text_view_set_editable (self->text_view, FALSE);
  gtk_text_view_set_wrap_mode (self->text_view, GTK_WRAP_WORD_CHAR);
  gtk_text_view_set_monospace (self->text_view, TRUE);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self->text_view), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                  _("Raw text, shaded where the model was unsure"), -1);
  buffer = gtk_text_view_get_buffer (self->text_view);
  for (guint i = 0; i < N_SHADES; i++)
    self->shades[i] = gtk_text_buffer_create_tag (
      buffer, NULL, "background-rgba", &(GdkRGBA) { 0.96, 0.55, 0.05, 0.2f + 0.25f * i }, NULL);
  self->current = gtk_text_buffer_create_tag (buffer, NULL, "underline", PANGO_UNDERLINE_DOUBLE, NULL);
  g_signal_connect_object (buffer, "notify::cursor-position", G_CALLBACK (on_cursor), self,
                           G_CONNECT_SWAPPED);
  g_signal_connect_swapped (motion, "motion", G_CALLBACK (on_motion), self);
  g_signal_connect_swapped (motion, "leave", G_CALLBACK (put_out), self);
  gtk_widget_add_controller (GTK_WIDGET (self->text_view), motion);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (scrolled), GTK_WIDGET (self->text_view));
  gtk_widget_set_vexpand (scrolled, TRUE);
  return scrolled;
}

static void
sl_hood_view_init (SlHoodView *self)
{
  GtkWidget *buttons = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);

  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 9);
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
  self->facts = make_label ("caption");
  self->token_label = make_label ("caption");
  self->tiles = GTK_TOGGLE_BUTTON (gtk_toggle_button_new_with_label (_("Show the Cut")));
  self->look = GTK_BUTTON (gtk_button_new_with_label (_("Where It Looked")));
  gtk_widget_set_hexpand (GTK_WIDGET (self->tiles), TRUE);
  gtk_widget_set_hexpand (GTK_WIDGET (self->look), TRUE);
  gtk_box_append (GTK_BOX (buttons), GTK_WIDGET (self->tiles));
  gtk_box_append (GTK_BOX (buttons), GTK_WIDGET (self->look));
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->facts));
  gtk_box_append (GTK_BOX (self->box), buttons);
  gtk_box_append (GTK_BOX (self->box), make_text (self));
  gtk_box_append (GTK_BOX (self->box), GTK_WIDGET (self->token_label));
  g_signal_connect_swapped (self->tiles, "toggled", G_CALLBACK (on_tiles), self);
  g_signal_connect_swapped (self->look, "clicked", G_CALLBACK (on_look), self);
}

GtkWidget *
sl_hood_view_new (void)
{
  return g_object_new (SL_TYPE_HOOD_VIEW, NULL);
}

void
sl_hood_view_set_answer (SlHoodView     *self,
                         SlConversation *conversation,
                         SlMessage      *answer)
{
  g_return_if_fail (SL_IS_HOOD_VIEW (self));

  if (self->replay != NULL)
    {
      g_signal_handlers_disconnect_by_data (self->replay, self);
      if (!sl_job_is_finished (self->replay))
        sl_job_stop (self->replay);
    }
  g_clear_object (&self->replay);
  gtk_toggle_button_set_active (self->tiles, FALSE);
  g_set_object (&self->conversation, conversation);
  g_set_object (&self->answer, answer);
  update_facts (self);
  update_text (self);
}

void
sl_hood_view_set_picture (SlHoodView *self,
                          guint       picture)
{
  g_return_if_fail (SL_IS_HOOD_VIEW (self));

  self->picture = picture;
  update_facts (self);
  on_tiles (self);
  put_out (self);
}
