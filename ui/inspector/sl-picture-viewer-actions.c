/* SPDX-License-Identifier: MIT
 *
 * What a user can do with the boxes in the viewer: step, hide, copy, cut out, ask,
 * correct. Every action is about the selected row or box, so that menus, keys and the
 * screen reader reach the same.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include "ui/pictures/sl-picture-view.h"
#include "ui/sl-rename.h"

#include "app/boxes/sl-box-picture.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

/* How far a key moves a box, of the model's 0…999. */
#define NUDGE 2

static int
get_paint_box (SlPictureViewer *self)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  return item ? sl_box_model_find_paint_box (self->boxes, item) : -1;
}

static gboolean
can_edit (SlPictureViewer *self)
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
show (SlPictureViewer *self,
      int              paint_box)
{
  sl_box_model_select (self->boxes, paint_box);
  sl_picture_view_reveal (SL_PICTURE_VIEW (self->view), paint_box);
}

/* --- looking --------------------------------------------------------------- */

/* Hidden boxes are stepped over. */
static void
step_box (SlPictureViewer *self,
          int              step)
{
  const SlPaintBox *boxes;
  gsize n_boxes = 0;
  int selected;

  if (self->boxes == NULL)
    return;
  boxes = sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  selected = sl_box_model_get_selected (self->boxes);
  if (selected < 0 && step < 0)
    selected = 0;
  for (gsize i = 0; i < n_boxes; i++)
    {
      selected = (selected + step + (int) n_boxes) % (int) n_boxes;
      if (!boxes[selected].hidden)
        {
          show (self, selected);
          return;
        }
    }
}

static void
zoom_box (GtkWidget  *widget,
          const char *name,
          GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  sl_picture_view_zoom_to (SL_PICTURE_VIEW (self->view), get_paint_box (self));
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

static void
toggle_box (SlPictureViewer *self)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL)
    sl_box_item_set_visible (item, !sl_box_item_get_visible (item));
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

static cairo_rectangle_t
get_area (SlPictureViewer *self,
          int              paint_box)
{
  gsize n_boxes;
  const SlPaintBox *box = &sl_box_model_get_paint_boxes (self->boxes, &n_boxes)[paint_box];

  return (cairo_rectangle_t) { box->x1, box->y1, box->x2 - box->x1, box->y2 - box->y1 };
}

static char *
dup_crop_name (SlPictureViewer *self)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  const char *label = item ? sl_box_item_get_label (item) : "";
  char *name = g_strdup_printf ("%s.png", *label ? label : _("Region"));

  return g_strdelimit (name, "/", '_');
}

/* --- pictures made of pictures: on a worker, they can be large -------------- */

typedef struct
{
  SlPicture *picture;
  cairo_rectangle_t area;
  gboolean marked; /* a rectangle on a copy instead of a crop */
  char *name;
} Cut;

static void
cut_free (gpointer data)
{
  Cut *cut = data;

  g_object_unref (cut->picture);
  g_free (cut->name);
  g_free (cut);
}

static void
run_cut (GTask        *task,
         gpointer      source,
         gpointer      data,
         GCancellable *cancellable)
{
  Cut *cut = data;
  GError *error = NULL;
  SlPicture *result = cut->marked
                        ? sl_box_picture_mark (cut->picture, &cut->area, cut->name, &error)
                        : sl_box_picture_crop (cut->picture, &cut->area, cut->name, &error);

  if (result == NULL)
    g_task_return_error (task, error);
  else
    g_task_return_pointer (task, result, g_object_unref);
}

static void
start_cut (SlPictureViewer         *self,
           const cairo_rectangle_t *area,
           gboolean                 marked,
           GAsyncReadyCallback      callback)
{
  SlMessagePart *part = sl_picture_viewer_get_part (self);
  SlPicture *picture = part ? sl_message_part_get_picture (part) : NULL;
  g_autoptr (GTask) task = NULL;
  Cut *cut;

  if (picture == NULL)
    return;
  cut = g_new0 (Cut, 1);
  cut->picture = g_object_ref (picture);
  cut->area = *area;
  cut->marked = marked;
  cut->name = marked ? g_strdup (sl_picture_get_name (picture)) : dup_crop_name (self);
  task = g_task_new (self, NULL, callback, NULL);
  g_task_set_task_data (task, cut, cut_free);
  g_task_run_in_thread (task, run_cut);
}

static SlPicture *
finish_cut (SlPictureViewer *self,
            GAsyncResult    *result)
{
  g_autoptr (GError) error = NULL;
  SlPicture *picture = g_task_propagate_pointer (G_TASK (result), &error);

  if (picture == NULL)
    g_signal_emit_by_name (self, "failed", error->message);
  return picture;
}

static void
on_cut_for_clipboard (GObject      *source,
                      GAsyncResult *result,
                      gpointer      data)
{
  g_autoptr (SlPicture) picture = finish_cut (SL_PICTURE_VIEWER (source), result);
  g_autoptr (GdkTexture) texture = NULL;

  if (picture == NULL)
    return;
  texture = gdk_memory_texture_new (sl_picture_get_width (picture), sl_picture_get_height (picture),
                                    GDK_MEMORY_R8G8B8, sl_picture_get_rgb_bytes (picture),
                                    sl_picture_get_stride (picture));
  gdk_clipboard_set_texture (gtk_widget_get_clipboard (GTK_WIDGET (source)), texture);
}

static void
copy_crop (GtkWidget  *widget,
           const char *name,
           GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  int paint_box = get_paint_box (self);
  cairo_rectangle_t area;

  if (paint_box < 0)
    return;
  area = get_area (self, paint_box);
  start_cut (self, &area, FALSE, on_cut_for_clipboard);
}

static void
on_cut_to_ask (GObject      *source,
               GAsyncResult *result,
               gpointer      data)
{
  gboolean marked = ((Cut *) g_task_get_task_data (G_TASK (result)))->marked;
  g_autoptr (SlPicture) picture = finish_cut (SL_PICTURE_VIEWER (source), result);

  if (picture != NULL)
    g_signal_emit_by_name (source, "ask", picture, marked);
}

static void
ask (GtkWidget  *widget,
     const char *name,
     GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  int paint_box = get_paint_box (self);
  cairo_rectangle_t area;

  if (paint_box < 0)
    return;
  area = get_area (self, paint_box);
  start_cut (self, &area, g_str_equal (g_variant_get_string (parameter, NULL), "mark"), on_cut_to_ask);
}

static SlMessagePart *
get_transparent (SlPictureViewer *self)
{
  SlMessagePart *part = sl_picture_viewer_get_part (self);

  return part && sl_message_part_get_ground (part) == SL_GROUND_TRANSPARENT ? part : NULL;
}

static void
on_laid_to_ask (GObject      *source,
                GAsyncResult *result,
                gpointer      data)
{
  g_autoptr (SlPictureViewer) self = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPicture) picture = sl_picture_new_finish (result, &error);

  if (picture != NULL)
    g_signal_emit_by_name (self, "ask", picture, FALSE);
  else
    g_signal_emit_by_name (self, "failed", error->message);
}

/* What was asked about stays as it is; the picture on white goes into the next question. */
static void
ask_on_white (GtkWidget  *widget,
              const char *name,
              GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlMessagePart *part = get_transparent (self);

  if (part != NULL)
    sl_picture_new_on_white_async (sl_message_part_get_bytes (part), sl_message_part_get_path (part),
                                   sl_message_part_get_name (part), NULL, on_laid_to_ask, g_object_ref (self));
}

static void
ask_region (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  sl_picture_viewer_set_drawing (SL_PICTURE_VIEWER (widget), TRUE, TRUE);
}

/* --- the crop as a file ---------------------------------------------------- */

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

/* --- correcting ------------------------------------------------------------ */

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
      start_cut (self, &(cairo_rectangle_t) { x1, y1, x2 - x1, y2 - y1 }, TRUE, on_cut_to_ask);
      return;
    }
  if (!can_edit (self))
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

  if (can_edit (self))
    sl_picture_viewer_set_drawing (self, TRUE, FALSE);
}

static void
remove_box (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL && can_edit (self) && get_paint_box (self) >= 0)
    sl_box_edits_remove (self->edits, item);
}

static void
revert_box (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  SlBoxItem *item = sl_picture_viewer_get_current (self);

  if (item != NULL && can_edit (self) && sl_box_item_get_origin (item) != 0)
    sl_box_edits_revert (self->edits, item);
}

static void
undo (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (can_edit (self))
    select_item (self, sl_box_edits_undo (self->edits));
}

static void
redo (GtkWidget  *widget,
      const char *name,
      GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  if (can_edit (self))
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

  if (self->edits != NULL && can_edit (self))
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

  if (item == NULL || !can_edit (self) || get_paint_box (self) < 0)
    return;
  renaming = g_new (Renaming, 1);
  renaming->viewer = g_object_ref (self);
  renaming->item = g_object_ref (item);
  sl_rename_ask (GTK_WINDOW (gtk_widget_get_root (widget)), _("Rename Box"), _("Label"), sl_box_item_get_label (item),
                 on_renamed, renaming, free_renaming);
}

/* Alt moves the box, with Shift its lower right corner. */
static void
nudge (SlPictureViewer *self,
       int              dx,
       int              dy,
       gboolean         resize)
{
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  int c[4];

  if (item == NULL || !can_edit (self) || get_paint_box (self) < 0 || !sl_box_item_get_coords (item, c))
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

/* --- keys ------------------------------------------------------------------ */

static gboolean
take_arrow (SlPictureViewer *self,
            guint            keyval,
            GdkModifierType  state)
{
  int dx = keyval == GDK_KEY_Right ? 1 : keyval == GDK_KEY_Left ? -1 : 0;
  int dy = keyval == GDK_KEY_Down ? 1 : keyval == GDK_KEY_Up ? -1 : 0;

  if (dx == 0 && dy == 0)
    return FALSE;
  if (state & GDK_ALT_MASK)
    {
      nudge (self, dx * NUDGE, dy * NUDGE, (state & GDK_SHIFT_MASK) != 0);
      return TRUE;
    }
  if (state != 0 || dx == 0)
    return FALSE;
  step_box (self, dx);
  return TRUE;
}

gboolean
sl_picture_viewer_take_key (SlPictureViewer *self,
                            guint            keyval,
                            GdkModifierType  state)
{
  static const struct
  {
    guint key;
    GdkModifierType state;
    const char *action;
    const char *target;
  } keys[] = {
    { GDK_KEY_Delete, 0, "viewer.remove", NULL },
    { GDK_KEY_F2, 0, "viewer.rename", NULL },
    { GDK_KEY_a, 0, "viewer.add", NULL },
    { GDK_KEY_r, 0, "viewer.ask-region", NULL },
    { GDK_KEY_z, 0, "viewer.zoom-box", NULL },
    { GDK_KEY_l, 0, "viewer.labels", NULL },
    { GDK_KEY_c, 0, "viewer.compare", NULL },
    { GDK_KEY_z, GDK_CONTROL_MASK, "viewer.undo", NULL },
    { GDK_KEY_z, GDK_CONTROL_MASK | GDK_SHIFT_MASK, "viewer.redo", NULL },
    { GDK_KEY_y, GDK_CONTROL_MASK, "viewer.redo", NULL },
    { GDK_KEY_c, GDK_CONTROL_MASK, "viewer.copy", "px" },
    { GDK_KEY_e, GDK_CONTROL_MASK, "viewer.export", NULL },
  };

  state &= GDK_CONTROL_MASK | GDK_SHIFT_MASK | GDK_ALT_MASK;
  if (take_arrow (self, keyval, state))
    return TRUE;
  if (keyval == GDK_KEY_v && state == 0 && self->boxes != NULL)
    {
      toggle_box (self);
      return TRUE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if (gdk_keyval_to_lower (keyval) == gdk_keyval_to_lower (keys[i].key) && state == keys[i].state)
      return gtk_widget_activate_action (GTK_WIDGET (self), keys[i].action,
                                         keys[i].target ? "s" : NULL, keys[i].target);
  return FALSE;
}

/* --- set up ---------------------------------------------------------------- */

void
sl_picture_viewer_update_actions (SlPictureViewer *self)
{
  GtkWidget *widget = GTK_WIDGET (self);
  SlBoxItem *item = sl_picture_viewer_get_current (self);
  gboolean placed = get_paint_box (self) >= 0;
  gboolean edit = can_edit (self);
  static const char *const of_box[] = { "viewer.zoom-box", "viewer.hide-label", "viewer.ask",
                                        "viewer.copy-crop", "viewer.save-crop" };

  for (guint i = 0; i < G_N_ELEMENTS (of_box); i++)
    gtk_widget_action_set_enabled (widget, of_box[i], placed);
  gtk_widget_action_set_enabled (widget, "viewer.ask-on-white", get_transparent (self) != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.find-again",
                                 item != NULL && sl_box_item_is_doubtful (item));
  gtk_widget_action_set_enabled (widget, "viewer.copy", item != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.rename", placed && edit);
  gtk_widget_action_set_enabled (widget, "viewer.remove", placed && edit);
  gtk_widget_action_set_enabled (widget, "viewer.revert",
                                 edit && item != NULL && sl_box_item_get_origin (item) != 0);
  gtk_widget_action_set_enabled (widget, "viewer.add", edit);
  gtk_widget_action_set_enabled (widget, "viewer.toggle-all", self->boxes != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.export", self->answer != NULL);
  gtk_widget_action_set_enabled (widget, "viewer.compare", self->answer != NULL);
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
    { "viewer.zoom-box", zoom_box, NULL },     { "viewer.hide-label", hide_label, NULL },
    { "viewer.toggle-all", toggle_all, NULL }, { "viewer.copy", copy, "s" },
    { "viewer.copy-crop", copy_crop, NULL },   { "viewer.save-crop", export_crop, NULL },
    { "viewer.export", export_all, NULL },     { "viewer.ask", ask, "s" },
    { "viewer.ask-region", ask_region, NULL }, { "viewer.add", add_box, NULL },
    { "viewer.remove", remove_box, NULL },     { "viewer.revert", revert_box, NULL },
    { "viewer.rename", rename_box, NULL },     { "viewer.undo", undo, NULL },
    { "viewer.redo", redo, NULL },             { "viewer.compare", compare, NULL },
    { "viewer.find-again", find_again, NULL }, { "viewer.ask-on-white", ask_on_white, NULL },
  };

  for (guint i = 0; i < G_N_ELEMENTS (actions); i++)
    gtk_widget_class_install_action (klass, actions[i].name, actions[i].parameter,
                                     actions[i].activate);
  gtk_widget_class_install_property_action (klass, "viewer.coloring", "coloring");
  gtk_widget_class_install_property_action (klass, "viewer.opacity", "opacity-percent");
  gtk_widget_class_install_property_action (klass, "viewer.fill", "fill-percent");
  gtk_widget_class_install_property_action (klass, "viewer.labels", "labels");
  gtk_widget_class_install_property_action (klass, "viewer.least-sure-first", "least-sure-first");
}
