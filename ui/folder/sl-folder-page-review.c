/* SPDX-License-Identifier: MIT
 *
 * Looking through a folder: the viewer with one picture after the other, those that come next decoded ahead, and the export of what was
 * accepted.
 */
#include "ui/folder/sl-folder-page-private.h"

#include "ui/inspector/sl-export-dialog.h"
#include "ui/pictures/sl-box-model.h"

#include <glib/gi18n.h>

/* Of pictures larger than this, one is decoded ahead and none is kept behind. */
#define LARGE_PIXELS (16 * 1024 * 1024)

/* --- decoding ahead -------------------------------------------------------- */

static void
on_pixels (SlFolderPage  *self,
           GParamSpec    *pspec,
           SlMessagePart *part)
{
  SlPicture *picture = sl_message_part_get_picture (part);

  if (picture != NULL)
    g_ptr_array_add (self->mipmaps, sl_mipmap_for_picture (picture));
}

static void
hold (SlFolderPage  *self,
      SlMessagePart *part)
{
  g_signal_connect_swapped (part, "notify::picture", G_CALLBACK (on_pixels), self);
  g_ptr_array_add (self->held, g_object_ref (part));
  sl_message_part_load (part);
  on_pixels (self, NULL, part);
}

static void
let_go (SlFolderPage *self,
        GPtrArray    *held)
{
  for (guint i = 0; i < held->len; i++)
    {
      g_signal_handlers_disconnect_by_data (held->pdata[i], self);
      sl_message_part_release (held->pdata[i]);
    }
}

static SlMessagePart *
get_part (SlFolderPage *self,
          int           position)
{
  return position >= 0 && (guint) position < self->series->len ? sl_folder_row_get_part (self->series->pdata[position]) : NULL;
}

/* The new ones are held before the old ones go: what is in both stays decoded. */
static void
look_ahead (SlFolderPage *self)
{
  g_autoptr (GPtrArray) before = g_steal_pointer (&self->held);
  g_autoptr (GPtrArray) mipmaps = g_steal_pointer (&self->mipmaps);
  SlMessagePart *shown = get_part (self, self->position);
  gboolean large = shown != NULL
                   && (gint64) sl_message_part_get_width (shown) * sl_message_part_get_height (shown) > LARGE_PIXELS;

  self->held = g_ptr_array_new_with_free_func (g_object_unref);
  self->mipmaps = g_ptr_array_new_with_free_func (g_object_unref);
  for (int by = large ? 0 : -1; by <= (large ? 1 : SL_FOLDER_AHEAD); by++)
    {
      SlMessagePart *part = get_part (self, (int) self->position + by);

      if (part != NULL)
        hold (self, part);
    }
  let_go (self, before);
}

/* --- one picture ----------------------------------------------------------- */

/* Anything about the boxes: what is said in the table follows. */
static void
on_boxes (SlFolderPage *self)
{
  sl_folder_job_note_boxes (self->job, self->series->pdata[self->position]);
}

static void
drop_boxes (SlFolderPage *self)
{
  if (self->boxes != NULL)
    g_signal_handlers_disconnect_by_data (self->boxes, self);
  g_clear_object (&self->boxes);
}

static void
show (SlFolderPage *self,
      guint         position)
{
  SlFolderRow *row = self->series->pdata[position];
  SlMessage *answer = sl_folder_row_get_answer (row);
  g_autoptr (SlGrounding) grounding = sl_message_parse (answer);

  self->position = position;
  look_ahead (self);
  drop_boxes (self);
  self->boxes = sl_box_model_new ();
  sl_box_model_set_reviewing (self->boxes, TRUE);
  sl_box_model_set_answer (self->boxes, grounding, sl_message_get_boxes (answer), sl_folder_row_get_part (row));
  sl_picture_viewer_show_answer (self->viewer, sl_folder_job_get_conversation (self->job), answer, self->boxes);
  sl_picture_viewer_set_series (self->viewer, position, self->series->len);
  g_signal_connect_swapped (self->boxes, "changed", G_CALLBACK (on_boxes), self);
}

static void
on_close (SlFolderPage *self)
{
  sl_folder_page_stop_review (self);
  gtk_widget_grab_focus (GTK_WIDGET (self->grid));
}

static void
on_turn (SlFolderPage *self,
         int           by,
         gboolean      done)
{
  int position = (int) self->position + by;

  if (done)
    sl_folder_job_set_seen (self->job, self->series->pdata[self->position], TRUE);
  if (position >= 0 && (guint) position < self->series->len)
    show (self, position);
  else if (done)
    {
      on_close (self);
      g_signal_emit_by_name (self, "failed", _("That was the last of these pictures"));
    }
}

static void
on_ask (SlFolderPage *self,
        SlPicture    *picture,
        gboolean      marked)
{
  g_signal_emit_by_name (self, "ask", picture, marked);
}

static void
on_failed (SlFolderPage *self,
           const char   *sentence)
{
  g_signal_emit_by_name (self, "failed", sentence);
}

static void
make_viewer (SlFolderPage *self)
{
  if (self->viewer != NULL)
    return;
  self->viewer = g_object_new (SL_TYPE_PICTURE_VIEWER, NULL);
  g_signal_connect_swapped (self->viewer, "close", G_CALLBACK (on_close), self);
  g_signal_connect_swapped (self->viewer, "turn", G_CALLBACK (on_turn), self);
  g_signal_connect_swapped (self->viewer, "ask", G_CALLBACK (on_ask), self);
  g_signal_connect_swapped (self->viewer, "export", G_CALLBACK (sl_folder_page_export), self);
  g_signal_connect_swapped (self->viewer, "failed", G_CALLBACK (on_failed), self);
  gtk_stack_add_named (self->stack, GTK_WIDGET (self->viewer), "review");
}

/* What the table shows now; it may change while it is looked through. */
static void
take_series (SlFolderPage *self)
{
  GListModel *rows = G_LIST_MODEL (self->filtered);

  g_clear_pointer (&self->series, g_ptr_array_unref);
  self->series = g_ptr_array_new_with_free_func (g_object_unref);
  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr (SlFolderRow) row = g_list_model_get_item (rows, i);

      if (sl_folder_row_get_state (row) == SL_FOLDER_ANSWERED && sl_folder_row_get_part (row) != NULL)
        g_ptr_array_add (self->series, g_steal_pointer (&row));
    }
}

void
sl_folder_page_review (SlFolderPage *self,
                       SlFolderRow  *row)
{
  guint position;

  take_series (self);
  if (!g_ptr_array_find (self->series, row, &position))
    return;
  make_viewer (self);
  gtk_stack_set_visible_child_name (self->stack, "review");
  show (self, position);
}

void
sl_folder_page_stop_review (SlFolderPage *self)
{
  gtk_stack_set_visible_child_name (self->stack, "table");
  drop_boxes (self);
  let_go (self, self->held);
  g_ptr_array_set_size (self->held, 0);
  g_ptr_array_set_size (self->mipmaps, 0);
  if (self->viewer != NULL)
    sl_picture_viewer_clear (self->viewer);
}

/* --- export ---------------------------------------------------------------- */

/* Pictures on which everything was rejected are part of a set, too. */
static void
collect (SlExportJob *export,
         gpointer     job)
{
  GListModel *rows = G_LIST_MODEL (job);

  for (guint i = 0; i < g_list_model_get_n_items (rows); i++)
    {
      g_autoptr (SlFolderRow) row = g_list_model_get_item (rows, i);

      if (sl_folder_row_get_reviewed (row))
        sl_export_job_add_accepted (export, sl_folder_job_get_conversation (job), sl_folder_row_get_answer (row));
    }
}

static void
on_exported (GtkWindow  *window,
             const char *sentence)
{
  gtk_widget_activate_action (GTK_WIDGET (window), "win.tell", "s", sentence);
}

void
sl_folder_page_export (SlFolderPage *self)
{
  GtkWindow *window = GTK_WINDOW (gtk_widget_get_root (GTK_WIDGET (self)));

  sl_export_dialog_present_collected (window, _("The boxes that you accepted or corrected, of the pictures that you reviewed."), collect,
                                      g_object_ref (self->job), g_object_unref, on_exported);
}
