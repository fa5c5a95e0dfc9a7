/* SPDX-License-Identifier: MIT
 *
 * Draws a still of the picture with the frames of its boxes into the room above two lines of text.
 */
#include "ui/folder/sl-folder-cell.h"

#include "app/boxes/sl-box-painter.h"
#include "ui/pictures/sl-box-model.h"
#include "ui/pictures/sl-still.h"

#include <glib/gi18n.h>
#include <math.h>

#define WIDTH 156
#define HEIGHT 117

struct _SlFolderCell
{
  GtkWidget parent_instance;

  GtkWidget *box, *room; /* the picture is drawn where the room is */
  GtkImage *mark;
  GtkSpinner *spinner;
  GtkLabel *name, *words;
  SlFolderRow *row;
  SlMessagePart *part;
  SlStill *still;
  SlBoxModel *boxes;
  SlBoxPainter *painter;
};

G_DEFINE_FINAL_TYPE (SlFolderCell, sl_folder_cell, GTK_TYPE_WIDGET)

/* --- words ----------------------------------------------------------------- */

static char *
dup_found (SlFolderRow *row)
{
  guint n = sl_folder_row_get_n_boxes (row);
  double overlap = sl_folder_row_get_overlap (row);
  g_autofree char *boxes = g_strdup_printf (ngettext ("%u box", "%u boxes", n), n);
  g_autofree char *plain = NULL;

  if (n == 0 && g_list_model_get_n_items (sl_message_get_boxes (sl_folder_row_get_answer (row))) == 0)
    {
      plain = g_strdup (sl_message_get_text (sl_folder_row_get_answer (row)));
      return g_strdup (*g_strstrip (plain) != '\0' ? plain : _("Nothing found"));
    }
  /* Translators: how many boxes; how sure the model was of the least certain one */
  return overlap >= 0 ? g_strdup_printf (_("%s · %.0f %%"), boxes, overlap * 100) : g_steal_pointer (&boxes);
}

static char *
dup_words (SlFolderRow *row)
{
  switch (sl_folder_row_get_state (row))
    {
    case SL_FOLDER_ASKING:
      return g_strdup (_("Being asked"));
    case SL_FOLDER_FAILED:
      return g_strdup (sl_folder_row_get_error_text (row));
    case SL_FOLDER_ANSWERED:
      return dup_found (row);
    case SL_FOLDER_WAITING:
    default:
      return g_strdup (_("Waiting"));
    }
}

static const char *
get_mark (SlFolderRow *row)
{
  if (sl_folder_row_get_state (row) == SL_FOLDER_FAILED)
    return "dialog-warning-symbolic";
  return sl_folder_row_get_reviewed (row) ? "object-select-symbolic" : NULL;
}

static void
update_words (SlFolderCell *self)
{
  g_autofree char *words = dup_words (self->row);
  const char *mark = get_mark (self->row);
  gboolean reviewed = sl_folder_row_get_reviewed (self->row);
  /* Translators: accessible name of a picture of a folder: its name, what was found */
  g_autofree char *name = g_strdup_printf (reviewed ? _("%s, %s, reviewed") : _("%s, %s"), sl_folder_row_get_name (self->row), words);

  g_strdelimit (words, "\n", ' ');
  gtk_label_set_label (self->name, sl_folder_row_get_name (self->row));
  gtk_label_set_label (self->words, words);
  gtk_widget_set_tooltip_text (GTK_WIDGET (self), words);
  gtk_image_set_from_icon_name (self->mark, mark);
  gtk_widget_set_visible (GTK_WIDGET (self->mark), mark != NULL);
  gtk_spinner_set_spinning (self->spinner, sl_folder_row_get_state (self->row) == SL_FOLDER_ASKING);
  gtk_widget_set_visible (GTK_WIDGET (self->spinner), sl_folder_row_get_state (self->row) == SL_FOLDER_ASKING);
  if (sl_folder_row_get_state (self->row) == SL_FOLDER_FAILED)
    gtk_widget_add_css_class (GTK_WIDGET (self), "failed");
  else
    gtk_widget_remove_css_class (GTK_WIDGET (self), "failed");
  gtk_accessible_update_property (GTK_ACCESSIBLE (self), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
}

/* --- picture --------------------------------------------------------------- */

static void
drop_picture (SlFolderCell *self)
{
  if (self->still != NULL)
    g_signal_handlers_disconnect_by_data (self->still, self);
  g_clear_object (&self->still);
  g_clear_object (&self->part);
  g_clear_object (&self->boxes);
}

static void
start_still (SlFolderCell *self)
{
  if (self->still != NULL && gtk_widget_get_mapped (GTK_WIDGET (self)))
    sl_still_start (self->still, WIDTH * gtk_widget_get_scale_factor (GTK_WIDGET (self)));
}

static void
take_boxes (SlFolderCell *self)
{
  SlMessage *answer = sl_folder_row_get_answer (self->row);
  g_autoptr (SlGrounding) grounding = NULL;

  g_clear_object (&self->boxes);
  if (answer == NULL || sl_folder_row_get_state (self->row) != SL_FOLDER_ANSWERED)
    return;
  grounding = sl_message_parse (answer);
  self->boxes = sl_box_model_new ();
  sl_box_model_set_reviewing (self->boxes, TRUE);
  sl_box_model_set_answer (self->boxes, grounding, sl_message_get_boxes (answer), self->part);
}

static void
update (SlFolderCell *self)
{
  SlMessagePart *part = sl_folder_row_get_part (self->row);

  if (part != self->part)
    {
      drop_picture (self);
      if (part != NULL)
        {
          self->part = g_object_ref (part);
          self->still = sl_still_new (part);
          g_signal_connect_swapped (self->still, "changed", G_CALLBACK (gtk_widget_queue_draw), self);
          start_still (self);
        }
    }
  take_boxes (self);
  update_words (self);
  gtk_widget_queue_draw (GTK_WIDGET (self));
}

static void
draw_boxes (SlFolderCell          *self,
            GtkSnapshot           *snapshot,
            const graphene_rect_t *area)
{
  double width = sl_message_part_get_width (self->part);
  SlBoxView view = { .x = area->origin.x, .y = area->origin.y, .scale = area->size.width / width,
                     .width = width, .height = sl_message_part_get_height (self->part) };
  SlBoxStyle style = sl_box_default_style;
  gsize n_boxes;
  const SlPaintBox *boxes = sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  cairo_t *cr;

  if (n_boxes == 0)
    return;
  style.show_labels = FALSE;
  style.line_width = 1.5;
  style.font_size = 8;
  sl_box_painter_set_boxes (self->painter, boxes, n_boxes);
  sl_box_painter_set_view (self->painter, &view);
  sl_box_painter_set_style (self->painter, &style);
  cr = gtk_snapshot_append_cairo (snapshot, area);
  sl_box_painter_draw_plain (self->painter, cr);
  cairo_destroy (cr);
}

static void
draw_picture (SlFolderCell          *self,
              GtkSnapshot           *snapshot,
              const graphene_rect_t *room)
{
  double width = MAX (1, sl_message_part_get_width (self->part)), height = MAX (1, sl_message_part_get_height (self->part));
  double scale = MIN (room->size.width / width, room->size.height / height);
  graphene_rect_t area;

  area = GRAPHENE_RECT_INIT (room->origin.x + (room->size.width - width * scale) / 2,
                             room->origin.y + (room->size.height - height * scale) / 2, width * scale, height * scale);
  sl_mipmap_snapshot (sl_still_get_mipmap (self->still), snapshot, &area, &area, gtk_widget_get_scale_factor (GTK_WIDGET (self)));
  if (self->boxes != NULL)
    draw_boxes (self, snapshot, &area);
}

static void
sl_folder_cell_snapshot (GtkWidget   *widget,
                         GtkSnapshot *snapshot)
{
  SlFolderCell *self = SL_FOLDER_CELL (widget);
  graphene_rect_t room;

  if (self->still != NULL && sl_still_get_mipmap (self->still) != NULL && gtk_widget_compute_bounds (self->room, widget, &room))
    draw_picture (self, snapshot, &room);
  GTK_WIDGET_CLASS (sl_folder_cell_parent_class)->snapshot (widget, snapshot);
}

/* --- object ---------------------------------------------------------------- */

static void
sl_folder_cell_map (GtkWidget *widget)
{
  GTK_WIDGET_CLASS (sl_folder_cell_parent_class)->map (widget);
  start_still (SL_FOLDER_CELL (widget));
}

static void
sl_folder_cell_unmap (GtkWidget *widget)
{
  SlFolderCell *self = SL_FOLDER_CELL (widget);

  GTK_WIDGET_CLASS (sl_folder_cell_parent_class)->unmap (widget);
  if (self->still != NULL)
    sl_still_stop (self->still);
}

static void
sl_folder_cell_dispose (GObject *object)
{
  SlFolderCell *self = SL_FOLDER_CELL (object);

  sl_folder_cell_set_row (self, NULL);
  g_clear_pointer (&self->box, gtk_widget_unparent);
  g_clear_pointer (&self->painter, sl_box_painter_free);
  G_OBJECT_CLASS (sl_folder_cell_parent_class)->dispose (object);
}

static void
sl_folder_cell_class_init (SlFolderCellClass *klass)
{
  GtkWidgetClass *widget_class = GTK_WIDGET_CLASS (klass);

  G_OBJECT_CLASS (klass)->dispose = sl_folder_cell_dispose;
  widget_class->snapshot = sl_folder_cell_snapshot;
  widget_class->map = sl_folder_cell_map;
  widget_class->unmap = sl_folder_cell_unmap;
  gtk_widget_class_set_layout_manager_type (widget_class, GTK_TYPE_BIN_LAYOUT);
  gtk_widget_class_set_css_name (widget_class, "foldercell");
  gtk_widget_class_set_accessible_role (widget_class, GTK_ACCESSIBLE_ROLE_IMG);
}

static GtkLabel *
add_label (SlFolderCell *self,
           const char   *css_class)
{
  GtkWidget *label = gtk_label_new (NULL);

  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_END);
  gtk_label_set_single_line_mode (GTK_LABEL (label), TRUE);
  gtk_label_set_width_chars (GTK_LABEL (label), 1);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 1);
  gtk_widget_set_hexpand (label, TRUE);
  gtk_widget_add_css_class (label, css_class);
  gtk_box_append (GTK_BOX (self->box), label);
  return GTK_LABEL (label);
}

static void
sl_folder_cell_init (SlFolderCell *self)
{
  GtkWidget *overlay = gtk_overlay_new ();

  self->painter = sl_box_painter_new ();
  self->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 2);
  self->room = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 0);
  gtk_widget_set_size_request (self->room, WIDTH, HEIGHT);
  self->mark = GTK_IMAGE (gtk_image_new ());
  gtk_widget_set_halign (GTK_WIDGET (self->mark), GTK_ALIGN_END);
  gtk_widget_set_valign (GTK_WIDGET (self->mark), GTK_ALIGN_START);
  gtk_widget_add_css_class (GTK_WIDGET (self->mark), "mark");
  self->spinner = GTK_SPINNER (gtk_spinner_new ());
  gtk_widget_set_halign (GTK_WIDGET (self->spinner), GTK_ALIGN_CENTER);
  gtk_widget_set_valign (GTK_WIDGET (self->spinner), GTK_ALIGN_CENTER);
  gtk_overlay_set_child (GTK_OVERLAY (overlay), self->room);
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), GTK_WIDGET (self->mark));
  gtk_overlay_add_overlay (GTK_OVERLAY (overlay), GTK_WIDGET (self->spinner));
  gtk_box_append (GTK_BOX (self->box), overlay);
  self->name = add_label (self, "caption-heading");
  self->words = add_label (self, "caption");
  gtk_widget_set_parent (self->box, GTK_WIDGET (self));
}

GtkWidget *
sl_folder_cell_new (void)
{
  return g_object_new (SL_TYPE_FOLDER_CELL, NULL);
}

void
sl_folder_cell_set_row (SlFolderCell *self,
                        SlFolderRow  *row)
{
  g_return_if_fail (SL_IS_FOLDER_CELL (self));

  if (self->row == row)
    return;
  if (self->row != NULL)
    g_signal_handlers_disconnect_by_data (self->row, self);
  drop_picture (self);
  g_set_object (&self->row, row);
  if (row == NULL)
    return;
  g_signal_connect_object (row, "changed", G_CALLBACK (update), self, G_CONNECT_SWAPPED);
  update (self);
}
