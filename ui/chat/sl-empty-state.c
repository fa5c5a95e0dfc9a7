/* SPDX-License-Identifier: MIT
 *
 * How to begin, with cards that do it. Card pictures are decoded in the decode pool like any other.
 */
#include "ui/chat/sl-empty-state.h"

#include "ui/pictures/sl-mipmap.h"
#include "ui/pictures/sl-picture-view.h"

#include "app/pictures/sl-picture.h"

#include <adwaita.h>
#include <glib/gi18n.h>

#define CARD_HEIGHT 110 /* of its picture */
#define CARD_WIDTH 170

struct _SlEmptyState
{
  GtkWidget parent_instance;

  GtkWidget *scrolled;
  GtkWidget *samples_box;
  GtkFlowBox *cards;
  GPtrArray *samples;
};

static guint sample_signal;

G_DEFINE_FINAL_TYPE (SlEmptyState, sl_empty_state, GTK_TYPE_WIDGET)

static void
on_card_picture (GObject      *source,
                 GAsyncResult *result,
                 gpointer      data)
{
  g_autoptr (GtkWidget) view = data;
  g_autoptr (SlPicture) picture = sl_picture_new_finish (result, NULL);

  if (picture != NULL)
    {
      g_autoptr (SlMessagePart) part = sl_message_part_new_picture (picture, SL_DETAIL_AUTO);

      sl_picture_view_set_part (SL_PICTURE_VIEW (view), part);
    }
}

static void
on_card (GtkWidget *card,
         gpointer   index)
{
  SlEmptyState *self =
    SL_EMPTY_STATE (gtk_widget_get_ancestor (card, SL_TYPE_EMPTY_STATE));

  if (self != NULL && self->samples != NULL && GPOINTER_TO_UINT (index) < self->samples->len)
    g_signal_emit (self, sample_signal, 0, self->samples->pdata[GPOINTER_TO_UINT (index)]);
}

static GtkWidget *
make_card_picture (const SlSample *sample)
{
  GtkWidget *view = sl_picture_view_new (TRUE);
  g_autoptr (GFile) file = g_file_new_for_path (sample->paths->pdata[0]);

  gtk_widget_set_size_request (view, -1, CARD_HEIGHT);
  gtk_widget_set_focusable (view, FALSE);
  gtk_widget_set_can_target (view, FALSE);
  sl_picture_new_from_file_async (file, NULL, on_card_picture, g_object_ref (view));
  return view;
}

static GtkWidget *
make_card (const SlSample *sample,
           guint           index)
{
  GtkWidget *button = gtk_button_new ();
  GtkWidget *clamp = adw_clamp_new ();
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *mode = gtk_label_new (sl_mode_get_display_name (sample->mode));
  GtkWidget *prompt = gtk_label_new (sample->prompt);
  g_autofree char *name = NULL;

  gtk_label_set_xalign (GTK_LABEL (mode), 0);
  gtk_widget_add_css_class (mode, "caption-heading");
  gtk_widget_add_css_class (mode, "accent");
  gtk_label_set_xalign (GTK_LABEL (prompt), 0);
  gtk_label_set_yalign (GTK_LABEL (prompt), 0);
  gtk_label_set_wrap (GTK_LABEL (prompt), TRUE);
  gtk_label_set_lines (GTK_LABEL (prompt), 2);
  gtk_label_set_ellipsize (GTK_LABEL (prompt), PANGO_ELLIPSIZE_END);
  gtk_label_set_width_chars (GTK_LABEL (prompt), 14);
  gtk_label_set_max_width_chars (GTK_LABEL (prompt), 22);
  gtk_widget_set_vexpand (prompt, TRUE);
  gtk_box_append (GTK_BOX (box), make_card_picture (sample));
  gtk_box_append (GTK_BOX (box), mode);
  gtk_box_append (GTK_BOX (box), prompt);
  /* A clamp, so that a long prompt does not make all cards wide. */
  adw_clamp_set_maximum_size (ADW_CLAMP (clamp), CARD_WIDTH);
  adw_clamp_set_child (ADW_CLAMP (clamp), box);
  gtk_button_set_child (GTK_BUTTON (button), clamp);
  gtk_widget_add_css_class (button, "card");
  gtk_widget_add_css_class (button, "sample");
  /* Translators: accessible name of a sample card: mode, prompt */
  name = g_strdup_printf (_("Sample, %s: %s"), sl_mode_get_display_name (sample->mode),
                          sample->prompt);
  gtk_accessible_update_property (GTK_ACCESSIBLE (button), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_widget_set_tooltip_text (button, sample->title);
  g_signal_connect (button, "clicked", G_CALLBACK (on_card), GUINT_TO_POINTER (index));
  return button;
}

static void
sl_empty_state_dispose (GObject *object)
{
  SlEmptyState *self = SL_EMPTY_STATE (object);

  g_clear_pointer (&self->scrolled, gtk_widget_unparent);
  g_clear_pointer (&self->samples, g_ptr_array_unref);
  G_OBJECT_CLASS (sl_empty_state_parent_class)->dispose (object);
}

static void
sl_empty_state_class_init (SlEmptyStateClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_empty_state_dispose;
  sample_signal = g_signal_new ("sample", SL_TYPE_EMPTY_STATE, G_SIGNAL_RUN_LAST, 0, NULL, NULL,
                                NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "emptystate");
}

static GtkWidget *
make_label (const char *text,
            const char *css_class)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_label_set_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_justify (GTK_LABEL (label), GTK_JUSTIFY_CENTER);
  gtk_widget_add_css_class (label, css_class);
  return label;
}

static GtkWidget *
make_samples_box (SlEmptyState *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12);

  self->cards = GTK_FLOW_BOX (gtk_flow_box_new ());
  gtk_flow_box_set_selection_mode (self->cards, GTK_SELECTION_NONE);
  gtk_flow_box_set_homogeneous (self->cards, TRUE);
  gtk_flow_box_set_min_children_per_line (self->cards, 2);
  gtk_flow_box_set_max_children_per_line (self->cards, 4);
  gtk_flow_box_set_column_spacing (self->cards, 12);
  gtk_flow_box_set_row_spacing (self->cards, 12);
  gtk_box_append (GTK_BOX (box), make_label (_("Or try one of these"), "heading"));
  gtk_box_append (GTK_BOX (box), GTK_WIDGET (self->cards));
  gtk_widget_set_visible (box, FALSE);
  return box;
}

static void
sl_empty_state_init (SlEmptyState *self)
{
  GtkWidget *clamp = adw_clamp_new ();
  GtkWidget *column = gtk_box_new (GTK_ORIENTATION_VERTICAL, 12);
  GtkWidget *icon = gtk_image_new_from_icon_name ("image-x-generic-symbolic");

  gtk_image_set_pixel_size (GTK_IMAGE (icon), 48);
  gtk_widget_add_css_class (icon, "dim-label");
  gtk_widget_add_css_class (column, "empty");
  gtk_widget_set_valign (column, GTK_ALIGN_CENTER);
  gtk_box_append (GTK_BOX (column), icon);
  gtk_box_append (GTK_BOX (column), make_label (_("Drop a Picture, Then Ask"), "title-1"));
  gtk_box_append (GTK_BOX (column),
                  make_label (_("Drop, paste or add pictures and ask about them. Nothing leaves this computer."),
                              "body"));
  self->samples_box = make_samples_box (self);
  gtk_box_append (GTK_BOX (column), self->samples_box);
  adw_clamp_set_maximum_size (ADW_CLAMP (clamp), 860);
  adw_clamp_set_child (ADW_CLAMP (clamp), column);
  self->scrolled = gtk_scrolled_window_new ();
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (self->scrolled), GTK_POLICY_NEVER,
                                  GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_child (GTK_SCROLLED_WINDOW (self->scrolled), clamp);
  gtk_widget_set_vexpand (self->scrolled, TRUE);
  gtk_widget_set_parent (self->scrolled, GTK_WIDGET (self));
}

void
sl_empty_state_set_samples (SlEmptyState *self,
                            GPtrArray    *samples)
{
  g_return_if_fail (SL_IS_EMPTY_STATE (self));

  g_clear_pointer (&self->samples, g_ptr_array_unref);
  self->samples = g_ptr_array_ref (samples);
  for (guint i = 0; i < samples->len; i++)
    {
      gtk_flow_box_append (self->cards, make_card (samples->pdata[i], i));
      /* The button inside takes the focus. */
      gtk_widget_set_focusable (GTK_WIDGET (gtk_flow_box_get_child_at_index (self->cards, i)), FALSE);
    }
}

void
sl_empty_state_set_samples_visible (SlEmptyState *self,
                                    gboolean      visible)
{
  g_return_if_fail (SL_IS_EMPTY_STATE (self));
  gtk_widget_set_visible (self->samples_box,
                          visible && self->samples != NULL && self->samples->len > 0);
}
