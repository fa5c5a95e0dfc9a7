/* SPDX-License-Identifier: MIT
 *
 * The text of a question with pictures between its words. Pictures are GtkTextChildAnchors with an SlThumbnail each; the anchor is
 * found through the thumbnail, so moving one is deleting its anchor and making another. Undo is cut where pictures change:
 * GtkTextBuffer cannot replay anchors.
 */
#include "ui/composer/sl-composer-private.h"

#include "ui/pictures/sl-thumbnail.h"

#define THUMBNAIL_SIDE 72
#define ANCHOR_CHAR 0xFFFC
#define ANCHOR_TEXT "\xEF\xBF\xBC" /* the same in UTF-8 */

static SlThumbnail *
get_thumbnail (const GtkTextIter *iter)
{
  GtkTextChildAnchor *anchor = gtk_text_iter_get_child_anchor (iter);
  g_autofree GtkWidget **widgets = NULL;
  guint n_widgets = 0;

  if (anchor == NULL || gtk_text_child_anchor_get_deleted (anchor))
    return NULL;
  widgets = gtk_text_child_anchor_get_widgets (anchor, &n_widgets);
  return n_widgets > 0 && SL_IS_THUMBNAIL (widgets[0]) ? SL_THUMBNAIL (widgets[0]) : NULL;
}

typedef struct
{
  int offset; /* characters before it */
  SlThumbnail *thumbnail;
} Place;

/* The pictures, in order. By way of a copy of the text, which takes 2 ms for 200,000 letters; going from letter to letter takes 28. */
static GArray *
list_places (SlComposer *self)
{
  GArray *places = g_array_new (FALSE, FALSE, sizeof (Place));
  g_autofree char *text = NULL;
  const char *last;
  GtkTextIter start, end;
  int offset = 0;

  gtk_text_buffer_get_bounds (self->buffer, &start, &end);
  text = gtk_text_iter_get_slice (&start, &end);
  last = text;
  for (const char *at = text; (at = strstr (at, ANCHOR_TEXT)) != NULL; at += strlen (ANCHOR_TEXT))
    {
      SlThumbnail *thumbnail;

      offset += g_utf8_pointer_to_offset (last, at);
      last = at;
      gtk_text_buffer_get_iter_at_offset (self->buffer, &start, offset);
      thumbnail = get_thumbnail (&start);
      if (thumbnail != NULL)
        g_array_append_vals (places, &(Place) { offset, thumbnail }, 1);
    }
  return places;
}

static gboolean
find_thumbnail (SlComposer  *self,
                SlThumbnail *thumbnail,
                GtkTextIter *iter)
{
  g_autoptr (GArray) places = list_places (self);

  for (guint i = 0; i < places->len; i++)
    if (g_array_index (places, Place, i).thumbnail == thumbnail)
      {
        gtk_text_buffer_get_iter_at_offset (self->buffer, iter, g_array_index (places, Place, i).offset);
        return TRUE;
      }
  return FALSE;
}

void
sl_composer_number_pictures (SlComposer *self)
{
  g_autoptr (GArray) places = list_places (self);

  for (guint i = 0; i < places->len; i++)
    sl_thumbnail_set_position (g_array_index (places, Place, i).thumbnail, i + 1, places->len);
}

/* --- pictures come, move and go --------------------------------------------- */

static void insert_part (SlComposer    *self,
                         GtkTextIter   *iter,
                         SlMessagePart *part,
                         gboolean       focus);

static void
delete_at (SlComposer  *self,
           GtkTextIter *iter)
{
  GtkTextIter end = *iter;

  gtk_text_iter_forward_char (&end);
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  gtk_text_buffer_delete (self->buffer, iter, &end);
  gtk_text_buffer_end_irreversible_action (self->buffer);
}

static void
on_remove (SlComposer  *self,
           SlThumbnail *thumbnail)
{
  GtkTextIter iter;

  if (find_thumbnail (self, thumbnail, &iter))
    delete_at (self, &iter);
  gtk_widget_grab_focus (GTK_WIDGET (self->text_view));
}

static void
move_to (SlComposer  *self,
         SlThumbnail *thumbnail,
         GtkTextIter *target,
         gboolean     focus)
{
  g_autoptr (SlMessagePart) part = g_object_ref (sl_thumbnail_get_part (thumbnail));
  GtkTextMark *mark = gtk_text_buffer_create_mark (self->buffer, NULL, target, TRUE);
  GtkTextIter iter;

  if (find_thumbnail (self, thumbnail, &iter))
    {
      delete_at (self, &iter);
      gtk_text_buffer_get_iter_at_mark (self->buffer, &iter, mark);
      insert_part (self, &iter, part, focus);
    }
  gtk_text_buffer_delete_mark (self->buffer, mark);
}

/* Past the next picture or word. */
static void
on_move (SlComposer  *self,
         int          direction,
         SlThumbnail *thumbnail)
{
  GtkTextIter iter;

  if (!find_thumbnail (self, thumbnail, &iter))
    return;
  if (direction > 0)
    {
      gtk_text_iter_forward_char (&iter);
      if (gtk_text_iter_is_end (&iter))
        return;
      if (gtk_text_iter_get_char (&iter) == ANCHOR_CHAR || !gtk_text_iter_forward_word_end (&iter))
        gtk_text_iter_forward_char (&iter);
    }
  else
    {
      GtkTextIter before = iter;
      if (!gtk_text_iter_backward_char (&before))
        return;
      if (gtk_text_iter_get_char (&before) == ANCHOR_CHAR || !gtk_text_iter_backward_word_start (&iter))
        iter = before;
    }
  move_to (self, thumbnail, &iter, TRUE);
}

static void
on_thumbnail_activated (SlComposer  *self,
                        SlThumbnail *thumbnail)
{
  g_signal_emit_by_name (self, "open-picture", sl_thumbnail_get_part (thumbnail));
}

static void
on_detail (SlComposer *self)
{
  g_signal_emit_by_name (self, "changed");
}

/* The part in its place may be another one. */
static void
on_thumbnail_changed (SlComposer  *self,
                      SlThumbnail *thumbnail)
{
  SlMessagePart *part = sl_thumbnail_get_part (thumbnail);

  g_signal_handlers_disconnect_by_func (part, on_detail, self);
  g_signal_connect_object (part, "notify::detail", G_CALLBACK (on_detail), self, G_CONNECT_SWAPPED);
  sl_composer_update_send (self);
  g_signal_emit_by_name (self, "changed");
}

static void
on_thumbnail_failed (SlComposer *self,
                     const char *sentence)
{
  g_signal_emit_by_name (self, "failed", sentence);
}

static void
insert_part (SlComposer    *self,
             GtkTextIter   *iter,
             SlMessagePart *part,
             gboolean       focus)
{
  GtkTextChildAnchor *anchor;
  GtkWidget *thumbnail;

  if (sl_message_part_get_kind (part) == SL_PART_TEXT)
    {
      gtk_text_buffer_insert (self->buffer, iter, sl_message_part_get_text (part), -1);
      return;
    }
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  anchor = gtk_text_buffer_create_child_anchor (self->buffer, iter);
  gtk_text_buffer_end_irreversible_action (self->buffer);
  thumbnail = sl_thumbnail_new (part, THUMBNAIL_SIDE, TRUE);
  sl_thumbnail_set_engine (SL_THUMBNAIL (thumbnail), self->engine);
  g_signal_connect_object (part, "notify::detail", G_CALLBACK (on_detail), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "remove", G_CALLBACK (on_remove), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "move", G_CALLBACK (on_move), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "changed", G_CALLBACK (on_thumbnail_changed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "failed", G_CALLBACK (on_thumbnail_failed), self, G_CONNECT_SWAPPED);
  g_signal_connect_object (thumbnail, "activated", G_CALLBACK (on_thumbnail_activated), self,
                           G_CONNECT_SWAPPED);
  gtk_text_view_add_child_at_anchor (self->text_view, thumbnail, anchor);
  sl_composer_number_pictures (self);
  if (focus)
    gtk_widget_grab_focus (thumbnail);
}

static gboolean
on_drop_thumbnail (SlComposer   *self,
                   const GValue *value,
                   double        x,
                   double        y)
{
  SlThumbnail *thumbnail = g_value_get_object (value);
  GtkTextIter iter;
  int buffer_x, buffer_y;

  gtk_text_view_window_to_buffer_coords (self->text_view, GTK_TEXT_WINDOW_WIDGET, x, y, &buffer_x,
                                         &buffer_y);
  gtk_text_view_get_iter_at_position (self->text_view, &iter, NULL, buffer_x, buffer_y);
  if (thumbnail == NULL || get_thumbnail (&iter) == thumbnail)
    return FALSE;
  move_to (self, thumbnail, &iter, FALSE);
  return TRUE;
}

void
sl_composer_add_drop_target (SlComposer *self)
{
  GtkDropTarget *drop = gtk_drop_target_new (SL_TYPE_THUMBNAIL, GDK_ACTION_MOVE);

  g_signal_connect_swapped (drop, "drop", G_CALLBACK (on_drop_thumbnail), self);
  gtk_event_controller_set_propagation_phase (GTK_EVENT_CONTROLLER (drop), GTK_PHASE_CAPTURE);
  gtk_widget_add_controller (GTK_WIDGET (self->text_view), GTK_EVENT_CONTROLLER (drop));
}

gboolean
sl_composer_has_busy_picture (SlComposer *self)
{
  g_autoptr (GArray) places = list_places (self);

  for (guint i = 0; i < places->len; i++)
    if (sl_thumbnail_is_busy (g_array_index (places, Place, i).thumbnail))
      return TRUE;
  return FALSE;
}

void
sl_composer_delete_words (SlComposer *self)
{
  g_autoptr (GArray) places = list_places (self);
  GtkTextIter start, end;

  /* From behind, where nothing moves what is yet to come. */
  gtk_text_buffer_get_end_iter (self->buffer, &end);
  for (guint i = places->len; i-- > 0;)
    {
      int offset = g_array_index (places, Place, i).offset;

      gtk_text_buffer_get_iter_at_offset (self->buffer, &start, offset + 1);
      gtk_text_buffer_delete (self->buffer, &start, &end);
      gtk_text_buffer_get_iter_at_offset (self->buffer, &end, offset);
    }
  gtk_text_buffer_get_start_iter (self->buffer, &start);
  gtk_text_buffer_delete (self->buffer, &start, &end);
}

/* --- what is written --------------------------------------------------------- */

static void
take_text (GPtrArray         *parts,
           const GtkTextIter *start,
           const GtkTextIter *end,
           gboolean           trim_start,
           gboolean           trim_end)
{
  g_autofree char *text = gtk_text_iter_get_visible_text (start, end);

  if (trim_end)
    g_strchomp (text);
  if (trim_start)
    g_strchug (text);
  if (*text != '\0')
    g_ptr_array_add (parts, sl_message_part_new_text (text));
}

static GPtrArray *
list_parts (SlComposer *self,
            gboolean    trim)
{
  GPtrArray *parts = g_ptr_array_new_with_free_func (g_object_unref);
  g_autoptr (GArray) places = list_places (self);
  GtkTextIter iter, start;

  gtk_text_buffer_get_start_iter (self->buffer, &start);
  for (guint i = 0; i < places->len; i++)
    {
      const Place *place = &g_array_index (places, Place, i);

      gtk_text_buffer_get_iter_at_offset (self->buffer, &iter, place->offset);
      take_text (parts, &start, &iter, trim && parts->len == 0, FALSE);
      g_ptr_array_add (parts, g_object_ref (sl_thumbnail_get_part (place->thumbnail)));
      gtk_text_buffer_get_iter_at_offset (self->buffer, &start, place->offset + 1);
    }
  gtk_text_buffer_get_end_iter (self->buffer, &iter);
  take_text (parts, &start, &iter, trim && parts->len == 0, trim);
  return parts;
}

GPtrArray *
sl_composer_dup_parts (SlComposer *self)
{
  g_return_val_if_fail (SL_IS_COMPOSER (self), NULL);
  return list_parts (self, TRUE);
}

GPtrArray *
sl_composer_dup_draft (SlComposer *self)
{
  g_return_val_if_fail (SL_IS_COMPOSER (self), NULL);
  return list_parts (self, FALSE);
}

void
sl_composer_set_parts (SlComposer *self,
                       GPtrArray  *parts)
{
  g_return_if_fail (SL_IS_COMPOSER (self));

  sl_composer_clear (self);
  sl_composer_add_parts (self, parts);
}

void
sl_composer_add_parts (SlComposer *self,
                       GPtrArray  *parts)
{
  g_return_if_fail (SL_IS_COMPOSER (self));

  for (guint i = 0; i < parts->len; i++)
    {
      GtkTextIter end;
      gtk_text_buffer_get_end_iter (self->buffer, &end);
      insert_part (self, &end, parts->pdata[i], FALSE);
    }
}

void
sl_composer_clear (SlComposer *self)
{
  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  gtk_text_buffer_set_text (self->buffer, "", 0);
  gtk_text_buffer_end_irreversible_action (self->buffer);
}

char *
sl_composer_dup_content (SlComposer *self)
{
  GtkTextIter start, end;

  g_return_val_if_fail (SL_IS_COMPOSER (self), NULL);
  gtk_text_buffer_get_bounds (self->buffer, &start, &end);
  return gtk_text_buffer_get_slice (self->buffer, &start, &end, TRUE);
}

void
sl_composer_forget_content (SlComposer *self,
                            const char *content)
{
  g_autofree char *now = NULL;
  GtkTextIter start, end;

  g_return_if_fail (SL_IS_COMPOSER (self));
  now = sl_composer_dup_content (self);
  if (!g_str_has_prefix (now, content))
    return;
  gtk_text_buffer_get_start_iter (self->buffer, &start);
  gtk_text_buffer_get_iter_at_offset (self->buffer, &end, g_utf8_strlen (content, -1));
  gtk_text_buffer_begin_irreversible_action (self->buffer);
  gtk_text_buffer_delete (self->buffer, &start, &end);
  gtk_text_buffer_end_irreversible_action (self->buffer);
}

void
sl_composer_add_picture (SlComposer *self,
                         SlPicture  *picture)
{
  g_autoptr (SlMessagePart) part = sl_message_part_new_picture (picture, SL_DETAIL_AUTO);
  GtkTextIter iter;

  g_return_if_fail (SL_IS_COMPOSER (self));
  gtk_text_buffer_get_iter_at_mark (self->buffer, &iter, gtk_text_buffer_get_insert (self->buffer));
  insert_part (self, &iter, part, FALSE);
}
