/* SPDX-License-Identifier: MIT
 *
 * Conversations as a folder: a Markdown file for each, pictures/ in their original bytes, boxes/ with what an answer has found drawn on.
 */
#include "app/boxes/sl-box-picture.h"
#include "app/exchange/sl-transcript-private.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>

typedef struct
{
  const SlExport *export;
  const char *folder;  /* that becomes export->path */
  GHashTable *written; /* paths below it → whether the file is there */
  GString *text;       /* of the conversation */
} Writing;

/* ------------------------------------------------------------------------------------------------ files */

static char *
dup_place (Writing    *self,
           const char *name)
{
  return g_build_filename (self->folder, name, NULL);
}

static gboolean
write_file (Writing     *self,
            const char  *name,
            const void  *data,
            gsize        length,
            GError     **error)
{
  g_autofree char *path = dup_place (self, name);

  return sl_outputs_write (self->export->outputs, path, data, length, error);
}

/* *there: the file is, and a text may name it. */
static gboolean
write_picture (Writing             *self,
               const SlPartRecord  *picture,
               const char          *name,
               gboolean            *there,
               GError             **error)
{
  g_autoptr (GBytes) bytes = NULL;
  gpointer known;

  if (g_hash_table_lookup_extended (self->written, name, NULL, &known))
    {
      *there = GPOINTER_TO_INT (known);
      return TRUE;
    }
  bytes = sl_transcript_read_picture (self->export, picture);
  *there = bytes != NULL;
  g_hash_table_insert (self->written, g_strdup (name), GINT_TO_POINTER (*there));
  return !*there || write_file (self, name, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), error);
}

static gboolean
write_boxed (Writing             *self,
             const SlPartRecord  *record,
             const GArray        *boxes,
             const char          *name,
             gboolean            *there,
             GError             **error)
{
  g_autofree char *path = dup_place (self, name);
  g_autoptr (GBytes) bytes = sl_transcript_read_picture (self->export, record);
  g_autoptr (GError) failure = NULL;
  g_autoptr (SlPicture) picture = bytes != NULL ? sl_picture_new_from_bytes (bytes, record->sha256, NULL, &failure) : NULL;

  *there = picture != NULL;
  if (failure != NULL)
    g_ptr_array_add (self->export->faults, g_strdup (failure->message));
  return picture == NULL
         || sl_box_picture_write (picture, (const SlPaintBox *) (gconstpointer) boxes->data, boxes->len, NULL, SL_BOX_PICTURE_PNG,
                                  self->export->outputs, path, error);
}

/* ------------------------------------------------------------------------------------------------ text */

static void
append_picture (Writing    *self,
                const char *said,
                const char *name,
                gboolean    there)
{
  g_string_append (self->text, there ? "![" : "*");
  for (const char *c = said; *c != '\0'; c++)
    if (strchr ("[]*\\\n", *c) == NULL)
      g_string_append_c (self->text, *c);
  if (there)
    g_string_append_printf (self->text, "](%s)\n\n", name);
  else
    g_string_append (self->text, "*\n\n");
}

static gboolean
append_boxes (Writing                *self,
              const SlMessageRecord  *message,
              const SlPartRecord     *picture,
              guint                   conversation,
              guint                   number,
              GError                **error)
{
  g_autoptr (GArray) boxes = sl_transcript_get_boxes (message, picture);
  g_autofree char *name = g_strdup_printf ("boxes/%03u-%03u-%.8s.png", conversation + 1, number + 1, picture->sha256);
  gboolean there;

  if (!write_boxed (self, picture, boxes, name, &there, error))
    return FALSE;
  append_picture (self, _("Picture with boxes"), name, there);
  for (guint i = 0; i < boxes->len; i++)
    {
      const SlPaintBox *box = &g_array_index (boxes, SlPaintBox, i);

      g_string_append_printf (self->text, "%d. %s (%.0f, %.0f) – (%.0f, %.0f)\n", box->number, box->label != NULL ? box->label : "",
                              box->x1, box->y1, box->x2, box->y2);
    }
  g_string_append_c (self->text, '\n');
  return TRUE;
}

static gboolean
append_message (Writing                *self,
                const SlParcel         *parcel,
                const SlMessageRecord  *message,
                guint                   conversation,
                guint                   number,
                GError                **error)
{
  g_autofree char *speaker = sl_transcript_dup_speaker (message);
  g_autofree char *words = sl_transcript_dup_markdown (message);
  g_autoptr (GPtrArray) boxed = sl_transcript_get_boxed (parcel, message);

  g_string_append_printf (self->text, "## %s\n\n", speaker);
  for (guint i = 0; i < message->parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (message->parts, i);
      g_autofree char *name = part->kind == SL_PART_PICTURE ? g_strdup_printf ("pictures/%s.%s", part->sha256, part->extension) : NULL;
      gboolean there;

      if (name == NULL)
        continue;
      if (!write_picture (self, part, name, &there, error))
        return FALSE;
      append_picture (self, part->name != NULL ? part->name : _("Picture"), name, there);
    }
  g_string_append_printf (self->text, "%s\n\n", words);
  for (guint i = 0; i < boxed->len; i++)
    if (!append_boxes (self, message, g_ptr_array_index (boxed, i), conversation, number, error))
      return FALSE;
  return TRUE;
}

/* Letters of any script, and nothing that a file system or a shell takes for something else. */
static char *
dup_name (const char *title,
          guint       index)
{
  g_autoptr (GString) name = g_string_new (NULL);
  guint n = 0;

  for (const char *c = title; *c != '\0' && n < 40; c = g_utf8_next_char (c), n++)
    {
      gunichar letter = g_utf8_get_char (c);

      if (g_unichar_isalnum (letter))
        g_string_append_unichar (name, letter);
      else if (name->len > 0 && name->str[name->len - 1] != '-')
        g_string_append_c (name, '-');
    }
  return g_strdup_printf ("%03u-%s.md", index + 1, name->str);
}

static gboolean
write_conversation (const SlParcel  *parcel,
                    guint            index,
                    gpointer         data,
                    GError         **error)
{
  Writing *self = data;
  g_autoptr (GPtrArray) path = sl_transcript_get_path (parcel->conversation);
  g_autofree char *time = sl_transcript_dup_time (parcel->conversation->created);
  g_autofree char *name = dup_name (sl_transcript_get_title (parcel), index);

  g_string_truncate (self->text, 0);
  g_string_append_printf (self->text, "# %s\n\n%s\n\n", sl_transcript_get_title (parcel), time);
  for (guint i = 0; i < path->len; i++)
    if (!append_message (self, parcel, g_ptr_array_index (path, i), index, i, error))
      return FALSE;
  return write_file (self, name, self->text->str, self->text->len, error);
}

static gboolean
make_folders (Writing  *self,
              GError  **error)
{
  static const char *const names[] = { "pictures", "boxes" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = dup_place (self, names[i]);

      if (g_mkdir (path, 0777) != 0)
        {
          sl_output_set_error (error, self->export->path, errno);
          return FALSE;
        }
    }
  return TRUE;
}

static void
remove_empty (Writing *self)
{
  g_autofree char *pictures = dup_place (self, "pictures");
  g_autofree char *boxes = dup_place (self, "boxes");

  g_rmdir (pictures); /* one that holds something stays */
  g_rmdir (boxes);
}

gboolean
sl_transcript_write_markdown (const SlExport  *export,
                              GError         **error)
{
  g_autoptr (GHashTable) written = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *folder = sl_output_folder_begin (export->path, error);
  Writing self = { export, folder, written, text };

  if (folder == NULL)
    return FALSE;
  if (make_folders (&self, error) && sl_transcript_foreach (export, write_conversation, &self, error))
    {
      remove_empty (&self);
      if (sl_output_folder_finish (folder, export->path, error))
        return TRUE;
    }
  sl_output_folder_discard (folder);
  return FALSE;
}
