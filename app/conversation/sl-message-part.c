/* SPDX-License-Identifier: MIT
 *
 * A run of text or a picture in a message; stored pictures are read and decoded when somebody wants to see them. UI thread.
 */
#include "app/conversation/sl-message-part.h"

#include <string.h>

#include "app/conversation/sl-message-private.h"
#include "app/pictures/sl-picture.h"

struct _SlMessagePart
{
  GObject parent_instance;

  SlPartKind kind;
  GString *text; /* NULL: a picture */
  SlPicture *picture;    /* while decoded */
  GBytes *bytes;         /* of a picture that is not in the file yet */
  char *mime_type, *extension; /* with the bytes */
  GBytes *source;        /* what it was before it was laid on white, where that is known */
  SlGround ground;
  char *sha256, *path, *name, *error_text;
  int width, height;
  SlDetail detail;
  GCancellable *loading; /* while a load is under way */
  guint holds;           /* who needs the pixels */
  GList idle;            /* in idle_parts while decoded and not held */
};

/* Decoded pictures that nobody needs now, the last one at the tail: what they take together is bounded. */
#define IDLE_BYTES (64 * 1024 * 1024)

static GQueue idle_parts = G_QUEUE_INIT;
static gsize idle_bytes;

enum { PROP_0, PROP_TEXT, PROP_PICTURE, PROP_DETAIL, PROP_ERROR_TEXT, PROP_GROUND, N_PROPS };

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (SlMessagePart, sl_message_part, G_TYPE_OBJECT)

static void
sl_message_part_get_property (GObject    *object,
                              guint       id,
                              GValue     *value,
                              GParamSpec *pspec)
{
  SlMessagePart *self = SL_MESSAGE_PART (object);

  switch (id)
    {
    case PROP_TEXT:
      g_value_set_string (value, sl_message_part_get_text (self));
      break;
    case PROP_PICTURE:
      g_value_set_object (value, self->picture);
      break;
    case PROP_DETAIL:
      g_value_set_int (value, self->detail);
      break;
    case PROP_ERROR_TEXT:
      g_value_set_string (value, self->error_text);
      break;
    case PROP_GROUND:
      g_value_set_int (value, self->ground);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

/* ------------------------------------------------------------------------------------------------ pixels at rest */

static gsize
count_bytes (SlMessagePart *self)
{
  return g_bytes_get_size (sl_picture_get_rgb_bytes (self->picture));
}

static void
leave_idle (SlMessagePart *self)
{
  if (self->idle.data == NULL)
    return;
  g_queue_unlink (&idle_parts, &self->idle);
  self->idle.data = NULL;
  idle_bytes -= count_bytes (self);
}

static void
drop_pixels (SlMessagePart *self)
{
  leave_idle (self);
  g_clear_object (&self->picture);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PICTURE]);
}

/* The last one stays however large it is: it is the most likely to be looked at, or read, next. */
static void
enter_idle (SlMessagePart *self)
{
  if (self->picture == NULL || self->holds > 0 || self->idle.data != NULL)
    return;
  self->idle.data = self;
  g_queue_push_tail_link (&idle_parts, &self->idle);
  idle_bytes += count_bytes (self);
  while (idle_bytes > IDLE_BYTES && idle_parts.length > 1)
    drop_pixels (g_queue_peek_head (&idle_parts));
}

/* ------------------------------------------------------------------------------------------------ object */

static void
sl_message_part_dispose (GObject *object)
{
  SlMessagePart *self = SL_MESSAGE_PART (object);

  leave_idle (self);
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  g_clear_object (&self->picture);
  G_OBJECT_CLASS (sl_message_part_parent_class)->dispose (object);
}

static void
sl_message_part_finalize (GObject *object)
{
  SlMessagePart *self = SL_MESSAGE_PART (object);

  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_pointer (&self->source, g_bytes_unref);
  g_free (self->mime_type);
  g_free (self->extension);
  if (self->text != NULL)
    g_string_free (self->text, TRUE);
  g_free (self->sha256);
  g_free (self->path);
  g_free (self->name);
  g_free (self->error_text);
  G_OBJECT_CLASS (sl_message_part_parent_class)->finalize (object);
}

static void
sl_message_part_class_init (SlMessagePartClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS | G_PARAM_EXPLICIT_NOTIFY;

  object_class->get_property = sl_message_part_get_property;
  object_class->dispose = sl_message_part_dispose;
  object_class->finalize = sl_message_part_finalize;
  properties[PROP_TEXT] = g_param_spec_string ("text", NULL, NULL, NULL, flags);
  properties[PROP_PICTURE] = g_param_spec_object ("picture", NULL, NULL, SL_TYPE_PICTURE, flags);
  properties[PROP_DETAIL] = g_param_spec_int ("detail", NULL, NULL, 0, SL_DETAIL_LOW, 0, flags);
  properties[PROP_ERROR_TEXT] = g_param_spec_string ("error-text", NULL, NULL, NULL, flags);
  properties[PROP_GROUND] = g_param_spec_int ("ground", NULL, NULL, 0, SL_GROUND_WHITE, 0, flags);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
sl_message_part_init (SlMessagePart *self)
{
}

SlMessagePart *
sl_message_part_new_text (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  SlMessagePart *self = g_object_new (SL_TYPE_MESSAGE_PART, NULL);

  self->kind = SL_PART_TEXT;
  self->text = g_string_new (valid);
  return self;
}

SlMessagePart *
sl_message_part_new_picture (SlPicture *picture,
                             SlDetail   detail)
{
  SlMessagePart *self = g_object_new (SL_TYPE_MESSAGE_PART, NULL);

  self->kind = SL_PART_PICTURE;
  self->picture = g_object_ref (picture);
  self->bytes = g_bytes_ref (sl_picture_get_bytes (picture));
  if (sl_picture_get_source (picture) != NULL)
    self->source = g_bytes_ref (sl_picture_get_source (picture));
  self->ground = sl_picture_get_ground (picture);
  self->mime_type = g_strdup (sl_picture_get_mime_type (picture));
  self->extension = g_strdup (sl_picture_get_extension (picture));
  self->sha256 = g_strdup (sl_picture_get_sha256 (picture));
  self->name = g_strdup (sl_picture_get_name (picture));
  self->width = sl_picture_get_width (picture);
  self->height = sl_picture_get_height (picture);
  self->detail = detail;
  enter_idle (self);
  return self;
}

SlMessagePart *
sl_message_part_new_stored (const char *sha256,
                            const char *path,
                            const char *name,
                            int         width,
                            int         height,
                            SlDetail    detail)
{
  SlMessagePart *self = g_object_new (SL_TYPE_MESSAGE_PART, NULL);

  self->kind = SL_PART_PICTURE;
  self->sha256 = g_strdup (sha256);
  self->path = g_strdup (path);
  self->name = g_strdup (name != NULL ? name : "");
  self->width = width;
  self->height = height;
  self->detail = detail;
  return self;
}

SlMessagePart *
sl_message_part_new_from_record (const SlPartRecord *record,
                                 const char         *picture_path)
{
  if (record->kind == SL_PART_TEXT)
    return sl_message_part_new_text (record->text != NULL ? record->text : "");
  return sl_message_part_new_stored (record->sha256, picture_path, record->name, record->width, record->height, record->detail);
}

SlMessagePart *
sl_message_part_copy (SlMessagePart *self)
{
  SlMessagePart *copy = g_object_new (SL_TYPE_MESSAGE_PART, NULL);

  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), copy);

  copy->kind = self->kind;
  copy->text = self->text != NULL ? g_string_new (self->text->str) : NULL;
  g_set_object (&copy->picture, self->picture);
  copy->bytes = self->bytes != NULL ? g_bytes_ref (self->bytes) : NULL;
  copy->source = self->source != NULL ? g_bytes_ref (self->source) : NULL;
  copy->ground = self->ground;
  copy->mime_type = g_strdup (self->mime_type);
  copy->extension = g_strdup (self->extension);
  copy->sha256 = g_strdup (self->sha256);
  copy->path = g_strdup (self->path);
  copy->name = g_strdup (self->name);
  copy->width = self->width;
  copy->height = self->height;
  copy->detail = self->detail;
  enter_idle (copy);
  return copy;
}

SlPartRecord *
sl_message_part_to_record (SlMessagePart *self)
{
  SlPartRecord *record = sl_part_record_new (self->kind);

  record->text = g_strdup (sl_message_part_get_text (self));
  record->sha256 = g_strdup (self->sha256);
  record->name = g_strdup (self->name);
  record->width = self->width;
  record->height = self->height;
  record->detail = self->detail;
  if (self->bytes != NULL)
    {
      record->mime_type = g_strdup (self->mime_type);
      record->extension = g_strdup (self->extension);
      record->bytes = g_bytes_ref (self->bytes);
    }
  else if (self->path != NULL && strrchr (self->path, '.') != NULL)
    record->extension = g_strdup (strrchr (self->path, '.') + 1);
  return record;
}

void
sl_message_part_append_text (SlMessagePart *self,
                             const char    *delta)
{
  g_string_append (self->text, delta);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_TEXT]);
}

void
sl_message_part_set_path (SlMessagePart *self,
                          const char    *path)
{
  g_free (self->path);
  self->path = g_strdup (path);
}

SlPartKind
sl_message_part_get_kind (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), SL_PART_TEXT);

  return self->kind;
}

const char *
sl_message_part_get_text (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->text != NULL ? self->text->str : NULL;
}

SlPicture *
sl_message_part_get_picture (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->picture;
}

GBytes *
sl_message_part_get_bytes (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->bytes;
}

const char *
sl_message_part_get_sha256 (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->sha256;
}

const char *
sl_message_part_get_name (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->name;
}

const char *
sl_message_part_get_path (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->path;
}

int
sl_message_part_get_width (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), 0);

  return self->width;
}

int
sl_message_part_get_height (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), 0);

  return self->height;
}

SlDetail
sl_message_part_get_detail (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), SL_DETAIL_AUTO);

  return self->detail;
}

void
sl_message_part_set_detail (SlMessagePart *self,
                            SlDetail       detail)
{
  g_return_if_fail (SL_IS_MESSAGE_PART (self));

  if (self->detail == detail)
    return;
  self->detail = detail;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DETAIL]);
}

SlGround
sl_message_part_get_ground (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), SL_GROUND_UNKNOWN);

  return self->ground;
}

void
sl_message_part_set_ground (SlMessagePart *self,
                            SlGround       ground)
{
  g_return_if_fail (SL_IS_MESSAGE_PART (self));

  if (self->ground == ground)
    return;
  self->ground = ground;
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_GROUND]);
}

GBytes *
sl_message_part_get_source (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->source;
}

const char *
sl_message_part_get_error_text (SlMessagePart *self)
{
  g_return_val_if_fail (SL_IS_MESSAGE_PART (self), NULL);

  return self->error_text;
}

/* ------------------------------------------------------------------------------------------------ loading */

/* Takes the outcome of either step; TRUE if it is still wanted. */
static gboolean
settle_load (SlMessagePart *self,
             GError        *error)
{
  if (error == NULL)
    return TRUE;
  if (!g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_clear_object (&self->loading);
      g_free (self->error_text);
      self->error_text = g_strdup (error->message);
      g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_ERROR_TEXT]);
    }
  return FALSE;
}

static void
on_decoded (GObject      *source,
            GAsyncResult *result,
            gpointer      user_data)
{
  g_autoptr (SlMessagePart) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (SlPicture) picture = sl_picture_new_finish (result, &error);

  if (!settle_load (self, error))
    return;
  g_clear_object (&self->loading);
  g_set_object (&self->picture, picture);
  if (picture != NULL)
    sl_message_part_set_ground (self, sl_picture_get_ground (picture));
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PICTURE]);
  enter_idle (self);
}

static void
on_read (GObject      *source,
         GAsyncResult *result,
         gpointer      user_data)
{
  g_autoptr (SlMessagePart) self = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_file_load_bytes_finish (G_FILE (source), result, NULL, &error);

  if (!settle_load (self, error))
    return;
  sl_picture_new_from_bytes_async (bytes, self->name, self->loading, on_decoded, g_object_ref (self));
}

void
sl_message_part_load (SlMessagePart *self)
{
  g_autoptr (GFile) file = NULL;

  g_return_if_fail (SL_IS_MESSAGE_PART (self));

  self->holds++;
  leave_idle (self);
  if (self->kind != SL_PART_PICTURE || self->picture != NULL || self->loading != NULL)
    return;
  if (self->bytes != NULL)
    {
      self->loading = g_cancellable_new ();
      sl_picture_new_from_bytes_async (self->bytes, self->name, self->loading, on_decoded, g_object_ref (self));
      return;
    }
  if (self->path == NULL)
    return;
  self->loading = g_cancellable_new ();
  file = g_file_new_for_path (self->path);
  g_file_load_bytes_async (file, self->loading, on_read, g_object_ref (self));
}

void
sl_message_part_release (SlMessagePart *self)
{
  g_return_if_fail (SL_IS_MESSAGE_PART (self));
  g_return_if_fail (self->holds > 0);

  if (--self->holds > 0)
    return;
  g_cancellable_cancel (self->loading);
  g_clear_object (&self->loading);
  enter_idle (self);
}

static void
on_stored (GObject      *source,
           GAsyncResult *result,
           gpointer      user_data)
{
  g_autoptr (SlMessagePart) self = user_data;
  g_autoptr (GFileInfo) info = g_file_query_info_finish (G_FILE (source), result, NULL);

  if (info != NULL && self->bytes != NULL && g_file_info_get_size (info) == (goffset) g_bytes_get_size (self->bytes))
    g_clear_pointer (&self->bytes, g_bytes_unref);
}

void
sl_message_part_forget_bytes (SlMessagePart *self)
{
  g_autoptr (GFile) file = NULL;

  g_return_if_fail (SL_IS_MESSAGE_PART (self));

  if (self->bytes == NULL || self->path == NULL)
    return;
  file = g_file_new_for_path (self->path);
  g_file_query_info_async (file, G_FILE_ATTRIBUTE_STANDARD_SIZE, G_FILE_QUERY_INFO_NONE, G_PRIORITY_LOW, NULL, on_stored,
                           g_object_ref (self));
}
