/* SPDX-License-Identifier: MIT
 *
 * Making, copying and freeing the rows of the history. Pure values; the thread that owns one calls.
 */
#include "app/store/sl-records.h"

const char *const sl_role_nicks[] = { "system", "user", "assistant" };
const char *const sl_message_status_nicks[] = { "complete", "streaming", "stopped", "failed", "interrupted" };

SlPartRecord *
sl_part_record_new (SlPartKind kind)
{
  SlPartRecord *self = g_new0 (SlPartRecord, 1);

  self->kind = kind;
  return self;
}

SlPartRecord *
sl_part_record_copy (const SlPartRecord *self)
{
  SlPartRecord *copy = g_memdup2 (self, sizeof *self);

  copy->text = g_strdup (self->text);
  copy->sha256 = g_strdup (self->sha256);
  copy->mime_type = g_strdup (self->mime_type);
  copy->extension = g_strdup (self->extension);
  copy->name = g_strdup (self->name);
  copy->bytes = self->bytes != NULL ? g_bytes_ref (self->bytes) : NULL;
  return copy;
}

void
sl_part_record_free (SlPartRecord *self)
{
  if (self == NULL)
    return;
  g_free (self->text);
  g_free (self->sha256);
  g_free (self->mime_type);
  g_free (self->extension);
  g_free (self->name);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_free (self);
}

SlBoxRecord *
sl_box_record_new (void)
{
  SlBoxRecord *self = g_new0 (SlBoxRecord, 1);

  self->label_index = -1;
  self->confidence = -1;
  self->overlap = -1;
  return self;
}

SlBoxRecord *
sl_box_record_copy (const SlBoxRecord *self)
{
  SlBoxRecord *copy = g_memdup2 (self, sizeof *self);

  copy->label = g_strdup (self->label);
  copy->picture = g_strdup (self->picture);
  return copy;
}

void
sl_box_record_free (SlBoxRecord *self)
{
  if (self == NULL)
    return;
  g_free (self->label);
  g_free (self->picture);
  g_free (self);
}

static gpointer
copy_part (gconstpointer part,
           gpointer      data)
{
  return sl_part_record_copy (part);
}

static gpointer
copy_box (gconstpointer box,
          gpointer      data)
{
  return sl_box_record_copy (box);
}

static gpointer
copy_message (gconstpointer message,
              gpointer      data)
{
  return sl_message_record_copy (message);
}

SlMessageRecord *
sl_message_record_new (void)
{
  SlMessageRecord *self = g_new0 (SlMessageRecord, 1);

  self->parts = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_part_record_free);
  self->boxes = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_box_record_free);
  return self;
}

SlMessageRecord *
sl_message_record_copy (const SlMessageRecord *self)
{
  SlMessageRecord *copy = g_memdup2 (self, sizeof *self);

  copy->parts = g_ptr_array_copy (self->parts, copy_part, NULL);
  copy->boxes = g_ptr_array_copy (self->boxes, copy_box, NULL);
  copy->generation = self->generation != NULL ? sl_generation_copy (self->generation) : NULL;
  copy->box_picture = g_strdup (self->box_picture);
  return copy;
}

void
sl_message_record_free (SlMessageRecord *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->parts);
  g_ptr_array_unref (self->boxes);
  sl_generation_free (self->generation);
  g_free (self->box_picture);
  g_free (self);
}

SlFolderPictureRecord *
sl_folder_picture_record_new (const char *path)
{
  SlFolderPictureRecord *self = g_atomic_rc_box_new0 (SlFolderPictureRecord);

  self->path = g_strdup (path);
  self->sha256 = g_strdup ("");
  return self;
}

SlFolderPictureRecord *
sl_folder_picture_record_copy (const SlFolderPictureRecord *self)
{
  SlFolderPictureRecord *copy = g_atomic_rc_box_new0 (SlFolderPictureRecord);

  *copy = *self;
  copy->path = g_strdup (self->path);
  copy->sha256 = g_strdup (self->sha256);
  copy->error = g_strdup (self->error);
  return copy;
}

static void
clear_picture (gpointer data)
{
  SlFolderPictureRecord *self = data;

  g_free (self->path);
  g_free (self->sha256);
  g_free (self->error);
}

SlFolderPictureRecord *
sl_folder_picture_record_ref (SlFolderPictureRecord *self)
{
  return g_atomic_rc_box_acquire (self);
}

void
sl_folder_picture_record_unref (SlFolderPictureRecord *self)
{
  g_atomic_rc_box_release_full (self, clear_picture);
}

static gpointer
copy_picture (gconstpointer picture,
              gpointer      data)
{
  return sl_folder_picture_record_copy (picture);
}

SlFolderRecord *
sl_folder_record_new (const char *path,
                      gboolean    recursive,
                      const char *prompt,
                      SlMode      mode)
{
  SlFolderRecord *self = g_new0 (SlFolderRecord, 1);

  self->path = g_strdup (path);
  self->recursive = recursive;
  self->prompt = g_strdup (prompt);
  self->mode = mode;
  self->model = g_strdup ("");
  self->model_name = g_strdup ("");
  self->pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_folder_picture_record_unref);
  return self;
}

SlFolderRecord *
sl_folder_record_copy (const SlFolderRecord *self)
{
  SlFolderRecord *copy = g_memdup2 (self, sizeof *self);

  copy->path = g_strdup (self->path);
  copy->prompt = g_strdup (self->prompt);
  copy->model = g_strdup (self->model);
  copy->model_name = g_strdup (self->model_name);
  copy->pictures = g_ptr_array_copy (self->pictures, copy_picture, NULL);
  return copy;
}

void
sl_folder_record_free (SlFolderRecord *self)
{
  if (self == NULL)
    return;
  g_free (self->path);
  g_free (self->prompt);
  g_free (self->model);
  g_free (self->model_name);
  g_ptr_array_unref (self->pictures);
  g_free (self);
}

SlConversationRecord *
sl_conversation_record_new (void)
{
  SlConversationRecord *self = g_new0 (SlConversationRecord, 1);

  self->messages = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_message_record_free);
  return self;
}

SlConversationRecord *
sl_conversation_record_copy (const SlConversationRecord *self)
{
  SlConversationRecord *copy = g_memdup2 (self, sizeof *self);

  copy->title = g_strdup (self->title);
  copy->system_text = g_strdup (self->system_text);
  copy->engine = g_strdup (self->engine);
  copy->choices = g_strdup (self->choices);
  copy->messages = g_ptr_array_copy (self->messages, copy_message, NULL);
  copy->folder = self->folder != NULL ? sl_folder_record_copy (self->folder) : NULL;
  return copy;
}

void
sl_conversation_record_free (SlConversationRecord *self)
{
  if (self == NULL)
    return;
  g_free (self->title);
  g_free (self->system_text);
  g_free (self->engine);
  g_free (self->choices);
  g_ptr_array_unref (self->messages);
  sl_folder_record_free (self->folder);
  g_free (self);
}

SlDraftRecord *
sl_draft_record_new (void)
{
  SlDraftRecord *self = g_new0 (SlDraftRecord, 1);

  self->parts = g_ptr_array_new_with_free_func ((GDestroyNotify) sl_part_record_free);
  return self;
}

void
sl_draft_record_free (SlDraftRecord *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->parts);
  g_free (self);
}

SlSummaryRecord *
sl_summary_record_new (void)
{
  return g_new0 (SlSummaryRecord, 1);
}

void
sl_summary_record_free (SlSummaryRecord *self)
{
  if (self == NULL)
    return;
  g_free (self->title);
  g_free (self->snippet);
  g_free (self);
}
