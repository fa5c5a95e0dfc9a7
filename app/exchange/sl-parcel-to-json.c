/* SPDX-License-Identifier: MIT
 *
 * A parcel to JSON: members in a fixed order, messages before those below them, pictures by their hashes. Any thread.
 */
#include <string.h>

#include "app/exchange/sl-parcel-json-private.h"
#include "app/exchange/sl-parcel-json.h"

/* The name of a message of this id, null without one. */
static json_t *
name_to_json (const SlParcel     *self,
              const SlContentIds *names,
              GHashTable         *places,
              gint64              id)
{
  const guint *place = g_hash_table_lookup (places, &id);

  return place != NULL ? json_string (g_ptr_array_index (names->messages, *place)) : json_null ();
}

static json_t *
text_or_null (const char *text)
{
  return text != NULL ? json_string (text) : json_null ();
}

static json_t *
parts_to_json (GPtrArray *parts)
{
  json_t *array = json_array ();

  for (guint i = 0; i < parts->len; i++)
    {
      const SlPartRecord *part = g_ptr_array_index (parts, i);
      json_t *object = json_object ();

      if (part->kind == SL_PART_TEXT)
        json_object_set_new (object, "text", json_string (part->text != NULL ? part->text : ""));
      else
        json_object_set_new (object, "picture", json_string (part->sha256));
      if (part->name != NULL)
        json_object_set_new (object, "name", json_string (part->name));
      if (part->detail == SL_DETAIL_LOW)
        json_object_set_new (object, "detail", json_string ("low"));
      json_array_append_new (array, object);
    }
  return array;
}

static json_t *
box_to_json (const SlBoxRecord *box,
             GPtrArray         *boxes)
{
  json_t *object = json_object ();

  json_object_set_new (object, "label", json_string (box->label != NULL ? box->label : ""));
  json_object_set_new (object, "box_999", json_pack ("[i,i,i,i]", box->coords[0], box->coords[1], box->coords[2], box->coords[3]));
  json_object_set_new (object, "status", json_string (sl_box_status_get_nick (box->status)));
  if (box->reason != SL_BOX_REASON_NONE)
    json_object_set_new (object, "reason", json_string (sl_box_reason_get_english (box->reason)));
  json_object_set_new (object, "picture", text_or_null (box->picture));
  if (box->kind == SL_BOX_KIND_EDITED)
    json_object_set_new (object, "edited", json_true ());
  for (guint i = 0; i < boxes->len; i++)
    if (box->origin != 0 && ((const SlBoxRecord *) g_ptr_array_index (boxes, i))->id == box->origin)
      json_object_set_new (object, "origin", json_integer (i));
  json_object_set_new (object, "label_index", json_integer (box->label_index));
  if (box->confidence >= 0)
    json_object_set_new (object, "token_probability", json_real (box->confidence));
  if (box->accepted)
    json_object_set_new (object, "accepted", json_true ());
  json_object_set_new (object, "start", json_integer (box->start));
  json_object_set_new (object, "end", json_integer (box->end));
  return object;
}

static json_t *
message_to_json (const SlParcel     *self,
                 const SlContentIds *names,
                 GHashTable         *places,
                 guint               index)
{
  const SlMessageRecord *message = g_ptr_array_index (self->conversation->messages, index);
  json_t *object = json_object ();
  json_t *boxes;

  json_object_set_new (object, "id", json_string (g_ptr_array_index (names->messages, index)));
  json_object_set_new (object, "parent", name_to_json (self, names, places, message->parent));
  json_object_set_new (object, "ordinal", json_integer (message->ordinal));
  json_object_set_new (object, "role", json_string (sl_role_nicks[message->role]));
  json_object_set_new (object, "mode", json_string (sl_mode_get_nick (message->mode)));
  if (message->raw)
    json_object_set_new (object, "raw", json_true ());
  json_object_set_new (object, "status", json_string (sl_message_status_nicks[message->status]));
  json_object_set_new (object, "created", json_integer (message->created));
  json_object_set_new (object, "parts", parts_to_json (message->parts));
  if (message->box_picture != NULL)
    json_object_set_new (object, "box_picture", json_string (message->box_picture));
  if (message->generation != NULL)
    json_object_set_new (object, "generation", sl_generation_to_json (message->generation));
  if (message->boxes->len == 0)
    return object;
  boxes = json_array ();
  for (guint i = 0; i < message->boxes->len; i++)
    json_array_append_new (boxes, box_to_json (g_ptr_array_index (message->boxes, i), message->boxes));
  json_object_set_new (object, "boxes", boxes);
  return object;
}

static int
compare_drafts (gconstpointer a,
                gconstpointer b)
{
  const char *first = json_string_value (json_object_get (*(json_t *const *) a, "question"));
  const char *second = json_string_value (json_object_get (*(json_t *const *) b, "question"));

  return g_strcmp0 (first, second);
}

static json_t *
drafts_to_json (const SlParcel     *self,
                const SlContentIds *names,
                GHashTable         *places)
{
  g_autoptr (GPtrArray) drafts = g_ptr_array_new ();
  json_t *array = json_array ();

  for (guint i = 0; i < self->drafts->len; i++)
    {
      const SlDraftRecord *draft = g_ptr_array_index (self->drafts, i);
      json_t *object = json_object ();

      json_object_set_new (object, "question", name_to_json (self, names, places, draft->question));
      json_object_set_new (object, "mode", json_string (sl_mode_get_nick (draft->mode)));
      if (draft->raw)
        json_object_set_new (object, "raw", json_true ());
      json_object_set_new (object, "parts", parts_to_json (draft->parts));
      g_ptr_array_add (drafts, object);
    }
  g_ptr_array_sort (drafts, compare_drafts);
  for (guint i = 0; i < drafts->len; i++)
    json_array_append_new (array, g_ptr_array_index (drafts, i));
  return array;
}

static int
compare_pictures (gconstpointer a,
                  gconstpointer b)
{
  return strcmp ((*(const SlPartRecord *const *) a)->sha256, (*(const SlPartRecord *const *) b)->sha256);
}

static json_t *
pictures_to_json (const SlParcel *self)
{
  g_autoptr (GPtrArray) pictures = g_ptr_array_copy (self->pictures, NULL, NULL);
  json_t *array = json_array ();

  g_ptr_array_set_free_func (pictures, NULL);
  g_ptr_array_sort (pictures, compare_pictures);
  for (guint i = 0; i < pictures->len; i++)
    {
      const SlPartRecord *picture = g_ptr_array_index (pictures, i);

      json_array_append_new (array, json_pack ("{s:s,s:s,s:s,s:i,s:i}", "sha256", picture->sha256, "type",
                                               picture->mime_type != NULL ? picture->mime_type : "", "extension", picture->extension,
                                               "width", picture->width, "height", picture->height));
    }
  return array;
}

static json_t *
conversation_to_json (const SlParcel     *self,
                      const SlContentIds *names,
                      GHashTable         *places)
{
  const SlConversationRecord *conversation = self->conversation;
  json_t *object = json_object ();
  json_t *messages = json_array ();

  json_object_set_new (object, "version", json_integer (SL_PARCEL_VERSION));
  json_object_set_new (object, "id", json_string (names->conversation));
  json_object_set_new (object, "title", json_string (conversation->title != NULL ? conversation->title : ""));
  json_object_set_new (object, "created", json_integer (conversation->created));
  json_object_set_new (object, "updated", json_integer (conversation->updated));
  json_object_set_new (object, "system", json_string (conversation->system_text != NULL ? conversation->system_text : ""));
  json_object_set_new (object, "engine", json_string (conversation->engine != NULL ? conversation->engine : ""));
  json_object_set_new (object, "choices", json_string (conversation->choices != NULL ? conversation->choices : ""));
  json_object_set_new (object, "shown", name_to_json (self, names, places, conversation->leaf));
  json_object_set_new (object, "pictures", pictures_to_json (self));
  for (guint i = 0; i < names->order->len; i++)
    json_array_append_new (messages, message_to_json (self, names, places, g_array_index (names->order, guint, i)));
  json_object_set_new (object, "messages", messages);
  json_object_set_new (object, "drafts", drafts_to_json (self, names, places));
  return object;
}

char *
sl_parcel_to_json (const SlParcel     *self,
                   const SlContentIds *names,
                   gsize              *length)
{
  const GPtrArray *messages = self->conversation->messages;
  g_autoptr (GHashTable) places = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_autofree guint *numbers = g_new (guint, messages->len + 1);
  g_autoptr (json_t) object = NULL;
  char *text, *copy;

  for (guint i = 0; i < messages->len; i++)
    {
      numbers[i] = i;
      g_hash_table_insert (places, &((SlMessageRecord *) g_ptr_array_index (messages, i))->id, &numbers[i]);
    }
  object = conversation_to_json (self, names, places);
  text = json_dumps (object, JSON_INDENT (1) | JSON_REAL_PRECISION (17));
  copy = g_strconcat (text, "\n", NULL);
  free (text);
  *length = strlen (copy);
  return copy;
}
