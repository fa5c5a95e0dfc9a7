/* SPDX-License-Identifier: MIT
 *
 * A conversation as text, pictures and settings, and its view in the engine's structures. Built on one thread, then read only.
 */
#include "app/prompt/sl-prompt.h"

#include <string.h>

#include "app/pictures/sl-picture.h"
#include "app/prompt/sl-prompt-view.h"

typedef struct
{
  char *text; /* NULL: a picture */
  gsize length;
  SlMarkup markup;
  SlPicture *picture; /* or */
  GBytes *bytes;      /* or */
  char *path;
  int width, height;
  SlDetail detail;
} Part;

typedef struct
{
  SlRole role;
  GArray *parts; /* of Part */
} Message;

struct _SlPrompt
{
  gatomicrefcount refs;
  SlSettings settings;
  GArray *messages; /* of Message */
  guint n_pictures;
  GArray *replay; /* of gint32, NULL: the answer is to be made */
  char *session;
  gboolean patient;
};

struct _SlPromptView
{
  SlPrompt *prompt;
  GPtrArray *pictures; /* of SlPicture, what the parts point into */
  GArray *parts;       /* of vl2_part, all messages one after another */
  vl2_picture *pixels; /* [n_pictures], the first n_pixels are set */
  guint n_pixels;
  vl2_message *messages;
  vl2_conversation conversation;
};

/* The engine's numbers are ours. */
G_STATIC_ASSERT ((int) SL_MARKUP_NONE == (int) VL2_MARKUP_NONE && (int) SL_MARKUP_GROUNDING == (int) VL2_MARKUP_GROUNDING
                 && (int) SL_MARKUP_ALL == (int) VL2_MARKUP_ALL);
G_STATIC_ASSERT ((int) SL_ROLE_SYSTEM == (int) VL2_SYSTEM && (int) SL_ROLE_USER == (int) VL2_USER
                 && (int) SL_ROLE_ASSISTANT == (int) VL2_ASSISTANT);
G_STATIC_ASSERT ((int) SL_DETAIL_AUTO == (int) VL2_DETAIL_AUTO && (int) SL_DETAIL_LOW == (int) VL2_DETAIL_LOW);
G_STATIC_ASSERT ((int) SL_DETAIL_TINY == (int) VL2_DETAIL_TINY && (int) SL_DETAIL_LARGE == (int) VL2_DETAIL_LARGE);

static void
part_clear (gpointer data)
{
  Part *part = data;

  g_free (part->text);
  g_clear_object (&part->picture);
  g_clear_pointer (&part->bytes, g_bytes_unref);
  g_free (part->path);
}

static void
message_clear (gpointer data)
{
  g_array_unref (((Message *) data)->parts);
}

SlSettings
sl_settings_for_mode (SlMode mode)
{
  return (SlSettings) { .sampling = sl_mode_get_sampling (mode), .seed = g_random_int (), .constrain_boxes = TRUE };
}

SlPrompt *
sl_prompt_new (const SlSettings *settings)
{
  SlPrompt *self = g_new0 (SlPrompt, 1);

  g_atomic_ref_count_init (&self->refs);
  self->settings = *settings;
  self->messages = g_array_new (FALSE, FALSE, sizeof (Message));
  g_array_set_clear_func (self->messages, message_clear);
  return self;
}

SlPrompt *
sl_prompt_ref (SlPrompt *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
sl_prompt_unref (SlPrompt *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_array_unref (self->messages);
  g_clear_pointer (&self->replay, g_array_unref);
  g_free (self->session);
  g_free (self);
}

void
sl_prompt_set_replay (SlPrompt     *self,
                      const gint32 *ids,
                      gsize         n_ids)
{
  g_clear_pointer (&self->replay, g_array_unref);
  self->replay = g_array_append_vals (g_array_new (FALSE, FALSE, sizeof *ids), ids, n_ids);
}

const gint32 *
sl_prompt_get_replay (const SlPrompt *self,
                      gsize          *n_ids)
{
  *n_ids = self->replay != NULL ? self->replay->len : 0;
  return self->replay != NULL ? (const gint32 *) self->replay->data : NULL;
}

void
sl_prompt_add_message (SlPrompt *self,
                       SlRole    role)
{
  Message message = { role, g_array_new (FALSE, FALSE, sizeof (Part)) };

  g_array_set_clear_func (message.parts, part_clear);
  g_array_append_val (self->messages, message);
}

static void
add_part (SlPrompt *self,
          Part      part)
{
  g_return_if_fail (self->messages->len > 0);

  self->n_pictures += part.text == NULL;
  g_array_append_val (g_array_index (self->messages, Message, self->messages->len - 1).parts, part);
}

void
sl_prompt_add_text (SlPrompt   *self,
                    const char *text,
                    gssize      length,
                    SlMarkup    markup)
{
  gsize bytes = length < 0 ? strlen (text) : (gsize) length;

  add_part (self, (Part) { .text = g_strndup (text, bytes), .length = bytes, .markup = markup });
}

void
sl_prompt_add_picture (SlPrompt  *self,
                       SlPicture *picture,
                       SlDetail   detail)
{
  add_part (self, (Part) { .picture = g_object_ref (picture), .width = sl_picture_get_width (picture),
                           .height = sl_picture_get_height (picture), .detail = detail });
}

void
sl_prompt_add_picture_file (SlPrompt   *self,
                            const char *path,
                            int         width,
                            int         height,
                            SlDetail    detail)
{
  add_part (self, (Part) { .path = g_strdup (path), .width = width, .height = height, .detail = detail });
}

void
sl_prompt_add_picture_bytes (SlPrompt *self,
                             GBytes   *bytes,
                             int       width,
                             int       height,
                             SlDetail  detail)
{
  add_part (self, (Part) { .bytes = g_bytes_ref (bytes), .width = width, .height = height, .detail = detail });
}

void
sl_prompt_set_session (SlPrompt   *self,
                       const char *name)
{
  g_free (self->session);
  self->session = g_strdup (name);
}

const char *
sl_prompt_get_session (const SlPrompt *self)
{
  return self->session;
}

void
sl_prompt_set_patient (SlPrompt *self,
                       gboolean  patient)
{
  self->patient = patient;
}

gboolean
sl_prompt_get_patient (const SlPrompt *self)
{
  return self->patient;
}

guint
sl_prompt_get_n_messages (const SlPrompt *self)
{
  return self->messages->len;
}

guint
sl_prompt_get_n_pictures (const SlPrompt *self)
{
  return self->n_pictures;
}

static const Part *
get_part (const SlPrompt *self,
          guint           m,
          guint           p)
{
  return &g_array_index (g_array_index (self->messages, Message, m).parts, Part, p);
}

SlRole
sl_prompt_get_role (const SlPrompt *self,
                    guint           m)
{
  return g_array_index (self->messages, Message, m).role;
}

guint
sl_prompt_get_n_parts (const SlPrompt *self,
                       guint           m)
{
  return g_array_index (self->messages, Message, m).parts->len;
}

const char *
sl_prompt_get_text (const SlPrompt *self,
                    guint           m,
                    guint           p,
                    SlMarkup       *markup)
{
  const Part *part = get_part (self, m, p);

  if (markup != NULL)
    *markup = part->markup;
  return part->text;
}

SlDetail
sl_prompt_get_detail (const SlPrompt *self,
                      guint           m,
                      guint           p)
{
  return get_part (self, m, p)->detail;
}

static SlPicture *
load_part (const Part    *part,
           GCancellable  *cancellable,
           GError       **error)
{
  g_autoptr (GFile) file = part->path != NULL ? g_file_new_for_path (part->path) : NULL;

  if (part->picture != NULL)
    return g_object_ref (part->picture);
  return file != NULL ? sl_picture_new_from_file (file, cancellable, error)
                      : sl_picture_new_from_bytes (part->bytes, "", cancellable, error);
}

SlPicture *
sl_prompt_load_picture (const SlPrompt  *self,
                        guint            m,
                        guint            p,
                        GCancellable    *cancellable,
                        GError         **error)
{
  return load_part (get_part (self, m, p), cancellable, error);
}

const SlSettings *
sl_prompt_get_settings (const SlPrompt *self)
{
  return &self->settings;
}

char *
sl_prompt_dup_raw (const SlPrompt *self)
{
  static const char *const names[] = { "", "<|User|>: ", "<|Assistant|>: " };
  GString *raw = g_string_new (NULL);

  for (guint m = 0; m < self->messages->len; m++)
    {
      const Message *message = &g_array_index (self->messages, Message, m);

      if (m > 0)
        g_string_append (raw, "\n\n");
      g_string_append (raw, names[message->role]);
      for (guint p = 0; p < message->parts->len; p++)
        {
          const Part *part = &g_array_index (message->parts, Part, p);

          g_string_append (raw, part->text != NULL ? part->text : "<image>");
        }
    }
  return g_string_free (raw, FALSE);
}

/* ------------------------------------------------------------------------------------------------ the engine's view */

static gboolean
append_picture (SlPromptView  *self,
                const Part    *part,
                gboolean       decode,
                GCancellable  *cancellable,
                GError       **error)
{
  g_autoptr (SlPicture) picture = part->picture != NULL ? g_object_ref (part->picture) : NULL;
  vl2_picture *pixels = &self->pixels[self->n_pixels++];
  vl2_part out = { .kind = VL2_PART_PICTURE, .picture = pixels, .detail = (vl2_detail) part->detail };

  *pixels = (vl2_picture) { .width = part->width, .height = part->height };
  if (picture == NULL && decode && (picture = load_part (part, cancellable, error)) == NULL)
    return FALSE;
  if (picture != NULL)
    {
      *pixels = (vl2_picture) { .width = sl_picture_get_width (picture), .height = sl_picture_get_height (picture),
                                .stride = sl_picture_get_stride (picture), .rgb = sl_picture_get_rgb (picture) };
      g_ptr_array_add (self->pictures, g_steal_pointer (&picture));
    }
  g_array_append_val (self->parts, out);
  return TRUE;
}

static gboolean
append_parts (SlPromptView   *self,
              const Message  *message,
              gboolean        decode,
              GCancellable   *cancellable,
              GError        **error)
{
  for (guint p = 0; p < message->parts->len; p++)
    {
      const Part *part = &g_array_index (message->parts, Part, p);
      vl2_part text = { .kind = VL2_PART_TEXT, .text = part->text, .length = part->length, .markup = (vl2_markup) part->markup };

      if (part->text != NULL)
        g_array_append_val (self->parts, text);
      else if (!append_picture (self, part, decode, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

SlPromptView *
sl_prompt_view_new (SlPrompt      *prompt,
                    guint          decoded,
                    GCancellable  *cancellable,
                    GError       **error)
{
  g_autoptr (SlPromptView) self = g_new0 (SlPromptView, 1);
  gsize first = 0;

  self->prompt = sl_prompt_ref (prompt);
  self->pictures = g_ptr_array_new_with_free_func (g_object_unref);
  self->parts = g_array_new (FALSE, FALSE, sizeof (vl2_part));
  self->pixels = g_new0 (vl2_picture, prompt->n_pictures);
  self->messages = g_new0 (vl2_message, prompt->messages->len);
  for (guint m = 0; m < prompt->messages->len; m++)
    {
      const Message *message = &g_array_index (prompt->messages, Message, m);

      if (!append_parts (self, message, m >= decoded, cancellable, error))
        return NULL;
      self->messages[m].role = (vl2_role) message->role;
      self->messages[m].n_parts = self->parts->len - first;
      first = self->parts->len;
    }
  /* Only now does the list of parts stay where it is. */
  first = 0;
  for (guint m = 0; m < prompt->messages->len; m++)
    {
      self->messages[m].parts = &g_array_index (self->parts, vl2_part, first);
      first += self->messages[m].n_parts;
    }
  self->conversation = (vl2_conversation) { self->messages, prompt->messages->len };
  return g_steal_pointer (&self);
}

void
sl_prompt_view_free (SlPromptView *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->pictures);
  g_array_unref (self->parts);
  g_free (self->pixels);
  g_free (self->messages);
  sl_prompt_unref (self->prompt);
  g_free (self);
}

const vl2_conversation *
sl_prompt_view_get (const SlPromptView *self)
{
  return &self->conversation;
}
