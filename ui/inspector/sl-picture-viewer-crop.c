/* SPDX-License-Identifier: MIT
 *
 * Pictures made of the one that is shown: a box cut out, marked on a copy, or all of it on white; for the clipboard or the next
 * question. They can be large, so a worker makes them.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include "app/boxes/sl-box-picture.h"

#include <glib/gi18n.h>

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
  int paint_box = sl_picture_viewer_get_paint_box (self);
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

void
sl_picture_viewer_ask_area (SlPictureViewer         *self,
                            const cairo_rectangle_t *area,
                            gboolean                 marked)
{
  start_cut (self, area, marked, on_cut_to_ask);
}

static void
ask (GtkWidget  *widget,
     const char *name,
     GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  int paint_box = sl_picture_viewer_get_paint_box (self);
  cairo_rectangle_t area;

  if (paint_box < 0)
    return;
  area = get_area (self, paint_box);
  sl_picture_viewer_ask_area (self, &area, g_str_equal (g_variant_get_string (parameter, NULL), "mark"));
}

SlMessagePart *
sl_picture_viewer_get_transparent (SlPictureViewer *self)
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
  SlMessagePart *part = sl_picture_viewer_get_transparent (self);

  if (part != NULL)
    sl_picture_new_on_white_async (sl_message_part_get_bytes (part), sl_message_part_get_path (part),
                                   sl_message_part_get_name (part), NULL, on_laid_to_ask, g_object_ref (self));
}

void
sl_picture_viewer_install_crop_actions (GtkWidgetClass *klass)
{
  gtk_widget_class_install_action (klass, "viewer.copy-crop", NULL, copy_crop);
  gtk_widget_class_install_action (klass, "viewer.ask", "s", ask);
  gtk_widget_class_install_action (klass, "viewer.ask-on-white", NULL, ask_on_white);
}
