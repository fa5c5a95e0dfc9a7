/* SPDX-License-Identifier: MIT
 *
 * The list of pairs of a comparison, and its sum.
 */
#include "ui/inspector/sl-compare-view-private.h"

#include "ui/inspector/sl-box-row.h"

#include <glib/gi18n.h>

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
  const char *first = pair->first >= 0 ? get_label (self, SL_COMPARE_FIRST, pair->first) : NULL;
  const char *second = pair->second >= 0 ? get_label (self, SL_COMPARE_SECOND, pair->second) : NULL;

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
  int view = pair->first >= 0 ? SL_COMPARE_FIRST : SL_COMPARE_SECOND;
  gsize n_boxes;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (self->models[view], &n_boxes);
  g_autofree char *badge = sl_box_row_dup_badge (&boxes[sl_compare_view_get_box (self, view, index)]);
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

void
sl_compare_view_update_list (SlCompareView *self)
{
  GtkListBoxRow *row;

  while ((row = gtk_list_box_get_row_at_index (self->list, 0)) != NULL)
    gtk_list_box_remove (self->list, GTK_WIDGET (row));
  for (guint i = 0; i < self->pairs->len; i++)
    gtk_list_box_append (self->list, make_row (self, i));
  update_summary (self);
}

void
sl_compare_view_show_row (SlCompareView *self,
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
