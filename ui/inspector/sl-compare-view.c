/* SPDX-License-Identifier: MIT
 *
 * Shows two answers' boxes beside or over each other. Three pictures, each with a model of its own over the answers' boxes: the
 * first answer, the second, and both behind each other for the overlay, where the second's lines are dashed. Light and selection
 * go from one to the others by pair.
 */
#include "ui/inspector/sl-compare-view-private.h"

#include "ui/pictures/sl-picture-view.h"

#include <glib/gi18n.h>

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
int
sl_compare_view_get_box (SlCompareView *self,
                         int            view,
                         int            pair)
{
  const SlBoxPair *boxes;

  if (pair < 0)
    return -1;
  boxes = &g_array_index (self->pairs, SlBoxPair, pair);
  if (view == SL_COMPARE_FIRST || (view == SL_COMPARE_BOTH && boxes->first >= 0))
    return boxes->first;
  return view == SL_COMPARE_BOTH ? (int) count_boxes (self, SL_COMPARE_FIRST) + boxes->second : boxes->second;
}

static int
find_pair (SlCompareView *self,
           int            view,
           int            box)
{
  int n_first = count_boxes (self, SL_COMPARE_FIRST);

  for (guint i = 0; box >= 0 && i < self->pairs->len; i++)
    {
      const SlBoxPair *boxes = &g_array_index (self->pairs, SlBoxPair, i);

      if (view == SL_COMPARE_SECOND || (view == SL_COMPARE_BOTH && box >= n_first))
        {
          if (boxes->second == (view == SL_COMPARE_BOTH ? box - n_first : box))
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

/* @from: the view whose model has it already, or SL_N_COMPARE_VIEWS. */
static void
pass_on (SlCompareView *self,
         int            from,
         int            lit,
         int            selected)
{
  if (self->following)
    return;
  self->following = TRUE;
  for (int i = 0; i < SL_N_COMPARE_VIEWS; i++)
    if (i != from)
      {
        sl_box_model_light_box (self->models[i], sl_compare_view_get_box (self, i, lit));
        sl_box_model_select (self->models[i], sl_compare_view_get_box (self, i, selected));
        sl_picture_view_reveal (SL_PICTURE_VIEW (self->pictures[i]), sl_compare_view_get_box (self, i, selected));
      }
  sl_compare_view_show_row (self, lit, selected);
  self->following = FALSE;
}

static void
on_lit (SlCompareView *self,
        SlBoxModel    *model)
{
  int view = SL_COMPARE_FIRST;

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
    pass_on (self, SL_N_COMPARE_VIEWS, -1, gtk_list_box_row_get_index (row));
}

static void
step (SlCompareView *self,
      int            by)
{
  GtkListBoxRow *row = gtk_list_box_get_selected_row (self->list);
  int n_pairs = self->pairs->len;
  int at = row ? gtk_list_box_row_get_index (row) + by : by > 0 ? 0 : n_pairs - 1;

  if (n_pairs > 0)
    pass_on (self, SL_N_COMPARE_VIEWS, -1, (at + n_pairs) % n_pairs);
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
                            view == SL_COMPARE_BOTH ? count_boxes (self, SL_COMPARE_FIRST) : n_boxes);
}

static void
match (SlCompareView *self)
{
  gsize n_first, n_second;
  const SlPaintBox *first = sl_box_model_get_paint_boxes (self->models[SL_COMPARE_FIRST], &n_first);
  const SlPaintBox *second = sl_box_model_get_paint_boxes (self->models[SL_COMPARE_SECOND], &n_second);

  g_array_unref (self->pairs);
  self->pairs = sl_box_match (first, n_first, second, n_second);
  for (int i = 0; i < SL_N_COMPARE_VIEWS; i++)
    set_numbers (self, i);
  sl_compare_view_update_list (self);
}

static SlMessage *
get_answer (SlCompareView *self,
            int            view)
{
  guint chosen = gtk_drop_down_get_selected (view == SL_COMPARE_FIRST ? self->first_choice : self->second_choice);

  return self->answers->pdata[MIN (chosen, self->answers->len - 1)];
}

static void
fill_model (SlCompareView *self,
            int            view,
            GListModel    *items)
{
  g_autoptr (SlGrounding) grounding =
    sl_message_parse (get_answer (self, view == SL_COMPARE_SECOND ? SL_COMPARE_SECOND : SL_COMPARE_FIRST));

  sl_box_model_set_answer (self->models[view], grounding, items, self->part);
  sl_picture_view_set_part (SL_PICTURE_VIEW (self->pictures[view]), self->part);
}

void
sl_compare_view_update (SlCompareView *self)
{
  g_autoptr (GListStore) lists = g_list_store_new (G_TYPE_LIST_MODEL);
  g_autoptr (GtkFlattenListModel) both = NULL;

  if (self->filling || self->part == NULL)
    return;
  self->following = TRUE;
  for (int i = SL_COMPARE_FIRST; i <= SL_COMPARE_SECOND; i++)
    {
      GListModel *boxes = sl_message_get_boxes (get_answer (self, i));

      fill_model (self, i, boxes);
      g_list_store_append (lists, boxes);
    }
  both = gtk_flatten_list_model_new (G_LIST_MODEL (g_steal_pointer (&lists)));
  fill_model (self, SL_COMPARE_BOTH, G_LIST_MODEL (both));
  match (self);
  self->following = FALSE;
}

/* --- views ----------------------------------------------------------------- */

static void
on_moved (SlCompareView *self,
          SlPictureView *moved)
{
  if (self->following)
    return;
  self->following = TRUE;
  for (int i = SL_COMPARE_FIRST; i <= SL_COMPARE_SECOND; i++)
    if (self->pictures[i] != GTK_WIDGET (moved) && moved != SL_PICTURE_VIEW (self->pictures[SL_COMPARE_BOTH]))
      sl_picture_view_follow (SL_PICTURE_VIEW (self->pictures[i]), moved);
  self->following = FALSE;
}

static void
on_overlay (SlCompareView *self)
{
  gboolean overlay = gtk_toggle_button_get_active (self->overlay);

  gtk_widget_set_visible (self->pictures[SL_COMPARE_FIRST], !overlay);
  gtk_widget_set_visible (self->pictures[SL_COMPARE_SECOND], !overlay);
  gtk_widget_set_visible (self->pictures[SL_COMPARE_BOTH], overlay);
  /* Translators: how the lines of the first and the second answer look when both are on one picture */
  gtk_label_set_label (self->first_legend, overlay ? _("A, solid") : "A");
  gtk_label_set_label (self->second_legend, overlay ? _("B, dashed") : "B");
  gtk_widget_grab_focus (self->pictures[overlay ? SL_COMPARE_BOTH : SL_COMPARE_FIRST]);
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
  for (int i = 0; i < SL_N_COMPARE_VIEWS; i++)
    sl_picture_view_set_style (SL_PICTURE_VIEW (self->pictures[i]), &style);
}

static void
set_boxes_visible (SlCompareView *self,
                   gboolean       visible)
{
  for (int i = 0; i < SL_N_COMPARE_VIEWS; i++)
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

  for (int i = 0; i < SL_N_COMPARE_VIEWS; i++)
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
  for (int i = 0; i < SL_N_COMPARE_VIEWS; i++)
    {
      self->models[i] = sl_box_model_new ();
      self->pictures[i] = sl_picture_view_new (TRUE);
      sl_picture_view_set_model (SL_PICTURE_VIEW (self->pictures[i]), self->models[i]);
      gtk_box_append (self->views, self->pictures[i]);
      g_signal_connect_object (self->models[i], "lit-changed", G_CALLBACK (on_lit), self,
                               G_CONNECT_SWAPPED);
      g_signal_connect_swapped (self->pictures[i], "moved", G_CALLBACK (on_moved), self);
    }
  gtk_widget_set_visible (self->pictures[SL_COMPARE_BOTH], FALSE);
}

static void
sl_compare_view_init (SlCompareView *self)
{
  GtkEventController *keys = gtk_event_controller_key_new ();

  gtk_widget_init_template (GTK_WIDGET (self));
  self->answers = g_ptr_array_new_with_free_func (g_object_unref);
  self->pairs = g_array_new (FALSE, FALSE, sizeof (SlBoxPair));
  add_pictures (self);
  sl_compare_view_set_up_choice (self, self->first_choice);
  sl_compare_view_set_up_choice (self, self->second_choice);
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
  sl_picture_view_take_keys_of (SL_PICTURE_VIEW (self->pictures[SL_COMPARE_FIRST]), GTK_WIDGET (self));
  sl_picture_view_take_keys_of (SL_PICTURE_VIEW (self->pictures[SL_COMPARE_BOTH]), GTK_WIDGET (self));
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
  for (int i = 0; i < SL_N_COMPARE_VIEWS; i++)
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
  sl_compare_view_fill_choices (self, at, partner);
  on_overlay (self);
  on_folded (self);
  adw_flap_set_reveal_flap (self->flap, !adw_flap_get_folded (self->flap));
  sl_compare_view_update (self);
  return TRUE;
}
