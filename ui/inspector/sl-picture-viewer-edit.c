/* SPDX-License-Identifier: MIT
 *
 * Corrects the boxes of an answer: drawn, dragged, nudged, named, removed, and all of that undone.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include "ui/pictures/sl-picture-view.h"
#include "ui/sl-rename.h"

#include <glib/gi18n.h>
#include <math.h>

gboolean
sl_picture_viewer_can_edit (SlPictureViewer *self)
{
  return self->edits != NULL && self->boxes != NULL && sl_box_edits_is_possible (self->edits) &&
         sl_box_model_get_part (self->boxes) != NULL;
}

static void
select_item (SlPictureViewer *self,
             SlBoxItem       *item)
{
  if (item != NULL)
    sl_box_model_select (self->boxes, sl_box_model_find_paint_box (self->boxes, item));
}

static void
to_norm (SlPictureViewer *self,
         const double     px[4],
         int              norm[4])
{
  SlMessagePart *part = sl_box_model_get_part (self->boxes);
  double width = sl_message_part_get_width (part);
  double height = sl_message_part_get_height (part);

  /* Up, as drawing takes (int)(c / 999 · side). */
  for (int i = 0; i < 4; i++)
    norm[i] = CLAMP ((int) ceil (px[i] / (i % 2 ? height : width) * 999 - 1e-6), 0, 999);
}

/* What the user most likely draws: another one of what is selected, or of the first. */
static const char *
guess_label (SlPictureViewer *self)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  gsize n_boxes;

  sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  if (item == NULL && n_boxes > 0)
    item = sl_box_model_get_item (self->boxes, 0);
  return item ? sl_box_item_get_label (item) : _("object");
}

void
sl_picture_viewer_take_area (SlPictureViewer *self,
                             int              box,
                             double           x1,
                             double           y1,
                             double           x2,
                             double           y2)
{
  const double px[4] = { x1, y1, x2, y2 };
  gboolean asking = self->asking;
  int norm[4];

  sl_picture_viewer_set_drawing (self, FALSE, FALSE);
  if (asking)
    {
      sl_picture_viewer_ask_area (self, &(cairo_rectangle_t) { x1, y1, x2 - x1, y2 - y1 }, TRUE);
      return;
    }
  if (!sl_picture_viewer_can_edit (self))
    return;
  to_norm (self, px, norm);
  select_item (self, box < 0 ? sl_box_edits_add (self->edits, guess_label (self), norm)
                             : sl_box_edits_change (self->edits,
                                                    sl_box_model_get_item (self->boxes, box), NULL,
                                                    norm));
}

static void
add_box (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (sl_picture_viewer_can_edit (self))
    sl_picture_viewer_set_drawing (self, TRUE, FALSE);
}

static void
remove_box (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL && sl_picture_viewer_can_edit (self) && sl_picture_viewer_get_paint_box (self) >= 0)
    sl_box_edits_remove (self->edits, item);
}

static void
revert_box (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL && sl_picture_viewer_can_edit (self) && sl_box_item_get_origin (item) != 0)
    sl_box_edits_revert (self->edits, item);
}

static void
undo (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (sl_picture_viewer_can_edit (self))
    select_item (self, sl_box_edits_undo (self->edits));
}

static void
redo (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (sl_picture_viewer_can_edit (self))
    select_item (self, sl_box_edits_redo (self->edits));
}

typedef struct
{
  SlPictureViewer *viewer;
  SlBoxItem *item;
} Renaming;

static void
free_renaming (gpointer data)
{
  Renaming *renaming = data;

  g_object_unref (renaming->viewer);
  g_object_unref (renaming->item);
  g_free (renaming);
}

static void
on_renamed (GtkWindow  *window,
            const char *label,
            gpointer    data)
{
  Renaming *renaming = data;
  SlPictureViewer *self = renaming->viewer;

  if (self->edits != NULL && sl_picture_viewer_can_edit (self))
    select_item (self, sl_box_edits_change (self->edits, renaming->item, label, NULL));
}

static void
rename_box (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  Renaming *renaming;

  if (item == NULL || !sl_picture_viewer_can_edit (self) || sl_picture_viewer_get_paint_box (self) < 0)
    return;
  renaming = g_new (Renaming, 1);
  renaming->viewer = g_object_ref (self);
  renaming->item = g_object_ref (item);
  sl_rename_ask (GTK_WINDOW (gtk_widget_get_root (widget)), _("Rename Box"), _("Label"), sl_box_item_get_label (item),
                 on_renamed, renaming, free_renaming);
}

/* Alt moves the box, with Shift its lower right corner. */
void
sl_picture_viewer_nudge (SlPictureViewer *self,
                         int              dx,
                         int              dy,
                         gboolean         resize)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  int c[4];

  if (item == NULL || !sl_picture_viewer_can_edit (self) || sl_picture_viewer_get_paint_box (self) < 0 || !sl_box_item_get_coords (item, c))
    return;
  if (!resize)
    {
      dx = CLAMP (dx, -c[0], 999 - c[2]);
      dy = CLAMP (dy, -c[1], 999 - c[3]);
      c[0] += dx;
      c[1] += dy;
    }
  c[2] = CLAMP (c[2] + dx, c[0] + 1, 999);
  c[3] = CLAMP (c[3] + dy, c[1] + 1, 999);
  select_item (self, sl_box_edits_change (self->edits, item, NULL, c));
}

void
sl_picture_viewer_install_edit_actions (GtkWidgetClass *klass)
{
  gtk_widget_class_install_action (klass, "viewer.add", NULL, add_box);
  gtk_widget_class_install_action (klass, "viewer.remove", NULL, remove_box);
  gtk_widget_class_install_action (klass, "viewer.revert", NULL, revert_box);
  gtk_widget_class_install_action (klass, "viewer.rename", NULL, rename_box);
  gtk_widget_class_install_action (klass, "viewer.undo", NULL, undo);
  gtk_widget_class_install_action (klass, "viewer.redo", NULL, redo);
}
