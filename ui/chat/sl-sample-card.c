/* SPDX-License-Identifier: MIT
 *
 * One sample as a card. Its picture is decoded in the decode pool like any other.
 */
#include "ui/chat/sl-sample-card.h"

#include "app/pictures/sl-picture.h"
#include "ui/pictures/sl-picture-view.h"

#include <glib/gi18n.h>

#define PICTURE_HEIGHT 110

struct _SlSampleCard
{
  GtkButton parent_instance;

  GtkBox *column;
  GtkLabel *mode, *prompt;
};

G_DEFINE_FINAL_TYPE (SlSampleCard, sl_sample_card, GTK_TYPE_BUTTON)

static void
on_picture (GObject      *source,
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

static GtkWidget *
make_picture (const SlSample *sample)
{
  GtkWidget *view = sl_picture_view_new (TRUE);
  g_autoptr (GFile) file = g_file_new_for_path (sample->paths->pdata[0]);

  gtk_widget_set_size_request (view, -1, PICTURE_HEIGHT);
  gtk_widget_set_focusable (view, FALSE);
  gtk_widget_set_can_target (view, FALSE);
  sl_picture_new_from_file_async (file, NULL, on_picture, g_object_ref (view));
  return view;
}

static void
sl_sample_card_class_init (SlSampleCardClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  gtk_widget_class_set_template_from_resource (widget_class, "/io/github/sightline/Sightline/sl-sample-card.ui");
  gtk_widget_class_bind_template_child (widget_class, SlSampleCard, column);
  gtk_widget_class_bind_template_child (widget_class, SlSampleCard, mode);
  gtk_widget_class_bind_template_child (widget_class, SlSampleCard, prompt);
}

static void
sl_sample_card_init (SlSampleCard *self)
{
  gtk_widget_init_template (GTK_WIDGET (self));
}

GtkWidget *
sl_sample_card_new (const SlSample *sample)
{
  SlSampleCard *self = g_object_new (SL_TYPE_SAMPLE_CARD, NULL);
  const char *mode = sl_mode_get_display_name (sample->mode);
  g_autofree char *name = NULL;

  gtk_box_prepend (self->column, make_picture (sample));
  gtk_label_set_label (self->mode, mode);
  gtk_label_set_label (self->prompt, sample->prompt);
  /* Translators: accessible name of a sample card: mode, prompt */
  name = g_strdup_printf (_("Sample, %s: %s"), mode, sample->prompt);
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), sample->title);
  return GTK_WIDGET (self);
}
