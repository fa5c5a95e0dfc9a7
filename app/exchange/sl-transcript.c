/* SPDX-License-Identifier: MIT
 *
 * The words, boxes and pictures of a conversation as people read them; the forms are written beside this.
 */
#include "app/exchange/sl-transcript-private.h"

#include <inttypes.h>
#include <string.h>

#include <glib/gi18n-lib.h>

gboolean
sl_transcript_foreach (const SlExport     *self,
                       SlTranscriptVisit   visit,
                       gpointer            user_data,
                       GError            **error)
{
  gboolean ok = sl_database_freeze (self->database, error);
  gboolean frozen = ok;

  for (gsize i = 0; i < self->n_ids && ok; i++)
    {
      g_autoptr (GError) failure = NULL;
      g_autoptr (SlParcel) parcel = sl_database_load_parcel (self->database, self->ids[i], &failure);

      if (parcel == NULL && failure == NULL)
        g_set_error (&failure, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _("There is no conversation %" PRId64 "."), self->ids[i]);
      ok = parcel != NULL && visit (parcel, (guint) i, user_data, &failure);
      if (!ok)
        g_propagate_error (error, g_steal_pointer (&failure));
      if (self->progress != NULL)
        self->progress ((double) (i + 1) / (double) self->n_ids, self->progress_data);
    }
  if (frozen)
    sl_database_thaw (self->database);
  return ok;
}

GPtrArray *
sl_transcript_get_path (const SlConversationRecord *record)
{
  g_autoptr (GHashTable) by_id = g_hash_table_new (g_int64_hash, g_int64_equal);
  GPtrArray *path = g_ptr_array_new ();
  SlMessageRecord *message = NULL;

  for (guint i = 0; i < record->messages->len; i++)
    {
      SlMessageRecord *each = g_ptr_array_index (record->messages, i);

      g_hash_table_insert (by_id, &each->id, each);
      if (each->id == record->leaf || (message == NULL && i + 1 == record->messages->len))
        message = each;
    }
  for (; message != NULL && path->len < record->messages->len; message = g_hash_table_lookup (by_id, &message->parent))
    g_ptr_array_insert (path, 0, message);
  return path;
}

/* ------------------------------------------------------------------------------------------------ words */

static void
append_label (GString    *text,
              const char *label,
              gsize       length)
{
  g_string_append (text, "**");
  for (gsize i = 0; i < length; i++)
    {
      if (strchr ("\\`*_[]<>", label[i]) != NULL)
        g_string_append_c (text, '\\');
      g_string_append_c (text, label[i]);
    }
  g_string_append (text, "**");
}

static void
append_answer (GString    *text,
               const char *raw)
{
  g_autoptr (SlGrounding) grounding = sl_grounding_parse (raw, -1);
  gsize n_spans;
  const SlSpan *spans = sl_grounding_get_spans (grounding, &n_spans);

  for (gsize i = 0; i < n_spans; i++)
    if (spans[i].kind == SL_SPAN_LABEL)
      append_label (text, raw + spans[i].inner_start, spans[i].inner_end - spans[i].inner_start);
    else if (spans[i].kind == SL_SPAN_TEXT)
      g_string_append_len (text, raw + spans[i].start, (gssize) (spans[i].end - spans[i].start));
}

char *
sl_transcript_dup_markdown (const SlMessageRecord *message)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < message->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (message->parts, i);

      if (part->kind != SL_PART_TEXT || part->text == NULL)
        continue;
      if (text->len > 0)
        g_string_append_c (text, '\n');
      if (message->role == SL_ROLE_ASSISTANT)
        append_answer (text, part->text);
      else
        g_string_append (text, part->text);
    }
  return g_string_free (text, FALSE);
}

char *
sl_transcript_dup_speaker (const SlMessageRecord *message)
{
  if (message->role != SL_ROLE_ASSISTANT)
    return g_strdup (message->role == SL_ROLE_USER ? _("You") : _("System"));
  if (message->generation != NULL && message->generation->model[0] != '\0')
    return g_strdup (message->generation->model);
  return g_strdup (_("Answer"));
}

char *
sl_transcript_dup_time (gint64 created)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_local (created / G_USEC_PER_SEC);

  return time != NULL ? g_date_time_format (time, "%Y-%m-%d %H:%M") : g_strdup ("");
}

const char *
sl_transcript_get_title (const SlParcel *parcel)
{
  const char *title = parcel->conversation->title;

  return title != NULL && title[0] != '\0' ? title : _("Conversation");
}

/* ------------------------------------------------------------------------------------------------ boxes and pictures */

static const char *
picture_of (const SlMessageRecord *message,
            const SlBoxRecord     *box)
{
  return box->picture != NULL ? box->picture : message->box_picture;
}

static gboolean
is_seen (const SlMessageRecord *message,
         const SlBoxRecord     *box)
{
  if (box->status != SL_BOX_OK && box->status != SL_BOX_CLAMPED)
    return FALSE;
  for (guint i = 0; i < message->boxes->len; i++)
    if (((const SlBoxRecord *) g_ptr_array_index (message->boxes, i))->origin == box->id)
      return FALSE;
  return TRUE;
}

GArray *
sl_transcript_get_boxes (const SlMessageRecord *message,
                         const SlPartRecord    *picture)
{
  GArray *boxes = g_array_new (FALSE, TRUE, sizeof (SlPaintBox));

  for (guint i = 0; i < message->boxes->len; i++)
    {
      const SlBoxRecord *record = g_ptr_array_index (message->boxes, i);
      SlBox box = { .status = record->status };
      SlPaintBox paint = { .label = record->label, .number = (int) boxes->len + 1, .uncertain = record->status == SL_BOX_CLAMPED };
      int pixels[4];

      memcpy (box.coords, record->coords, sizeof box.coords);
      if (!is_seen (message, record) || g_strcmp0 (picture_of (message, record), picture->sha256) != 0
          || !sl_box_get_pixels (&box, picture->width, picture->height, pixels))
        continue;
      paint.x1 = pixels[0];
      paint.y1 = pixels[1];
      paint.x2 = pixels[2];
      paint.y2 = pixels[3];
      g_array_append_val (boxes, paint);
    }
  sl_box_painter_assign_colors ((SlPaintBox *) (gpointer) boxes->data, boxes->len, SL_BOX_COLORING_LABEL, NULL);
  return boxes;
}

GPtrArray *
sl_transcript_get_boxed (const SlParcel        *parcel,
                         const SlMessageRecord *message)
{
  GPtrArray *pictures = g_ptr_array_new ();

  for (guint i = 0; i < message->boxes->len; i++)
    {
      const SlBoxRecord *box = g_ptr_array_index (message->boxes, i);
      SlPartRecord *picture = is_seen (message, box) ? sl_parcel_find_picture (parcel, picture_of (message, box)) : NULL;

      if (picture != NULL && !g_ptr_array_find (pictures, picture, NULL))
        g_ptr_array_add (pictures, picture);
    }
  return pictures;
}

GBytes *
sl_transcript_read_picture (const SlExport     *self,
                            const SlPartRecord *picture)
{
  g_autofree char *path = sl_database_dup_picture_path (self->dir, picture->sha256, picture->extension);
  g_autofree char *digest = NULL;
  g_autoptr (GError) failure = NULL;
  char *data;
  gsize length;

  if (!g_file_get_contents (path, &data, &length, &failure))
    {
      g_ptr_array_add (self->faults, g_strdup_printf (_("A picture was left out: %s."), failure->message));
      return NULL;
    }
  digest = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) data, length);
  if (strcmp (digest, picture->sha256) == 0)
    return g_bytes_new_take (data, length);
  g_free (data);
  g_ptr_array_add (self->faults, g_strdup_printf (_("The picture file “%s” is not what was stored"), path));
  return NULL;
}
