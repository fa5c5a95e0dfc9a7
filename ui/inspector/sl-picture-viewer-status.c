/* SPDX-License-Identifier: MIT
 *
 * The line below the picture: its size, what it lies on, the current box, where the pointer is.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include <glib/gi18n.h>
#include <math.h>

static void
append_ground (SlMessagePart *part,
               GString       *line)
{
  SlGround ground = sl_message_part_get_ground (part);

  if (ground == SL_GROUND_WHITE)
    g_string_append (line, _(" · on white"));
  else if (ground == SL_GROUND_TRANSPARENT)
    g_string_append (line, _(" · transparent: the colors below are shown, as the model sees them"));
}

static void
append_pointer (SlPictureViewer *self,
                GString         *line,
                int              width,
                int              height)
{
  if (isnan (self->pointer_x))
    return;
  /* Translators: where the pointer is: pixels, and the model's 0–999 */
  g_string_append_printf (line, _(" · pointer %d, %d px (%d, %d)"), (int) self->pointer_x,
                          (int) self->pointer_y, (int) (self->pointer_x / width * 999),
                          (int) (self->pointer_y / height * 999));
}

static void
append_box (SlPictureViewer *self,
            GString         *line)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  int paint_box = item ? sl_box_model_find_paint_box (self->boxes, item) : -1;
  const SlPaintBox *box;
  gsize n_boxes;
  int norm[4];

  if (paint_box < 0 || !sl_box_item_get_coords (item, norm))
    return;
  box = &sl_box_model_get_paint_boxes (self->boxes, &n_boxes)[paint_box];
  /* Translators: a box: number, corners in pixels, corners in the model's 0–999 */
  g_string_append_printf (line, _(" · box %d: %.0f, %.0f – %.0f, %.0f px (%d, %d – %d, %d)"),
                          box->number, box->x1, box->y1, box->x2, box->y2, norm[0], norm[1], norm[2],
                          norm[3]);
}

void
sl_picture_viewer_update_status (SlPictureViewer *self)
{
  SlMessagePart *part = sl_picture_viewer_get_part (self);
  g_autoptr (GString) line = g_string_new (NULL);

  if (part == NULL)
    return;
  g_string_append_printf (line, _("%d × %d px"), sl_message_part_get_width (part),
                          sl_message_part_get_height (part));
  append_ground (part, line);
  append_box (self, line);
  append_pointer (self, line, sl_message_part_get_width (part), sl_message_part_get_height (part));
  gtk_label_set_label (self->status, line->str);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self->status), line->str);
}

/* Of a series, or of an answer's pictures. */
void
sl_picture_viewer_update_title (SlPictureViewer *self)
{
  SlMessagePart *part = sl_picture_viewer_get_part (self);
  guint position = self->n_series > 0 ? self->series : self->position;
  guint n = self->n_series > 0 ? self->n_series : self->parts->len;
  g_autofree char *subtitle = NULL;

  if (part == NULL)
    return;
  /* Translators: which picture is shown, and its size */
  subtitle = g_strdup_printf (_("Picture %u of %u · %d × %d px"), position + 1, n, sl_message_part_get_width (part),
                              sl_message_part_get_height (part));
  adw_window_title_set_title (self->title, sl_message_part_get_name (part));
  adw_window_title_set_subtitle (self->title, subtitle);
  gtk_widget_set_visible (GTK_WIDGET (self->previous), n > 1);
  gtk_widget_set_visible (GTK_WIDGET (self->next), n > 1);
  gtk_widget_set_sensitive (GTK_WIDGET (self->previous), position > 0);
  gtk_widget_set_sensitive (GTK_WIDGET (self->next), position + 1 < n);
}
