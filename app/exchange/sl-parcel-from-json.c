/* SPDX-License-Identifier: MIT
 *
 * A parcel from JSON that may come from anywhere: every member is looked at, and the names are made anew and have to be those that are
 * written there. Any thread.
 */
#include <string.h>

#include <glib/gi18n-lib.h>

#include "app/exchange/sl-parcel-json-private.h"
#include "app/exchange/sl-parcel-json.h"

#define MAX_MESSAGES 1000000
#define MAX_PICTURES 20000 /* each is looked for in all of them */
#define LATEST (G_MAXINT64 / 4) /* µs since 1970 */

typedef struct
{
  SlJsonReader reader;
  SlParcel *parcel;
  GHashTable *places; /* name → number of a message from 1 on, which is its id in the parcel */
} Reading;

static gint64
get_time (Reading      *self,
          const json_t *object,
          const char   *key)
{
  return sl_json_get_integer (&self->reader, object, key, 0, LATEST, 0);
}

static gboolean
is_extension (const char *text)
{
  gsize length = strlen (text);

  return length >= 1 && length <= 8 && strspn (text, "abcdefghijklmnopqrstuvwxyz0123456789") == length;
}

static void
read_picture (Reading      *self,
              const json_t *object)
{
  const char *sha256 = sl_json_get_hash (&self->reader, object, "sha256");
  const char *extension = sl_json_get_text (&self->reader, object, "extension", NULL);
  SlPartRecord *picture;

  if (sha256 == NULL || !is_extension (extension))
    {
      sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "pictures");
      return;
    }
  if (sl_parcel_find_picture (self->parcel, sha256) != NULL)
    return;
  picture = sl_part_record_new (SL_PART_PICTURE);
  picture->sha256 = g_strdup (sha256);
  picture->extension = g_strdup (extension);
  picture->mime_type = g_strdup (sl_json_get_text (&self->reader, object, "type", ""));
  picture->width = (int) sl_json_get_integer (&self->reader, object, "width", 0, G_MAXINT32, 0);
  picture->height = (int) sl_json_get_integer (&self->reader, object, "height", 0, G_MAXINT32, 0);
  g_ptr_array_add (self->parcel->pictures, picture);
}

/* NULL, or one of the parcel's. */
static const SlPartRecord *
get_picture (Reading      *self,
             const json_t *object,
             const char   *key)
{
  const char *sha256 = sl_json_get_hash (&self->reader, object, key);
  const SlPartRecord *picture = sha256 != NULL ? sl_parcel_find_picture (self->parcel, sha256) : NULL;

  if (sha256 != NULL && picture == NULL)
    sl_json_reader_fail (&self->reader, _("a picture is named that nothing is said of"));
  return picture;
}

static SlPartRecord *
read_part (Reading      *self,
           const json_t *object)
{
  static const char *const details[] = { "auto", "low" };
  const SlPartRecord *picture = get_picture (self, object, "picture");
  SlPartRecord *part;

  if (picture != NULL)
    part = sl_part_record_copy (picture);
  else
    {
      part = sl_part_record_new (SL_PART_TEXT);
      part->text = g_strdup (sl_json_get_text (&self->reader, object, "text", NULL));
    }
  if (json_object_get (object, "name") != NULL)
    part->name = g_strdup (sl_json_get_text (&self->reader, object, "name", NULL));
  if (json_object_get (object, "detail") != NULL)
    part->detail = sl_json_get_word (&self->reader, object, "detail", details, G_N_ELEMENTS (details));
  return part;
}

static void
read_parts (Reading      *self,
            const json_t *object,
            GPtrArray    *parts)
{
  const json_t *array = sl_json_get_array (&self->reader, object, "parts"), *value;
  gsize i;

  json_array_foreach (array, i, value)
    g_ptr_array_add (parts, read_part (self, value));
}

static gint64
find_message (Reading      *self,
              const json_t *object,
              const char   *key)
{
  const char *name = sl_json_get_hash (&self->reader, object, key);
  const gint64 *id = name != NULL ? g_hash_table_lookup (self->places, name) : NULL;

  if (name != NULL && id == NULL)
    sl_json_reader_fail (&self->reader, _("a message is named that is not there"));
  return id != NULL ? *id : 0;
}

static SlMode
get_mode (Reading      *self,
          const json_t *object)
{
  SlMode mode = SL_MODE_CHAT;

  if (!sl_mode_from_nick (sl_json_get_text (&self->reader, object, "mode", NULL), &mode))
    sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "mode");
  return mode;
}

static void
read_coords (Reading      *self,
             const json_t *object,
             SlBoxRecord  *box)
{
  const json_t *coords = sl_json_get_array (&self->reader, object, "box_999");

  if (json_array_size (coords) != 4)
    sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "box_999");
  for (guint i = 0; i < 4; i++)
    {
      const json_t *value = json_array_get (coords, i);
      json_int_t number = json_integer_value (value);

      if (!json_is_integer (value) || number < 0 || number > 999)
        sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "box_999");
      box->coords[i] = (int) CLAMP (number, 0, 999);
    }
}

static void
read_box (Reading         *self,
          const json_t    *object,
          SlMessageRecord *message,
          gsize            n_boxes,
          gint64           base)
{
  SlBoxRecord *box = sl_box_record_new ();
  const SlPartRecord *picture = get_picture (self, object, "picture");

  g_ptr_array_add (message->boxes, box);
  box->id = base + message->boxes->len;
  box->label = g_strdup (sl_json_get_text (&self->reader, object, "label", ""));
  read_coords (self, object, box);
  if (!sl_box_status_from_nick (sl_json_get_text (&self->reader, object, "status", NULL), &box->status))
    sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "status");
  box->reason = sl_box_reason_from_english (sl_json_get_text (&self->reader, object, "reason", ""));
  box->picture = picture != NULL ? g_strdup (picture->sha256) : NULL;
  box->kind = sl_json_get_truth (&self->reader, object, "edited") ? SL_BOX_KIND_EDITED : SL_BOX_KIND_MODEL;
  if (json_object_get (object, "origin") != NULL)
    box->origin = base + 1 + sl_json_get_integer (&self->reader, object, "origin", 0, (gint64) n_boxes - 1, 0);
  box->label_index = (int) sl_json_get_integer (&self->reader, object, "label_index", -1, G_MAXINT32, -1);
  box->confidence = sl_json_get_number (&self->reader, object, "token_probability", -1);
  box->accepted = sl_json_get_truth (&self->reader, object, "accepted");
  box->start = (guint32) sl_json_get_integer (&self->reader, object, "start", 0, G_MAXUINT32, 0);
  box->end = (guint32) sl_json_get_integer (&self->reader, object, "end", 0, G_MAXUINT32, 0);
}

static void
read_message (Reading      *self,
              const json_t *object)
{
  GPtrArray *messages = self->parcel->conversation->messages;
  SlMessageRecord *message = sl_message_record_new ();
  const char *name = sl_json_get_hash (&self->reader, object, "id");
  const json_t *boxes = sl_json_get_array (&self->reader, object, "boxes"), *value;
  const json_t *generation = json_object_get (object, "generation");
  const SlPartRecord *shown = get_picture (self, object, "box_picture");
  gsize i;

  message->parent = find_message (self, object, "parent");
  g_ptr_array_add (messages, message);
  message->id = messages->len;
  message->ordinal = (guint) sl_json_get_integer (&self->reader, object, "ordinal", 0, G_MAXINT32, 0);
  message->role = sl_json_get_word (&self->reader, object, "role", sl_role_nicks, G_N_ELEMENTS (sl_role_nicks));
  message->mode = get_mode (self, object);
  message->raw = sl_json_get_truth (&self->reader, object, "raw");
  message->status = sl_json_get_word (&self->reader, object, "status", sl_message_status_nicks, G_N_ELEMENTS (sl_message_status_nicks));
  message->created = get_time (self, object, "created");
  read_parts (self, object, message->parts);
  message->box_picture = shown != NULL ? g_strdup (shown->sha256) : NULL;
  if (json_is_object (generation))
    message->generation = sl_generation_from_json (&self->reader, generation);
  else if (generation != NULL)
    sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "generation");
  json_array_foreach (boxes, i, value)
    read_box (self, value, message, json_array_size (boxes), (gint64) messages->len << 32);
  if (name == NULL || !g_hash_table_insert (self->places, (gpointer) name, &message->id))
    sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "id");
}

static void
read_draft (Reading      *self,
            const json_t *object)
{
  SlDraftRecord *draft = sl_draft_record_new ();

  draft->question = find_message (self, object, "question");
  draft->mode = get_mode (self, object);
  draft->raw = sl_json_get_truth (&self->reader, object, "raw");
  read_parts (self, object, draft->parts);
  g_ptr_array_add (self->parcel->drafts, draft);
}

typedef void (*ReadOne) (Reading *self, const json_t *object);

static void
read_each (Reading      *self,
           const json_t *object,
           const char   *key,
           gsize         most,
           ReadOne       read)
{
  const json_t *array = sl_json_get_array (&self->reader, object, key), *value;
  gsize i;

  if (json_array_size (array) > most)
    sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), key);
  json_array_foreach (array, i, value)
    {
      if (self->reader.fault != NULL)
        return;
      read (self, value);
    }
}

static void
check_names (Reading      *self,
             const json_t *object)
{
  const SlConversationRecord *conversation = self->parcel->conversation;
  g_autoptr (SlContentIds) names = sl_content_ids_new (conversation);
  const char *name = sl_json_get_hash (&self->reader, object, "id");
  gboolean same = g_strcmp0 (name, names->conversation) == 0;

  for (guint i = 0; i < conversation->messages->len && same; i++)
    {
      const gint64 *id = g_hash_table_lookup (self->places, g_ptr_array_index (names->messages, i));

      same = id != NULL && *id == (gint64) i + 1;
    }
  if (!same)
    sl_json_reader_fail (&self->reader, _("its content is not what its names say"));
}

static void
read_conversation (Reading      *self,
                   const json_t *object)
{
  SlConversationRecord *conversation = self->parcel->conversation;
  gint64 version = sl_json_get_integer (&self->reader, object, "version", 1, G_MAXINT32, 0);

  if (version > SL_PARCEL_VERSION)
    sl_json_reader_fail (&self->reader, _("it was written by a newer Sightline"));
  else if (version == 0)
    sl_json_reader_fail (&self->reader, _("“%s” is not what it should be"), "version");
  conversation->title = g_strdup (sl_json_get_text (&self->reader, object, "title", ""));
  conversation->created = get_time (self, object, "created");
  conversation->updated = get_time (self, object, "updated");
  conversation->system_text = g_strdup (sl_json_get_text (&self->reader, object, "system", ""));
  conversation->engine = g_strdup (sl_json_get_text (&self->reader, object, "engine", ""));
  conversation->choices = g_strdup (sl_json_get_text (&self->reader, object, "choices", ""));
  read_each (self, object, "pictures", MAX_PICTURES, read_picture);
  read_each (self, object, "messages", MAX_MESSAGES, read_message);
  read_each (self, object, "drafts", MAX_MESSAGES, read_draft);
  if (self->reader.fault == NULL)
    conversation->leaf = find_message (self, object, "shown");
  if (self->reader.fault == NULL)
    check_names (self, object);
}

SlParcel *
sl_parcel_from_json (const char  *text,
                     gsize        length,
                     GError     **error)
{
  json_error_t failure;
  g_autoptr (json_t) object = json_loadb (text, length, JSON_REJECT_DUPLICATES, &failure);
  g_autoptr (SlParcel) parcel = sl_parcel_new (sl_conversation_record_new ());
  g_autoptr (GHashTable) places = g_hash_table_new (g_str_hash, g_str_equal);
  Reading self = { .parcel = parcel, .places = places };

  if (!json_is_object (object))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, _("it is no JSON (%s)"), object == NULL ? failure.text : "");
      return NULL;
    }
  read_conversation (&self, object);
  if (self.reader.fault == NULL)
    return g_steal_pointer (&parcel);
  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, self.reader.fault);
  g_free (self.reader.fault);
  return NULL;
}
