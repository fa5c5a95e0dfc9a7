/* SPDX-License-Identifier: MIT
 *
 * See conversation.h. Everything that the file says is checked here; the engine gets UTF-8 and decoded pictures only.
 */
#include "app/cli/conversation.h"

#include <errno.h>
#include <string.h>

#include <glib/gi18n.h>
#include <jansson.h>

#include "app/cli/cli.h"

typedef struct
{
  vl2_role  role;
  GArray   *parts; /* vl2_part */
} Message;

typedef struct
{
  SlPicture   *picture;
  vl2_picture  pixels;
} Picture;

struct _CliConversation
{
  GPtrArray        *messages; /* Message */
  GPtrArray        *pictures; /* Picture: their addresses must not move */
  GPtrArray        *texts;    /* char * */
  GArray           *flat;     /* vl2_message, what view points to */
  vl2_conversation  view;
};

static void
message_free (gpointer data)
{
  Message *message = data;

  g_array_unref (message->parts);
  g_free (message);
}

static void
picture_free (gpointer data)
{
  Picture *picture = data;

  g_object_unref (picture->picture);
  g_free (picture);
}

CliConversation *
cli_conversation_new (void)
{
  CliConversation *self = g_new0 (CliConversation, 1);

  self->messages = g_ptr_array_new_with_free_func (message_free);
  self->pictures = g_ptr_array_new_with_free_func (picture_free);
  self->texts = g_ptr_array_new_with_free_func (g_free);
  self->flat = g_array_new (FALSE, TRUE, sizeof (vl2_message));

  return self;
}

void
cli_conversation_free (CliConversation *self)
{
  if (self == NULL)
    return;

  g_ptr_array_unref (self->messages);
  g_ptr_array_unref (self->pictures);
  g_ptr_array_unref (self->texts);
  g_array_unref (self->flat);
  g_free (self);
}

vl2_picture
cli_picture_pixels (SlPicture *picture)
{
  return (vl2_picture) {
    .width = sl_picture_get_width (picture),
    .height = sl_picture_get_height (picture),
    .stride = sl_picture_get_stride (picture),
    .rgb = sl_picture_get_rgb (picture),
  };
}

SlPicture *
cli_load_picture (const char  *path,
                  gboolean     on_white,
                  GError     **error)
{
  g_autofree char *local = cli_dup_path (path);
  g_autoptr(GFile) file = g_file_new_for_path (local);
  g_autoptr(SlPicture) picture = NULL;

  sl_outputs_add_input (cli_outputs, local);
  picture = sl_picture_new_from_file (file, cli_cancellable, error);
  if (picture == NULL || !(on_white || cli_on_white))
    return g_steal_pointer (&picture);

  return sl_picture_new_on_white (picture, cli_cancellable, error);
}

/* ------------------------------------------------------------------------------------------------ building */

static Message *
add_message (CliConversation *self,
             vl2_role         role)
{
  Message *message = g_new0 (Message, 1);

  message->role = role;
  message->parts = g_array_new (FALSE, TRUE, sizeof (vl2_part));
  g_ptr_array_add (self->messages, message);

  return message;
}

static void
add_text (CliConversation *self,
          Message         *message,
          const char      *text,
          SlMarkup         markup)
{
  char *copy = g_strdup (text);
  vl2_part part = {
    .kind = VL2_PART_TEXT,
    .text = copy,
    .length = strlen (copy),
    .markup = markup == SL_MARKUP_ALL         ? VL2_MARKUP_ALL
              : markup == SL_MARKUP_GROUNDING ? VL2_MARKUP_GROUNDING
                                              : VL2_MARKUP_NONE,
  };

  g_ptr_array_add (self->texts, copy);
  g_array_append_val (message->parts, part);
}

static gboolean
add_picture (CliConversation  *self,
             Message          *message,
             const char       *path,
             vl2_detail        detail,
             gboolean          on_white,
             GError          **error)
{
  SlPicture *picture = cli_load_picture (path, on_white, error);
  Picture *entry;
  vl2_part part = { .kind = VL2_PART_PICTURE, .detail = detail };

  if (picture == NULL)
    return FALSE;

  entry = g_new0 (Picture, 1);
  entry->picture = picture;
  entry->pixels = cli_picture_pixels (picture);
  g_ptr_array_add (self->pictures, entry);

  part.picture = &entry->pixels;
  g_array_append_val (message->parts, part);

  return TRUE;
}

gboolean
cli_conversation_add_prompt (CliConversation    *self,
                             const char *const  *pictures,
                             const char         *text,
                             SlMode              mode,
                             gboolean            raw,
                             GError            **error)
{
  gsize n_pictures = pictures != NULL ? g_strv_length ((char **) pictures) : 0;
  g_autofree const char **texts = g_new0 (const char *, n_pictures + 1);
  g_autoptr(GPtrArray) pieces = NULL;
  Message *message;
  gsize next = 0;

  if (!cli_check_utf8 (text, -1, _("The prompt"), error))
    return FALSE;

  texts[n_pictures] = text;
  pieces = sl_mode_compose (mode, texts, n_pictures + 1, raw);
  message = add_message (self, VL2_USER);

  for (guint i = 0; i < pieces->len; i++)
    {
      const SlPiece *piece = g_ptr_array_index (pieces, i);

      if (piece->text != NULL)
        add_text (self, message, piece->text, raw ? SL_MARKUP_ALL : piece->markup);
      else if (!add_picture (self, message, pictures[next++], VL2_DETAIL_AUTO, FALSE, error))
        return FALSE;
    }

  return TRUE;
}

CliConversation *
cli_conversation_build (const char         *path,
                        const char *const  *pictures,
                        const char         *text,
                        const char         *mode,
                        gboolean            raw,
                        GError            **error)
{
  g_autoptr(CliConversation) self = cli_conversation_new ();
  SlMode parsed = SL_MODE_CHAT;

  if (mode != NULL && !sl_mode_from_nick (mode, &parsed))
    {
      cli_set_error (error, CLI_USAGE, "%s", _("--mode has to be chat, find or ground."));
      return NULL;
    }
  if (path != NULL && !cli_conversation_load (self, path, error))
    return NULL;
  if (text != NULL && !cli_conversation_add_prompt (self, pictures, text, parsed, raw, error))
    return NULL;

  return g_steal_pointer (&self);
}

void
cli_conversation_add_answer (CliConversation *self,
                             const char      *text)
{
  Message *last = self->messages->len > 0 ? g_ptr_array_index (self->messages, self->messages->len - 1) : NULL;

  if (last == NULL || last->role != VL2_ASSISTANT)
    last = add_message (self, VL2_ASSISTANT);
  add_text (self, last, text, SL_MARKUP_GROUNDING);
}

void
cli_conversation_lower_detail (CliConversation *self)
{
  for (guint m = 0; m < self->messages->len; m++)
    {
      Message *message = g_ptr_array_index (self->messages, m);

      for (guint p = 0; p < message->parts->len; p++)
        g_array_index (message->parts, vl2_part, p).detail = VL2_DETAIL_LOW;
    }
}

/* ------------------------------------------------------------------------------------------------ the file */

/* Where in a file something is, for messages. */
typedef struct
{
  const char *path; /* of the file */
  gsize       message;
  gsize       part;
} Place;

static gboolean
fail (const Place  *place,
      const char   *reason,
      GError      **error)
{
  g_autofree char *name = g_filename_display_name (place->path);

  cli_set_error (error, CLI_INPUT, _("The conversation “%s” is not usable: message %zu, part %zu: %s."),
                 name, (size_t) place->message, (size_t) place->part, reason);

  return FALSE;
}

static gboolean
load_text (CliConversation  *self,
           Message          *message,
           json_t           *part,
           const Place      *place,
           GError          **error)
{
  json_t *text = json_object_get (part, "text");
  json_t *markup_nick = json_object_get (part, "markup");
  SlMarkup markup = message->role == VL2_ASSISTANT ? SL_MARKUP_GROUNDING : SL_MARKUP_NONE;

  if (!json_is_string (text))
    return fail (place, _("“text” has to be a string"), error);

  if (markup_nick != NULL && !sl_markup_from_nick (json_string_value (markup_nick), &markup))
    return fail (place, _("“markup” has to be “none”, “grounding” or “all”"), error);

  add_text (self, message, json_string_value (text), markup);

  return TRUE;
}

static gboolean
load_picture (CliConversation  *self,
              Message          *message,
              json_t           *part,
              const Place      *place,
              GError          **error)
{
  const char *path = json_string_value (json_object_get (part, "path"));
  json_t *detail = json_object_get (part, "detail");
  json_t *on_white = json_object_get (part, "on_white");
  gboolean low = g_strcmp0 (json_string_value (detail), "low") == 0;
  g_autofree char *folder = NULL;
  g_autofree char *full = NULL;

  if (path == NULL || *path == '\0')
    return fail (place, _("“path” has to be a file name"), error);
  if (detail != NULL && !low && g_strcmp0 (json_string_value (detail), "auto") != 0)
    return fail (place, _("“detail” has to be “auto” or “low”"), error);
  if (on_white != NULL && !json_is_boolean (on_white))
    return fail (place, _("“on_white” has to be true or false"), error);
  if (message->role != VL2_USER)
    return fail (place, _("only a user's message can hold pictures"), error);

  folder = g_path_get_dirname (place->path);
  full = g_path_is_absolute (path) || g_str_has_prefix (path, "file://") ? g_strdup (path) : g_build_filename (folder, path, NULL);

  return add_picture (self, message, full, low ? VL2_DETAIL_LOW : VL2_DETAIL_AUTO, json_is_true (on_white), error);
}

static gboolean
load_content (CliConversation  *self,
              Message          *message,
              json_t           *content,
              Place            *place,
              GError          **error)
{
  gsize i;
  json_t *part;

  if (json_is_string (content))
    {
      add_text (self, message, json_string_value (content),
                message->role == VL2_ASSISTANT ? SL_MARKUP_GROUNDING : SL_MARKUP_NONE);
      return TRUE;
    }

  if (!json_is_array (content))
    return fail (place, _("“content” has to be a string or a list"), error);

  json_array_foreach (content, i, part)
    {
      const char *type = json_string_value (json_object_get (part, "type"));

      place->part = i + 1;
      if (g_strcmp0 (type, "text") == 0)
        {
          if (!load_text (self, message, part, place, error))
            return FALSE;
        }
      else if (g_strcmp0 (type, "image") == 0)
        {
          if (!load_picture (self, message, part, place, error))
            return FALSE;
        }
      else
        {
          return fail (place, _("“type” has to be “text” or “image”"), error);
        }
    }

  return TRUE;
}

static gboolean
load_messages (CliConversation  *self,
               json_t           *root,
               Place            *place,
               GError          **error)
{
  json_t *messages = json_object_get (root, "messages");
  json_t *entry;
  gsize i;

  if (!json_is_array (messages) || json_array_size (messages) == 0)
    return fail (place, _("“messages” has to be a list that is not empty"), error);

  json_array_foreach (messages, i, entry)
    {
      const char *role = json_string_value (json_object_get (entry, "role"));

      place->message = i + 1;
      place->part = 0;
      if (g_strcmp0 (role, "user") != 0 && g_strcmp0 (role, "assistant") != 0 && g_strcmp0 (role, "system") != 0)
        return fail (place, _("“role” has to be “user”, “assistant” or “system”"), error);
      if (*role == 's' && i > 0)
        return fail (place, _("a system message can only be the first"), error);
      if (!load_content (self, add_message (self, *role == 'u' ? VL2_USER : *role == 'a' ? VL2_ASSISTANT : VL2_SYSTEM),
                         json_object_get (entry, "content"), place, error))
        return FALSE;
    }

  return TRUE;
}

gboolean
cli_conversation_load (CliConversation  *self,
                       const char       *path,
                       GError          **error)
{
  g_autofree char *name = g_filename_display_name (path);
  g_autofree char *data = NULL;
  g_autoptr(json_t) root = NULL;
  g_autoptr(GError) cause = NULL;
  json_error_t where;
  const char *text;
  gsize length;
  Place place = { .path = path };

  sl_outputs_add_input (cli_outputs, path);
  if (!g_file_get_contents (path, &data, &length, &cause))
    {
      cli_set_error (error, CLI_INPUT, _("The conversation “%s” cannot be read: %s."), name, g_strerror (errno));
      return FALSE;
    }

  text = cli_skip_mark (data, &length);
  root = json_loadb (text, length, JSON_REJECT_DUPLICATES, &where);
  if (root == NULL)
    {
      cli_set_error (error, CLI_INPUT, _("The conversation “%s” is not JSON in UTF-8: line %d: %s."), name, where.line, where.text);
      return FALSE;
    }

  return load_messages (self, root, &place, error);
}

/* ------------------------------------------------------------------------------------------------ getters */

const vl2_conversation *
cli_conversation_get (CliConversation *self)
{
  g_array_set_size (self->flat, 0);
  for (guint i = 0; i < self->messages->len; i++)
    {
      const Message *message = g_ptr_array_index (self->messages, i);
      vl2_message flat = {
        .role = message->role,
        .parts = (const vl2_part *) message->parts->data,
        .n_parts = message->parts->len,
      };

      g_array_append_val (self->flat, flat);
    }

  self->view.messages = (const vl2_message *) self->flat->data;
  self->view.n_messages = self->flat->len;

  return &self->view;
}

gsize
cli_conversation_get_n_messages (CliConversation *self)
{
  return self->messages->len;
}

gsize
cli_conversation_get_n_pictures (CliConversation *self)
{
  return self->pictures->len;
}

SlPicture *
cli_conversation_get_picture (CliConversation *self,
                              gsize            index)
{
  const Picture *picture = g_ptr_array_index (self->pictures, index);

  return picture->picture;
}
