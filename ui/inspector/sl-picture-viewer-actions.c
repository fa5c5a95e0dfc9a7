/* SPDX-License-Identifier: MIT
 *
 * What a user can do in the viewer, as actions on the selected row or box, so that menus, keys and the screen reader reach the
 * same. Those that make pictures stand in sl-picture-viewer-crop.c, those that correct in sl-picture-viewer-edit.c.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include "ui/pictures/sl-picture-view.h"

#include <string.h>

int
sl_picture_viewer_get_paint_box (SlPictureViewer *self)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  return item ? sl_box_model_find_paint_box (self->boxes, item) : -1;
}

/* --- looking --------------------------------------------------------------- */

static void
zoom_box (GtkWidget  *widget,
          const char *name,
          GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  sl_picture_view_zoom_to (SL_PICTURE_VIEW (self->view), sl_picture_viewer_get_paint_box (self));
}

static void
hide_label (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL)
    sl_box_model_set_all_visible (self->boxes, sl_box_item_get_label (item),
                                  !sl_box_item_get_visible (item));
}

static gboolean
any_visible (SlPictureViewer *self)
{
  gsize n_boxes;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (self->boxes, &n_boxes);

  for (gsize i = 0; i < n_boxes; i++)
    if (!boxes[i].hidden)
      return TRUE;
  return FALSE;
}

static void
toggle_all (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (self->boxes != NULL)
    sl_box_model_set_all_visible (self->boxes, NULL, !any_visible (self));
}

/* --- copying --------------------------------------------------------------- */

static char *
dup_coordinates (SlPictureViewer *self,
                 SlBoxItem       *item,
                 const char      *form)
{
  int paint_box = sl_box_model_find_paint_box (self->boxes, item);
  const SlPaintBox *box;
  gsize n_boxes, start, end;
  int norm[4];

  if (g_str_equal (form, "raw"))
    {
      const char *text = sl_message_get_text (self->answer);

      sl_box_item_get_range (item, &start, &end);
      return end > start && end <= strlen (text) ? g_strndup (text + start, end - start) : NULL;
    }
  if (paint_box < 0 || !sl_box_item_get_coords (item, norm))
    return NULL;
  if (g_str_equal (form, "norm"))
    return g_strdup_printf ("[%d, %d, %d, %d]", norm[0], norm[1], norm[2], norm[3]);
  box = &sl_box_model_get_paint_boxes (self->boxes, &n_boxes)[paint_box];
  return g_strdup_printf ("[%.0f, %.0f, %.0f, %.0f]", box->x1, box->y1, box->x2, box->y2);
}

static void
copy (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  g_autofree char *text = item ? dup_coordinates (self, item, g_variant_get_string (parameter, NULL))
                               : NULL;

  if (text != NULL)
    gdk_clipboard_set_text (gtk_widget_get_clipboard (widget), text);
}

/* --- asking and exporting -------------------------------------------------- */

static void
ask_region (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  sl_picture_viewer_set_drawing (SL_PICTURE_VIEWER (widget), TRUE, TRUE);
}

static void
export_crop (GtkWidget  *widget,
             const char *name,
             GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  g_signal_emit_by_name (self, "export", self->answer, sl_picture_viewer_get_current (self));
}

static void
export_all (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (self->answer != NULL)
    g_signal_emit_by_name (self, "export", self->answer, NULL);
}

static void
compare (GtkWidget  *widget,
         const char *name,
         GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (self->answer != NULL)
    g_signal_emit_by_name (self, "compare", self->answer);
}

static void
find_again (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL && sl_box_item_is_doubtful (item))
    g_signal_emit_by_name (self, "find-again", self->answer, sl_box_item_get_label (item));
}

/* --- set up ---------------------------------------------------------------- */

void
sl_picture_viewer_update_actions (SlPictureViewer *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  gboolean placed = sl_picture_viewer_get_paint_box (self) >= 0;
  gboolean edit = sl_picture_viewer_can_edit (self);
  static const char *const of_box[] = { "viewer.zoom-box", "viewer.hide-label", "viewer.ask",
                                        "viewer.copy-crop", "viewer.save-crop" };
  static const char *const of_series[] = { "viewer.accept", "viewer.accept-all", "viewer.take-back", "viewer.reject",
                                           "viewer.reject-all" };

  for (guint i = 0; i < G_N_ELEMENTS (of_box); i++)
    gtk_widget_action_set_enabled (widget, of_box[i], placed);
  gtk_widget_action_set_enabled (widget, "viewer.ask-on-white", sl_picture_viewer_get_transparent (self) != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.find-again",
                                 item != NULL && sl_box_item_is_doubtful (item) && self->n_series == 0);
  gtk_widget_action_set_enabled (widget, "viewer.copy", item != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.rename", placed && edit);
  gtk_widget_action_set_enabled (widget, "viewer.remove", placed && edit);
  gtk_widget_action_set_enabled (widget, "viewer.revert",
                                 edit && item != NULL && sl_box_item_get_origin (item) != 0);
  gtk_widget_action_set_enabled (widget, "viewer.add", edit);
  gtk_widget_action_set_enabled (widget, "viewer.toggle-all", self->boxes != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.export", self->answer != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.compare", self->answer != NULL && self->n_series == 0);
  for (guint i = 0; i < G_N_ELEMENTS (of_series); i++)
    gtk_widget_action_set_enabled (widget, of_series[i], edit && self->n_series > 0);
  gtk_widget_action_set_enabled (widget, "viewer.undo", edit && sl_box_edits_can_undo (self->edits));
  gtk_widget_action_set_enabled (widget, "viewer.redo", edit && sl_box_edits_can_redo (self->edits));
}

void
sl_picture_viewer_install_actions (GtkWidgetClass *klass)
{
  static const struct
  {
    const char *name;
    GtkWidgetActionActivateFunc activate;
    const char *parameter;
  } actions[] = {
    { "viewer.zoom-box", zoom_box, NULL },
    { "viewer.hide-label", hide_label, NULL },
    { "viewer.toggle-all", toggle_all, NULL },
    { "viewer.copy", copy, "s" },
    { "viewer.save-crop", export_crop, NULL },
    { "viewer.export", export_all, NULL },
    { "viewer.ask-region", ask_region, NULL },
    { "viewer.compare", compare, NULL },
    { "viewer.find-again", find_again, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    gtk_widget_class_install_action (klass, actions[i].name, actions[i].parameter,
                                     actions[i].activate);
  sl_picture_viewer_install_crop_actions (klass);
  sl_picture_viewer_install_edit_actions (klass);
  sl_picture_viewer_install_review_actions (klass);
  gtk_widget_class_install_property_action (klass, "viewer.coloring", "coloring");
  gtk_widget_class_install_property_action (klass, "viewer.opacity", "opacity-percent");
  gtk_widget_class_install_property_action (klass, "viewer.fill", "fill-percent");
  gtk_widget_class_install_property_action (klass, "viewer.labels", "labels");
  gtk_widget_class_install_property_action (klass, "viewer.least-sure-first", "least-sure-first");
}
