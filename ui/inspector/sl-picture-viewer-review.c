/* SPDX-License-Identifier: MIT
 *
 * Looking through a series: one key accepts a box, one rejects it, and the next that is not decided about is shown, on this picture or, by
 * whoever has the series, on the next.
 */
#include "ui/inspector/sl-picture-viewer-private.h"

#include "ui/pictures/sl-picture-view.h"

static gboolean
is_undecided (SlPictureViewer *self,
              int              box)
{
  return !sl_box_item_get_accepted (sl_box_model_get_item (self->boxes, box));
}

static int
count (SlPictureViewer *self)
{
  gsize n_boxes;

  sl_box_model_get_paint_boxes (self->boxes, &n_boxes);
  return (int) n_boxes;
}

/* From that one on, round; -1: all are decided about. */
static int
find_undecided (SlPictureViewer *self,
                int              from)
{
  int n = count (self);

  for (int i = 0; i < n; i++)
    if (is_undecided (self, (MAX (from, 0) + i) % n))
      return (MAX (from, 0) + i) % n;
  return -1;
}

/* What the next key is about. */
static int
find_next (SlPictureViewer *self)
{
  int selected = sl_box_model_get_selected (self->boxes);

  return selected >= 0 && is_undecided (self, selected) ? selected : find_undecided (self, selected);
}

static void
turn (SlPictureViewer *self)
{
  g_signal_emit_by_name (self, "turn", 1, TRUE);
}

static void
go_on (SlPictureViewer *self,
       int              from)
{
  int next = find_undecided (self, from);

  if (next < 0)
    {
      turn (self);
      return;
    }
  sl_box_model_select (self->boxes, next);
  sl_picture_view_reveal (SL_PICTURE_VIEW (self->view), next);
}

static void
set_accepted (SlPictureViewer *self,
              int              box,
              gboolean         accepted)
{
  sl_conversation_accept_box (self->conversation, self->answer, sl_box_model_get_item (self->boxes, box), accepted);
}

static void
accept (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  int box = find_next (self);

  if (box >= 0)
    set_accepted (self, box, TRUE);
  go_on (self, box);
}

static void
accept_all (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  for (int i = 0; i < count (self); i++)
    if (is_undecided (self, i))
      set_accepted (self, i, TRUE);
  turn (self);
}

static void
take_back (GtkWidget  *widget,
           const char *name,
           GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  int selected = sl_box_model_get_selected (self->boxes);

  for (int i = 0; i < count (self); i++)
    if (selected < 0 || i == selected)
      set_accepted (self, i, FALSE);
}

/* The one that is selected, also where it was accepted; else the next that is not decided about. */
static void
reject (GtkWidget  *widget,
        const char *name,
        GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);
  int box = sl_box_model_get_selected (self->boxes);

  if (box < 0)
    box = find_next (self);
  if (box >= 0)
    sl_box_edits_remove (self->edits, sl_box_model_get_item (self->boxes, box));
  go_on (self, box);
}

static void
reject_all (GtkWidget  *widget,
            const char *name,
            GVariant   *parameter)
{
  SlPictureViewer *self = SL_PICTURE_VIEWER (widget);

  for (int box; (box = find_undecided (self, 0)) >= 0;)
    sl_box_edits_remove (self->edits, sl_box_model_get_item (self->boxes, box));
  turn (self);
}

void
sl_picture_viewer_install_review_actions (GtkWidgetClass *klass)
{
  gtk_widget_class_install_action (klass, "viewer.accept", NULL, accept);
  gtk_widget_class_install_action (klass, "viewer.accept-all", NULL, accept_all);
  gtk_widget_class_install_action (klass, "viewer.take-back", NULL, take_back);
  gtk_widget_class_install_action (klass, "viewer.reject", NULL, reject);
  gtk_widget_class_install_action (klass, "viewer.reject-all", NULL, reject_all);
}

void
sl_picture_viewer_set_series (SlPictureViewer *self,
                              guint            position,
                              guint            n)
{
  g_return_if_fail (SL_IS_PICTURE_VIEWER (self));

  self->series = position;
  self->n_series = n;
  gtk_widget_set_visible (self->review_tools, n > 0);
  sl_picture_viewer_update_title (self);
  sl_picture_viewer_update_actions (self);
  if (self->boxes != NULL && count (self) > 0 && find_undecided (self, 0) >= 0)
    sl_box_model_select (self->boxes, find_undecided (self, 0));
}
