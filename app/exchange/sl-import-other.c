/* SPDX-License-Identifier: MIT
 *
 * Parcels of what other programs have kept.
 */
#include "app/exchange/sl-import-other.h"

#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/pictures/sl-picture.h"

#define LATEST (G_MAXINT64 / 4) /* µs since 1970 */

SlGrowing *
sl_growing_new (const char *title,
                gint64      created,
                gint64      updated)
{
  SlGrowing *self = g_new0 (SlGrowing, 1);
  SlConversationRecord *record = sl_conversation_record_new ();

  record->title = g_strdup (title != NULL ? title : "");
  record->created = CLAMP (created, 0, LATEST);
  record->updated = CLAMP (updated, record->created, LATEST);
  self->parcel = sl_parcel_new (record);
  self->n_below = g_array_new (FALSE, TRUE, sizeof (guint));
  g_array_set_size (self->n_below, 1);
  return self;
}

/* A record says what the file says of an answer: by whom. */
static SlGeneration *
make_generation (const char *place,
                 const char *model)
{
  SlGeneration *generation = sl_generation_new ();

  g_free (generation->model);
  generation->model = g_strdup (model);
  g_free (generation->place);
  generation->place = g_strdup (place);
  generation->stop = SL_STOP_EOS;
  return generation;
}

SlMessageRecord *
sl_growing_add (SlGrowing             *self,
                const SlMessageRecord *parent,
                SlRole                 role,
                gint64                 created,
                const char            *place,
                const char            *model)
{
  SlConversationRecord *conversation = self->parcel->conversation;
  gint64 above = parent != NULL ? parent->id : 0;
  guint *n_siblings = &g_array_index (self->n_below, guint, above);
  SlMessageRecord *message;

  if (parent != NULL && role == SL_ROLE_ASSISTANT && parent->role == SL_ROLE_ASSISTANT && *n_siblings == 0)
    return g_ptr_array_index (conversation->messages, above - 1);
  message = sl_message_record_new ();
  g_ptr_array_add (conversation->messages, message);
  message->id = conversation->messages->len;
  message->parent = above;
  message->ordinal = (*n_siblings)++;
  g_array_set_size (self->n_below, self->n_below->len + 1);
  message->role = role;
  message->created = created > 0 ? MIN (created, LATEST) : (parent != NULL ? parent->created : conversation->created) + 1;
  conversation->updated = MAX (conversation->updated, message->created);
  if (role == SL_ROLE_ASSISTANT && model != NULL && model[0] != '\0')
    message->generation = make_generation (place, model);
  return message;
}

void
sl_import_add_text (SlMessageRecord *message,
                    const char      *text)
{
  SlPartRecord *last = message->parts->len > 0 ? g_ptr_array_index (message->parts, message->parts->len - 1) : NULL;

  if (text == NULL || text[0] == '\0')
    return;
  if (last != NULL && last->kind == SL_PART_TEXT)
    {
      g_autofree char *before = last->text;

      last->text = g_strconcat (before, "\n\n", text, NULL);
      return;
    }
  last = sl_part_record_new (SL_PART_TEXT);
  last->text = g_strdup (text);
  g_ptr_array_add (message->parts, last);
}

void
sl_import_add_picture (SlImport        *self,
                       SlGrowing       *growing,
                       SlMessageRecord *message,
                       GBytes          *bytes,
                       const char      *name)
{
  const char *known = name != NULL && name[0] != '\0' ? name : _("Picture");
  g_autoptr (GError) failure = NULL;
  g_autoptr (SlPicture) picture = bytes != NULL ? sl_picture_new_from_bytes (bytes, known, sl_import_get_cancellable (self), &failure)
                                                : NULL;
  g_autofree char *instead = NULL;
  SlParcel *parcel = growing->parcel;
  SlPartRecord *part;

  if (picture == NULL)
    {
      sl_import_add_fault (self, _("A picture of the conversation “%s” in “%s” was not imported: %s."), parcel->conversation->title,
                           sl_import_get_name (self), failure != NULL ? failure->message : _("it is missing there"));
      instead = g_strdup_printf ("[%s]", known);
      sl_import_add_text (message, instead);
      return;
    }
  part = sl_part_record_new (SL_PART_PICTURE);
  part->sha256 = g_strdup (sl_picture_get_sha256 (picture));
  part->mime_type = g_strdup (sl_picture_get_mime_type (picture));
  part->extension = g_strdup (sl_picture_get_extension (picture));
  part->width = sl_picture_get_width (picture);
  part->height = sl_picture_get_height (picture);
  if (sl_parcel_find_picture (parcel, part->sha256) == NULL)
    {
      SlPartRecord *file = sl_part_record_copy (part);

      file->bytes = g_bytes_ref (bytes);
      g_ptr_array_add (parcel->pictures, file);
    }
  part->name = g_strdup (name);
  g_ptr_array_add (message->parts, part);
}

/* A message that held nothing that could be read is still a turn. */
static void
fill_empty (SlParcel *parcel)
{
  for (guint i = 0; i < parcel->conversation->messages->len; i++)
    {
      SlMessageRecord *message = g_ptr_array_index (parcel->conversation->messages, i);

      if (message->parts->len == 0)
        {
          g_ptr_array_add (message->parts, sl_part_record_new (SL_PART_TEXT));
          ((SlPartRecord *) g_ptr_array_index (message->parts, 0))->text = g_strdup ("");
        }
    }
}

gboolean
sl_import_grown (SlImport               *self,
                 SlGrowing              *growing,
                 const SlMessageRecord  *leaf,
                 GError                **error)
{
  g_autoptr (SlParcel) parcel = growing->parcel;

  g_array_unref (growing->n_below);
  g_free (growing);
  if (parcel->conversation->messages->len == 0)
    return TRUE;
  fill_empty (parcel);
  parcel->conversation->leaf = leaf != NULL ? leaf->id : 0;
  for (guint i = 0; i < parcel->pictures->len; i++)
    if (!sl_import_put_picture (self, g_ptr_array_index (parcel->pictures, i), error))
      return FALSE;
  return sl_import_merge (self, g_steal_pointer (&parcel), error);
}

void
sl_import_set_unknown (SlImport  *self,
                       GError   **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("“%s” does not hold conversations in a form that is known."),
               sl_import_get_name (self));
}
