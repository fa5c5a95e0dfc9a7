/* SPDX-License-Identifier: MIT
 *
 * See sl-remote-request.h: messages, then pictures, then settings.
 */
#include "app/remote/sl-remote-request.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gi18n-lib.h>
#include <jansson.h>

#include "app/generation/sl-generation.h"
#include "app/pictures/sl-picture-format.h"
#include "app/pictures/sl-picture.h"
#include "app/remote/sl-remote-words.h"

#define PICTURE_TOKEN "<IMAGE_TOKEN>"

G_DEFINE_AUTOPTR_CLEANUP_FUNC (json_t, json_decref)

typedef struct
{
  const SlRemoteServer *server;
  const SlRemoteTraits *traits;
  SlPrompt *prompt;
  json_t *messages;
  GStrvBuilder *notes;
  GCancellable *cancellable;

  /* the message being built */
  SlRole role;
  json_t *parts;     /* text and pictures in order */
  GString *text;     /* of the part being written */
  gboolean asking;
  guint n_pictures;  /* in all messages */
  gboolean text_before_picture;
} Builder;

/* ------------------------------------------------------------------------------------------------ pictures */

/* Servers read it as it is read here. */
static gboolean
can_go_as_it_is (SlPicture *picture,
                 gsize      limit)
{
  gsize size;
  const guint8 *data = g_bytes_get_data (sl_picture_get_bytes (picture), &size);
  SlPictureFormat format = sl_picture_format_sniff (data, size);

  if (size > limit || sl_picture_get_turned (picture))
    return FALSE;
  if (format == SL_PICTURE_FORMAT_PNG)
    return size > 24 && data[24] <= 8; /* bits of a channel, in IHDR */
  if (format == SL_PICTURE_FORMAT_JPEG)
    return sl_picture_format_is_plain_jpeg (data, size);
  return format == SL_PICTURE_FORMAT_GIF || format == SL_PICTURE_FORMAT_WEBP;
}

static GBytes *
encode_upright (SlPicture  *picture,
                GError    **error)
{
  g_autoptr (GdkPixbuf) pixbuf = gdk_pixbuf_new_from_bytes (sl_picture_get_rgb_bytes (picture), GDK_COLORSPACE_RGB, FALSE, 8,
                                                           sl_picture_get_width (picture), sl_picture_get_height (picture),
                                                           (int) sl_picture_get_stride (picture));
  char *data = NULL;
  gsize size;

  if (!gdk_pixbuf_save_to_buffer (pixbuf, &data, &size, "png", error, "compression", "6", NULL))
    return NULL;
  return g_bytes_new_take (data, size);
}

/* "data:image/png;base64,…" (transfer full) */
static char *
dup_data_address (const Builder  *self,
                  SlPicture      *picture,
                  GError        **error)
{
  gsize limit = self->traits->max_picture_bytes, size;
  gboolean as_it_is = can_go_as_it_is (picture, limit);
  g_autoptr (GBytes) bytes = as_it_is ? g_bytes_ref (sl_picture_get_bytes (picture)) : encode_upright (picture, error);
  g_autofree char *base64 = NULL;
  gconstpointer data;

  if (bytes == NULL)
    return NULL;
  data = g_bytes_get_data (bytes, &size);
  if (size > limit)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE,
                   _("The picture “%s” takes %zu MiB without losing pixels; %s reads at most %zu. Make it smaller first."),
                   sl_picture_get_name (picture), size >> 20, self->server->name, limit >> 20);
      return NULL;
    }
  base64 = g_base64_encode (data, size);
  return g_strconcat ("data:", as_it_is ? sl_picture_get_mime_type (picture) : "image/png", ";base64,", base64, NULL);
}

static void
end_text (Builder *self)
{
  if (self->text->len > 0)
    json_array_append_new (self->parts, json_pack ("{s:s,s:s}", "type", "text", "text", self->text->str));
  g_string_truncate (self->text, 0);
}

static gboolean
add_picture (Builder  *self,
             guint     m,
             guint     p,
             GError  **error)
{
  g_autoptr (SlPicture) picture = sl_prompt_load_picture (self->prompt, m, p, self->cancellable, error);
  g_autofree char *address = picture != NULL ? dup_data_address (self, picture, error) : NULL;
  guint most = sl_remote_server_get_max_pictures (self->server);
  json_t *url;

  if (address == NULL)
    return FALSE;
  if (self->role != SL_ROLE_USER)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, _("Only a question can hold pictures on a server."));
      return FALSE;
    }
  if (most > 0 && ++self->n_pictures > most)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   ngettext ("%s takes %u picture in a conversation, and this one has more.",
                             "%s takes %u pictures in a conversation, and this one has more.", most),
                   self->server->name, most);
      return FALSE;
    }
  self->text_before_picture |= json_array_size (self->messages) > 0 || self->text->len > 0 || json_array_size (self->parts) > 0;
  if (self->traits->picture_token)
    g_string_append (self->text, PICTURE_TOKEN);
  else
    end_text (self);
  url = json_pack ("{s:s}", "url", address);
  if (self->traits->ours && sl_prompt_get_detail (self->prompt, m, p) == SL_DETAIL_LOW)
    json_object_set_new (url, "detail", json_string ("low"));
  json_array_append_new (self->parts, json_pack ("{s:s,s:o}", "type", "image_url", "image_url", url));
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ messages */

static gboolean
has_pictures (const Builder *self)
{
  gsize i;
  json_t *part;

  json_array_foreach (self->parts, i, part)
    if (json_object_get (part, "image_url") != NULL)
      return TRUE;
  return FALSE;
}

static void
end_message (Builder *self)
{
  static const char *const roles[] = { "system", "user", "assistant" };
  json_t *content;

  if (json_array_size (self->parts) == 0 && self->text->len == 0)
    return;
  if (!has_pictures (self))
    content = json_string (self->text->str);
  else
    {
      if (self->traits->picture_token) /* the text with the tokens has to be the first part */
        json_array_insert_new (self->parts, 0, json_pack ("{s:s,s:s}", "type", "text", "text", self->text->str));
      else
        end_text (self);
      content = json_incref (self->parts);
    }
  json_array_append_new (self->messages, json_pack ("{s:s,s:o}", "role", roles[self->role], "content", content));
  g_string_truncate (self->text, 0);
  json_decref (self->parts);
  self->parts = json_array ();
  self->asking = FALSE;
}

/* Roles take turns: what would be a second question in a row goes on with the first. */
static gboolean
add_message (Builder  *self,
             guint     m,
             gboolean *begun,
             GError  **error)
{
  SlRole role = sl_prompt_get_role (self->prompt, m);

  if (*begun && role == self->role)
    g_string_append_c (self->text, '\n');
  else if (*begun)
    end_message (self);
  self->role = role;
  *begun = TRUE;
  for (guint p = 0; p < sl_prompt_get_n_parts (self->prompt, m); p++)
    {
      SlMarkup markup;
      const char *text = sl_prompt_get_text (self->prompt, m, p, &markup);

      if (text != NULL)
        sl_remote_words_append (self->text, self->server, text, markup, &self->asking);
      else if (!add_picture (self, m, p, error))
        return FALSE;
    }
  return TRUE;
}

/* ------------------------------------------------------------------------------------------------ settings */

static void
note_left_out (Builder    *self,
               const char *what)
{
  g_autofree char *text = g_strdup_printf (_("%s has no setting for “%s”: it is left out."), self->server->name, what);

  g_strv_builder_add (self->notes, text);
}

static void
note_order (Builder *self)
{
  g_autofree char *moved = g_strdup_printf (_("%s moves all pictures to the front: what is said between them loses its place."),
                                            self->server->name);
  g_autofree char *replayed = g_strdup_printf (_("%s replays earlier answers as the user's words."), self->server->name);

  if (self->traits->pictures_first && self->text_before_picture)
    g_strv_builder_add (self->notes, moved);
  if (self->traits->repeats_roles && json_array_size (self->messages) > 2)
    g_strv_builder_add (self->notes, replayed);
}

/* What was a float on its way would be a long number. */
static double
six_digits (double value)
{
  return round (value * 1e6) / 1e6;
}

static void
add_sampling (Builder *self,
              json_t  *body)
{
  const SlSettings *settings = sl_prompt_get_settings (self->prompt);
  const SlSampling *sampling = &settings->sampling;

  json_object_set_new (body, "temperature", json_real (six_digits (sampling->temperature)));
  json_object_set_new (body, "top_p", json_real (six_digits (sampling->top_p)));
  if (settings->max_tokens > 0)
    json_object_set_new (body, "max_tokens", json_integer (settings->max_tokens));
  if (self->traits->seeds)
    json_object_set_new (body, "seed", json_integer ((json_int_t) (settings->seed & G_MAXINT32)));
  if (self->traits->samples_more)
    {
      if (sampling->top_k > 0)
        json_object_set_new (body, "top_k", json_integer (sampling->top_k));
      json_object_set_new (body, "repetition_penalty", json_real (six_digits (sampling->repetition_penalty)));
      return;
    }
  if (sampling->top_k > 0)
    note_left_out (self, "top_k");
  if (sampling->repetition_penalty != 1)
    note_left_out (self, "repetition_penalty");
}

static void
add_fields (Builder            *self,
            const SlRemoteWish *wish,
            gboolean            goes_on,
            json_t             *body)
{
  if (self->server->model[0] != '\0')
    json_object_set_new (body, "model", json_string (self->server->model));
  json_object_set (body, "messages", self->messages);
  json_object_set_new (body, "stream", json_boolean (wish->stream));
  if (wish->stream)
    json_object_set_new (body, "stream_options", json_pack ("{s:b}", "include_usage", 1));
  if (wish->logprobs)
    {
      json_object_set_new (body, "logprobs", json_true ());
      json_object_set_new (body, "top_logprobs", json_integer (SL_MAX_ALTERNATIVES));
    }
  if (self->traits->skips_special)
    {
      json_object_set_new (body, "skip_special_tokens", json_false ());
      json_object_set_new (body, "spaces_between_special_tokens", json_false ());
    }
  if (self->traits->ours)
    json_object_set_new (body, "constrain_boxes", json_boolean (sl_prompt_get_settings (self->prompt)->constrain_boxes));
  if (goes_on)
    {
      json_object_set_new (body, "add_generation_prompt", json_false ());
      json_object_set_new (body, "continue_final_message", json_true ());
    }
  add_sampling (self, body);
}

static gboolean
build_body (Builder             *self,
            const SlRemoteWish  *wish,
            json_t              *body,
            GError             **error)
{
  guint n_messages = sl_prompt_get_n_messages (self->prompt);
  gboolean begun = FALSE, goes_on;

  for (guint m = 0; m < n_messages; m++)
    if (!add_message (self, m, &begun, error))
      return FALSE;
  end_message (self);
  goes_on = begun && self->role == SL_ROLE_ASSISTANT;
  if (goes_on && !self->traits->continues)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, _("%s cannot go on with an answer: ask again instead."),
                   self->server->name);
      return FALSE;
    }
  note_order (self);
  add_fields (self, wish, goes_on, body);
  return TRUE;
}

GBytes *
sl_remote_request_build (const SlRemoteServer  *server,
                         SlPrompt              *prompt,
                         const SlRemoteWish    *wish,
                         char                ***notes,
                         GCancellable          *cancellable,
                         GError               **error)
{
  g_autoptr (GStrvBuilder) strings = g_strv_builder_new ();
  g_autoptr (json_t) body = json_object ();
  Builder builder = { .server = server, .traits = sl_remote_preset_get_traits (server->preset), .prompt = prompt,
                      .messages = json_array (), .notes = strings, .cancellable = cancellable, .parts = json_array (),
                      .text = g_string_new (NULL) };
  gboolean ok = build_body (&builder, wish, body, error);
  char *text = NULL;

  json_decref (builder.messages);
  json_decref (builder.parts);
  g_string_free (builder.text, TRUE);
  if (!ok)
    return NULL;
  if (notes != NULL)
    *notes = g_strv_builder_end (strings);
  text = json_dumps (body, JSON_COMPACT);
  return g_bytes_new_with_free_func (text, strlen (text), free, text);
}
