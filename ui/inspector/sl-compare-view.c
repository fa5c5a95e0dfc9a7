/* SPDX-License-Identifier: MIT
 *
 * Shows two answers' boxes beside or over each other. Three pictures, each with a model of its own over the answers' boxes: the
 * first answer, the second, and both behind each other for the overlay, where the second's lines are dashed. Light and selection
 * go from one to the others by pair.
 */
#include "ui/inspector/sl-compare-view.h"

#include "ui/inspector/sl-box-row.h"
#include "ui/pictures/sl-picture-view.h"

#include "app/boxes/sl-box-match.h"

#include <adwaita.h>
#include <glib/gi18n.h>
#include <string.h>

#define EXCERPT_CHARS 40

enum
{
  FIRST,
  SECOND,
  BOTH,
  N_VIEWS,
};

struct _SlCompareView
{
  GtkWidget parent_instance;

  GtkWidget *box;
  AdwWindowTitle *title;
  GtkButton *back;
  GtkToggleButton *overlay;
  AdwFlap *flap;
  GtkLabel *summary;
  GtkListBox *list;
  GtkBox *choosers;
  GtkLabel *first_legend, *second_legend;
  GtkDropDown *first_choice, *second_choice;
  GtkBox *views;
  GtkWidget *pictures[N_VIEWS]; /* SlPictureView */

  SlConversation *conversation;
  GPtrArray *answers;   /* SlMessage: what can be chosen */
  SlMessagePart *part;  /* the picture */
  SlBoxModel *models[N_VIEWS];
  GArray *pairs;        /* SlBoxPair; a box's number is 1 + its pair's place */
  gboolean filling;     /* the drop downs are being set up, not used */
  gboolean following;   /* light, selection or zoom is being passed on */
};

enum
{
  CLOSE,
  N_SIGNALS,
};

static guint signals[N_SIGNALS];

G_DEFINE_FINAL_TYPE (SlCompareView, sl_compare_view, GTK_TYPE_WIDGET)

/* --- pairs and boxes ------------------------------------------------------- */

static gsize
count_boxes (SlCompareView *self,
             int            view)
{
  gsize n_boxes;

  sl_box_model_get_paint_boxes (self->models[view], &n_boxes);
  return n_boxes;
}

/* A pair's box in one of the views, -1 if it has none there. */
static int
get_box (SlCompareView *self,
         int            view,
         int            pair)
{
  const SlBoxPair *boxes;

  if (pair < 0)
    return -1;
  boxes = &g_array_index (self->pairs, SlBoxPair, pair);
  if (view == FIRST || (view == BOTH && boxes->first >= 0))
    return boxes->first;
  return view == BOTH ? (int) count_boxes (self, FIRST) + boxes->second : boxes->second;
}

static int
find_pair (SlCompareView *self,
           int            view,
           int            box)
{
  int n_first = count_boxes (self, FIRST);

  for (guint i = 0; box >= 0 && i < self->pairs->len; i++)
    {
      const SlBoxPair *boxes = &g_array_index (self->pairs, SlBoxPair, i);

      if (view == SECOND || (view == BOTH && box >= n_first))
        {
          if (boxes->second == (view == BOTH ? box - n_first : box))
            return i;
        }
      else if (boxes->first == box)
        return i;
    }
  return -1;
}

static int
get_lit (SlBoxModel *model)
{
  gsize n_boxes;

  sl_box_model_get_paint_boxes (model, &n_boxes);
  for (gsize i = 0; i < n_boxes; i++)
    if (sl_box_model_is_lit (model, i))
      return i;
  return -1;
}

/* --- light and selection --------------------------------------------------- */

static void
show_row (SlCompareView *self,
          int            lit,
          int            selected)
{
  GtkListBoxRow *row;

  for (int i = 0; (row = gtk_list_box_get_row_at_index (self->list, i)) != NULL; i++)
    if (i == lit)
      gtk_widget_add_css_class (GTK_WIDGET (row), "lit");
    else
      gtk_widget_remove_css_class (GTK_WIDGET (row), "lit");
  row = selected >= 0 ? gtk_list_box_get_row_at_index (self->list, selected) : NULL;
  if (row != NULL && !gtk_list_box_row_is_selected (row))
    gtk_list_box_select_row (self->list, row);
  else if (row == NULL)
    gtk_list_box_unselect_all (self->list);
}

/* @from: the view whose model has it already, or N_VIEWS. */
static void
pass_on (SlCompareView *self,
         int            from,
         int            lit,
         int            selected)
{
  if (self->following)
    return;
  self->following = TRUE;
  for (int i = 0; i < N_VIEWS; i++)
    if (i != from)
      {
        sl_box_model_light_box (self->models[i], get_box (self, i, lit));
        sl_box_model_select (self->models[i], get_box (self, i, selected));
        sl_picture_view_reveal (SL_PICTURE_VIEW (self->pictures[i]), get_box (self, i, selected));
      }
  show_row (self, lit, selected);
  self->following = FALSE;
}

static void
on_lit (SlCompareView *self,
        SlBoxModel    *model)
{
  int view = FIRST;

  while (self->models[view] != model)
    view++;
  pass_on (self, view, find_pair (self, view, get_lit (model)),
           find_pair (self, view, sl_box_model_get_selected (model)));
}

static void
on_row_selected (SlCompareView *self,
                 GtkListBoxRow *row)
{
  if (row != NULL)
    pass_on (self, N_VIEWS, -1, gtk_list_box_row_get_index (row));
}

static void
step (SlCompareView *self,
      int            by)
{
  GtkListBoxRow *row = gtk_list_box_get_selected_row (self->list);
  int n_pairs = self->pairs->len;
  int at = row ? gtk_list_box_row_get_index (row) + by : by > 0 ? 0 : n_pairs - 1;

  if (n_pairs > 0)
    pass_on (self, N_VIEWS, -1, (at + n_pairs) % n_pairs);
}

/* --- list of pairs --------------------------------------------------------- */

static const char *
get_label (SlCompareView *self,
           int            view,
           int            box)
{
  const char *label = sl_box_item_get_label (sl_box_model_get_item (self->models[view], box));

  return *label ? label : _("Unnamed");
}

static char *
dup_pair_label (SlCompareView   *self,
                const SlBoxPair *pair)
{
  const char *first = pair->first >= 0 ? get_label (self, FIRST, pair->first) : NULL;
  const char *second = pair->second >= 0 ? get_label (self, SECOND, pair->second) : NULL;

  if (first == NULL || second == NULL || g_str_equal (first, second))
    return g_strdup (first ? first : second);
  /* Translators: one box, named differently by two answers */
  return g_strdup_printf (_("%s / %s"), first, second);
}

static char *
dup_pair_state (const SlBoxPair *pair)
{
  if (pair->second < 0)
    return g_strdup (_("only in A"));
  if (pair->first < 0)
    return g_strdup (_("only in B"));
  /* Translators: intersection over union: how much two boxes overlap, 0 to 1 */
  return g_strdup_printf (_("IoU %.2f"), pair->iou);
}

static GtkWidget *
make_text (const char *text,
           const char *css_class)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  if (css_class != NULL)
    gtk_widget_add_css_class (label, css_class);
  return label;
}

static GtkWidget *
make_row (SlCompareView *self,
          int            index)
{
  const SlBoxPair *pair = &g_array_index (self->pairs, SlBoxPair, index);
  int view = pair->first >= 0 ? FIRST : SECOND;
  gsize n_boxes;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (self->models[view], &n_boxes);
  g_autofree char *badge = sl_box_row_dup_badge (&boxes[get_box (self, view, index)]);
  g_autofree char *label = dup_pair_label (self, pair);
  g_autofree char *state = dup_pair_state (pair);
  /* Translators: accessible name of a box in a comparison: number, label, "IoU 0.87" or "only in A" */
  g_autofree char *name = g_strdup_printf (_("Pair %d: %s, %s"), index + 1, label, state);
  GtkWidget *row = gtk_list_box_row_new ();
  GtkWidget *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *number = gtk_label_new (NULL);
  GtkWidget *title = make_text (label, NULL);
  GtkWidget *details = make_text (state, "dim-label");

  gtk_label_set_markup (GTK_LABEL (number), badge);
  gtk_widget_add_css_class (number, "box-number");
  gtk_widget_add_css_class (details, "numeric");
  gtk_widget_add_css_class (details, "caption");
  gtk_widget_set_hexpand (title, TRUE);
  gtk_label_set_ellipsize (GTK_LABEL (details), PANGO_ELLIPSIZE_NONE);
  gtk_box_append (GTK_BOX (line), number);
  gtk_box_append (GTK_BOX (line), title);
  gtk_box_append (GTK_BOX (line), details);
  gtk_widget_add_css_class (line, "box-row");
  gtk_list_box_row_set_child (GTK_LIST_BOX_ROW (row), line);
  gtk_widget_set_tooltip_text (row, label);
  gtk_accessible_update_property (GTK_ACCESSIBLE (row), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  return row;
}

static void
update_summary (SlCompareView *self)
{
  guint n_pairs = 0, only_first = 0, only_second = 0;
  double sum = 0;
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < self->pairs->len; i++)
    {
      const SlBoxPair *pair = &g_array_index (self->pairs, SlBoxPair, i);

      n_pairs += pair->first >= 0 && pair->second >= 0;
      only_first += pair->second < 0;
      only_second += pair->first < 0;
      sum += pair->iou;
    }
  g_string_append_printf (text, ngettext ("%u pair", "%u pairs", n_pairs), n_pairs);
  if (n_pairs > 0)
    g_string_append_printf (text, _(" · mean IoU %.2f"), sum / n_pairs);
  if (only_first > 0)
    g_string_append_printf (text, _(" · %u only in A"), only_first);
  if (only_second > 0)
    g_string_append_printf (text, _(" · %u only in B"), only_second);
  gtk_label_set_label (self->summary, text->str);
}

static void
update_list (SlCompareView *self)
{
  GtkListBoxRow *row;

  while ((row = gtk_list_box_get_row_at_index (self->list, 0)) != NULL)
    gtk_list_box_remove (self->list, GTK_WIDGET (row));
  for (guint i = 0; i < self->pairs->len; i++)
    gtk_list_box_append (self->list, make_row (self, i));
  update_summary (self);
}

/* --- matching -------------------------------------------------------------- */

static void
set_numbers (SlCompareView *self,
             int            view)
{
  gsize n_boxes = count_boxes (self, view);
  g_autofree int *numbers = g_new (int, n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    numbers[i] = find_pair (self, view, i) + 1;
  sl_box_model_set_numbers (self->models[view], numbers, n_boxes,
                            view == BOTH ? count_boxes (self, FIRST) : n_boxes);
}

static void
match (SlCompareView *self)
{
  gsize n_first, n_second;
  const SlPaintBox *first = sl_box_model_get_paint_boxes (self->models[FIRST], &n_first);
  const SlPaintBox *second = sl_box_model_get_paint_boxes (self->models[SECOND], &n_second);

  g_array_unref (self->pairs);
  self->pairs = sl_box_match (first, n_first, second, n_second);
  for (int i = 0; i < N_VIEWS; i++)
    set_numbers (self, i);
  update_list (self);
}

static SlMessage *
get_answer (SlCompareView *self,
            int            view)
{
  guint chosen = gtk_drop_down_get_selected (view == FIRST ? self->first_choice : self->second_choice);

  return self->answers->pdata[MIN (chosen, self->answers->len - 1)];
}

static void
fill_model (SlCompareView *self,
            int            view,
            GListModel    *items)
{
  g_autoptr (SlGrounding) grounding =
    sl_grounding_parse (sl_message_get_text (get_answer (self, view == SECOND ? SECOND : FIRST)), -1);

  sl_box_model_set_answer (self->models[view], grounding, items, self->part);
  sl_picture_view_set_part (SL_PICTURE_VIEW (self->pictures[view]), self->part);
}

static void
update (SlCompareView *self)
{
  g_autoptr (GListStore) lists = g_list_store_new (G_TYPE_LIST_MODEL);
  g_autoptr (GtkFlattenListModel) both = NULL;

  if (self->filling || self->part == NULL)
    return;
  self->following = TRUE;
  for (int i = FIRST; i <= SECOND; i++)
    {
      GListModel *boxes = sl_message_get_boxes (get_answer (self, i));

      fill_model (self, i, boxes);
      g_list_store_append (lists, boxes);
    }
  both = gtk_flatten_list_model_new (G_LIST_MODEL (g_steal_pointer (&lists)));
  fill_model (self, BOTH, G_LIST_MODEL (both));
  match (self);
  self->following = FALSE;
}

/* --- which answers --------------------------------------------------------- */

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

static void
fill_choices (SlCompareView *self,
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

static void
set_up_choice (SlCompareView *self,
               GtkDropDown   *choice)
{
  g_autoptr (GtkListItemFactory) shown = make_factory (FALSE);
  g_autoptr (GtkListItemFactory) listed = make_factory (TRUE);

  gtk_drop_down_set_factory (choice, shown);
  gtk_drop_down_set_list_factory (choice, listed);
  g_signal_connect_swapped (choice, "notify::selected", G_CALLBACK (update), self);
}

/* --- views ----------------------------------------------------------------- */

static void
on_moved (SlCompareView *self,
          SlPictureView *moved)
{
  if (self->following)
    return;
  self->following = TRUE;
  for (int i = FIRST; i <= SECOND; i++)
    if (self->pictures[i] != GTK_WIDGET (moved) && moved != SL_PICTURE_VIEW (self->pictures[BOTH]))
      sl_picture_view_follow (SL_PICTURE_VIEW (self->pictures[i]), moved);
  self->following = FALSE;
}

static void
on_overlay (SlCompareView *self)
{
  gboolean overlay = gtk_toggle_button_get_active (self->overlay);

  gtk_widget_set_visible (self->pictures[FIRST], !overlay);
  gtk_widget_set_visible (self->pictures[SECOND], !overlay);
  gtk_widget_set_visible (self->pictures[BOTH], overlay);
  /* Translators: how the lines of the first and the second answer look when both are on one picture */
  gtk_label_set_label (self->first_legend, overlay ? _("A, solid") : "A");
  gtk_label_set_label (self->second_legend, overlay ? _("B, dashed") : "B");
  gtk_widget_grab_focus (self->pictures[overlay ? BOTH : FIRST]);
}

static void
on_folded (SlCompareView *self)
{
  GtkOrientation orientation = adw_flap_get_folded (self->flap) ? GTK_ORIENTATION_VERTICAL
                                                                : GTK_ORIENTATION_HORIZONTAL;

  gtk_orientable_set_orientation (GTK_ORIENTABLE (self->choosers), orientation);
  gtk_orientable_set_orientation (GTK_ORIENTABLE (self->views), orientation);
}

static void
update_style (SlCompareView *self)
{
  SlBoxStyle style = sl_box_default_style;

  if (adw_style_manager_get_high_contrast (adw_style_manager_get_default ()))
    style.line_width = 3.5;
  for (int i = 0; i < N_VIEWS; i++)
    sl_picture_view_set_style (SL_PICTURE_VIEW (self->pictures[i]), &style);
}

static void
set_boxes_visible (SlCompareView *self,
                   gboolean       visible)
{
  for (int i = 0; i < N_VIEWS; i++)
    sl_picture_view_set_boxes_visible (SL_PICTURE_VIEW (self->pictures[i]), visible);
}

/* --- keys ------------------------------------------------------------------ */

static void
on_back (SlCompareView *self)
{
  g_signal_emit (self, signals[CLOSE], 0);
}

static gboolean
on_key (SlCompareView   *self,
        guint            keyval,
        guint            keycode,
        GdkModifierType  state)
{
  GtkWidget *focus = gtk_root_get_focus (gtk_widget_get_root (GTK_WIDGET (self)));

  if ((focus != NULL && gtk_widget_get_ancestor (focus, GTK_TYPE_POPOVER) != NULL) ||
      (state & (GDK_CONTROL_MASK | GDK_SHIFT_MASK | GDK_ALT_MASK)))
    return GDK_EVENT_PROPAGATE;
  switch (keyval)
    {
    case GDK_KEY_Escape:
      on_back (self);
      return GDK_EVENT_STOP;
    case GDK_KEY_Left:
    case GDK_KEY_Right:
      step (self, keyval == GDK_KEY_Right ? 1 : -1);
      return GDK_EVENT_STOP;
    case GDK_KEY_o:
      gtk_toggle_button_set_active (self->overlay, !gtk_toggle_button_get_active (self->overlay));
      return GDK_EVENT_STOP;
    case GDK_KEY_h:
      set_boxes_visible (self, FALSE);
      return GDK_EVENT_STOP;
    default:
      return GDK_EVENT_PROPAGATE;
    }
}

static void
on_key_released (SlCompareView *self,
                 guint          keyval)
{
  if (keyval == GDK_KEY_h)
    set_boxes_visible (self, TRUE);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_compare_view_dispose (GObject *object)
{
  SlCompareView *self = SL_COMPARE_VIEW (object);

  if (self->box != NULL)
    sl_compare_view_clear (self);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  G_OBJECT_CLASS (sl_compare_view_parent_class)->dispose (object);
}

static void
sl_compare_view_finalize (GObject *object)
{
  SlCompareView *self = SL_COMPARE_VIEW (object);

  for (int i = 0; i < N_VIEWS; i++)
    g_object_unref (self->models[i]);
  g_array_unref (self->pairs);
  g_ptr_array_unref (self->answers);
  G_OBJECT_CLASS (sl_compare_view_parent_class)->finalize (object);
}

static void
bind_template (GtkWidgetClass *widget_class)
{
  gtk_widget_class_set_template_from_resource (widget_class,
                                               "/io/github/sightline/Sightline/sl-compare-view.ui");
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, box);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, title);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, back);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, overlay);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, flap);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, summary);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, list);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, choosers);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, first_legend);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, second_legend);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, first_choice);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, second_choice);
  gtk_widget_class_bind_template_child (widget_class, SlCompareView, views);
}

static void
sl_compare_view_class_init (SlCompareViewClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  object_class->dispose = sl_compare_view_dispose;
  object_class->finalize = sl_compare_view_finalize;
  signals[CLOSE] = g_signal_new ("close", SL_TYPE_COMPARE_VIEW, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                 NULL, G_TYPE_NONE, 0);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "compareview");
  bind_template (widget_class);
}

static void
add_pictures (SlCompareView *self)
{
  for (int i = 0; i < N_VIEWS; i++)
    {
      self->models[i] = sl_box_model_new ();
      self->pictures[i] = sl_picture_view_new (TRUE);
      sl_picture_view_set_model (SL_PICTURE_VIEW (self->pictures[i]), self->models[i]);
      gtk_box_append (self->views, self->pictures[i]);
      g_signal_connect_object (self->models[i], "lit-changed", G_CALLBACK (on_lit), self,
                               G_CONNECT_SWAPPED);
      g_signal_connect_swapped (self->pictures[i], "moved", G_CALLBACK (on_moved), self);
    }
  gtk_widget_set_visible (self->pictures[BOTH], FALSE);
}

static void
sl_compare_view_init (SlCompareView *self)
{
  GtkEventController *keys = gtk_event_controller_key_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  self->answers = g_ptr_array_new_with_free_func (g_object_unref);
  self->pairs = g_array_new (FALSE, FALSE, sizeof (SlBoxPair));
  add_pictures (self);
  set_up_choice (self, self->first_choice);
  set_up_choice (self, self->second_choice);
  g_signal_connect_swapped (self->back, "clicked", G_CALLBACK (on_back), self);
  g_signal_connect_swapped (self->overlay, "toggled", G_CALLBACK (on_overlay), self);
  g_signal_connect_swapped (self->list, "row-selected", G_CALLBACK (on_row_selected), self);
  g_signal_connect_swapped (self->flap, "notify::folded", G_CALLBACK (on_folded), self);
  g_signal_connect_object (adw_style_manager_get_default (), "notify::high-contrast",
                           G_CALLBACK (update_style), self, G_CONNECT_SWAPPED);
  gtk_event_controller_set_propagation_phase (keys, GTK_PHASE_CAPTURE);
  g_signal_connect_swapped (keys, "key-pressed", G_CALLBACK (on_key), self);
  g_signal_connect_swapped (keys, "key-released", G_CALLBACK (on_key_released), self);
  gtk_widget_add_controller (GTK_WIDGET (self), keys);
  update_style (self);
}

void
sl_compare_view_clear (SlCompareView *self)
{
  GtkListBoxRow *row;

  g_return_if_fail (SL_IS_COMPARE_VIEW (self));

  g_clear_object (&self->part);
  g_clear_object (&self->conversation);
  while ((row = gtk_list_box_get_row_at_index (self->list, 0)) != NULL)
    gtk_list_box_remove (self->list, GTK_WIDGET (row));
  g_array_set_size (self->pairs, 0);
  g_ptr_array_set_size (self->answers, 0);
  for (int i = 0; i < N_VIEWS; i++)
    {
      g_autoptr (SlGrounding) nothing = sl_grounding_parse ("", 0);
      g_autoptr (GListStore) no_boxes = g_list_store_new (SL_TYPE_BOX_ITEM);

      sl_box_model_set_answer (self->models[i], nothing, G_LIST_MODEL (no_boxes), NULL);
      sl_picture_view_set_part (SL_PICTURE_VIEW (self->pictures[i]), NULL);
    }
}

/* Another answer to the same question, else the one before, else the one after. */
static int
find_partner (SlConversation *conversation,
              GPtrArray      *answers,
              SlMessage      *answer)
{
  SlMessage *question = sl_conversation_get_question (conversation, answer);
  int partner = -1;
  guint at;

  for (int i = (int) answers->len - 1; i >= 0; i--)
    if (answers->pdata[i] != answer &&
        sl_conversation_get_question (conversation, answers->pdata[i]) == question)
      return i;
  if (g_ptr_array_find (answers, answer, &at))
    partner = at > 0 ? (int) at - 1 : at + 1 < answers->len ? (int) at + 1 : -1;
  return partner;
}

gboolean
sl_compare_view_show (SlCompareView  *self,
                      SlConversation *conversation,
                      SlMessage      *answer)
{
  g_autoptr (GPtrArray) answers =
    sl_conversation_list_located (conversation, sl_message_get_box_picture (answer));
  int partner = find_partner (conversation, answers, answer);
  SlMessagePart *part = sl_conversation_find_picture (conversation, answer);
  guint at;

  g_return_val_if_fail (SL_IS_COMPARE_VIEW (self), FALSE);

  if (part == NULL || partner < 0 || !g_ptr_array_find (answers, answer, &at))
    return FALSE;
  sl_compare_view_clear (self);
  self->conversation = g_object_ref (conversation);
  self->part = g_object_ref (part);
  for (guint i = 0; i < answers->len; i++)
    g_ptr_array_add (self->answers, g_object_ref (answers->pdata[i]));
  fill_choices (self, at, partner);
  on_overlay (self);
  on_folded (self);
  adw_flap_set_reveal_flap (self->flap, !adw_flap_get_folded (self->flap));
  update (self);
  return TRUE;
}
